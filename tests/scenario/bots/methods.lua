-- Calls every method of events on every event, and tells what each returned or raised. The test says which make sense.
local line = require "line"

local calls = {
  profile = function(e) return e:profile().displayName end,
  group = function(e) return e:group().groupName end,
  member_count = function(e) return e:member_count() end,
  members = function(e)
    local ids = {}
    for id in e:members() do ids[#ids + 1] = id end
    return table.concat(ids, " ")
  end,
  loading = function(e) return e:loading(10) end,
  mark_read = function(e) return e:mark_read() end,
  content = function(e) return e:content():all() end,
  preview = function(e) return e:preview():type() end,
  push = function(e) return #e:push("pushed").sentMessages end,
  unsent = function(e) return e:unsent() end,
  quote_token = function(e) return e:quote_token() end,
  keywords = function(e) return json.array(e:keywords()) end,
  picked = function(e) return e:picked() end,
  menu_switch = function(e) return e:menu_switch() end,
  hwid = function(e) return (e:hwid():gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end,
  device_message = function(e)
    local bytes = e:device_message()
    return bytes and table.concat({bytes:byte(1, -1)}, " ") or "none"
  end,
  subscription = function(e) return e:subscription().subscriptions[1].membership.membershipId end,
  linked = function(e) return {e:linked()} end,
  mentions = function(e) return json.array(e:mentions()) end,
  mentioned = function(e) return e:mentioned() end,
  emojis = function(e) return json.array(e:emojis()) end,
  text_without_mentions = function(e) return e:text_without_mentions() end,
  reply = function(e) return e:reply("replied") or "queued" end,
  quote = function(e) return e:quote("quoted") or "queued" end,
  leave = function(e) return e:leave() end,
}
local order = {"profile", "group", "member_count", "members", "loading", "mark_read", "content", "preview", "push",
  "unsent", "quote_token", "keywords", "picked", "menu_switch", "hwid", "device_message", "linked", "mentions",
  "mentioned", "emojis", "text_without_mentions", "reply", "quote", "subscription", "leave"}

line.on("*", function(event)
  local told = {}
  for _, name in ipairs(order) do
    local ok, value = pcall(calls[name], event)
    if ok then told[name] = {value = value} else told[name] = {raised = tostring(value)} end
  end
  line.push("Umethods", event.webhookEventId, json.encode(told))
end)
