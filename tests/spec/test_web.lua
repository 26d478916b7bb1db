-- The pure half of the module web: paths of routes, and what browsers send.

package.path = "tests/spec/?.lua;scripts/?.lua;" .. package.path
local tap = require "tap"
local decode = require "web.decode"
local route = require "web.route"
local test, same = tap.test, tap.same

local function set(...)
  local made = route.set()
  for _, line in ipairs{...} do
    local method, path = line:match("^(%S+) (%S+)$")
    made:add(method ~= "*" and method or nil, assert(route.compile(path)), line)
  end
  return made
end

local function find(routes, method, path)
  local entry, params = routes:find(method, route.split(path))
  return entry or "none", params
end

test("paths in segments", function()
  same(route.split("/"), {""})
  same(route.split("/a/b"), {"a", "b"})
  same(route.split("/a//b/"), {"a", "", "b", ""})
end)

test("what is no path", function()
  for path, words in pairs{
    ["a"] = "begins with /", ["/*/a"] = "last segment", ["/a*"] = "alone in the last segment", ["/:"] = "no name",
    ["/:a/:a"] = "twice", ["/:a-b"] = "no name", ["/a?b"] = "no ?", ["/a\n"] = "no ?",
  } do
    local made, why = route.compile(path)
    same(made, nil)
    if not why:find(words, 1, true) then error(path .. ": " .. why) end
  end
  same((route.compile(7)), nil)
end)

test("the first that matches is taken, whatever comes later", function()
  local routes = set("GET /a/:x", "GET /a/b", "* /a/:x/:y", "POST /*", "GET /f/*", "GET /")
  same({find(routes, "GET", "/a/b")}, {"GET /a/:x", {x = "b"}})
  same({find(routes, "PUT", "/a/1/2")}, {"* /a/:x/:y", {x = "1", y = "2"}})
  same({find(routes, "POST", "/")}, {"POST /*", {["*"] = ""}})
  same({find(routes, "POST", "/x/y/")}, {"POST /*", {["*"] = "x/y/"}})
  same({find(routes, "HEAD", "/f/")}, {"GET /f/*", {["*"] = ""}})
  same({find(routes, "GET", "/f")}, {"none", {"POST"}})
  same({find(routes, "GET", "/a/")}, {"none", {"POST"}})
  same({find(routes, "DELETE", "/a/b")}, {"none", {"GET", "HEAD", "POST"}})
  same({find(routes, "GET", ("/x"):rep(5000))}, {"none", {"POST"}})
  same({find(set("GET /a"), "GET", "/b")}, {"none", {}})
end)

test("a parameter is never empty, a literal may be", function()
  local routes = set("GET /:a/", "GET /x//y")
  same({find(routes, "GET", "/x/")}, {"GET /:a/", {a = "x"}})
  same({find(routes, "GET", "//")}, {"none", {}})
  same({find(routes, "GET", "/x//y")}, {"GET /x//y", {}})
end)

test("percent escapes", function()
  same(decode.percent("a%20b%2F%e3%81%82"), "a b/\u{3042}")
  same(decode.percent("a+b"), "a+b")
  for _, bad in ipairs{"%", "%2", "%2g", "a%", "%%41", "%00"} do same((decode.percent(bad)), nil) end
end)

test("queries", function()
  same(decode.query(""), {})
  same(decode.query("a=1&b=&c&a=2&=x&&d=e=f+g%3D"), {a = "2", b = "", c = "", [""] = "x", d = "e=f g="})
  same((decode.query("a=%")), nil)
  same((decode.query("%=1")), nil)
end)

test("cookies", function()
  local header = 'a=1; bb=2;c="x y" ; d=e=f;g'
  for name, value in pairs{a = "1", bb = "2", c = "x y", d = "e=f"} do same(decode.cookie(header, name), value) end
  same(decode.cookie(header, "b"), nil)
  same(decode.cookie("", "b"), nil)
end)

test("parameters of a header", function()
  local header = 'form-data; name="a;b"; FileName = "q\\"\\\\" ;x=y; z; w="open'
  for name, value in pairs{name = "a;b", filename = 'q"\\', x = "y", w = "open"} do
    same(decode.parameter(header, name), value)
  end
  same(decode.parameter(header, "z"), nil)
  same(decode.parameter("a", "name"), nil)
end)

test("multipart bodies cut anywhere are refused, never misread", function()
  local body = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\none\r\n--b\r\nContent-Disposition: form-data; '
    .. 'name="y"; filename="f"\r\nContent-Type: a/b\r\n\r\n\r\n--b--'
  local want = {{name = "x", type = "text/plain", body = "one"}, {name = "y", filename = "f", type = "a/b", body = ""}}
  same(decode.multipart(body, "b"), want)
  same(decode.multipart("before\r\n" .. body .. "\r\nbehind", "b"), want)
  for n = 0, #body - 1 do same((decode.multipart(body:sub(1, n), "b")), nil) end
end)

test("long runs of blanks take no long time", function()
  local blanks = (" "):rep(200000)
  local began = os.clock()
  same(decode.cookie("a=" .. blanks .. "x; b =" .. blanks .. "; c=1", "c"), "1")
  same(decode.cookie("a=" .. blanks .. "x" .. blanks, "a"), "x")
  same(decode.cookie("a=" .. blanks, "a"), "")
  same((decode.multipart("--b\r\nX: " .. blanks .. "y\r\n\r\n1\r\n--b--", "b")), nil)
  same((decode.multipart("--b" .. blanks .. "y", "b")), nil)
  same(decode.parameter("a;" .. blanks .. "b=" .. blanks .. "c;" .. blanks, "z"), nil)
  if os.clock() - began > 1 then error("it took " .. os.clock() - began .. " s") end
end)

test("dates", function()
  same(decode.date("Thu, 01 Jan 1970 00:00:00 GMT"), 0)
  same(decode.date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777)
  same(decode.date("Tue, 29 Feb 2000 23:59:59 GMT"), 951868799)
  same(decode.date("Wed, 01 Mar 2000 00:00:00 GMT"), 951868800)
  same((decode.date("Sun, 06 Nov 94 08:49:37 GMT")), nil)
  for i = 0, 2000 do
    local t = i * 997 * 1013
    same(decode.date(os.date("!%a, %d %b %Y %H:%M:%S GMT", t)), t)
  end
end)

tap.done()
