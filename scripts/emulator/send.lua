-- Messages on their way: who is reached, what a chat's history gets, what is counted.

local json = require "json"
local line = require "line"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local reactions = require "emulator.reactions"
local usage = require "emulator.usage"
local world = require "emulator.world"

local send = {}

local WEEK = 7 * 24 * 3600 * 1000
local SINGLY = 500 -- recipients up to which each gets an entry of its own
local SLICE = 4096 -- of more, so many at a time

-- Messages that can be quoted get a token for it.
local QUOTABLE = {text = true, textV2 = true, sticker = true, image = true, video = true, template = true, flex = true}

-- send.reaches(channel, user id): "friend", "wrote" (no friend, but wrote within seven days), or nil: nothing
-- arrives.
function send.reaches(channel, user)
  local friend = channel.friends[user]
  local person = world.state.users[user]
  if not person or person.deleted then return nil end
  if friend then return friend.state == "friend" and "friend" or nil end
  local chat = world.state.chats[channel.id .. ":" .. user]
  if chat and chat.wrote and chat.wrote + WEEK >= clock.now() then return "wrote" end
  return nil
end

-- send.people(group or room): how many are in it, the account not counted.
function send.people(place)
  local n = 0
  for _ in pairs(place.members) do n = n + 1 end
  return n
end

-- send.target(channel, id) → chat, people reached; chat is nil when the message is accepted and goes nowhere. Raises
-- 400 when the platform does not know the id.
function send.target(channel, id)
  local state = world.state
  local first = id:sub(1, 1)
  if first == "U" then
    if not state.users[id] then errors.raise(400, "Failed to send messages") end
    if not send.reaches(channel, id) then return nil, 0 end
    return world.chat(channel, {type = "user", userId = id}), 1
  end
  local place = first == "C" and state.groups[id] or first == "R" and state.rooms[id]
  if not place or place.channel ~= channel.id then errors.raise(400, "Failed to send messages") end
  local source = first == "C" and {type = "group", groupId = id} or {type = "room", roomId = id}
  return world.chat(channel, source), send.people(place)
end

local function stop_loading(chat)
  if not chat.loading then return end
  chat.loading = nil
  feed.put("loading", {chat = chat.key, seconds = 0})
end

-- send.to_chat(call, chat, way) → sentMessages. The call's messages go into the chat's history. chat nil: they are
-- numbered and go nowhere.
function send.to_chat(call, chat, way)
  local sent = {}
  local now = clock.now()
  for i, message in ipairs(call.body.messages) do
    local id = ids.message()
    sent[i] = {id = id, quoteToken = QUOTABLE[message.type] and ids.quote_token(id) or nil}
    if chat then
      local entry = {id = id, time = now, from = call.channel.bot, message = message, request = call.request_id,
        via = way, silent = call.body.notificationDisabled or nil,
        quotes = message.quoteToken and ids.quoted(message.quoteToken) or nil}
      entry.place = world.add(chat, entry)
      feed.put("message", {chat = chat.key, channel = call.channel.id, from = "bot", entry = entry})
    end
  end
  if chat then stop_loading(chat) end
  return sent
end

-- The same messages into the histories of thousands, kept once. In slices with a wait between, for others have a turn.
local function to_crowd(call, people, way)
  local channel = call.channel
  local entries, texts = {}, {}
  for i, message in ipairs(call.body.messages) do
    entries[i] = {time = clock.now(), from = channel.bot, message = message, request = call.request_id, via = way,
      silent = call.body.notificationDisabled or nil}
    texts[i] = json.encode(entries[i])
  end
  for at = 1, #people, SLICE do
    local chats = {}
    for i = at, math.min(at + SLICE - 1, #people) do
      local chat = world.user_chat(channel, people[i])
      chats[#chats + 1] = chat
      stop_loading(chat)
    end
    for _, text in ipairs(texts) do world.add_shared(chats, text, ids.messages(#chats)) end
    if at + SLICE <= #people then line.sleep(0.001) end
  end
  for _, entry in ipairs(entries) do
    feed.put("message", {people = #people, channel = channel.id, from = "bot", entry = entry})
  end
end

-- send.to_people(call, list of user ids, way): the same messages for many, all of whom are reached. For more than a few
-- hundred they are kept once, see world.add_shared. May wait.
function send.to_people(call, people, way)
  if #people > SINGLY then return to_crowd(call, people, way) end
  for _, user in ipairs(people) do send.to_chat(call, world.user_chat(call.channel, user), way) end
end

-- send.friends(channel) → user ids of all friends who are reached, in no order.
function send.friends(channel)
  local list, n = {}, 0
  local users = world.state.users
  for user, friend in pairs(channel.friends) do
    local person = users[user]
    if friend.state == "friend" and person and not person.deleted then
      n = n + 1
      list[n] = user
    end
  end
  return list
end

-- send.count(call, way, people, costs): for the quota, the day's counts and the units that the call names.
function send.count(call, way, people, costs)
  usage.count(call.channel, way, people, costs)
  call.people = people
  if costs then call.cost = people end
  local units = call.body.customAggregationUnits
  if units and units[1] and usage.unit(call.channel, units[1], people) then
    reactions.sent(call.channel, call.request_id, {way = way, messages = call.body.messages, people = people,
      unit = units[1]})
  end
end

-- send.remember(call, way, people): statistics ask for what went to many by its request id:
-- channel.sent[request id] = {way=, time=, people=}.
function send.remember(call, way, people)
  local sent = call.channel.sent or {}
  call.channel.sent = sent
  sent[call.request_id] = {way = way, time = clock.now(), people = #people}
  reactions.sent(call.channel, call.request_id, {way = way, messages = call.body.messages, people = #people})
end

return send
