-- Coupons: made once, never changed, ended for good.
-- https://developers.line.biz/en/reference/messaging-api/#coupon
--
-- A channel keeps them in channel.coupons: id → {fields=, created=, closed=?, order=}.

local json = require "json"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local pages = require "emulator.pages"

local coupons = {}

local VALID_MOST = 5000

local CURRENCIES = {TW = "TWD", TH = "THB"}

-- What is wrong is worded as if it were in the body, of calls without one, too.
local function wrong(status, why)
  errors.raise(status, "The request body has 1 error(s)", {{message = why, property = ""}})
end

local function all(channel)
  channel.coupons = channel.coupons or {}
  return channel.coupons
end

local function seconds() return clock.now() // 1000 end

-- RUNNING from its making until it ends or is closed; a coupon made through the API is never a DRAFT.
local function status(coupon)
  if coupon.closed or coupon.fields.endTimestamp <= seconds() then return "CLOSED" end
  return "RUNNING"
end

function coupons.create_coupon(call)
  local body, now = call.body, seconds()
  local faults = {}
  if body.endTimestamp <= now then faults[1] = {message = "must be in the future", property = "endTimestamp"} end
  if body.endTimestamp <= body.startTimestamp then
    faults[#faults + 1] = {message = "must be greater than startTimestamp", property = "endTimestamp"}
  end
  if faults[1] then errors.invalid(faults) end
  local list, valid, order = all(call.channel), 0, 0
  for _, coupon in pairs(list) do
    if status(coupon) == "RUNNING" then valid = valid + 1 end
    order = math.max(order, coupon.order)
  end
  if valid >= VALID_MOST then wrong(400, "You have too many coupons created.") end
  local id = ids.ulid(clock.now())
  local fields = {}
  for _, field in ipairs(call.row.fields) do fields[field.name] = body[field.name] end
  list[id] = {fields = fields, created = now, order = order + 1}
  feed.put("world", {what = "coupon", id = id})
  return {couponId = id}
end

function coupons.list_coupon(call)
  local wanted, list = {}, all(call.channel)
  for _, word in ipairs(call.query.status or {}) do wanted[word] = true end
  local found = {}
  for id, coupon in pairs(list) do
    if next(wanted) == nil or wanted[status(coupon)] then found[#found + 1] = id end
  end
  table.sort(found, function(a, b) return list[a].order > list[b].order end)
  local page, following = pages.cut(found, call.query.start, call.query.limit or 20)
  local items = json.array {}
  for i, id in ipairs(page) do items[i] = {couponId = id, title = list[id].fields.title} end
  return {items = items, next = following}
end

local function coupon_of(call)
  return all(call.channel)[call.path.couponId] or wrong(404, "coupon not found")
end

function coupons.get_coupon_detail(call)
  local coupon = coupon_of(call)
  local answer = {couponId = call.path.couponId, status = status(coupon), createdTimestamp = coupon.created}
  for name, value in pairs(coupon.fields) do answer[name] = value end
  answer.maxTicketPerUser = 1 -- more are for coupons of other kinds, which the API cannot make
  local reward = answer.reward
  if reward and reward.priceInfo and reward.priceInfo.type ~= "percentage" then
    local price = {currency = CURRENCIES[call.channel.country] or "JPY"}
    for name, value in pairs(reward.priceInfo) do price[name] = value end
    answer.reward = {type = reward.type, priceInfo = price}
  end
  return answer
end

function coupons.close_coupon(call)
  local coupon = coupon_of(call)
  if coupon.closed then wrong(410, "The coupon has already been closed.") end
  coupon.closed = seconds()
  feed.put("world", {what = "coupon", id = call.path.couponId})
  return nil
end

-- coupons.known(channel, id) → whether a message may send it.
function coupons.known(channel, id)
  local coupon = all(channel)[id]
  return coupon ~= nil and status(coupon) == "RUNNING"
end

return coupons
