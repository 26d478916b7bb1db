-- The one rule of all builders, and the tables made from it.
--
-- A builder takes its natural arguments in order, and then, if wanted, a table with more fields:
--     line.sticker("446", "1988", {quoteToken = token})
-- or everything in one table:
--     line.sticker{packageId = "446", stickerId = "1988", quoteToken = token}
-- It returns a new plain table with LINE's own field names, which knows the script's line that built it. Nothing is
-- checked here but the shape of the call; the whole is checked against LINE's limits when it is sent.
--
-- The comment above each builder says its form and, behind the arrow, the kind of runtime/line/schema.def it makes:
--     -- line.sticker(packageId, stickerId[, more]) → sticker_message
-- then in sentences what it does, takes beyond the names, returns beyond the kind, and raises beyond a wrong shape.

local core = require "line.core"
local errors = require "line.errors"

local build = {
  groups = setmetatable({}, {__mode = "k"}), -- every group's table → its name
  settings = setmetatable({}, {__mode = "k"}), -- a group's table → names that may be read and set, but are no fields
}

-- build.builder(what, type, names[, finish])
-- Takes the name for messages ("line.sticker"), the value of the result's `type` (nil for none), the list of the
-- natural arguments and a function that gets the table and returns what the builder is to return. Returns the builder,
-- which is a C function.
build.builder = core.builder

-- build.group(name, functions[, call])
-- Returns the table of functions such that reading a name it lacks raises "name.x does not exist (did you mean …?)";
-- with call, the table itself can be called. The functions get a frame of C in front (core.entry), for `return f(…)`.
function build.group(name, functions, call)
  for key, value in pairs(functions) do
    if type(value) == "function" then functions[key] = core.entry(value) end
  end
  build.groups[functions] = name
  return setmetatable(functions, {
    __index = function(_, key)
      local names = {}
      for k in pairs(functions) do names[#names + 1] = k end
      table.sort(names)
      errors.misuse("%s.%s does not exist%s", name, tostring(key), errors.did_you_mean(tostring(key), names))
    end,
    __call = call and core.callable(call) or nil,
  })
end

-- build.list(what, noun, ...)
-- Takes tables one by one, or one list of them. Returns them as a new list. Raises for what is no table, and for none.
function build.list(what, noun, ...)
  local first, list = ..., {}
  local from = select("#", ...) == 1 and type(first) == "table" and first.type == nil and first or {...}
  for i, value in ipairs(from) do
    if type(value) ~= "table" then
      errors.misuse("%s: %s %d is a %s, not a table", what, noun, i, type(value))
    end
    list[i] = value
  end
  if #list == 0 then errors.misuse("%s: takes at least one %s", what, noun) end
  return list
end

return build
