-- The emulator's check of bodies: the specimens of tests/unit/check_good.def and check_bad.def, which the check before
-- sending is held against too; then the wordings and properties of the three layers.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
local specimens = require "emulator_specimens"
local check = require "emulator.check"
local walk = require "emulator.check_walk"
local errors = require "emulator.errors"
require "emulator.check_rules"
require "emulator.check_flex"

local json = kit.json
kit.world()

-- ---- specimens ----

-- What the platform would say to a value of a kind: nil, or the message with its details.
local function refusal(kind, value)
  local ok, e = pcall(function()
    walk.begin(json.encode(value))
    walk.down("messages")
    if kind == "message[]" then
      if not check.is_list(value) then walk.unreadable() end
      check.messages(value)
    elseif not check.is_object(value) then
      walk.unreadable()
    else
      walk.down(1)
      check.object(kind, value)
      walk.up()
    end
    walk.refuse()
  end)
  if ok then return nil end
  if not errors.is(e) then error(e, 0) end
  return e
end

-- Kinds that the emulator does not take as they come: their own fields are checked by the operation.
local UNKNOWN = "what is not known passes"

local good = specimens.read("tests/unit/check_good.def", json)
local bad = specimens.read("tests/unit/check_bad.def", json)

tap.test("the specimens are found", function()
  assert(#good > 100 and #bad > 250, #good .. " and " .. #bad)
end)

for _, row in ipairs(good) do
  if row.section ~= UNKNOWN then
    tap.test("accepted: " .. row.kind .. " " .. row.text:sub(1, 80), function()
      local e = refusal(row.kind, row.value)
      if e then error(tostring(e) .. json.encode(e.body)) end
    end)
  end
end

-- The platform cannot see these: json.encode of the sender has refused or dropped them, or made something else of them.
local UNSEEN = {
  ["text{emojis={index=1}}"] = true,
  ["{type='textV2', text='a', substitution={{type='emoji'}}}"] = true,
}

for _, row in ipairs(bad) do
  if not UNSEEN[row.text] then
    tap.test("refused: " .. row.kind .. " " .. row.text:sub(1, 80), function()
      if not refusal(row.kind, row.value) then error("accepted") end
    end)
  end
end

tap.done()
