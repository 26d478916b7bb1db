-- A line a message on the terminal: who said what to whom.

local feed = require "emulator.feed"
local world = require "emulator.world"

local console = {}

local MOST = 100 -- characters of a text

-- Control characters would move the cursor or colour the terminal.
local function plain(text)
  text = text:gsub("%c+", " ")
  if (utf8.len(text) or 0) <= MOST then return text end
  return text:sub(1, utf8.offset(text, MOST) - 1) .. "…"
end

-- console.summary(message) → what it says, in one line.
function console.summary(message)
  local text = message.text or message.altText or message.fileName or message.title
  if message.type == "text" or message.type == "textV2" then return plain(text or "") end
  return ("(%s)%s"):format(message.type, text and " " .. plain(text) or "")
end

local function name_of(id)
  local user = world.state.users[id]
  local channel = not user and world.channel_of_bot(id)
  return user and user.name or channel and channel.name or id
end

-- Where it was said: a group by its name, a one-to-one chat by the other side.
local function place_of(item)
  local state = world.state
  local it = state.groups[item.chat] or state.rooms[item.chat]
  if it then return it.name or it.id end
  local channel, user = item.chat:match("^(.+):([^:]+)$")
  if item.entry.from == user then return state.channels[channel] and state.channels[channel].name or channel end
  return name_of(user)
end

-- console.line(item) → the line of an item of the feed, nil for those that are not said.
function console.line(item)
  if item.kind == "message" then
    local to = item.people and ("%d people"):format(item.people) or plain(place_of(item))
    return ("%s → %s: %s"):format(plain(name_of(item.entry.from)), to, console.summary(item.entry.message))
  elseif item.kind == "delivery" and not item.ok then
    return ("webhook %s was not taken: %s"):format(item.event, plain(item.error or tostring(item.status)))
  elseif item.kind == "call" and (not item.status or item.status >= 400) then
    return ("%s: %s"):format(item.operation or item.request.path, item.status or "broken off")
  end
end

-- console.start(print): print(line) for each that follows.
function console.start(print)
  feed.listen(function(item)
    local line = console.line(item)
    if line then print(line) end
  end)
end

return console
