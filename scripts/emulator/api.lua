-- One call of the platform's API: row, fault, size, token, rate, retry key, body, fields, operation, log.

local json = require "json"
local line = require "line"
local check = require "emulator.check"
local clock = require "emulator.clock"
local decode = require "emulator.decode"
local errors = require "emulator.errors"
local ids = require "emulator.ids"
local log = require "emulator.calls"
local rates = require "emulator.rates"
local retry_keys = require "emulator.retry_keys"
local routes = require "emulator.routes"
local world = require "emulator.world"

require "emulator.check_rules"
require "emulator.check_flex"

local api = {}

-- rates: whether calls above the documented rates are refused. before: function(row, call), the faults: it may return
-- {status=, body=}, an answer in place of the operation's; {delay = ms}; {drop = true}: no answer at all.
api.options = {rates = true, before = nil}

-- The log of calls, see calls.lua.
api.calls = log

local MOST = 2 * 1024 * 1024
local INVALID_TOKEN = "Authentication failed due to the following reason: invalid token. "
  .. "Confirm that the access token in the authorization header is valid."
local NO_TOKEN = "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'"

local FILES = {
  "sending", "narrowcast", "quota", "people", "bot", "content", "tokens", "pnp", "module", "mission",
  "richmenus", "coupons", "memberships", "liff", "audiences", "insight",
}

local operations -- name of the row → function(call)

local function load_operations()
  operations = {}
  for _, file in ipairs(FILES) do
    for name, fn in pairs(require("emulator.operations." .. file)) do
      if routes.row(name) then operations[name] = fn end
    end
  end
end

-- api.operation(name) → its function, nil when there is none.
function api.operation(name)
  if not operations then load_operations() end
  return operations[name]
end

-- ---- who calls ----

local function authenticate(call)
  local given = call.request.headers.authorization
  if call.row.auth == "token" then
    local token = given and given:match("^[Bb]earer%s+(%S+)%s*$")
    if not token then errors.raise(401, NO_TOKEN) end
    local channel, record = world.channel_of_token(token)
    if not channel or record.expires and record.expires <= clock.now() then errors.raise(401, INVALID_TOKEN) end
    call.channel, call.token = channel, record
  elseif call.row.auth == "basic" then
    call.basic = given and given:match("^[Bb]asic%s+(%S+)%s*$")
  end
end

-- ---- a call ----

local function run(call)
  local row, request = call.row, call.request
  if #(request.body or "") > MOST and row.body ~= "bytes" and row.body ~= "multipart" then
    errors.raise(413, "Request Entity Too Large")
  end
  authenticate(call)
  if api.options.rates then
    local may, left = rates.take(row, call.channel and call.channel.id or "")
    call.left = left
    if not may then errors.raise(429, "The API rate limit has been exceeded. Try again later.") end
  end
  local key = request.headers["x-line-retry-key"]
  if key and call.channel then
    retry_keys.check(row, call.channel, key)
    call.retry_key = key
  end
  call.path, call.query, call.header = decode.parameters(row, call.path, request.query or {}, request.headers)
  call.body, call.type = decode.body(row, request)
  call.raw = request.body
  if row.body == "json" then check.body(row, call.body, request.body, call.path) end
  local operation = operations[row.name]
  if not operation then error("the emulator has no operation for " .. row.name) end
  local a, b, c = operation(call)
  local status, body, headers = 200, a, nil
  if math.type(a) == "integer" then status, body, headers = a, b, c end
  if call.retry_key and status < 300 then
    retry_keys.keep(call.channel, call.retry_key, call.request_id, type(body) == "table" and body.sentMessages or nil)
  end
  return status, body, headers
end

-- What a raised value becomes.
local function refusal(e)
  if errors.is(e) then return e.status, e.body, e.headers end
  return nil
end

local function answer(call)
  local fault = api.options.before and api.options.before(call.row, call)
  if fault then
    if fault.delay then line.sleep(fault.delay / 1000) end
    if fault.drop then return nil end
    if fault.status then return fault.status, fault.body or {message = "Internal server error"}, fault.headers end
  end
  local ok, status, body, headers = pcall(run, call)
  if ok then return status, body, headers end
  local refused, refused_body, refused_headers = refusal(status)
  if refused then return refused, refused_body, refused_headers end
  call.failure = tostring(status)
  return 500, {message = "Internal server error: " .. call.failure}
end

local function headers_of(call, kind, more)
  local headers = {
    ["content-type"] = kind,
    ["x-line-request-id"] = call.request_id,
    ["cache-control"] = "no-cache, no-store, max-age=0, must-revalidate",
    pragma = "no-cache",
    expires = "0",
    server = "legy",
    ["x-content-type-options"] = "nosniff",
    ["x-frame-options"] = "DENY",
    ["x-xss-protection"] = "1; mode=block",
  }
  if more then
    for name, value in pairs(more) do headers[name] = value end
  end
  return headers
end

-- api.handle(request) → status, body, headers. request: as the module web hands it over: method, path or raw_path,
-- query, headers with small letters, body. nil: no answer, the connection is to be dropped. May wait.
function api.handle(request)
  if not operations then load_operations() end
  local started = line.now()
  local call = {request = request, request_id = ids.uuid()}
  local row, path = routes.find(request.method, request.raw_path or request.path)
  local status, body, more
  if row then
    call.row, call.path = row, path
    status, body, more = answer(call)
  elseif path then
    status, body = 405, {message = "Method not allowed"}
  else
    status, body = 404, {message = "Not found"}
  end
  local text = body
  if status and type(body) ~= "string" then text = json.encode(body or {}) end
  local headers = status and headers_of(call, type(body) == "string" and "" or "application/json", more)
  if headers and headers["content-type"] == "" then headers["content-type"] = nil end
  log.put(call, status, text, headers, line.now() - started)
  return status, text, headers
end

return api
