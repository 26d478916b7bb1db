-- The emulator's check of bodies: the specimens of tests/unit/check_good.def and check_bad.def, which the check before
-- sending is held against too; then the wordings and properties of the three layers.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
local check = require "emulator.check"
local walk = require "emulator.check_walk"
local errors = require "emulator.errors"
require "emulator.check_rules"
require "emulator.check_flex"

local json = kit.json
kit.world()

-- ---- specimens ----

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The C strings of a text, put together.
local function unquote(s)
  return (s:gsub("\\(.)", {n = "\n", ['"'] = '"', ["\\"] = "\\"}))
end

-- The names that the specimens use: the strings of `prelude` in tests/unit/test_check.c.
local function names()
  local source = read("tests/unit/test_check.c"):match("prelude%[%] =(.-);\n\n")
  local lines = {}
  for s in source:gmatch('"(.-)"\n') do lines[#lines + 1] = unquote(s) end
  lines[#lines + 1] = unquote(source:match('"([^\n]*)"%s*$'))
  local env = setmetatable({json = json}, {__index = _G})
  assert(load(table.concat(lines), "prelude", "t", env))()
  return env
end

local env = names()

-- Each ROW of a file: kind, value as the platform reads it, the expression. section: only below that heading, or, with
-- "not " before it, everywhere else.
local function specimens(path)
  local rows, section = {}, ""
  for line in read(path):gmatch("[^\n]+") do
    section = line:match("^/%* %-%-%-%- (.-) %-%-%-%- %*/") or section
    local kind, expression = line:match('^ROW%("(.-)", "(.-[^\\])"[,)]')
    if kind then
      local text = unquote(expression)
      local value = assert(load("return " .. text, text, "t", env))()
      rows[#rows + 1] = {kind = kind, value = json.decode(json.encode(value)), text = text, section = section}
    end
  end
  return rows
end

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

local good = specimens("tests/unit/check_good.def")
local bad = specimens("tests/unit/check_bad.def")

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
