-- The emulator's sending: reply tokens, push, multicast, broadcast, quota and counts, and what may go
-- where.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local clock = require "emulator.clock"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local reply_tokens = require "emulator.reply_tokens"
local usage = require "emulator.usage"
local world = require "emulator.world"

local REPLY, PUSH = "/v2/bot/message/reply", "/v2/bot/message/push"
local MULTICAST, BROADCAST, NARROWCAST = "/v2/bot/message/multicast", "/v2/bot/message/broadcast",
  "/v2/bot/message/narrowcast"
local MINUTE = 60 * 1000

local user = kit.user
local function text(s) return {type = "text", text = s or "hello"} end
local function reply(token, ...) return kit.post(REPLY, {replyToken = token, messages = {...}}) end
local function push(to, ...) return kit.post(PUSH, {to = to, messages = {...}}) end
local function received(id) return kit.chat(id).n end

local function refused(status, body, message, detail)
  tap.same({status, body.message}, {400, message})
  if detail then tap.same({body.details[1].message, body.details[1].property}, detail) end
end

-- ---- reply tokens ----

tap.test("a reply is accepted once, with ids and quote tokens", function()
  kit.world()
  local token = kit.said(user(1), user(1))
  local place = {type = "location", title = "t", address = "a", latitude = 1, longitude = 2}
  local status, body = reply(token, text(), place)
  tap.same({status, #body.sentMessages}, {200, 2})
  assert(body.sentMessages[1].id:find("^%d+$") and body.sentMessages[1].id < body.sentMessages[2].id)
  assert(body.sentMessages[1].quoteToken:find("^[%w_-]+$") and #body.sentMessages[1].quoteToken == 150)
  tap.same(body.sentMessages[2].quoteToken, nil)
  local chat = kit.chat(user(1))
  tap.same(chat.n, 3)
  local entry = world.entry(chat, 2)
  tap.same({entry.from, entry.via, entry.message.text, entry.id}, {kit.BOT, "reply", "hello", body.sentMessages[1].id})
  refused(400, select(2, reply(token, text())), "Invalid reply token")
  tap.same(chat.n, 3)
end)

for name, ms in pairs{["at a minute"] = MINUTE, ["at once"] = 0} do
  tap.test("a token is good " .. name, function()
    kit.world()
    local token = kit.said(user(1), user(1))
    kit.advance(ms)
    tap.same(reply(token, text()), 200)
  end)
end

tap.test("it is not after that", function()
  kit.world()
  local token = kit.said(user(1), user(1))
  kit.advance(MINUTE + 1)
  local status, body = reply(token, text())
  refused(status, body, "Invalid reply token")
  tap.same(reply_tokens.state(token), "expired")
end)

tap.test("a redelivery gives another minute", function()
  kit.world()
  local token, _, event = kit.said(user(1), user(1))
  kit.advance(10 * MINUTE)
  tap.same(reply(token, text()), 400)
  reply_tokens.renew_for_redelivery(event)
  kit.advance(MINUTE)
  tap.same(reply(token, text()), 200)
end)

tap.test("not when twenty minutes have passed since the event", function()
  kit.world()
  local token, _, event = kit.said(user(1), user(1))
  kit.advance(20 * MINUTE + 1)
  reply_tokens.renew_for_redelivery(event)
  tap.same(reply(token, text()), 400)
end)

tap.test("not when it was used", function()
  kit.world()
  local token, _, event = kit.said(user(1), user(1))
  tap.same(reply(token, text()), 200)
  reply_tokens.renew_for_redelivery(event)
  tap.same(reply(token, text()), 400)
  tap.same(reply_tokens.state(token), "used")
end)

tap.test("a refused reply does not use the token", function()
  kit.world()
  local token = kit.said(user(1), user(1))
  tap.same(reply(token, text("")), 400)
  tap.same(reply(token), 400)
  tap.same(reply_tokens.state(token), "fresh")
  tap.same(reply(token, text()), 200)
end)

for _, token in ipairs{"nonsense", ("0"):rep(32), ("f"):rep(32)} do
  tap.test("no token: " .. token, function()
    kit.world()
    local status, body = reply(token, text())
    refused(status, body, "Invalid reply token")
  end)
end

tap.test("the token of another channel's event is none", function()
  kit.world()
  local token = kit.said(user(1), user(1))
  world.state.channels["2000"] = {id = "2000", secret = "s", name = "Sun", bot = user(99), class = "verified",
    keys = {},
    tokens = {other = {kind = "long"}}, webhook = {}, quota = {type = "none"}, friends = {}}
  tap.same(kit.post(REPLY, {replyToken = token, messages = {text()}}, {authorization = "Bearer other"}), 400)
  tap.same(reply(token, text()), 200)
end)

tap.test("a reply in a group reaches its members, and costs nothing", function()
  local channel = kit.world()
  local token = kit.said(kit.GROUP, user(5))
  tap.same(reply(token, text()), 200)
  tap.same({received(kit.GROUP), usage.used(channel), usage.delivered(channel, "reply", usage.day())}, {2, 0, 3})
end)

tap.test("a reply to somebody who has blocked meanwhile is accepted and goes nowhere", function()
  local channel = kit.world()
  local token = kit.said(user(1), user(1))
  channel.friends[user(1)].state = "blocked"
  local status, body = reply(token, text())
  tap.same({status, #body.sentMessages, received(user(1))}, {200, 1, 1})
end)

-- ---- push ----

for name, case in pairs{
  ["a friend"] = {to = user(1), status = 200, n = 1}, ["somebody who blocked"] = {to = user(4), status = 200, n = 0},
  ["a stranger"] = {to = user(5), status = 200, n = 0}, ["a group"] = {to = kit.GROUP, status = 200, n = 1, people = 3},
  ["a room"] = {to = kit.ROOM, status = 200, n = 1, people = 2},
  ["nobody"] = {to = user(77), status = 400}, ["another group"] = {to = "C" .. ("1"):rep(32), status = 400},
  ["another room"] = {to = "R" .. ("1"):rep(32), status = 400},
} do
  tap.test("a push to " .. name, function()
    local channel = kit.world()
    local status, body = push(case.to, text())
    tap.same(status, case.status)
    if status == 400 then return tap.same(body.message, "Failed to send messages") end
    tap.same({#body.sentMessages, received(case.to), usage.used(channel)}, {1, case.n, case.people or case.n})
  end)
end

for _, to in ipairs{"kutemukan", "U123", "X" .. ("0"):rep(32), "U" .. ("g"):rep(32), "U" .. ("0"):rep(33)} do
  tap.test("no id: " .. to, function()
    kit.world()
    local status, body = push(to, text())
    refused(status, body, "The property, 'to', in the request body is invalid (line: -, column: -)")
  end)
end

tap.test("a group that the account has left", function()
  kit.world()
  world.state.groups[kit.GROUP].channel = nil
  local status, body = push(kit.GROUP, text())
  refused(status, body, "Failed to send messages")
end)

tap.test("a stranger who wrote is reached for seven days", function()
  local week = 7 * 24 * 60 * MINUTE
  kit.world()
  kit.said(user(5), user(5))
  kit.advance(week)
  tap.same({(push(user(5), text())), received(user(5))}, {200, 2})
  kit.advance(1)
  tap.same({(push(user(5), text())), received(user(5))}, {200, 2})
end)

tap.test("an account that was deleted is not reached", function()
  kit.world()
  world.state.users[user(1)].deleted = true
  tap.same({(push(user(1), text())), received(user(1))}, {200, 0})
end)

tap.test("sender, quick replies and silence are kept", function()
  kit.world()
  local message = text()
  message.sender = {name = "Cat", iconUrl = "https://example.com/c.png"}
  message.quickReply = {items = {{type = "action", action = {type = "message", label = "a", text = "b"}}}}
  tap.same(kit.post(PUSH, {to = user(1), messages = {message}, notificationDisabled = true}), 200)
  local entry = world.entry(kit.chat(user(1)), 1)
  tap.same({entry.message, entry.silent}, {message, true})
end)

tap.test("a message ends the loading animation", function()
  kit.world()
  tap.same(kit.post("/v2/bot/chat/loading/start", {chatId = user(1), loadingSeconds = 60}), 202)
  assert(kit.chat(user(1)).loading)
  local before = feed.last()
  push(user(1), text())
  tap.same(kit.chat(user(1)).loading, nil)
  local ended = false
  for item in feed.each(before) do ended = ended or item.kind == "loading" and item.seconds == 0 end
  assert(ended)
end)

tap.test("each message is told to whoever listens", function()
  kit.world()
  local before = feed.last()
  push(user(1), text("one"), text("two"))
  local heard = {}
  for item in feed.each(before) do
    if item.kind == "message" then heard[#heard + 1] = item.chat .. " " .. item.entry.message.text end
  end
  tap.same(heard, {"1000:" .. user(1) .. " one", "1000:" .. user(1) .. " two"})
end)

-- ---- what may go where ----

local function mention(id)
  return {type = "textV2", text = "Hi {who}", substitution = {who = {type = "mention",
    mentionee = id and {type = "user", userId = id} or {type = "all"}}}}
end

for name, case in pairs{
  ["a mention of a member"] = {kit.GROUP, mention(user(5)), 200},
  ["of everybody"] = {kit.GROUP, mention(), 200}, ["in a room"] = {kit.ROOM, mention(user(3)), 200},
  ["of somebody who is not there"] = {kit.GROUP, mention(user(3)), 400},
  ["of the bot"] = {kit.GROUP, mention(kit.BOT), 400}, ["in a chat of two"] = {user(1), mention(user(1)), 400},
  ["a video with a tracking id"] = {user(1), {type = "video", originalContentUrl = "https://e.com/v",
    previewImageUrl = "https://e.com/p", trackingId = "t"}, 200},
  ["one in a group"] = {kit.GROUP, {type = "video", originalContentUrl = "https://e.com/v",
    previewImageUrl = "https://e.com/p", trackingId = "t"}, 400},
} do
  tap.test("push: " .. name, function()
    kit.world()
    local status, body = push(case[1], case[2])
    tap.same(status, case[3])
    if status == 400 then tap.same(body.message, "A message (messages[0]) in the request body is invalid") end
  end)
end

for name, path in pairs{multicast = MULTICAST, broadcast = BROADCAST, narrowcast = NARROWCAST,
  ["validate multicast"] = "/v2/bot/message/validate/multicast",
  ["validate broadcast"] = "/v2/bot/message/validate/broadcast"} do
  tap.test("neither mentions nor quotes in a " .. name, function()
    kit.world()
    local quoting = text()
    quoting.quoteToken = ids.quote_token(ids.message())
    for _, message in ipairs{mention(user(1)), quoting} do
      local status, body = kit.post(path, {to = {user(1)}, messages = {text(), message}})
      refused(status, body, "A message (messages[1]) in the request body is invalid")
    end
  end)
end

tap.test("a coupon is one of the account's that still runs", function()
  kit.world()
  local day = clock.now() // 1000
  local status, made = kit.post("/v2/bot/coupon", {title = "10 off", acquisitionCondition = {type = "normal"},
    maxUseCountPerTicket = 1, startTimestamp = day, endTimestamp = day + 86400, timezone = "ASIA_TOKYO",
    visibility = "UNLISTED", reward = {type = "free"}})
  tap.same(status, 200)
  local coupon = {type = "coupon", couponId = made.couponId}
  tap.same(push(user(1), coupon), 200)
  tap.same(kit.post(BROADCAST, {messages = {coupon}}), 200)
  local other = {type = "coupon", couponId = "01JYNW8JMQVFBNWF1APF8Z3FS7"}
  local refused_status, body = push(user(1), other)
  refused(refused_status, body, "A message (messages[0]) in the request body is invalid", {"coupon not found",
    "couponId"})
  tap.same(kit.post(MULTICAST, {to = {user(1)}, messages = {other}}), 400)
  tap.same(kit.post("/v2/bot/message/validate/push", {messages = {other}}), 200)
  tap.same(kit.call("PUT", "/v2/bot/coupon/" .. made.couponId .. "/close"), 200)
  tap.same(push(user(1), coupon), 400)
end)

tap.test("a message is quoted in its own chat only", function()
  kit.world()
  local _, message = kit.said(user(1), user(1))
  local quoting = text()
  quoting.quoteToken = ids.quote_token(message)
  tap.same(push(user(1), quoting), 200)
  tap.same(push(user(1), quoting), 200) -- as often as one likes
  local status, body = push(user(2), quoting)
  refused(status, body, "A message (messages[0]) in the request body is invalid")
  tap.same(push(kit.GROUP, quoting), 400)
  quoting.quoteToken = "invented"
  tap.same(push(user(1), quoting), 400)
end)

tap.test("the bot's own message can be quoted with the token of the answer", function()
  kit.world()
  local _, body = push(user(1), text())
  local quoting = text()
  quoting.quoteToken = body.sentMessages[1].quoteToken
  tap.same(push(user(1), quoting), 200)
end)

for kind, quotable in pairs{text = true, textV2 = true, sticker = true, image = true, video = true, template = true,
  flex = true, audio = false, location = false, imagemap = false} do
  tap.test("a quote token for " .. kind .. ": " .. tostring(quotable), function()
    kit.world()
    local url = "https://example.com/a"
    local area = {x = 0, y = 0, width = 1, height = 1}
    local all = {text = text(), textV2 = {type = "textV2", text = "a"},
      sticker = {type = "sticker", packageId = "446", stickerId = "1988"},
      image = {type = "image", originalContentUrl = url, previewImageUrl = url},
      video = {type = "video", originalContentUrl = url, previewImageUrl = url},
      audio = {type = "audio", originalContentUrl = url, duration = 1},
      location = {type = "location", title = "a", address = "b", latitude = 1, longitude = 1},
      template = {type = "template", altText = "a", template = {type = "confirm", text = "a", actions = {
        {type = "message", label = "a", text = "a"}, {type = "message", label = "a", text = "a"}}}},
      flex = {type = "flex", altText = "a", contents = {type = "bubble",
        body = {type = "box", layout = "vertical", contents = {{type = "text", text = "a"}}}}},
      imagemap = {type = "imagemap", baseUrl = url, altText = "a", baseSize = {width = 1040, height = 1},
        actions = {{type = "message", text = "a", area = area}}}}
    local status, body = push(user(1), all[kind])
    tap.same({status, body.sentMessages[1].quoteToken ~= nil}, {200, quotable})
  end)
end

-- ---- aggregation units ----

for name, case in pairs{one = {{"promotion_a"}, 200}, none = {{}, 200}, two = {{"a", "b"}, 400},
  long = {{("a"):rep(31)}, 400},
  ["thirty letters"] = {{("a"):rep(30)}, 200}, blank = {{"a b"}, 400}, empty = {{""}, 400}} do
  tap.test("customAggregationUnits: " .. name, function()
    kit.world()
    local units = kit.json.array(case[1])
    tap.same(kit.post(PUSH, {to = user(1), messages = {text()}, customAggregationUnits = units}), case[2])
    tap.same(kit.post(MULTICAST, {to = {user(1)}, messages = {text()}, customAggregationUnits = units}), case[2])
  end)
end

tap.test("units are listed; the 1001st of a month is dropped without a word", function()
  kit.world()
  for i = 1, 1001 do
    local body = {to = user(1), messages = {text()}, customAggregationUnits = {"unit_" .. i}}
    tap.same(kit.post(PUSH, body), 200)
  end
  local _, body = kit.get("/v2/bot/message/aggregation/info")
  tap.same(body, {numOfCustomAggregationUnits = 1000})
  local names, start = {}, ""
  repeat
    local _, page = kit.get("/v2/bot/message/aggregation/list?limit=100&start=" .. start)
    table.move(page.customAggregationUnits, 1, #page.customAggregationUnits, #names + 1, names)
    start = page.next
  until not start
  tap.same({#names, names[1], names[1000]}, {1000, "unit_1", "unit_1000"})
  kit.advance(31 * 24 * 60 * MINUTE)
  _, body = kit.get("/v2/bot/message/aggregation/info")
  tap.same(body, {numOfCustomAggregationUnits = 0})
end)

-- ---- to many ----

tap.test("a multicast reaches each friend once and costs by people", function()
  local channel = kit.world()
  local status, body = kit.post(MULTICAST, {to = {user(1), user(2), user(2), user(4), user(5), user(77)},
    messages = {text(), text()}})
  tap.same({status, body}, {200, {}})
  tap.same({received(user(1)), received(user(2)), received(user(4)), usage.used(channel)}, {2, 2, 0, 2})
end)

for name, to in pairs{["a group"] = kit.GROUP, ["a word"] = "bob", ["a number's text"] = "5"} do
  tap.test("a multicast takes no " .. name, function()
    kit.world()
    local status, body = kit.post(MULTICAST, {to = {user(1), to}, messages = {text()}})
    refused(status, body, "The property, to[1], in the request body is invalid (line: -, column: -)")
    tap.same(received(user(1)), 0)
  end)
end

for n, want in pairs{[0] = 400, [1] = 200, [500] = 200, [501] = 400} do
  tap.test("a multicast to " .. n, function()
    kit.world()
    local to = kit.json.array{}
    for i = 1, n do to[i] = user(1 + i % 3) end
    local status, body = kit.post(MULTICAST, {to = to, messages = {text()}})
    tap.same(status, want)
    if want == 400 then
      refused(status, body, "The request body has 1 error(s)", {"Size must be between 1 and 500", "to"})
    end
  end)
end

tap.test("a broadcast reaches all friends", function()
  local channel = kit.world()
  local status, body = kit.post(BROADCAST, {messages = {text()}})
  tap.same({status, body}, {200, {}})
  tap.same({received(user(1)), received(user(2)), received(user(3)), received(user(4)), received(user(5))}, {1, 1, 1,
    0, 0})
  tap.same({usage.used(channel), usage.delivered(channel, "broadcast", usage.day())}, {3, 3})
end)

-- ---- broadcasts to thousands ----

local function crowd(n)
  local channel = kit.world()
  for i = 1, n do
    local id = user(1000 + i)
    world.state.users[id] = {id = id, name = "x", gender = i % 2 == 0 and "male" or "female", age = 10 + i % 60,
      app = "ios"}
    channel.friends[id] = {state = "friend", since = clock.now() - i * 3600 * 1000}
  end
  return channel
end

tap.test("a broadcast to thousands is kept once, and found by each one's id", function()
  crowd(2000)
  local before = feed.last()
  tap.same(kit.post(BROADCAST, {messages = {text("all"), text("again")}}), 200)
  local chat = kit.chat(user(1500))
  tap.same(chat.n, 2)
  local entry, second = world.entry(chat, 1), world.entry(chat, 2)
  tap.same({entry.message.text, second.message.text, entry.via}, {"all", "again", "broadcast"})
  local other = world.entry(kit.chat(user(1501)), 1)
  assert(other.id ~= entry.id)
  local where, place, found = world.find(entry.id)
  tap.same({where.key, place, found.id}, {chat.key, 1, entry.id})
  tap.same(#world.state.shared, 2)
  local told = 0
  for item in feed.each(before) do
    if item.kind == "message" then told = told + 1 tap.same(item.people, 2003) end
  end
  tap.same(told, 2)
  -- What is in a history next is in its place, and the shared one can be changed for one chat alone.
  kit.said(user(1500), user(1500))
  tap.same(world.entry(chat, 3).message.text, "hi")
  entry.read = true
  world.change(chat, 1, entry)
  tap.same({world.entry(chat, 1).read, world.entry(kit.chat(user(1501)), 1).read}, {true, nil})
  local quoting = text()
  quoting.quoteToken = ids.quote_token(second.id)
  tap.same({(push(user(1500), quoting)), (push(user(1501), quoting))}, {200, 400})
end)

-- ---- quota ----

tap.test("the quota is counted by people, and what is above it refused", function()
  local channel = kit.world()
  channel.quota = {type = "limited", value = 5}
  tap.same(select(2, kit.get("/v2/bot/message/quota")), {type = "limited", value = 5})
  tap.same(push(kit.GROUP, text(), text()), 200)
  tap.same(select(2, kit.get("/v2/bot/message/quota/consumption")), {totalUsage = 3})
  local status, body = kit.post(BROADCAST, {messages = {text()}})
  tap.same({status, body}, {429, {message = "You have reached your monthly limit."}})
  tap.same(push(user(1), text()), 200)
  tap.same(push(user(1), text()), 200)
  tap.same(push(user(1), text()), 429)
  local token = kit.said(user(1), user(1))
  tap.same(reply(token, text()), 200)
  kit.advance(31 * 24 * 60 * MINUTE)
  tap.same(push(user(1), text()), 200)
  tap.same(select(2, kit.get("/v2/bot/message/quota/consumption")), {totalUsage = 1})
end)

tap.test("no quota is no limit", function()
  kit.world()
  tap.same(select(2, kit.get("/v2/bot/message/quota")), {type = "none"})
end)

tap.test("deliveries of a day are counted when it is over", function()
  kit.world()
  local day = usage.day()
  push(user(1), text())
  push(user(2), text(), text())
  kit.post(MULTICAST, {to = {user(1), user(2)}, messages = {text()}})
  local function counted(way, date) return select(2, kit.get("/v2/bot/message/delivery/" .. way .. "?date="
    .. date)) end
  tap.same(counted("push", day), {status = "unready"})
  kit.advance(24 * 60 * MINUTE)
  tap.same(counted("push", day), {status = "ready", success = 2})
  tap.same(counted("multicast", day), {status = "ready", success = 2})
  tap.same(counted("reply", day), {status = "ready", success = 0})
  tap.same(counted("broadcast", "20180330"), {status = "out_of_service"})
  tap.same(counted("broadcast", "20180331"), {status = "ready", success = 0})
  tap.same(counted("broadcast", "20990101"), {status = "unready"})
end)

for _, date in ipairs{"", "2025", "20251301", "20250229", "20250132", "tomorrow", "2025-01-01"} do
  tap.test("no date: " .. date, function()
    kit.world()
    local status, body = kit.get("/v2/bot/message/delivery/reply?date=" .. date)
    refused(status, body, "The value for the 'date' parameter is invalid")
  end)
end

tap.done()
