-- The controls: who may use them, what they list, what they change, waiting, the stream, and the door itself.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local json = kit.json
local clock = require "emulator.clock"
local control = require "emulator.control"
local feed = require "emulator.feed"
local records = require "emulator.records"
local world = require "emulator.world"

local U1, U2 = kit.user(1), kit.user(2)

local function get(path, given) return deeds.control("GET", path, given) end
local function ok(status, answer)
  if status ~= 200 then error(("%s %s"):format(status, type(answer) == "table" and answer.message), 2) end
  return answer
end
local function refused(status, part, method, path, given)
  local got, answer = deeds.control(method, path, given)
  tap.same(got, status)
  if not answer.message:find(part, 1, true) then error("said: " .. answer.message .. "\nwanted: " .. part, 2) end
end
local function say(text, user)
  return deeds.act{as = user or U1, ["do"] = "message", message = {type = "text", text = text}}
end

-- ---- who may ----

tap.test("hosts of the loopback, and what --listen says; no other site", function()
  deeds.world()
  local function status(headers) return (get("/_/clock", {headers = headers})) end
  for _, host in ipairs{"127.0.0.1:9090", "localhost", "LOCALHOST:1", "bot.localhost:9090", "127.1.2.3",
    "[::1]:9090"} do
    tap.same({host, status{host = host}}, {host, 200})
  end
  for _, host in ipairs{"evil.example", "evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example", "",
    "10.0.0.1", "[::2]", "xlocalhost", "127.0.0.1@evil.example"} do
    tap.same({host, status{host = host}}, {host, 403})
  end
  tap.same(status{host = false}, 403)
  control.allow("box.local")
  tap.same(status{host = "Box.local:9090"}, 200)
  tap.same(status{host = "localhost:9090", origin = "http://localhost:9090"}, 200)
  for _, origin in ipairs{"http://evil.example", "null", "http://localhost:8080", "http://127.0.0.1:9090", "file://"} do
    tap.same({origin, status{host = "localhost:9090", origin = origin}}, {origin, 403})
  end
  tap.same(status{["sec-fetch-site"] = "cross-site"}, 403)
  tap.same(status{["sec-fetch-site"] = "same-origin"}, 200)
end)

tap.test("what a control is given is checked by its fields", function()
  deeds.world()
  refused(400, "the body is not JSON", "POST", "/_/clock", {body = "{"})
  refused(400, "the body is not a JSON object", "POST", "/_/clock", {body = "3"})
  refused(400, "advnce: there is no 'advnce'; did you mean 'advance'?", "POST", "/_/clock", {body = {advnce = 1}})
  refused(400, "advance: a whole number is needed", "POST", "/_/clock", {body = {advance = "1"}})
  refused(400, "limit: 'x' is not a whole number", "GET", "/_/calls", {query = {limit = "x"}})
  refused(400, "id: it is missing; a text is needed", "POST", "/_/restore", {body = {}})
end)

tap.test("GET /_/ lists every control and every deed with its fields", function()
  local answer = ok(get("/_/"))
  local seen = {}
  for _, row in ipairs(answer.controls) do
    seen[row.method .. " " .. row.path] = true
    tap.same({row.path, type(row.what) == "string" and #row.what > 5}, {row.path, true})
  end
  for _, name in ipairs{"GET /_/world", "GET /_/users", "POST /_/users", "PATCH /_/users/:id", "DELETE /_/users/:id",
    "POST /_/groups", "PATCH /_/groups/:id", "DELETE /_/groups/:id", "POST /_/rooms", "PATCH /_/channels/:id",
    "POST /_/channels", "GET /_/chats/:key/entries", "GET /_/chats/:key/richmenu", "POST /_/act", "POST /_/media",
    "GET /_/media/:id", "GET /_/media/:id/preview", "GET /_/richmenu/:id/image", "GET /_/feed", "GET /_/wait",
    "GET /_/calls", "GET /_/calls/:id", "GET /_/events", "GET /_/events/:id", "POST /_/events/:id/redeliver",
    "POST /_/events/:id/again", "GET /_/faults", "POST /_/faults", "DELETE /_/faults", "DELETE /_/faults/:id",
    "GET /_/clock", "POST /_/clock", "POST /_/snapshot", "POST /_/restore", "POST /_/reset", "GET /_/save",
    "POST /_/load", "GET /_/statistics", "GET /_/tests/:id", "GET /_/", "POST /_/channels/:id/keys",
    "DELETE /_/channels/:id/keys/:kid", "POST /_/channels/:id/codes", "POST /_/channels/:id/missions"} do
    tap.same({name, seen[name]}, {name, true})
  end
  for _, name in ipairs{"message", "tap", "postback", "follow", "unfollow", "unblock", "join", "leave", "memberJoin",
    "memberLeave", "unsend", "edit", "read", "beacon", "accountLink", "videoPlayComplete", "membership", "event",
    "deliveryComplete"} do
    tap.same({name, answer.deeds[name] ~= nil}, {name, true})
  end
end)

tap.test("the guide has all of them, and its tables say nothing else", function()
  local file <close> = assert(io.open("docs/guide/13-emulator.md"))
  local guide = file:read("a")
  local there, told = {}, {}
  local answer = ok(get("/_/"))
  for _, row in ipairs(answer.controls) do there[row.method .. " " .. row.path] = true end
  for row in guide:match("## Controls(.-)## Deeds"):gmatch("\n(|[^\n]*)") do
    for name in row:match("^|([^|]*)"):gmatch("`(%u+ [^`]+)`") do told[name] = true end
  end
  tap.same(told, there)
  there, told = {}, {}
  for name, deed in pairs(answer.deeds) do
    local fields = {}
    for field in pairs(deed.fields) do fields[field] = true end
    there[name] = fields
  end
  for names, fields in guide:match("## Deeds(.*)"):gmatch("\n|([^|\n]*)|([^|\n]*)|") do
    for name in names:gmatch("`(%a+)`") do
      told[name] = {}
      for field in fields:gmatch("`(%a+)`") do told[name][field] = true end
    end
  end
  tap.same(told, there)
end)

-- ---- the world ----

tap.test("the overview", function()
  deeds.world()
  say("hello")
  local answer = ok(get("/_/world"))
  tap.same(answer.clock, {now = clock.now(), mode = "virtual"})
  local channel = answer.channels[1]
  tap.same({channel.id, channel.name, channel.bot, channel.basicId, channel.class, channel.secret, channel.token},
    {"1000", "Moon", kit.BOT, "@moon", "verified", kit.SECRET, kit.TOKEN})
  tap.same({channel.webhook.endpoint, channel.webhook.active, channel.webhook.escapes},
    {"http://127.0.0.1:3000/webhook", true, "raw"})
  tap.same(channel.quota, {type = "none", used = 0})
  tap.same({#answer.users, answer.usersTotal, #answer.groups[1].members, #answer.rooms}, {5, 5, 3, 1})
  local chat = answer.chats[1]
  tap.same({chat.key, chat.type, chat.id, chat.n, chat.last.message.text, chat.friend},
    {"1000:" .. U1, "user", U1, 1, "hello", "friend"})
  local others = {}
  for _, one in ipairs(answer.chats) do others[one.key] = one end
  tap.same({others["1000:" .. kit.user(4)].friend, others["1000:" .. kit.user(5)].friend, others[kit.GROUP].channel,
    others[kit.ROOM].n, #answer.chats}, {"blocked", "none", "1000", 0, 7})
  tap.same(answer.feed, feed.last())
end)

tap.test("people: new, changed, found, gone", function()
  deeds.world()
  local made = ok(deeds.control("POST", "/_/users", {body = {name = "Zoë 🦊", language = "en", friendOf = {"1000"}}}))
  tap.same({#made.id, world.is_friend(world.state.channels["1000"], made.id)}, {33, true})
  ok(deeds.control("PATCH", "/_/users/:id", {params = {id = made.id}, body = {status = "away", consent = false}}))
  ok(deeds.control("PATCH", "/_/users/:id", {params = {id = made.id}, body = {picture = "https://example.com/a.png"}}))
  ok(deeds.control("PATCH", "/_/users/:id", {params = {id = made.id}, body = {picture = ""}}))
  tap.same(world.state.users[made.id].picture, nil)
  refused(400, "name: a text is needed", "PATCH", "/_/users/:id", {params = {id = made.id}, body = {name = ""}})
  local found = ok(get("/_/users", {query = {search = "zoë"}}))
  tap.same({found.total, found.users[1].status, found.users[1].consent}, {1, "away", false})
  ok(deeds.control("DELETE", "/_/users/:id", {params = {id = made.id}}))
  tap.same(ok(get("/_/users", {query = {search = "zoë"}})).total, 0)
  refused(404, "there is no user U9", "PATCH", "/_/users/:id", {params = {id = "U9"}, body = {}})
  refused(400, "name: a text is needed", "POST", "/_/users", {body = {name = ""}})
  refused(400, "id: U and 32 hexadecimal", "POST", "/_/users", {body = {name = "x", id = "Ux"}})
  refused(400, "exists already", "POST", "/_/users", {body = {name = "x", id = U1}})
end)

tap.test("people come in pages", function()
  deeds.world()
  for i = 1, 30 do ok(deeds.control("POST", "/_/users", {body = {name = "Many " .. i}})) end
  local page = ok(get("/_/users", {query = {search = "many", start = "10", limit = "10"}}))
  tap.same({page.total, #page.users, page.users[1].name, page.users[10].name}, {30, 10, "Many 11", "Many 20"})
end)

tap.test("groups and rooms", function()
  deeds.world()
  local group = ok(deeds.control("POST", "/_/groups", {body = {name = "Lunch", members = {U1, "User 2"}}}))
  tap.same({#group.id, group.id:sub(1, 1), #group.members, group.channel}, {33, "C", 2, nil})
  ok(deeds.control("PATCH", "/_/groups/:id", {params = {id = group.id}, body = {name = "Dinner"}}))
  tap.same(world.state.groups[group.id].name, "Dinner")
  deeds.act{as = U1, chat = group.id, ["do"] = "join"}
  tap.same(world.state.groups[group.id].channel, "1000")
  ok(deeds.control("DELETE", "/_/groups/:id", {params = {id = group.id}}))
  tap.same(world.state.groups[group.id], nil)
  local room = ok(deeds.control("POST", "/_/rooms", {body = {members = {U1}, channel = "1000"}}))
  tap.same({room.id:sub(1, 1), room.channel}, {"R", "1000"})
  refused(400, "members[0]: there is nobody", "POST", "/_/groups", {body = {name = "x", members = {"Nobody"}}})
  refused(404, "there is no channel 7", "POST", "/_/groups", {body = {name = "x", channel = 7}})
end)

tap.test("channels: another one, its webhook, its quota", function()
  deeds.world()
  local made = ok(deeds.control("POST", "/_/channels", {body = {id = 3000, name = "Sun", token = "sun-token",
    webhook = {endpoint = "http://127.0.0.1:4000/", redelivery = true}}}))
  tap.same({made.id, made.token, made.webhook.redelivery}, {"3000", "sun-token", true})
  tap.same((kit.get("/v2/bot/info", {authorization = "Bearer sun-token"})), 200)
  local changed = ok(deeds.control("PATCH", "/_/channels/:id", {params = {id = "3000"}, body = {class = "premium",
    used = 199,
    quota = {type = "limited", value = 200}, webhook = {escapes = "ascii", endpoint = ""}}}))
  tap.same({changed.class, changed.quota, changed.webhook.escapes, changed.webhook.endpoint,
    changed.webhook.redelivery},
    {"premium", {type = "limited", value = 200, used = 199}, "ascii", nil, true})
  local function wrong(part, body)
    refused(400, part, "PATCH", "/_/channels/:id", {params = {id = "3000"}, body = body})
  end
  wrong("class: 'gold' is none of", {class = "gold"})
  wrong("webhook.escapes: 'none' is none of", {webhook = {escapes = "none"}})
  wrong("webhook.endpont: there is no 'endpont'; did you mean 'endpoint'?", {webhook = {endpont = "x"}})
  wrong("webhook.endpoint: 'bot' is no address", {webhook = {endpoint = "bot"}})
  wrong("quota.value: a whole number", {quota = {type = "limited"}})
  refused(400, "channel 3000 exists already", "POST", "/_/channels", {body = {id = "3000"}})
  refused(400, "no webhook URL is set for Sun", "POST", "/_/channels/:id/verify", {params = {id = "3000"}})
  tap.same(ok(deeds.control("POST", "/_/channels/:id/verify", {params = {id = "1000"}})).success, true)
end)

-- ---- chats ----

tap.test("histories come in pages, oldest first, with names", function()
  deeds.world()
  for i = 1, 5 do say("m" .. i) end
  kit.post("/v2/bot/message/push", {to = U1, messages = {{type = "text", text = "b", sender = {name = "Cat"}},
    {type = "text", text = "c"}}})
  local key = "1000%3A" .. U1
  local page = ok(get("/_/chats/:key/entries", {params = {key = key}, query = {limit = "3"}}))
  tap.same({page.more, #page.entries, page.entries[1].place}, {true, 3, 5})
  tap.same({page.entries[1].senderName, page.entries[1].bot}, {"User 1", nil})
  tap.same({page.entries[2].senderName, page.entries[2].bot, page.entries[3].senderName}, {"Cat", true, "Moon"})
  page = ok(get("/_/chats/:key/entries", {params = {key = key}, query = {before = "5", limit = "10"}}))
  tap.same({page.more, #page.entries, page.entries[4].message.text}, {false, 4, "m4"})
  tap.same(#ok(get("/_/chats/:key/entries", {params = {key = "1000:" .. U2}})).entries, 0)
  refused(404, "there is no chat 1000:x", "GET", "/_/chats/:key/entries", {params = {key = "1000:x"}})
end)

tap.test("bytes of people are never part of the page", function()
  deeds.world()
  local made = ok(deeds.control("POST", "/_/media", {body = "<script>alert(1)</script>",
    headers = {["content-type"] = "text/html"}}))
  local id = deeds.act{as = U1, ["do"] = "message", message = {type = "file", fileName = "<b>.html",
    mediaId = made.mediaId}}
    .entry.id
  local status, body, headers = get("/_/media/:id", {params = {id = id}})
  tap.same({status, body, headers["content-disposition"], headers["x-content-type-options"]},
    {200, "<script>alert(1)</script>", "attachment", "nosniff"})
  tap.same(headers["content-security-policy"]:find("^sandbox") ~= nil, true)
  refused(404, "there is no content of message 1", "GET", "/_/media/:id", {params = {id = "1"}})
  refused(400, "the body is empty", "POST", "/_/media", {})
end)

-- ---- waiting, the stream ----

tap.test("waiting for the bot's answer, from what the deed says", function()
  deeds.world()
  function deeds.bot(request)
    local event = json.decode(request.body).events[1]
    kit.post("/v2/bot/message/reply", {replyToken = event.replyToken, messages = {{type = "text", text = "you said " ..
      event.message.text}}})
    return 200
  end
  local answer = say("hi")
  local found = ok(get("/_/wait", {query = {kind = "message", from = "bot", since = tostring(answer.seq)}}))
  tap.same({found.item.entry.message.text, found.item.chat, found.seq == found.item.seq}, {"you said hi",
    "1000:" .. U1, true})
  local call = ok(get("/_/wait", {query = {kind = "call", operation = "reply_message", since = tostring(answer.seq)}}))
  tap.same(call.item.status, 200)
  local status, none = get("/_/wait", {query = {kind = "message", from = "bot", timeout = "0.05"}})
  tap.same({status, none.message}, {408, "nothing like that happened within 0.05 seconds"})
  refused(400, "from: bot or user", "GET", "/_/wait", {query = {from = "me"}})
end)

tap.test("the stream: what is kept after a number, then what comes, until nobody takes it", function()
  deeds.world()
  local line = require "line"
  local since = feed.last()
  say("a")
  local status, run, headers = get("/_/feed", {query = {since = tostring(since)}})
  tap.same({status, headers["content-type"]}, {200, "text/event-stream; charset=utf-8"})
  local out, ids, kinds = {}, {}, {}
  local stream, left = {}, false
  function stream.write(_, text) out[#out + 1] = text return not left end
  function stream.event(_, event)
    if left then return false end
    ids[#ids + 1] = event.id
    kinds[#kinds + 1] = json.decode(event.data).kind
    return true
  end
  function stream.gone() return false end
  -- The request's own task sleeps; what happens meanwhile is written by others. In the end it is cut off there.
  local naps, sleep = 0, line.sleep
  function line.sleep(seconds)
    naps = naps + 1
    tap.same(seconds, 15)
    if naps == 1 then say("b") else error("the client left", 0) end
  end
  tap.same({pcall(run, stream)}, {false, "the client left"})
  line.sleep = sleep
  tap.same(kinds, {"message", "event", "delivery", "message", "event", "delivery"})
  tap.same({ids[1], ids[6], out[1], out[2]}, {tostring(since + 1), tostring(since + 6), ": feed\n\n", ": quiet\n\n"})
  left = true
  say("c")
  left = false
  say("d")
  tap.same(#kinds, 6)
end)

tap.test("a stream that was broken off goes on behind what the browser has", function()
  deeds.world()
  local since = feed.last()
  say("a")
  local _, run = get("/_/feed", {query = {since = tostring(since)},
    headers = {["last-event-id"] = tostring(since + 2)}})
  local kinds = {}
  run{write = function() return true end, gone = function() return true end, event = function(_, event)
    kinds[#kinds + 1] = json.decode(event.data).kind
    return true
  end}
  tap.same(kinds, {"delivery"})
end)

-- ---- calls and events ----

tap.test("an event and all that belongs to it", function()
  deeds.world()
  function deeds.bot(request)
    local event = json.decode(request.body).events[1]
    kit.post("/v2/bot/message/reply", {replyToken = event.replyToken, messages = {{type = "text", text = "ok"}}})
    return 200
  end
  local id = say("hi").events[1]
  local one = ok(get("/_/events/:id", {params = {id = id}}))
  tap.same({one.event.message.text, one.body == deeds.sent[1].body, one.signature}, {"hi", true,
    deeds.sent[1].headers["x-line-signature"]})
  tap.same({#one.attempts, one.attempts[1].status, one.attempts[1].ok, one.state}, {1, 200, true, "delivered"})
  tap.same({one.replyToken.state, one.replyToken.usedBy}, {"used", one.calls[1]})
  tap.same({one.chat, one.channel}, {"1000:" .. U1, "1000"})
  local call = ok(get("/_/calls/:id", {params = {id = one.calls[1]}}))
  tap.same({call.operation, call.status, call.event}, {"reply_message", 200, id})
  tap.same(call.request.headers.authorization:find(kit.TOKEN, 1, true), nil)
  tap.same(json.decode(call.answer.body).sentMessages[1].id ~= nil, true)
  local list = ok(get("/_/calls", {query = {limit = "1"}})).calls
  tap.same({#list, list[1].id, list[1].request, list[1].path}, {1, call.id, call.id, "/v2/bot/message/reply"})
  refused(404, "there is no call x", "GET", "/_/calls/:id", {params = {id = "x"}})
  refused(404, "there is no event x", "GET", "/_/events/:id", {params = {id = "x"}})
end)

tap.test("events newest first, of one chat", function()
  deeds.world()
  say("a")
  say("b", U2)
  local list = ok(get("/_/events")).events
  tap.same({#list, list[1].chat, list[1].state, list[1].status}, {2, "1000:" .. U2, "delivered", 200})
  list = ok(get("/_/events", {query = {chat = "1000:" .. U1}})).events
  tap.same({#list, list[1].type}, {1, "message"})
end)

tap.test("redeliver: the same event; again: the same content as a new one", function()
  deeds.world()
  local id = say("hi").events[1]
  kit.advance(70000)
  tap.same(ok(get("/_/events/:id", {params = {id = id}})).replyToken.state, "expired")
  ok(deeds.control("POST", "/_/events/:id/redeliver", {params = {id = id}}))
  kit.settle()
  tap.same(ok(get("/_/events/:id", {params = {id = id}})).replyToken.state, "fresh")
  local answer = ok(deeds.control("POST", "/_/events/:id/again", {params = {id = id}}))
  kit.settle()
  local first, second, third = table.unpack(deeds.events())
  tap.same({second.webhookEventId, second.replyToken, second.timestamp, second.deliveryContext.isRedelivery},
    {id, first.replyToken, first.timestamp, true})
  tap.same({third.webhookEventId, third.message.text, third.deliveryContext.isRedelivery, third.timestamp},
    {answer.id, "hi", false, clock.now()})
  tap.same({third.webhookEventId == id, third.replyToken == first.replyToken}, {false, false})
end)

-- ---- tests from events ----

tap.test("an event as a test in three languages", function()
  deeds.world()
  function deeds.bot(request)
    local event = json.decode(request.body).events[1]
    kit.post("/v2/bot/message/reply", {replyToken = event.replyToken, messages = {{type = "text",
      text = "it's \"ok\"\n"}}})
    return 200
  end
  local id = say("it's \"me\" 🦊").events[1]
  local status, text, headers = get("/_/tests/:id", {params = {id = id}})
  tap.same({status, headers["content-type"]}, {200, "text/x-lua; charset=utf-8"})
  local made = load(text, "test", "t", {})()
  tap.same(made, {steps = {{as = U1, chat = "1000:" .. U1, ["do"] = "message",
    message = {type = "text", text = "it's \"me\" 🦊"}}},
    expect = {{operation = "reply_message", messages = {{type = "text", text = "it's \"ok\"\n"}}}}})
  for _, form in ipairs{"python", "curl"} do
    local code, body = get("/_/tests/:id", {params = {id = id}, query = {as = form}})
    tap.same({code, body:find("/_/act", 1, true) ~= nil, body:find("reply_message", 1, true) ~= nil}, {200, true, true})
  end
  -- The step is one that can be played.
  tap.same(#deeds.act(made.steps[1]).events, 1)
  refused(400, "as: lua, python or curl", "GET", "/_/tests/:id", {params = {id = id}, query = {as = "cobol"}})
end)

tap.test("a test expects the calls in the order in which the bot made them", function()
  deeds.world()
  function deeds.bot(request)
    local event = json.decode(request.body).events[1]
    local _, _, asked = kit.get("/v2/bot/profile/" .. event.source.userId)
    kit.post("/v2/bot/message/reply", {replyToken = event.replyToken, messages = {{type = "text", text = "a"}}})
    -- Only a reply tells its event by itself; the bot beside the emulator tells the others, and that comes later.
    records.news{what = "call", event = event.webhookEventId, request_id = asked["x-line-request-id"]}
    return 200
  end
  local id = say("who am I").events[1]
  local _, text = get("/_/tests/:id", {params = {id = id}})
  local order = {}
  for i, call in ipairs(load(text, "test", "t", {})().expect) do order[i] = call.operation end
  tap.same(order, {"get_profile", "reply_message"})
end)

-- ---- the clock ----

tap.test("time passes when it is told to, and not backwards", function()
  deeds.world()
  local from = clock.now()
  tap.same(ok(deeds.control("POST", "/_/clock", {body = {advance = 1500}})).now, from + 1500)
  tap.same(ok(deeds.control("POST", "/_/clock", {body = {set = from + 5000}})).now, from + 5000)
  refused(400, "set: " .. from .. " lies behind", "POST", "/_/clock", {body = {set = from}})
  refused(400, "advance: time does not go back", "POST", "/_/clock", {body = {advance = -1}})
  refused(400, "advance, set: one of them", "POST", "/_/clock", {body = {advance = 1, set = from}})
  refused(400, "mode: real or virtual", "POST", "/_/clock", {body = {mode = "slow"}})
  tap.same(ok(deeds.control("POST", "/_/clock", {body = {mode = "real"}})).mode, "real")
  tap.same(ok(get("/_/clock")).mode, "real")
  ok(deeds.control("POST", "/_/clock", {body = {mode = "virtual"}}))
end)

tap.done()
