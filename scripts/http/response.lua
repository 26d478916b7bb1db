-- What http functions return. r.status, r.headers (names in small letters), r.body (nil of a stream), r.url (where it
-- came from, redirects followed), r.ok (true for a status of 200 to 299), and methods.

local core = require "http.core"
local errors = require "line.errors"
local json = require "json"
local line_core = require "line.core"

local misuse = errors.misuse
local SHOWN <const> = 160 -- bytes of an answer that is no JSON which the error repeats

require "line.stream".complete(core.stream, "response")

local response = {}

-- response → {plan =, stream =}: not in the response itself, which is a plain table to look at.
local inside = setmetatable({}, {__mode = "k"})

-- An error object, as C makes them for requests that fail.
-- response.failure(plan, kind, message[, status])
-- Returns it; message for people, kind to branch on. Does not wait.
function response.failure(plan, kind, message, status)
  return setmetatable({kind = kind, message = message, status = status, url = plan.place.shown, called = plan.what,
    where = line_core.where()}, core.error_meta)
end

-- tostring(e): "bot.lua:12: http.get: https://api.example.com/v1: the host has no address". Fields of an error
-- object: kind ("connect", "timeout", "dns", "tls", "too_large", "forbidden", "protocol"), message, url (without
-- credentials and query), called ("http.get"), where ("bot.lua:12"), and status when the answer itself was the
-- trouble.
function core.error_meta.__tostring(e)
  return ("%s: %s: %s: %s"):format(e.where or "?", e.called or "http", e.url or "?", e.message or "")
end

core.error_meta.__name = "http.error"

local methods = {}

local function source(r, what)
  local known = inside[r] or misuse("%s: this is no response of http", what)
  if not known.stream then
    misuse("%s: only what was asked for with stream = true is read in pieces; this one is whole, in r.body", what)
  end
  return known.stream
end

-- response:json()
-- Returns the body as a Lua value; members that are null are left out. Of a stream it takes what is left, up to the
-- limit of the call. Raises an error object of kind "protocol" when it is not JSON. Waits for a stream.
function methods:json()
  local known = inside[self] or misuse("response:json: this is no response of http")
  local body = self.body or source(self, "response:json"):all(known.plan.limit)
  local ok, value = pcall(json.decode, body)
  if ok then return value end
  local shown = #body > SHOWN and body:sub(1, SHOWN) .. "…" or body
  local why = tostring(value):match("not JSON.*") or "more JSON than is read at once"
  error(response.failure(known.plan, "protocol", ("the answer (%d) is %s: %s"):format(self.status, why, shown),
    self.status), 0)
end

-- response:read([n])
-- Of a stream: n bytes, fewer at the end, nil after it; without n the next piece. Waits.
function methods:read(n)
  return source(self, "response:read"):read(n)
end

-- response:chunks()
-- Of a stream: returns an iterator over the pieces as they come: for piece in r:chunks() do … end. The stream is
-- closed when the loop ends, also early. It waits and raises.
function methods:chunks()
  return source(self, "response:chunks"):chunks()
end

-- response:all([max])
-- Of a stream: takes the number of bytes at most, the limit of the call unless given. Returns what was not read yet
-- as one string. Raises when it is longer. Waits.
function methods:all(max)
  local s = source(self, "response:all")
  return s:all(max or inside[self].plan.limit)
end

-- response:save(path[, options])
-- Of a stream: writes it to a file, never whole in memory, under its name only once it is complete; path and options
-- as for content:save. Returns the number of bytes. Raises when the connection or the disk fails. Waits.
function methods:save(path, options)
  return source(self, "response:save"):save(path, options)
end

-- response:close()
-- Of a stream: ends it and drops what waits; `local r <close> = http.get(…)` does it by itself. Else does nothing.
function methods:close()
  local s = (inside[self] or misuse("response:close: this is no response of http")).stream
  if s then s:close() end
end

for _, name in ipairs{"json", "read", "all", "save"} do methods[name] = line_core.entry(methods[name]) end

local meta = {__index = methods, __close = methods.close, __name = "http.response"}

-- response.new(plan, status, headers, body)
-- Takes the plan of the request that was answered, and the body as core.exchange gives it: a string, or a stream.
-- Returns the response. Does not wait.
function response.new(plan, status, headers, body)
  local r = setmetatable({status = status, ok = status >= 200 and status <= 299, headers = headers,
    url = plan.place.url}, meta)
  inside[r] = {plan = plan}
  if plan.stream then inside[r].stream = body else r.body = body end
  return r
end

return response
