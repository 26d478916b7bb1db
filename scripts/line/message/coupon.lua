-- Coupons: line.coupon makes the message, line.coupon.object and its like what line.create_coupon takes.

local build = require "line.build"

local builder = build.builder

local function object(c)
  c.acquisitionCondition = c.acquisitionCondition or {type = "normal"}
  c.maxUseCountPerTicket = c.maxUseCountPerTicket or 1
  return c
end

return {
  -- line.coupon(couponId[, more]) → coupon_message
  -- A coupon made before. More fields: deliveryTag.
  coupon = build.group("line.coupon", {
    -- line.coupon.object(title, startTimestamp, endTimestamp, timezone, visibility[, more]) → coupon
    -- A coupon to create, valid between two times in seconds since 1970; timezone such as "ASIA_TOKYO", visibility
    -- "UNLISTED" or "PUBLIC". For everybody and to be used once, unless acquisitionCondition and maxUseCountPerTicket
    -- say otherwise. More fields: reward, description, imageUrl, barcodeImageUrl, couponCode, usageCondition.
    object = builder("line.coupon.object", nil,
      {"title", "startTimestamp", "endTimestamp", "timezone", "visibility"}, object),

    -- line.coupon.normal([more]) → normal_acquisition
    -- An acquisitionCondition: everybody gets one.
    normal = builder("line.coupon.normal", "normal", {}),

    -- line.coupon.lottery(lotteryProbability, maxAcquireCount[, more]) → lottery_acquisition
    -- An acquisitionCondition: those who win, by a chance in percent; at most so many.
    lottery = builder("line.coupon.lottery", "lottery", {"lotteryProbability", "maxAcquireCount"}),

    -- line.coupon.discount([priceInfo[, more]]) → discount_reward
    -- A reward: a lower price.
    discount = builder("line.coupon.discount", "discount", {"priceInfo"}),

    -- line.coupon.cash_back([priceInfo[, more]]) → cash_back_reward
    -- A reward: money back.
    cash_back = builder("line.coupon.cash_back", "cashBack", {"priceInfo"}),

    -- line.coupon.free([more]) → free_reward
    -- A reward: something free.
    free = builder("line.coupon.free", "free", {}),

    -- line.coupon.gift([more]) → gift_reward
    -- A reward: a present.
    gift = builder("line.coupon.gift", "gift", {}),

    -- line.coupon.others([more]) → others_reward
    -- A reward of another kind.
    others = builder("line.coupon.others", "others", {}),

    -- line.coupon.fixed(fixedAmount[, more]) → fixed_price
    -- A priceInfo: an amount.
    fixed = builder("line.coupon.fixed", "fixed", {"fixedAmount"}),

    -- line.coupon.percentage(percentage[, more]) → percentage_price
    -- A priceInfo: a share, 1 to 99.
    percentage = builder("line.coupon.percentage", "percentage", {"percentage"}),

    -- line.coupon.explicit(originalPrice, priceAfterDiscount[, more]) → explicit_price
    -- A priceInfo: the price before and after, for discounts.
    explicit = builder("line.coupon.explicit", "explicit", {"originalPrice", "priceAfterDiscount"}),
  }, builder("line.coupon", "coupon", {"couponId"})),
}
