-- Iterators over answers that come in pages.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

-- Answers of the stand-in, in order; what was asked for is noted, since the fields' table is used again.
local function answers(list)
  local asked = {}
  stub.answer = function(_, fields)
    local copy = {}
    for k, v in pairs(fields) do copy[k] = v end
    asked[#asked + 1] = copy
    return table.remove(list, 1)
  end
  return asked
end

local function collect(...)
  local all = {}
  for item in ... do all[#all + 1] = item end
  return all
end

test("a page after the other by next, empty ones included", function()
  local line = stub.fresh()
  local asked = answers{{userIds = {"a", "b"}, next = "n1"}, {userIds = {}, next = "n2"}, {userIds = {"c"}}}
  same(collect(line.each_follower{limit = 2}), {"a", "b", "c"})
  same(asked, {{limit = 2}, {limit = 2, start = "n1"}, {limit = 2, start = "n2"}})
  same(stub.calls[1].what, "line.each_follower")
  stub.answer = nil
end)

test("the natural argument, and a start in the middle", function()
  local line = stub.fresh()
  local asked = answers{{memberIds = {"m"}}, {items = {{couponId = "1"}}}}
  same(collect(line.each_group_member("G1")), {"m"})
  same(collect(line.each_coupon{start = "here", status = {"RUNNING"}}), {{couponId = "1"}})
  same(asked, {{groupId = "G1"}, {start = "here", status = {"RUNNING"}}})
  stub.answer = nil
end)

test("a page after the other by number", function()
  local line = stub.fresh()
  local asked = answers{{audienceGroups = {1, 2}, hasNextPage = true, totalCount = 3},
    {audienceGroups = {3}, hasNextPage = false}}
  same(collect(line.each_audience_group()), {1, 2, 3})
  same(asked, {{page = 1}, {page = 2}})
  stub.answer = nil
end)

test("a platform that repeats itself does not hold the script", function()
  local line = stub.fresh()
  answers{{userIds = {"a"}, next = "n1"}, {userIds = {"b"}, next = "n1"}, {userIds = {"never"}}}
  same(collect(line.each_follower()), {"a", "b"})
  stub.answer = nil
end)

test("every list of the platform has its iterator, and no other operation", function()
  local line = stub.fresh()
  local names = {}
  for name in pairs(line) do
    if name:find("^each_") then names[#names + 1] = name end
  end
  table.sort(names)
  same(names, {"each_aggregation_unit_name", "each_audience_group", "each_coupon", "each_follower", "each_group_member",
    "each_joined_membership_user", "each_module", "each_room_member", "each_shared_audience_group"})
end)

test("nothing is asked before the first item, and what is no table of fields is refused", function()
  local line = stub.fresh()
  line.each_follower()
  same(#stub.calls, 0)
  raises("line.each_follower: takes a table of fields, not a string", line.each_follower, "U1")
end)

tap.done()
