-- How much may be sent and how much was: quota, consumption, deliveries of a day, aggregation units.

local json = require "json"
local days = require "emulator.days"
local pages = require "emulator.pages"
local usage = require "emulator.usage"

local quota = {}

function quota.get_message_quota(call)
  local plan = call.channel.quota
  if plan and plan.type == "limited" then return {type = "limited", value = plan.value} end
  return {type = "none"}
end

function quota.get_message_quota_consumption(call) return {totalUsage = usage.used(call.channel)} end

-- A day is counted when it is over; before the service began nothing was.
for _, way in ipairs{"reply", "push", "multicast", "broadcast"} do
  quota["get_number_of_sent_" .. way .. "_messages"] = function(call)
    return days.count(call, call.query.date, function(day) return usage.delivered(call.channel, way, day) end)
  end
end

function quota.get_aggregation_unit_usage(call)
  return {numOfCustomAggregationUnits = #usage.units(call.channel)}
end

function quota.get_aggregation_unit_name_list(call)
  local names, next_page = pages.page("units " .. call.channel.id, call.query.start, call.query.limit or 100, function()
    return table.move(usage.units(call.channel), 1, #usage.units(call.channel), 1, {})
  end)
  return {customAggregationUnits = json.array(names), next = next_page}
end

return quota
