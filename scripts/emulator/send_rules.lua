-- What a message may hold depends on where it goes: mentions, quotes, tracking ids; and ids and units of a call.

local errors = require "emulator.errors"
local ids = require "emulator.ids"
local world = require "emulator.world"

local send_rules = {}

local LETTER = {user = "U", group = "C", room = "R"}
local HEX32 = ("%x"):rep(32)

-- send_rules.id(id, property, kind, …): raises when it has not the form of an id of one of the kinds.
function send_rules.id(id, property, ...)
  for _, kind in ipairs{...} do
    if type(id) == "string" and id:find("^" .. LETTER[kind] .. HEX32 .. "$") then return end
  end
  if property:find("[", 1, true) then
    errors.raise(400, ("The property, %s, in the request body is invalid (line: -, column: -)"):format(property))
  end
  errors.property(property)
end

-- send_rules.units(call): customAggregationUnits has at most one name of 1 to 30 letters, digits and _.
function send_rules.units(call)
  local units = call.body.customAggregationUnits
  if not units then return end
  if #units > 1 then errors.invalid{{message = "Size must be between 0 and 1", property = "customAggregationUnits"}} end
  for i, name in ipairs(units) do
    if type(name) ~= "string" then errors.property(("customAggregationUnits[%d]"):format(i - 1)) end
    if not name:find("^[%w_]+$") or #name > 30 then
      errors.invalid{{message = "Must match the pattern '^[a-zA-Z0-9_]{1,30}$'",
        property = ("customAggregationUnits[%d]"):format(i - 1)}}
    end
  end
end

local function refuse(i, property, message)
  errors.raise(400, ("A message (messages[%d]) in the request body is invalid"):format(i - 1),
    {{message = message, property = property}})
end

-- Each mention of a message: name in the text, mentionee.
local function mentions(message)
  local list = {}
  if message.type == "textV2" and message.substitution then
    for name, value in pairs(message.substitution) do
      if value.type == "mention" then list[#list + 1] = {name = name, mentionee = value.mentionee} end
    end
  end
  return list
end

-- A coupon that is sent must be one of the account's that still runs.
local function check_coupon(call, i, message)
  if message.type ~= "coupon" then return end
  local coupon = call.channel.coupons and call.channel.coupons[message.couponId]
  if not coupon then refuse(i, "couponId", "coupon not found") end
  if coupon.closed then refuse(i, "couponId", "The coupon has already been closed.") end
end

-- send_rules.coupons(call): of what goes to many; in_chat looks at those of a reply or push.
function send_rules.coupons(call)
  for i, message in ipairs(call.body.messages) do check_coupon(call, i, message) end
end

-- send_rules.to_many(call): multicast, narrowcast and broadcast take neither mentions nor quotes.
function send_rules.to_many(call)
  for i, message in ipairs(call.body.messages) do
    if message.quoteToken then refuse(i, "quoteToken", "Must not be specified") end
    for _, mention in ipairs(mentions(message)) do
      refuse(i, "substitution/" .. mention.name, "Mentions can only be sent to groups and multi-person chats")
    end
  end
end

-- send_rules.in_chat(call, chat): a reply or push into that chat. chat: {type=, id=, key=}.
function send_rules.in_chat(call, chat)
  local state = world.state
  for i, message in ipairs(call.body.messages) do
    check_coupon(call, i, message)
    if message.quoteToken then
      local id = ids.quoted(message.quoteToken)
      local quoted = id and world.find(id)
      if not quoted or quoted.key ~= chat.key then refuse(i, "quoteToken", "Invalid quoteToken") end
    end
    if message.trackingId and message.trackingId ~= "" and chat.type ~= "user" then
      refuse(i, "trackingId", "Must not be specified for groups and multi-person chats")
    end
    for _, mention in ipairs(mentions(message)) do
      local property = "substitution/" .. mention.name
      if chat.type == "user" then refuse(i, property, "Mentions can only be sent to groups and multi-person chats") end
      local place = state[chat.type .. "s"][chat.id]
      local user = mention.mentionee.userId
      if user and not (place and place.members[user]) then
        refuse(i, property .. "/mentionee/userId", "The user is not a member of the chat")
      end
    end
  end
end

return send_rules
