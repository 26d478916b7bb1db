-- The calls of the API and their answers, the last ones, for the inspector: each is an item of the feed, too.

local clock = require "emulator.clock"
local feed = require "emulator.feed"

local calls = {}

local KEPT = 10000
local BODY = 64 * 1024          -- bytes kept of a body
local BYTES = 64 * 1024 * 1024  -- bytes of bodies kept in all

local by_id = {}
local order, first, last = {}, 1, 0
local held = 0

local function cut(text)
  if not text or #text <= BODY then return text, nil end
  return text:sub(1, BODY), #text
end

local function weight(record) return #(record.request.body or "") + #(record.answer and record.answer.body or "") end

local function forget_oldest()
  local record = order[first]
  order[first] = nil
  first = first + 1
  by_id[record.id] = nil
  held = held - weight(record)
  record.request.body = nil
  if record.answer then record.answer.body = nil end
end

-- The token is shown by its first letters only.
local function masked(headers)
  local copy = {}
  for name, value in pairs(headers) do copy[name] = value end
  if copy.authorization then copy.authorization = copy.authorization:gsub("^(%S+%s+%S%S?%S?%S?)%S*", "%1…") end
  return copy
end

-- calls.put(call, status, body, headers, ms) → the record, an item of kind "call": {id = request id, operation=,
-- status=, ms=, time=, channel=, chat=, event=, cost=, people=, left = calls left by the rate, failure=, request =
-- {method=, path=, query=, headers=, body=, size= of a body that was cut}, answer = {headers=, body=, size=}}.
-- status nil: dropped.
function calls.put(call, status, body, headers, ms)
  local request = call.request
  local sent, sent_size = cut(request.body)
  local got, got_size = cut(body)
  local record = {
    id = call.request_id, operation = call.row and call.row.name, status = status, ms = ms, time = clock.now(),
    channel = call.channel and call.channel.id, chat = call.chat, event = call.event, cost = call.cost,
    people = call.people, left = call.left, failure = call.failure,
    request = {method = request.method, path = request.path or request.raw_path, query = request.query_string,
      headers = masked(request.headers), body = sent, size = sent_size},
    answer = status and {headers = headers, body = got, size = got_size} or nil,
  }
  last = last + 1
  order[last] = record
  by_id[record.id] = record
  held = held + weight(record)
  while last - first >= KEPT or held > BYTES do forget_oldest() end
  feed.put("call", record)
  return record
end

-- calls.get(request id) → the record, nil when it is not kept (any more).
function calls.get(id) return by_id[id] end

-- calls.latest(limit, fits or nil) → list, newest first, of those for which fits(record).
function calls.latest(limit, fits)
  local list = {}
  for i = last, first, -1 do
    if #list >= limit then break end
    if not fits or fits(order[i]) then list[#list + 1] = order[i] end
  end
  return list
end

return calls
