-- The emulator's coupons, as https://developers.line.biz/en/reference/messaging-api/#coupon has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local api = require "emulator.api"
local clock = require "emulator.clock"
local coupons = require "emulator.operations.coupons"
local world = require "emulator.world"

api.options.rates = false

local DAY = 24 * 3600
local AT = "/v2/bot/coupon"

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end
local function wrong(want_status, message, property, status, body)
  tap.same({status, body}, {want_status, {message = "The request body has 1 error(s)",
    details = {{message = message, property = property}}}})
end

local function coupon(more)
  local now = clock.now() // 1000
  local body = {title = "Friends-only coupon", description = "Show this screen.",
    acquisitionCondition = {type = "lottery", lotteryProbability = 50, maxAcquireCount = -1}, startTimestamp = now,
    endTimestamp = now + DAY, timezone = "ASIA_TOKYO", couponCode = "COUPONCODE123456", maxUseCountPerTicket = 1,
    visibility = "UNLISTED", usageCondition = "Usable from 1,000 yen", imageUrl = "https://example.com/a.png",
    reward = {type = "discount", priceInfo = {type = "fixed", fixedAmount = 100}}}
  for name, value in pairs(more or {}) do body[name] = value or nil end
  return body
end

local function new(more) return select(2, kit.post(AT, coupon(more))).couponId end
local function close(id) return kit.call("PUT", AT .. "/" .. id .. "/close", nil) end
local function list(query) return select(2, kit.get(AT .. (query or ""))) end

tap.test("a coupon is made and read back", function()
  kit.world()
  local status, body = kit.post(AT, coupon())
  tap.same({status, #body.couponId}, {200, 26})
  local want = coupon()
  want.couponId, want.status, want.createdTimestamp = body.couponId, "RUNNING", clock.now() // 1000
  want.maxTicketPerUser = 1
  want.reward.priceInfo.currency = "JPY"
  answers(200, want, kit.get(AT .. "/" .. body.couponId))
  wrong(404, "coupon not found", "", kit.get(AT .. "/01K0B456W5Y6SBD3YH74YM6QE6"))
end)

for country, currency in pairs{JP = "JPY", TW = "TWD", TH = "THB", ID = "JPY"} do
  tap.test("the currency of " .. country, function()
    kit.world().country = country
    tap.same(select(2, kit.get(AT .. "/" .. new())).reward.priceInfo.currency, currency)
  end)
end

tap.test("a share of the price has no currency, and a gift no price", function()
  kit.world()
  local share = new{reward = {type = "discount", priceInfo = {type = "percentage", percentage = 25}}}
  tap.same(select(2, kit.get(AT .. "/" .. share)).reward, {type = "discount", priceInfo = {type = "percentage",
    percentage = 25}})
  tap.same(select(2, kit.get(AT .. "/" .. new{reward = {type = "gift"}})).reward, {type = "gift"})
end)

tap.test("what is no coupon", function()
  kit.world()
  wrong(400, "Size must be between 1 and 60", "title", kit.post(AT, coupon{title = ("a"):rep(61)}))
  local _, body = kit.post(AT, coupon{reward = {type = "money"}})
  local words = {}
  for word in body.details[1].message:match("^Must be one of the following values: %[(.*)%]$"):gmatch("[^,]+") do
    words[#words + 1] = word
  end
  table.sort(words)
  tap.same({words, body.details[1].property}, {{"cashBack", "discount", "free", "gift", "others"}, "reward.type"})
  wrong(400, "Must not be specified", "reward.priceInfo.fixedAmount", kit.post(AT, coupon{reward = {type = "discount",
    priceInfo = {type = "percentage", percentage = 10, fixedAmount = 5}}}))
  local now = clock.now() // 1000
  tap.same((kit.post(AT, coupon{startTimestamp = now - 10, endTimestamp = now})), 400)
  tap.same((kit.post(AT, coupon{startTimestamp = now + 10, endTimestamp = now + 10})), 400)
  tap.same((kit.post(AT, coupon{timezone = "MOON"})), 400)
  tap.same((kit.post(AT, coupon{visibility = "PRIVATE"})), 400)
  tap.same((kit.post(AT, coupon{acquisitionCondition = {type = "lottery", lotteryProbability = 100,
    maxAcquireCount = 1}})), 400)
  answers(200, {items = {}}, kit.get(AT))
end)

tap.test("closing is for good", function()
  kit.world()
  local id = new()
  tap.same(coupons.known(world.state.channels["1000"], id), true)
  answers(200, {}, close(id))
  tap.same(select(2, kit.get(AT .. "/" .. id)).status, "CLOSED")
  tap.same(coupons.known(world.state.channels["1000"], id), false)
  wrong(410, "The coupon has already been closed.", "", close(id))
  wrong(404, "coupon not found", "", close("01K0B456W5Y6SBD3YH74YM6QE6"))
end)

tap.test("it closes when its time is over", function()
  kit.world()
  local id = new()
  kit.advance(DAY * 1000 - 1)
  tap.same(select(2, kit.get(AT .. "/" .. id)).status, "RUNNING")
  kit.advance(1)
  tap.same(select(2, kit.get(AT .. "/" .. id)).status, "CLOSED")
end)

tap.test("lists by status, page by page, the newest first", function()
  kit.world()
  answers(200, {items = {}}, kit.get(AT))
  local ids = {}
  for i = 1, 25 do ids[i] = new{title = "Coupon " .. i} end
  close(ids[3])
  local first = list()
  tap.same({#first.items, first.items[1]}, {20, {couponId = ids[25], title = "Coupon 25"}})
  local second = list("?start=" .. first.next)
  tap.same({#second.items, second.next, second.items[5].couponId}, {5, nil, ids[1]})
  tap.same({#list("?status=CLOSED").items, #list("?status=RUNNING&limit=100").items,
    #list("?status=DRAFT").items, #list("?status=CLOSED,RUNNING&limit=100").items}, {1, 24, 0, 25})
  tap.same(list("?status=CLOSED").items[1].couponId, ids[3])
  wrong(400, "Must be one of the following values: [DRAFT,RUNNING,CLOSED]", "status", kit.get(AT .. "?status=OPEN"))
  wrong(400, "Must be less than or equal to 100", "limit", kit.get(AT .. "?limit=101"))
  answers(400, {message = "Invalid start param"}, kit.get(AT .. "?start=x"))
  kit.advance(DAY * 1000)
  tap.same((kit.get(AT .. "?start=" .. first.next)), 200)
  kit.advance(1)
  answers(400, {message = "Invalid start param"}, kit.get(AT .. "?start=" .. first.next))
end)

tap.test("five thousand that are valid, and no more", function()
  local channel = kit.world()
  local id = new()
  local one = channel.coupons[id]
  for i = 1, 4999 do channel.coupons["c" .. i] = {fields = one.fields, created = one.created, order = i + 1} end
  wrong(400, "You have too many coupons created.", "", kit.post(AT, coupon()))
  close(id)
  tap.same((kit.post(AT, coupon())), 200)
end)

tap.test("a message sends a coupon that is valid", function()
  kit.world()
  local function send(id) return (kit.post("/v2/bot/message/push", {to = kit.user(1), messages = {{type = "coupon",
    couponId = id}}})) end
  local id = new()
  tap.same(send(id), 200)
end)

tap.done()
