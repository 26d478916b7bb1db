-- Mission stickers, for partners. channel.missions[product id] = {from = ms, to = ms} are those that it may give.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local send = require "emulator.send"
local world = require "emulator.world"

local mission = {}

function mission.mission_sticker_v3(call)
  local channel, body = call.channel, call.body
  if not channel.partner then errors.raise(403, "not allowed to use the API") end
  if body.productType ~= "STICKER" or body.sendPresentMessage ~= false then errors.raise(400, "illegal argument") end
  if not world.state.users[body.to] or not send.reaches(channel, body.to) then errors.raise(400, "invalid request") end
  local set = channel.missions and channel.missions[body.productId]
  if not set then errors.raise(404, "not found") end
  local now = clock.now()
  if set.from and now < set.from or set.to and now > set.to then errors.raise(400, "not in sales period") end
  local user = world.state.users[body.to]
  user.stickers = user.stickers or {}
  user.stickers[body.productId] = now
  feed.put("world", {what = "user", id = user.id})
  return 200, ""
end

return mission
