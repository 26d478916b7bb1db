-- The platform's ceilings of calls: a bucket for each channel and operation, which holds as many calls as the
-- documented period allows and fills up evenly. https://developers.line.biz/en/reference/messaging-api/#rate-limits

local clock = require "emulator.clock"

local rates = {}

local buckets = {} -- row name → channel id (or "" for calls without token) → {left=, at=}

-- rates.take(row, channel id) → whether the call may be made, and how many are left then.
function rates.take(row, channel)
  local of = buckets[row.name]
  if not of then
    of = {}
    buckets[row.name] = of
  end
  local now = clock.now()
  local bucket = of[channel]
  if not bucket then
    bucket = {left = row.calls, at = now}
    of[channel] = bucket
  end
  local passed = math.max(now - bucket.at, 0) -- a world that is put back may be of an earlier time
  local left = bucket.left + passed * row.calls / (row.seconds * 1000)
  if left > row.calls then left = row.calls end
  bucket.at = now
  if left < 1 then
    bucket.left = left
    return false, 0
  end
  bucket.left = left - 1
  return true, math.floor(left - 1)
end

-- rates.reset(): all buckets are full again.
function rates.reset() buckets = {} end

return rates
