-- Greets: new friends, groups it is invited to, people who come into a group. Run it: moonline run examples/greeter.lua

local line = require "line"
local log = require "log"

-- A handler for "*" that passes everything on by next() sees every event: the place for what is common to all.
line.on("*", function(event, next)
  log.info("event", {type = event.type, from = event.chat and event.chat.type})
  next()
end)

line.on("follow", function(event)
  local back = event.follow and event.follow.isUnblocked
  event:reply(back and "Good to see you again!" or "Hello! Say 'hi' and I shall greet you by name.")
end)

-- Rooms, the older kind of group, have no name.
line.on("join", function(event)
  local where = event.chat.type == "group" and event:group().groupName or "this chat"
  event:reply(("Thank you for having me in %s. I greet everyone who comes in; say 'bye' and I leave."):format(where))
end)

-- The names of several people, asked for side by side. LINE tells none of those who are gone again.
local function names_of(event, members)
  local calls = {}
  for i, member in ipairs(members) do
    calls[i] = function()
      local ok, profile = pcall(event.profile, event, member.userId)
      return ok and profile.displayName or "you"
    end
  end
  return line.all(calls)
end

line.on("memberJoined", function(event)
  event:reply(("Welcome, %s!"):format(table.concat(names_of(event, event.joined.members), " and ")))
end)

-- Who has left gets no answer, and neither does the group: such events have no reply token.
line.on("memberLeft", function(event)
  log.info("left", {people = #event.left.members, remain = event:member_count()})
end)

line.hear("^[Bb]ye$", function(event)
  if event.chat.type == "user" then return event:reply("Bye!") end
  line.reply(event.replyToken, "Bye, all of you!") -- at once: event:reply would come after the bot has left
  event:leave()
end)

-- A Lua pattern instead of a selector. Its captures come after the event; here the whole match does.
line.hear("^[Hh]i%f[%A]", function(event, hi)
  event:reply(("%s, %s!"):format(hi, event:profile().displayName))
end)
