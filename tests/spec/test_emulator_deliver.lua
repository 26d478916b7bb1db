-- Webhooks on their way: signature, order, failures and their names, redelivery, faults.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local clock = require "emulator.clock"
local deliver = require "emulator.deliver"
local faults = require "emulator.faults"
local reply_tokens = require "emulator.reply_tokens"
local records = require "emulator.records"
local statistics = require "emulator.statistics"
local wire = require "emulator.wire"
local world = require "emulator.world"

local U1, U2 = kit.user(1), kit.user(2)

local function say(text, user)
  return deeds.act{as = user or U1, ["do"] = "message", message = {type = "text", text = text}}
end

-- The texts the bot got, in order; a redelivered one with "!" in front.
local function texts()
  local out = {}
  for i, event in ipairs(deeds.events()) do
    out[i] = (event.deliveryContext.isRedelivery and "!" or "") .. event.message.text
  end
  return table.concat(out, " ")
end

local function attempts(id)
  local out = {}
  for i, attempt in ipairs(records.get(id).attempts) do out[i] = attempt.status or attempt.error end
  return out
end

tap.test("signatures agree with known ones", function()
  tap.same(deliver.signature("8c570fa6dd201bb328f1c1eac23a96d8",
    '{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'), "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=")
  tap.same(deliver.signature("channel_secret", "bodybodybodybody"), "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=")
  tap.same(deliver.signature("test_secret", '{"hello":"world"}'), "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM=")
end)

tap.test("the request: where, how, signed over its bytes", function()
  deeds.world()
  say("héllo")
  local request = deeds.sent[1]
  tap.same({request.method, request.url, request.timeout}, {"POST", "http://127.0.0.1:3000/webhook", 2})
  tap.same(request.headers, {["content-type"] = "application/json; charset=utf-8",
    ["user-agent"] = "LineBotWebhook/2.0",
    ["x-line-signature"] = deliver.signature(kit.SECRET, request.body)})
end)

tap.test("characters beyond ASCII: raw, escaped, in turns", function()
  local channel = deeds.world()
  say("é😀")
  channel.webhook.escapes = "ascii"
  say("é😀")
  channel.webhook.escapes = "alternate"
  say("é😀")
  say("é😀")
  local found = {}
  for i, request in ipairs(deeds.sent) do
    found[i] = request.body:find("é😀", 1, true) and "raw"
      or request.body:lower():find("\\u00e9\\ud83d\\ude00", 1, true) and "ascii"
    tap.same(request.headers["x-line-signature"], deliver.signature(kit.SECRET, request.body))
  end
  tap.same(found, {"raw", "ascii", "raw", "ascii"})
end)

tap.test("members keep the platform's order whatever their names", function()
  tap.same(wire.encode({events = {{mode = "active", zoo = {b = 1, a = {}}, type = "zoo", timestamp = 5}},
    destination = "U"}),
    '{"destination":"U","events":[{"type":"zoo","zoo":{"a":{},"b":1},"timestamp":5,"mode":"active"}]}')
  tap.same(wire.encode({events = {}}), '{"events":[]}')
end)

tap.test("no webhook URL, or switched off: told, kept, not lost", function()
  local channel = deeds.world()
  channel.webhook.endpoint = nil
  local id = say("a").events[1]
  channel.webhook.endpoint, channel.webhook.active = "http://127.0.0.1:1/", false
  local off = say("b").events[1]
  tap.same(#deeds.sent, 0)
  tap.same({records.get(id).state, attempts(id)}, {"undelivered", {"no webhook URL is set"}})
  tap.same(attempts(off), {"webhooks are switched off for this channel (active is false)"})
  channel.webhook.active = true
  deliver.redeliver(records.get(id))
  kit.settle()
  tap.same({texts(), records.get(id).state}, {"!a", "delivered"})
end)

tap.test("a chat's webhooks go in order, though its bot is slow; other chats do not wait", function()
  deeds.world()
  local running, most = 0, 0
  -- The stand-in of http cannot wait, so a second request of the same chat can only begin inside the first if order
  -- is broken.
  function deeds.bot()
    running = running + 1
    most = math.max(most, running)
    if #deeds.sent == 1 then
      local channel = world.state.channels["1000"]
      deliver.event(channel, {type = "x", webhookEventId = "b", deliveryContext = {}, message = {text = "b"}},
        kit.chat(U1))
      deliver.event(channel, {type = "x", webhookEventId = "c", deliveryContext = {}, message = {text = "c"}},
        kit.chat(U2))
      kit.settle()
    end
    running = running - 1
    return 200
  end
  say("a")
  kit.settle()
  tap.same({texts(), most}, {"a c b", 2})
end)

tap.test("events of one chat share a request where the channel wants that", function()
  local channel = deeds.world()
  channel.webhook.together = true
  deeds.act{as = U1, ["do"] = "message", message = {type = "image"}, set = {{media = ""}, {media = ""}, {media = ""}}}
  tap.same({#deeds.sent, #deeds.events()}, {1, 3})
  for _, event in ipairs(deeds.events()) do tap.same(attempts(event.webhookEventId), {200}) end
end)

-- ---- failures ----

local function fails(kind, message)
  return function() error({kind = kind, message = message or kind}, 0) end
end

tap.test("failures have the platform's words", function()
  deeds.world()
  local cases = {
    {fails("connect"), "could_not_connect", "Connection failed"},
    {fails("dns"), "could_not_connect", "Unknown host"},
    {fails("tls"), "could_not_connect", "TLS handshake failure"},
    {fails("timeout"), "request_timeout", "Request timeout"},
    {fails("protocol"), "unclassified", "Session closed unexpectedly"},
    {function() error("init.lua:1: http.request: no address", 0) end, "could_not_connect", "Invalid URL syntax"},
    {fails("too_large"), "unclassified", "Unclassified webhook dispatch error"},
    {function() return 500 end, "error_status_code", "500"},
    {function() return 302 end, "error_status_code", "302"},
  }
  for _, case in ipairs(cases) do
    deeds.bot = case[1]
    local record = records.get(say("x").events[1])
    tap.same({record.state, record.attempts[1].reason, record.attempts[1].detail}, {record.state, case[2], case[3]})
    tap.same(record.attempts[1].ok, false)
  end
  deeds.bot = function() return 204 end
  say("x")
  local status, answer = deeds.control("GET", "/_/statistics")
  local of = answer.channels["1000"]
  tap.same({status, of.delivered, of.failed}, {200, 1, 9})
  tap.same(of.reasons, {could_not_connect = {["Connection failed"] = 1, ["Unknown host"] = 1,
    ["TLS handshake failure"] = 1, ["Invalid URL syntax"] = 1},
    request_timeout = {["Request timeout"] = 1}, error_status_code = {["500"] = 1, ["302"] = 1},
    unclassified = {["Session closed unexpectedly"] = 1, ["Unclassified webhook dispatch error"] = 1}})
end)

tap.test("errors of a kind within a minute are one row of the statistics", function()
  deeds.world()
  deeds.bot = function() return 503 end
  say("a")
  kit.advance(59000)
  say("b")
  kit.advance(2000)
  say("c")
  local rows = statistics.list()["1000"].errors
  tap.same({#rows, rows[1].count, rows[2].count, rows[2].since - rows[1].since}, {2, 2, 1, 61000})
end)

-- ---- redelivery ----

tap.test("without the switch a failed webhook does not come again", function()
  deeds.world()
  deeds.bot = function() return 500 end
  local id = say("a").events[1]
  kit.advance(3600 * 1000)
  tap.same({#deeds.sent, records.get(id).state}, {1, "failed"})
end)

tap.test("a redelivery is the same event, told to be one, until it is answered", function()
  local channel = deeds.world()
  channel.webhook.redelivery = true
  deeds.bot = function() return #deeds.sent < 3 and 500 or 200 end
  local id = say("a").events[1]
  tap.same(#deeds.sent, 1)
  kit.advance(999)
  tap.same(#deeds.sent, 1)
  kit.advance(1)
  tap.same(#deeds.sent, 2)
  kit.advance(5000)
  kit.advance(3600 * 1000)
  tap.same({texts(), attempts(id), records.get(id).state}, {"a !a !a", {500, 500, 200}, "delivered"})
  local first, second = deeds.events()[1], deeds.events()[2]
  second.deliveryContext = first.deliveryContext
  tap.same(second, first)
end)

tap.test("redelivery is given up at the end of the schedule", function()
  local channel = deeds.world()
  channel.webhook.redelivery = true
  deeds.bot = fails("connect")
  local id = say("a").events[1]
  for _ = 1, 20 do kit.advance(3600 * 1000) end
  tap.same({#attempts(id), records.get(id).next_try}, {1 + #deliver.schedule, nil})
end)

tap.test("a redelivery gives its reply token another minute", function()
  local channel = deeds.world()
  channel.webhook.redelivery = true
  deeds.bot = function() return 500 end
  local record = records.get(say("a").events[1])
  local token = record.event.replyToken
  kit.advance(1000)
  kit.advance(5000)
  kit.advance(30000)
  kit.advance(59000)
  tap.same((reply_tokens.state(token)), "fresh")
  kit.advance(2000)
  tap.same((reply_tokens.state(token)), "expired")
end)

-- ---- faults ----

local function fault(text) faults.add(faults.parse(text)) end

tap.test("doubled: the same bytes twice, neither told to be a redelivery", function()
  deeds.world()
  fault("webhook:2=duplicate")
  say("a")
  local id = say("b").events[1]
  say("c")
  tap.same({texts(), attempts(id)}, {"a b b c", {200, 200}})
  tap.same(deeds.sent[2].body, deeds.sent[3].body)
end)

tap.test("delayed: its chat waits, others do not", function()
  deeds.world()
  fault("webhook=delay:1500")
  say("a")
  say("b")
  say("c", U2)
  tap.same(texts(), "c")
  kit.advance(1499)
  tap.same(texts(), "c")
  kit.advance(1)
  tap.same(texts(), "c a b")
end)

tap.test("reordered: held until the next one is gone", function()
  deeds.world()
  fault("webhook=reorder")
  say("a")
  tap.same(texts(), "")
  say("b")
  say("c")
  tap.same(texts(), "b a c")
end)

tap.test("redelivered although it was answered", function()
  deeds.world()
  fault("webhook=redeliver")
  say("a")
  kit.advance(60000)
  kit.advance(3600 * 1000)
  tap.same(texts(), "a !a")
end)

tap.test("garbled: a signature that is well-formed and wrong", function()
  deeds.world()
  fault("webhook=garble")
  say("a")
  local request = deeds.sent[1]
  tap.same(#request.headers["x-line-signature"], 44)
  tap.same(request.headers["x-line-signature"] == deliver.signature(kit.SECRET, request.body), false)
end)

tap.test("dropped: as if the bot could not be reached", function()
  local channel = deeds.world()
  fault("webhook=drop")
  local id = say("a").events[1]
  tap.same({#deeds.sent, attempts(id), records.get(id).state}, {0, {"dropped by a fault"}, "failed"})
  channel.webhook.redelivery = true
  fault("webhook=drop")
  say("b")
  kit.advance(1000)
  tap.same(texts(), "!b")
end)

-- ---- the call that asks whether somebody is there ----

tap.test("webhook/test", function()
  local channel = deeds.world()
  local function test(bot)
    deeds.bot = bot
    return deliver.test(channel, "http://127.0.0.1:4000/x")
  end
  local answer = test(function() return 200 end)
  tap.same({answer.success, answer.statusCode, answer.reason, answer.detail}, {true, 200, "OK", "200"})
  tap.same(answer.timestamp, "2025-01-01T03:00:00.000Z")
  tap.same(deeds.sent[1].body, '{"destination":"' .. kit.BOT .. '","events":[]}')
  tap.same(deeds.sent[1].url, "http://127.0.0.1:4000/x")
  answer = test(function() return 404 end)
  tap.same({answer.success, answer.statusCode, answer.reason, answer.detail}, {false, 404, "ERROR_STATUS_CODE", "404"})
  answer = test(fails("tls"))
  tap.same({answer.success, answer.statusCode, answer.reason, answer.detail},
    {false, 0, "COULD_NOT_CONNECT", "TLS handshake failure: http://127.0.0.1:4000/x"})
  answer = test(fails("timeout"))
  tap.same({answer.statusCode, answer.reason}, {0, "REQUEST_TIMEOUT"})
end)

tap.test("an answer that comes after the world was replaced counts for nothing", function()
  deeds.world()
  function deeds.bot()
    deliver.reset()
    records.clear()
    statistics.clear()
    return 500
  end
  say("a")
  tap.same({statistics.list(), #records.latest(10)}, {{}, 0})
end)

tap.test("what was on its way belongs to the world it came from", function()
  local channel = deeds.world()
  channel.webhook.redelivery = true
  deeds.bot = function() return 500 end
  say("a")
  deliver.reset()
  clock.reset()
  kit.advance(3600 * 1000)
  tap.same(#deeds.sent, 1)
end)

tap.done()
