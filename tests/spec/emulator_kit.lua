-- The emulator under the plain interpreter: stand-ins for json, line, line.core and crypto, a clock that stands
-- still until it is advanced, and a small world. The tables of operations and kinds are those of the C code, from
-- build/tools/rows.

package.path = "scripts/?.lua;scripts/?/init.lua;tests/spec/?.lua;" .. package.path

local json = require "emulator_json"

local kit = {json = json}

-- ---- stand-ins ----

local time = 1735700400000 -- 2025-01-01 12:00 in Japan
local timers = {}

local line = {}
function line.now() return time end
function line.sleep(seconds) time = time + math.floor(seconds * 1000 + 0.5) end
function line.after(seconds, fn)
  local timer = {at = time + math.floor(seconds * 1000 + 0.5), fn = fn}
  timers[#timers + 1] = timer
  function timer.cancel(self) self.fn = nil end
  return timer
end

-- kit.settle(): run what is due by the stand-in of line.after.
function kit.settle()
  local again = true
  while again do
    again = false
    for i, timer in ipairs(timers) do
      if timer.at <= time + 1 then
        table.remove(timers, i)
        if timer.fn then timer.fn() end
        again = true
        break
      end
    end
  end
end

-- A digest and a signature of our own: what is tested here is who is asked for what. The real ones are C.
local crypto = {uuid = function() return "00000000-0000-4000-8000-000000000000" end}
function crypto.sha256(s)
  local h = 0x6a09e667f3bcc908
  for i = 1, #s do h = (h ~ s:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h):rep(4)
end
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
function crypto.base64url(s)
  local bits = s:gsub(".", function(c)
    local out, b = {}, c:byte()
    for i = 7, 0, -1 do out[#out + 1] = b >> i & 1 end
    return table.concat(out)
  end)
  bits = bits .. ("0"):rep(-#bits % 6)
  return (bits:gsub("......", function(six)
    local n = tonumber(six, 2)
    return ALPHABET:sub(n + 1, n + 1)
  end))
end
function crypto.from_base64url(s)
  local bits = s:gsub("=", ""):gsub("+", "-"):gsub("/", "_"):gsub(".", function(c)
    local n = (ALPHABET:find(c, 1, true) or 1) - 1
    local out = {}
    for i = 5, 0, -1 do out[#out + 1] = n >> i & 1 end
    return table.concat(out)
  end)
  return (bits:sub(1, #bits // 8 * 8):gsub("........", function(eight) return string.char(tonumber(eight, 2)) end))
end
crypto.from_base64 = crypto.from_base64url
function crypto.base64(s)
  local text = crypto.base64url(s):gsub("-", "+"):gsub("_", "/")
  return text .. ("="):rep(-#text % 4)
end
function crypto.verify_rs256(jwk, data, signature) return signature == "signed by " .. jwk.n .. crypto.sha256(data) end

local function rows()
  local tools = os.getenv("MOONLINE_TOOLS") or "build/tools"
  local pipe = assert(io.popen(tools .. "/rows", "r"))
  local text = pipe:read("a")
  assert(pipe:close(), tools .. "/rows does not run: make build/tools/rows")
  return json.decode(text)
end

local tables = rows()
for _, row in ipairs(tables.operations) do row.body = row.body:lower() end
for _, kind in ipairs(tables.kinds) do
  for _, field in ipairs(kind.fields) do field.graphemes = field.graphemes or false end
end

local core = {}
function core.rows() return tables.operations end
function core.schema() return tables.kinds end

package.loaded.json, package.loaded.line, package.loaded["line.core"], package.loaded.crypto = json, line, core, crypto

-- kit.quiet(): webhooks go nowhere; what would have gone is in kit.events: list of {channel = id, event=}. For tests of
-- what is answered; to be called before anything else.
kit.events = {}
function kit.quiet()
  package.loaded["emulator.deliver"] = {
    event = function(channel, event)
      kit.events[#kit.events + 1] = {channel = channel.id, event = event}
      return {id = event.webhookEventId}
    end,
    test = function(_, endpoint)
      return {success = true, timestamp = "", statusCode = 200, reason = "OK", detail = endpoint}
    end,
  }
end

-- ---- a world ----

local world = require "emulator.world"
local ids = require "emulator.ids"
local clock = require "emulator.clock"
local rates = require "emulator.rates"
local reply_tokens = require "emulator.reply_tokens"

kit.TOKEN, kit.SECRET = "the-token", "0123456789abcdef0123456789abcdef"

-- kit.user(n): "U00…0n".
function kit.user(n) return ("U%032x"):format(n) end
kit.GROUP, kit.ROOM, kit.BOT = "C" .. ("c"):rep(32), "R" .. ("d"):rep(32), "U" .. ("b"):rep(32)

-- kit.world(): a new world: channel "1000" with friends U1 to U3, U4 who blocked, U5 a stranger, a group of U1, U2
-- and U5, a room of U1 and U3. Returns the channel.
function kit.world()
  world.state = world.new(7)
  kit.events = {}
  rates.reset()
  timers = {}
  clock.reset()
  clock.use("virtual")
  local channel = {
    id = "1000", secret = kit.SECRET, name = "Moon", bot = kit.BOT, basic_id = "@moon", class = "verified",
    partner = true, country = "JP", chat_mode = "bot", read_mode = "auto", keys = {}, join = true,
    tokens = {[kit.TOKEN] = {kind = "long", since = clock.now()}},
    webhook = {active = true, redelivery = false, escapes = "raw"}, quota = {type = "none"}, friends = {},
  }
  world.state.channels["1000"] = channel
  for n = 1, 5 do
    local id = kit.user(n)
    world.state.users[id] = {id = id, name = "User " .. n, language = "en", consent = true}
    if n < 5 then channel.friends[id] = {state = n == 4 and "blocked" or "friend", since = clock.now()} end
  end
  local function members(...)
    local set = {}
    for _, n in ipairs{...} do set[kit.user(n)] = clock.now() end
    return set
  end
  world.state.groups[kit.GROUP] = {id = kit.GROUP, name = "Group", members = members(1, 2, 5), channel = "1000"}
  world.state.rooms[kit.ROOM] = {id = kit.ROOM, members = members(1, 3), channel = "1000"}
  return channel
end

-- kit.chat(id) → the chat with a user, group or room.
function kit.chat(id)
  local channel = world.state.channels["1000"]
  local first = id:sub(1, 1)
  return world.chat(channel, first == "C" and {type = "group", groupId = id}
    or first == "R" and {type = "room", roomId = id} or {type = "user", userId = id})
end

-- kit.said(id, user, text) → reply token, message id: somebody wrote in that chat.
function kit.said(id, user, text)
  local chat = kit.chat(id)
  local event, message = ids.ulid(clock.now()), ids.message()
  world.add(chat, {id = message, time = clock.now(), from = user, event = event,
    message = {type = "text", text = text or "hi"}})
  return reply_tokens.issue(world.state.channels["1000"], chat, event), message, event
end

-- ---- calls ----

local function escape(s) return (tostring(s):gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)) end

-- kit.form(fields) → url-encoded text.
function kit.form(fields)
  local out = {}
  for name, value in pairs(fields) do out[#out + 1] = name .. "=" .. escape(value) end
  return table.concat(out, "&")
end

-- kit.call(verb, path, body or nil, headers or nil) → status, decoded body, headers. body: a table is sent as JSON,
-- text as it is. Headers are added to token and content type; false takes one away.
function kit.call(verb, path, body, headers)
  local api = require "emulator.api"
  local all = {authorization = "Bearer " .. kit.TOKEN}
  if body then all["content-type"] = "application/json" end
  for name, value in pairs(headers or {}) do all[name] = value or nil end
  local raw, query_string = path:match("^([^?]*)%??(.*)$")
  local query = require("emulator.decode").form(query_string)
  local status, text, answer_headers = api.handle{
    method = verb, raw_path = raw, path = raw, query = query, query_string = query_string, headers = all,
    body = type(body) == "table" and json.encode(body) or body or "",
  }
  local ok, decoded = pcall(json.decode, text or "")
  return status, ok and decoded or text, answer_headers
end

-- kit.post(path, body, headers) and kit.get(path, headers): the same.
function kit.post(path, body, headers) return kit.call("POST", path, body or {}, headers) end
function kit.get(path, headers) return kit.call("GET", path, nil, headers) end

-- kit.advance(ms): let time pass, and do what is due.
function kit.advance(ms)
  clock.advance(ms)
  kit.settle()
end

return kit
