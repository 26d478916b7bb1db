-- The emulator's narrowcasts: phases, filters, audiences, redeliveries, limits.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local clock = require "emulator.clock"
local usage = require "emulator.usage"
local world = require "emulator.world"

local PUSH, NARROWCAST = "/v2/bot/message/push", "/v2/bot/message/narrowcast"
local PROGRESS = "/v2/bot/message/progress/narrowcast?requestId="
local MINUTE = 60 * 1000

local user = kit.user
local function text(s) return {type = "text", text = s or "hello"} end
local function push(to, ...) return kit.post(PUSH, {to = to, messages = {...}}) end
local function received(id) return kit.chat(id).n end

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

local function narrowcast(body)
  body.messages = body.messages or {text()}
  local status, answer, headers = kit.post(NARROWCAST, body)
  return headers["x-line-request-id"], status, answer
end

local function progress(id) return select(2, kit.get(PROGRESS .. id)) end

tap.test("a narrowcast goes through its phases", function()
  local channel = crowd(200)
  local id, status, answer = narrowcast{}
  tap.same({status, answer}, {202, {}})
  local now = progress(id)
  tap.same({now.phase, now.acceptedTime, now.targetCount}, {"waiting", "2025-01-01T03:00:00.000Z", nil})
  kit.advance(1000)
  tap.same({progress(id).phase, received(user(1))}, {"sending", 0})
  kit.advance(1000)
  tap.same(progress(id), {phase = "succeeded", successCount = 203, failureCount = 0, targetCount = 203,
    acceptedTime = "2025-01-01T03:00:00.000Z", completedTime = "2025-01-01T03:00:02.000Z"})
  tap.same({received(user(1)), received(user(4)), usage.used(channel)}, {1, 0, 203})
end)

tap.test("too few recipients fail, too few friends refuse a filter", function()
  kit.world()
  local id, status = narrowcast{}
  tap.same(status, 202)
  kit.advance(2000)
  kit.advance(2000)
  local now = progress(id)
  tap.same({now.phase, now.errorCode}, {"failed", 2})
  local _, refused_status, body = narrowcast{filter = {demographic = {type = "gender", oneOf = {"male"}}}}
  tap.same({refused_status, body.message}, {403, "Your account does not have enough friends"})
end)

for name, case in pairs{
  gender = {{type = "gender", oneOf = {"male"}}, 100}, everybody = {{type = "gender", oneOf = {"male", "female"}}, 200},
  app = {{type = "appType", oneOf = {"ios", "android"}}, 200},
  ["not ios"] = {{type = "operator", ["not"] = {type = "appType", oneOf = {"android"}}}, 203},
  age = {{type = "age", gte = "age_20", lt = "age_60"}, 40 + 40 + 40 + 11},
  ["and"] = {{type = "operator", ["and"] = {{type = "gender", oneOf = {"male"}}, {type = "appType",
    oneOf = {"ios"}}}}, 100},
  ["or"] = {{type = "operator", ["or"] = {{type = "gender", oneOf = {"male"}}, {type = "gender",
    oneOf = {"female"}}}}, 200},
  period = {{type = "subscriptionPeriod", lt = "day_7"}, 167 + 3},
} do
  tap.test("a filter by " .. name, function()
    crowd(200)
    local id, status = narrowcast{filter = {demographic = case[1]}}
    tap.same(status, 202)
    kit.advance(1000)
    kit.advance(1000)
    tap.same({progress(id).phase, progress(id).successCount}, {"succeeded", case[2]})
  end)
end

tap.test("a limit is kept, and the quota, if that is wanted", function()
  local channel = crowd(200)
  local id = narrowcast{limit = {max = 60}}
  kit.advance(1000)
  kit.advance(1000)
  tap.same(progress(id).successCount, 60)
  channel.quota = {type = "limited", value = 60 + 70}
  tap.same(select(2, narrowcast{}), 429)
  id = narrowcast{limit = {upToRemainingQuota = true}}
  tap.same(push(user(1), text()), 429) -- reserved while it runs
  kit.advance(1000)
  kit.advance(1000)
  tap.same({progress(id).phase, progress(id).successCount, usage.used(channel)}, {"succeeded", 70, 130})
  channel.quota.value = 200
  id = narrowcast{limit = {upToRemainingQuota = true, forbidPartialDelivery = true}}
  kit.advance(1000)
  kit.advance(1000)
  tap.same({progress(id).phase, progress(id).errorCode, channel.reserved}, {"failed", 5, 0})
end)

tap.test("a redelivery goes to those of the earlier one", function()
  crowd(200)
  local first = narrowcast{limit = {max = 60}}
  kit.advance(1000)
  kit.advance(1000)
  local id, status = narrowcast{recipient = {type = "redelivery", requestId = first}}
  tap.same(status, 202)
  kit.advance(1000)
  kit.advance(1000)
  tap.same(progress(id).successCount, 60)
  local rest = narrowcast{recipient = {type = "operator", ["not"] = {type = "redelivery", requestId = first}}}
  kit.advance(1000)
  kit.advance(1000)
  tap.same(progress(rest).successCount, 143)
  local _, unknown, body = narrowcast{recipient = {type = "redelivery", requestId = "nobody"}}
  tap.same({unknown, body.message}, {400, "Invalid request id: nobody"})
  kit.advance(14 * 24 * 60 * MINUTE + 1)
  tap.same(kit.get(PROGRESS .. first), 404)
  tap.same(select(2, narrowcast{recipient = {type = "redelivery", requestId = first}}), 400)
end)

-- An audience of friends U1001 to U1000+n, made through the API.
local function audience(n)
  local members = kit.json.array{}
  for i = 1, n do members[i] = {id = user(1000 + i)} end
  local status, made = kit.post("/v2/bot/audienceGroup/upload", {description = "a" .. n, audiences = members})
  tap.same(status, 202)
  return made.audienceGroupId
end

tap.test("a narrowcast to audiences", function()
  crowd(200)
  local many, more, few = audience(60), audience(90), audience(20)
  kit.advance(60 * MINUTE)
  local function to(recipient)
    local id, status, body = narrowcast{recipient = recipient}
    if status ~= 202 then return status, body.message end
    kit.advance(1000)
    kit.advance(1000)
    local now = progress(id)
    return now.phase, now.successCount, now.errorCode
  end
  local function of(id) return {type = "audience", audienceGroupId = id} end
  tap.same({to(of(many))}, {"succeeded", 60})
  tap.same({to{type = "operator", ["and"] = {of(more), {type = "operator", ["not"] = of(many)}}}}, {"failed", 0, 2})
  tap.same({to{type = "operator", ["or"] = {of(more), of(many)}}}, {"succeeded", 90})
  tap.same({to{type = "operator", ["not"] = of(many)}}, {"succeeded", 143})
  tap.same({to(of(few))}, {"failed", 0, 4})
  tap.same({to(of(987654))}, {400, "Invalid audience group id: 987654"})
end)

tap.test("a progress that nobody asked for is 404", function()
  kit.world()
  local status, body = kit.get(PROGRESS .. "7d51557e-7ca4-4d52-b2a2-2f8a1ea4b9ab")
  tap.same({status, body}, {404, {message = "Not found"}})
end)

tap.done()
