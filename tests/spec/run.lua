-- Runs the Lua tests, from the project's root: lua5.4 tests/spec/run.lua [test_x …]. Prints TAP for all together.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"

local names = {...}
if #names == 0 then
  names = {
    "test_router", "test_event", "test_messages", "test_send", "test_pages", "test_richmenu",
    "test_account_link", "test_lint", "test_event_facts", "test_text", "test_web",
  }
end
tap.more = true
for _, name in ipairs(names) do
  local before = tap.count
  dofile("tests/spec/" .. name .. ".lua")
  if tap.count == before then tap.test(name .. " has tests", function() error("it ran none") end) end
end
tap.more = false
tap.done()
