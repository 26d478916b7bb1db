-- Audiences: sets of people that narrowcasts go to. Uploaded as lists of ids, or made of those who saw a message or
-- opened a link of it. https://developers.line.biz/en/reference/messaging-api/#manage-audience-group
--
-- A channel keeps in channel.audiences: id → {id=, type=, name=, route=, since = ms, ifa=, request=, url=, n=,
-- members = {userId or IFA = true}, jobs = {{id=, note=, since=, n=, ids = those not added yet}, …}, ready=}, and
-- what others share with it in channel.shared_audiences: the same with owner=. Ids are texts there, for a saved world
-- is JSON. What happens after a moment follows from the times, so that it happens in a loaded world, too.

local json = require "json"
local check = require "emulator.check"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local reactions = require "emulator.reactions"
local texts = require "emulator.check_text"
local world = require "emulator.world"

local audiences = {}

local DAY = 24 * 3600 * 1000
local LIFE, KEPT = 180 * DAY, 30 * DAY -- until it expires; until it is gone then
local OLDEST = 60 * DAY                -- of a message that an audience is made of
local QUEUED, WORKED = 500, 1000       -- ms from a job's beginning until it is worked at, and done; LINE says hours
local MOST = 1000
local IDS_MOST, LINES_MOST = 10000, 1500000
local NAME_MOST, NOTE_MOST, URL_MOST = 120, 300, 2000
local JOBS_SHOWN, JOBS_AT_ONCE = 50, 10
local FEW, SHOWN_FROM = 50, 20         -- people an audience by deeds needs; below which their number is not told
local FIRST_ID = 1000000000000

for _, name in ipairs{"create_audience_group", "add_audience_to_audience_group", "create_click_based_audience_group",
  "create_imp_based_audience_group", "update_audience_group_description"} do
  check.own[name] = true
end

-- ---- refusals ----

-- With a code in the details; https://developers.line.biz/en/reference/messaging-api/#manage-audience-error

local MESSAGES = {
  AUDIENCE_GROUP_NAME_SIZE_OVER = "size over audienceGroupName",
  AUDIENCE_GROUP_NOT_FOUND = "audience group not found",
}

local function refuse(code, message)
  errors.raise(400, message or MESSAGES[code] or code, {{message = code}})
end

local function given(text) return type(text) == "string" and text ~= "" and text or nil end

-- ---- the state ----

local function all(channel)
  channel.audiences = channel.audiences or {}
  return channel.audiences
end

local function small_ones_count(channel) return channel.minimums == false end

local function add_members(audience, list)
  local members = audience.members
  for _, id in ipairs(list) do
    if not members[id] then
      members[id] = true
      audience.n = audience.n + 1
    end
  end
end

-- Those who saw the message, or opened the link, until there are enough of them.
local function collect(channel, audience)
  local found = audience.type == "IMP" and reactions.seen_by(channel, audience.request)
    or reactions.tapped_by(channel, audience.request, audience.url)
  audience.members, audience.n = found, 0
  for _ in pairs(found) do audience.n = audience.n + 1 end
  if audience.n >= (small_ones_count(channel) and 1 or FEW) then audience.ready = true end
end

-- What became due since it was looked at last.
local function settle(channel, audience)
  local now = clock.now()
  for _, job in ipairs(audience.jobs) do
    if job.ids and job.since + WORKED <= now then
      add_members(audience, job.ids)
      job.ids = nil
      audience.ready = audience.ready or audience.n > 0
    end
  end
  if (audience.type == "IMP" or audience.type == "CLICK") and not audience.ready and audience.request
    and audience.since + WORKED <= now and audience.since + LIFE > now then
    collect(channel, audience)
  end
  return audience
end

local function gone(audience) return audience.since + LIFE + KEPT <= clock.now() end

local function expired(audience) return audience.since + LIFE <= clock.now() end

-- The audience of an id that is there, settled, or nil.
local function look(channel, id, shared)
  local list = shared and channel.shared_audiences or all(channel)
  local audience = list and list[tostring(id)]
  if not audience then return nil end
  if gone(audience) then
    list[tostring(id)] = nil
    return nil
  end
  return settle(channel, audience)
end

local function find(call, id, shared)
  return look(call.channel, id, shared) or refuse("AUDIENCE_GROUP_NOT_FOUND")
end

-- One that the channel may change.
local function find_own(call, id)
  local audience = find(call, id)
  if audience.route ~= "MESSAGING_API" then refuse("AUDIENCE_GROUP_NOT_FOUND") end
  return audience
end

local function status(audience)
  if audience.status then return audience.status end
  if expired(audience) then return "EXPIRED" end
  return audience.ready and "READY" or "IN_PROGRESS"
end

local function changed(id) feed.put("world", {what = "audience", id = id}) end

-- After a moment: settle it, so that the page shows it. The world may have been replaced meanwhile.
local function settle_later(channel, id)
  local channel_id = channel.id
  clock.after(WORKED, function()
    local there = world.state.channels[channel_id]
    if there and look(there, id) then changed(id) end
  end)
end

-- ---- what is given ----

local function check_name(name)
  if type(name) ~= "string" or not name:find("%S") then refuse("AUDIENCE_GROUP_NAME_EMPTY") end
  if name:find("%c") then refuse("AUDIENCE_GROUP_NAME_WRONG") end
  if texts.longer(name, NAME_MOST) then refuse("AUDIENCE_GROUP_NAME_SIZE_OVER") end
  return name
end

-- LINE names no code for a name that is taken; it says only that AUDIENCE and audience are one name.
local function check_unlike(channel, name, except)
  local small = name:lower()
  for id, audience in pairs(all(channel)) do
    if id ~= except and not gone(audience) and audience.name:lower() == small then
      refuse("AUDIENCE_GROUP_NAME_WRONG", "duplicate audienceGroupName")
    end
  end
end

local function check_note(note)
  if note and texts.longer(note, NOTE_MOST) then refuse("AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER") end
  return given(note)
end

local function is_ifa(id)
  return id:find("^%x+%-%x+%-%x+%-%x+%-%x+$") ~= nil and #id == 36 and id:find("^........%-....%-....%-....%-") ~= nil
end

local INVALID = "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT"

-- Ids of people this world knows, whether they are friends or not; one that is nobody's is no user id.
local function check_ids(list, ifa, message)
  local users = world.state.users
  for i, id in ipairs(list) do
    if ifa and not is_ifa(id) or not ifa and not users[id] then refuse(INVALID, message) end
    if ifa then list[i] = id:lower() end
  end
  return list
end

local function ids_of_json(call, ifa)
  local list = {}
  for i, entry in ipairs(call.body.audiences or {}) do
    if i > IDS_MOST then refuse("UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS") end
    if type(entry) ~= "table" or type(entry.id) ~= "string" then refuse(INVALID, "Invalid audience id format") end
    list[i] = entry.id
  end
  return check_ids(list, ifa, "Invalid audience id format")
end

local function ids_of_file(call, ifa)
  local file = call.body.file
  if type(file) == "string" then file = {body = file} end
  if not file then refuse("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS") end
  if file.type and file.type:match("^%s*(.-)%s*$") ~= "text/plain" then
    errors.raise(415, "Unsupported media type")
  end
  local list, n = {}, 0
  for line in file.body:gmatch("[^\r\n]+") do
    local id = line:match("^%s*(.-)%s*$")
    if id ~= "" then
      n = n + 1
      if n > LINES_MOST then refuse("UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS") end
      list[n] = id
    end
  end
  if n == 0 then refuse("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS") end
  return check_ids(list, ifa)
end

-- ---- making ----

local function check_room(channel)
  local n = 0
  for id, audience in pairs(all(channel)) do
    if gone(audience) then channel.audiences[id] = nil else n = n + 1 end
  end
  if n >= MOST then refuse("AUDIENCE_GROUP_COUNT_MAX_OVER") end
end

local function seconds(ms) return ms // 1000 end

-- audiences.make(channel, fields) → the audience: in the channel's list, or in that of what is shared with it when
-- fields.owner says by whom.
function audiences.make(channel, fields)
  local id = fields.id or FIRST_ID + ids.number("audience")
  local audience = {id = id, type = "UPLOAD", route = "MESSAGING_API", since = clock.now(), members = {}, n = 0,
    jobs = {}}
  for name, value in pairs(fields) do audience[name] = value end
  audience.id = id
  if fields.owner then
    channel.shared_audiences = channel.shared_audiences or {}
    channel.shared_audiences[tostring(id)] = audience
  else
    all(channel)[tostring(id)] = audience
    settle_later(channel, id)
  end
  changed(id)
  return audience
end

local function add_job(audience, list, note)
  local running = 0
  for _, job in ipairs(audience.jobs) do
    if job.ids then running = running + 1 end
  end
  if running >= JOBS_AT_ONCE then errors.raise(429, "The limit on the number of concurrent operations has exceeded") end
  local job = {id = ids.number("audience job"), note = note, since = clock.now(), n = #list, ids = list}
  table.insert(audience.jobs, job)
  if #audience.jobs > JOBS_SHOWN then table.remove(audience.jobs, 1) end
end

-- What making one answers.
local function made(audience)
  return 202, {
    audienceGroupId = audience.id, createRoute = audience.route, type = audience.type, description = audience.name,
    created = seconds(audience.since), permission = "READ_WRITE", expireTimestamp = seconds(audience.since + LIFE),
    isIfaAudience = audience.ifa or false, requestId = audience.request, clickUrl = audience.url,
  }
end

local function create(call, ifa, read)
  local name, note = check_name(call.body.description), check_note(call.body.uploadDescription)
  local list = read(call, ifa)
  check_unlike(call.channel, name)
  check_room(call.channel)
  local audience = audiences.make(call.channel, {name = name, ifa = ifa})
  if #list > 0 then add_job(audience, list, note) end
  return made(audience)
end

local function add(call, id, read)
  if not id then refuse("AUDIENCE_GROUP_NOT_FOUND") end
  local audience = find_own(call, id)
  if audience.type ~= "UPLOAD" then refuse("AUDIENCE_GROUP_NOT_FOUND") end
  if expired(audience) then refuse("AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED") end
  local note = check_note(call.body.uploadDescription)
  local list = read(call, audience.ifa)
  if #list == 0 then refuse("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS") end
  add_job(audience, list, note)
  settle_later(call.channel, audience.id)
  return 202, {}
end

function audiences.create_audience_group(call) return create(call, call.body.isIfaAudience == true, ids_of_json) end

function audiences.create_audience_for_uploading_user_ids(call)
  return create(call, call.body.isIfaAudience == "true", ids_of_file)
end

function audiences.add_audience_to_audience_group(call) return add(call, call.body.audienceGroupId, ids_of_json) end

function audiences.add_user_ids_to_audience(call)
  return add(call, math.tointeger(tonumber(call.body.audienceGroupId)), ids_of_file)
end

-- The message that an audience is made of: a broadcast or narrowcast of this account.
local function check_request(call)
  local request = call.body.requestId
  local sent = given(request) and call.channel.sent and call.channel.sent[request]
  if not sent then
    for _, channel in pairs(world.state.channels) do
      if request and channel.sent and channel.sent[request] then refuse("WRONG_BOT_ID") end
    end
    refuse("REQUEST_NOT_FOUND")
  end
  if sent.time + OLDEST < clock.now() then refuse("TOO_OLD_MESSAGES") end
  return request
end

local function create_by_deeds(call, kind, url)
  local name, request = check_name(call.body.description), check_request(call)
  if url and texts.longer(url, URL_MOST) then
    errors.invalid{{message = ("Length must be between 0 and %d"):format(URL_MOST), property = "clickUrl"}}
  end
  check_unlike(call.channel, name)
  check_room(call.channel)
  for _, audience in pairs(all(call.channel)) do
    if audience.type == kind and audience.request == request and audience.url == url then
      refuse("AUDIENCE_GROUP_REQUESTID_DUPLICATE")
    end
  end
  return made(audiences.make(call.channel, {type = kind, name = name, request = request, url = url}))
end

function audiences.create_click_based_audience_group(call)
  return create_by_deeds(call, "CLICK", given(call.body.clickUrl))
end

function audiences.create_imp_based_audience_group(call) return create_by_deeds(call, "IMP") end

-- ---- changing ----

function audiences.update_audience_group_description(call)
  local name = check_name(call.body.description)
  local audience = find_own(call, call.path.audienceGroupId)
  check_unlike(call.channel, name, tostring(audience.id))
  audience.name = name
  changed(audience.id)
  return nil
end

-- The reference says 202, the OpenAPI file 200.
function audiences.delete_audience_group(call)
  local audience = find_own(call, call.path.audienceGroupId)
  all(call.channel)[tostring(audience.id)] = nil
  changed(audience.id)
  return 202, {}
end

-- ---- showing ----

-- Small numbers are not told, unless the channel named the people itself.
local function count(channel, audience)
  local told = audience.type == "UPLOAD" and not audience.ifa or audience.type == "CHAT_TAG"
  if not told and audience.n < SHOWN_FROM and not small_ones_count(channel) then return 0 end
  return audience.n
end

local function show(channel, audience)
  local own = audience.route == "MESSAGING_API" and not audience.owner
  return {
    audienceGroupId = audience.id, createRoute = audience.route, type = audience.type, description = audience.name,
    status = status(audience), audienceCount = count(channel, audience), created = seconds(audience.since),
    permission = own and "READ_WRITE" or "READ", isIfaAudience = audience.ifa or false,
    expireTimestamp = seconds(audience.since + LIFE), requestId = audience.request, clickUrl = audience.url,
  }
end

local function job_status(job)
  if not job.ids then return "FINISHED" end
  return job.since + QUEUED > clock.now() and "QUEUED" or "WORKING"
end

local function data(call, audience)
  local jobs = json.array {}
  for i, job in ipairs(audience.jobs) do
    jobs[i] = {
      audienceGroupJobId = job.id, audienceGroupId = audience.id, description = job.note or json.null,
      type = "DIFF_ADD", jobStatus = job_status(job), failedType = json.null,
      audienceCount = job.n, created = seconds(job.since),
    }
  end
  return {audienceGroup = show(call.channel, audience), jobs = jobs}
end

function audiences.get_audience_data(call) return data(call, find(call, call.path.audienceGroupId)) end

function audiences.get_shared_audience_data(call)
  local audience = find(call, call.path.audienceGroupId, true)
  local answer = data(call, audience)
  answer.owner = audience.owner
  return answer
end

-- A page of those in the lists that fit the query, the newest first.
local function page(call, lists, fits)
  local query = call.query
  local wanted = given(query.description) and query.description:lower()
  local found, changeable = {}, 0
  for _, list in ipairs(lists) do
    for id in pairs(list) do
      local audience = look(call.channel, id, list == call.channel.shared_audiences)
      if audience and fits(audience) and (not wanted or audience.name:lower():find(wanted, 1, true))
        and (not query.status or status(audience) == query.status)
        and (not query.createRoute or audience.route == query.createRoute) then
        found[#found + 1] = audience
        if audience.route == "MESSAGING_API" and not audience.owner then changeable = changeable + 1 end
      end
    end
  end
  table.sort(found, function(a, b) return a.id > b.id end)
  local size = query.size or 20
  local from = (query.page - 1) * size
  local shown = json.array {}
  for i = from + 1, math.min(from + size, #found) do shown[#shown + 1] = show(call.channel, found[i]) end
  return {audienceGroups = shown, hasNextPage = from + size < #found, totalCount = #found,
    readWriteAudienceGroupTotalCount = changeable, page = query.page, size = size}
end

function audiences.get_audience_groups(call)
  local only_own = call.query.includesExternalPublicGroups == false
  return page(call, {all(call.channel)}, function(audience)
    return not only_own or audience.route == "MESSAGING_API"
  end)
end

function audiences.get_shared_audience_groups(call)
  local channel = call.channel
  channel.shared_audiences = channel.shared_audiences or {}
  local lists = {channel.shared_audiences}
  if call.query.includesOwnedAudienceGroups then lists[2] = all(channel) end
  return page(call, lists, function() return true end)
end

-- ---- for narrowcasts ----

local function any(channel, id) return look(channel, id) or look(channel, id, true) end

-- People by their IFA, which a world may give them.
local function people_of(audience)
  if not audience.ifa then return audience.members end
  local set = {}
  for id, user in pairs(world.state.users) do
    if user.ifa and audience.members[user.ifa:lower()] then set[id] = true end
  end
  return set
end

-- audiences.members(channel, id) → set of user ids (not to be changed); nil when there is no such audience, or it has
-- expired.
function audiences.members(channel, id)
  local audience = any(channel, id)
  if not audience or expired(audience) then return nil end
  return people_of(audience)
end

-- audiences.ready(channel, id) → whether it can be sent to.
function audiences.ready(channel, id)
  local audience = any(channel, id)
  return audience ~= nil and status(audience) == "READY"
end

return audiences
