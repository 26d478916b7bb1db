-- Who a narrowcast is for: the trees of audiences and of attributes, over the friends of the account.
-- Attributes are those of the user: gender ("male", "female"), age (years), app ("ios", "android"), area ("jp_13" …); a
-- person without one is in no filter by it. The period is that of the friendship.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local send = require "emulator.send"
local world = require "emulator.world"

local recipients = {}

local FEW = 50
local DAY = 24 * 3600 * 1000
local FORTNIGHT = 14 * DAY

-- recipients.reach(channel): friends that can be reached.
function recipients.reach(channel) return #send.friends(channel) end

local function audience(channel, id)
  return require("emulator.operations.audiences").members(channel, id)
end

local function earlier(channel, request)
  local record = channel.narrowcasts and channel.narrowcasts[request]
  if not record or record.phase ~= "succeeded" or record.accepted + FORTNIGHT < clock.now() then return nil end
  return record
end

local function each_part(tree, fn)
  for _, name in ipairs{"and", "or"} do
    for _, part in ipairs(tree[name] or {}) do fn(part) end
  end
  if tree["not"] then fn(tree["not"]) end
end

-- recipients.check(channel, recipient or nil): raises 400 when it names an audience or a request that there is not.
function recipients.check(channel, tree)
  if not tree then return end
  if tree.type == "audience" then
    if not audience(channel, tree.audienceGroupId) then
      errors.raise(400, ("Invalid audience group id: %s"):format(tree.audienceGroupId))
    end
  elseif tree.type == "redelivery" then
    if not earlier(channel, tree.requestId) then errors.raise(400, "Invalid request id: " .. tree.requestId) end
  else
    each_part(tree, function(part) recipients.check(channel, part) end)
  end
end

-- ---- audiences: a tree → function(user id) → boolean ----

-- The test of a tree of audiences; small.found is set when an audience has too few members.
local function by_audience(channel, tree, small)
  if tree.type == "audience" then
    local members, n = audience(channel, tree.audienceGroupId) or {}, 0
    for _ in pairs(members) do
      n = n + 1
      if n >= FEW then break end
    end
    if n < FEW then small.found = true end
    return function(user) return members[user] ~= nil end
  elseif tree.type == "redelivery" then
    local set = {}
    local record = earlier(channel, tree.requestId)
    for _, user in ipairs(record and record.people or {}) do set[user] = true end
    return function(user) return set[user] == true end
  end
  return nil
end

-- ---- attributes ----

local function one_of(list, value)
  for _, wanted in ipairs(list) do
    if wanted == value then return true end
  end
  return false
end

local function number(word) return word and tonumber(word:match("%d+$")) end

local function between(filter, value)
  if not value then return false end
  local low, high = number(filter.gte), number(filter.lt)
  return (not low or value >= low) and (not high or value < high)
end

local FILTERS = {
  gender = function(filter, user) return one_of(filter.oneOf, user.gender) end,
  age = function(filter, user) return between(filter, user.age) end,
  appType = function(filter, user) return one_of(filter.oneOf, user.app) end,
  area = function(filter, user) return one_of(filter.oneOf, user.area) end,
  subscriptionPeriod = function(filter, _, friend) return between(filter, (clock.now() - friend.since) // DAY) end,
}

local function by_attribute(channel, tree)
  local filter = FILTERS[tree.type]
  if not filter then return nil end
  return function(id) return filter(tree, world.state.users[id], channel.friends[id]) end
end

-- ---- operators ----

-- A tree → test; leaf(tree) makes the test of what is no operator.
local function test_of(tree, leaf)
  if tree.type ~= "operator" then return leaf(tree) or function() return false end end
  if tree["not"] then
    local inner = test_of(tree["not"], leaf)
    return function(user) return not inner(user) end
  end
  local all = tree["and"] ~= nil
  local tests = {}
  for i, part in ipairs(tree["and"] or tree["or"]) do tests[i] = test_of(part, leaf) end
  return function(user)
    for _, test in ipairs(tests) do
      if test(user) ~= all then return not all end
    end
    return all
  end
end

-- recipients.find(channel, recipient or nil, demographic or nil) → list of user ids, whether an audience is too small.
function recipients.find(channel, recipient, demographic)
  local small = {}
  local tests = {}
  if recipient then
    tests[#tests + 1] = test_of(recipient, function(tree) return by_audience(channel, tree, small) end)
  end
  if demographic then
    tests[#tests + 1] = test_of(demographic, function(tree) return by_attribute(channel, tree) end)
  end
  local found = {}
  for _, user in ipairs(send.friends(channel)) do
    local fits = true
    for _, test in ipairs(tests) do fits = fits and test(user) end
    if fits then found[#found + 1] = user end
  end
  table.sort(found)
  return found, small.found or false
end

return recipients
