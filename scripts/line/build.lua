-- The one rule of all builders, and the tables made from it.
--
-- A builder takes its natural arguments in order, and then, if wanted, a table with more fields:
--     line.sticker("446", "1988", {quoteToken = token})
-- or everything in one table:
--     line.sticker{packageId = "446", stickerId = "1988", quoteToken = token}
-- It returns a new plain table with LINE's own field names. Nothing is checked here but the shape of the call.

local core = require "line.core"
local errors = require "line.errors"

local build = {}

local function copy(into, from)
  for k, v in pairs(from) do into[k] = v end
  return into
end

-- build.builder(what, fixed, names[, finish])
-- what: "line.sticker", for messages. fixed: fields that every result has. names: the natural arguments. finish: a
-- function that gets the table before it is returned, and returns what is. Returns the builder.
function build.builder(what, fixed, names, finish)
  local n = #names
  return function(...)
    local count = select("#", ...)
    local first = ...
    local result = copy({}, fixed)
    if count > n + 1 then
      errors.misuse("%s: takes %d arguments and a table of more fields, not %d", what, n, count)
    end
    -- One table is the form with names, unless it is the value of the first argument itself: a list.
    if count == 1 and type(first) == "table" and first[1] == nil and (n == 0 or first.type == nil) then
      copy(result, first)
    else
      for i = 1, n do result[names[i]] = (select(i, ...)) end
      local extra = select(n + 1, ...)
      if extra ~= nil and type(extra) ~= "table" then
        errors.misuse("%s: after %s comes a table of more fields, not a %s", what,
          n > 0 and table.concat(names, ", ") or "nothing", type(extra))
      end
      if extra then copy(result, extra) end
    end
    return finish and finish(result) or result
  end
end

-- build.group(name, functions[, call])
-- Returns the table of functions such that reading a name it lacks raises "name.x does not exist (did you mean …?)";
-- with call, the table itself can be called. The functions get a frame of C in front (core.entry), for `return f(…)`.
function build.group(name, functions, call)
  for key, value in pairs(functions) do
    if type(value) == "function" then functions[key] = core.entry(value) end
  end
  if call then call = core.entry(call) end
  return setmetatable(functions, {
    __index = function(_, key)
      local names = {}
      for k in pairs(functions) do names[#names + 1] = k end
      table.sort(names)
      errors.misuse("%s.%s does not exist%s", name, tostring(key), errors.did_you_mean(tostring(key), names))
    end,
    __call = call and function(_, ...) return call(...) end or nil,
  })
end

return build
