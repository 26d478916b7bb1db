-- Memberships: the plans of the account and who has joined them. What a world declares, and what people do on the page.
-- https://developers.line.biz/en/reference/messaging-api/#membership
--
-- A channel keeps in channel.memberships: plans[id] = {fields of the answer}, members[id][userId] = {since = seconds,
-- no=}; ids as text, for a saved world is JSON.

local json = require "json"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local pages = require "emulator.pages"
local world = require "emulator.world"

local memberships = {}

local JAPAN = 9 * 3600

local function state(channel)
  channel.memberships = channel.memberships or {plans = {}, members = {}}
  return channel.memberships
end

local function sorted(plans)
  local list = {}
  for id in pairs(plans) do list[#list + 1] = id end
  table.sort(list, function(a, b) return tonumber(a) < tonumber(b) end)
  return list
end

local function plan(id, record, short)
  local answer = {
    membershipId = math.tointeger(tonumber(id)), title = record.title, description = record.description,
    benefits = json.array(record.benefits or {}), price = record.price or 0, currency = record.currency or "JPY",
  }
  if short then return answer end
  answer.memberLimit = record.memberLimit or json.null
  answer.isInAppPurchase = record.isInAppPurchase == true
  answer.isPublished = record.isPublished ~= false
  return answer
end

local function count(members)
  local n = 0
  for _ in pairs(members or {}) do n = n + 1 end
  return n
end

function memberships.get_membership_list(call)
  local s = state(call.channel)
  local list = json.array {}
  for _, id in ipairs(sorted(s.plans)) do
    local answer = plan(id, s.plans[id])
    answer.memberCount = count(s.members[id])
    list[#list + 1] = answer
  end
  if not list[1] then errors.raise(404, "Membership plan not found") end
  return {memberships = list}
end

-- Months that have begun since, the first one counted, and the day of the next payment: the same of the month after. In
-- Japan's time.
local function times(since)
  local now = os.date("!*t", clock.now() // 1000 + JAPAN)
  local from = os.date("!*t", since + JAPAN)
  local months = math.max((now.year - from.year) * 12 + now.month - from.month + (now.day >= from.day and 1 or 0), 1)
  local month = from.month + months - 1
  local year = from.year + month // 12
  month = month % 12 + 1
  local last = os.date("!*t", os.time{year = year, month = month + 1, day = 0, hour = 12}).day
  return months, ("%04d-%02d-%02d"):format(year, month, math.min(from.day, last))
end

function memberships.get_membership_subscription(call)
  local s = state(call.channel)
  local list = json.array {}
  if not call.path.userId:find("^U" .. ("%x"):rep(32) .. "$") then
    errors.raise(400, "The value for the 'userId' parameter is invalid")
  end
  for _, id in ipairs(sorted(s.plans)) do
    local member = s.members[id] and s.members[id][call.path.userId]
    if member then
      local months, billing = times(member.since)
      list[#list + 1] = {
        membership = plan(id, s.plans[id], true),
        user = {
          membershipNo = member.no, joinedTime = member.since, nextBillingDate = billing,
          totalSubscriptionMonths = months,
        },
      }
    end
  end
  if not list[1] then errors.raise(404, "Not found") end
  return {subscriptions = list}
end

function memberships.get_joined_membership_users(call)
  local s = state(call.channel)
  local id = tostring(call.path.membershipId)
  local members = s.members[id]
  if not s.plans[id] then errors.raise(404, "Membership ID is not found") end
  local list = {}
  for user in pairs(members or {}) do
    local person = world.state.users[user]
    if person and not person.deleted and person.consent ~= false and world.is_friend(call.channel, user) then
      list[#list + 1] = user
    end
  end
  table.sort(list)
  local page, following = pages.cut(list, call.query.start, call.query.limit or 300)
  return {userIds = json.array(page), next = following}
end

-- memberships.change(channel, userId, id, what): somebody joins, renews or leaves ("joined", "renewed", "left").
-- Returns false when there is no such plan.
function memberships.change(channel, user, id, what)
  local s = state(channel)
  id = tostring(id)
  if not s.plans[id] then return false end
  local members = s.members[id] or {}
  s.members[id] = members
  if what == "left" then
    members[user] = nil
  elseif not members[user] then
    local last = 0
    for _, member in pairs(members) do last = math.max(last, member.no) end
    members[user] = {since = clock.now() // 1000, no = last + 1}
  end
  return true
end

return memberships
