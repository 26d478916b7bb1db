-- dev --live: what passes between LINE and the bot, as the page sees it.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require("emulator_deeds").kit
local json = kit.json
local control = require "emulator.control"
local feed = require "emulator.feed"
local live = require "emulator.live"
local records = require "emulator.records"
local world = require "emulator.world"
local worlds = require "emulator.worlds"

local A, B = "U" .. ("a"):rep(32), "U" .. ("b"):rep(32)
local G, R = "C" .. ("c"):rep(32), "R" .. ("d"):rep(32)
local n = 0

local function start()
  worlds.live, control.live = true, true
  worlds.begin(function()
    return function()
      live.fill{bot_name = "file", channel_id = "165", bot = {userId = "Ubot", displayName = "Shop", basicId = "@shop"}}
    end
  end)
end

local function event(kind, source, more)
  n = n + 1
  local made = {type = kind, webhookEventId = "E" .. n, timestamp = 1000 + n, source = source, mode = "active",
    deliveryContext = {isRedelivery = false}}
  for name, value in pairs(more or {}) do made[name] = value end
  live.news{what = "event", bot = "file", event = made}
  return made.webhookEventId
end

local function says(source, text, id, token)
  return event("message", source, {message = {type = "text", id = id, text = text}, replyToken = token})
end

local function call(operation, method, path, given)
  n = n + 1
  local item = {what = "call", operation = operation, method = method, path = path, status = 200, ms = 1,
    request_id = "r" .. n, event = given.event, retry_key = given.key}
  item.request = given.request and json.encode(given.request)
  item.answer = json.encode(given.answer or json.object())
  item.status = given.status or 200
  return live.news(item), item.request_id
end

local function texts(key)
  local out = {}
  local chat = world.state.chats[key]
  for i = 1, chat and chat.n or 0 do
    local entry = world.entry(chat, i)
    out[i] = entry.unsent and "(unsent)" or entry.message.text
  end
  return out
end

local function person(id) return {type = "user", userId = id} end
local function in_group(id) return {type = "group", groupId = G, userId = id} end

tap.test("the account is the real one, without secret and token", function()
  start()
  local status, answer = control.call("GET", "/_/world", {headers = {host = "localhost"}})
  tap.same(status, 200)
  tap.same(answer.live, true)
  local channel = answer.channels[1]
  tap.same({channel.id, channel.name, channel.bot, channel.basicId}, {"165", "Shop", "Ubot", "@shop"})
  tap.same({channel.secret, channel.token}, {})
end)

tap.test("nothing can be done", function()
  start()
  for _, row in ipairs(control.rows) do
    if row.method ~= "GET" then
      local status, answer = control.call(row.method, row.path, {headers = {host = "localhost"}, body = "{}"})
      tap.same({row.path, status, answer.message},
        {row.path, 403, "with --live the page only looks on: the bot talks to LINE itself"})
    end
  end
end)

tap.test("a question and its reply", function()
  start()
  local seq = feed.last()
  local id = says(person(A), "hi", "501", "token1")
  live.news{what = "handler", event = id, generation = 1, where = "bot.lua:2", selector = "message"}
  call("reply_message", "POST", "/v2/bot/message/reply", {event = id,
    request = {replyToken = "token1", messages = {{type = "text", text = "hello"}}},
    answer = {sentMessages = {{id = "502"}}}})
  tap.same(texts("165:" .. A), {"hi", "hello"})
  local kinds = {}
  for item in feed.each(seq) do
    if item.kind ~= "world" then kinds[#kinds + 1] = item.kind end
  end
  tap.same(kinds, {"message", "event", "delivery", "message", "call"})
  local _, seen = control.call("GET", "/_/events/:id", {headers = {host = "localhost"}, params = {id = id}})
  tap.same({seen.replyToken.state, seen.state, #seen.calls, seen.chat}, {"used", "delivered", 1, "165:" .. A})
  tap.same(world.state.channels["165"].friends[A].state, "friend")
end)

tap.test("an event that is told twice is one", function()
  start()
  local made = {type = "message", webhookEventId = "twice", timestamp = 1, source = person(A),
    message = {type = "text", id = "503", text = "once"}}
  live.news{what = "event", event = made}
  live.news{what = "event", event = made}
  tap.same(texts("165:" .. A), {"once"})
end)

tap.test("names come from what the bot looks up", function()
  start()
  says(in_group(A), "hi", "504")
  tap.same(world.state.users[A].name, A)
  call("get_group_member_profile", "GET", ("/v2/bot/group/%s/member/%s"):format(G, A),
    {answer = {userId = A, displayName = "Aiko", pictureUrl = json.null}})
  call("request", "GET", "/v2/bot/profile/" .. B, {answer = {userId = B, displayName = "Ken", language = "ja"}})
  call("get_group_summary", "GET", ("/v2/bot/group/%s/summary"):format(G),
    {answer = {groupId = G, groupName = "Lunch"}})
  tap.same({world.state.users[A].name, world.state.users[B].name, world.state.groups[G].name}, {"Aiko", "Ken", "Lunch"})
  tap.same(world.state.users[A].picture, nil)
end)

tap.test("pushes, multicasts, broadcasts", function()
  start()
  event("follow", person(A))
  event("follow", person(B))
  event("unfollow", person(B))
  local function message(text) return {{type = "text", text = text}} end
  call("push_message", "POST", "/v2/bot/message/push", {request = {to = G, messages = message "g"}, key = "k1"})
  call("push_message", "POST", "/v2/bot/message/push", {request = {to = R, messages = message "r"}, key = "k2"})
  call("multicast", "POST", "/v2/bot/message/multicast", {request = {to = {A, B}, messages = message "m"}})
  call("broadcast", "POST", "/v2/bot/message/broadcast", {request = {messages = message "b"}})
  tap.same({texts(G), texts(R), texts("165:" .. A), texts("165:" .. B)}, {{"g"}, {"r"}, {"m", "b"}, {"m"}})
end)

tap.test("what LINE refused went nowhere; what it had accepted before went once", function()
  start()
  local request = {to = A, messages = {{type = "text", text = "x"}}}
  call("push_message", "POST", "/v2/bot/message/push", {request = request, status = 429, key = "k3"})
  call("push_message", "POST", "/v2/bot/message/push", {request = request, status = 0, key = "k3"})
  tap.same(texts("165:" .. A), {})
  call("push_message", "POST", "/v2/bot/message/push", {request = request, status = 409, key = "k3"})
  call("push_message", "POST", "/v2/bot/message/push", {request = request, status = 409, key = "k3"})
  tap.same(texts("165:" .. A), {"x"})
end)

tap.test("unsent, edited, joined, left", function()
  start()
  says(in_group(A), "one", "601")
  says(in_group(A), "two", "602")
  event("unsend", in_group(A), {unsend = {messageId = "601"}})
  event("messageEdited", in_group(A), {message = {type = "text", id = "602", text = "2"}})
  tap.same(texts(G), {"(unsent)", "2"})
  event("join", {type = "room", roomId = R})
  tap.same(world.state.rooms[R].channel, "165")
  event("memberJoined", {type = "group", groupId = G}, {joined = {members = {person(B)}}})
  tap.same(world.state.groups[G].members[B] ~= nil, true)
  event("memberLeft", {type = "group", groupId = G}, {left = {members = {person(B)}}})
  tap.same(world.state.groups[G].members[B], nil)
  event("leave", {type = "group", groupId = G})
  tap.same(world.state.groups[G].channel, nil)
end)

tap.test("events of every shape are only shown", function()
  start()
  for _, made in ipairs{{type = "botSuspended"}, {type = "new", source = {type = "planet"}}, {}, {type = "message"},
    {type = "message", source = person(A)}, {type = "memberJoined", source = {type = "group", groupId = G}},
    {type = "unsend", source = person(A)}, {type = "follow", source = {type = "user"}}, {type = "unsend", unsend = "x"},
    {type = "join"}, {type = "leave", source = {type = "group"}}, {type = "memberLeft", left = {members = {"x"}}},
    {type = "postback", source = person(A), postback = "x"},
    {type = "message", source = person(A), message = json.null},
    {type = "messageEdited", source = person(A), message = "x"}, {type = "message", source = json.null}} do
    n = n + 1
    made.webhookEventId = "odd" .. n
    local ok, e = pcall(live.news, {what = "event", event = made})
    if not ok then error(made.type .. ": " .. tostring(e)) end
    tap.same(records.get("odd" .. n) ~= nil, true)
  end
end)

tap.test("news of a call has no bodies", function()
  start()
  local news, id = call("push_message", "POST", "/v2/bot/message/push", {request = {to = A, messages = {}}})
  tap.same({news.request_id, news.operation, news.request, news.answer}, {id, "push_message"})
  tap.same(live.news{what = "generation", number = 2}.number, 2)
end)

tap.done()
