-- All builders, and how the arguments of a send become its list of messages. The builders are in message/, a file a
-- family; their one rule is in line.build.

local errors = require "line.errors"

local messages = {builders = {}}

for _, family in ipairs{"text", "media", "imagemap", "template", "flex", "action", "quick_reply", "richmenu",
  "narrowcast", "coupon"} do
  for name, fn in pairs(require("line.message." .. family)) do messages.builders[name] = fn end
end

-- What a script may hand over beside messages. A table with none but these names is options, not a message.
local option_names = {
  notificationDisabled = true, customAggregationUnits = true, recipient = true, filter = true, limit = true,
  timeout = true, retry_key = true, notification_disabled = true,
}

local function is_options(t)
  if type(t) ~= "table" or t.type ~= nil or t[1] ~= nil then return false end
  for k in pairs(t) do
    if not option_names[k] then return false end
  end
  return next(t) ~= nil
end

local function add(what, list, n, m)
  local t = type(m)
  if t == "string" then
    list[n] = {type = "text", text = m}
  elseif t ~= "table" then
    errors.misuse("%s: message %d is a %s; a message is a string or a table%s", what, n, t,
      t == "number" and " (tostring makes a string of it)" or "")
  elseif m.type == nil then
    errors.misuse("%s: message %d has no type; %s", what, n,
      (m.quickReply or m.items) and "a quick reply belongs to a message: line.text(text, {quickReply = …})"
        or "line.text and the other builders set it")
  else
    list[n] = m
  end
  return n
end

-- Append m, a message or a list of them, behind the first n of list. Returns the new n.
local function append(what, list, n, m)
  if type(m) ~= "table" or m.type ~= nil then return add(what, list, n + 1, m) end
  if m[1] == nil then
    if next(m) ~= nil then add(what, list, n + 1, m) end
    return n
  end
  for i = 1, #m do n = add(what, list, n + 1, m[i]) end
  return n
end

-- messages.list(what, m)
-- Takes a string, a message or a list of both. Returns the list of messages. Raises at the caller's line.
function messages.list(what, m)
  local list = {}
  append(what, list, 0, m)
  return list
end

-- messages.collect(what, list, n, ...)
-- Appends messages to the first n of list; the last argument may be options. Returns the new n and the options or nil.
-- Raises at the caller's line.
function messages.collect(what, list, n, ...)
  local count = select("#", ...)
  if count == 1 then -- the common case, without a table for the arguments
    local only = ...
    if type(only) == "string" then
      list[n + 1] = {type = "text", text = only}
      return n + 1
    end
  end
  local args, options = {...}, nil
  if count > 1 and is_options(args[count]) then
    options, count = args[count], count - 1
  end
  if count == 0 then errors.misuse("%s: there is no message", what) end
  for i = 1, count do n = append(what, list, n, args[i]) end
  return n, options
end

return messages
