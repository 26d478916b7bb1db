-- Who gets a narrowcast: line.recipient.* by audience, line.filter.* by attributes, and the lists of audiences.

local core = require "line.core"
local build = require "line.build"
local errors = require "line.errors"

local builder = build.builder

-- and, or and not under names that are no words of Lua's.
local function all_of(what, noun)
  return function(...) return core.note{type = "operator", ["and"] = build.list(what, noun, ...)} end
end

local function any_of(what, noun)
  return function(...) return core.note{type = "operator", ["or"] = build.list(what, noun, ...)} end
end

local function except(what, noun)
  return function(one)
    if type(one) ~= "table" then errors.misuse("%s: takes a %s, not a %s", what, noun, type(one)) end
    return core.note{type = "operator", ["not"] = one}
  end
end

-- A filter by one of several words, given one by one or as a list.
local function one_of(kind)
  return function(...)
    local first = ...
    return core.note{type = kind, oneOf = type(first) == "table" and (first.oneOf or first) or {...}}
  end
end

-- A filter by a range, whose ends may be numbers: 20 is "age_20".
local function range(prefix)
  return function(f)
    if math.type(f.gte) == "integer" then f.gte = prefix .. f.gte end
    if math.type(f.lt) == "integer" then f.lt = prefix .. f.lt end
    return f
  end
end

local function audiences(...)
  local first, list = ..., {}
  for i, id in ipairs(type(first) == "table" and first or {...}) do
    if type(id) ~= "string" then errors.misuse("line.audiences: id %d is a %s, not a string", i, type(id)) end
    list[i] = {id = id}
  end
  return core.note(list)
end

return {
  recipient = build.group("line.recipient", {
    -- line.recipient.audience(audienceGroupId[, more]) → audience_recipient
    -- The members of an audience.
    audience = builder("line.recipient.audience", "audience", {"audienceGroupId"}),

    -- line.recipient.redelivery(requestId[, more]) → redelivery_recipient
    -- Those whom an earlier narrowcast reached, by the request id that it returned.
    redelivery = builder("line.recipient.redelivery", "redelivery", {"requestId"}),

    -- line.recipient.all_of(recipient, …) → recipient_operator
    -- Those who belong to all of them (LINE's `and`).
    all_of = all_of("line.recipient.all_of", "recipient"),

    -- line.recipient.any_of(recipient, …) → recipient_operator
    -- Those who belong to at least one of them (LINE's `or`).
    any_of = any_of("line.recipient.any_of", "recipient"),

    -- line.recipient.except(recipient) → recipient_operator
    -- Those who do not belong to it (LINE's `not`).
    except = except("line.recipient.except", "recipient"),
  }),

  -- line.filter(demographic[, more]) → filter
  -- A narrowcast's `filter`, around one of the filters below.
  filter = build.group("line.filter", {
    -- line.filter.gender(word, …) → gender_filter
    -- "male", "female".
    gender = one_of("gender"),

    -- line.filter.age(gte[, lt[, more]]) → age_filter
    -- From gte up to but not lt, as "age_20" or 20, in steps of five from 15 to 70; nil for an open end.
    age = builder("line.filter.age", "age", {"gte", "lt"}, range("age_")),

    -- line.filter.app_type(word, …) → app_filter
    -- "ios", "android".
    app_type = one_of("appType"),

    -- line.filter.area(code, …) → area_filter
    -- "jp_13" is Tokyo.
    area = one_of("area"),

    -- line.filter.subscription_period(gte[, lt[, more]]) → period_filter
    -- Friends since gte days up to but not lt, as "day_7" or 7, 30, 90, 180, 365; nil for an open end.
    subscription_period = builder("line.filter.subscription_period", "subscriptionPeriod", {"gte", "lt"},
      range("day_")),

    -- line.filter.all_of(filter, …) → demographic_operator
    -- What all of them let through (LINE's `and`).
    all_of = all_of("line.filter.all_of", "filter"),

    -- line.filter.any_of(filter, …) → demographic_operator
    -- What at least one of them lets through (LINE's `or`).
    any_of = any_of("line.filter.any_of", "filter"),

    -- line.filter.except(filter) → demographic_operator
    -- What it does not let through (LINE's `not`).
    except = except("line.filter.except", "filter"),
  }, builder("line.filter", nil, {"demographic"})),

  -- line.audiences(id, …) → list of audience_id
  -- The `audiences` of an upload. Takes user ids, or IFAs, one by one or as a list.
  audiences = audiences,
}
