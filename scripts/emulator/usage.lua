-- What a channel has sent: by day and way for the counts of deliveries, by month for the quota, by unit. Days and
-- months are those of Japan, as the platform's are.

local clock = require "emulator.clock"
local errors = require "emulator.errors"

local usage = {}

local JAPAN = 9 * 3600
local UNITS = 1000 -- names of aggregation units a month; more are dropped without a word

-- usage.day([ms]) → "20261129", usage.month([ms]) → "202611"
function usage.day(ms) return os.date("!%Y%m%d", (ms or clock.now()) // 1000 + JAPAN) end
function usage.month(ms) return usage.day(ms):sub(1, 6) end

-- The beginning of the month after, in ms.
local function days_of(channel)
  channel.delivered = channel.delivered or {}
  return channel.delivered
end

-- usage.used(channel) → people reached this month by what costs.
function usage.used(channel)
  local months = channel.used
  return months and months[usage.month()] or 0
end

-- usage.left(channel) → how many can be reached yet, nil without a limit. What running narrowcasts reserve is not
-- left.
function usage.left(channel)
  local quota = channel.quota
  if not quota or quota.type ~= "limited" then return nil end
  return quota.value - usage.used(channel) - (channel.reserved or 0)
end

-- usage.allow(channel, people): raises 429 when the quota does not hold so many.
function usage.allow(channel, people)
  local left = usage.left(channel)
  if left and people > left then errors.raise(429, "You have reached your monthly limit.") end
end

-- usage.count(channel, way, people, costs): so many people were reached. way: reply, push, multicast, narrowcast,
-- broadcast, pnp.
function usage.count(channel, way, people, costs)
  local days = days_of(channel)
  local today = usage.day()
  local day = days[today]
  if not day then
    day = {}
    days[today] = day
  end
  day[way] = (day[way] or 0) + people
  if not costs then return end
  local month = today:sub(1, 6)
  channel.used = channel.used or {}
  channel.used[month] = (channel.used[month] or 0) + people
end

-- usage.delivered(channel, way, day) → people reached that day that way.
function usage.delivered(channel, way, day)
  local of = channel.delivered and channel.delivered[day]
  return of and of[way] or 0
end

-- usage.unit(channel, name) → whether the name counts (false when the month has its thousand).
-- channel.units[month] = {list = names in order of their first use, n = {name → messages}}
function usage.unit(channel, name, people)
  channel.units = channel.units or {}
  local month = usage.month()
  local of = channel.units[month]
  if not of then
    of = {list = {}, n = {}}
    channel.units[month] = of
  end
  if not of.n[name] then
    if #of.list >= UNITS then return false end
    of.list[#of.list + 1] = name
    of.n[name] = 0
  end
  of.n[name] = of.n[name] + people
  return true
end

-- usage.units(channel) → the names of this month.
function usage.units(channel)
  local of = channel.units and channel.units[usage.month()]
  return of and of.list or {}
end

return usage
