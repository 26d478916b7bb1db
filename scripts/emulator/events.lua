-- Event objects, as the platform makes them. What has no value is left out.
-- https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local ids = require "emulator.ids"
local world = require "emulator.world"

local events = {}

-- type → reply: whether such an event has a reply token; payload: the member its own part stands in;
-- user: whether a group's or room's source names the person; source = false: there is none.
-- A group's source is documented to name people in message events only; in practice postbacks do, too (a bot could not
-- tell whose tap it was).
local KINDS = {
  message = {reply = true, payload = "message", user = true},
  messageEdited = {reply = true, payload = "message", user = true},
  unsend = {payload = "unsend", user = true},
  follow = {reply = true, payload = "follow", user = true},
  unfollow = {user = true},
  join = {reply = true},
  leave = {},
  memberJoined = {reply = true, payload = "joined"},
  memberLeft = {payload = "left"},
  postback = {reply = true, payload = "postback", user = true},
  videoPlayComplete = {reply = true, payload = "videoPlayComplete", user = true},
  beacon = {reply = true, payload = "beacon", user = true},
  accountLink = {reply = true, payload = "link", user = true},
  membership = {reply = true, payload = "membership", user = true},
  module = {payload = "module", source = false, always_active = true},
  activated = {payload = "chatControl", always_active = true},
  deactivated = {always_active = true},
  botSuspended = {source = false, always_active = true},
  botResumed = {source = false, always_active = true},
  delivery = {payload = "delivery", source = false},
}
events.kinds = KINDS

-- Whether that person agreed to be known to accounts in groups. Who is not said to have refused has agreed.
local function consents(user)
  local record = user and world.state.users[user]
  return record ~= nil and record.consent ~= false and not record.deleted
end
events.consents = consents

-- events.source(chat, user, named) → the source: the person of a one-to-one chat, or the group, with the person if
-- named and agreed.
function events.source(chat, user, named)
  if chat.type == "user" then return {type = "user", userId = chat.id} end
  return world.source(chat, named and consents(user) and user or nil)
end

-- events.id(ms): a webhookEventId; its time trails the event's by some tenths of a second, as LINE's does.
function events.id(ms)
  return ids.ulid(ms + 100 + tonumber(ids.hex(2), 16))
end

-- A module channel may have taken over the chat: then ours stands by, and gets no reply tokens.
local function mode_of(channel, chat)
  return chat and channel.standby and channel.standby[chat.key] and "standby" or "active"
end

-- events.new(channel, kind, given) → the event, with its ids and, where it has one, a fresh reply token.
-- given: chat, user (who did it), payload (its own part), and for what is not the rule: source (an object, or false for
-- none), reply (false: no token), timestamp, mode.
function events.new(channel, kind, given)
  local row = KINDS[kind] or {reply = false}
  local now = given.timestamp or clock.now()
  local mode = given.mode or row.always_active and "active" or mode_of(channel, given.chat)
  local event = {type = kind, mode = mode, timestamp = now, webhookEventId = events.id(now),
    deliveryContext = {isRedelivery = false}}
  if row.payload then event[row.payload] = given.payload end
  if given.source then event.source = given.source
  elseif given.source ~= false and row.source ~= false and given.chat then
    event.source = events.source(given.chat, given.user, row.user)
  end
  local reply = row.reply
  if given.reply ~= nil then reply = given.reply end
  if reply and mode == "active" and given.chat then
    event.replyToken = require("emulator.reply_tokens").issue(channel, given.chat, event.webhookEventId)
  end
  return event
end

-- events.complete(channel, chat, user, event): an event object that somebody wrote, with what is missing filled in. A
-- replyToken of false, or a source of false, stays away.
function events.complete(channel, chat, user, event)
  if type(event.type) ~= "string" then
    errors.raise(400, "event.type: a text is needed, as \"message\" or \"things\"")
  end
  local reply -- nil: by the rule of its type
  if event.replyToken ~= nil then reply = false end
  local made = events.new(channel, event.type, {chat = chat, user = user, timestamp = event.timestamp,
    mode = event.mode,
    source = event.source, reply = reply})
  for name, value in pairs(event) do
    if value ~= false then made[name] = value end
  end
  if made.type == "message" and type(made.message) == "table" and not made.message.id then
    made.message.id = ids.message()
  end
  return made
end

return events
