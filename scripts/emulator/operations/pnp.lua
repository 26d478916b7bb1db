-- LINE notification messages, for partners: to a person by the SHA-256 of the telephone number, users[id].phone.

local crypto = require "crypto"
local errors = require "emulator.errors"
local days = require "emulator.days"
local send = require "emulator.send"
local send_rules = require "emulator.send_rules"
local usage = require "emulator.usage"
local world = require "emulator.world"

local pnp = {}

local function only_partner(call)
  if not call.channel.partner then errors.raise(403, "Access to this API is not available for your account") end
end

local function user_of(digest)
  for id, user in pairs(world.state.users) do
    if user.phone and not user.deleted and crypto.sha256(user.phone) == digest then return id end
  end
end

function pnp.push_messages_by_phone(call)
  only_partner(call)
  local channel, digest, tag = call.channel, call.body.to:lower(), call.header.deliveryTag
  if not digest:find("^" .. ("%x"):rep(64) .. "$") then
    errors.invalid{{message = "The value must be a valid SHA-256 digest.", property = "to"}}
  end
  if tag and (#tag < 16 or #tag > 100) then
    errors.raise(400, "The value for the 'X-Line-Delivery-Tag' header is invalid")
  end
  send_rules.to_many(call)
  local user = user_of(digest)
  local friend = user and channel.friends[user]
  if not user or friend and friend.state ~= "friend" then errors.raise(422, "Failed to send messages") end
  local chat = world.chat(channel, {type = "user", userId = user})
  call.chat = chat.key
  send.count(call, "pnp", 1, false)
  send.to_chat(call, chat, "pnp")
  local event = require("emulator.events").new(channel, "delivery", {payload = {data = tag or digest}, source = false})
  require("emulator.deliver").event(channel, event)
  return nil
end

function pnp.get_pnp_message_statistics(call)
  only_partner(call)
  return days.count(call, call.query.date, function(day) return usage.delivered(call.channel, "pnp", day) end)
end

return pnp
