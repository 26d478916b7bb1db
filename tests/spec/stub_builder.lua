-- The C half of builders (bindings/builder.c, bindings/built.c) in plain Lua, for the specs.
-- tests/spec/cases_messages.lua runs against both.

local M = {}

-- M.add(core): builder, callable, note and built_at into the stand-in of line.core. core.where says where a script is.
function M.add(core)
  local notes = setmetatable({}, {__mode = "k"})

  local function misuse(...) error(core.where() .. ": " .. string.format(...), 0) end

  function core.note(t)
    notes[t] = core.where()
    return t
  end

  function core.built_at(t) return notes[t] end

  function core.builder(what, kind, names, finish)
    local n = #names
    return function(...)
      local args, result = table.pack(...), {type = kind}
      local first = args[1]
      if args.n > n + 1 then
        misuse("%s: takes %d arguments and a table of more fields, not %d", what, n, args.n)
      end
      local named = args.n == 1 and type(first) == "table" and first[1] == nil and (n == 0 or first.type == nil)
      local more = args[n + 1]
      if named then
        more = first
      else
        for i = 1, n do result[names[i]] = args[i] end
      end
      if more ~= nil and type(more) ~= "table" then
        misuse("%s: after %s comes a table of more fields, not a %s", what,
          n > 0 and table.concat(names, ", ") or "nothing", type(more))
      end
      for k, v in pairs(more or {}) do result[k] = v end
      if finish then result = finish(result) end
      core.note(result)
      return result
    end
  end

  function core.callable(f)
    return function(_, ...)
      local results = table.pack(f(...))
      return table.unpack(results, 1, results.n)
    end
  end
end

return M
