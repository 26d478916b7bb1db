-- Names that were meant: for messages about what does not exist.

local near = {}

local function sorted(...)
  local names = {}
  for _, set in ipairs{...} do
    for name in pairs(set) do names[#names + 1] = tostring(name) end
  end
  table.sort(names)
  return names
end

-- near.name(wanted, set …) → the name of the sets that is most alike, or nil.
function near.name(wanted, ...)
  return require("line.core").near(wanted, sorted(...))
end

-- near.list(set …): "a, b, c".
function near.list(...) return table.concat(sorted(...), ", ") end

-- near.unknown(wanted, set …): "'x' does not exist; did you mean 'y'?", or with all names where none is like it.
function near.unknown(wanted, ...)
  local name = near.name(wanted, ...)
  if name then return ("there is no '%s'; did you mean '%s'?"):format(wanted, name) end
  return ("there is no '%s'; there are %s"):format(wanted, near.list(...))
end

return near
