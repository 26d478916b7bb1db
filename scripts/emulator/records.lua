-- What became of each webhook event: how it was sent, what the bot answered, which calls and news belong to it. The
-- last ones are kept; they are no part of the world, so a snapshot does not hold them.

local calls = require "emulator.calls"
local feed = require "emulator.feed"

local records = {}

local KEPT = 10000

local by_id = {}
local order, first, last = {}, 1, 0

-- records.new(channel, chat, event) → the record, kept. chat may be nil (events without source).
-- state: waiting, delivered, failed, undelivered (was never sent).
function records.new(channel, chat, event)
  local record = {id = event.webhookEventId, channel = channel.id, chat = chat and chat.key, event = event,
    state = "waiting", attempts = {}, calls = {}, news = {}}
  if by_id[record.id] then return by_id[record.id] end
  by_id[record.id] = record
  last = last + 1
  order[last] = record
  if last - first >= KEPT then
    by_id[order[first].id] = nil
    order[first] = nil
    first = first + 1
  end
  return record
end

function records.get(id) return by_id[id] end

-- records.latest(limit, chat key or nil): list, newest first.
function records.latest(limit, chat)
  local list = {}
  for i = last, first, -1 do
    if #list >= limit then break end
    if not chat or order[i].chat == chat then list[#list + 1] = order[i] end
  end
  return list
end

-- records.with_token(replyToken) → the record of the event that carries it; looked for among the newest thousand.
function records.with_token(token)
  for i = last, math.max(first, last - 999), -1 do
    if order[i].event.replyToken == token then return order[i] end
  end
end

-- records.call(event id, request id): that call was made because of that event. The list is in the order in which the
-- calls were made. They become known in another: a reply by its token at once, others from the bot's news.
function records.call(event, request)
  local record = by_id[event]
  if not record then return false end
  for _, known in ipairs(record.calls) do
    if known == request then return true end
  end
  local made = calls.get(request)
  local i = #record.calls
  while made and i > 0 do
    local before = calls.get(record.calls[i])
    if not before or before.seq < made.seq then break end
    i = i - 1
  end
  table.insert(record.calls, i + 1, request)
  return true
end

-- What of which news is kept, and under which name.
local TOLD = {
  handler = {generation = "generation", selector = "selector", where = "where"},
  handled = {generation = "generation", handler = "handler", where = "where", ms = "ms", outcome = "outcome",
    error = "error"},
  blamed = {generation = "generation", attempt = "attempt", error = "error"},
}

-- records.news(item): what the bot beside us said of an event.
function records.news(item)
  local record = item.event and by_id[item.event]
  if not record then return false end
  if item.what == "call" and item.request_id then records.call(item.event, item.request_id) end
  for theirs, ours in pairs(TOLD[item.what] or {}) do
    if item[theirs] ~= nil then record.news[ours] = item[theirs] end
  end
  if item.what == "handler" then record.news.handler = item.selector end
  return true
end

function records.clear()
  by_id, order, first, last = {}, {}, 1, 0
end

-- The log of calls tells which event a call answers, where that is known (a reply, by its token).
feed.listen(function(item)
  if item.kind == "call" and item.event then records.call(item.event, item.id) end
end)

return records
