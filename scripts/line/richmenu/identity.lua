-- How a declared menu and one at LINE are known to be the same: by a fingerprint of all that users see of it, the menu
-- object and the bytes of its image. It stands where LINE keeps it, at the end of the menu's name:
--
--     home #moonline-3f9a0c11d2e4
--
-- So there is no file of state that could be lost or differ between machines, and a menu whose name has no such end was
-- not made by moonline.

local core = require "line.core"

local identity = {}

local most_units = 300 -- of the name at LINE, in UTF-16 units: the stricter of the ways to count
local digits = 12
local suffix_size = #" #moonline-" + digits

local function utf16_units(s)
  local n = 0
  for _, c in utf8.codes(s) do n = n + (c > 0xFFFF and 2 or 1) end
  return n
end

-- identity.name_problem(name)
-- Returns nil when a menu can have that name, or why not. Does not wait.
function identity.name_problem(name)
  if not utf8.len(name) then return "the name is not UTF-8" end
  if name:find("%c") then return "the name has a control character" end
  if name:find("^%s") or name:find("%s$") then return "the name begins or ends with a space" end
  if name:find(" #moonline%-") then return "the name holds ' #moonline-', which marks the end of names at LINE" end
  if utf16_units(name) + suffix_size > most_units then
    return ("the name is longer than the %d characters that are left for it"):format(most_units - suffix_size)
  end
end

-- Every value gets exactly one text, whatever the order of keys and however a whole number is written.
local function canonical(v, out)
  local t = type(v)
  if t == "table" then
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b)
      if type(a) == type(b) then return a < b end
      return type(a) == "number"
    end)
    out[#out + 1] = "{"
    for _, k in ipairs(keys) do
      canonical(k, out)
      canonical(v[k], out)
    end
    out[#out + 1] = "}"
  elseif t == "number" then
    local i = math.tointeger(v)
    out[#out + 1] = i and ("i%d;"):format(i) or ("n%.17g;"):format(v)
  else
    local s = tostring(v)
    out[#out + 1] = ("%s%d:%s"):format(t:sub(1, 1), #s, s)
  end
end

-- identity.hash(value, bytes)
-- Returns the fingerprint of a plain value and, if given, some bytes beside it. Does not wait.
function identity.hash(value, bytes)
  local out = {}
  canonical(value, out)
  return core.sha256(table.concat(out) .. "\n" .. (bytes and core.sha256(bytes) or "")):sub(1, digits)
end

-- identity.join(name, hash): the name that LINE keeps.
function identity.join(name, hash)
  return name .. " #moonline-" .. hash
end

-- identity.split(name): the declared name and the fingerprint, or nil when the menu is not moonline's.
function identity.split(name)
  if type(name) ~= "string" then return nil end
  local own, hash = name:match("^(.+) #moonline%-(%x+)$")
  if own and #hash == digits then return own, hash end
end

return identity
