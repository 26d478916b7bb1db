-- What all deeds of people share: who acts where, putting a message into a chat, telling the account.

local clock = require "emulator.clock"
local contents = require "emulator.contents"
local deliver = require "emulator.deliver"
local errors = require "emulator.errors"
local events = require "emulator.events"
local feed = require "emulator.feed"
local reactions = require "emulator.reactions"
local world = require "emulator.world"

local base = {}

function base.refuse(text, ...) errors.raise(400, text:format(...)) end

-- base.only_channel(id or nil) → that channel, or the only one.
function base.only_channel(id)
  local channels = world.state.channels
  if id then
    return channels[tostring(id)] or base.refuse("channel: there is no channel %s", tostring(id))
  end
  local first = next(channels)
  if not first then base.refuse("this world has no channel; POST /_/channels makes one") end
  if next(channels, first) then base.refuse("channel: there are several channels, so say which, by its id") end
  return channels[first]
end

-- base.person(id, field) → the user; by id, or by a name that only one has.
function base.person(id, field)
  local users = world.state.users
  local user = users[id]
  if not user and type(id) == "string" then
    for _, other in pairs(users) do
      if other.name == id and not other.deleted then
        if user then base.refuse("%s: several are called %s; use the id", field, id) end
        user = other
      end
    end
  end
  if not user then base.refuse("%s: there is nobody with id or name %s", field, tostring(id)) end
  if user.deleted then base.refuse("%s: %s has deleted the account", field, user.name) end
  return user
end

-- base.gathering(id) → group or room, "group" or "room"; nil when it is neither.
function base.gathering(id)
  local state = world.state
  if state.groups[id] then return state.groups[id], "group" end
  if state.rooms[id] then return state.rooms[id], "room" end
end

-- base.name_of(gathering): for messages to people.
function base.name_of(it) return it.name or it.id end

-- base.scene(body) → {body, user?, channel?, chat?, gathering?, kind, events = {}}: who acts, where.
-- kind: user, group, room. A one-to-one chat has a channel; a group has the account that is in it, if any.
function base.scene(body)
  local a = {body = body, events = {}}
  if body.as ~= nil then a.user = base.person(body.as, "as") end
  local key = body.chat
  if key ~= nil and type(key) ~= "string" then base.refuse("chat: the key of a chat is a text") end
  local gathering, kind
  if key then gathering, kind = base.gathering(key) end
  if gathering then
    a.gathering, a.kind = gathering, kind
    a.channel = gathering.channel and world.state.channels[gathering.channel]
    if body.channel and (not a.channel or a.channel.id ~= tostring(body.channel)) then
      a.wanted = base.only_channel(body.channel)
    end
    a.chat = world.chat(a.channel, kind == "group" and {type = "group", groupId = key} or {type = "room", roomId = key})
    return a
  end
  a.kind = "user"
  local channel, person
  if key then
    channel, person = key:match("^(.+):([^:]+)$")
    if not channel and world.state.users[key] then person = key end
    if not person or not world.state.users[person] then base.refuse("chat: there is no chat %s", key) end
    if a.user and a.user.id ~= person then
      base.refuse("chat: %s is not in the one-to-one chat of somebody else", a.user.name)
    end
  end
  a.channel = base.only_channel(channel or body.channel)
  a.user = a.user or person and base.person(person, "chat")
  if a.user then a.chat = world.chat(a.channel, {type = "user", userId = a.user.id}) end
  return a
end

-- base.need_user(a): the person who acts; in a group, a member of it.
function base.need_user(a)
  if not a.user then base.refuse("as: say who acts, by the id of a user") end
  if a.gathering and not a.gathering.members[a.user.id] then
    base.refuse("as: %s is not in %s; use memberJoin first", a.user.name, base.name_of(a.gathering))
  end
  return a.user
end

-- base.need_gathering(a): the group or room it happens in.
function base.need_gathering(a)
  return a.gathering or base.refuse("chat: say which group or room, by its id")
end

-- base.need_one_to_one(a): for what happens between a person and an account only.
function base.need_one_to_one(a)
  base.need_user(a)
  if a.kind ~= "user" then base.refuse("chat: this happens in a one-to-one chat only") end
end

-- base.need_open(a): the person has not blocked the account.
function base.need_open(a)
  base.need_user(a)
  local friend = a.kind == "user" and a.channel.friends[a.user.id]
  if friend and friend.state == "blocked" then
    base.refuse("%s has blocked %s; unblock first", a.user.name, a.channel.name)
  end
end

-- base.send(a, event) → its id: on its way to the account.
function base.send(a, event)
  deliver.event(a.channel, event, a.chat)
  a.events[#a.events + 1] = event.webhookEventId
  return event.webhookEventId
end

-- In a room, "join" comes with the first thing that happens after the account was added.
local function join_first(a)
  if a.kind == "room" and a.gathering.joining and a.channel then
    a.gathering.joining = nil
    base.send(a, events.new(a.channel, "join", {chat = a.chat}))
  end
end

-- base.event(a, type, payload [, more]) → the event, not sent yet; nil where no account is there to be told.
-- more: fields of events.new.
function base.event(a, kind, payload, more)
  if not a.channel then return nil end
  join_first(a)
  local given = {chat = a.chat, user = a.user and a.user.id, payload = payload}
  for name, value in pairs(more or {}) do given[name] = value end
  return events.new(a.channel, kind, given)
end

-- base.tell(a, type, payload [, more]): make it and send it.
function base.tell(a, kind, payload, more)
  local event = base.event(a, kind, payload, more)
  return event and base.send(a, event)
end

-- base.shown(chat, place, entry) → what lists and the feed show of an entry: itself and its place.
function base.shown(chat, place, entry)
  entry.place, entry.chat = place, chat.key
  return entry
end

local function put(a, entry)
  local place = world.add(a.chat, entry)
  feed.put("message", {chat = a.chat.key, channel = a.channel and a.channel.id, from = "user",
    entry = base.shown(a.chat, place, entry)})
  a.entry = a.entry or entry
  return entry
end

-- base.looked(a [, opened]): the person has the chat before their eyes; opened: has just opened it.
function base.looked(a, opened)
  if a.channel then reactions.looked(a.channel, a.chat, a.user.id, opened) end
end

-- base.say(a, message) → the entry: the person's message in the chat, and its event on the way.
function base.say(a, message)
  base.need_open(a)
  base.looked(a)
  local made = contents.make(a.channel, a.chat, message)
  local event = base.event(a, "message", made)
  local entry = put(a, {id = made.id, time = event and event.timestamp or clock.now(), from = a.user.id, message = made,
    event = event and event.webhookEventId})
  if event then base.send(a, event) end
  return entry
end

-- base.show(a, text) → the entry: a text that only the chat shows (displayText); the account is not told.
function base.show(a, text)
  return put(a, {id = require("emulator.ids").message(), time = clock.now(), from = a.user.id, shown = true,
    message = {type = "text", text = text}})
end

-- base.entry(a, id, field) → chat, place, entry of a message in the scene's chat.
function base.entry(a, id, field)
  local chat, place, entry = world.find(id)
  if not chat then base.refuse("%s: there is no message %s", field, tostring(id)) end
  if chat ~= a.chat then base.refuse("%s: message %s is in another chat, %s", field, tostring(id), chat.key) end
  return chat, place, entry
end

-- base.changed(chat, place, entry, what): put it back and say so.
function base.changed(chat, place, entry, what)
  world.change(chat, place, entry)
  feed.put("change", {chat = chat.key, what = what, entry = base.shown(chat, place, entry)})
end

return base
