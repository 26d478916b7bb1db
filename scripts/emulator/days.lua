-- Dates as statistics take them: yyyyMMdd in Japan.

local errors = require "emulator.errors"
local usage = require "emulator.usage"

local days = {}

local FIRST = "20180331" -- nothing was counted before

local function last_of(year, month)
  return os.date("!*t", os.time{year = year, month = month + 1, day = 0, hour = 12}).day
end

-- days.check(text, name): raises 400 when it is no date; name: of the parameter.
function days.check(text, name)
  local year, month, day = text:match("^(%d%d%d%d)(%d%d)(%d%d)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or month < 1 or month > 12 or day < 1 or day > last_of(year, month) then
    errors.raise(400, ("The value for the '%s' parameter is invalid"):format(name))
  end
end

-- days.count(call, date, count) → {status=, success=}: count(date) of a day that is over.
function days.count(_, date, count)
  days.check(date, "date")
  if date < FIRST then return {status = "out_of_service"} end
  if date >= usage.day() then return {status = "unready"} end
  return {status = "ready", success = count(date)}
end

return days
