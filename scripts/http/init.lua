-- The module `http`: other services. Requests wait like everything else does; connections are kept, and have nothing
-- to do with those to LINE.
--
--     local http = require "http"
--     local r = http.get("https://api.example.com/weather", {query = {city = "Tokyo"}, timeout = 5})
--     if r.ok then event:reply(r:json().summary) end

local async = require "line.async"
local build = require "line.build"
local core = require "http.core"
local errors = require "line.errors"
local request = require "http.request"
local response = require "http.response"

local BACKOFF <const> = 0.2 -- seconds before the first repetition; doubled for each further one
local redirects = {[301] = true, [302] = true, [303] = true, [307] = true, [308] = true}

-- One attempt: a request, and those it is redirected to. Returns a response, or nil and an error object.
local function attempt(plan)
  local left, begun = plan.redirects, core.now()
  while true do
    local timeout = plan.timeout
    -- Of a stream the time is that without a byte, so each request has it anew.
    if not plan.stream then timeout = plan.timeout - (core.now() - begun) end
    if timeout <= 0 then
      local text = ("no answer within %g s, redirects included"):format(plan.timeout / 1000)
      return nil, response.failure(plan, "timeout", text)
    end
    local status, headers, body = core.exchange(request.spec(plan, timeout), plan.what)
    if not status then return nil, headers end
    if not redirects[status] or not headers.location or plan.redirects == 0 then
      return response.new(plan, status, headers, body)
    end
    if plan.stream then body:close() end
    if left == 0 then
      return nil, response.failure(plan, "protocol", ("redirected more than %d times"):format(plan.redirects), status)
    end
    left = left - 1
    local next_plan, why = request.follow(plan, status, headers.location)
    if not next_plan then
      return nil, response.failure(plan, "protocol", "it redirects to what is no address: " .. why, status)
    end
    plan = next_plan
  end
end

local passing = {connect = true, timeout = true, dns = true}

local function call(what, method, url, options)
  local plan = request.plan(what, method, url, options)
  for n = 0, plan.retries do
    local r, failure = attempt(plan)
    local again = r and r.status >= 500 or failure and passing[failure.kind]
    if not again or not plan.idempotent or n == plan.retries then
      return r or error(failure, 0)
    end
    if r then r:close() end
    async.sleep(BACKOFF * 2 ^ n * (0.5 + math.random()))
  end
end

local http = {}

-- http.get(url[, options])
-- Returns the response, whatever its status. Raises an error object when there is none (kind says why: "connect",
-- "timeout", "dns", "tls", "too_large", "forbidden", "protocol"). Options, all optional: query, headers (tables);
-- one of json (any value), form (table), body (string), parts (list of {name =, body =, filename =, type =});
-- timeout = 10 (seconds for all of it; of a stream those without a byte), connect_timeout = 3, redirects = 5 followed
-- at most, retries = 0 (of GET, HEAD, PUT, DELETE and OPTIONS, after no connection, no answer in time or a status of
-- 500 and more), limit = 10 MiB of answer, stream = true (r:read, r:chunks, r:all, r:save instead of r.body), verify
-- (a file of certificates to trust instead of the system's), basic = {user, password}. Waits.
function http.get(url, options) return call("http.get", "GET", url, options) end

-- http.post(url[, options])
-- As http.get. It is never repeated by itself. Waits.
function http.post(url, options) return call("http.post", "POST", url, options) end

-- http.put(url[, options])
-- As http.get. Waits.
function http.put(url, options) return call("http.put", "PUT", url, options) end

-- http.patch(url[, options])
-- As http.get. It is never repeated by itself. Waits.
function http.patch(url, options) return call("http.patch", "PATCH", url, options) end

-- http.delete(url[, options])
-- As http.get. Waits.
function http.delete(url, options) return call("http.delete", "DELETE", url, options) end

-- http.head(url[, options])
-- As http.get, without a body both ways. Waits.
function http.head(url, options) return call("http.head", "HEAD", url, options) end

-- http.request(what)
-- Takes a table with url, method ("GET" unless given), and the options of http.get beside them. Waits.
function http.request(what)
  if type(what) ~= "table" then errors.misuse("http.request: takes a table with method, url and options") end
  local options = {}
  for key, value in pairs(what) do options[key] = value end
  local method = options.method or "GET"
  options.method, options.url = nil, nil
  if type(method) ~= "string" or not method:find("^%u+$") or method == "CONNECT" or method == "TRACE" then
    errors.misuse("http.request: method must be a word in capitals such as \"GET\"")
  end
  return call("http.request", method, what.url, options)
end

return build.group("http", http)
