-- Builders: what each makes, and what a wrong call is told.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises
local line = stub.fresh()
local core = require "line.core"
local cases = require "cases_messages"(line)

local action = line.action.message("Menu")

for _, case in ipairs(cases) do
  test(case[1], function() same(case[2], case[3]) end)
end

-- Every name that a builder has in the comment above it, in all files of message/.
local function documented()
  local names = {}
  local families = assert(io.popen("ls scripts/line/message/*.lua"))
  for path in families:lines() do
    for text in io.lines(path) do
      local name, arrow = text:match("^%s*%-%- (line%.[%w_.]+)%(.-%)(.*)$")
      if name then names[name] = arrow end
    end
  end
  families:close()
  return names
end

test("every builder has a comment with its form and kind, and every comment its builder", function()
  local there, names = {}, documented()
  local function visit(prefix, group)
    for name, value in pairs(group) do
      there[prefix .. name] = true
      if type(value) == "table" then visit(prefix .. name .. ".", value) end
    end
  end
  visit("line.", require "line.messages".builders)
  -- Groups that only hold others.
  there["line.action"], there["line.richmenu_batch"], there["line.recipient"] = nil, nil, nil
  for name in pairs(there) do
    if not names[name] then error(name .. " is not documented") end
    if not names[name]:find("^ → ") then error(name .. ": the comment says no kind") end
  end
  for name in pairs(names) do
    if not there[name] then error(name .. " is documented and does not exist") end
  end
end)

test("the kinds named by the comments are those of the schema", function()
  local kinds = {}
  for text in io.lines("runtime/line/schema.def") do
    local kind = text:match("^%u+%(([%w_]+),")
    if kind then kinds[kind] = true end
  end
  for name, arrow in pairs(documented()) do
    local kind = arrow:match("^ → ([%w_]+)$") or arrow:match("^ → list of ([%w_]+)$")
    if not kinds[kind] then error(name .. ": there is no kind '" .. tostring(kind) .. "'") end
  end
end)

test("what a script passed in is copied, not changed", function()
  local fields, list = {text = "a"}, {action}
  local emojis, substitution = {{productId = "p", emojiId = "1"}}, {n = 1}
  line.text(fields)
  line.text("$", {emojis = emojis})
  line.text_v2("{n}", substitution)
  line.richmenu_grid(1, 1, list)
  same({fields, list, emojis, substitution}, {{text = "a"}, {{type = "message", label = "Menu", text = "Menu"}},
    {{productId = "p", emojiId = "1"}}, {n = 1}})
  same(line.imagemap.grid(1, 1, {action}, {height = 1})[1] == action, false)
end)

test("what is no place of a name stays in the text, for the check to tell of", function()
  same(line.text_v2("{x} {n} { } {n {é} {", {n = 1}).text, "{x} 1 { } {n {é} {")
end)

test("where each was built is known", function()
  local here = debug.getinfo(1, "l").currentline
  for i, built in ipairs{line.text("a"), line.flex("a", {}), line.quick_reply(action), line.recipient.all_of{action},
    line.buttons("a", "b", {}), line.filter.gender("male"), line.audiences("a"), line.richmenu_grid(1, 1, {})} do
    local at = tonumber((core.built_at(built) or ""):match("^test_messages.lua:(%d+)$"))
    if not at or at <= here or at > here + 2 then error("case " .. i .. ": " .. tostring(core.built_at(built))) end
  end
end)

test("names that do not exist", function()
  raises("line.txt does not exist", function() return line.txt end)
  raises("line.get_profil does not exist (did you mean 'get_profile'?)", function() return line.get_profil end)
  raises("line.action.postbak does not exist", function() return line.action.postbak end)
  raises("line.flex.bubbel does not exist", function() return line.flex.bubbel end)
  raises("line.recipient.all does not exist", function() return line.recipient.all end)
end)

test("wrong shapes of a call", function()
  raises("line.sticker: after packageId, stickerId comes a table of more fields, not a string", line.sticker, "1", "2",
    "3")
  raises("line.sticker: takes 2 arguments and a table of more fields, not 4", line.sticker, "1", "2", {}, 4)
  raises("line.flex.separator: after nothing comes a table", line.flex.separator, "md")
end)

test("what cannot be right is said at once", function()
  raises("line.text: there are 2 emojis and only 1 '$' in the text", line.text, "$", {emojis = {{}, {}}})
  raises("line.text: the text is not UTF-8", line.text, "\xff$", {emojis = {{}}})
  raises("line.text: emoji 1 is a string", line.text, "$", {emojis = {"x"}})
  raises("line.quick_reply: item 1 is not an action", line.quick_reply, "x")
  raises("line.recipient.any_of: takes at least one recipient", line.recipient.any_of)
  raises("line.filter.all_of: filter 2 is a string, not a table", line.filter.all_of, {type = "age"}, "x")
  raises("line.filter.except: takes a filter, not a nil", line.filter.except)
  raises("line.audiences: id 2 is a number", line.audiences, "U1", 2)
  raises("line.richmenu_grid: 3 actions do not fit into 1 by 2 cells", line.richmenu_grid, 1, 2,
    {action, action, action})
  raises("line.richmenu_grid: columns is to be an integer from 1, not 0", line.richmenu_grid, 0, 2, {})
  raises("line.richmenu_grid: actions is to be a list", line.richmenu_grid, 1, 1, action)
  raises("line.richmenu_grid: action 1 is a string", line.richmenu_grid, 1, 1, {"x"})
  raises("line.imagemap.grid: height is to be an integer from 1, not nil", line.imagemap.grid, 1, 1, {})
end)

tap.done()
