-- The emulator in process: what a reply costs, and the memory of a large world, for tests/bench/run.py.
-- lua5.4 tests/bench/emulator.lua [messages [users]], from the project's root, with build/tools/rows made. A figure a
-- line: what, value, unit, target or 0, with tabs between. JSON is the test kit's here, in Lua, and not counted: the
-- runtime's is C.

package.path = "tests/spec/?.lua;" .. package.path
local kit = require "emulator_kit"
local api = require "emulator.api"
local ids = require "emulator.ids"
local world = require "emulator.world"
local clock = require "emulator.clock"
local reply_tokens = require "emulator.reply_tokens"

local messages, users = tonumber(arg[1] or 1000000), tonumber(arg[2] or 100000)
local json = kit.json

local function figure(what, value, unit, target) print(("%s\t%.2f\t%s\t%g"):format(what, value, unit, target or 0)) end

local function mib() collectgarbage() return collectgarbage("count") / 1024 end

-- ---- replies ----

local function replies(n, message)
  local channel = kit.world()
  api.options.rates = false
  local body = json.encode{replyToken = ("0"):rep(32), messages = {message}}
  local requests = {}
  local chat = kit.chat(kit.user(1))
  for i = 1, n do
    local token = reply_tokens.issue(channel, chat, ids.ulid(clock.now()))
    requests[i] = {method = "POST", raw_path = "/v2/bot/message/reply", path = "/v2/bot/message/reply", query = {},
      headers = {authorization = "Bearer " .. kit.TOKEN, ["content-type"] = "application/json", host = "127.0.0.1"},
      body = (body:gsub(("0"):rep(32), token))}
  end
  local spent = 0
  local encode, decode = json.encode, json.decode
  local function timed(fn)
    return function(...)
      local before = os.clock()
      local value = fn(...)
      spent = spent + os.clock() - before
      return value
    end
  end
  json.encode, json.decode = timed(encode), timed(decode)
  local before = os.clock()
  for i = 1, n do
    local status = api.handle(requests[i])
    assert(status == 200, status)
  end
  local all = os.clock() - before
  json.encode, json.decode = encode, decode
  return all / n * 1e6, spent / n * 1e6
end

local button = {type = "button", action = {type = "postback", label = "go", data = "a=1"}}
local flex = {type = "flex", altText = "alt", contents = {type = "bubble",
  hero = {type = "image", url = "https://example.com/a.png", size = "full", aspectRatio = "20:13",
    aspectMode = "cover"},
  body = {type = "box", layout = "vertical", contents = {{type = "text", text = "title", weight = "bold", size = "xl"},
    {type = "box", layout = "baseline", margin = "md", contents = {{type = "text", text = "4.0", color = "#999999"}}}}},
  footer = {type = "box", layout = "vertical", spacing = "sm", contents = {button, button, button}}}}

for _, case in ipairs{{"a text", {type = "text", text = "hello"}, 20000, 150}, {"Flex", flex, 5000}} do
  local all, inner = replies(case[3], case[2])
  figure(("a reply with %s, without JSON"):format(case[1]), all - inner, "µs", case[4])
end

-- ---- memory ----

local channel = kit.world()
local base = mib()
for i = 1, users do
  local id = kit.user(i)
  world.state.users[id] = {id = id, name = "User " .. i, language = "en"}
  channel.friends[id] = {state = "friend", since = clock.now()}
end
figure(("%d friends"):format(users), mib() - base, "MiB")
local before
for i = 1, messages do
  local user = kit.user(i % users + 1)
  local chat = world.chat(channel, {type = "user", userId = user})
  local own = i % 2 == 0
  world.add(chat, {id = ids.message(), time = clock.now(), from = own and channel.bot or user,
    message = {type = "text", text = "a message of some forty letters, nr " .. i},
    request = own and ids.uuid() or nil, event = not own and ids.ulid(clock.now()) or nil,
      via = own and "reply" or nil})
end
local held = mib()
figure(("with %d messages"):format(messages), held - base, "MiB", 1024)
before = os.clock()
local status = kit.post("/v2/bot/message/broadcast", {messages = {{type = "text", text = "to all"}}})
assert(status == 200, status)
figure(("a broadcast to %d"):format(users), os.clock() - before, "s")
figure("what it holds in their chats", mib() - held, "MiB")
