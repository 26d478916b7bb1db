-- Controls: what happened (stream, waiting, calls, events), faults, figures.

local calls_kept = require "emulator.calls"
local clock = require "emulator.clock"
local deliver = require "emulator.deliver"
local errors = require "emulator.errors"
local events = require "emulator.events"
local faults = require "emulator.faults"
local feed = require "emulator.feed"
local json = require "json"
local line = require "line"
local records = require "emulator.records"
local reply_tokens = require "emulator.reply_tokens"
local statistics = require "emulator.statistics"
local world = require "emulator.world"

local QUIET = 15 -- seconds between two signs of life of a stream

local function not_found(text, ...) errors.raise(404, text:format(...)) end

-- A call without its bodies, which are under /_/calls/ID; request is that id.
local function short_call(item)
  local short = {}
  for name, value in pairs(item) do short[name] = value end
  short.request, short.answer = item.id, nil
  short.method, short.path = item.request.method, item.request.path
  return short
end

-- ---- stream ----

-- What is new is written by a task of its own, started by the item itself. The task of the request only gives signs of
-- life; when the client leaves it is ended wherever it stands, so the next item finds that nobody takes it.
local function pour(out, since)
  local busy = false
  local wake
  local function pump()
    for item in feed.each(since) do
      since = item.seq
      local shown = item.kind == "call" and short_call(item) or item
      if not out:event{id = tostring(item.seq), data = json.encode(shown)} then
        feed.unlisten(wake)
        break
      end
    end
    busy = false
  end
  function wake()
    if busy then return end
    busy = true
    line.after(0.001, pump)
  end
  out:write(": feed\n\n")
  pump()
  feed.listen(wake)
  while not out:gone() do
    line.sleep(QUIET)
    out:write(": quiet\n\n")
  end
  feed.unlisten(wake)
end

local function stream(given, _, request)
  local resumed = request.headers["last-event-id"]
  local since = resumed and math.tointeger(tonumber(resumed)) or given.since or feed.last()
  return 200, function(out) pour(out, since) end,
    {["content-type"] = "text/event-stream; charset=utf-8", ["cache-control"] = "no-store"}
end

-- ---- waiting ----

-- Who an entry is by.
local function side(item)
  if item.kind == "event" then return "user" end
  if item.from then return item.from end
  return item.entry and (world.channel_of_bot(item.entry.from) and "bot" or "user")
end

local function wait(given)
  local function fits(item)
    return (not given.kind or item.kind == given.kind) and (not given.chat or item.chat == given.chat)
      and (not given.from or side(item) == given.from) and (not given.operation or item.operation == given.operation)
      and (not given.type or item.type == given.type) and (not given.event or item.event == given.event
        or item.id == given.event)
  end
  if given.from and given.from ~= "bot" and given.from ~= "user" then errors.raise(400, "from: bot or user") end
  local seconds = math.max(0, math.min(given.timeout or 10, 120))
  local item = feed.wait(given.since or feed.last(), seconds, fits)
  if not item then
    return 408, {message = ("nothing like that happened within %g seconds"):format(seconds), seq = feed.last()}
  end
  return {item = item, seq = item.seq}
end

-- ---- calls ----

local function calls(given)
  local list = calls_kept.latest(math.min(given.limit or 100, 1000), function(record)
    return record.seq > (given.since or 0) and (not given.operation or record.operation == given.operation)
  end)
  local out = json.array()
  for i, record in ipairs(list) do out[i] = short_call(record) end
  return {calls = out, seq = feed.last()}
end

local function call(_, params)
  return calls_kept.get(params.id) or not_found("there is no call %s among those kept", params.id)
end

-- ---- events ----

local function record_of(id)
  return records.get(id) or not_found("there is no event %s among those kept", tostring(id))
end

local function short(record)
  local attempt = record.attempts[#record.attempts]
  return {id = record.id, type = record.event.type, channel = record.channel, chat = record.chat,
    time = record.event.timestamp, state = record.state, attempts = #record.attempts,
      status = attempt and attempt.status,
    ms = attempt and attempt.ms, error = attempt and attempt.error, nextTry = record.next_try}
end

local function token_of(record)
  local token = record.event.replyToken
  if not token then return {state = "none"} end
  local state, kept = reply_tokens.state(token)
  return {token = token, state = state, expires = kept and kept.expires, usedBy = kept and kept.used_by}
end

local function event(_, params)
  local record = record_of(params.id)
  return {event = record.event, body = record.body, signature = record.signature, state = record.state,
    attempts = json.array(record.attempts), replyToken = token_of(record), calls = json.array(record.calls),
    news = next(record.news) and record.news or nil, chat = record.chat, channel = record.channel,
      nextTry = record.next_try}
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, part in pairs(value) do out[key] = copy(part) end
  return setmetatable(out, getmetatable(value))
end

-- The same content as a new event: what a person did is done once more.
local function again(_, params)
  local record = record_of(params.id)
  local channel = world.state.channels[record.channel] or not_found("channel %s is gone", record.channel)
  local chat = record.chat and world.state.chats[record.chat]
  local made = copy(record.event)
  made.timestamp = clock.now()
  made.webhookEventId = events.id(made.timestamp)
  made.deliveryContext.isRedelivery = false
  if made.replyToken then made.replyToken = reply_tokens.issue(channel, chat, made.webhookEventId) end
  deliver.event(channel, made, chat, true)
  return {id = made.webhookEventId, events = {made.webhookEventId}}
end

local FAULT = {operation = "string: name of an operation, * for each, or webhook",
  nth = "integer: the first one it meets, 1", times = "integer: how many it meets, 1; 0 for all",
  ["do"] = "string: status, delay, drop; of webhooks also duplicate, reorder, redeliver, garble",
  status = "integer: 400 to 599", body = "any: of the answer", ms = "integer: of a delay",
  fault = "string: all in one text, as on the command line: push_message:2=429"}

local function add_fault(given)
  local fields = given
  if given.fault then fields = faults.parse(given.fault) end
  return faults.plain(faults.add(fields))
end

return {
  {method = "GET", path = "/_/feed", what = "everything that happens, as server-sent events",
    fields = {since = "integer: number of an item; starts with what is kept after it"}, fn = stream},
  {method = "GET", path = "/_/wait", what = "the next item that fits, 408 when there is none in time",
    fields = {kind = "string: message, change, loading, call, event, delivery, world, clock, fault, news",
      since = "integer: newer than that item; than now unless said", chat = "string: key of the chat",
      from = "string: bot or user",
      operation = "string: of a call", type = "string: of an event", event = "string: webhookEventId",
      timeout = "number: seconds, 10"}, fn = wait},
  {method = "GET", path = "/_/calls", what = "calls of the API, newest first",
    fields = {since = "integer: newer than that item", limit = "integer: the newest so many, 100",
      operation = "string: name of the operation"}, fn = calls},
  {method = "GET", path = "/_/calls/:id", what = "one call with request and answer, by its request id", fn = call},
  {method = "GET", path = "/_/events", what = "webhook events, newest first",
    fields = {limit = "integer: at most, 50", chat = "string: key of the chat"},
    fn = function(given)
      local list = json.array()
      for i, record in ipairs(records.latest(math.min(given.limit or 50, 1000), given.chat)) do
        list[i] = short(record)
      end
      return {events = list}
    end},
  {method = "GET", path = "/_/events/:id",
    what = "one event: as sent, attempts, reply token, calls, news of the bot", fn = event},
  {method = "POST", path = "/_/events/:id/redeliver", what = "the same event once more, as a redelivery",
    fn = function(_, params)
    local record = record_of(params.id)
    deliver.redeliver(record)
    return {id = record.id, events = {record.id}}
  end},
  {method = "POST", path = "/_/events/:id/again", what = "the same content as a new event, with a fresh reply token",
    fn = again},
  {method = "GET", path = "/_/faults", what = "failures asked for",
    fn = function() return {faults = json.array(faults.list())} end},
  {method = "POST", path = "/_/faults", what = "ask for a failure", fields = FAULT, fn = add_fault},
  {method = "DELETE", path = "/_/faults", what = "no failures any more", fn = function() faults.remove() end},
  {method = "DELETE", path = "/_/faults/:id", what = "one of them no more", fn = function(_, params)
    if not faults.remove(params.id) then not_found("there is no fault %s", params.id) end
  end},
  {method = "GET", path = "/_/statistics", what = "webhooks delivered and failed, by reason and detail",
    fn = function()
      local found = statistics.list()
      local out = json.object()
      for id in pairs(world.state.channels) do
        local of = found[id] or {delivered = 0, failed = 0, reasons = {}, errors = {}}
        out[id] = {delivered = of.delivered, failed = of.failed, reasons = of.reasons, errors = json.array(of.errors)}
      end
      return {channels = out}
    end},
}
