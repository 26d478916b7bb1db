-- Events: the methods that every event has. An event is the object LINE sent, unchanged; methods come by its metatable,
-- and what belongs to the event but is not LINE's is kept beside it, so that pairs() and JSON see LINE's fields only.

local core = require "line.core"
local errors = require "line.errors"
local messages = require "line.messages"
local send = require "line.send"
local text = require "line.text"

local inner, misuse = core.inner, errors.misuse
local collect, where, built_at = messages.collect, core.where, core.built_at
local trace = core.trace -- nil unless somebody looks on
local getmetatable, setmetatable, pcall = getmetatable, setmetatable, pcall

local REPLY_MESSAGES <const> = 5 -- that one reply token takes

-- Replies that wait for the handler to return are a queue: {list = {message, …}, where = {[i] = place} for messages
-- that do not know theirs (core.built_at), quiet=, closed=}. The queue of an event is its metatable from the first
-- reply on: it needs no table of all events, which the garbage collector would have to go through, and goes with the
-- event.
local event = {meta = {__name = "line.event"}} -- meta: of events without replies
local sent     -- of those whose handler has returned without one

local quotes = {text = true, textV2 = true, sticker = true} -- message types with a quoteToken

local methods = {}

local function no_token(e)
  if e.mode == "standby" then
    return "the event is in standby: another module controls this chat, and the bot is to send nothing"
  end
  local gone = e.type == "unfollow" or e.type == "leave" or not e.chat
  return ("an event of type '%s' has no reply token here%s"):format(tostring(e.type),
    gone and "" or "; event:push sends without one (it costs quota)")
end

-- The queue of an event, made on first need.
local function queue_of(e)
  local queue = getmetatable(e)
  if queue == event.meta then
    queue = {__index = event.meta.__index, __name = event.meta.__name, list = {}}
    setmetatable(e, queue)
  elseif type(queue) ~= "table" or not queue.list then
    misuse("event:reply: this is not an event; write event:reply(…) with a colon")
  elseif queue.closed then
    misuse("event:reply: the handler has returned and its replies were sent; event:push sends later (it costs quota)")
  end
  return queue
end

local function place_of(queue, i)
  return queue.where and queue.where[i] or built_at(queue.list[i]) or "?"
end

-- event:reply(message, …[, options])
-- Takes strings (text messages), message tables or lists of both; options: notification_disabled = true for no sound,
-- timeout = seconds that the call may take. Queues them for the event's reply token; they are sent together when the
-- handler returns, and not at all when it raises.
-- Returns nothing. Raises when the event has no reply token, and at the sixth message. Does not wait.
function methods:reply(...)
  if type(self) ~= "table" then misuse("event:reply: this is not an event; write event:reply(…) with a colon") end
  if not rawget(self, "replyToken") then misuse("event:reply: %s", no_token(self)) end
  local queue = queue_of(self)
  local list, more = queue.list, {} -- what raises adds nothing
  local before = #list
  local n, options = collect("event:reply", more, 0, ...)
  if before + n > REPLY_MESSAGES then
    misuse("event:reply: a reply takes %d messages, and this would make %d%s", REPLY_MESSAGES, before + n,
      before > 0 and (" (%d were queued, the first at %s)"):format(before, place_of(queue, 1)) or "")
  end
  if options then
    for k, v in pairs(options) do
      if k == "retry_key" then
        misuse("event:reply: a reply takes no retry_key: its token works once, so nothing is shown twice")
      elseif k == "timeout" and not (math.type(v) and v > 0) then
        misuse("event:reply: timeout must be a number of seconds above 0")
      elseif k ~= "notification_disabled" and k ~= "notificationDisabled" and k ~= "timeout" then
        misuse("event:reply: unknown option '%s' (there are notification_disabled and timeout)", k)
      end
    end
    queue.quiet = options.notification_disabled or options.notificationDisabled
    queue.call = options.timeout and {timeout = options.timeout}
  end
  for i = 1, n do
    list[before + i] = more[i]
    if not built_at(more[i]) then
      queue.where = queue.where or {}
      queue.where[before + i] = where()
    end
  end
end

-- event:push(message, …[, options]) → sent_messages
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
  setmetatable(copy, getmetatable(m)) -- it knows where m was built
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
-- event.chat: {type = "user" | "group" | "room", id = …}; nil when the event comes from none.
local function chat(e)
  local s = rawget(e, "source")
  if type(s) ~= "table" then return nil end
  local id = s.groupId or s.roomId or s.userId
  return id and {type = s.type, id = id} or nil
end

for name, fn in pairs(methods) do
  if name ~= "reply" then methods[name] = core.entry(fn) end
end
event.methods = methods -- by name, for who wants to know what there is
event.meta.__index, methods.reply, event.enter = core.event_functions(methods, methods.reply, chat, event.meta)
sent = {__index = event.meta.__index, __name = event.meta.__name, list = {}, closed = true}

-- The message of a failed reply knows which of the queued ones LINE means: its own line is the better answer.
local function place(e, queue)
  if type(e) == "string" then -- a line for each complaint; "?" where the message does not know its place
    e = ("\n" .. e):gsub("\n%?: ([^\n]*)", function(words)
      local n = tonumber(words:match("messages%[(%d+)%]"))
      return ("\n%s: %s"):format(place_of(queue, n and queue.list[n] and n or 1), words)
    end)
    return e:sub(2)
  end
  if getmetatable(e) ~= core.error_meta then return e end
  local at = e.message and e.message:match("messages%[(%d+)%]")
  if not at and type(e.details) == "table" and e.details[1] and e.details[1].property then
    at = e.details[1].property:match("^messages%[(%d+)%]")
  end
  e.where = place_of(queue, at and queue.list[tonumber(at) + 1] and tonumber(at) + 1 or 1)
  return e
end

-- event.flush(e)
-- Sends what event:reply queued, in one call. Raises with the line where the message was queued. Waits.
function event.flush(e)
  local queue = getmetatable(e)
  if queue == event.meta then
    setmetatable(e, sent)
    return
  end
  if queue.closed then return end
  queue.closed = true
  if not queue.list[1] then return end
  local fields = {replyToken = e.replyToken, messages = queue.list}
  if queue.quiet ~= nil then fields.notificationDisabled = queue.quiet end
  local quiet = not trace or place_of(queue, 1)
  local ok, problem = pcall(inner.reply_message, fields, queue.call, "event:reply", nil, quiet)
  if not ok then error(place(problem, queue), 0) end
end

return event
