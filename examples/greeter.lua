-- Greets: new friends, groups it is invited to, people who come into a group. Run it: moonline run examples/greeter.lua

local line = require "line"
local log = require "log"

-- A handler for "*" that passes everything on by next() sees every event: the place for what is common to all.
line.on("*", function(event, next)
  log.info("event", {type = event.type, chat = event.chat and event.chat.type})
  next()
end)

line.on("follow", function(event)
  local back = event.follow and event.follow.isUnblocked
  event:reply(back and "Good to see you again!" or "Hello! Say 'hi' and I shall greet you by name.")
end)

line.on("join", function(event)
  event:reply("Thank you for having me. I greet everyone who comes in.")
end)

line.on("memberJoined", function(event)
  local n = #event.joined.members
  event:reply(n == 1 and "Welcome!" or ("Welcome, all %d of you!"):format(n))
end)

-- A Lua pattern instead of a selector. Its captures come after the event; here the whole match does.
line.hear("^[Hh]i%f[%A]", function(event, hi)
  event:reply(("%s, %s!"):format(hi, event:profile().displayName))
end)
