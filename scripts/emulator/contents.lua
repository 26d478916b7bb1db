-- What a person sent, as the message of a webhook event. Each type: what is looked at, what is made of it.
-- https://developers.line.biz/en/reference/messaging-api/#message-event

local errors = require "emulator.errors"
local events = require "emulator.events"
local ids = require "emulator.ids"
local world = require "emulator.world"

local contents = {}

local function want(ok, what)
  if not ok then errors.raise(400, what) end
end

-- contents.units(text [, to byte]): its length in UTF-16 code units, which is what the platform's indices count.
function contents.units(text, to)
  local units = 0
  for at, code in utf8.codes(text) do
    if to and at > to then break end
    units = units + (code > 0xFFFF and 2 or 1)
  end
  return units
end

-- Where a piece of text stands, by UTF-16: index and length; from a byte on.
local function place(text, piece, from)
  local first, last = text:find(piece, from, true)
  if not first then return end
  return contents.units(text:sub(1, first - 1)), contents.units(piece), last + 1
end

local function integer(value) return math.type(value) == "integer" and value >= 0 end

-- Emoji without an index are found in their order as "(name)" in the text, as phones write them.
local function emojis(text, list)
  want(#list <= 20, "message.emojis: 20 at most")
  local out, from = {}, 1
  for i, emoji in ipairs(list) do
    local index, length = emoji.index, emoji.length
    if not index then
      local piece = text:match("%([^()]*%)", from)
      want(piece, ("message.emojis[%d]: it has no index, and the text has no \"(name)\" for it"):format(i - 1))
      index, length, from = place(text, piece, from)
    end
    want(integer(index) and integer(length or 1), ("message.emojis[%d]: index and length are numbers"):format(i - 1))
    want(emoji.productId and emoji.emojiId, ("message.emojis[%d]: productId and emojiId are needed"):format(i - 1))
    out[i] = {index = index, length = length or 1, productId = emoji.productId, emojiId = emoji.emojiId}
  end
  return out
end

-- Who is called X in texts of that channel's chats: "@X".
local function name_of(channel, id)
  if channel and id == channel.bot then return channel.name end
  local user = world.state.users[id]
  return user and user.name
end

-- Mentions: userId, or type "all"; without an index they are found as "@Name".
local function mention(channel, text, given)
  local list, out, from = given.mentionees or given, {}, 1
  want(#list >= 1 and #list <= 20, "message.mention: 1 to 20 mentionees")
  for i, who in ipairs(list) do
    local at = ("message.mention.mentionees[%d]: "):format(i - 1)
    local all = who.type == "all"
    local name = all and "All" or name_of(channel, who.userId)
    want(name, at .. "there is nobody with userId " .. tostring(who.userId))
    local index, length = who.index, who.length
    if not index then
      index, length, from = place(text, "@" .. name, from)
      want(index, at .. "it has no index, and the text has no \"@" .. name .. "\"")
    end
    want(integer(index) and integer(length), at .. "index and length are numbers")
    out[i] = {index = index, length = length, type = all and "all" or "user"}
    if not all then
      local is_self = channel ~= nil and who.userId == channel.bot
      if is_self or events.consents(who.userId) then out[i].userId = who.userId end
      out[i].isSelf = is_self
    end
  end
  return {mentionees = out}
end

local function text(channel, m)
  want(type(m.text) == "string" and m.text ~= "", "message.text: a text is needed")
  want(utf8.len(m.text), "message.text: it is not UTF-8")
  local out = {text = m.text}
  if m.emojis and #m.emojis > 0 then out.emojis = emojis(m.text, m.emojis) end
  local mentioned = m.mention and (m.mention.mentionees or m.mention)
  if mentioned and #mentioned > 0 then out.mention = mention(channel, m.text, m.mention) end
  return out
end

-- The bytes behind a message: an upload of POST /_/media (its id may stand as media, too), or base64.
local function medium(m, kind)
  local id = m.mediaId or type(m.media) == "string" and m.media:match("^media%-%d+$")
  if id then
    local upload = world.state.media[id]
    want(upload, "message.mediaId: there is no medium " .. tostring(id) .. "; POST it to /_/media first")
    return upload
  end
  want(type(m.media) == "string",
    ("message: %s needs its bytes, as \"media\" in base64 or as a \"mediaId\" of POST /_/media")
    :format(kind == "audio" and "an audio" or "a " .. kind))
  local crypto = require "crypto"
  local ok, body = pcall(crypto.from_base64, m.media)
  want(ok and body, "message.media: it is not base64")
  return {type = m.mediaType or contents.MEDIA[kind], body = body}
end

-- What is taken for granted where nobody says what the bytes are.
contents.MEDIA = {image = "image/jpeg", video = "video/mp4", audio = "audio/mp4", file = "application/octet-stream"}

-- Keep the bytes under the message's id; the content API serves them from there.
local function keep(id, m, kind)
  local found = medium(m, kind)
  local kept = {type = found.type, body = found.body, duration = m.duration or found.duration, ready_at = m.readyAt,
    preview = found.preview, preview_type = found.preview_type}
  world.state.media[id] = kept
  return kept
end

local function provided(m)
  local external = m.contentProvider
  if external and external.type == "external" then
    want(external.originalContentUrl, "message.contentProvider.originalContentUrl: an external one has an address")
    return {type = "external", originalContentUrl = external.originalContentUrl,
      previewImageUrl = external.previewImageUrl}
  end
end

local function media(kind, timed)
  return function(_, m, id)
    local external = provided(m)
    local kept = not external and keep(id, m, kind)
    return {contentProvider = external or {type = "line"}, imageSet = kind == "image" and m.imageSet or nil,
      duration = timed and (m.duration or kept and kept.duration) or nil}
  end
end

local function file(_, m, id)
  local name = m.fileName
  want(type(name) == "string" and name ~= "", "message.fileName: a name is needed")
  return {fileName = name, fileSize = #keep(id, m, "file").body}
end

local function location(_, m)
  want(type(m.latitude) == "number" and type(m.longitude) == "number", "message: latitude and longitude are numbers")
  want(m.latitude >= -90 and m.latitude <= 90, "message.latitude: from -90 to 90")
  want(m.longitude >= -180 and m.longitude <= 180, "message.longitude: from -180 to 180")
  return {title = m.title, address = m.address, latitude = m.latitude, longitude = m.longitude}
end

local function sticker(_, m)
  want(m.packageId and m.stickerId, "message: packageId and stickerId are needed")
  want(not m.keywords or #m.keywords <= 15, "message.keywords: 15 at most")
  want(not m.text or utf8.len(m.text) and utf8.len(m.text) <= 100, "message.text: 100 characters at most")
  return {packageId = tostring(m.packageId), stickerId = tostring(m.stickerId), keywords = m.keywords, text = m.text,
    stickerResourceType = m.stickerResourceType or "STATIC"}
end

-- type → fn makes the content; quotable: it has a quote token; quotes: it can quote an earlier message.
local TYPES = {
  text = {fn = text, quotable = true, quotes = true},
  image = {fn = media("image"), quotable = true},
  video = {fn = media("video", true), quotable = true},
  audio = {fn = media("audio", true)},
  file = {fn = file},
  location = {fn = location},
  sticker = {fn = sticker, quotable = true, quotes = true},
}
contents.types = TYPES

-- contents.make(channel, chat, m) → the message of the event, with an id of its own. channel is nil in a group without
-- account. Raises a refusal that names the field which is wrong.
function contents.make(channel, chat, m)
  want(type(m) == "table", "message: an object is needed, as {\"type\":\"text\",\"text\":\"Hello\"}")
  local row = TYPES[m.type]
  want(row, ("message.type: %q is none that people send (text, sticker, image, video, audio, file, location)"):format(
    tostring(m.type)))
  if m.quotedMessageId then
    want(row.quotes, "message.quotedMessageId: only texts and stickers quote")
    local quoted = world.find(m.quotedMessageId)
    want(quoted and quoted.key == chat.key, "message.quotedMessageId: no message of this chat has that id")
  end
  local id = ids.message()
  local made = row.fn(channel, m, id)
  made.type, made.id = m.type, id
  if row.quotable then made.quoteToken = ids.quote_token(id) end
  if m.quotedMessageId then made.quotedMessageId = tostring(m.quotedMessageId) end
  if channel and channel.chat_mode == "chat" then
    made.markAsReadToken = ids.read_token(id)
  end
  return made
end

return contents
