-- "How many messages did I send this month?" Run it: moonline run examples/statistics.lua
--
-- Say "statistics". The answer is a Flex bubble: what the plan allows, what is used, and how it was sent, by the four
-- counts that LINE keeps for each day. They appear a day later, and days begin at midnight in Japan (UTC+9).

local line = require "line"

local flex = line.flex

local COUNTS = {
  {"Replies (free)", line.get_number_of_sent_reply_messages},
  {"Pushes", line.get_number_of_sent_push_messages},
  {"Multicasts", line.get_number_of_sent_multicast_messages},
  {"Broadcasts", line.get_number_of_sent_broadcast_messages},
}

-- The days of this month before today, as yyyyMMdd in Japan's time.
local function days()
  local now, list = os.time() + 9 * 3600, {}
  local month, today = os.date("!%Y%m", now), tonumber(os.date("!%d", now))
  for day = 1, today - 1 do list[day] = ("%s%02d"):format(month, day) end
  return list, os.date("!%B %Y", now)
end

-- The sum over the days, asked for side by side. A day whose count LINE does not have (yet) counts 0.
local function sum(count, dates)
  local calls, total = {}, 0
  for i, date in ipairs(dates) do
    calls[i] = function() return count(date) end
  end
  for _, answer in ipairs(line.all(calls)) do
    if answer.status == "ready" then total = total + answer.success end
  end
  return total
end

local function row(name, value)
  return flex.box("horizontal", {
    flex.text(name, {color = "#555555", flex = 3}),
    flex.text(tostring(value), {align = "end", weight = "bold", flex = 2}),
  })
end

-- A bar that is filled to a share from 0 to 1.
local function bar(share)
  local percent = math.floor(math.min(share, 1) * 100)
  return flex.box("vertical", {
    flex.box("vertical", {flex.filler()}, {
      width = percent .. "%", height = "6px", backgroundColor = percent < 80 and "#06C755" or "#E03131"}),
  }, {backgroundColor = "#E5E5E5", height = "6px"})
end

line.hear("^[Ss]tatistics$", function(event)
  local quota = line.quota{fresh = true}
  local dates, month = days()
  ---@type line.component[]
  local rows = {
    row("Allowed", quota.limit or "no limit"),
    row("Used", quota.used),
    row("Left", quota.remaining or "–"),
  }
  if quota.limit then rows[#rows + 1] = bar(quota.used / math.max(quota.limit, 1)) end
  rows[#rows + 1] = flex.separator{margin = "md"}
  for _, count in ipairs(COUNTS) do rows[#rows + 1] = row(count[1], sum(count[2], dates)) end
  event:reply(flex(("%d messages used in %s"):format(quota.used, month), flex.bubble(
    flex.box("vertical", rows, {spacing = "sm"}),
    {header = flex.box("vertical", {flex.text("Messages in " .. month, {weight = "bold", size = "lg"})})})))
end)

line.on("message.text", function(event)
  event:reply("Say 'statistics'.")
end)
