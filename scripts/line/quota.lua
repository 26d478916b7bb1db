-- How many messages may still be sent this month. LINE's own figures are fetched at most every few minutes; pushes in
-- between are counted here.

local core = require "line.core"

local inner, sends = core.inner, core.sends

local FRESH <const> = 300 -- seconds for which LINE's figures are kept

local kept -- {at=, kind=, limit=, used=, pushes=, others=}: the last figures and what had been sent by then

local function fetch(at, pushes, others)
  local plan = inner.get_message_quota({}, nil, "line.quota")
  local spent = inner.get_message_quota_consumption({}, nil, "line.quota")
  kept = {at = at, kind = plan.type, limit = plan.value, used = spent.totalUsage, pushes = pushes, others = others}
end

local quota = {}

-- line.quota([options])
-- Returns {type =, limit =, used =, remaining =}: type is "limited" or "none" (no limit: limit and remaining are nil).
-- Figures are LINE's, up to five minutes old, plus the pushes since; a multicast, narrowcast or broadcast since fetches
-- them anew, as options {fresh = true} does. A push to a group counts once here and as many times as it has members at
-- LINE, until the next fetch; other workers' pushes count from then on, too. Waits when it fetches.
function quota.get(options)
  local pushes, others = sends()
  local now = os.time()
  if not kept or now - kept.at >= FRESH or now < kept.at or others ~= kept.others or options and options.fresh then
    fetch(now, pushes, others)
  end
  local used = kept.used + sends() - kept.pushes
  return {type = kept.kind, limit = kept.limit, used = used,
    remaining = kept.limit and math.max(0, kept.limit - used)}
end

quota.get = core.entry(quota.get)

return quota
