-- Narrowcasts: who is meant, the phases, the progress. channel.narrowcasts[request id] = {phase=, accepted=,
-- completed=, target=, success=, failure=, code=, why=, people = those reached, reserved = messages of the quota held
-- for it}.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local recipients = require "emulator.recipients"
local send = require "emulator.send"
local send_rules = require "emulator.send_rules"
local usage = require "emulator.usage"
local world = require "emulator.world"

local narrowcast = {}

local STEP = 1000                    -- ms from phase to phase
local FORTNIGHT = 14 * 24 * 3600 * 1000
local FEW = 50                       -- recipients below which nothing is sent

local WHY = {
  [1] = "Internal error.",
  [2] = "An error occurred because there weren't enough recipients.",
  [4] = "An audience of less than 50 recipients is included as a condition of sending.",
  [5] = "The message could not be sent to all recipients within the remaining quota.",
}

-- The record, when the world still has it: a phase comes later, and the world may have been replaced meanwhile.
local function record_of(channel_id, request)
  local channel = world.state.channels[channel_id]
  local record = channel and channel.narrowcasts and channel.narrowcasts[request]
  return record, channel
end

local function finish(channel, record, phase, code)
  record.phase, record.completed, record.code = phase, clock.now(), code
  channel.reserved = (channel.reserved or 0) - (record.reserved or 0)
  record.reserved, record.messages = nil, nil
end

-- A part of the list, chosen by chance that the world's seed decides.
local function choose(list, n)
  if n >= #list then return list end
  local ids = require "emulator.ids"
  for i = 1, n do
    local j = i + ids.chance(#list - i + 1) - 1
    list[i], list[j] = list[j], list[i]
  end
  return table.move(list, 1, n, 1, {})
end

-- The sending phase. Who is meant is found now, as late as the platform does.
local function deliver(channel_id, request)
  local record, channel = record_of(channel_id, request)
  if not record or record.phase ~= "sending" then return end
  local found, small = recipients.find(channel, record.recipient, record.filter)
  if small and channel.minimums ~= false then return finish(channel, record, "failed", 4) end
  local people = choose(found, record.limit.max or #found)
  if record.limit.upToRemainingQuota then
    local left = usage.left(channel)
    if left then left = left + (record.reserved or 0) end
    if left and left < #people then
      if record.limit.forbidPartialDelivery then return finish(channel, record, "failed", 5) end
      people = choose(people, math.max(left, 0))
    end
  end
  if #people < FEW and channel.minimums ~= false or #people == 0 then return finish(channel, record, "failed", 2) end
  local call = {channel = channel, request_id = request,
    body = {messages = record.messages, notificationDisabled = record.silent}}
  send.to_people(call, people, "narrowcast")
  send.count(call, "narrowcast", #people, true)
  send.remember(call, "narrowcast", people)
  record.success, record.failure, record.target = #people, 0, #people
  record.people = people
  finish(channel, record, "succeeded")
end

local function start(channel_id, request)
  local record = record_of(channel_id, request)
  if not record then return end
  record.phase = "sending"
  clock.after(STEP, function() deliver(channel_id, request) end)
end

function narrowcast.narrowcast(call)
  local channel, body = call.channel, call.body
  send_rules.to_many(call)
  send_rules.coupons(call)
  send_rules.units(call)
  local limit = body.limit or {}
  recipients.check(channel, body.recipient)
  local reach = recipients.reach(channel)
  if body.filter and body.filter.demographic and reach < 100 and channel.minimums ~= false then
    errors.raise(403, "Your account does not have enough friends")
  end
  local reserved = math.min(reach, limit.max or reach)
  if limit.upToRemainingQuota then
    reserved = math.max(math.min(reserved, usage.left(channel) or reserved), 0)
  else
    usage.allow(channel, reserved)
  end
  local sent = channel.narrowcasts or {}
  channel.narrowcasts = sent
  channel.reserved = (channel.reserved or 0) + reserved
  for request, old in pairs(sent) do
    if old.accepted + FORTNIGHT < clock.now() then sent[request] = nil end
  end
  sent[call.request_id] = {phase = "waiting", accepted = clock.now(), target = reserved, reserved = reserved,
    messages = body.messages, silent = body.notificationDisabled, recipient = body.recipient,
    filter = body.filter and body.filter.demographic, limit = limit}
  local id, request = channel.id, call.request_id
  clock.after(STEP, function() start(id, request) end)
  return 202, {}
end

local function iso(ms) return os.date("!%Y-%m-%dT%H:%M:%S", ms // 1000) .. (".%03dZ"):format(ms % 1000) end

function narrowcast.get_narrowcast_progress(call)
  local record = record_of(call.channel.id, call.query.requestId)
  if not record or record.accepted + FORTNIGHT < clock.now() then errors.raise(404, "Not found") end
  local answer = {phase = record.phase, acceptedTime = iso(record.accepted),
    completedTime = record.completed and iso(record.completed)}
  if record.phase ~= "waiting" then
    answer.targetCount = record.target
    answer.successCount, answer.failureCount = record.success or 0, record.failure or 0
  end
  if record.code then answer.errorCode, answer.failedDescription = record.code, WHY[record.code] end
  return answer
end

return narrowcast
