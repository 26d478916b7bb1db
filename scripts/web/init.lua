-- The module `web`, as bots see it: routes of the bot's own beside its webhook, served while the bot runs.
--
--     local web = require "web"
--     web.get("/hello/:name", function(request) return "hi " .. request.params.name end)
--
-- A handler returns body, or status, body, headers. The body is a string (text/plain unless the headers say
-- otherwise), a table (sent as JSON), nil (204 when no status is given), or a function(stream) that writes the answer
-- while it runs.

local answer = require "web.answer"
local core = require "web.core"
local decode = require "web.decode"
local errors = require "line.errors"
local request = require "web.request"
local route = require "web.route"
local router = require "line.router"
local static = require "web.static"
local stream = require "web.stream"

local web = {}
local routes = route.set()
local listed = {} -- for `moonline check`

router.routes = listed

-- ---- declaring ----

-- ours: fn is moonline's own, whatever called it.
local function add(what, method, path, fn)
  if router.is_loaded() then errors.misuse("%s: routes are declared while the bot loads", what) end
  if type(fn) ~= "function" then errors.misuse("%s: the handler must be a function, not a %s", what, type(fn)) end
  local segments, why = route.compile(path)
  if not segments then errors.misuse("%s: %s", what, why) end
  local where = core.where()
  routes:add(method, segments, {fn = fn, what = ("%s %q"):format(what, path), where = where})
  listed[#listed + 1] = {method = method or "*", path = path, where = where}
  core.declared()
end

-- web.get(path, fn)
-- Declares a route: fn(request) answers GET requests whose path matches, and HEAD. In the path :name stands for one
-- segment and a last * for the rest; the first route declared that matches is taken. Raises for what is no path, and
-- once the bot has loaded. Does not wait.
function web.get(path, fn) add("web.get", "GET", path, fn) end

-- web.post(path, fn)
-- As web.get, for POST.
function web.post(path, fn) add("web.post", "POST", path, fn) end

-- web.put(path, fn)
-- As web.get, for PUT.
function web.put(path, fn) add("web.put", "PUT", path, fn) end

-- web.delete(path, fn)
-- As web.get, for DELETE.
function web.delete(path, fn) add("web.delete", "DELETE", path, fn) end

-- web.patch(path, fn)
-- As web.get, for PATCH.
function web.patch(path, fn) add("web.patch", "PATCH", path, fn) end

-- web.head(path, fn)
-- As web.get, for HEAD alone; no body is sent, whatever fn returns.
function web.head(path, fn) add("web.head", "HEAD", path, fn) end

-- web.options(path, fn)
-- As web.get, for OPTIONS.
function web.options(path, fn) add("web.options", "OPTIONS", path, fn) end

-- web.on(method, path, fn)
-- As web.get, for any method there is, in capitals.
function web.on(method, path, fn)
  if type(method) ~= "string" or not method:find("^[A-Z][A-Z_-]*$") then
    errors.misuse("web.on: the method must be a word in capitals, such as \"REPORT\"")
  end
  add("web.on", method, path, fn)
end

-- web.any(path, fn)
-- As web.get, for all methods; request.method tells which.
function web.any(path, fn) add("web.any", nil, path, fn) end

-- ---- answers ----

-- web.html(text)
-- Returns the answer text/html; charset=utf-8, for a handler to return; a status may stand in front of it.
function web.html(text)
  if type(text) ~= "string" then errors.misuse("web.html: takes a string, not a %s", type(text)) end
  return answer.new(nil, text, {["content-type"] = "text/html; charset=utf-8"})
end

local redirects = {[301] = true, [302] = true, [303] = true, [307] = true, [308] = true}

-- web.redirect(url[, status])
-- Returns the answer that sends the browser elsewhere: 302, or 301, 303, 307, 308. Raises for an address with control
-- characters or blanks.
function web.redirect(url, status)
  if type(url) ~= "string" or url == "" or url:find("[%c%s]") then
    errors.misuse("web.redirect: the address must be a string without blanks and control characters")
  end
  if status ~= nil and not redirects[status] then
    errors.misuse("web.redirect: the status is one of 301, 302, 303, 307, 308, not %s", tostring(status))
  end
  return answer.new(status or 302, nil, {location = url})
end

-- web.error(status, message)
-- Ends the handler: the answer has this status, 400 to 599, and the body {"message": message}. Nothing is logged.
function web.error(status, message)
  if math.type(status) ~= "integer" or status < 400 or status > 599 then
    errors.misuse("web.error: the status is 400 to 599, not %s", tostring(status))
  end
  if type(message) ~= "string" then
    errors.misuse("web.error: the message must be a string, not a %s", type(message))
  end
  request.fail(status, message)
end

-- web.static(prefix, folder[, options])
-- Serves the files of a folder beside the bot below a path, with their types, for browsers to keep (ETag,
-- Last-Modified) and to seek in (ranges). Options: index ("index.html"), what a path that ends in / means; max_age,
-- seconds that a browser may use a file without asking. Links, names that begin with a dot and what lies outside are
-- not found. Raises for a folder that is not there or not below the bot's.
function web.static(prefix, folder, options)
  if type(prefix) ~= "string" or not prefix:find("^/[^:*]*$") then
    errors.misuse("web.static: the prefix is a path without : and *, such as \"/files\"")
  end
  prefix = prefix:gsub("/+$", "")
  add("web.static", "GET", prefix .. "/*", static.handler(folder, options, core.is_ours(2)))
  if prefix == "" then return end
  -- Without the slash a page's own links would lead beside the folder.
  routes:add("GET", route.compile(prefix), {what = "web.static", where = "?", fn = function(r)
    return answer.new(301, nil, {location = r.base .. r.raw_path .. "/"})
  end})
end

-- ---- serving ----

local json_type = {"content-type", "application/json"}

local function refuse(box, status, message, allow)
  local headers = allow and {"content-type", "application/json", "allow", allow} or json_type
  core.answer(box, status, headers, core.encode{message = message})
end

-- The path in segments, each decoded, and as a whole; or nil for what cannot be decoded.
local function read_path(r)
  local raw = r.raw_path
  if raw:sub(1, 1) ~= "/" then return nil end
  r.path = decode.percent(raw)
  if not r.path then return nil end
  local segments = route.split(raw)
  if r.path ~= raw then
    for i, segment in ipairs(segments) do segments[i] = decode.percent(segment) end
  end
  return segments
end

local function send(box, r, entry, ...)
  local status, headers, names, body = answer.of(...)
  if not status then error(("%s (%s): %s"):format(entry.what, entry.where, headers), 0) end
  if type(body) == "function" then
    if r.method == "HEAD" then return core.answer(box, status, headers) end
    local s = stream.new(box, status, headers, names)
    body(s)
    return stream.finish(s)
  end
  if type(body) == "table" then return core.answer(box, status, headers, body.file, body.offset, body.length) end
  core.answer(box, status, headers, body or (status ~= 204 and status ~= 304 and "" or nil))
end

-- A decoded request and what stands for it in C: finds the handler, runs it, answers. Raises what the handler raises.
core.serve(function(r, box)
  local segments = read_path(r)
  if not segments then return refuse(box, 400, "Bad Request") end
  local entry, found = routes:find(r.method, segments)
  if not entry then
    if #found == 0 then return refuse(box, 404, "Not Found") end
    return refuse(box, 405, "Method Not Allowed", table.concat(found, ", "))
  end
  r.params = found
  r.query = decode.query(r.query_string)
  if not r.query then return refuse(box, 400, "Bad Request") end
  send(box, r, entry, entry.fn(setmetatable(r, request.meta)))
end)

return web
