-- Reply tokens: single use, one minute; a redelivered event gives its token another minute, unless it was used or
-- twenty minutes have passed since the event.
-- https://developers.line.biz/en/reference/messaging-api/#send-reply-message-reply-token

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local ids = require "emulator.ids"
local world = require "emulator.world"

local reply_tokens = {}

local MINUTE = 60 * 1000
local DEAD = 20 * MINUTE -- after that nothing makes a token valid again
local KEPT = 100000      -- so many are known; older ones are as good as invented

-- The part of the state: tokens[token] = record, of_event[event id] = token, order[n] = token from first to last.
local function kept()
  local state = world.state
  local part = state.reply_tokens
  if not part then
    part = {tokens = {}, of_event = {}, order = {}, first = 1, last = 0}
    state.reply_tokens = part
  end
  return part
end

local function forget(part, n)
  local token = part.order[n]
  part.order[n] = nil
  local record = part.tokens[token]
  part.tokens[token] = nil
  if record and record.event then part.of_event[record.event] = nil end
end

-- reply_tokens.issue(channel, chat, event id) → token. channel and chat: their tables.
function reply_tokens.issue(channel, chat, event)
  return reply_tokens.adopt(ids.reply_token(), channel, chat, event)
end

-- reply_tokens.adopt(token, channel, chat, event id) → token: one that LINE itself has issued just now.
function reply_tokens.adopt(token, channel, chat, event)
  local part = kept()
  local now = clock.now()
  part.tokens[token] = {channel = channel.id, chat = chat.key, event = event, since = now, expires = now + MINUTE}
  if event then part.of_event[event] = token end
  part.last = part.last + 1
  part.order[part.last] = token
  local n, oldest = part.last - part.first + 1, part.tokens[part.order[part.first]]
  if n > KEPT or n > 1000 and oldest.since + DEAD < now and oldest.expires < now then
    forget(part, part.first)
    part.first = part.first + 1
  end
  return token
end

-- reply_tokens.used(token, request id): LINE itself has taken it.
function reply_tokens.used(token, request)
  local record = kept().tokens[token]
  if record then record.used_by = request end
end

-- reply_tokens.renew_for_redelivery(event id): its token lives for another minute, where that is possible.
function reply_tokens.renew_for_redelivery(event)
  local part = kept()
  local record = part.tokens[part.of_event[event]]
  local now = clock.now()
  if not record or record.used_by or record.since + DEAD < now then return end
  record.expires = now + MINUTE
  record.redelivered = true
end

-- reply_tokens.of_event(event id) → token, nil when the event has none (any more).
function reply_tokens.of_event(event) return kept().of_event[event] end

-- reply_tokens.state(token) → "fresh", "used", "expired" or "none", and its record.
function reply_tokens.state(token)
  local record = token and kept().tokens[token]
  if not record then return "none" end
  if record.used_by then return "used", record end
  return clock.now() > record.expires and "expired" or "fresh", record
end

-- reply_tokens.look(token, channel) → the record of a token that can be used; raises 400.
function reply_tokens.look(token, channel)
  local state, record = reply_tokens.state(token)
  if state ~= "fresh" or record.channel ~= channel.id then errors.raise(400, "Invalid reply token") end
  return record
end

-- reply_tokens.take(token, channel, request id) → the record; the token is used from now on. Raises 400.
function reply_tokens.take(token, channel, request)
  local record = reply_tokens.look(token, channel)
  record.used_by = request
  return record
end

return reply_tokens
