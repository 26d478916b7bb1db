-- What a date picker hands over: the forms of its three modes, and its limits.

local errors = require "emulator.errors"

local dates = {}

local function refuse(text, ...) errors.raise(400, text:format(...)) end

local DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

local function is_date(y, m, d)
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  if not y or y < 1900 or y > 2100 or m < 1 or m > 12 then return false end
  local leap = m == 2 and y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)
  return d >= 1 and d <= DAYS[m] + (leap and 1 or 0)
end

local function is_time(h, m)
  h, m = tonumber(h), tonumber(m)
  return h and h < 24 and m < 60
end

-- mode → its form for people, and what the text must be.
local MODES = {
  date = {"YYYY-MM-DD", function(s) return is_date(s:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")) end},
  time = {"HH:MM", function(s) return is_time(s:match("^(%d%d):(%d%d)$")) end},
  datetime = {"YYYY-MM-DDTHH:MM", function(s)
    local y, m, d, h, min = s:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d)$")
    return is_date(y, m, d) and is_time(h, min)
  end},
}

-- The limits of an action may be written with a small t.
local function limit(action, name)
  local value = action[name]
  return type(value) == "string" and value:gsub("t", "T") or nil
end

-- dates.params(action, given) → the params of the postback: given, checked against the picker; without given, its
-- initial.
function dates.params(action, given)
  local mode = MODES[action.mode]
  if not mode then refuse("action.mode: %q is none of date, time, datetime", tostring(action.mode)) end
  if given ~= nil and type(given) ~= "table" then
    refuse("params: an object is needed, as {\"%s\":\"%s\"}", action.mode, mode[1])
  end
  local value = given and given[action.mode] or not given and limit(action, "initial")
  if type(value) ~= "string" or not mode[2](value) then
    refuse("params.%s: %s is needed, in the form %s", action.mode, "a " .. action.mode, mode[1])
  end
  local least, most = limit(action, "min"), limit(action, "max")
  if least and value < least then refuse("params.%s: %s is before the picker's min, %s", action.mode, value, least) end
  if most and value > most then refuse("params.%s: %s is behind the picker's max, %s", action.mode, value, most) end
  return {[action.mode] = value}
end

return dates
