-- X-Line-Retry-Key: a call that was accepted is not executed again for 24 hours.
-- https://developers.line.biz/en/docs/messaging-api/retrying-api-request/

local clock = require "emulator.clock"
local errors = require "emulator.errors"

local retry_keys = {}

local DAY = 24 * 3600 * 1000
local UUID = "^" .. ("x"):rep(8):gsub("x", "%%x") .. ("%-%x%x%x%x"):rep(3) .. "%-" .. ("%x"):rep(12) .. "$"
local SWEEP = 1024 -- look for keys that are over after so many new ones

-- retry_keys.check(row, channel, key): raises when the row takes none, when it is no UUID, or when it was accepted
-- before.
function retry_keys.check(row, channel, key)
  if not row.retry_key then
    errors.raise(400, "The retry key is not supported by this API")
  end
  if not key:find(UUID) then
    errors.raise(400, "The retry key must be a UUID")
  end
  local kept = channel.retry_keys and channel.retry_keys[key:lower()]
  if not kept or kept.since + DAY <= clock.now() then return end
  errors.accepted(kept.request, kept.sent)
end

-- retry_keys.keep(channel, key, request id, sentMessages or nil): the call with this key was accepted.
function retry_keys.keep(channel, key, request, sent)
  local keys = channel.retry_keys or {}
  channel.retry_keys = keys
  keys[key:lower()] = {since = clock.now(), request = request, sent = sent}
  channel.retry_keys_new = (channel.retry_keys_new or 0) + 1
  if channel.retry_keys_new < SWEEP then return end
  channel.retry_keys_new = 0
  for old, kept in pairs(keys) do
    if kept.since + DAY <= clock.now() then keys[old] = nil end
  end
end

return retry_keys
