-- Text messages, and the LINE emoji and mentions in them.

local build = require "line.build"
local errors = require "line.errors"

local builder = build.builder

local text = {}

-- LINE's index of the character at byte position at: UTF-16 code units before it.
local function index_of(words, at)
  local before = words:sub(1, at - 1)
  local characters = utf8.len(before)
  if not characters then errors.misuse("line.text: the text is not UTF-8, so its emojis have no place") end
  local _, pairs_of_units = before:gsub("[\xF0-\xF4]", "")
  return characters + pairs_of_units
end

-- Each emoji without an index belongs to the next $ behind the one before it.
local function place_emojis(m)
  local emojis, words = m.emojis, m.text
  if type(emojis) ~= "table" or type(words) ~= "string" then return m end
  if emojis.productId then emojis = {emojis} end
  local placed, at = {}, 0
  for i, emoji in ipairs(emojis) do
    if type(emoji) ~= "table" then errors.misuse("line.text: emoji %d is a %s, not a table", i, type(emoji)) end
    local copy = {productId = emoji.productId, emojiId = emoji.emojiId, index = emoji.index}
    if copy.index == nil then
      at = words:find("$", at + 1, true)
        or errors.misuse("line.text: there are %d emojis and only %d '$' in the text", #emojis, i - 1)
      copy.index = index_of(words, at)
    end
    placed[i] = copy
  end
  m.emojis = placed
  return m
end

-- line.text(text[, more]) → text_message
-- A text message; a string alone means the same wherever messages are taken. With LINE emoji, each `$` of the text is
-- the place of one: line.text("Hello $", {emojis = {line.emoji(productId, emojiId)}}). An emoji with an `index` of its
-- own (UTF-16 code units, from 0) is left where it says. Raises when there are more emojis than `$`.
text.text = builder("line.text", "text", {"text"}, place_emojis)

-- The text with plain[name] for each {name} there is; doubled braces and other names stay as they are.
local function put(words, plain)
  local out, at = {}, 1
  while true do
    local brace = words:find("[{}]", at)
    if not brace then break end
    out[#out + 1] = words:sub(at, brace - 1)
    local name = words:match("^{([%w_]+)}", brace)
    local piece = name and "{" .. name .. "}" or words:match("^{{", brace) or words:match("^}}", brace)
      or words:sub(brace, brace)
    out[#out + 1] = name and plain[name] or piece
    at = brace + #piece
  end
  return table.concat(out) .. words:sub(at)
end

-- Strings and numbers of the substitution become part of the text; mentions and emoji stay, for LINE to put in.
local function substitute(m)
  local given, words = m.substitution, m.text
  if type(given) ~= "table" or type(words) ~= "string" then return m end
  local kept, plain
  for name, value in pairs(given) do
    if type(value) == "string" or type(value) == "number" then
      plain = plain or {}
      plain[name] = tostring(value):gsub("[{}]", "%0%0")
    end
  end
  if not plain then return m end
  for name, value in pairs(given) do
    if not plain[name] then
      kept = kept or {}
      kept[name] = value
    end
  end
  m.text, m.substitution = put(words, plain), kept
  return m
end

-- line.text_v2(text, substitution[, more]) → text_v2_message
-- A text message with {name} where the substitution has `name`: line.mention, line.emoji, or a string or number, which
-- is put into the text here, whatever braces it has. `{{` and `}}` are braces.
text.text_v2 = builder("line.text_v2", "textV2", {"text", "substitution"}, substitute)

-- line.emoji(productId, emojiId[, more]) → emoji_substitution
-- A LINE emoji, for line.text and line.text_v2.
text.emoji = builder("line.emoji", "emoji", {"productId", "emojiId"})

local function mentionee(m)
  local who = m.mentionee
  if who == "all" then
    m.mentionee = {type = "all"}
  elseif type(who) == "string" then
    m.mentionee = {type = "user", userId = who}
  end
  return m
end

-- line.mention(userId[, more]) → mention
-- A mention for line.text_v2: of a member of the group or room by id, or of everybody with "all".
text.mention = builder("line.mention", "mention", {"mentionee"}, mentionee)

return text
