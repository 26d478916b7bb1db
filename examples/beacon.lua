-- Welcomes who walks past a LINE Beacon. Run it: moonline run examples/beacon.lua
--
-- The beacon is linked to the account in LINE Official Account Manager; people have to switch LINE Beacon on.

local line = require "line"
local log = require "log"
local store = require "store"

-- Hardware ids of your beacons, and where they hang.
local PLACES = {
  ["0a1b2c3d4e"] = "the shop",
  ["d41d8cd98f"] = "the cafe",
}

local function place(event)
  return PLACES[event.beacon.hwid] or "our place"
end

-- LINE tells of everyone who comes near, each time. store.add says true once, then false until the day is over; the id
-- it keeps tells an event that comes again because a crash interrupted it.
line.on("beacon.enter", function(event)
  local key = ("welcomed:%s:%s"):format(event.beacon.hwid, event.source.userId)
  local id = event.webhookEventId
  if not store.add(key, id, {ttl = 24 * 3600}) and store.get(key) ~= id then return end
  event:reply("Welcome to " .. place(event) .. "! Show this message for a free cookie.")
end)

-- A tap on the banner that LINE shows at the top of the chat list.
line.on("beacon.banner", function(event)
  event:reply("You are near " .. place(event) .. ": today there is soup.")
end)

-- Every ten seconds or so for those who stay. Too often to answer; what the beacon itself says may be of use.
line.on("beacon.stay", function(event)
  local said = event:device_message() -- bytes that the beacon was told to send, up to 13; nil for none
  log.info("stays", {place = place(event), battery = said and said:byte(1)})
end)
