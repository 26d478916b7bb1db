-- Webhooks on their way: signed, sent in the order of their chat, different chats side by side, timed out, redelivered,
-- counted. https://developers.line.biz/en/docs/messaging-api/receiving-messages/

local clock = require "emulator.clock"
local crypto = require "crypto"
local faults = require "emulator.faults"
local feed = require "emulator.feed"
local http = require "http"
local line = require "line"
local records = require "emulator.records"
local statistics = require "emulator.statistics"
local wire = require "emulator.wire"
local world = require "emulator.world"

local deliver = {}

local SECONDS = 2      -- the platform waits so long for an answer
local AT_ONCE = 16     -- chats that are sent for at the same time
local TOGETHER = 100   -- events in one request, where the channel wants them together

-- Delays of redeliveries in ms, each counted from the attempt before. LINE does not publish its own; these let a test
-- of minutes see several and end within the life of a reply token.
deliver.schedule = {1000, 5000, 30000, 120000, 600000}

local queues = {}      -- key → {key=, items=}, those that have something to send
local ready, running = {}, 0
local held = {}        -- channel id → items that wait for the next one to overtake them
local epoch = 0        -- a world that is replaced leaves its webhooks behind

-- ---- one request ----

-- The body as the channel writes it: raw UTF-8, \u escapes, or one after the other.
local function body_of(channel, list)
  local escapes = channel.webhook.escapes
  local ascii = escapes == "ascii"
  if escapes == "alternate" then
    channel.webhook.turn = not channel.webhook.turn
    ascii = not channel.webhook.turn
  end
  return wire.encode({destination = channel.bot, events = list}, ascii)
end

-- deliver.signature(secret, body): the value of x-line-signature.
function deliver.signature(secret, body)
  return crypto.hmac_sha256(secret, body, "base64")
end

-- POST the bytes → {ok=, status=, reason=, detail=, ms=}.
local function post(endpoint, body, signature)
  local from = line.now()
  local ok, answer = pcall(http.request, {method = "POST", url = endpoint, body = body, timeout = SECONDS,
    redirects = 0,
    headers = {
    ["content-type"] = "application/json; charset=utf-8", ["user-agent"] = "LineBotWebhook/2.0",
    ["x-line-signature"] = signature}})
  local result = statistics.judge(ok, answer)
  result.ms = line.now() - from
  return result
end

-- ---- an item: a record on its way ----

local function note(item, attempt)
  local record = item.record
  attempt.time = attempt.time or clock.now()
  attempt.redelivery = item.redelivery or nil
  record.attempts[#record.attempts + 1] = attempt
  if attempt.ok then record.state = "delivered"
  elseif record.state ~= "delivered" then record.state = attempt.reason and "failed" or "undelivered" end
  feed.put("delivery", {event = record.id, channel = record.channel, chat = record.chat, attempt = #record.attempts,
    ok = attempt.ok, status = attempt.status, ms = attempt.ms, error = attempt.error, redelivery = attempt.redelivery})
end

-- Why nothing is sent at all.
local function obstacle(channel)
  if not channel then return "the channel is gone" end
  local endpoint = channel.webhook.endpoint
  if not endpoint or endpoint == "" then return "no webhook URL is set" end
  if channel.webhook.active == false then return "webhooks are switched off for this channel (active is false)" end
end

local push

-- A failed one comes again, where the channel has that switched on; the same event, told to be a redelivery.
local function come_again(item, channel, forced)
  local record = item.record
  record.tries = (record.tries or 0) + 1
  local delay = deliver.schedule[record.tries]
  if not (forced or channel.webhook.redelivery) or not delay then
    record.next_try = nil
    return
  end
  local mine = epoch
  record.next_try = clock.now() + delay
  clock.after(delay, function()
    if mine ~= epoch then return end
    record.next_try = nil
    push("again:" .. record.id, {record = record, redelivery = true})
  end)
end

local function prepare(item)
  if not item.redelivery then return end
  local event = item.record.event
  event.deliveryContext.isRedelivery = true
  if event.replyToken then require("emulator.reply_tokens").renew_for_redelivery(event.webhookEventId) end
end

-- One request for all items, and what is noted of it.
local function attempt(channel, items, body, signature, dropped)
  local time, mine = clock.now(), epoch
  local result = dropped and statistics.dropped() or post(channel.webhook.endpoint, body, signature)
  if mine ~= epoch then return true end -- the world it came from is no more
  statistics.count(channel.id, result)
  for _, item in ipairs(items) do
    item.record.body, item.record.signature = body, signature
    note(item, {time = time, ok = result.ok, status = result.status, ms = result.ms, error = result.error,
      reason = result.reason, detail = result.detail})
  end
  return result.ok
end

-- Send items, all of one channel, in one request.
local function send(items)
  local channel = world.state.channels[items[1].record.channel]
  local why = obstacle(channel)
  if why then
    for _, item in ipairs(items) do note(item, {ok = false, error = why}) end
    return
  end
  local list, wanted = {}, {}
  for i, item in ipairs(items) do
    prepare(item)
    list[i] = item.record.event
    for name, value in pairs(item.faults or {}) do wanted[name] = value end
  end
  local body = body_of(channel, list)
  -- A signature over other bytes: well-formed, and wrong.
  local signature = deliver.signature(channel.secret, wanted.garble and body .. " " or body)
  local ok = attempt(channel, items, body, signature, wanted.drop)
  if wanted.duplicate then attempt(channel, items, body, signature) end
  for _, item in ipairs(items) do
    if not ok or wanted.redeliver and not item.redelivery then come_again(item, channel, wanted.redeliver) end
  end
end

-- ---- queues: a chat's webhooks in order, chats side by side ----

local run

-- The next items of a queue that share a request: one, or what has gathered, where the channel wants that.
local function take(queue)
  local items = {table.remove(queue.items, 1)}
  local channel = world.state.channels[items[1].record.channel]
  while channel and channel.webhook.together and queue.items[1] and #items < TOGETHER and not items[1].faults
    and not queue.items[1].faults do
    items[#items + 1] = table.remove(queue.items, 1)
  end
  return items
end

local function release_held(channel)
  local list = held[channel]
  held[channel] = nil
  for i, item in ipairs(list or {}) do push("held:" .. item.record.id .. i, item) end
end

-- Send what the queue has until it is empty. A delay frees the place and goes on later; what is behind it waits.
local function drain(queue, mine)
  while queue.items[1] and mine == epoch do
    local item = queue.items[1]
    local wanted = item.faults or {}
    if wanted.delay then
      local delay = wanted.delay
      wanted.delay = nil
      clock.after(delay, function()
        if mine ~= epoch then return end
        ready[#ready + 1] = queue
        run()
      end)
      return
    end
    if wanted.reorder then
      wanted.reorder = nil
      table.remove(queue.items, 1)
      local channel = item.record.channel
      held[channel] = held[channel] or {}
      table.insert(held[channel], item)
    else
      send(take(queue))
      release_held(item.record.channel)
    end
  end
  if mine == epoch then queues[queue.key] = nil end
end

function run()
  while ready[1] and running < AT_ONCE do
    local queue, mine = table.remove(ready, 1), epoch
    running = running + 1
    line.after(0.001, function()
      local ok, e = pcall(drain, queue, mine)
      running = running - 1
      run()
      if not ok then error(e, 0) end
    end)
  end
end

function push(key, item)
  local queue = queues[key]
  if not queue then
    queue = {key = key, items = {}}
    queues[key] = queue
    ready[#ready + 1] = queue
  end
  queue.items[#queue.items + 1] = item
  run()
end

-- ---- for others ----

-- What lists show of an event: its subtype, and the text in it.
local function summary(event)
  local part = event.message or event.beacon or event.membership or event.module or {}
  local text = event.message and event.message.text or event.postback and event.postback.data
  return part.type, text
end

-- deliver.event(channel, event [, chat, again]) → the record of it. It is on its way from then on; does not wait.
-- again: it repeats one that was, see POST /_/events/ID/again.
function deliver.event(channel, event, chat, again)
  local record = records.new(channel, chat, event)
  local subtype, text = summary(event)
  feed.put("event", {id = record.id, channel = channel.id, chat = record.chat, time = event.timestamp,
    type = event.type,
    subtype = subtype, text = text, from = event.source and event.source.userId, again = again, event = event})
  push(channel.id .. " " .. (record.chat or ""), {record = record, faults = faults.webhook(channel)})
  return record
end

-- deliver.redeliver(record): the same event once more, told to be a redelivery.
function deliver.redeliver(record)
  push("again:" .. record.id, {record = record, redelivery = true})
end

-- deliver.idle(): whether nothing is on its way (what is held or due later is not).
function deliver.idle() return next(queues) == nil end

-- deliver.test(channel, endpoint): the call without events that says whether somebody is there. Waits. The answer is
-- that of https://developers.line.biz/en/reference/messaging-api/#test-webhook-endpoint
function deliver.test(channel, endpoint)
  local body = wire.encode({destination = channel.bot, events = {}})
  local result = post(endpoint, body, deliver.signature(channel.secret, body))
  return {success = result.ok, timestamp = statistics.time(clock.now()),
    statusCode = result.status or 0, reason = result.ok and "OK" or result.reason:upper(),
    detail = result.ok and tostring(result.status) or (result.status and result.detail or result.detail .. ": "
      .. endpoint)}
end

-- deliver.reset(): forget what is on its way; for a world that is replaced.
function deliver.reset()
  epoch = epoch + 1
  queues, ready, held = {}, {}, {}
end

return deliver
