-- For tests of what people do in the emulator and what the bot is told of it: on top of emulator_kit.lua a real HMAC,
-- a bot that takes webhooks (deeds.bot), the server's half (deeds.routes), and the controls as a test suite would
-- call them.

local kit = require "emulator_kit"
local json = kit.json

local deeds = {kit = kit, sent = {}, routes = {}, news = nil, settings = {}}

-- ---- SHA-256 and HMAC, as the C half has them ----

local K = {}
do
  local n, candidate = 0, 2
  while n < 64 do
    local prime = true
    for i = 2, math.floor(math.sqrt(candidate)) do
      if candidate % i == 0 then prime = false break end
    end
    if prime then
      n = n + 1
      -- The first 32 bits of the fraction of the cube root, by integers: the largest r with r^3 <= candidate * 2^96.
      local root = candidate ^ (1 / 3)
      K[n] = math.floor((root - math.floor(root)) * 2 ^ 32) & 0xffffffff
    end
    candidate = candidate + 1
  end
end

local function rotate(x, n) return (x >> n | x << (32 - n)) & 0xffffffff end

function deeds.sha256(text)
  local h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
  local padded = text .. "\128" .. ("\0"):rep(-(#text + 9) % 64) .. (">I8"):pack(#text * 8)
  for block = 1, #padded, 64 do
    local w = {(">" .. ("I4"):rep(16)):unpack(padded, block)}
    for i = 17, 64 do
      local a, b = w[i - 15], w[i - 2]
      w[i] = (w[i - 16] + (rotate(a, 7) ~ rotate(a, 18) ~ a >> 3) + w[i - 7] + (rotate(b, 17) ~ rotate(b,
        19) ~ b >> 10))
        & 0xffffffff
    end
    local a, b, c, d, e, f, g, i = table.unpack(h)
    for n = 1, 64 do
      local t1 = i + (rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)) + (e & f ~ ~e & g) + K[n] + w[n]
      local t2 = (rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)) + (a & b ~ a & c ~ b & c)
      i, g, f, e, d, c, b, a = g, f, e, (d + t1) & 0xffffffff, c, b, a, (t1 + t2) & 0xffffffff
    end
    for n, v in ipairs{a, b, c, d, e, f, g, i} do h[n] = (h[n] + v) & 0xffffffff end
  end
  return (">I4I4I4I4I4I4I4I4"):pack(table.unpack(h))
end

local crypto = package.loaded.crypto

function crypto.hmac_sha256(key, data, form)
  assert(form == "base64")
  if #key > 64 then key = deeds.sha256(key) end
  key = key .. ("\0"):rep(64 - #key)
  local function pad(with) return (key:gsub(".", function(c) return string.char(c:byte() ~ with) end)) end
  return crypto.base64(deeds.sha256(pad(0x5c) .. deeds.sha256(pad(0x36) .. data)))
end

-- ---- JSON: \u escapes on demand ----

local plain = json.encode

function json.encode(value, style)
  local text = plain(value)
  if not style or not style.ascii then return text end
  return (text:gsub("[\xC2-\xF4][\x80-\xBF]+", function(character)
    local code = utf8.codepoint(character)
    if code < 0x10000 then return ("\\u%04x"):format(code) end
    return ("\\u%04x\\u%04x"):format(0xD7C0 + (code >> 10), 0xDC00 | code & 0x3FF)
  end))
end

-- ---- names that were meant ----

local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      corner, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, corner + cost)
    end
  end
  return row[#b]
end

package.loaded["line.core"].near = function(wanted, names)
  local best, least = nil, 3
  for _, name in ipairs(names) do
    local d = distance(wanted:lower(), name:lower())
    if d < least then best, least = name, d end
  end
  return best
end

-- ---- the bot ----

-- deeds.bot(request) → status, or raises what the http client raises. Replaced by tests.
local function answers_well() return 200 end

package.loaded.http = {request = function(request)
  deeds.sent[#deeds.sent + 1] = request
  return {status = deeds.bot(request), headers = {}, body = ""}
end}

-- ---- the server ----

local web = {}
for _, verb in ipairs{"get", "post", "put", "delete", "patch", "any"} do
  web[verb] = function(path, fn) deeds.routes[verb:upper() .. " " .. path] = fn end
end
package.loaded.web = web

-- A page of one file.
package.loaded["web.static"] = {handler = function(folder)
  assert(folder == "embedded:emulator/page")
  return function(request)
    if request.path ~= "/" then return {status = 404} end
    return {status = 200, body = "the page", headers = {["content-type"] = "text/html"}}
  end
end}

deeds.files, deeds.printed = {}, {}
package.loaded["emulator.host"] = {
  settings = function() return deeds.settings end,
  on_news = function(fn) deeds.news = fn end,
  print = function(text) deeds.printed[#deeds.printed + 1] = text end,
  collect = function() end,
  read = function(path, from, n)
    local text = deeds.files[path]
    if text then return text:sub((from or 0) + 1, n and (from or 0) + n or -1) end
    return nil, "No such file or directory"
  end,
}

local control = require "emulator.control"
local deliver = require "emulator.deliver"
local faults = require "emulator.faults"
local records = require "emulator.records"
local statistics = require "emulator.statistics"

-- deeds.world() → the channel of kit.world(), with a webhook, a bot that answers 200, and nothing on its way.
function deeds.world()
  local channel = kit.world()
  deliver.reset()
  records.clear()
  statistics.clear()
  faults.remove()
  deeds.sent, deeds.bot = {}, answers_well
  channel.webhook.endpoint = "http://127.0.0.1:3000/webhook"
  return channel
end

-- deeds.control(method, path of the row, {body=, query=, params=, headers=}) → status, answer, headers.
function deeds.control(method, path, given)
  given = given or {}
  local headers = {host = "127.0.0.1:9090"}
  for name, value in pairs(given.headers or {}) do headers[name] = value or nil end
  local body = given.body
  if type(body) == "table" then body = json.encode(body) end
  return control.call(method, path, {method = method, path = path, headers = headers, query = given.query or {},
    params = given.params or {}, body = body or ""})
end

-- deeds.act(body) → the answer; what it sets off has happened. Raises when it was refused.
function deeds.act(body)
  local status, answer = deeds.control("POST", "/_/act", {body = body})
  if status ~= 200 then error(("%d %s"):format(status, answer.message), 2) end
  kit.settle()
  return answer
end

-- deeds.bodies() → what the bot was sent, decoded; deeds.events(): all events in it, one behind the other.
function deeds.bodies()
  local out = {}
  for i, request in ipairs(deeds.sent) do out[i] = json.decode(request.body) end
  return out
end

function deeds.events()
  local out = {}
  for _, body in ipairs(deeds.bodies()) do
    for _, event in ipairs(body.events) do out[#out + 1] = event end
  end
  return out
end

return deeds
