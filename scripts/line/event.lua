-- Events: the methods that every event has. An event is the object LINE sent, unchanged; methods come by its metatable,
-- and what belongs to the event but is not LINE's is kept beside it, so that pairs() and JSON see LINE's fields only.

local core = require "line.core"
local errors = require "line.errors"
local messages = require "line.messages"
local send = require "line.send"

local inner, misuse = core.inner, errors.misuse
local collect, where = messages.collect, core.where

local REPLY_MESSAGES <const> = 5 -- that one reply token takes

-- Replies that wait for the handler to return: event → {n=, list={}, where={}, quiet=, closed=}
local queues = setmetatable({}, {__mode = "k"})

local methods = {}

local function no_token(event)
  if event.mode == "standby" then
    return "the event is in standby: another module controls this chat, and the bot is to send nothing"
  end
  return ("an event of type '%s' has no reply token here; event:push sends without one (it costs quota)"):format(
    tostring(event.type))
end

-- event:reply(message, …[, options])
-- Takes strings (text messages), message tables or lists of both; options: {notificationDisabled = true}. Queues them
-- for the event's reply token; they are sent together when the handler returns, and not at all when it raises.
-- Returns nothing. Raises when the event has no reply token, and at the sixth message. Does not wait.
function methods:reply(...)
  if not rawget(self, "replyToken") then misuse("event:reply: %s", no_token(self)) end
  local queue = queues[self]
  if not queue then
    queue = {n = 0, list = {}, where = {}}
    queues[self] = queue
  elseif queue.closed then
    misuse("event:reply: the handler has returned and its replies were sent; event:push sends later (it costs quota)")
  end
  local before = queue.n
  local n, options = collect("event:reply", queue.list, before, ...)
  if n > REPLY_MESSAGES then
    for i = before + 1, n do queue.list[i] = nil end
    misuse("event:reply: a reply takes %d messages, and this would make %d%s", REPLY_MESSAGES, n,
      before > 0 and (" (%d were queued, the first at %s)"):format(before, queue.where[1]) or "")
  end
  if options then
    for k, v in pairs(options) do
      if k ~= "notificationDisabled" then
        for i = before + 1, n do queue.list[i] = nil end
        misuse("event:reply: unknown option '%s' (there is notificationDisabled)", k)
      end
      queue.quiet = v
    end
  end
  queue.n = n
  local at = where()
  for i = before + 1, n do queue.where[i] = at end
end

-- event:push(message, …[, options])
-- Like line.push, to the event's chat. Costs quota. Waits.
function methods:push(...)
  local chat = self.chat
  if not chat then misuse("event:push: an event of type '%s' comes from no chat", tostring(self.type)) end
  return send.push_as("event:push", chat.id, ...)
end

-- event:profile()
-- Returns the sender's profile {userId=, displayName=, pictureUrl=, …}, in a group or room as its member.
-- Raises when LINE did not say who sent the event. Waits.
function methods:profile()
  local s = self.source
  if not (s and s.userId) then misuse("event:profile: LINE does not say who caused this event") end
  if s.groupId then
    return inner.get_group_member_profile({groupId = s.groupId, userId = s.userId}, nil, "event:profile")
  elseif s.roomId then
    return inner.get_room_member_profile({roomId = s.roomId, userId = s.userId}, nil, "event:profile")
  end
  return inner.get_profile(s.userId, nil, "event:profile")
end

local has_content = {image = true, video = true, audio = true, file = true}

-- event:content()
-- Returns the message's media as a content object: for piece in event:content():chunks() do … end.
-- Waits, also for media that LINE still prepares (30 s at most). Raises for messages without media, and for media that
-- LINE does not keep.
function methods:content()
  local m = self.message
  if not (m and has_content[m.type]) then
    misuse("event:content: only an image, video, audio or file message has content")
  end
  local provider = m.contentProvider
  if provider and provider.type == "external" then
    misuse("event:content: LINE does not keep this content; it is at %s", tostring(provider.originalContentUrl))
  end
  return inner.get_message_content(m.id, nil, "event:content")
end

-- event:loading([seconds])
-- Shows moving dots in the one-on-one chat, 20 seconds by default (5 to 60, in steps of 5) or until the next message.
-- Raises in groups and rooms. Waits.
function methods:loading(seconds)
  local s = self.source
  if not s or s.type ~= "user" or not s.userId then
    misuse("event:loading: the loading animation exists in one-on-one chats only")
  end
  return inner.show_loading_animation({chatId = s.userId, loadingSeconds = seconds}, nil, "event:loading")
end

-- event:mark_read()
-- Shows the message, and all before it, as read. Raises for events without a markAsReadToken. Waits.
function methods:mark_read()
  local token = self.message and self.message.markAsReadToken
  if not token then misuse("event:mark_read: this event has no markAsReadToken") end
  return inner.mark_messages_as_read_by_token(token, nil, "event:mark_read")
end

-- event:leave()
-- Leaves the group or room. Raises in one-on-one chats. Waits.
function methods:leave()
  local s = self.source or {}
  if s.groupId then return inner.leave_group(s.groupId, nil, "event:leave") end
  if s.roomId then return inner.leave_room(s.roomId, nil, "event:leave") end
  misuse("event:leave: there is no group or room to leave")
end

for name, fn in pairs(methods) do methods[name] = core.entry(fn) end

-- event.chat: {type = "user" | "group" | "room", id = …}; nil when the event comes from none.
local function chat(event)
  local s = rawget(event, "source")
  if type(s) ~= "table" then return nil end
  local id = s.groupId or s.roomId or s.userId
  return id and {type = s.type, id = id} or nil
end

local event = {}

-- The metatable of events.
event.meta = {
  __index = function(self, key)
    local m = methods[key]
    if m then return m end
    if key == "chat" then return chat(self) end
    return nil
  end,
  __name = "line.event",
}

-- The message of a failed reply knows which of the queued ones LINE means: its own line is the better answer.
local function place(e, queue)
  if type(e) == "string" then
    local n = e:match("^%?: event:reply: messages%[(%d+)%]")
    return (e:gsub("^%?: ", queue.where[tonumber(n) or 1] .. ": ", 1))
  end
  if getmetatable(e) ~= core.error_meta then return e end
  local at = e.message and e.message:match("messages%[(%d+)%]")
  if not at and type(e.details) == "table" and e.details[1] and e.details[1].property then
    at = e.details[1].property:match("^messages%[(%d+)%]")
  end
  e.where = at and queue.where[tonumber(at) + 1] or e.where
  return e
end

-- event.flush(e)
-- Sends what event:reply queued, in one call. Raises with the line where the message was queued. Waits.
function event.flush(e)
  local queue = queues[e]
  if not queue or queue.closed or queue.n == 0 then return end
  queue.closed = true
  local ok, problem = pcall(inner.reply_message,
    {replyToken = e.replyToken, messages = queue.list, notificationDisabled = queue.quiet}, nil, "event:reply",
    queue.where[1], true)
  if not ok then error(place(problem, queue), 0) end
end

-- event.queued(e): how many messages wait for the end of the handler.
function event.queued(e)
  local queue = queues[e]
  return queue and not queue.closed and queue.n or 0
end

return event
