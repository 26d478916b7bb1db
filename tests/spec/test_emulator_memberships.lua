-- The emulator's memberships, as https://developers.line.biz/en/reference/messaging-api/#membership has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local act = require "emulator.act"
local api = require "emulator.api"
local clock = require "emulator.clock"
local world = require "emulator.world"

api.options.rates = false

local user = kit.user
local DAY = 24 * 3600 * 1000
local AT = "/v2/bot/membership/"

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end

local function plans()
  local channel = kit.world()
  channel.memberships = {members = {}, plans = {
    ["3189"] = {title = "Basic Plan", description = "Messages.", benefits = {"Messages", "Photos"}, price = 500,
      currency = "JPY", isInAppPurchase = true},
    ["3213"] = {title = "Premium Plan", description = "A party.", benefits = {"Party"}, price = 1500, memberLimit = 10,
      isPublished = false},
  }}
  return channel
end

local function change(n, kind, id)
  return act.perform{as = user(n), chat = "1000:" .. user(n), ["do"] = "membership", type = kind,
    membershipId = id or 3189}
end
local function subscription(n) return kit.get(AT .. "subscription/" .. user(n)) end

tap.test("the plans, with how many have joined", function()
  plans()
  change(1, "joined")
  change(2, "joined")
  answers(200, {memberships = {
    {membershipId = 3189, title = "Basic Plan", description = "Messages.", benefits = {"Messages", "Photos"},
      price = 500, currency = "JPY", memberCount = 2, isInAppPurchase = true, isPublished = true},
    {membershipId = 3213, title = "Premium Plan", description = "A party.", benefits = {"Party"}, price = 1500,
      currency = "JPY", memberCount = 0, memberLimit = 10, isInAppPurchase = false, isPublished = false},
  }}, kit.get(AT .. "list"))
  local _, text = api.handle{method = "GET", raw_path = AT .. "list", query = {},
    headers = {authorization = "Bearer " .. kit.TOKEN}}
  assert(text:find('"memberLimit":null', 1, true), text)
end)

tap.test("an account without plans", function()
  kit.world()
  answers(404, {message = "Membership plan not found"}, kit.get(AT .. "list"))
  answers(404, {message = "Membership ID is not found"}, kit.get(AT .. "3189/users/ids"))
  tap.raises("no membership plan 3189", change, 1, "joined")
end)

tap.test("what somebody has joined, and since when", function()
  plans()
  answers(404, {message = "Not found"}, subscription(1))
  change(1, "joined")
  change(2, "joined")
  local since = clock.now() // 1000
  answers(200, {subscriptions = {{
    membership = {membershipId = 3189, title = "Basic Plan", description = "Messages.",
      benefits = {"Messages", "Photos"}, price = 500, currency = "JPY"},
    user = {membershipNo = 1, joinedTime = since, nextBillingDate = "2025-02-01", totalSubscriptionMonths = 1},
  }}}, subscription(1))
  tap.same(select(2, subscription(2)).subscriptions[1].user.membershipNo, 2)
  tap.same({kit.events[1].event.type, kit.events[1].event.membership}, {"membership", {type = "joined",
    membershipId = 3189}})
  kit.advance(31 * DAY) -- the first of February
  local _, body = subscription(1)
  tap.same({body.subscriptions[1].user.nextBillingDate, body.subscriptions[1].user.totalSubscriptionMonths},
    {"2025-03-01", 2})
  answers(400, {message = "The value for the 'userId' parameter is invalid"}, kit.get(AT .. "subscription/U1"))
end)

tap.test("payment days are those of Japan, and months may be too short", function()
  plans()
  kit.advance(29 * DAY + 12 * 3600 * 1000) -- midnight of the 31st in Japan
  change(1, "joined")
  tap.same(select(2, subscription(1)).subscriptions[1].user.nextBillingDate, "2025-02-28")
  kit.advance(31 * DAY)
  tap.same(select(2, subscription(1)).subscriptions[1].user.nextBillingDate:sub(1, 7), "2025-03")
end)

tap.test("leaving ends it, and joining again begins anew with a number of its own", function()
  plans()
  change(1, "joined")
  change(2, "joined")
  kit.advance(40 * DAY)
  change(1, "renewed")
  tap.same(select(2, subscription(1)).subscriptions[1].user.totalSubscriptionMonths, 2)
  change(1, "left")
  answers(404, {message = "Not found"}, subscription(1))
  change(1, "joined")
  local member = select(2, subscription(1)).subscriptions[1].user
  tap.same({member.membershipNo, member.totalSubscriptionMonths}, {3, 1})
end)

tap.test("members are listed page by page; those who may not be told of are left out", function()
  local channel = plans()
  for i = 1, 350 do
    world.state.users[user(100 + i)] = {id = user(100 + i), name = "x", consent = true}
    channel.friends[user(100 + i)] = {state = "friend", since = 0}
    require("emulator.operations.memberships").change(channel, user(100 + i), 3189, "joined")
  end
  channel.friends[user(101)].state = "blocked"
  channel.friends[user(102)] = nil
  world.state.users[user(103)].deleted = true
  world.state.users[user(104)].consent = false
  local _, first = kit.get(AT .. "3189/users/ids")
  tap.same(#first.userIds, 300)
  local _, second = kit.get(AT .. "3189/users/ids?start=" .. first.next)
  tap.same({#second.userIds, second.next}, {46, nil})
  tap.same(#select(2, kit.get(AT .. "3189/users/ids?limit=1000")).userIds, 346)
  answers(200, {userIds = {}}, kit.get(AT .. "3213/users/ids"))
  answers(404, {message = "Membership ID is not found"}, kit.get(AT .. "1/users/ids"))
  answers(400, {message = "Invalid start param"}, kit.get(AT .. "3189/users/ids?start=x"))
  tap.same({(kit.get(AT .. "3189/users/ids?limit=1001")), (kit.get(AT .. "3189/users/ids?limit=0"))}, {400, 400})
  kit.advance(DAY + 1)
  answers(400, {message = "Invalid start param"}, kit.get(AT .. "3189/users/ids?start=" .. first.next))
end)

tap.done()
