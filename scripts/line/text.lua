-- What stands in a received text beside letters: mentions and LINE's emoji. LINE gives their places in UTF-16 units
-- from 0; here they are byte positions as string.sub takes them, and never inside a character.

local core = require "line.core"
local errors = require "line.errors"

local range = core.utf16.range

local text = {}

-- The text of a message event, or nil.
local function text_of(event)
  local m = rawget(event, "message")
  return type(m) == "table" and type(m.text) == "string" and m.text or nil
end

local function listed(t, key)
  local list = type(t) == "table" and t[key]
  return type(list) == "table" and list or {}
end

-- Put text, from and to into an entry; they stay nil where LINE's numbers lie outside of the text.
local function place(entry, words, at)
  local index, length = math.tointeger(at.index), math.tointeger(at.length)
  if words and index and length then
    local from, to = range(words, index, length)
    if from then entry.from, entry.to, entry.text = from, to, words:sub(from, to) end
  end
  return entry
end

local methods = {}
text.methods = methods

-- event:mentions() → list of mention
-- Returns a list of {type = "user" | "all", userId=, isSelf=, text = "@name", from=, to=}: who is mentioned, and where,
-- as in event.message.text:sub(from, to). userId is nil for people who did not consent, isSelf is true for this bot.
-- from, to and text are nil where the platform's numbers do not fit the text. Empty when nobody is. Does not wait.
function methods:mentions()
  local words, list = text_of(self), {}
  local m = rawget(self, "message")
  for _, who in ipairs(listed(type(m) == "table" and m.mention, "mentionees")) do
    if type(who) == "table" then
      list[#list + 1] = place({type = who.type, userId = who.userId, isSelf = who.isSelf == true}, words, who)
    end
  end
  return list
end

-- event:mentioned([userId]) → boolean
-- Returns whether the text mentions this bot, or the user with that id. "@All" is neither. Does not wait.
function methods:mentioned(id)
  local m = rawget(self, "message")
  for _, who in ipairs(listed(type(m) == "table" and m.mention, "mentionees")) do
    if type(who) == "table" then
      if id == nil and who.isSelf == true or id ~= nil and who.userId == id then return true end
    end
  end
  return false
end

-- event:emojis() → list of emoji_place
-- Returns a list of {productId=, emojiId=, text = "(hello)", from=, to=}: LINE's emoji, and the placeholder of each in
-- event.message.text:sub(from, to). Emoji of Unicode are letters like others and not listed. Does not wait.
function methods:emojis()
  local words, list = text_of(self), {}
  for _, e in ipairs(listed(rawget(self, "message"), "emojis")) do
    if type(e) == "table" then
      list[#list + 1] = place({productId = e.productId, emojiId = e.emojiId}, words, e)
    end
  end
  return list
end

-- Space as people type it between words, the ideographic one included: the position behind it.
local function behind_space(s, i)
  local _, e = s:find("^[ \t]+", i)
  if e then return behind_space(s, e + 1) end
  if s:find("^\u{3000}", i) then return behind_space(s, i + 3) end
  return i
end

local function trim(s)
  local from = 1
  repeat
    local before = from
    from = behind_space(s, (s:find("%S", from)) or #s + 1)
  until from == before
  s = s:sub(from)
  repeat
    local n = #s
    s = s:gsub("%s+$", ""):gsub("\u{3000}$", "")
  until #s == n
  return s
end

-- event:text_without_mentions([which]) → string
-- Takes "self" to leave out the mentions of this bot only; else all are. Returns the text without them, and without the
-- space that they leave. Raises for messages that have no text. Does not wait.
function methods:text_without_mentions(which)
  local words = text_of(self)
  if which ~= nil and which ~= "self" then
    errors.misuse("event:text_without_mentions: takes \"self\" or nothing, not %s", tostring(which))
  end
  if not words then errors.misuse("event:text_without_mentions: this event has no text") end
  local out, list = {}, {}
  for _, m in ipairs(methods.mentions(self)) do
    if m.from and (which == nil or m.isSelf) then list[#list + 1] = m end
  end
  table.sort(list, function(a, b) return a.from < b.from end)
  local at = 1
  for _, m in ipairs(list) do
    if m.from > at then out[#out + 1] = words:sub(at, m.from - 1) end
    at = math.max(at, m.to + 1)
    local last = out[#out]
    if last == nil or last:find("%s$") or last:find("\u{3000}$") then at = behind_space(words, at) end
  end
  out[#out + 1] = words:sub(at)
  return trim(table.concat(out))
end

-- line.utf16: text in the platform's counting. A unit is half of a character beyond U+FFFF (most emoji) and the whole
-- of any other; what is not UTF-8 counts one. An index is LINE's, units before the character, from 0; a position is
-- Lua's, bytes from 1. None of these functions cuts a character in two. They do not wait.
text.utf16 = {
  -- line.utf16.len(s) → integer
  -- The length of s in units.
  len = core.utf16.len,
  -- line.utf16.sub(s, i[, j]) → string
  -- Like string.sub, i and j counted in units from 1, or from the end when negative. A character of which only half
  -- would lie inside is left out: line.utf16.sub(s, 1, 5000) fits where 5000 are allowed.
  sub = core.utf16.sub,
  -- line.utf16.to_byte(s, index) → integer or nil
  -- The position of the character at LINE's index; #s + 1 for the end, nil behind it.
  to_byte = core.utf16.to_byte,
  -- line.utf16.from_byte(s, position) → integer or nil
  -- LINE's index of the character to which the byte belongs, the length of s for #s + 1; nil outside of s.
  from_byte = core.utf16.from_byte,
  -- line.utf16.range(s, index, length) → integer, integer
  -- from and to of that piece as string.sub takes them, widened to whole characters; nil when it begins outside of s.
  range = core.utf16.range,
}

return text
