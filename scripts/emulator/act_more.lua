-- Deeds beside the conversation: beacons, account links, memberships, notification messages, and any event at all.

local base = require "emulator.act_base"
local clock = require "emulator.clock"
local events = require "emulator.events"
local world = require "emulator.world"

local deeds = {}

local BEACON_COUNTRIES = {JP = true, TW = true, TH = true}
local BEACONS = {enter = true, banner = true, stay = true}

deeds.beacon = {
  what = "meet a beacon",
  fields = {type = "enter, banner or stay", hwid = "hardware id of the beacon, hexadecimal",
    dm = "device message, hexadecimal"},
  fn = function(a)
    base.need_one_to_one(a)
    base.need_open(a)
    local kind, hwid, dm = a.body.type or "enter", a.body.hwid, a.body.dm
    if not BEACONS[kind] then base.refuse("type: %q is none of enter, banner, stay", tostring(kind)) end
    if type(hwid) ~= "string" or not hwid:find("^%x+$") then
      base.refuse("hwid: hexadecimal digits are needed, as \"d41d8cd98f\"")
    end
    if dm ~= nil and (type(dm) ~= "string" or not dm:find("^%x+$")) then
      base.refuse("dm: hexadecimal digits are needed")
    end
    if a.channel.country and not BEACON_COUNTRIES[a.channel.country] then
      base.refuse("beacons exist for accounts of JP, TW and TH; %s is of %s", a.channel.name, a.channel.country)
    end
    if not world.is_friend(a.channel, a.user.id) then
      base.refuse("%s is no friend of %s; a beacon tells friends only", a.user.name, a.channel.name)
    end
    base.tell(a, "beacon", {hwid = hwid, type = kind, dm = dm})
  end,
}

-- The page https://access.line.me/dialog/bot/accountLink. Link tokens are made by the operation issue_link_token:
-- channel.link_tokens[token] = {user = userId, expires = ms, used = bool}.
deeds.accountLink = {
  what = "open the dialog that links the account; wrong, used or expired link tokens show an error and tell nobody",
  fields = {linkToken = "of issue_link_token", nonce = "of the bot's own service, 10 to 255 characters"},
  fn = function(a)
    base.need_one_to_one(a)
    local token, nonce = a.body.linkToken, a.body.nonce
    if type(nonce) ~= "string" or #nonce < 10 or #nonce > 255 then
      base.refuse("nonce: 10 to 255 characters are needed")
    end
    if type(token) ~= "string" then base.refuse("linkToken: a text is needed") end
    local known = a.channel.link_tokens and a.channel.link_tokens[token]
    if not known then base.refuse("linkToken: it is none of %s", a.channel.name) end
    if known.used then base.refuse("linkToken: it was used already") end
    if clock.now() >= known.expires then base.refuse("linkToken: it has expired; it lives for 10 minutes") end
    a.channel.nonces = a.channel.nonces or {}
    if a.channel.nonces[nonce] then base.refuse("nonce: it was used already; make a new one each time") end
    known.used = true
    a.channel.nonces[nonce] = true
    if known.user == a.user.id then
      a.answer = {result = "ok"}
      base.tell(a, "accountLink", {result = "ok", nonce = nonce})
    else -- the token was made for somebody else
      a.answer = {result = "failed"}
      base.tell(a, "accountLink", {result = "failed", nonce = nonce}, {source = false, reply = false})
    end
  end,
}

local MEMBERSHIPS = {joined = true, left = true, renewed = true}

deeds.membership = {
  what = "join, leave or renew a paid membership",
  fields = {type = "joined, left or renewed", membershipId = "number of the plan"},
  fn = function(a)
    base.need_one_to_one(a)
    local kind, id = a.body.type, a.body.membershipId
    if not MEMBERSHIPS[kind] then base.refuse("type: %q is none of joined, left, renewed", tostring(kind)) end
    if math.type(id) ~= "integer" then base.refuse("membershipId: the number of a membership plan is needed") end
    if not require("emulator.operations.memberships").change(a.channel, a.user.id, id, kind) then
      base.refuse("membershipId: %s has no membership plan %d", a.channel.name, id)
    end
    if events.consents(a.user.id) then base.tell(a, "membership", {type = kind, membershipId = id}) end
  end,
}

deeds.deliveryComplete = {
  what = "a LINE notification message has arrived",
  fields = {data = "the hashed phone number, or the X-Line-Delivery-Tag of the call"},
  fn = function(a)
    local data = a.body.data
    if type(data) ~= "string" or #data < 16 or #data > 100 then base.refuse("data: 16 to 100 characters are needed") end
    a.chat = nil
    base.tell(a, "delivery", {data = data})
  end,
}

deeds.event = {
  what = "any event object; what is missing (ids, time, source, reply token) is filled in",
  fields = {event = "the event, as {\"type\":\"botSuspended\"}"},
  fn = function(a)
    local event = a.body.event
    if type(event) ~= "table" then base.refuse("event: an object is needed, with a type at least") end
    if not a.channel then base.refuse("there is no account in %s that could be told", base.name_of(a.gathering)) end
    base.send(a, events.complete(a.channel, a.chat, a.user and a.user.id, event))
  end,
}

return deeds
