-- What happened, numbered: for the page's stream, for whoever waits for the next message, for lists of calls and
-- events.

local line = require "line"

local feed = {}

local KEPT = 10000

local items = {}   -- seq → item, the last KEPT of them
local first, last = 1, 0
local waiters = {} -- functions that are called with each new item

-- feed.put(kind, data) → the item: data with seq and kind.
function feed.put(kind, data)
  last = last + 1
  data.seq, data.kind = last, kind
  items[last] = data
  if last - first >= KEPT then
    items[first] = nil
    first = first + 1
  end
  for waiter in pairs(waiters) do waiter(data) end
  return data
end

-- feed.last(): number of the newest, 0 for none.
function feed.last() return last end

-- feed.each(since): iterator over what is kept and newer than that number.
function feed.each(since)
  local i = math.max(since or 0, first - 1)
  return function()
    i = i + 1
    return items[i]
  end
end

-- feed.wait(since, seconds, fits) → the first item newer than since for which fits(item), nil when the time is over.
-- Waits.
function feed.wait(since, seconds, fits)
  for item in feed.each(since) do
    if fits(item) then return item end
  end
  local found
  local function waiter(item)
    if not found and fits(item) then found = item end
  end
  waiters[waiter] = true
  local ok, e = pcall(function()
    local left = seconds
    while not found and left > 0 do
      line.sleep(math.min(0.01, left))
      left = left - 0.01
    end
  end)
  waiters[waiter] = nil
  if not ok then error(e, 0) end
  return found
end

-- feed.listen(fn): fn(item) with each new one, until feed.unlisten(fn). fn must not wait.
function feed.listen(fn) waiters[fn] = true end
function feed.unlisten(fn) waiters[fn] = nil end

return feed
