-- Events: the methods that every event has. An event is the object LINE sent, unchanged; methods come by its metatable,
-- and what belongs to the event but is not LINE's is kept beside it, so that pairs() and JSON see LINE's fields only.

local core = require "line.core"
local errors = require "line.errors"
local messages = require "line.messages"
local send = require "line.send"
local text = require "line.text"

local inner, misuse = core.inner, errors.misuse
local collect, where = messages.collect, core.where

local REPLY_MESSAGES <const> = 5 -- that one reply token takes

-- Replies that wait for the handler to return: event → {n=, list={}, where={}, quiet=, closed=}
local queues = setmetatable({}, {__mode = "k"})

local quotes = {text = true, textV2 = true, sticker = true} -- message types with a quoteToken

local methods = {}

local function no_token(event)
  if event.mode == "standby" then
    return "the event is in standby: another module controls this chat, and the bot is to send nothing"
  end
  local gone = event.type == "unfollow" or event.type == "leave" or not event.chat
  return ("an event of type '%s' has no reply token here%s"):format(tostring(event.type),
    gone and "" or "; event:push sends without one (it costs quota)")
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
-- Like line.push, to the event's chat. Costs quota. Raises where the chat is unknown or gone (unfollow, leave). Waits.
function methods:push(...)
  local chat = self.chat
  if not chat then misuse("event:push: an event of type '%s' comes from no chat", tostring(self.type)) end
  if self.type == "unfollow" then misuse("event:push: who blocks the account receives nothing") end
  if self.type == "leave" then misuse("event:push: the account is no longer in this %s", chat.type) end
  return send.push_as("event:push", chat.id, ...)
end

-- The message as it quotes: a copy, since the script may use its own again.
local function quoting(token, m)
  if type(m) == "string" then return {type = "text", text = m, quoteToken = token} end
  if type(m) ~= "table" or not quotes[m.type] then
    misuse("event:quote: only a text or a sticker can quote; the first message is %s",
      type(m) == "table" and ("of type '%s'"):format(tostring(m.type)) or "a " .. type(m))
  end
  local copy = {}
  for k, v in pairs(m) do copy[k] = v end
  copy.quoteToken = copy.quoteToken or token
  return copy
end

-- event:quote(message, …[, options])
-- Like event:reply, with the event's message quoted by the first of them, a string, text or sticker. Raises also for
-- messages that cannot be quoted (audio, file, location) and for events that are no message. Does not wait.
function methods:quote(first, ...)
  if not rawget(self, "replyToken") then misuse("event:quote: %s", no_token(self)) end
  local m = rawget(self, "message")
  if type(m) ~= "table" or not m.quoteToken then misuse("event:quote: this event has no message that can be quoted") end
  methods.reply(self, quoting(m.quoteToken, first), ...)
end

for _, more in ipairs{require "line.event_chat", require "line.event_facts", text.methods} do
  for name, fn in pairs(more) do methods[name] = fn end
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
