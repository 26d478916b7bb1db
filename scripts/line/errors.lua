-- Errors as scripts see them: texts that begin with the script's line for misuse, objects for what LINE refused.

local core = require "line.core"

local errors = {}

-- errors.misuse(format, ...)
-- Raises a text with the position of the user's code in front: "bot.lua:12: line.push: …". Does not wait.
function errors.misuse(format, ...)
  error(core.where() .. ": " .. format:format(...), 0)
end

-- errors.did_you_mean(name, names)
-- Takes a mistyped name and the list of those that exist. Returns " (did you mean 'x'?)", or "". Does not wait.
function errors.did_you_mean(name, names)
  local near = core.near(name, names)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

-- The details of LINE's error body: {message=, property=} each, both optional; path and where are ours, when the part
-- that LINE means was found in what the script sent: its path in Lua's counting, and the line that built it.
local function details_text(details)
  local parts = {}
  for _, d in ipairs(details) do
    if type(d) == "table" and (d.property or d.message) then
      local part = {}
      for _, piece in ipairs{d.where or false, d.path or d.property or false, d.message or false} do
        if piece then part[#part + 1] = tostring(piece) end
      end
      parts[#parts + 1] = table.concat(part, ": ")
    end
  end
  return #parts > 0 and " [" .. table.concat(parts, "; ") .. "]" or ""
end

-- tostring(e): "bot.lua:12: line.push: 400 The request body has 1 error(s) [messages[0].text: May not be empty]
-- (request id …)". Fields of an error object: status (0 when there was no answer), kind (what to branch on: "rate",
-- "quota", "concurrent", "user", "invalid", "token", "forbidden", "missing", "conflict", "gone", "server", "timeout",
-- "network", "file", "refused"), message, details (list, may be nil), request_id, accepted_request_id (of the request
-- that a retry key had before) and retry_after (seconds, of kind "rate"), each nil when unknown, operation
-- ("push_message"), called ("line.push"), where ("bot.lua:12").
function core.error_meta.__tostring(e)
  local text = ("%s: %s: %s%s"):format(e.where or "?", e.called or e.operation or "line",
    (e.status or 0) > 0 and e.status .. " " or "", e.message or "")
  if type(e.details) == "table" then text = text .. details_text(e.details) end
  if e.retry_after then text = ("%s (try again in %.3g s)"):format(text, e.retry_after) end
  if e.request_id then text = text .. " (request id " .. e.request_id .. ")" end
  return text
end

core.error_meta.__name = "line.error"

return errors
