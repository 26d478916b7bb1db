-- Asks LINE for a profile, and pushes later. Run it: moonline run examples/profile.lua
--
-- Calls that wait, such as line.get_profile, look like any other function; meanwhile other chats go on. What fails is
-- raised, and pcall works as ever.

local line = require "line"

-- "whoami": the sender's profile, in a group or room as its member.
line.hear("^whoami$", function(event)
  local profile = event:profile()
  event:reply("You are " .. profile.displayName .. ".")
  if profile.statusMessage then event:reply("Your status: " .. profile.statusMessage) end
end)

-- "who U1234…": anybody's, by id. LINE answers 404 for people it does not let a bot see.
line.hear("^who (U%x+)$", function(event, id)
  ---@type boolean, any
  local ok, profile = pcall(line.get_profile, id)
  if ok then
    event:reply(id .. " is " .. profile.displayName)
  elseif profile.status == 404 then
    event:reply("I do not know them.")
  else
    error(profile, 0)
  end
end)

-- "remind 5 tea": an answer now for free, and a push later, which counts towards the monthly quota.
line.hear("^remind (%d+) (.+)$", function(event, seconds, what)
  local to = event.chat.id
  event:reply("I will.")
  line.spawn(function()
    line.sleep(math.min(tonumber(seconds) or 0, 30))
    line.push(to, "Remember: " .. what)
  end)
end)
