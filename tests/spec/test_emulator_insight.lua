-- The emulator's statistics: counted from what people did, told as
-- https://developers.line.biz/en/reference/messaging-api/#get-insight has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local act = require "emulator.act"
local api = require "emulator.api"
local areas = require "emulator.areas"
local clock = require "emulator.clock"
local days = require "emulator.days"
local reactions = require "emulator.reactions"
local usage = require "emulator.usage"
local world = require "emulator.world"

api.options.rates = false

local user = kit.user
local HOUR = 3600 * 1000
local DAY = 24 * HOUR
local INSIGHT = "/v2/bot/insight/"
local A, B = "https://example.com/a", "https://example.com/b"

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end
local function get(path) return select(2, kit.get(INSIGHT .. path)) end

-- A person does something in the one-to-one chat.
local function deed(n, what, more)
  local body = {as = user(n), ["do"] = what, chat = "1000:" .. user(n)}
  for name, value in pairs(more or {}) do body[name] = value end
  return act.perform(body)
end

-- More friends: U101 … .
local function crowd(channel, n)
  for i = 101, 100 + n do
    world.state.users[user(i)] = {id = user(i), name = "x" .. i, consent = true}
    channel.friends[user(i)] = {state = "friend", since = clock.now()}
  end
end

local function request_of(_, _, headers) return headers["x-line-request-id"] end
local function broadcast(messages)
  return request_of(kit.post("/v2/bot/message/broadcast", {messages = messages}))
end

-- The last entry of somebody's chat that is bubble seq of n, by its id.
local function bubble(i, seq, n)
  local chat = kit.chat(user(i))
  return world.entry(chat, chat.n - n + seq).id
end

local function buttons(...)
  local actions = {}
  for i, url in ipairs{...} do actions[i] = {type = "uri", label = "go", uri = url} end
  return {type = "template", altText = "x", template = {type = "buttons", text = "x", actions = actions}}
end

local function open(i, id, url)
  deed(i, "tap", {entry = id, action = {type = "uri", label = "go", uri = url}})
end

-- ---- deliveries ----

tap.test("deliveries of a day, by way, when it is over", function()
  kit.world()
  local text = {{type = "text", text = "x"}}
  local day = usage.day()
  kit.post("/v2/bot/message/push", {to = kit.GROUP, messages = text})
  kit.post("/v2/bot/message/multicast", {to = {user(1), user(2)}, messages = text})
  kit.post("/v2/bot/message/broadcast", {messages = text})
  kit.post("/v2/bot/message/reply", {replyToken = (kit.said(user(1), user(1))), messages = text})
  answers(200, {status = "unready"}, kit.get(INSIGHT .. "message/delivery?date=" .. day))
  kit.advance(DAY)
  kit.post("/v2/bot/message/push", {to = user(1), messages = text})
  answers(200, {status = "ready", apiPush = 3, apiMulticast = 2, apiBroadcast = 3, apiReply = 1, apiNarrowcast = 0},
    kit.get(INSIGHT .. "message/delivery?date=" .. day))
  answers(200, {status = "out_of_service"}, kit.get(INSIGHT .. "message/delivery?date=20170228"))
  tap.same(get("message/delivery?date=20170301").status, "ready")
  for _, date in ipairs{"?date=2025-01-01", "?date=20250230", "?date=20241301", "?date=x", ""} do
    answers(400, {message = "Bad Request"}, kit.get(INSIGHT .. "message/delivery" .. date))
  end
end)

tap.test("a day ends at midnight in Japan", function()
  kit.world() -- it is noon there
  local day = usage.day()
  kit.advance(12 * HOUR - 1)
  tap.same(get("message/delivery?date=" .. day).status, "unready")
  kit.advance(1)
  tap.same(get("message/delivery?date=" .. day).status, "ready")
end)

-- ---- followers ----

tap.test("friends, reach and blocks of each day", function()
  kit.world()
  local first = usage.day()
  kit.advance(DAY)
  local second = usage.day()
  deed(1, "unfollow")
  deed(5, "follow")
  kit.advance(DAY)
  local third = usage.day()
  deed(1, "follow")
  world.state.users[user(3)].deleted = true
  kit.advance(DAY)
  answers(200, {status = "ready", followers = 4, targetedReaches = 2, blocks = 1},
    kit.get(INSIGHT .. "followers?date=" .. first))
  answers(200, {status = "ready", followers = 5, targetedReaches = 2, blocks = 2},
    kit.get(INSIGHT .. "followers?date=" .. second))
  answers(200, {status = "ready", followers = 5, targetedReaches = 3, blocks = 1},
    kit.get(INSIGHT .. "followers?date=" .. third))
  answers(200, {status = "unready"}, kit.get(INSIGHT .. "followers?date=" .. usage.day()))
  answers(200, {status = "out_of_service"}, kit.get(INSIGHT .. "followers?date=20161031"))
  answers(400, {message = "date is required"}, kit.get(INSIGHT .. "followers"))
  answers(400, {message = "Bad Request"}, kit.get(INSIGHT .. "followers?date=1"))
end)

-- ---- demographics ----

local NONE = {available = false, genders = {}, ages = {}, areas = {}, appTypes = {}, subscriptionPeriods = {}}

tap.test("demographics, from twenty friends on", function()
  local channel = kit.world()
  crowd(channel, 16)
  answers(200, NONE, kit.get(INSIGHT .. "demographic"))
  crowd(channel, 17)
  tap.same(get("demographic").available, true)
  channel.country = "US"
  answers(200, NONE, kit.get(INSIGHT .. "demographic"))
end)

tap.test("shares of friends, those of whom nothing is known too", function()
  local channel = kit.world()
  crowd(channel, 17)
  for i = 101, 105 do
    local person = world.state.users[user(i)]
    person.gender, person.age, person.area, person.app = "female", 34, "jp_13", "ios"
  end
  world.state.users[user(106)].gender = "male"
  world.state.users[user(106)].age = 70
  world.state.users[user(107)].age = 3
  channel.friends[user(1)].since = clock.now() - 31 * DAY
  channel.friends[user(2)].since = clock.now() - 30 * DAY
  local all = get("demographic")
  tap.same(all.genders, {{gender = "unknown", percentage = 70}, {gender = "female", percentage = 25},
    {gender = "male", percentage = 5}})
  tap.same(all.ages, {{age = "unknown", percentage = 65}, {age = "from30to34", percentage = 25},
    {age = "from0to14", percentage = 5}, {age = "from70", percentage = 5}})
  tap.same(all.areas, {{area = "unknown", percentage = 75}, {area = "東京", percentage = 25}})
  tap.same(all.appTypes, {{appType = "others", percentage = 75}, {appType = "ios", percentage = 25},
    {appType = "android", percentage = 0}})
  local periods = all.subscriptionPeriods
  tap.same({periods[1], periods[2], periods[3], #periods},
    {{subscriptionPeriod = "within7days", percentage = 90}, {subscriptionPeriod = "within30days", percentage = 5},
      {subscriptionPeriod = "within90days", percentage = 5}, 6})
  channel.country = "TH" -- where nobody below 20 has an age
  tap.same(get("demographic").ages[3], {age = "from70", percentage = 5})
end)

tap.test("the names of regions", function()
  tap.same({areas.name "jp_01", areas.name "jp_13", areas.name "jp_47", areas.name "jp_48", areas.name "tw_22",
    areas.name "th_08", areas.name "th_09", areas.name "x"},
    {"北海道", "東京", "沖縄", nil, "連江縣", "Western", nil, nil})
end)

-- ---- messages ----

tap.test("a broadcast that few have seen tells only how many got it", function()
  kit.world()
  local request = broadcast{{type = "text", text = "see " .. A}}
  local sent = clock.now() // 1000
  for i = 1, 3 do deed(i, "read") end
  answers(200, {overview = {requestId = request, timestamp = sent, delivered = 3}, messages = {}, clicks = {}},
    kit.get(INSIGHT .. "message/event?requestId=" .. request))
end)

tap.test("nulls are nulls in the answer", function()
  kit.world()
  local request = broadcast{{type = "text", text = "x"}}
  local _, text = api.handle{method = "GET", raw_path = INSIGHT .. "message/event", query = {requestId = request},
    headers = {authorization = "Bearer " .. kit.TOKEN}}
  assert(text:find('"uniqueImpression":null', 1, true), text)
  assert(text:find('"messages":[]', 1, true), text)
end)

tap.test("what twenty and more did is counted", function()
  local channel = kit.world()
  crowd(channel, 30)
  local request = broadcast{buttons(A, B), {type = "video", originalContentUrl = "https://example.com/v.mp4",
    previewImageUrl = "https://example.com/p.png", trackingId = "t"}, {type = "text", text = "again " .. A .. "."}}
  for i = 101, 125 do deed(i, "read") end
  for i = 101, 122 do
    open(i, bubble(i, 1, 3), A)
    open(i, bubble(i, 1, 3), A)
  end
  for i = 101, 119 do open(i, bubble(i, 1, 3), B) end
  for i = 101, 120 do deed(i, "videoPlayComplete", {trackingId = "t"}) end
  local all = get("message/event?requestId=" .. request)
  tap.same(all.overview, {requestId = request, timestamp = all.overview.timestamp, delivered = 33,
    uniqueImpression = 25, uniqueClick = 22, uniqueMediaPlayed = 20, uniqueMediaPlayed100Percent = 20})
  tap.same(all.messages[1], {seq = 1, impression = 25})
  tap.same(all.messages[2], {seq = 2, impression = 25, mediaPlayed = 20, mediaPlayed25Percent = 20,
    mediaPlayed50Percent = 20, mediaPlayed75Percent = 20, mediaPlayed100Percent = 20, uniqueMediaPlayed = 20,
    uniqueMediaPlayed25Percent = 20, uniqueMediaPlayed50Percent = 20, uniqueMediaPlayed75Percent = 20,
    uniqueMediaPlayed100Percent = 20})
  tap.same(all.clicks, {{seq = 1, url = A, click = 44, uniqueClick = 22, uniqueClickOfRequest = 22},
    {seq = 3, url = A, uniqueClickOfRequest = 22}}) -- B was opened by nineteen
  tap.same(#all.messages, 3)
end)

tap.test("few people count where the world says so", function()
  kit.world().minimums = false
  local request = broadcast{buttons(A)}
  open(1, bubble(1, 1, 1), A)
  local all = get("message/event?requestId=" .. request)
  tap.same({all.overview.uniqueImpression, all.overview.uniqueClick, all.clicks[1].click, all.messages[1].impression},
    {1, 1, 1, 1})
end)

tap.test("a message is seen by whoever opens the chat, writes or taps, once", function()
  kit.world().minimums = false
  local request = broadcast{{type = "text", text = "x"}, {type = "text", text = "y"}}
  local function seen() return get("message/event?requestId=" .. request).overview.uniqueImpression end
  tap.same(seen(), 0)
  deed(1, "message", {message = {type = "text", text = "hello"}})
  deed(1, "read")
  deed(2, "enter")
  tap.same({seen(), get("message/event?requestId=" .. request).messages[2].impression}, {2, 2})
end)

tap.test("after fourteen days nothing is counted any more", function()
  kit.world().minimums = false
  local request = broadcast{{type = "text", text = A}}
  kit.advance(14 * DAY)
  deed(1, "read")
  kit.advance(1)
  deed(2, "read")
  tap.same(get("message/event?requestId=" .. request).overview.uniqueImpression, 1)
end)

tap.test("of what was not sent to many there is nothing", function()
  kit.world().minimums = false
  local request = request_of(kit.post("/v2/bot/message/push", {to = user(1), messages = {{type = "text", text = "x"}},
    customAggregationUnits = {"u"}}))
  for _, id in ipairs{request, "a425a5cd-6510-43fe-95be-a27f222e5dc0"} do
    answers(200, {overview = {requestId = id}, messages = {}, clicks = {}},
      kit.get(INSIGHT .. "message/event?requestId=" .. id))
  end
  answers(400, {message = "Bad Request"}, kit.get(INSIGHT .. "message/event"))
end)

-- ---- units ----

local function unit(name, from, to)
  return kit.get(("%smessage/event/aggregation?customAggregationUnit=%s&from=%s&to=%s"):format(INSIGHT, name, from, to))
end

tap.test("statistics of a unit over several requests", function()
  kit.world().minimums = false
  local first = usage.day()
  local function push(n, name)
    kit.post("/v2/bot/message/push", {to = user(n), messages = {buttons(A)}, customAggregationUnits = {name}})
  end
  push(1, "promo")
  open(1, bubble(1, 1, 1), A)
  kit.advance(DAY)
  kit.post("/v2/bot/message/multicast", {to = {user(1), user(2)}, messages = {buttons(A)},
    customAggregationUnits = {"promo"}})
  push(2, "other")
  deed(2, "read")
  open(1, bubble(1, 1, 1), A)
  local second = usage.day()
  local status, both = unit("promo", first, second)
  tap.same(status, 200)
  tap.same({both.overview.uniqueImpression, both.overview.uniqueClick}, {2, 1})
  tap.same({both.messages[1].impression, both.messages[1].uniqueImpression}, {3, 2})
  tap.same(both.clicks, {{seq = 1, url = A, click = 2, uniqueClick = 1, uniqueClickOfRequest = 1}})
  local _, one = unit("promo", first, first)
  tap.same({one.overview.uniqueImpression, one.clicks[1].click}, {1, 1})
  local _, none = unit("Promo", first, second) -- letters matter
  tap.same({none.messages, none.clicks}, {{}, {}})
end)

tap.test("a unit's numbers are hidden below twenty people", function()
  kit.world()
  kit.post("/v2/bot/message/push", {to = user(1), messages = {buttons(A)}, customAggregationUnits = {"promo"}})
  deed(1, "read")
  answers(200, {overview = {}, messages = {}, clicks = {}}, unit("promo", usage.day(), usage.day()))
end)

tap.test("the period of a unit is 31 days at most", function()
  kit.world()
  tap.same((unit("u", "20210301", "20210331")), 200)
  for _, period in ipairs{{"20210301", "20210401"}, {"20210301", "20210228"}, {"x", "20210301"}, {"20210301", "x"}} do
    tap.same((unit("u", period[1], period[2])), 400)
  end
  local status, text = api.handle{method = "GET", raw_path = INSIGHT .. "message/event/aggregation", query = {},
    headers = {authorization = "Bearer " .. kit.TOKEN}}
  tap.same(status, 400)
  for _, name in ipairs{"message", "key", "stacktrace", "code"} do
    assert(text:find('"' .. name .. '":null', 1, true), text)
  end
end)

-- ---- rich menus ----

local PNG = "\137PNG\r\n\26\n" .. string.pack(">I4c4I4I4", 13, "IHDR", 2500, 1686) .. ("\0"):rep(20)
local LEFT, RIGHT = {x = 0, y = 0, width = 1250, height = 1686}, {x = 1250, y = 0, width = 1250, height = 1686}
local ACTIONS = {{type = "message", label = "m", text = "hi"}, {type = "uri", label = "u", uri = A}}

local function menu()
  local id = select(2, kit.post("/v2/bot/richmenu", {size = {width = 2500, height = 1686}, selected = true, name = "m",
    chatBarText = "Open", areas = {{bounds = LEFT, action = ACTIONS[1]}, {bounds = RIGHT, action = ACTIONS[2]}}}))
    .richMenuId
  kit.call("POST", "/v2/bot/richmenu/" .. id .. "/content", PNG, {["content-type"] = "image/png"})
  tap.same(kit.post("/v2/bot/user/all/richmenu/" .. id), 200)
  return id
end

local function tap_area(n, i) deed(n, "tap", {action = ACTIONS[i], richmenu = true}) end
local function period(id, what, from, to)
  return kit.get(INSIGHT .. "richmenu/" .. id .. "/" .. what .. "?from=" .. from .. "&to=" .. to)
end

tap.test("a rich menu's sum and its days", function()
  kit.world().minimums = false
  local id = menu()
  local first = usage.day()
  deed(1, "read")
  tap_area(1, 1)
  tap_area(1, 1)
  tap_area(2, 2) -- who taps it has seen it
  kit.advance(DAY)
  local second = usage.day()
  deed(1, "enter")
  tap_area(1, 2)
  kit.advance(DAY)
  tap_area(3, 1) -- today is not counted yet
  answers(200, {richMenuId = id, metricsFrom = first, metricsTo = second,
    impression = {metrics = {count = 3, uniqueUsers = 2}},
    clicks = {{bounds = LEFT, metrics = {count = 2, uniqueUsers = 1}}, {bounds = RIGHT, metrics = {count = 2,
      uniqueUsers = 2}}}}, period(id, "summary", "20241201", "20250131"))
  answers(200, {richMenuId = id, metricsFrom = first, metricsTo = second,
    impression = {metrics = {{date = first, count = 2, uniqueUsers = 2}, {date = second, count = 1, uniqueUsers = 1}}},
    clicks = {
      {bounds = LEFT, metrics = {{date = first, count = 2, uniqueUsers = 1}, {date = second, count = 0,
        uniqueUsers = 0}}},
      {bounds = RIGHT, metrics = {{date = first, count = 1, uniqueUsers = 1}, {date = second, count = 1,
        uniqueUsers = 1}}}}}, period(id, "daily", "20241201", "20250131"))
  answers(200, {richMenuId = id}, period(id, "summary", "20241201", "20241231"))
end)

tap.test("fewer than twenty people who tapped: only the menu's id", function()
  local channel = kit.world()
  crowd(channel, 20)
  local id = menu()
  local day = usage.day()
  for i = 101, 119 do tap_area(i, 1) end
  kit.advance(DAY)
  answers(200, {richMenuId = id}, period(id, "summary", day, day))
  answers(200, {richMenuId = id}, period(id, "daily", day, day))
  reactions.menu_tapped(channel, user(120), id, 1)
  kit.advance(DAY)
  tap.same(select(2, period(id, "summary", day, usage.day())).clicks[1].metrics.uniqueUsers, 20)
end)

for what, most in pairs{summary = 396, daily = 99} do
  tap.test("refusals of a rich menu's " .. what, function()
    kit.world()
    local id = menu()
    local today = days.number(usage.day())
    local function from(n) return period(id, what, days.text(today - n), usage.day()) end
    tap.same((from(most)), 200)
    answers(400, {message = ("Date range exceeds. Max range is %d days."):format(most)}, from(most + 1))
    answers(400, {message = "Parameter to must be the same date as, or after parameter from."},
      period(id, what, "20241231", "20241230"))
    answers(400, {message = "Parameter from must be the same date as, or after 2022-01-01."},
      period(id, what, "20211231", "20220101"))
    tap.same((period(id, what, "20220101", "20220102")), 200)
    answers(400, {message = "Bad Request"}, period(id, what, "x", "20241231"))
    answers(400, {message = "Bad Request"}, kit.get(INSIGHT .. "richmenu/" .. id .. "/" .. what))
    answers(404, {message = "Not found"}, period("richmenu-" .. ("0"):rep(32), what, "20241230", "20241231"))
  end)
end

tap.test("days are numbered and named", function()
  for _, text in ipairs{"19700101", "20000229", "20241231", "20250101", "20240301", "21000301"} do
    tap.same(days.text(days.number(text)), text)
  end
  tap.same({days.number "19700101", days.number "20250101" - days.number "20240101"}, {0, 366})
end)

tap.done()
