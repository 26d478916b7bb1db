-- Quick replies and senders: what any message may have beside its contents.

local core = require "line.core"
local build = require "line.build"
local errors = require "line.errors"

local builder = build.builder

local function quick_reply(...)
  local first = ...
  local list = type(first) == "table" and first.type == nil and (first.items or first) or {...}
  local items = {}
  for i, item in ipairs(list) do
    if type(item) ~= "table" or item.type == nil then
      errors.misuse("line.quick_reply: item %d is not an action", i)
    end
    items[i] = item.type == "action" and item or {type = "action", action = item}
  end
  return core.note{items = items}
end

return {
  -- line.quick_reply(item, …) → quick_reply
  -- Buttons below a message, as the value of its field `quickReply`. Takes actions, items of line.quick_reply.item, or
  -- one list of these.
  quick_reply = build.group("line.quick_reply", {
    -- line.quick_reply.item(action[, imageUrl[, more]]) → quick_reply_item
    -- A button with an icon.
    item = builder("line.quick_reply.item", "action", {"action", "imageUrl"}),
  }, quick_reply),

  -- line.sender([name[, iconUrl[, more]]]) → sender
  -- Name and icon to show instead of the account's, as the value of a message's field `sender`.
  sender = builder("line.sender", nil, {"name", "iconUrl"}),
}
