-- `moonline dev --live`: nobody is played here. What passes between LINE and the bot is made into what the page shows:
-- people, chats, histories, events, calls. Nothing is asked of LINE for it: who has not been looked up by the bot is an
-- id.

local calls = require "emulator.calls"
local clock = require "emulator.clock"
local feed = require "emulator.feed"
local json = require "json"
local people = require "emulator.people"
local records = require "emulator.records"
local reply_tokens = require "emulator.reply_tokens"
local routes = require "emulator.routes"
local wire = require "emulator.wire"
local world = require "emulator.world"

local live = {}

local channel_id     -- of the one account there is
local numbers = 0    -- for what has no id of LINE's

local function own_id()
  numbers = numbers + 1
  return ("live-%d"):format(numbers)
end

local function account() return world.state.channels[channel_id] end

-- What is in a field for sure, or nil: JSON's null is no text.
local function text(value) return type(value) == "string" and value ~= "" and value or nil end

local function describe(channel, info)
  channel.name = text(info.displayName) or channel.name
  channel.bot = text(info.userId) or channel.bot
  channel.basic_id, channel.premium_id = text(info.basicId) or channel.basic_id, text(info.premiumId)
  channel.picture = text(info.pictureUrl)
  channel.chat_mode, channel.read_mode = text(info.chatMode) or "bot", text(info.markAsReadMode) or "auto"
end

-- live.fill(settings): an empty world with the real account in it. settings: channel_id, bot_name, bot (what LINE says
-- of it), endpoint, all optional. Its secret and token stay where they are.
function live.fill(settings)
  channel_id = settings.channel_id or "live"
  local channel = people.add_channel{id = channel_id, name = settings.bot_name, basic_id = "",
    webhook = {endpoint = settings.endpoint}}
  channel.secret, channel.tokens = nil, {}
  describe(channel, settings.bot or {})
end

-- ---- who there is ----

local function changed(what, id) feed.put("world", {what = what, id = id}) end

local function person(id)
  if not text(id) then return nil end
  local user = world.state.users[id]
  if not user then
    user = people.add_user{id = id, name = id}
    changed("user", id)
  end
  return user
end

local function befriend(id, state)
  local user = person(id)
  if not user then return end
  local friend = account().friends[id]
  if friend then friend.state = state
  else account().friends[id] = {state = state, since = clock.now()} end
  feed.put("world", {what = "friend", id = id, channel = channel_id, state = state})
end

local function gathering(kind, id)
  local it = world.state[kind .. "s"][id]
  if not it then
    it = people.add_gathering(kind, {id = id, channel = channel_id})
    changed(kind, id)
  end
  return it
end

-- Who is seen in a group is in it.
local function enter(kind, id, user)
  local it = gathering(kind, id)
  if not person(user) or it.members[user] then return it end
  it.members[user] = clock.now()
  changed(kind, id)
  return it
end

-- The chat an id stands for: of a person, a group, a room.
local function chat_of(id)
  if not text(id) then return nil end
  local kind = id:sub(1, 1) == "C" and "group" or id:sub(1, 1) == "R" and "room" or "user"
  if kind == "user" then person(id) else gathering(kind, id) end
  return world.chat(account(), {type = kind, [kind .. "Id"] = id})
end

-- The chat of an event's source, and the one who did it.
local function scene(source)
  if type(source) ~= "table" then return nil end
  if text(source.groupId) then enter("group", source.groupId, source.userId)
  elseif text(source.roomId) then enter("room", source.roomId, source.userId) end
  return chat_of(text(source.groupId) or text(source.roomId) or source.userId), text(source.userId)
end

-- ---- what is said ----

local function put(chat, side, entry)
  entry.place = nil
  local place = world.add(chat, entry)
  entry.place, entry.chat = place, chat.key
  feed.put("message", {chat = chat.key, channel = channel_id, from = side, entry = entry})
end

local function change(id, what, fn)
  local chat, place, entry = world.find(id)
  if not chat then return end
  fn(entry)
  world.change(chat, place, entry)
  entry.place, entry.chat = place, chat.key
  feed.put("change", {chat = chat.key, what = what, entry = entry})
end

local function members(event, part, fn)
  local source = event.source or {}
  local kind = text(source.groupId) and "group" or "room"
  local it = gathering(kind, source.groupId or source.roomId)
  for _, who in ipairs(type(event[part]) == "table" and event[part].members or {}) do
    if person(who.userId) then fn(it, who.userId) end
  end
  changed(kind, it.id)
end

-- Type of an event → what it changes here. chat and user: where, and who.
local EVENTS = {}

function EVENTS.message(event, chat, user)
  if not chat or type(event.message) ~= "table" then return end
  put(chat, "user", {id = text(event.message.id) or own_id(), time = event.timestamp, from = user or chat.id,
    message = event.message, event = event.webhookEventId})
end

function EVENTS.unsend(event)
  change(event.unsend and event.unsend.messageId, "unsent", function(entry)
    entry.unsent, entry.message = true, {type = entry.message.type, id = entry.id}
  end)
end

function EVENTS.messageEdited(event)
  change(event.message and event.message.id, "edited", function(entry)
    entry.edited, entry.edits, entry.message = event.timestamp, (entry.edits or 0) + 1, event.message
  end)
end

function EVENTS.follow(_, _, user) befriend(user, "friend") end
function EVENTS.unfollow(_, _, user) befriend(user, "blocked") end

local function stay(event, channel)
  local source = event.source or {}
  local kind = text(source.groupId) and "group" or "room"
  gathering(kind, source.groupId or source.roomId).channel = channel
  changed(kind, source.groupId or source.roomId)
end
function EVENTS.join(event) stay(event, channel_id) end
function EVENTS.leave(event) stay(event, nil) end

function EVENTS.memberJoined(event)
  members(event, "joined", function(it, user) it.members[user] = clock.now() end)
end
function EVENTS.memberLeft(event)
  members(event, "left", function(it, user) it.members[user] = nil end)
end

-- Whoever does something in the one-to-one chat has the account as a friend, as far as one can see.
local function acquainted(event, chat, user)
  if chat and chat.type == "user" and user and event.type ~= "unfollow" and not account().friends[user] then
    befriend(user, "friend")
  end
end

local function incoming(event)
  local id = text(event.webhookEventId)
  if not id then
    id = own_id()
    event.webhookEventId = id
  end
  if records.get(id) then return end -- it was there before the host was started again
  local chat, user = scene(event.source)
  acquainted(event, chat, user)
  local fn = EVENTS[event.type]
  if fn then fn(event, chat, user) end
  local record = records.new(account(), chat, event)
  record.body = wire.encode{destination = account().bot, events = {event}}
  record.state = "delivered"
  if text(event.replyToken) and chat then reply_tokens.adopt(event.replyToken, account(), chat, id) end
  local message = type(event.message) == "table" and event.message or {}
  feed.put("event", {id = id, channel = channel_id, chat = record.chat, time = event.timestamp, type = event.type,
    subtype = message.type, text = message.text or event.postback and event.postback.data, from = user, event = event})
  record.attempts[1] = {time = clock.now(), ok = true, status = 200}
  feed.put("delivery", {event = id, channel = channel_id, chat = record.chat, attempt = 1, ok = true, status = 200})
end

-- ---- what the bot calls ----

local function decoded(body)
  local ok, value = pcall(json.decode, body or "")
  return ok and type(value) == "table" and value or {}
end

-- The messages of a call, in a chat that they went to.
local function say(call, chat, way)
  if not chat then return end
  call.chat = call.chat or chat.key
  local sent = call.answered.sentMessages or {}
  for i, message in ipairs(call.body.messages or {}) do
    put(chat, "bot", {id = sent[i] and text(sent[i].id) or own_id(), time = clock.now(), from = account().bot,
      message = message, request = call.request_id, via = way, silent = call.body.notificationDisabled or nil})
  end
  if chat.loading then
    chat.loading = nil
    feed.put("loading", {chat = chat.key, seconds = 0})
  end
end

local function profile(call)
  local found = call.answered
  local user = person(text(found.userId) or call.parameters.userId)
  if not user then return end
  user.name, user.picture = text(found.displayName) or user.name, text(found.pictureUrl) or user.picture
  user.status, user.language = text(found.statusMessage) or user.status, text(found.language) or user.language
  changed("user", user.id)
end

-- Operation → what its success changes here.
local EFFECTS = {get_profile = profile}

function EFFECTS.reply_message(call)
  local record = records.with_token(call.body.replyToken)
  if not record then return end
  reply_tokens.used(call.body.replyToken, call.request_id)
  call.event = call.event or record.id
  say(call, record.chat and world.state.chats[record.chat], "reply")
end

function EFFECTS.push_message(call)
  local chat = chat_of(call.body.to)
  say(call, chat, "push")
  call.people = 1
  if chat and chat.type == "user" then call.cost = 1 end -- in a group its members count, and we do not know all
end

function EFFECTS.multicast(call)
  local to = type(call.body.to) == "table" and call.body.to or {}
  for _, id in ipairs(to) do say(call, chat_of(id), "multicast") end
  call.people, call.cost, call.chat = #to, #to, nil
end

-- To all friends, of whom we know some.
function EFFECTS.broadcast(call)
  for user, friend in pairs(account().friends) do
    if friend.state == "friend" then say(call, chat_of(user), "broadcast") end
  end
  call.chat = nil
end

local function member(kind)
  return function(call)
    enter(kind, call.parameters[kind .. "Id"], text(call.answered.userId) or call.parameters.userId)
    profile(call)
  end
end
EFFECTS.get_group_member_profile, EFFECTS.get_room_member_profile = member("group"), member("room")

function EFFECTS.get_group_summary(call)
  local it = gathering("group", text(call.answered.groupId) or call.parameters.groupId)
  it.name, it.picture = text(call.answered.groupName) or it.name, text(call.answered.pictureUrl) or it.picture
  changed("group", it.id)
end

local function left(kind)
  return function(call)
    local id = call.parameters[kind .. "Id"]
    gathering(kind, id).channel = nil
    changed(kind, id)
  end
end
EFFECTS.leave_group, EFFECTS.leave_room = left("group"), left("room")

function EFFECTS.get_bot_info(call)
  describe(account(), call.answered)
  changed("channel", channel_id)
end

function EFFECTS.show_loading_animation(call)
  local chat = chat_of(call.body.chatId)
  if not chat then return end
  local seconds = math.tointeger(call.body.loadingSeconds) or 20
  chat.loading, call.chat = clock.now() + seconds * 1000, chat.key
  feed.put("loading", {chat = chat.key, seconds = seconds})
end

-- Retry keys of what is shown: an attempt that is answered 409 was carried out before, its answer may have been lost.
local shown, order, KEYS = {}, {}, 1000

local function first_time(key)
  if not key then return true end
  if shown[key] then return false end
  shown[key] = true
  order[#order + 1] = key
  if #order > KEYS then shown[table.remove(order, 1)] = nil end
  return true
end

-- The log gets the call as if it had come here; the chats what it brought about.
local function outgoing(item)
  local row, parameters
  if item.path then row, parameters = routes.find(item.method, item.path) end
  local name = row and row.name or item.operation
  local record = item.event and records.get(item.event)
  item.request_id = item.request_id or own_id()
  local call = {request_id = item.request_id, row = {name = name}, channel = account(), event = item.event,
    chat = record and record.chat, failure = item.error, body = decoded(item.request), answered = decoded(item.answer),
    parameters = row and parameters or {},
    request = {method = item.method, path = item.path or "", query_string = item.query, body = item.request,
      headers = {["x-line-retry-key"] = item.retry_key}}}
  local accepted = item.status >= 200 and item.status < 300 or item.status == 409 and item.retry_key
  if accepted and EFFECTS[name] and first_time(item.retry_key) then EFFECTS[name](call) end
  calls.put(call, item.status ~= 0 and item.status or nil, item.answer, {["content-type"] = item.type}, item.ms)
end

-- live.news(item) → what of it is news of the bot, nil for what is no news but what LINE sent. See
-- runtime/host/news.h.
function live.news(item)
  if item.what == "event" then
    if type(item.event) == "table" then incoming(item.event) end
    return nil
  end
  if item.what ~= "call" then return item end
  outgoing(item)
  return {what = "call", event = item.event, operation = item.operation, where = item.where, status = item.status,
    request_id = item.request_id, ms = item.ms, error = item.error}
end

return live
