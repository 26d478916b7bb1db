-- Deeds about messages: saying something, taking it back, changing it, reading.

local base = require "emulator.act_base"
local clock = require "emulator.clock"
local contents = require "emulator.contents"
local ids = require "emulator.ids"
local world = require "emulator.world"

local deeds = {}

local SET_MOST = 50

local function copy(t)
  local out = {}
  for key, value in pairs(t) do out[key] = value end
  return out
end

-- Several pictures chosen together: one message each, tied by an id.
local function image_set(a, message, set)
  if type(set) ~= "table" or #set < 2 or #set > SET_MOST then
    base.refuse("set: a list of 2 to %d pictures, each with media or mediaId", SET_MOST)
  end
  local id = ids.hex(64):upper()
  for i, picture in ipairs(set) do
    local one = copy(message)
    one.set = nil
    for key, value in pairs(picture) do one[key] = value end
    one.type, one.imageSet = "image", {id = id, index = i, total = #set}
    base.say(a, one)
  end
end

deeds.message = {
  what = "say something: text, sticker, image, video, audio, file, location",
  fields = {message = "the message, as {\"type\":\"text\",\"text\":…}; text may have emojis, mention, quotedMessageId; "
    .. "image, video, audio, file have media (base64) or mediaId (of POST /_/media)",
    media = "base64 or the id of an upload; here or in the message",
    set = "several pictures sent together: list of {mediaId} or {media}"},
  fn = function(a)
    base.need_user(a)
    local set = a.body.set or type(a.body.message) == "table" and a.body.message.set
    if set then return image_set(a, type(a.body.message) == "table" and a.body.message or {}, set) end
    local message = a.body.message
    if a.body.media and type(message) == "table" and not message.media then
      message = copy(message)
      message.media = a.body.media
    end
    base.say(a, message)
  end,
}

-- The person's own message, which must be there still.
local function own(a)
  base.need_user(a)
  local chat, place, entry = base.entry(a, a.body.message, "message")
  if entry.from ~= a.user.id then base.refuse("message: %s is not by %s", entry.id, a.user.name) end
  if entry.unsent then base.refuse("message: %s was taken back already", entry.id) end
  if entry.shown then base.refuse("message: %s is only shown, it was never sent", entry.id) end
  return chat, place, entry
end

deeds.unsend = {
  what = "take a message back; its content is gone, the account is told",
  fields = {message = "id of an own message"},
  fn = function(a)
    local chat, place, entry = own(a)
    entry.unsent = true
    entry.message = {type = entry.message.type, id = entry.id}
    base.changed(chat, place, entry, "unsent")
    world.state.media[entry.id] = nil
    a.entry = entry
    base.tell(a, "unsend", {messageId = entry.id})
  end,
}

deeds.edit = {
  what = "change an own text message in a group",
  fields = {message = "id of an own text message", text = "the new text", emojis = "as in a message",
    mention = "as in a message"},
  fn = function(a)
    local chat, place, entry = own(a)
    if a.kind ~= "group" then base.refuse("chat: messages are edited in groups only") end
    if entry.message.type ~= "text" then
      base.refuse("message: only texts are edited, %s is %s", entry.id, entry.message.type)
    end
    local made = contents.types.text.fn(a.channel, {text = a.body.text, emojis = a.body.emojis,
      mention = a.body.mention})
    entry.edits = math.min((entry.edits or 0) + 1, 7) -- the token before it goes on quoting the message
    made.type, made.id, made.quoteToken = "text", entry.id, ids.quote_token(entry.id, entry.edits)
    made.quotedMessageId = entry.message.quotedMessageId
    entry.edited, entry.message = clock.now(), made
    base.changed(chat, place, entry, "edited")
    a.entry = entry
    base.tell(a, "messageEdited", made)
  end,
}

deeds.read = {
  what = "open the chat: what the account sent is read",
  fields = {},
  fn = function(a)
    base.need_user(a)
    local chat = a.chat
    base.looked(a, true)
    for place = chat.n, 1, -1 do
      local entry = world.entry(chat, place)
      if world.channel_of_bot(entry.from) then
        if entry.read then break end
        entry.read = true
        base.changed(chat, place, entry, "read")
      end
    end
  end,
}

return deeds
