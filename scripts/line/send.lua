-- The short forms of the five sends, as bots call them every day. Each waits, and raises an error object when
-- LINE refuses. messages is a string (a text message), a message table, or a list of both. options may hold
-- notification_disabled (true: no sound or banner), further fields of the request by LINE's own names
-- (customAggregationUnits …), timeout (seconds an attempt may take) and, but for replies, retry_key (a UUID of your
-- own; false for none). Returned is LINE's answer and the request id.

local core = require "line.core"
local errors = require "line.errors"
local messages = require "line.messages"

local inner, misuse = core.inner, errors.misuse

local send = {}

-- What of the options is about the call, not of the request.
local of_call = {timeout = true, retry_key = true}

-- Put the options where they belong: into fields, or into the returned table of call options.
local function apply(what, fields, options)
  if options == nil then return nil end
  if type(options) ~= "table" then misuse("%s: options must be a table, not a %s", what, type(options)) end
  local call
  for k, v in pairs(options) do
    if of_call[k] then
      call = call or {}
      call[k] = v
    elseif k == "notification_disabled" then
      fields.notificationDisabled = v
    else
      fields[k] = v
    end
  end
  return call
end

-- True for the operation's own form, one table with all fields: line.multicast{to = …, messages = …}.
local function is_fields(t, more)
  return more == nil and type(t) == "table" and t.type == nil and t.messages ~= nil
end

-- line.reply(token, messages[, options])
-- Answers an event by its reply token, at once; event:reply is the usual way. Free of charge. Returns {sentMessages=}.
function send.reply(token, m, options)
  if type(token) ~= "string" then misuse("line.reply: the first argument is a reply token, not a %s", type(token)) end
  local fields = {replyToken = token, messages = messages.list("line.reply", m)}
  return inner.reply_message(fields, apply("line.reply", fields, options), "line.reply")
end

-- line.push with the name that its errors show.
function send.push_as(what, to, ...)
  if type(to) ~= "string" then
    misuse("%s: the first argument is the id of a user, group or room, not a %s", what, type(to))
  end
  local list = {nil} -- room for one message, the usual number; an empty table would have to grow
  local _, options = messages.collect(what, list, 0, ...)
  local fields = {to = to, messages = list}
  return inner.push_message(fields, apply(what, fields, options), what)
end

-- line.push(to, message, …[, options])
-- Sends to a user, group or room by its id. Costs quota. Returns {sentMessages=}.
function send.push(to, ...)
  return send.push_as("line.push", to, ...)
end

-- line.multicast(ids, messages[, options])
-- Sends to up to 500 users. Costs quota. Returns true.
function send.multicast(ids, m, options)
  if is_fields(ids, m) then return inner.multicast(ids, nil, "line.multicast") end
  if type(ids) ~= "table" then
    misuse("line.multicast: the first argument is a list of user ids, not a %s", type(ids))
  end
  local fields = {to = ids, messages = messages.list("line.multicast", m)}
  return inner.multicast(fields, apply("line.multicast", fields, options), "line.multicast")
end

-- line.narrowcast(messages[, options])
-- Sends to friends chosen by recipient, filter and limit in options. Costs quota. Returns true and the request id that
-- line.get_narrowcast_progress takes.
function send.narrowcast(m, options)
  if is_fields(m, options) then return inner.narrowcast(m, nil, "line.narrowcast") end
  local fields = {messages = messages.list("line.narrowcast", m)}
  return inner.narrowcast(fields, apply("line.narrowcast", fields, options), "line.narrowcast")
end

-- line.broadcast(messages[, options])
-- Sends to all friends of the bot. Costs quota. Returns true.
function send.broadcast(m, options)
  if is_fields(m, options) then return inner.broadcast(m, nil, "line.broadcast") end
  local fields = {messages = messages.list("line.broadcast", m)}
  return inner.broadcast(fields, apply("line.broadcast", fields, options), "line.broadcast")
end

-- line.profile(id)
-- Returns a friend's profile {userId=, displayName=, pictureUrl=, statusMessage=, language=}.
function send.profile(id)
  return inner.get_profile(id, nil, "line.profile")
end

return send
