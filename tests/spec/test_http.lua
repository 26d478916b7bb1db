-- The Lua half of http: redirects, repetitions, and what of a request goes along with either. The C half is a stand-in
-- that answers from a list and notes what it was asked.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local asked, answers, clock, slept
local core = {error_meta = {}, stream = {}}

function core.now() return clock end

function core.escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02x"):format(c:byte()) end))
end

function core.url(text, base, query)
  if not text:find("://") then text = base:match("^%w+://[^/]+") .. text end
  local scheme, host = text:match("^(%w+)://([^/]+)")
  if scheme ~= "http" and scheme ~= "https" then return nil, "only http:// and https:// are spoken" end
  return {url = text .. (query and "?" .. query or ""), shown = text, origin = scheme .. "://" .. host}
end

-- An answer is {status, headers, body, ms}, or {kind =, ms =} for none.
function core.exchange(spec)
  asked[#asked + 1] = spec
  local answer = table.remove(answers, 1)
  clock = clock + (answer.ms or answer[4] or 0)
  if answer.kind then return nil, setmetatable({kind = answer.kind}, core.error_meta) end
  return answer[1], answer[2] or {}, answer[3] or ""
end

package.preload["http.core"] = function() return core end
package.preload["crypto"] = function() return {base64 = function(text) return "<" .. text .. ">" end} end
package.preload["json"] = function() return {} end
require("line.async").sleep = function(seconds)
  slept[#slept + 1] = seconds
  clock = clock + seconds * 1000 // 1 | 0
end

local http = require "http"

local function given(list)
  asked, answers, clock, slept = {}, list, 0, {}
end

local function header(spec, name)
  for _, line in ipairs(spec.lines) do
    local n, value = line:match("^([^:;]+)[:;] ?(.*)$")
    if n:lower() == name then return value end
  end
end

test("an answer is a response, and the request says who asks", function()
  given{{404, {a = "b"}, "text"}}
  local r = http.get("http://a/x", {query = {q = "1 2", p = true}})
  same({r.status, r.ok, r.headers, r.body, r.url}, {404, false, {a = "b"}, "text", "http://a/x?p=true&q=1%202"})
  same(asked[1].method, "GET")
  same(asked[1].lines, {"User-Agent: moonline"})
  same({asked[1].timeout, asked[1].connect_timeout, asked[1].limit, asked[1].once}, {10000, 3000, 10485760, false})
end)

test("a redirect keeps what it may, and leaves what only the first host is to see", function()
  local headers = {Authorization = "a", Cookie = "c", ["X-API-Key"] = "k", ["x-access-token"] = "t",
    ["X-Line-Signature"] = "s", ["X-Secret-Sauce"] = "s", Accept = "x", Host = "h", ["X-Request"] = "r"}
  for _, case in ipairs{
    {"http://a/y", 10}, {"/y", 10}, {"http://b/y", 3}, {"https://a/y", 3}, {"http://a:8080/y", 3}} do
    given{{302, {location = case[1]}}, {200}}
    http.get("http://a/x", {headers = headers})
    same(#asked[2].lines, case[2])
    same({header(asked[2], "accept"), header(asked[2], "x-request")}, {"x", "r"})
  end
end)

test("and stays behind for all further ones", function()
  given{{302, {location = "http://b/"}}, {302, {location = "http://a/back"}}, {200}}
  http.get("http://a/x", {basic = {"me", "pw"}})
  same(header(asked[1], "authorization"), "Basic <me:pw>")
  same({header(asked[2], "authorization"), header(asked[3], "authorization")}, {})
end)

test("methods and bodies through redirects", function()
  for _, case in ipairs{
    {"post", 301, "GET"}, {"post", 302, "GET"}, {"post", 303, "GET"}, {"put", 303, "GET"}, {"put", 302, "PUT", "b"},
    {"post", 307, "POST", "b"}, {"patch", 308, "PATCH", "b"}, {"delete", 303, "GET"}} do
    given{{case[2], {location = "/y"}}, {200}}
    http[case[1]]("http://a/x", {body = "b", headers = {["Content-Type"] = "t"}})
    same({asked[2].method, asked[2].body, header(asked[2], "content-type")}, {case[3], case[4], case[4] and "t"})
  end
  given{{303, {location = "/y"}}, {200}}
  http.head("http://a/x")
  same(asked[2].method, "HEAD")
end)

test("redirects have an end", function()
  local loop = {}
  for i = 1, 7 do loop[i] = {302, {location = "/" .. i}} end
  given(loop)
  local e = raises("redirected more than 5 times", http.get, "http://a/x")
  same({e.kind, #asked}, {"protocol", 6})
  given{{302, {location = "ftp://x/"}}}
  raises("no address: only http", http.get, "http://a/x")
  given{{302, {location = "/y"}, "here"}}
  same(http.get("http://a/x", {redirects = 0}).body, "here")
  given{{302, {}, "nowhere"}}
  same(http.get("http://a/x").body, "nowhere")
  given{{304, {location = "/y"}}}
  same(http.get("http://a/x").status, 304)
end)

test("the time is for all of them together, but not of a stream", function()
  given{{302, {location = "/y"}, "", 1500}, {200, {}, "", 400}}
  http.get("http://a/x", {timeout = 2})
  same({asked[1].timeout, asked[2].timeout}, {2000, 500})
  given{{302, {location = "/y"}, "", 2000}}
  same(raises("no answer within 2 s", http.get, "http://a/x", {timeout = 2}).kind, "timeout")
  local closed = 0
  local stream = {close = function() closed = closed + 1 end}
  given{{302, {location = "/y"}, stream, 1500}, {200, {}, stream}}
  local r = http.get("http://a/x", {timeout = 2, stream = true})
  same({asked[2].timeout, closed, r.body}, {2000, 1})
  r:close()
  same(closed, 2)
end)

test("repetitions, further and further apart, with the time anew", function()
  given{{kind = "connect"}, {kind = "timeout", ms = 1000}, {503}, {kind = "dns"}, {200}}
  same(http.get("http://a/x", {retries = 4, timeout = 1}).status, 200)
  same({asked[3].timeout, asked[5].timeout}, {1000, 1000})
  for n, seconds in ipairs(slept) do
    local least = 0.2 * 2 ^ (n - 1) / 2
    if seconds < least or seconds > 3 * least then error(("%g s before repetition %d"):format(seconds, n)) end
  end
  same(#slept, 4)
end)

test("what is not repeated", function()
  for _, case in ipairs{
    {"get", {kind = "tls"}}, {"get", {kind = "forbidden"}}, {"get", {kind = "too_large"}}, {"get", {kind = "protocol"}},
    {"post", {kind = "connect"}}, {"patch", {kind = "timeout"}}} do
    given{case[2]}
    local ok, e = pcall(http[case[1]], "http://a/x", {retries = 3})
    same({ok, e.kind, #asked}, {false, case[2].kind, 1})
  end
  given{{500}}
  same(http.post("http://a/x", {retries = 3}).status, 500)
  given{{404}}
  same(http.get("http://a/x", {retries = 3}).status, 404)
  given{{500}}
  same(http.get("http://a/x").status, 500)
  given{{500}, {502}}
  same(http.delete("http://a/x", {retries = 1}).status, 502)
  given{{kind = "connect"}, {kind = "timeout"}}
  same(raises("", http.put, "http://a/x", {retries = 1}).kind, "timeout")
end)

test("only what may be done twice may go out twice by itself", function()
  given{{200}, {200}, {200}, {200}, {200}}
  for _, name in ipairs{"get", "put", "delete", "post", "patch"} do http[name]("http://a/x") end
  local once = {}
  for i, spec in ipairs(asked) do once[i] = spec.once end
  same(once, {false, false, false, true, true})
end)

tap.done()
