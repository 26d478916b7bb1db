-- What holds for every call of the emulator's API: rows, headers, tokens, rates, retry keys, bodies, the log.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local api = require "emulator.api"
local core = require "line.core"
local routes = require "emulator.routes"
local world = require "emulator.world"

local PUSH, REPLY = "/v2/bot/message/push", "/v2/bot/message/reply"

local function push(text) return {to = kit.user(1), messages = {{type = "text", text = text or "hello"}}} end

local function same_answer(want_status, want_body, status, body)
  tap.same({status, body}, {want_status, want_body})
end

-- ---- rows ----

tap.test("every row is found by its verb and path", function()
  for _, row in ipairs(core.rows()) do
    local n = 0
    local path = row.path:gsub("{.-}", function() n = n + 1 return "x" .. n end)
    local found, parameters = routes.find(row.verb, path)
    tap.same(found and found.name, row.name)
    local values = {}
    for _, value in pairs(parameters) do values[#values + 1] = value end
    tap.same(#values, n)
  end
end)

tap.test("every operation has a function", function()
  local missing = {}
  for name in routes.each() do
    if not api.operation(name) then missing[#missing + 1] = name end
  end
  table.sort(missing)
  tap.same(table.concat(missing, " "), "")
end)

tap.test("a path with an escape is decoded, one with a slash in it stays one", function()
  local row, parameters = routes.find("GET", "/v2/bot/profile/a%2Fb%20c")
  tap.same({row.name, parameters.userId}, {"get_profile", "a/b c"})
end)

tap.test("what is no operation is 404, another verb 405, both with a request id", function()
  kit.world()
  for path, want in pairs{["/"] = 404, ["/v2"] = 404, ["/v2/bot/message/pushh"] = 404, [PUSH .. "/"] = 404,
    ["/v2//bot/info"] = 404, [PUSH] = 405} do
    local status, body, headers = kit.get(path)
    tap.same({status, #headers["x-line-request-id"]}, {want, 36})
    tap.same(body.message, want == 404 and "Not found" or "Method not allowed")
  end
end)

tap.test("headers are those that live answers have", function()
  kit.world()
  local _, _, headers = kit.post(PUSH, push())
  for name, want in pairs{
    ["content-type"] = "application/json", ["cache-control"] = "no-cache, no-store, max-age=0, must-revalidate",
    pragma = "no-cache", expires = "0", ["x-content-type-options"] = "nosniff", ["x-frame-options"] = "DENY",
    ["x-xss-protection"] = "1; mode=block", server = "legy",
  } do tap.same(headers[name], want) end
end)

tap.test("request ids are UUIDs and all different", function()
  kit.world()
  local seen = {}
  for _ = 1, 200 do
    local _, _, headers = kit.get("/v2/bot/info")
    local id = headers["x-line-request-id"]
    assert(id:find("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"), id)
    assert(not seen[id])
    seen[id] = true
  end
end)

-- ---- tokens ----

local WRONG = "Authentication failed due to the following reason: invalid token. "
  .. "Confirm that the access token in the authorization header is valid."

for name, authorization in pairs{
  ["an unknown token"] = "Bearer nobody", ["the token of nobody with small letters"] = "bearer nobody",
} do
  tap.test(name .. " is 401", function()
    kit.world()
    same_answer(401, {message = WRONG}, kit.post(PUSH, push(), {authorization = authorization}))
  end)
end

for name, authorization in pairs{["no token"] = false, ["another scheme"] = "Basic abc",
  ["an empty one"] = "Bearer "} do
  tap.test(name .. " is 401", function()
    kit.world()
    local status = kit.post(PUSH, push(), {authorization = authorization})
    tap.same(status, 401)
  end)
end

tap.test("a token ends at its time", function()
  local channel = kit.world()
  channel.tokens.short = {kind = "short", since = 0, expires = require("emulator.clock").now() + 1000}
  tap.same(kit.get("/v2/bot/info", {authorization = "Bearer short"}), 200)
  kit.advance(999)
  tap.same(kit.get("/v2/bot/info", {authorization = "Bearer short"}), 200)
  kit.advance(1)
  tap.same(kit.get("/v2/bot/info", {authorization = "Bearer short"}), 401)
end)

-- ---- size and type ----

tap.test("2 MB are the most", function()
  kit.world()
  local function body(n)
    local head, tail = '{"to":"' .. kit.user(1) .. '","messages":[{"type":"text","text":"a"}],"x":"', '"}'
    return head .. ("x"):rep(n - #head - #tail) .. tail
  end
  tap.same(kit.post(PUSH, body(2 * 1024 * 1024)), 200)
  tap.same(kit.post(PUSH, body(2 * 1024 * 1024 + 1)), 413)
end)

for kind, want in pairs{
  ["application/json"] = 200, ["application/json; charset=UTF-8"] = 200, ["Application/JSON"] = 200,
  ["text/plain"] = 415, ["application/x-www-form-urlencoded"] = 415, ["multipart/form-data; boundary=a"] = 415,
} do
  tap.test("a push as " .. kind .. " is " .. want, function()
    kit.world()
    local status, body = kit.post(PUSH, push(), {["content-type"] = kind})
    tap.same(status, want)
    if want == 415 then
      tap.same(body.message, "The content type, " .. kind:match("^[^;]*") .. ", is not supported")
    end
  end)
end

-- ---- bodies that cannot be read ----

for text, at in pairs{
  ["{"] = {1, 2}, ["{]"] = {1, 2}, ['{"to":}'] = {1, 7}, ['{"to":"a",}'] = {1, 11}, ['{\n  "to": nul\n}'] = {2, 9},
  ['{"to":"a"} x'] = {1, 12}, ['{"a":"\\x"}'] = {1, 8}, ["not json"] = {1, 1}, ['{"a":01}'] = {1, 7}, ["[1,2"] = {1, 5},
} do
  tap.test("no JSON: " .. text, function()
    kit.world()
    same_answer(400, {message = ("The request body could not be parsed as JSON (line: %d, column: %d)"):format(at[1],
      at[2])},
      kit.post(PUSH, text))
  end)
end

for text, property in pairs{
  ['{"replyToken":5,"messages":[]}'] = "'replyToken', in the request body is invalid (line: 1, column: 15)",
  ['{"replyToken":{},"messages":[]}'] = "'replyToken', in the request body is invalid (line: 1, column: 15)",
  ['{"messages":{},\n"replyToken":[1]}'] = "'replyToken', in the request body is invalid (line: 2, column: 14)",
  ['{"replyToken":"a","messages":"x"}'] = "'messages', in the request body is invalid (line: 1, column: 30)",
  ['{"replyToken":"a","messages":["x"]}'] = "'messages[0]', in the request body is invalid (line: 1, column: 31)",
  ['{"replyToken":"a","messages":[{"type":"text",\n"text":7}]}']
    = "'messages[0].text', in the request body is invalid (line: 2, column: 8)",
  ['{"replyToken":"a","messages":[{"type":"text","text":"a"}],"notificationDisabled":"yes"}']
    = "'notificationDisabled', in the request body is invalid (line: 1, column: 82)",
} do
  tap.test("wrong type: " .. text, function()
    kit.world()
    same_answer(400, {message = "The property, " .. property}, kit.post(REPLY, text))
  end)
end

tap.test("null is as good as absent, and unknown fields are ignored", function()
  kit.world()
  local text = '{"to":"' .. kit.user(1) .. '","more":{"a":[1]},"notificationDisabled":null,'
    .. '"messages":[{"type":"text","text":"a","quickReply":null,"shimmer":true}]}'
  tap.same(kit.post(PUSH, text), 200)
end)

-- ---- retry keys ----

local KEY = "123e4567-e89b-12d3-a456-426614174000"

tap.test("a retry key is executed once; the second time is 409 with what was", function()
  kit.world()
  local headers = {["x-line-retry-key"] = KEY}
  local status, first, first_headers = kit.post(PUSH, push(), headers)
  tap.same(status, 200)
  local again, body, again_headers = kit.post(PUSH, push(), headers)
  tap.same(again, 409)
  tap.same(body, {message = "The retry key is already accepted", sentMessages = first.sentMessages})
  tap.same(again_headers["x-line-accepted-request-id"], first_headers["x-line-request-id"])
  assert(again_headers["x-line-request-id"] ~= first_headers["x-line-request-id"])
  tap.same(kit.chat(kit.user(1)).n, 1)
  tap.same(kit.post(PUSH, push(), {["x-line-retry-key"] = KEY:upper()}), 409)
end)

tap.test("it is forgotten after 24 hours", function()
  kit.world()
  local headers = {["x-line-retry-key"] = KEY}
  kit.post(PUSH, push(), headers)
  kit.advance(24 * 3600 * 1000 - 1)
  tap.same(kit.post(PUSH, push(), headers), 409)
  kit.advance(1)
  tap.same(kit.post(PUSH, push(), headers), 200)
  tap.same(kit.chat(kit.user(1)).n, 2)
end)

tap.test("a call that was refused leaves its key free", function()
  kit.world()
  local headers = {["x-line-retry-key"] = KEY}
  tap.same(kit.post(PUSH, push(""), headers), 400)
  tap.same(kit.post(PUSH, push(), headers), 200)
end)

tap.test("a multicast that is repeated says no sentMessages", function()
  kit.world()
  local headers = {["x-line-retry-key"] = KEY}
  local body = {to = {kit.user(1)}, messages = push().messages}
  tap.same(kit.post("/v2/bot/message/multicast", body, headers), 200)
  same_answer(409, {message = "The retry key is already accepted"}, kit.post("/v2/bot/message/multicast", body,
    headers))
end)

for name, path in pairs{reply = REPLY, quota = "/v2/bot/message/quota", validate = "/v2/bot/message/validate/push"} do
  tap.test("a retry key is refused by " .. name, function()
    kit.world()
    local token = kit.said(kit.user(1), kit.user(1))
    local headers = {["x-line-retry-key"] = KEY}
    local status
    if name == "quota" then status = kit.get(path, headers)
    else status = kit.post(path, {replyToken = token, messages = push().messages}, headers) end
    tap.same(status, 400)
  end)
end

for _, key in ipairs{"1", "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-42661417400g",
  "not-a-uuid"} do
  tap.test("a retry key that is no UUID: " .. key, function()
    kit.world()
    tap.same(kit.post(PUSH, push(), {["x-line-retry-key"] = key}), 400)
  end)
end

tap.test("keys are a channel's own", function()
  kit.world()
  world.state.channels["2000"] = {id = "2000", secret = "s", name = "Sun", bot = kit.user(99), class = "verified",
    keys = {},
    tokens = {other = {kind = "long"}}, webhook = {}, quota = {type = "none"},
    friends = {[kit.user(1)] = {state = "friend", since = 0}}}
  tap.same(kit.post(PUSH, push(), {["x-line-retry-key"] = KEY}), 200)
  tap.same(kit.post(PUSH, push(), {["x-line-retry-key"] = KEY, authorization = "Bearer other"}), 200)
end)

-- ---- rates ----

tap.test("60 broadcasts an hour, then 429; the bucket fills evenly", function()
  kit.world()
  local body = {messages = push().messages}
  for _ = 1, 60 do tap.same(kit.post("/v2/bot/message/broadcast", body), 200) end
  same_answer(429, {message = "The API rate limit has been exceeded. Try again later."},
    kit.post("/v2/bot/message/broadcast", body))
  tap.same(kit.post(PUSH, push()), 200) -- another operation has a bucket of its own
  kit.advance(60 * 1000)
  tap.same(kit.post("/v2/bot/message/broadcast", body), 200)
  tap.same(kit.post("/v2/bot/message/broadcast", body), 429)
end)

tap.test("rates can be switched off", function()
  kit.world()
  api.options.rates = false
  for _ = 1, 70 do tap.same(kit.post("/v2/bot/message/broadcast", {messages = push().messages}), 200) end
  api.options.rates = true
end)

tap.test("a retry takes its part of the rate", function()
  kit.world()
  local body, headers = {messages = push().messages}, {["x-line-retry-key"] = KEY}
  tap.same(kit.post("/v2/bot/message/broadcast", body, headers), 200)
  for _ = 1, 59 do tap.same(kit.post("/v2/bot/message/broadcast", body, headers), 409) end
  tap.same(kit.post("/v2/bot/message/broadcast", body, headers), 429)
end)

-- ---- faults and the log ----

tap.test("a fault answers, delays or drops", function()
  kit.world()
  local seen
  api.options.before = function(row) seen = row.name return {status = 503, body = {message = "later"}} end
  same_answer(503, {message = "later"}, kit.post(PUSH, push()))
  tap.same({seen, kit.chat(kit.user(1)).n}, {"push_message", 0})
  api.options.before = function() return {drop = true} end
  tap.same(kit.post(PUSH, push()), nil)
  api.options.before = function() return {delay = 250} end
  local before = require("line").now()
  tap.same(kit.post(PUSH, push()), 200)
  tap.same(require("line").now() - before, 250)
  api.options.before = nil
end)

tap.test("a call is kept with its answer, the token masked", function()
  kit.world()
  local token, _, event = kit.said(kit.user(1), kit.user(1))
  local _, _, headers = kit.post(REPLY, {replyToken = token, messages = push().messages})
  local record = api.calls.get(headers["x-line-request-id"])
  tap.same({record.operation, record.status, record.channel, record.event, record.kind},
    {"reply_message", 200, "1000", event, "call"})
  tap.same(record.request.headers.authorization, "Bearer the-…")
  assert(record.request.body:find("hello", 1, true) and record.answer.body:find("sentMessages", 1, true))
  tap.same(record.left, 1999)
  local latest = api.calls.latest(1)
  tap.same(latest[1].id, record.id)
  local _, _, refused = kit.post(PUSH, push(""))
  tap.same(api.calls.get(refused["x-line-request-id"]).status, 400)
end)

tap.test("a long body is cut in the log", function()
  kit.world()
  local _, _, headers = kit.post(PUSH, '{"x":"' .. ("y"):rep(100000) .. '"}')
  local record = api.calls.get(headers["x-line-request-id"])
  tap.same({#record.request.body, record.request.size}, {65536, 100008})
end)

tap.test("the log keeps the last ten thousand", function()
  kit.world()
  local _, _, headers = kit.get("/v2/bot/info")
  for _ = 1, 10001 do kit.get("/nowhere") end
  tap.same(api.calls.get(headers["x-line-request-id"]), nil)
  tap.same(#api.calls.latest(20000), 10000)
end)

tap.done()
