-- What moonline check finds in the text of a bot.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same = tap.test, tap.same
local line = stub.fresh()
local lint = require "line.lint"

local function check(text)
  assert(load(text)) -- only what Lua compiles is ever looked at
  local problems, found = {}, {}
  lint.check({["bot.lua"] = text}, problems, line)
  for i, p in ipairs(problems) do found[i] = p.where:match("%d+$") .. " " .. p.text end
  return found
end

test("a write to an undeclared name", function()
  same(check "count = 1", {"1 'count' is written without being declared: local count = …"})
  same(#check "function helper() end", 1)
  same(#check "local a, b\na, c, b.x = 1, 2, 3", 1)
  same(#check "for i = 1, 2 do j = i end", 1)
  same(#check "local x = 1\ndo local y = 2 end\ny = 3", 1)
  same(#check "repeat local z = 1 until z\nz = 2", 1)
  same(#check "local function f(a, ...) a = 1; f = 2; b = 3 end", 1)
end)

-- As in a worker, where reading what nothing declares raises; `unpack` stands for names of other Luas, which are nil.
local function strict(text)
  local was = getmetatable(_G)
  setmetatable(_G, {__index = function(_, name) if name ~= "unpack" then error("undeclared " .. name) end end})
  local found = check(text)
  setmetatable(_G, was)
  return found
end

test("a read of an undeclared name", function()
  same(strict "local count = 0\nreturn Count + 1", {"2 'Count' is not declared (did you mean 'count'?)"})
  same(strict "printt('x')", {"1 'printt' is not declared (did you mean 'print'?)"})
  same(strict "local t = {}\nt[qqqqqq] = 1\nqqqqqq.x = t", {"2 'qqqqqq' is not declared", "3 'qqqqqq' is not declared"})
  same(strict "print(qqqqqq, qqqqqq)\nprint(qqqqqq)",
    {"1 'qqqqqq' is not declared", "2 'qqqqqq' is not declared"})
  same(strict 'store.set("a", 1)', {"1 'store' is not declared: local store = require \"store\""})
  same(strict "do local inner = 1 end\nreturn inner", {"2 'inner' is not declared"})
  same(strict [==[
local table_unpack = table.unpack or unpack
local function again(n, ...) return n > 0 and again(n - 1, ...) or select("#", ...) end
local t = {unknown = 1, again = again}
function t:method() return self.unknown, t.missing, _ENV, _G.other end
repeat local last = t.method(t) until last
for k, v in pairs(t) do print(k, v, t[k], table_unpack) end
goto done
::done::
do local _ENV = {}; return free end
]==], {})
end)

test("slips with the methods of an event", function()
  local head = "local line = require 'line'\n"
  same(check(head .. "line.on('follow', function(e, next) next(e) e:repl('x') e:push 'x' end)"),
    {"2 e:repl does not exist (did you mean 'reply'?)"})
  same(check(head .. "line.hear('a', function(event) if event.mode then\nevent.reply('x') event.push{} end end)"),
    {"3 event.reply(…) hands no event over: write event:reply(…)",
      "3 event.push(…) hands no event over: write event:push(…)"})
  same(check(head .. "line.postback('a', function(e, args) args:repli() return pcall(e.profile, e) end)"), {})
  same(check(head .. "line.on('*', function(e) e:anything_else() e.session = {} e.reply = nil e.x.reply() end)"), {})
  same(check(head .. "line.on('*', wrap(function(e) e:repl() end))\nline.spawn(function(e) e:repl() end)"), {})
  same(check(head .. "line.on('*', function(e) local e = other() e:repl() end)"), {})
end)

test("no false alarms", function()
  same(check [==[
local line = require "line"
line.check = line.check == "off" and "strict" or "warn"
local t <const>, u <close> = {a = 1, ["b"] = 2, 3; function() return end}, nil
local v <const> =1
--[[ count = 1 ]] --[=[ x = 2
]=] -- y = 3
t.x, t["y"], t.z.w = "s = 1", 's = \'2\'', [[s = 3]]
function t.f(a) a = a or 1 end
function t:g(a) self.x = a; a = 2 end
local function h() return h end
for k, w in pairs(t) do k, w = w, k end
for i = 1, 3 do local q = i; q = q + 1 end
while v do local b = 1 b = 2 break end
repeat local c = 1; c = 2 until c == 2
if v then local d; d = 1 elseif u then local e; e = 2 else local g; g = 3 end
goto done
::done::
do local s = ("x"):rep(3) .. #t .. -v .. 0x1p-4 .. 1e-5 .. 3 // 2 .. 1 << 2; s = not s ~= ~v end
line.on("message", function(event, next) event:reply "x" next() return line.text{text = "a"}, line.flex.bubble{} end)
line.helper = function() end
line.flex.mine = 1
(t.f or h)(1).x = 2
local _ENV = {}
free = 1
return t.x, (t)
]==], {})
end)

test("functions of line that do not exist", function()
  same(check 'local line = require "line"\nline.get_profil("x")',
    {"2 line.get_profil does not exist (did you mean 'get_profile'?)"})
  same(#check 'local l = require("line")\nl.action.postbak("a")\nl.flex.bubbel{}\nl.push("U", l.txet("a"))', 3)
  same(check 'local line = require "line"\nline.imagemap.ury()\nline.quick_reply.itm()\nline.imagemap.uri("a")',
    {"2 line.imagemap.ury does not exist", "3 line.quick_reply.itm does not exist"})
  same(check 'local line = require "line"\nline.action.postback("a", "b").x.y = 1', {})
  same(check 'local line = require "line"\n-- line.nope()\nlocal s = "line.nope()"', {})
  same(check 'local line = {}\nline.nope()', {})
  same(check 'local line = require "line"\nlocal function f(line) line.nope() end', {})
  same(check 'local line = require "line"\nline = {}\nline.nope()', {})
  same(check 'local on = require "line".on\non.nope()', {})
  same(check 'local line = require "line.extra"\nline.nope()', {})
end)

test("a text that is not Lua is left out", function()
  local problems = {}
  lint.check({["bad.lua"] = "x = = 1 end", ["deep.lua"] = "x = 1"}, problems, line)
  same(#problems, 1)
  same(problems[1].where, "deep.lua:1")
end)

test("moonline's own Lua has no such problems", function()
  local sources = {}
  for _, name in ipairs{"init", "router", "lint", "lexer", "event", "messages", "build", "send", "selector"} do
    local file <close> = assert(io.open("scripts/line/" .. name .. ".lua"))
    sources[name] = file:read("a")
  end
  local problems = {}
  lint.check(sources, problems, line)
  same(problems, {})
end)

tap.done()
