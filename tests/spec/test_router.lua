-- Which handler gets which event, next, hear, postback, and what moonline check reports.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local function text(words, source)
  return {type = "message", replyToken = "r", message = {type = "text", id = "1", text = words},
    source = source or {type = "user", userId = "U1"}}
end

test("the first match in order of registration handles", function()
  local line, router = stub.fresh()
  local seen = {}
  line.on("message.image", function() seen[#seen + 1] = "image" end)
  line.on("message.text@group", function() seen[#seen + 1] = "group" end)
  line.on("message.text", function() seen[#seen + 1] = "text" end)
  line.on("*", function() seen[#seen + 1] = "any" end)
  same(router.handle(text("a")), true)
  same(router.handle(text("a", {type = "group", groupId = "C1"})), true)
  same(router.handle({type = "message", message = {type = "image"}, source = {type = "user"}}), true)
  same(router.handle({type = "follow", source = {type = "user"}}), true)
  same(router.handle({type = "inventedLater"}), true)
  same(seen, {"text", "group", "image", "any", "any"})
end)

test("no handler: false", function()
  local line, router = stub.fresh()
  line.on("follow", function() end)
  same(router.handle(text("a")), false)
  same(router.handle({}), false)
  same(router.handle({type = 5, source = "x", message = 1}), false)
end)

test("types this version does not know are handled, subtypes too", function()
  local line, router = stub.fresh()
  local n = 0
  line.on("teleport.far", function() n = n + 1 end)
  same(router.handle({type = "teleport", teleport = {type = "far"}}), true)
  same(router.handle({type = "teleport", teleport = {type = "near"}}), false)
  same(n, 1)
  same(#stub.warnings, 1)
end)

test("next passes on, returns what the next returned, and only once", function()
  local line, router = stub.fresh()
  local trace = {}
  line.on("*", function(event, next)
    trace[#trace + 1] = "in"
    trace[#trace + 1] = next()
    trace[#trace + 1] = "out"
    raises("has passed the event on already", next)
    return event
  end)
  line.on("message.text", function() return "handled" end)
  router.handle(text("a"))
  same(trace, {"in", "handled", "out"})
end)

test("next works from inside a coroutine that waits", function()
  local line, router = stub.fresh()
  local got
  line.on("*", function(_, next)
    coroutine.yield()
    got = next()
  end)
  line.on("message", function()
    coroutine.yield()
    return "late"
  end)
  local co = coroutine.wrap(function() router.handle(text("a")) return "end" end)
  co() co()
  same(co(), "end")
  same(got, "late")
end)

test("hear hands over captures, then next", function()
  local line, router = stub.fresh()
  local got
  line.hear("^add (%d+) (%d+)$", function(_, a, b, next) got = {a, b, type(next)} end)
  line.hear("^hello", function(_, whole) got = {whole} end)
  line.hear("^()x", function(_, at) got = {at} end)
  router.handle(text("add 1 22"))
  same(got, {"1", "22", "function"})
  router.handle(text("hello you"))
  same(got, {"hello"})
  router.handle(text("xyz"))
  same(got, {1})
  same(router.handle(text("nothing")), false)
end)

test("postback matches the name and decodes the arguments", function()
  local line, router = stub.fresh()
  local got
  line.postback("buy", function(_, args) got = args end)
  local function data(d) return {type = "postback", postback = {data = d}, source = {type = "user"}} end
  router.handle(data("buy?item=caf%C3%A9+au%26lait&n=2&flag&x=a=b"))
  same(got, {item = "café au&lait", n = "2", flag = "", x = "a=b"})
  router.handle(data("buy"))
  same(got, {})
  same(router.handle(data("buyer?x=1")), false)
  same(router.handle({type = "postback"}), false)
end)

test("registration refuses what cannot be meant, at the caller's line", function()
  local line, router = stub.fresh()
  local f = function() end
  raises("test_router.lua:", line.on, "message..text", f)
  raises("is not a selector", line.on, "", f)
  raises("the source is user, group or room", line.on, "message@grupo", f)
  raises("must be a function, not a nil", line.on, "message")
  for _, pattern in ipairs{"(%d", "a)", "[a", "x%", "[^]", "[]%", "(()"} do
    raises("malformed pattern", line.hear, pattern, f)
  end
  for _, pattern in ipairs{"[]]", "[^]]", "%(", "[(]", "%b()", "%f[%w](x)", "()", "[%]](.)"} do
    line.hear(pattern, f)
  end
  raises("without ? and &", line.postback, "a?b", f)
  router.loaded()
  raises("handlers are registered while the bot loads", line.on, "message", f)
end)

test("report lists handlers, and those that never match", function()
  local line, router = stub.fresh()
  local f = function() end
  line.on("follow@group", f)
  line.on("message.text", f)
  line.hear("^hi", f)
  line.on("message.text@room", f)
  line.on("folow", f)
  line.on("postback.x", f)
  line.on("*", function(_, next) next() end)
  line.on("message.image", f)
  line.on("message.hologram", f)
  local report = router.report()
  same(router.count(), 9)
  same(report.handlers[3].kind, "hear")
  same(report.handlers[3].selector, "^hi")
  assert(report.handlers[1].where:find("test_router.lua:%d+"))
  local texts = {}
  for i, p in ipairs(report.problems) do texts[i] = p.text end
  same(#texts, 5)
  assert(texts[1]:find("never come from a group (only from: user)", 1, true), texts[1])
  assert(texts[2]:find("hear '^hi' never matches: message.text at test_router.lua:", 1, true), texts[2])
  assert(texts[3]:find("message.text@room never matches", 1, true), texts[3])
  assert(texts[4]:find("not an event type that this version knows", 1, true), texts[4])
  assert(texts[5]:find("have no subtypes", 1, true), texts[5])
end)

test("the reply queue is sent once, after the whole chain", function()
  local line, router = stub.fresh()
  line.on("*", function(event, next)
    event:reply("first")
    next()
    event:reply(line.sticker(446, 1988))
  end)
  line.on("message", function(event) event:reply("second") end)
  router.handle(text("a"))
  same(#stub.calls, 1)
  same(stub.calls[1].name, "reply_message")
  same(stub.calls[1].fields, {replyToken = "r", messages = {{type = "text", text = "first"},
    {type = "text", text = "second"}, {type = "sticker", packageId = "446", stickerId = "1988"}}})
  same(stub.calls[1].what, "event:reply")
end)

test("a handler that raises sends nothing", function()
  local line, router = stub.fresh()
  line.on("message", function(event)
    event:reply("never")
    error("oops")
  end)
  raises("oops", router.handle, text("a"))
  same(#stub.calls, 0)
end)

tap.done()
