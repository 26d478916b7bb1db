-- Failures on demand: the grammar, which calls they meet, what a caller sees.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local api = require "emulator.api"
local clock = require "emulator.clock"
local faults = require "emulator.faults"

api.options.before = faults.before

local function push()
  return kit.post("/v2/bot/message/push", {to = kit.user(1), messages = {{type = "text", text = "x"}}})
end

local function statuses(n)
  local out = {}
  for i = 1, n do out[i] = push() or 0 end
  return table.concat(out, " ")
end

tap.test("the grammar of the command line", function()
  local function same(text, want) tap.same(faults.parse(text), want) end
  same("push_message:2=429", {operation = "push_message", nth = 2, times = 1, ["do"] = "status", status = 429})
  same("push_message=500", {operation = "push_message", ["do"] = "status", status = 500})
  same("*:3x2=drop", {operation = "*", nth = 3, times = 2, ["do"] = "drop"})
  same("*:*=delay:1500", {operation = "*", nth = 1, times = 0, ["do"] = "delay", ms = 1500})
  same("webhook:1=duplicate", {operation = "webhook", nth = 1, times = 1, ["do"] = "duplicate"})
  same("webhook=redeliver", {operation = "webhook", ["do"] = "redeliver"})
  tap.raises("write OPERATION:N=WHAT", faults.parse, "push_message")
  tap.raises("'two' is no number of a call", faults.parse, "push_message:two=429")
  tap.raises("say how long, as in delay:1500", faults.parse, "push_message=delay")
  tap.raises("nothing may stand behind 'drop'", faults.parse, "push_message=drop:5")
  tap.raises("'explode' is neither a status", faults.parse, "push_message=explode")
end)

tap.test("what a fault cannot be", function()
  deeds.world()
  local function refused(part, fields) tap.raises(part, faults.add, fields) end
  refused("there is no operation 'push_mesage'; did you mean 'push_message'?", {operation = "push_mesage",
    ["do"] = "drop"})
  refused("operation: the name", {["do"] = "drop"})
  refused("do: \"burn\" is none of", {operation = "*", ["do"] = "burn"})
  refused("'duplicate' is not for calls", {operation = "push_message", ["do"] = "duplicate"})
  refused("'status' is not for webhooks", {operation = "webhook", ["do"] = "status", status = 500})
  refused("status: from 400 to 599", {operation = "*", ["do"] = "status", status = 600})
  refused("status: a whole number", {operation = "*", ["do"] = "status"})
  refused("ms: a whole number", {operation = "*", ["do"] = "delay"})
  refused("nth: a whole number from 1", {operation = "*", ["do"] = "drop", nth = 0})
  refused("n: a fault has no such field", {operation = "*", ["do"] = "drop", n = 1})
  tap.same(faults.list(), {})
end)

tap.test("the n-th call of an operation, so many times, and no other operation", function()
  deeds.world()
  faults.add(faults.parse("push_message:2x2=500"))
  tap.same(statuses(2), "200 500")
  tap.same((kit.get("/v2/bot/info")), 200)
  tap.same(statuses(3), "500 200 200")
  tap.same({faults.list()[1].hits, faults.list()[1].over}, {2, true})
  local _, overview = deeds.control("GET", "/_/world")
  tap.same(#overview.faults, 0)
end)

tap.test("any operation, for ever, until it is removed", function()
  deeds.world()
  local fault = faults.add(faults.parse("*:*=503"))
  tap.same({statuses(2), (kit.get("/v2/bot/info"))}, {"503 503", 503})
  tap.same({faults.remove(fault.id), faults.remove(fault.id)}, {true, false})
  tap.same(statuses(1), "200")
end)

tap.test("a status has the platform's body, or the one that is given", function()
  deeds.world()
  faults.add(faults.parse("push_message=429"))
  local _, body = push()
  tap.same(body, {message = "The API rate limit has been exceeded. Try again later."})
  faults.add{operation = "push_message", ["do"] = "status", status = 429,
    body = {message = "You have reached your monthly limit."}}
  _, body = push()
  tap.same(body, {message = "You have reached your monthly limit."})
  tap.same(kit.chat(kit.user(1)).n, 0)
end)

tap.test("delays, alone and before a status; a broken connection", function()
  deeds.world()
  faults.add(faults.parse("push_message=delay:1500"))
  faults.add(faults.parse("push_message:1=500"))
  local line = require "line"
  local from = line.now()
  tap.same({statuses(1), line.now() - from == 1500}, {"500", true})
  faults.add(faults.parse("push_message=drop"))
  tap.same(push(), nil)
  tap.same(statuses(1), "200")
end)

tap.test("by the controls, as a text or in fields", function()
  deeds.world()
  local status, fault = deeds.control("POST", "/_/faults", {body = {fault = "push_message:1=429"}})
  tap.same({status, fault.operation, fault.nth, fault.status}, {200, "push_message", 1, 429})
  local _, other = deeds.control("POST", "/_/faults", {body = {operation = "*", ["do"] = "drop"}})
  local _, list = deeds.control("GET", "/_/faults")
  tap.same({#list.faults, list.faults[2].id}, {2, other.id})
  tap.same((deeds.control("DELETE", "/_/faults/:id", {params = {id = other.id}})), 200)
  tap.same((deeds.control("DELETE", "/_/faults/:id", {params = {id = other.id}})), 404)
  local refused, answer = deeds.control("POST", "/_/faults", {body = {fault = "x=y=z"}})
  tap.same({refused, answer.message:find("write OPERATION", 1, true) ~= nil}, {400, true})
  deeds.control("DELETE", "/_/faults")
  tap.same(faults.list(), {})
  tap.same(clock.mode(), "virtual")
end)

tap.done()
