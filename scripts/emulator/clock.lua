-- The emulator's time: the machine's clock plus an offset, or a clock that stands still until it is advanced. What
-- is due at a time of it waits here, so that advancing the clock makes it happen.

local line = require "line"

local clock = {}

local DAY = 86400 -- seconds

local offset = 0     -- ms ahead of the machine
local frozen         -- ms: the virtual clock's time; nil: the clock is real
local due = {}       -- list of {at=, fn=, order=}, sorted by time, then by order
local order = 0
local alarm          -- the timer for due[1]

-- clock.now(): milliseconds since 1970, an integer.
function clock.now()
  return frozen or line.now() + offset
end

local run

local function arm()
  if alarm then alarm:cancel() end
  alarm = nil
  if frozen or not due[1] then return end
  -- A timer takes thirty days at most; when it was too early for what is due, another follows.
  alarm = line.after(math.min(math.max(due[1].at - clock.now(), 1) / 1000, DAY), function()
    alarm = nil
    run()
  end)
end

-- Everything that is due, in its order; each in a task of its own, for it may wait.
function run()
  local now = clock.now()
  while due[1] and due[1].at <= now do
    local entry = table.remove(due, 1)
    line.after(0.001, entry.fn)
  end
  arm()
end

-- clock.after(ms, fn): call fn once the emulator's time is ms later.
function clock.after(ms, fn)
  order = order + 1
  local entry = {at = clock.now() + ms, fn = fn, order = order}
  local i = #due + 1
  while i > 1 and due[i - 1].at > entry.at do i = i - 1 end
  table.insert(due, i, entry)
  if i == 1 then arm() end
end

-- clock.advance(ms): let time pass.
function clock.advance(ms)
  if frozen then frozen = frozen + ms else offset = offset + ms end
  run()
end

-- clock.set(ms): go to a time, which must not lie behind.
function clock.set(ms)
  clock.advance(ms - clock.now())
end

-- clock.use(mode): "real" or "virtual". A virtual clock stands at the time it was when it became one.
function clock.use(mode)
  if mode == "virtual" and not frozen then
    frozen = clock.now()
  elseif mode == "real" and frozen then
    offset = frozen - line.now()
    frozen = nil
  end
  run()
end

function clock.mode() return frozen and "virtual" or "real" end

-- clock.reset([ms]): forget what is due and the offset; for a world that is replaced. A virtual clock goes to ms, if
-- given.
function clock.reset(ms)
  due, offset = {}, 0
  if frozen then frozen = ms or line.now() end
  arm()
end

return clock
