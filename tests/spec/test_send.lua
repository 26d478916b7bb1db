-- The short forms of the five sends.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local hi = {type = "text", text = "hi"}

test("push takes messages one after the other, options last", function()
  local line = stub.fresh()
  line.push("U1", "hi", {hi, "hi"}, {customAggregationUnits = {"a"}, timeout = 2})
  same(stub.calls[1], {name = "push_message", what = "line.push", options = {timeout = 2},
    fields = {to = "U1", messages = {hi, hi, hi}, customAggregationUnits = {"a"}}})
  raises("the first argument is the id of a user, group or room, not a nil", line.push)
  raises("there is no message", line.push, "U1")
end)

test("reply, multicast, narrowcast, broadcast", function()
  local line = stub.fresh()
  line.reply("t", "hi")
  line.multicast({"U1", "U2"}, {hi, "hi"}, {notificationDisabled = true})
  line.narrowcast(hi, {limit = {max = 5}, retry_key = false})
  line.broadcast{"hi"}
  same(stub.calls[1].fields, {replyToken = "t", messages = {hi}})
  same(stub.calls[2].fields, {to = {"U1", "U2"}, messages = {hi, hi}, notificationDisabled = true})
  same(stub.calls[3].fields, {messages = {hi}, limit = {max = 5}})
  same(stub.calls[3].options, {retry_key = false})
  same(stub.calls[4].fields, {messages = {hi}})
end)

test("the operations of the same name keep their own form", function()
  local line = stub.fresh()
  local fields = {to = {"U1"}, messages = {hi}}
  line.multicast(fields)
  line.broadcast{messages = {hi}}
  assert(rawequal(stub.calls[1].fields, fields))
  same(stub.calls[2].fields, {messages = {hi}})
end)

test("every operation of the table is there under its name", function()
  local line = stub.fresh()
  local n = 0
  for name in pairs(require("line.core").operations) do
    n = n + 1
    same(type(line[name]), "function")
  end
  assert(n >= 40, n)
end)

test("no sound: one name for it in all short forms", function()
  local line = stub.fresh()
  local quiet = {notification_disabled = true, timeout = 3}
  line.push("U1", "hi", quiet)
  line.reply("t", "hi", quiet)
  line.multicast({"U1"}, "hi", quiet)
  line.narrowcast("hi", quiet)
  line.broadcast("hi", quiet)
  for i = 1, 5 do
    same(stub.calls[i].fields.notificationDisabled, true)
    same(stub.calls[i].fields.notification_disabled, nil)
    same(stub.calls[i].options, {timeout = 3})
  end
end)

test("profile", function()
  local line = stub.fresh()
  line.profile("U1")
  same(stub.calls[1], {name = "get_profile", what = "line.profile", fields = "U1"})
end)

tap.done()
