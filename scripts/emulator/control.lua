-- The controls below /_/: rows of method, path, what it does and its fields, and what checks all of them. JSON in and
-- out. GET /_/ lists them. They are for the page and for tests on this machine; no web page from elsewhere may use
-- them.

local errors = require "emulator.errors"
local json = require "json"
local near = require "emulator.near"

local control = {}

local rows = {}
for _, file in ipairs{"world", "console", "chats", "say", "log", "state"} do
  for _, row in ipairs(require("emulator.control_" .. file)) do rows[#rows + 1] = row end
end
control.rows = rows

-- control.live: true when the bot beside us talks to LINE itself; then nothing here can be done, only looked at.
control.live = false

local function refuse(text, ...) errors.raise(400, text:format(...)) end

-- ---- who may ask ----

local hosts = {} -- addresses beside the loopback's: what --listen, or --page, says
local any = {["0.0.0.0"] = true, ["::"] = true}
local every = false -- any address, but no name: names are what other people can make point here

-- control.allow(host): the address that is listened on; the Host header may have it. Of one that stands for all, any.
function control.allow(host)
  hosts[host:lower()] = true
  every = every or any[host] == true
end

local function is_address(name)
  return name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or name:find("^[%x.]*:[%x:.]*$") ~= nil
end

local function host_name(host)
  return host:match("^%[(.-)%]") or host:match("^([^:]*)") or ""
end

local function is_loopback(name)
  return name == "localhost" or name:find("%.localhost$") ~= nil or name == "::1"
    or name:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- control.guard(request) → nil, or why it is refused. A page of another site reaches us with its own Origin, or, when
-- it made its name point here, with a foreign Host.
function control.guard(request)
  local headers = request.headers
  local host = (headers.host or ""):lower()
  local name = host_name(host)
  if not is_loopback(name) and not hosts[name] and not (every and is_address(name)) then
    return ("host '%s' is refused: only localhost and the address that is listened on (--listen, --page) are served "
      .. "here; ask by that address"):format(host)
  end
  local origin = headers.origin
  if origin and origin:lower():gsub("^https?://", "") ~= host then
    return ("requests from %s are refused: only this emulator's own page may use its controls"):format(origin)
  end
  if headers["sec-fetch-site"] == "cross-site" then
    return "requests from other sites are refused: only this emulator's own page may use its controls"
  end
end

-- ---- fields ----

-- A field is described as "type: what it is", with ! behind the type where it is needed.
local function spec(text)
  local kind, needed = text:match("^(%a+)(!?)")
  return kind, needed == "!"
end

local IS = {
  string = function(v) return type(v) == "string" end,
  integer = function(v) return math.type(v) == "integer" end,
  number = function(v) return type(v) == "number" end,
  boolean = function(v) return type(v) == "boolean" end,
  object = function(v) return type(v) == "table" and v[1] == nil end,
  list = function(v) return type(v) == "table" and (v[1] ~= nil or next(v) == nil) end,
  any = function() return true end,
}
local A = {string = "a text", integer = "a whole number", number = "a number", boolean = "true or false",
  object = "an object",
  list = "a list", any = "a value"}

local function check(row, given)
  for name, value in pairs(given) do
    local field = row.fields and row.fields[name]
    if not field then
      if not row.open then refuse("%s: %s", tostring(name), near.unknown(tostring(name), row.fields or {})) end
    else
      local kind = spec(field)
      if not IS[kind](value) then refuse("%s: %s is needed", name, A[kind]) end
    end
  end
  for name, field in pairs(row.fields or {}) do
    local kind, needed = spec(field)
    if needed and given[name] == nil then refuse("%s: it is missing; %s is needed", name, A[kind]) end
  end
  return given
end

-- What stands in the query, by the types of the row.
local function from_query(row, request)
  local given = {}
  for name, text in pairs(request.query or {}) do
    local kind = row.fields and row.fields[name] and spec(row.fields[name])
    local value = text
    if kind == "integer" then
      value = math.tointeger(tonumber(text))
      if not value then refuse("%s: '%s' is not a whole number", name, text) end
    elseif kind == "number" then
      value = tonumber(text) or refuse("%s: '%s' is not a number", name, text)
    elseif kind == "boolean" then
      value = text == "true" or text == "1"
    end
    given[name] = value
  end
  return given
end

local function from_body(request)
  local body = request.body
  if not body or body == "" then return {} end
  local ok, given = pcall(json.decode, body)
  if not ok then refuse("the body is not JSON: %s", tostring(given)) end
  if type(given) ~= "table" then refuse("the body is not a JSON object") end
  return given
end

local function input(row, request)
  if row.method == "GET" or row.raw then return check(row, from_query(row, request)) end
  return check(row, from_body(request))
end

-- ---- answers ----

local NO_STORE = {["cache-control"] = "no-store"}

local function run(row, request)
  local refused = control.guard(request)
  if refused then return 403, {message = refused}, NO_STORE end
  if control.live and row.method ~= "GET" then
    return 403, {message = "with --live the page only looks on: the bot talks to LINE itself"}, NO_STORE
  end
  local results = table.pack(pcall(function()
    return row.fn(input(row, request), request.params or {}, request)
  end))
  if results[1] then
    if math.type(results[2]) == "integer" then return results[2], results[3], results[4] or NO_STORE end
    return 200, results[2] == nil and json.object() or results[2], NO_STORE
  end
  local e = results[2]
  if errors.is(e) then return e.status, e.body, NO_STORE end
  error(e, 0)
end

-- The list of all controls, GET /_/.
rows[#rows + 1] = {method = "GET", path = "/_/", what = "this list", fn = function()
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = {method = row.method, path = row.path, what = row.what, fields = row.fields}
  end
  table.sort(list, function(a, b)
    if a.path ~= b.path then return a.path < b.path end
    return a.method < b.method
  end)
  local act = require "emulator.act"
  local deeds = {}
  for name, deed in pairs(act.deeds) do
    deeds[name] = {what = deed.what, fields = next(deed.fields) and deed.fields or json.object()}
  end
  return {controls = list, deeds = deeds}
end}

-- control.register(web): all rows as routes.
function control.register(web)
  for _, row in ipairs(rows) do
    web[row.method:lower()](row.path, function(request) return run(row, request) end)
  end
end

-- control.call(method, path, request) → status, body, headers: a row without the server, for tests; path as in the row.
function control.call(method, path, request)
  for _, row in ipairs(rows) do
    if row.method == method and row.path == path then return run(row, request) end
  end
  error("there is no control " .. method .. " " .. path)
end

return control
