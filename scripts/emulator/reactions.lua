-- What people did with what the account sent: which messages they saw, links they opened, videos they watched, rich
-- menus that were shown to them and tapped. For statistics and for audiences made of those people.
--
-- A channel keeps in channel.reactions:
--   requests[request id] = {way=, time=, people=, unit=, links = {{seq=, url=}, …}, seen = {seq → {userId → times}},
--     taps = {number of the link → …}, plays = {seq → …}}: broadcasts, narrowcasts and what names a unit
--   menus[menu id] = {seen = {day → {userId → times}}, taps = {number of the area → {day → …}}}
-- All keys are texts, for a saved world is JSON.

local clock = require "emulator.clock"
local usage = require "emulator.usage"
local world = require "emulator.world"

local reactions = {}

local DAY = 24 * 3600 * 1000
local COUNTED = 14 * DAY -- after it was sent nothing is counted any more
local KEPT = 400 * DAY   -- units are asked for by day of sending

local function state(channel)
  channel.reactions = channel.reactions or {requests = {}, menus = {}}
  return channel.reactions
end

local function add(sets, key, user)
  key = tostring(key)
  local set = sets[key]
  if not set then
    set = {}
    sets[key] = set
  end
  set[user] = (set[user] or 0) + 1
end

-- ---- what was sent ----

local function collect(value, found)
  if value.type == "uri" then
    local url = value.uri or value.linkUri
    if type(url) == "string" then found[#found + 1] = url end
  end
  if value.externalLink and type(value.externalLink.linkUri) == "string" then
    found[#found + 1] = value.externalLink.linkUri
  end
  for _, part in pairs(value) do
    if type(part) == "table" then collect(part, found) end
  end
end

-- The links of messages, by bubble, each once; those of a bubble sorted, for tables have no order.
local function links_of(messages)
  local list = {}
  for seq, message in ipairs(messages) do
    local found, known = {}, {}
    collect(message, found)
    if message.type == "text" or message.type == "textV2" then
      for url in tostring(message.text):gmatch("https?://[^%s<>\"]+") do
        found[#found + 1] = url:match("^(.-)[.,;:!?'%)]*$") -- what ends the sentence is no part of it
      end
    end
    table.sort(found)
    for _, url in ipairs(found) do
      if not known[url] then list[#list + 1] = {seq = seq, url = url} end
      known[url] = true
    end
  end
  return list
end

local function sweep(s)
  local today = usage.day()
  if s.swept == today then return end
  s.swept = today
  for request, record in pairs(s.requests) do
    if record.time + KEPT < clock.now() then s.requests[request] = nil end
  end
end

-- reactions.sent(channel, request id, {way=, messages=, people=, unit=}): from now on it is counted what people do with
-- it.
function reactions.sent(channel, request, given)
  local s = state(channel)
  sweep(s)
  s.requests[request] = {way = given.way, time = clock.now(), people = given.people, unit = given.unit,
    links = links_of(given.messages)}
end

-- reactions.record(channel, request id) → its record, or nil.
function reactions.record(channel, request) return state(channel).requests[request] end

-- reactions.of_unit(channel, unit, from, to) → list of records sent on those days.
function reactions.of_unit(channel, unit, from, to)
  local list = {}
  for _, record in pairs(state(channel).requests) do
    local day = record.unit == unit and usage.day(record.time)
    if day and day >= from and day <= to then list[#list + 1] = record end
  end
  return list
end

-- ---- what people did ----

local function counted(channel, request)
  local record = request and state(channel).requests[request]
  if record and record.time + COUNTED >= clock.now() then return record end
end

-- Sets are made on first need: of most requests nothing is ever counted.
local function count(record, what, key, user)
  record[what] = record[what] or {}
  add(record[what], key, user)
end

-- reactions.saw(channel, userId, request id [, seq]): a bubble was shown to somebody; seq: which, 1 unless said.
function reactions.saw(channel, user, request, seq)
  local record = counted(channel, request)
  if record then count(record, "seen", seq or 1, user) end
end

-- reactions.tapped(channel, userId, request id, url [, seq]): a link was opened; seq: in which bubble, the first that
-- has it unless said.
function reactions.tapped(channel, user, request, url, seq)
  local record = counted(channel, request)
  if not record then return end
  for i, link in ipairs(record.links) do
    if link.url == url and (not seq or link.seq == seq) then
      count(record, "taps", i, user)
      return
    end
  end
end

-- reactions.played(channel, userId, request id, seq): a video was watched to its end.
function reactions.played(channel, user, request, seq)
  local record = counted(channel, request)
  if record then count(record, "plays", seq, user) end
end

-- reactions.seq(chat, place, entry) → which bubble of its request an entry is.
function reactions.seq(chat, place, entry)
  local seq = 1
  while true do
    local before = world.entry(chat, place - seq)
    if not before or before.request ~= entry.request then return seq end
    seq = seq + 1
  end
end

-- reactions.looked(channel, chat, userId [, opened]): somebody has the chat before their eyes: all that came since they
-- last looked was seen. opened: they have just opened it, which shows the rich menu.
function reactions.looked(channel, chat, user, opened)
  if opened and chat.type == "user" then
    local menu = require("emulator.operations.richmenus").effective(channel, user)
    if menu then reactions.menu_shown(channel, user, menu) end
  end
  if not next(state(channel).requests) then return end
  chat.looked = chat.looked or {}
  local last, oldest = chat.looked[user] or 0, clock.now() - COUNTED
  chat.looked[user] = chat.n
  for place = chat.n, last + 1, -1 do
    local entry = world.entry(chat, place)
    if (entry.time or 0) < oldest then break end
    if entry.request and reactions.record(channel, entry.request) then
      reactions.saw(channel, user, entry.request, reactions.seq(chat, place, entry))
    end
  end
end

-- ---- who did ----

local function union(sets, wanted)
  local found = {}
  for key, set in pairs(sets) do
    if not wanted or wanted(key) then
      for user in pairs(set) do found[user] = true end
    end
  end
  return found
end

-- reactions.seen_by(channel, request id) → set of those who saw at least one bubble.
function reactions.seen_by(channel, request)
  local record = reactions.record(channel, request)
  return record and union(record.seen or {}) or {}
end

-- reactions.tapped_by(channel, request id, url or nil) → set of those who opened the link; nil: any.
function reactions.tapped_by(channel, request, url)
  local record = reactions.record(channel, request)
  if not record then return {} end
  return union(record.taps or {}, url and function(i) return record.links[tonumber(i)].url == url end)
end

-- ---- rich menus ----

local function menu_of(channel, id)
  local menus = state(channel).menus
  menus[id] = menus[id] or {seen = {}, taps = {}}
  return menus[id]
end

-- reactions.menu_shown(channel, userId, menu id)
function reactions.menu_shown(channel, user, id) add(menu_of(channel, id).seen, usage.day(), user) end

-- reactions.menu_tapped(channel, userId, menu id, area): area: its number, from 1. Who taps it has seen it.
function reactions.menu_tapped(channel, user, id, area)
  local seen, taps = menu_of(channel, id).seen[usage.day()], menu_of(channel, id).taps
  if not seen or not seen[user] then reactions.menu_shown(channel, user, id) end
  area = tostring(area)
  taps[area] = taps[area] or {}
  add(taps[area], usage.day(), user)
end

-- reactions.menu(channel, menu id) → its record.
function reactions.menu(channel, id) return state(channel).menus[id] or {seen = {}, taps = {}} end

return reactions
