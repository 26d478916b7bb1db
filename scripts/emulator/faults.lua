-- Failures on demand: the n-th call of an operation fails, is slow or breaks off; the n-th webhook comes twice, late,
-- in the wrong order, again, with a wrong signature, or not at all.

local errors = require "emulator.errors"
local feed = require "emulator.feed"
local near = require "emulator.near"

local faults = {}

-- do → where it may be used, the field behind its colon on the command line.
local KINDS = {
  status = {call = true},
  delay = {call = true, webhook = true, argument = "ms"},
  drop = {call = true, webhook = true},
  duplicate = {webhook = true},
  reorder = {webhook = true},
  redeliver = {webhook = true},
  garble = {webhook = true},
}

-- What the platform says with a status, where nobody says otherwise.
local SAID = {
  [400] = "The request body has 1 error(s)",
  [401] = "Authentication failed due to the following reason: invalid token. Confirm that the access token in the "
    .. "authorization header is valid.",
  [403] = "Access to this API is not available for your account",
  [404] = "Not found",
  [409] = "The retry key is already accepted",
  [410] = "The content is gone",
  [413] = "Request Entity Too Large",
  [415] = "Unsupported media type",
  [423] = "The chat is controlled by another channel",
  [429] = "The API rate limit has been exceeded. Try again later.",
  [500] = "Internal Server Error",
  [502] = "Bad Gateway",
  [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

local list, counter = {}, 0

local function refuse(text, ...)
  errors.raise(400, text:format(...))
end

local function check_operation(name)
  if type(name) ~= "string" then
    refuse('operation: the name of an operation is needed, as "push_message", or "*", or "webhook"')
  end
  if name == "*" or name == "webhook" then return end
  local routes = require "emulator.routes"
  if routes.row(name) then return end
  local names = {webhook = true}
  for each in routes.each() do names[each] = true end
  local meant = near.name(name, names)
  refuse("operation: there is no operation '%s'%s", name, meant and ("; did you mean '" .. meant .. "'?") or "")
end

local function check_number(name, value, least)
  if math.type(value) ~= "integer" or value < least then
    refuse("%s: a whole number from %d on is needed", name, least)
  end
end

-- faults.add(fields) → the fault, with its id. fields: operation, nth (1), times (1; 0: for ever), do, status, body,
-- ms.
function faults.add(fields)
  local fault = {operation = fields.operation, nth = fields.nth or 1, times = fields.times or 1, ["do"] = fields["do"],
    status = fields.status, body = fields.body, ms = fields.ms, seen = 0, hits = 0}
  for name in pairs(fields) do
    if fault[name] == nil or name == "seen" or name == "hits" then
      refuse("%s: a fault has no such field", tostring(name))
    end
  end
  check_operation(fault.operation)
  local kind = KINDS[fault["do"]]
  local place = fault.operation == "webhook" and "webhook" or "call"
  if not kind then
    refuse("do: %q is none of status, delay, drop, duplicate, reorder, redeliver, garble", tostring(fault["do"]))
  end
  if not kind[place] then refuse("do: '%s' is not for %ss", fault["do"], place) end
  check_number("nth", fault.nth, 1)
  check_number("times", fault.times, 0)
  if fault["do"] == "status" then
    check_number("status", fault.status, 400)
    if fault.status > 599 then refuse("status: from 400 to 599") end
  end
  if kind.argument then check_number(kind.argument, fault[kind.argument], 0) end
  counter = counter + 1
  fault.id = tostring(counter)
  list[#list + 1] = fault
  feed.put("fault", {what = "added", fault = faults.plain(fault)})
  return fault
end

-- faults.parse(text) → fields: OPERATION[:N[xTIMES]]=WHAT, where WHAT is a status, or a word of `do`, with :ms behind
-- delay. N "*" is each one. "push_message:2=429", "webhook:1=duplicate", "*:*=delay:1500".
function faults.parse(text)
  local target, what = text:match("^([^=]+)=([^=]+)$")
  if not target then
    refuse("fault '%s': write OPERATION:N=WHAT, as in push_message:2=429 or webhook:1=duplicate", text)
  end
  local operation, nth = target:match("^([^:]+):(.+)$")
  operation = operation or target
  local fields = {operation = operation}
  if nth == "*" then
    fields.nth, fields.times = 1, 0
  elseif nth then
    local n, times = nth:match("^(%d+)x(%d+)$")
    n = n or nth:match("^(%d+)$")
    if not n then
      refuse("fault '%s': '%s' is no number of a call, as in push_message:2=429 or push_message:2x3=429", text, nth)
    end
    fields.nth, fields.times = math.tointeger(tonumber(n)), times and math.tointeger(tonumber(times)) or 1
  end
  local word, argument = what:match("^(%l+):?(%d*)$")
  local status = what:match("^%d%d%d$")
  if status then
    fields["do"], fields.status = "status", math.tointeger(tonumber(status))
  elseif word and KINDS[word] and word ~= "status" then
    fields["do"] = word
    local name = KINDS[word].argument
    if name and argument == "" then refuse("fault '%s': say how long, as in %s:1500", text, word) end
    if argument ~= "" then
      if not name then refuse("fault '%s': nothing may stand behind '%s'", text, word) end
      fields[name] = math.tointeger(tonumber(argument))
    end
  else
    refuse("fault '%s': '%s' is neither a status from 400 to 599 nor delay:MS, drop, duplicate, reorder, "
      .. "redeliver, garble", text, what)
  end
  return fields
end

-- faults.plain(fault): what lists show.
function faults.plain(fault)
  return {id = fault.id, operation = fault.operation, nth = fault.nth, times = fault.times, ["do"] = fault["do"],
    status = fault.status, body = fault.body, ms = fault.ms, hits = fault.hits, over = faults.over(fault)}
end

function faults.over(fault) return fault.times > 0 and fault.hits >= fault.times end

function faults.list()
  local out = {}
  for i, fault in ipairs(list) do out[i] = faults.plain(fault) end
  return out
end

-- faults.remove(id): true if there was one. Without an id: all.
function faults.remove(id)
  if not id then
    list = {}
    feed.put("fault", {what = "cleared"})
    return true
  end
  for i, fault in ipairs(list) do
    if fault.id == id then
      table.remove(list, i)
      feed.put("fault", {what = "removed", id = id})
      return true
    end
  end
  return false
end

-- The faults that meet this one call or webhook; each counts what it sees.
local function hit(name, any)
  local out
  for _, fault in ipairs(list) do
    if fault.operation == name or any and fault.operation == "*" then
      fault.seen = fault.seen + 1
      if fault.seen >= fault.nth and not faults.over(fault) then
        fault.hits = fault.hits + 1
        out = out or {}
        out[#out + 1] = fault
        feed.put("fault", {what = "hit", id = fault.id, fault = faults.plain(fault)})
      end
    end
  end
  return out
end

-- faults.before(row, call): what a call suffers before it is carried out, for api.options.before: nil, or a table of
-- delay (ms of the machine's time, for it is the caller's patience that is tested), drop, status and body.
function faults.before(row)
  if not list[1] then return end
  local found = hit(row.name, true)
  if not found then return end
  local out = {}
  for _, fault in ipairs(found) do
    if fault["do"] == "delay" then out.delay = (out.delay or 0) + fault.ms
    elseif fault["do"] == "drop" then out.drop = true
    else out.status, out.body = fault.status, fault.body or {message = SAID[fault.status] or "Error"} end
  end
  return out
end

-- faults.webhook(): what the next webhook suffers: {[do] = true or ms}, nil for nothing.
function faults.webhook()
  if not list[1] then return end
  local found = hit("webhook", false)
  if not found then return end
  local out = {}
  for _, fault in ipairs(found) do out[fault["do"]] = fault.ms or true end
  return out
end

return faults
