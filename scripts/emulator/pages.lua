-- Lists that come a page at a time: `start` names where the next one begins, with an opaque token that works for a day.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local ids = require "emulator.ids"

local pages = {}

local LIFE = 24 * 3600 * 1000
local HELD = 64 -- lists held at most; then the oldest is forgotten

local function invalid() errors.raise(400, "Invalid start param") end

-- pages.cut(list, start, limit) → entries of the page, token of the next page or nil. The token holds the number of
-- entries before the page and the time it was given. Raises 400 for one that was not given here or is too old.
function pages.cut(list, start, limit)
  local from = 0
  if start ~= nil and start ~= "" then
    local at, given = tostring(start):match("^p(%x+)t(%x+)$")
    from = at and tonumber(at, 16)
    if not from or clock.now() - tonumber(given, 16) > LIFE then invalid() end
  end
  local page = table.move(list, from + 1, math.min(from + limit, #list), 1, {})
  local following
  if from + limit < #list then following = ("p%xt%x"):format(from + limit, clock.now()) end
  return page, following
end

local held = {} -- token → {list=, at = place of the next, since=, key=}
local order = {}

-- pages.page(key, start, limit, make): the same for lists that are long to make: make() is called for the first page
-- only, and what follows is held as it was then. key: what is listed for whom; a token of another list is refused.
function pages.page(key, start, limit, make)
  local list, at
  if start and start ~= "" then
    local known = held[start]
    if not known or known.key ~= key or known.since + LIFE < clock.now() then invalid() end
    list, at = known.list, known.at
  else
    list, at = make(), 1
  end
  local entries = table.move(list, at, math.min(at + limit - 1, #list), 1, {})
  if at + limit > #list then return entries end
  local token = ids.hex(32)
  held[token] = {list = list, at = at + limit, since = clock.now(), key = key}
  order[#order + 1] = token
  if #order > HELD then held[table.remove(order, 1)] = nil end
  return entries, token
end

-- pages.sorted(set) → its keys, sorted.
function pages.sorted(set)
  local list, n = {}, 0
  for key in pairs(set) do
    n = n + 1
    list[n] = key
  end
  table.sort(list)
  return list
end

return pages
