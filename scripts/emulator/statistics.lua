-- How webhooks failed, in the words of LINE's console: a reason and a detail, and how often.
-- https://developers.line.biz/en/docs/messaging-api/check-webhook-error-statistics/

local clock = require "emulator.clock"

local statistics = {}

local WINDOW = 60000 -- errors of one kind within a minute are one row
local KEPT = 1000    -- rows of a channel

-- What the http client says of a failure → reason and detail.
local FAILURES = {
  connect = {"could_not_connect", "Connection failed"},
  dns = {"could_not_connect", "Unknown host"},
  tls = {"could_not_connect", "TLS handshake failure"},
  forbidden = {"could_not_connect", "Connection failed"},
  timeout = {"request_timeout", "Request timeout"},
  address = {"could_not_connect", "Invalid URL syntax"},
  protocol = {"unclassified", "Session closed unexpectedly"},
}
local OTHER = {"unclassified", "Unclassified webhook dispatch error"}

local rows = {} -- channel id → list of {since=, reason=, detail=, count=}

-- statistics.judge(ok, answer): what pcall(http.request, …) returned → {ok=, status=, reason=, detail=, error=}.
function statistics.judge(ok, answer)
  if ok then
    local status = answer.status
    if status >= 200 and status < 300 then return {ok = true, status = status} end
    return {ok = false, status = status, reason = "error_status_code", detail = tostring(status),
      error = ("the bot answered %d"):format(status)}
  end
  -- An address that is none is told as a text, by the client's check of its arguments.
  local kind = type(answer) == "table" and answer.kind or type(answer) == "string" and "address" or nil
  local row = FAILURES[kind] or OTHER
  local said = type(answer) == "table" and answer.message or tostring(answer)
  if kind == "timeout" then said = "no answer within 2 seconds" end
  -- It connected, took the request and hung up: the client says then that the request may have been carried out.
  if kind == "connect" and said:find("carried out", 1, true) then row = FAILURES.protocol end
  return {ok = false, reason = row[1], detail = row[2], error = said}
end

-- statistics.dropped(): the result of a webhook that a fault kept from arriving.
function statistics.dropped()
  return {ok = false, reason = "could_not_connect", detail = "Connection failed", error = "dropped by a fault", ms = 0}
end

-- statistics.count(channel id, result): note a failure; successes are only counted.
function statistics.count(channel, result)
  local list = rows[channel]
  if not list then
    list = {delivered = 0}
    rows[channel] = list
  end
  if result.ok then
    list.delivered = list.delivered + 1
    return
  end
  local now = clock.now()
  for i = #list, 1, -1 do
    local row = list[i]
    if now - row.since >= WINDOW then break end
    if row.reason == result.reason and row.detail == result.detail then
      row.count = row.count + 1
      return
    end
  end
  if #list == KEPT then table.remove(list, 1) end
  list[#list + 1] = {since = now, reason = result.reason, detail = result.detail, count = 1}
end

-- statistics.list(): {[channel id] = {delivered=, failed=, reasons = {[reason] = {[detail] = count}}, errors = rows}}.
function statistics.list()
  local out = {}
  for channel, list in pairs(rows) do
    local reasons, failed, errors = {}, 0, {}
    for i, row in ipairs(list) do
      local of = reasons[row.reason] or {}
      reasons[row.reason] = of
      of[row.detail] = (of[row.detail] or 0) + row.count
      failed = failed + row.count
      errors[i] = {since = row.since, reason = row.reason, detail = row.detail, count = row.count}
    end
    out[channel] = {delivered = list.delivered, failed = failed, reasons = reasons, errors = errors}
  end
  return out
end

-- statistics.time(ms): "2026-01-31T12:00:00.123Z", as answers write times.
function statistics.time(ms)
  return os.date("!%Y-%m-%dT%H:%M:%S", ms // 1000) .. (".%03dZ"):format(ms % 1000)
end

function statistics.clear() rows = {} end

return statistics
