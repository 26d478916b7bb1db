-- Handlers, and the choice among them. They are tried in the order of registration; the first that matches handles the
-- event, and passes it on only by calling `next`. The rule for a handler's arguments: the event, then what the pattern
-- or the name yielded, and last of all next:
--
--     line.on("message.text", function(event, next) … end)
--     line.hear("^weather in (%a+)$", function(event, city, next) … end)
--     line.postback("buy", function(event, args, next) … end)
--
-- next() runs the handlers that come after and returns what the one that matched returned, nil when none did. It may be
-- called after waiting, and once.

local core = require "line.core"
local errors = require "line.errors"
local events = require "line.event"
local selector = require "line.selector"

local misuse, enter, flush = errors.misuse, events.enter, events.flush
local match, pack, unpack = string.match, table.pack, table.unpack
local trace = core.trace -- nil unless somebody looks on

local router = {}

local handlers = {}   -- in order of registration
local by_type = {}    -- event type → those that can match it, in order; made on first need
local for_others = {} -- those for "*": what a type without an entry gets
local closed = false

-- ---- registration ----

-- Behind a set that opens at i: a ] right at its start is one of its characters.
local function behind_set(pattern, i)
  local _, start = pattern:find("^%^?%]?", i + 1)
  local p = start + 1
  while p <= #pattern do
    local c = pattern:sub(p, p)
    if c == "]" then return p + 1 end
    p = p + (c == "%" and 2 or 1)
  end
  return nil
end

-- How many values a pattern hands over: its captures, or the whole match. nil and why for a malformed one; Lua itself
-- would find that only when a text comes that leads there.
local function captures_of(pattern)
  local n, open, i = 0, 0, 1
  while i <= #pattern do
    local c = pattern:sub(i, i)
    if c == "%" then
      if i == #pattern then return nil, "it ends with %" end
      i = i + (pattern:sub(i + 1, i + 1) == "b" and 4 or 2)
    elseif c == "[" then
      i = behind_set(pattern, i)
      if not i then return nil, "a [ is not closed" end
    else
      if c == "(" then n, open = n + 1, open + 1 end
      if c == ")" then open = open - 1 end
      if open < 0 then return nil, "a ) closes nothing" end
      i = i + 1
    end
  end
  if open > 0 then return nil, "a ( is not closed" end
  return n > 0 and n or 1
end

local function add(what, h, fn, before_next)
  if closed then
    misuse("%s: handlers are registered while the bot loads; this one came after", what)
  end
  if type(fn) ~= "function" then misuse("%s: the handler must be a function, not a %s", what, type(fn)) end
  local n, more = core.parameters(fn)
  h.fn, h.where = fn, core.where()
  h.wants_next = n < 0 or more or n > before_next
  handlers[#handlers + 1] = h
  by_type = {}
  if h.type == "*" then for_others[#for_others + 1] = h end
  return h
end

-- line.on(selector, fn)
-- selector: type[.subtype][@source] or "*", such as "message.text", "message.image@group", "follow". fn(event, next).
-- An unknown type is accepted with a warning: LINE may have added it. Raises for what is no selector, and once the bot
-- has loaded. Does not wait.
function router.on(text, fn)
  local h = selector.parse("line.on", text)
  h.kind, h.selector = "on", text
  local problem, unknown = selector.problem(h)
  h.problem = problem
  add("line.on", h, fn, 1)
  if unknown then require("log").warn(("%s: line.on: %s"):format(h.where, problem)) end
end

-- line.hear(pattern, fn)
-- Text messages that match a Lua pattern. fn(event, capture, …, next); without captures the whole match is handed over.
-- Raises for a malformed pattern, and once the bot has loaded. Does not wait.
function router.hear(pattern, fn)
  if type(pattern) ~= "string" then
    misuse("line.hear: the first argument is a Lua pattern, not a %s", type(pattern))
  end
  local n, problem = captures_of(pattern)
  if not n then misuse("line.hear: malformed pattern '%s': %s", pattern, problem) end
  add("line.hear", {kind = "hear", selector = pattern, pattern = pattern, type = "message", subtype = "text"}, fn,
    1 + n)
end

-- line.postback(name, fn)
-- Postbacks whose data is `name` or `name?key=value&…`. fn(event, args, next), args a table of decoded values by key.
-- Raises for a name with ? or &, and once the bot has loaded. Does not wait.
function router.postback(name, fn)
  if type(name) ~= "string" or name == "" or name:find("[?&]") then
    misuse("line.postback: the first argument is a name without ? and &")
  end
  add("line.postback", {kind = "postback", selector = name, name = name, type = "postback"}, fn, 2)
end

-- ---- choice ----

-- All handlers that can match a type, in order of registration.
local function list_for(kind)
  local list, own = {}, false
  for _, h in ipairs(handlers) do
    if h.type == kind then own = true end
    if h.type == kind or h.type == "*" then list[#list + 1] = h end
  end
  if not own then
    if selector.is_known(kind) then by_type[kind] = for_others end -- but not whatever types a sender may invent
    return for_others
  end
  list.outer, list.inner = selector.place(kind)
  by_type[kind] = list
  return list
end

local function decode(s)
  return (s:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The arguments of postback data for a handler's name, or nil when the data is another's.
local function postback_args(data, name)
  if type(data) ~= "string" then return nil end
  if data == name then return {} end
  if data:sub(1, #name + 1) ~= name .. "?" then return nil end
  local args = {}
  for pair in data:sub(#name + 2):gmatch("[^&]+") do
    local key, value = match(pair, "^([^=]*)=?(.*)$")
    args[decode(key)] = decode(value)
  end
  return args
end

local run

-- The function that passes on from handler i.
local function passes_on(list, i, event, subtype, source)
  local called = false
  return function()
    if called then misuse("next: this handler has passed the event on already") end
    called = true
    return select(2, run(list, i + 1, event, subtype, source))
  end
end

-- Returns true and what the handler returned, or false when none from place i on matches.
function run(list, from, event, subtype, source)
  for i = from, #list do
    local h = list[i]
    if (h.subtype == nil or h.subtype == subtype) and (h.source == nil or h.source == source) then
      local kind = h.kind
      if kind == "on" then
        if trace then trace(h.where, h.selector) end
        if h.wants_next then return true, h.fn(event, passes_on(list, i, event, subtype, source)) end
        return true, h.fn(event)
      elseif kind == "hear" then
        local text = event.message.text
        local found = type(text) == "string" and pack(match(text, h.pattern))
        if found and found[1] ~= nil then
          if trace then trace(h.where, h.selector) end
          local n = found.n
          if h.wants_next then
            n = n + 1
            found[n] = passes_on(list, i, event, subtype, source)
          end
          return true, h.fn(event, unpack(found, 1, n))
        end
      else
        local args = postback_args(event.postback and event.postback.data, h.name)
        if args then
          if trace then trace(h.where, h.selector) end
          return true, h.fn(event, args, h.wants_next and passes_on(list, i, event, subtype, source) or nil)
        end
      end
    end
  end
  return false
end

-- router.handle(event)
-- Takes a decoded event; runs inside the event's task. Returns true if a handler ran.
-- Queued replies are sent when it has returned. Raises what the handler or the send raises. Waits.
function router.handle(event)
  local list = by_type[event.type] or list_for(event.type)
  local ran = run(list, 1, event, enter(event, list.outer, list.inner))
  flush(event)
  return ran
end

-- ---- what there is ----

-- router.loaded(): the bot has loaded; from now on registering raises.
function router.loaded()
  closed = true
end

-- router.is_loaded(): whether it has; what else is declared while a bot loads asks here.
function router.is_loaded()
  return closed
end

-- router.count(): the number of handlers.
function router.count()
  return #handlers
end

local function describe(h)
  return h.kind == "on" and h.selector or ("%s '%s'"):format(h.kind, h.selector)
end

-- Whether an event that h could take always ends at the earlier handler a.
local function shadows(a, h)
  if a.wants_next then return false end
  if a.kind == "on" then return selector.covers(a, h) end
  return a.kind == h.kind and a.selector == h.selector
end

-- router.report([sources])
-- sources: {[file] = text} of the bot's Lua files, for what shows in the text only. Returns {handlers = {{selector=,
-- kind=, where=}, …}, problems = {{where=, text=}, …}}, both in order, and routes = {{method=, path=, where=}, …} when
-- the bot has the module web. Does not wait.
function router.report(sources)
  local report = {handlers = core.array{}, problems = core.array{}}
  local problems = report.problems
  for i, h in ipairs(handlers) do
    report.handlers[i] = {selector = h.selector, kind = h.kind, where = h.where}
    if h.problem then
      problems[#problems + 1] = {where = h.where, text = ("%s never matches: %s"):format(describe(h), h.problem)}
    else
      for j = 1, i - 1 do
        if shadows(handlers[j], h) then
          problems[#problems + 1] = {where = h.where, text = ("%s never matches: %s at %s takes its events and has no "
            .. "parameter `next` to pass them on"):format(describe(h), describe(handlers[j]), handlers[j].where)}
          break
        end
      end
    end
  end
  report.routes = router.routes
  if sources then require("line.lint").check(sources, problems) end
  return report
end

return router
