-- What an event says, in the form a script can use: methods that only read the event. None of them waits, but for
-- event:subscription. Each raises at the caller's line for events of which it makes no sense.

local core = require "line.core"
local errors = require "line.errors"

local inner, misuse = core.inner, errors.misuse

local facts = {}

local function part(event, name)
  local t = rawget(event, name)
  return type(t) == "table" and t or nil
end

-- event:unsent() → string
-- Returns the id of the message that an unsend event takes back. Raises for other events. Does not wait.
function facts:unsent()
  local u = part(self, "unsend")
  if not u then misuse("event:unsent: only an unsend event names a message that was taken back") end
  return u.messageId
end

-- event:quote_token() → string
-- Returns the token with which a text or sticker quotes this event's message: line.text{text=, quoteToken=}. Raises for
-- messages that cannot be quoted (audio, file, location) and for other events. Does not wait.
function facts:quote_token()
  local m = part(self, "message")
  if not m then misuse("event:quote_token: an event of type '%s' has no message to quote", tostring(self.type)) end
  if not m.quoteToken then
    misuse("event:quote_token: a message of type '%s' came without a quoteToken; it cannot be quoted", tostring(m.type))
  end
  return m.quoteToken
end

-- event:keywords() → list of string
-- Returns a list of words for what a sticker shows, up to 15, {} when LINE sends none. Raises for anything but a
-- sticker. Does not wait.
function facts:keywords()
  local m = part(self, "message")
  if not m or m.type ~= "sticker" then misuse("event:keywords: only a sticker message has keywords") end
  return m.keywords or {}
end

-- event:picked() → picked
-- Returns what was chosen in a date or time picker: {mode = "date" | "time" | "datetime", text = "2027-02-28T06:15",
-- year=, month=, day=, hour=, min=} with whole numbers; of a date without hour and min, of a time only those. os.time
-- takes what has a date. Raises for other postbacks and events. Does not wait.
function facts:picked()
  local p = part(self, "postback")
  local params = p and type(p.params) == "table" and p.params or {}
  local mode = params.datetime and "datetime" or params.date and "date" or params.time and "time"
  if not mode then misuse("event:picked: this event is not the postback of a date or time picker") end
  local words = params[mode]
  local result = {mode = mode, text = words}
  if type(words) == "string" then
    local year, month, day = words:match("^(%d+)%-(%d+)%-(%d+)")
    local hour, min = words:match("(%d+):(%d+)")
    result.year, result.month, result.day = tonumber(year), tonumber(month), tonumber(day)
    result.hour, result.min = tonumber(hour), tonumber(min)
  end
  return result
end

-- event:menu_switch() → menu_switch
-- Returns what became of a switch of rich menus: {ok = true | false, status = "SUCCESS" …, alias=}, alias being the
-- new menu's, nil when the switch failed. Raises for other postbacks and events. Does not wait.
function facts:menu_switch()
  local p = part(self, "postback")
  local params = p and type(p.params) == "table" and p.params or {}
  if not params.status then misuse("event:menu_switch: this event is not the postback of a switch of rich menus") end
  return {ok = params.status == "SUCCESS", status = params.status, alias = params.newRichMenuAliasId}
end

local function bytes(what, hex)
  if type(hex) ~= "string" or #hex % 2 == 1 or hex:find("%X") then
    misuse("%s: LINE sent '%s', which is not hexadecimal", what, tostring(hex))
  end
  return (hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

-- event:hwid() → string
-- Returns the hardware id of the beacon as bytes; event.beacon.hwid has it in hexadecimal. Raises for other events.
-- Does not wait.
function facts:hwid()
  local b = part(self, "beacon")
  if not b then misuse("event:hwid: only a beacon event has a hardware id") end
  return bytes("event:hwid", b.hwid)
end

-- event:device_message() → string or nil
-- Returns the message of the beacon as bytes, nil when it sent none; event.beacon.dm has it in hexadecimal. Raises for
-- other events. Does not wait.
function facts:device_message()
  local b = part(self, "beacon")
  if not b then misuse("event:device_message: only a beacon event has a device message") end
  return b.dm and bytes("event:device_message", b.dm) or nil
end

-- event:linked() → boolean, string
-- Returns whether the account was linked, and the nonce that was given with the link. Raises for events that are not
-- accountLink. Does not wait.
function facts:linked()
  local l = part(self, "link")
  if not l then misuse("event:linked: only an accountLink event says whether an account was linked") end
  return l.result == "ok", l.nonce
end

-- event:subscription() → membership_subscription
-- Returns the user's memberships as they are now, {subscriptions = {{membership=, user=}, …}}; the event itself says
-- what changed (event.membership.type and .membershipId). Raises where LINE does not say who. Waits.
function facts:subscription()
  local s = part(self, "source")
  if not (s and s.userId) then misuse("event:subscription: LINE does not say who caused this event") end
  return inner.get_membership_subscription(s.userId, nil, "event:subscription")
end

return facts
