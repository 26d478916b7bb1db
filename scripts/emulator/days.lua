-- Dates as statistics take them: yyyyMMdd in Japan.

local errors = require "emulator.errors"
local usage = require "emulator.usage"

local days = {}

local FIRST = "20180331" -- nothing was counted before

local function last_of(year, month)
  return os.date("!*t", os.time{year = year, month = month + 1, day = 0, hour = 12}).day
end

-- days.valid(text): whether it is a date.
function days.valid(text)
  local year, month, day = tostring(text):match("^(%d%d%d%d)(%d%d)(%d%d)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  return year ~= nil and month >= 1 and month <= 12 and day >= 1 and day <= last_of(year, month)
end

-- days.check(text, name): raises 400 when it is no date; name: of the parameter.
function days.check(text, name)
  if not days.valid(text) then errors.raise(400, ("The value for the '%s' parameter is invalid"):format(name)) end
end

-- days.number(text) → days since 1970; days.text(number) → the date.
function days.number(text)
  local year, month, day = tonumber(text:sub(1, 4)), tonumber(text:sub(5, 6)), tonumber(text:sub(7, 8))
  if month <= 2 then year, month = year - 1, month + 12 end -- the year begins in March here, so leap days end it
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
end
function days.text(number) return os.date("!%Y%m%d", number * 86400) end

-- days.count(call, date, count) → {status=, success=}: count(date) of a day that is over.
function days.count(_, date, count)
  days.check(date, "date")
  if date < FIRST then return {status = "out_of_service"} end
  if date >= usage.day() then return {status = "unready"} end
  return {status = "ready", success = count(date)}
end

return days
