-- Tells everything it sees of an event: which selectors matched, in the order of their registration, and every value
-- with its Lua type. The test says what it should have seen.
local line = require "line"

local function dump(value)
  local kind = math.type(value) or type(value)
  if kind == "integer" then
    return "i" .. value -- ".." writes a float as 1.0, so a float in disguise shows
  elseif kind == "float" then
    return "f" .. string.format("%.17g", value)
  elseif kind == "string" then
    return "s" .. #value .. ":" .. value
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind ~= "table" then
    return "null" -- only inside arrays
  end
  local parts = {}
  if #value > 0 then
    for i, item in ipairs(value) do parts[i] = dump(item) end
    return "[" .. table.concat(parts, " ") .. "]"
  end
  for key, item in pairs(value) do parts[#parts + 1] = key .. "=" .. dump(item) end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end

local seen = {}
for _, selector in ipairs(require "selectors") do
  line.on(selector, function(event, next)
    local list = seen[event.webhookEventId] or {}
    seen[event.webhookEventId] = list
    list[#list + 1] = selector
    return next()
  end)
end

line.on("*", function(event)
  local chat = event.chat and event.chat.type .. " " .. tostring(event.chat.id) or "no chat"
  line.push("Ufacts", table.concat(seen[event.webhookEventId] or {}, " "), chat, dump(event))
end)
