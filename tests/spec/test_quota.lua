-- line.quota: what is fetched, what is counted, what is kept.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same = tap.test, tap.same

-- A fresh line with these answers of LINE.
local function start(plan, used)
  local line = stub.fresh()
  stub.sent = {10, 0}
  stub.answer = function(name)
    return name == "get_message_quota" and plan or {totalUsage = used}
  end
  return line
end

test("figures are fetched once, pushes since are counted", function()
  local line = start({type = "limited", value = 200}, 150)
  same(line.quota(), {type = "limited", limit = 200, used = 150, remaining = 50})
  stub.sent[1] = 13
  same(line.quota(), {type = "limited", limit = 200, used = 153, remaining = 47})
  same(#stub.calls, 2)
  stub.sent[1] = 100
  same(line.quota().remaining, 0)
end)

test("a send to many, or the wish for it, fetches anew", function()
  local line = start({type = "limited", value = 200}, 150)
  line.quota()
  stub.sent[2] = 1
  line.quota()
  same(#stub.calls, 4)
  line.quota()
  same(#stub.calls, 4)
  line.quota{fresh = true}
  same(#stub.calls, 6)
end)

test("a plan without a limit has no remainder", function()
  local line = start({type = "none"}, 3)
  same(line.quota(), {type = "none", used = 3})
end)

tap.done()
