-- News for those who asked for them, by an audience and a narrowcast. Run it: moonline run examples/audience.lua
--
-- Anybody says "subscribe" or "unsubscribe". The first who says "I am the editor" is, and says "news" and the text.
-- Then the bot makes an audience of the subscribers, waits until LINE has it ready, sends to those of them who are 20
-- or older, and tells the editor how it went. That takes minutes, more than a handler may: the job is kept in the
-- store, and a loop beside the handlers takes it further, also after a restart.

local line = require "line"
local log = require "log"
local store = require "store"

-- ---- subscribers ----

line.hear("^subscribe$", function(event)
  store.set("subscriber:" .. event.source.userId, true)
  event:reply("You will get the news.")
end)

line.hear("^unsubscribe$", function(event)
  store.delete("subscriber:" .. event.source.userId)
  event:reply("No more news.")
end)

-- All of them. The store gives a page at a time.
local function subscribers()
  local ids, after = {}, nil
  repeat
    local page
    page, after = store.list("subscriber:", {limit = 1000, after = after})
    for _, entry in ipairs(page) do ids[#ids + 1] = entry.key:match(":(.*)") end
  until not after
  return ids
end

-- ---- the editor ----

line.hear("^I am the editor$", function(event)
  local me = event.source.userId
  local is_me = store.add("editor", me) or store.get("editor") == me
  event:reply(is_me and "Say 'news' and the text." or "There is one already.")
end)

-- A key that makes LINE send once, however often it is asked.
local function uuid()
  local r = math.random
  return ("%08x-%04x-4%03x-a%03x-%012x"):format(r(0, 0xffffffff), r(0, 0xffff), r(0, 0xfff), r(0, 0xfff),
    r(0, 0xffffffffffff))
end

line.hear("^news (.+)$", function(event, words)
  if store.get("editor") ~= event.source.userId then return event:reply("Only the editor may.") end
  -- add, not set: one job at a time.
  if store.add("job", {text = words, editor = event.source.userId, key = uuid()}) then
    event:reply("I will tell you how it goes.")
  else
    event:reply("The news before are still on their way.")
  end
end)

line.on("message.text", function(event)
  event:reply("Say 'subscribe' or 'unsubscribe'.")
end)

-- ---- the job: each step looks at how far it is and returns what to tell the editor when it is over ----

local function step(job)
  if not job.audience then
    local ids = subscribers()
    if #ids == 0 then return "Nobody has subscribed." end
    local made = line.create_audience_group{description = "news " .. os.date("%Y-%m-%d %H:%M:%S"),
      audiences = line.audiences(ids)} -- 10,000 at most; add_audience_to_audience_group takes the next
    job.audience = made.audienceGroupId
  elseif not job.request then
    local group = line.get_audience_data(job.audience).audienceGroup
    if group.status == "FAILED" then return "LINE could not make the audience." end
    if group.status ~= "READY" then return end
    local _, request = line.narrowcast(job.text, {
      recipient = line.recipient.audience(job.audience),
      filter = line.filter(line.filter.age(20)),
      limit = {upToRemainingQuota = true},
      retry_key = job.key,
    })
    job.request = request
  else
    local progress = line.get_narrowcast_progress(job.request)
    if progress.phase == "failed" then return "Not sent: " .. (progress.failedDescription or progress.errorCode) end
    if progress.phase == "succeeded" then return ("Sent to %d people."):format(progress.successCount) end
  end
  store.set("job", job)
end

-- Started when the bot loads, so it belongs to no event and has no limit of time.
line.spawn(function()
  local pause = 1 -- seconds; longer the longer it takes, as LINE takes 60 questions a minute about audiences
  while true do
    line.sleep(pause)
    local job = store.get("job")
    if job then
      local ok, result = pcall(step, job)
      if not ok then
        log.error("news", {error = tostring(result)})
        result = "That failed: " .. tostring(result)
      end
      if result then
        store.delete("job")
        line.push(job.editor, result)
      end
    end
    pause = job and math.min(pause * 1.5, 30) or 1
  end
end)
