-- From what a script says to what goes out: options are checked at the script's line, and become one table (the plan)
-- from which each request of the call is made.

local core = require "http.core"
local crypto = require "crypto"
local errors = require "line.errors"
local json = require "json"

local misuse = errors.misuse

local request = {}

local LIMIT <const> = 10 * 1024 * 1024 -- bytes of an answer, unless told otherwise
local LIMIT_MOST <const> = 256 * 1024 * 1024 -- more is for streams
local HEADERS_MOST <const> = 90 -- with ours fewer than C takes
local HEADER_BYTES_MOST <const> = 64 * 1024 -- no server takes as much
local PARTS_MOST <const> = 1000
local HEADS_MOST <const> = 200 * 1024 -- bytes of the names, file names and types of all parts

-- ---- checks ----

-- The second value of pairs, sorted by name: what goes out is the same each time.
local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check_names(what, noun, t, names)
  for key in pairs(t) do
    local known = false
    for _, name in ipairs(names) do known = known or name == key end
    if not known then
      misuse("%s: unknown %s '%s'%s", what, noun, tostring(key), errors.did_you_mean(tostring(key), names))
    end
  end
end

local function check_table(what, name, value)
  if type(value) ~= "table" then misuse("%s: %s must be a table, not %s", what, name, type(value)) end
  for key in pairs(value) do
    if type(key) ~= "string" then misuse("%s: %s takes values by name, not by a %s", what, name, type(key)) end
  end
  return value
end

local function seconds(what, name, value)
  if math.type(value) == nil or not (value > 0 and value <= 3600) then
    misuse("%s: %s is a number of seconds, above 0 and up to 3600", what, name)
  end
  return math.max(1, math.floor(value * 1000 + 0.5))
end

local function count(what, name, value, least, most)
  if math.type(value) ~= "integer" or value < least or value > most then
    misuse("%s: %s is an integer from %d to %d", what, name, least, most)
  end
  return value
end

-- ---- names and values ----

local function scalar(what, name, value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  misuse("%s: %s is a %s; it must be a string, number or boolean", what, name, kind)
end

-- "a=1&b=2&b=3" of {a = 1, b = {2, 3}}.
local function encoded(what, option, t)
  local parts = {}
  for _, name in ipairs(sorted(check_table(what, option, t))) do
    local values = t[name]
    if type(values) ~= "table" then values = {values} end
    for i = 1, #values do
      parts[#parts + 1] = core.escape(name) .. "="
        .. core.escape(scalar(what, ("%s.%s"):format(option, name), values[i]))
    end
  end
  return table.concat(parts, "&")
end

-- ---- headers ----

-- What libcurl and we decide: a wrong one would break the connection, or smuggle a second request.
local ours = {["content-length"] = true, ["transfer-encoding"] = true, connection = true, expect = true, te = true,
  trailer = true, upgrade = true, ["keep-alive"] = true, ["proxy-connection"] = true}

-- Header names that carry what only the first host is to see.
local secret = {"auth", "cookie", "key", "token", "secret", "session", "password", "signature", "credential"}

local function is_secret(name)
  for _, word in ipairs(secret) do
    if name:find(word, 1, true) then return true end
  end
  return false
end

local function read_headers(what, t)
  local headers, n, bytes = {}, 0, 0
  for _, name in ipairs(sorted(check_table(what, "headers", t))) do
    local value = t[name]
    if not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then misuse("%s: '%s' is no name of a header", what, name) end
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" then misuse("%s: header %s must be a string, not %s", what, name, type(value)) end
    if value:find("[\r\n\0]") then misuse("%s: header %s may hold no line ends", what, name) end
    local small = name:lower()
    if ours[small] then misuse("%s: header %s is not for scripts to set", what, name) end
    if headers[small] then misuse("%s: header %s is there twice", what, name) end
    headers[small] = {name = name, value = value:find("%S") and value or ""}
    n, bytes = n + 1, bytes + #name + #value
  end
  if n > HEADERS_MOST or bytes > HEADER_BYTES_MOST then
    misuse("%s: %d headers of %d bytes; there may be %d of %d", what, n, bytes, HEADERS_MOST, HEADER_BYTES_MOST)
  end
  return headers
end

local function set_header(headers, name, value)
  local small = name:lower()
  if not headers[small] then headers[small] = {name = name, value = value} end
end

-- ---- bodies ----

local part_names = {"name", "body", "filename", "type"}

local function read_parts(what, list)
  if type(list) ~= "table" or #list == 0 then misuse("%s: parts must be a list of {name =, body =}", what) end
  if #list > PARTS_MOST then misuse("%s: more than %d parts", what, PARTS_MOST) end
  local parts, heads = {}, 0
  for i, part in ipairs(list) do
    local at = ("parts[%d]"):format(i)
    if type(part) ~= "table" then misuse("%s: %s must be a table, not %s", what, at, type(part)) end
    check_names(what, "key of " .. at, part, part_names)
    for _, name in ipairs{"name", "filename", "type"} do
      local text = part[name]
      if text == nil and name ~= "name" then goto next end
      if type(text) ~= "string" or text == "" or text:find("\0", 1, true) then
        misuse("%s: %s.%s must be a string, not empty and without zero bytes", what, at, name)
      end
      if name == "type" and text:find("[\r\n]") then misuse("%s: %s.type may hold no line ends", what, at) end
      heads = heads + #text
      ::next::
    end
    parts[i] = {name = part.name, filename = part.filename, type = part.type,
      body = scalar(what, at .. ".body", part.body)}
  end
  if heads > HEADS_MOST then misuse("%s: the names of the parts are too long", what) end
  return parts
end

-- Set plan.body or plan.parts, and the type that goes with it unless the script has said its own.
local function read_body(what, plan, options)
  local given = {}
  for _, name in ipairs{"json", "form", "body", "parts"} do
    if options[name] ~= nil then given[#given + 1] = name end
  end
  if #given > 1 then misuse("%s: %s and %s: there is one body", what, given[1], given[2]) end
  local kind = given[1]
  if not kind then return end
  if plan.method == "HEAD" then misuse("%s: HEAD has no body", what) end
  if kind == "json" then
    local ok, text = pcall(json.encode, options.json)
    if not ok then misuse("%s: json: %s", what, (tostring(text):gsub("^moonline/[^:]*:%d+: ", ""))) end
    plan.body = text
    set_header(plan.headers, "Content-Type", "application/json")
  elseif kind == "form" then
    plan.body = encoded(what, "form", options.form)
    set_header(plan.headers, "Content-Type", "application/x-www-form-urlencoded")
  elseif kind == "parts" then
    plan.parts = read_parts(what, options.parts)
    if plan.headers["content-type"] then misuse("%s: the Content-Type of parts is moonline's", what) end
  elseif type(options.body) ~= "string" then
    misuse("%s: body must be a string, not %s; tables go out as json or form", what, type(options.body))
  else
    plan.body = options.body
  end
end

-- ---- the plan ----

local option_names = {"query", "headers", "json", "form", "body", "parts", "timeout", "connect_timeout", "redirects",
  "retries", "limit", "stream", "verify", "basic"}

local function read_basic(what, pair)
  if type(pair) ~= "table" or type(pair[1]) ~= "string" or type(pair[2]) ~= "string" or pair[1]:find(":", 1, true) then
    misuse("%s: basic must be {user, password}, the user without a colon", what)
  end
  return "Basic " .. crypto.base64(pair[1] .. ":" .. pair[2])
end

local idempotent = {GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true}

-- request.plan(what, method, url, options)
-- Takes what the script called, for messages, and its arguments, options nil for none. Returns what request.spec and
-- the loop of http need: method, place (of core.url), headers, body or parts, and the settings. Raises at the
-- script's line what cannot be. Does not wait.
function request.plan(what, method, url, options)
  if type(url) ~= "string" then misuse("%s: the address must be a string, not %s", what, type(url)) end
  if options ~= nil and type(options) ~= "table" then
    misuse("%s: options must be a table, not %s", what, type(options))
  end
  options = options or {}
  check_names(what, "option", options, option_names)
  local query = options.query ~= nil and encoded(what, "query", options.query) or nil
  local place, why = core.url(url, nil, query)
  if not place then misuse("%s: this is no address: %s", what, why) end
  local plan = {what = what, method = method, place = place,
    headers = options.headers ~= nil and read_headers(what, options.headers) or {}}
  read_body(what, plan, options)
  if options.basic ~= nil then
    set_header(plan.headers, "Authorization", read_basic(what, options.basic))
  elseif place.user then
    set_header(plan.headers, "Authorization", "Basic " .. crypto.base64(place.user .. ":" .. (place.password or "")))
  end
  set_header(plan.headers, "User-Agent", "moonline")
  plan.timeout = seconds(what, "timeout", options.timeout or 10)
  plan.connect_timeout = seconds(what, "connect_timeout", options.connect_timeout or 3)
  plan.redirects = count(what, "redirects", options.redirects or 5, 0, 50)
  plan.retries = count(what, "retries", options.retries or 0, 0, 10)
  plan.limit = count(what, "limit", options.limit or LIMIT, 1, LIMIT_MOST)
  plan.idempotent = idempotent[method] or false
  local stream, verify = options.stream, options.verify
  if stream ~= nil and type(stream) ~= "boolean" then misuse("%s: stream is true or false", what) end
  plan.stream = stream or false
  if type(verify) == "string" then
    plan.ca = core.path(verify, what .. ": verify")
  elseif verify ~= nil and verify ~= true then
    misuse("%s: verify is true, or the path of a file with certificates; there is no way to go unverified", what)
  end
  return plan
end

-- request.spec(plan, timeout)
-- Returns the table that core.exchange takes, for one request that may last timeout ms. Does not wait.
function request.spec(plan, timeout)
  local lines = {}
  for i, name in ipairs(sorted(plan.headers)) do
    local header = plan.headers[name]
    -- To libcurl a colon and nothing takes a header away, a semicolon leaves it empty.
    lines[i] = header.value == "" and header.name .. ";" or header.name .. ": " .. header.value
  end
  return {method = plan.method, url = plan.place.url, shown = plan.place.shown, lines = lines, body = plan.body,
    parts = plan.parts, timeout = timeout, connect_timeout = plan.connect_timeout, limit = plan.limit,
    stream = plan.stream, ca = plan.ca, once = not plan.idempotent}
end

-- request.follow(plan, status, location)
-- Returns the plan of the request that a redirect asks for, or nil and why there is none. What only the first host is
-- to see stays behind when the new address is another's. Does not wait.
function request.follow(plan, status, location)
  local place, why = core.url(location, plan.place.url)
  if not place then return nil, why end
  local next_plan = {}
  for key, value in pairs(plan) do next_plan[key] = value end
  next_plan.place, next_plan.headers = place, {}
  local other = place.origin ~= plan.place.origin
  local bare = status == 303 and plan.method ~= "HEAD" or (status == 301 or status == 302) and plan.method == "POST"
  if bare then next_plan.method, next_plan.body, next_plan.parts, next_plan.idempotent = "GET", nil, nil, true end
  for name, header in pairs(plan.headers) do
    local stays = other and (name == "host" or is_secret(name)) or bare and name:find("^content%-")
    if not stays then
      next_plan.headers[name] = header
    end
  end
  return next_plan
end

return request
