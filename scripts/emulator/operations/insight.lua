-- Insight: what was sent, who the friends are, what people did with messages and rich menus, all counted from what
-- happened.
-- https://developers.line.biz/en/reference/messaging-api/#get-insight
--
-- LINE hides counts of fewer than 20 people; a channel with minimums = false shows them. Days are those of Japan, and
-- one is told when it is over.

local json = require "json"
local areas = require "emulator.areas"
local clock = require "emulator.clock"
local days = require "emulator.days"
local decode = require "emulator.decode"
local errors = require "emulator.errors"
local reactions = require "emulator.reactions"
local usage = require "emulator.usage"
local world = require "emulator.world"

local insight = {}

local FEW = 20
local DAY = 24 * 3600 * 1000
local JAPAN = 9 * 3600 * 1000
local COUNTRIES = {JP = true, TW = true, TH = true} -- whose accounts have demographics

local function bad_request() errors.raise(400, "Bad Request") end

local function no_unit_statistics()
  errors.refuse(400, {message = json.null, key = json.null, stacktrace = json.null, code = json.null})
end

-- Parameters that are missing are refused in words of their own here.
for _, name in ipairs{"get_number_of_message_deliveries", "get_message_event", "get_rich_menu_insight_summary",
  "get_rich_menu_insight_daily"} do
  decode.missing[name] = bad_request
end
decode.missing.get_statistics_per_unit = no_unit_statistics

local function least(channel) return channel.minimums == false and 0 or FEW end

local function size(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

-- Status of a day: ready, unready, or out_of_service before the first that was counted.
local function status_of(date, first)
  if not days.valid(date) then bad_request() end
  if date < first then return "out_of_service" end
  return date < usage.day() and "ready" or "unready"
end

-- ---- deliveries and friends ----

local WAYS = {apiBroadcast = "broadcast", apiPush = "push", apiMulticast = "multicast", apiNarrowcast = "narrowcast",
  apiReply = "reply"}

function insight.get_number_of_message_deliveries(call)
  local date = call.query.date
  local answer = {status = status_of(date, "20170301")}
  if answer.status == "ready" then
    for name, way in pairs(WAYS) do answer[name] = usage.delivered(call.channel, way, date) end
  end
  return answer
end

-- What somebody was at a time: "friend", "blocked", or nil. friend.changes: {state=, at=} after the first friendship.
local function state_at(friend, ms)
  if friend.since > ms then return nil end
  local changes = friend.changes or {}
  for i = #changes, 1, -1 do
    if changes[i].at <= ms then return changes[i].state end
  end
  if not changes[1] then return friend.state end
  return changes[1].state == "blocked" and "friend" or "blocked"
end

function insight.get_number_of_followers(call)
  local date = call.query.date
  if not date then errors.raise(400, "date is required") end
  local answer = {status = status_of(date, "20161101"), followers = json.null, targetedReaches = json.null,
    blocks = json.null}
  if answer.status ~= "ready" then return answer end
  local last = (days.number(date) + 1) * DAY - JAPAN - 1
  local added, reached, blocks = 0, 0, 0
  for id, friend in pairs(call.channel.friends) do
    local state = state_at(friend, last)
    if state then added = added + 1 end
    local user = world.state.users[id]
    if state == "blocked" then blocks = blocks + 1
    elseif state and user and not user.deleted then reached = reached + 1 end
  end
  answer.followers, answer.targetedReaches, answer.blocks = added, reached, blocks
  return answer
end

-- ---- demographics ----

local function age_of(user, thai)
  local age = user.age
  if not age or thai and age < 20 then return "unknown" end
  if age < 15 then return "from0to14" end
  if age >= 70 then return "from70" end
  local low = age // 5 * 5
  return ("from%dto%d"):format(low, low + 4)
end

local PERIODS = {{7, "within7days"}, {30, "within30days"}, {90, "within90days"}, {180, "within180days"},
  {365, "within365days"}}

-- Counted from the day after.
local function period_of(friend)
  local passed = days.number(usage.day()) - days.number(usage.day(friend.since)) - 1
  for _, period in ipairs(PERIODS) do
    if passed < period[1] then return period[2] end
  end
  return "over365days"
end

-- Counts → list of {[name] =, percentage =}, the largest first.
local function shares(counts, name, total)
  local list = json.array {}
  for value, n in pairs(counts) do
    list[#list + 1] = {[name] = value, percentage = math.floor(n * 1000 / total + 0.5) / 10}
  end
  table.sort(list, function(a, b)
    if a.percentage ~= b.percentage then return a.percentage > b.percentage end
    return a[name] < b[name]
  end)
  return list
end

local SHARES = {{"genders", "gender"}, {"ages", "age"}, {"areas", "area"}, {"appTypes", "appType"},
  {"subscriptionPeriods", "subscriptionPeriod"}}

-- The friends of now; LINE's are three days old.
function insight.get_friends_demographics(call)
  local channel = call.channel
  local counts = {
    gender = {male = 0, female = 0, unknown = 0}, age = {}, area = {}, appType = {ios = 0, android = 0, others = 0},
    subscriptionPeriod = {over365days = 0},
  }
  for _, period in ipairs(PERIODS) do counts.subscriptionPeriod[period[2]] = 0 end
  local total = 0
  for id, friend in pairs(channel.friends) do
    local user = world.state.users[id]
    if friend.state == "friend" and user and not user.deleted then
      total = total + 1
      local values = {
        gender = user.gender or "unknown", age = age_of(user, channel.country == "TH"),
        area = areas.name(user.area) or "unknown", appType = user.app or "others",
        subscriptionPeriod = period_of(friend),
      }
      for name, value in pairs(values) do counts[name][value] = (counts[name][value] or 0) + 1 end
    end
  end
  local available = total > 0 and total >= least(channel) and COUNTRIES[channel.country or "JP"] == true
  local answer = {available = available}
  for _, share in ipairs(SHARES) do
    answer[share[1]] = available and shares(counts[share[2]], share[2], total) or json.array {}
  end
  return answer
end

-- ---- what people did with messages ----

-- Adds up what several requests have under a key: → users (set), times.
local function sum(total, key, set)
  local entry = total[key]
  if not entry then
    entry = {users = {}, times = 0}
    total[key] = entry
  end
  for user, n in pairs(set) do
    entry.users[user] = true
    entry.times = entry.times + n
  end
end

local PERCENTS = {"25Percent", "50Percent", "75Percent", "100Percent"}

-- Statistics of a list of records: overview, messages, clicks. unique: whether bubbles tell uniqueImpression.
local function statistics(channel, records, unique)
  local floor = least(channel)
  local function told(entry, times)
    local users = entry and size(entry.users) or 0
    if users < floor then return json.null end
    return times and (entry and entry.times or 0) or users
  end
  local all, seen, plays, clicks, by_url = {}, {}, {}, {}, {}
  for _, record in ipairs(records) do
    for seq, set in pairs(record.seen or {}) do
      sum(all, "seen", set)
      sum(seen, tonumber(seq), set)
    end
    for seq, set in pairs(record.plays or {}) do
      sum(all, "plays", set)
      sum(plays, tonumber(seq), set)
    end
    for i, link in ipairs(record.links) do
      local set = record.taps and record.taps[tostring(i)] or {}
      sum(all, "taps", set)
      sum(by_url, link.url, set)
      local key = ("%d %s"):format(link.seq, link.url)
      sum(clicks, key, set)
      clicks[key].seq, clicks[key].url = link.seq, link.url
    end
  end
  local overview = {uniqueImpression = told(all.seen), uniqueClick = told(all.taps),
    uniqueMediaPlayed = told(all.plays), uniqueMediaPlayed100Percent = told(all.plays)}
  local bubbles, list = json.array {}, json.array {}
  for seq = 1, 5 do
    local shown, played = told(seen[seq], true), told(plays[seq], true)
    if (seen[seq] or plays[seq]) and (shown ~= json.null or played ~= json.null) then
      local bubble = {seq = seq, impression = shown, uniqueImpression = unique and told(seen[seq]) or nil,
        mediaPlayed = played, uniqueMediaPlayed = told(plays[seq])}
      for _, part in ipairs(PERCENTS) do -- a video is watched to its end here, or not at all
        bubble["mediaPlayed" .. part], bubble["uniqueMediaPlayed" .. part] = played, bubble.uniqueMediaPlayed
      end
      bubbles[#bubbles + 1] = bubble
    end
  end
  for _, entry in pairs(clicks) do
    local click = {seq = entry.seq, url = entry.url, click = told(entry, true), uniqueClick = told(entry),
      uniqueClickOfRequest = told(by_url[entry.url])}
    if click.click ~= json.null or click.uniqueClickOfRequest ~= json.null then list[#list + 1] = click end
  end
  table.sort(list, function(a, b)
    if a.seq ~= b.seq then return a.seq < b.seq end
    return a.url < b.url
  end)
  return {overview = overview, messages = bubbles, clicks = list}
end

-- A request that nothing is known of has no statistics, as one whose messages are not all sent yet.
function insight.get_message_event(call)
  local request = call.query.requestId
  local record = reactions.record(call.channel, request)
  if record and record.way ~= "broadcast" and record.way ~= "narrowcast" then record = nil end
  local answer = statistics(call.channel, record and {record} or {}, false)
  if not record then
    for name in pairs(answer.overview) do answer.overview[name] = json.null end
  end
  answer.overview.requestId = request
  answer.overview.timestamp = record and record.time // 1000 or json.null
  answer.overview.delivered = record and record.people or json.null
  return answer
end

function insight.get_statistics_per_unit(call)
  local from, to = call.query.from, call.query.to
  if not days.valid(from) or not days.valid(to) or to < from or days.number(to) - days.number(from) > 30 then
    no_unit_statistics()
  end
  return statistics(call.channel, reactions.of_unit(call.channel, call.query.customAggregationUnit, from, to), true)
end

-- ---- rich menus ----

-- The period asked for: checked in the order of the reference's examples.
local function period(call, most)
  local from, to = call.query.from, call.query.to
  if not days.valid(from) or not days.valid(to) then bad_request() end
  if to < from then errors.raise(400, "Parameter to must be the same date as, or after parameter from.") end
  if days.number(to) - days.number(from) > most then
    errors.raise(400, ("Date range exceeds. Max range is %d days."):format(most))
  end
  local today = usage.day()
  local earliest = ("%04d%s"):format(tonumber(today:sub(1, 4)) - 3, today:sub(5))
  if from < earliest then
    errors.raise(400, ("Parameter from must be the same date as, or after %s-%s-%s."):format(earliest:sub(1, 4),
      earliest:sub(5, 6), earliest:sub(7)))
  end
  return from, to
end

local function in_days(sets, from, to)
  local total = {}
  for day, set in pairs(sets or {}) do
    if day >= from and day <= to then sum(total, 1, set) end
  end
  return total[1] or {users = {}, times = 0}
end

local function metrics(entry) return {count = entry.times, uniqueUsers = size(entry.users)} end

-- The menu's days that are over, within the period; nil when too few people tapped it for anything to be told.
local function menu_days(call, most)
  local from, to = period(call, most)
  local menu = require("emulator.operations.richmenus").get(call.channel, call.path.richMenuId)
  if not menu then errors.raise(404, "Not found") end
  local yesterday = usage.day(clock.now() - DAY)
  local made = usage.day(menu.since)
  if from < made then from = made end
  if to > yesterday then to = yesterday end
  if from > to then return nil end
  local record, users = reactions.menu(call.channel, call.path.richMenuId), {}
  for _, sets in pairs(record.taps) do
    for user in pairs(in_days(sets, from, to).users) do users[user] = true end
  end
  if size(users) < least(call.channel) then return nil end
  return from, to, record, menu.menu.areas
end

-- An answer whose numbers are made by fn(sets by day, from, to).
local function menu_answer(call, most, fn)
  local answer = {richMenuId = call.path.richMenuId}
  local from, to, record, places = menu_days(call, most)
  if not from then return answer end
  answer.metricsFrom, answer.metricsTo = from, to
  answer.impression = {metrics = fn(record.seen, from, to)}
  answer.clicks = json.array {}
  for i, area in ipairs(places) do
    answer.clicks[i] = {bounds = area.bounds, metrics = fn(record.taps[tostring(i)] or {}, from, to)}
  end
  return answer
end

function insight.get_rich_menu_insight_summary(call)
  return menu_answer(call, 396, function(sets, from, to) return metrics(in_days(sets, from, to)) end)
end

function insight.get_rich_menu_insight_daily(call)
  return menu_answer(call, 99, function(sets, from, to)
    local list = json.array {}
    for number = days.number(from), days.number(to) do
      local day = days.text(number)
      local entry = metrics(in_days(sets, day, day))
      entry.date = day
      list[#list + 1] = entry
    end
    return list
  end)
end

return insight
