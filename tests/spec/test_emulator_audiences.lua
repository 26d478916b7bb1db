-- The emulator's audiences, as https://developers.line.biz/en/reference/messaging-api/#manage-audience-group has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local api = require "emulator.api"
local audiences = require "emulator.operations.audiences"
local clock = require "emulator.clock"
local reactions = require "emulator.reactions"
local world = require "emulator.world"

api.options.rates = false

local user = kit.user
local DAY = 24 * 3600 * 1000
local UPLOAD, BY_FILE = "/v2/bot/audienceGroup/upload", "/v2/bot/audienceGroup/upload/byFile"
local AT = "/v2/bot/audienceGroup/"

-- A refusal as LINE words it: the code in the details.
local function refused(code, message, status, body)
  tap.same({status, body.message, body.details}, {400, message or code, {{message = code}}})
end

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end

local function upload(more)
  local body = {description = "people"}
  for name, value in pairs(more or {}) do body[name] = value end
  return kit.post(UPLOAD, body)
end

local function list_of(...)
  local list = {}
  for i, n in ipairs{...} do list[i] = {id = type(n) == "number" and user(n) or n} end
  return list
end

local function new(more) return select(2, upload(more)).audienceGroupId end
local function look(id) return select(2, kit.get(AT .. id)).audienceGroup end
local function jobs(id) return select(2, kit.get(AT .. id)).jobs end
local function put(path, body) return kit.call("PUT", path, body) end

local function multipart(verb, fields, file, kind)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = ('--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'):format(name, value)
  end
  if file then
    parts[#parts + 1] = ('--XX\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
      .. "Content-Type: %s\r\n\r\n%s\r\n"):format(kind or "text/plain", file)
  end
  return kit.call(verb, BY_FILE, table.concat(parts) .. "--XX--\r\n",
    {["content-type"] = "multipart/form-data; boundary=XX"})
end

-- ---- uploads ----

tap.test("an audience of user ids, ready a moment later", function()
  kit.world()
  local now = clock.now() // 1000
  local status, body = upload{audiences = list_of(1, 4, 5), uploadDescription = "file one"}
  tap.same({status, body}, {202, {audienceGroupId = body.audienceGroupId, createRoute = "MESSAGING_API",
    type = "UPLOAD", description = "people", created = now, permission = "READ_WRITE",
    expireTimestamp = now + 15552000, isIfaAudience = false}})
  local id = body.audienceGroupId
  tap.same({look(id).status, look(id).audienceCount, jobs(id)[1].jobStatus}, {"IN_PROGRESS", 0, "QUEUED"})
  kit.advance(600)
  tap.same(jobs(id)[1].jobStatus, "WORKING")
  tap.same(audiences.ready(world.state.channels["1000"], id), false)
  kit.advance(400)
  tap.same({look(id).status, look(id).audienceCount}, {"READY", 3})
  tap.same(jobs(id), {{audienceGroupJobId = jobs(id)[1].audienceGroupJobId, audienceGroupId = id,
    description = "file one", type = "DIFF_ADD", jobStatus = "FINISHED", audienceCount = 3, created = now}})
  tap.same(audiences.members(world.state.channels["1000"], id), {[user(1)] = true, [user(4)] = true, [user(5)] = true})
  tap.same(audiences.ready(world.state.channels["1000"], id), true)
end)

for _, given in ipairs{{}, {audiences = kit.json.array {}}} do
  tap.test("one without ids stays in progress", function()
    kit.world()
    local id = new(given)
    kit.advance(DAY)
    tap.same({look(id).status, look(id).audienceCount, #jobs(id)}, {"IN_PROGRESS", 0, 0})
    tap.same(put(UPLOAD, {audienceGroupId = id, audiences = list_of(1)}), 202)
    kit.advance(1000)
    tap.same(look(id).status, "READY")
  end)
end

tap.test("more ids are added; those that are there count once; it stays ready meanwhile", function()
  kit.world()
  local id = new{audiences = list_of(1, 2)}
  kit.advance(1000)
  local status, body = put(UPLOAD, {audienceGroupId = id, audiences = list_of(2, 3), uploadDescription = "more"})
  tap.same({status, body}, {202, {}})
  tap.same({look(id).status, look(id).audienceCount, #jobs(id)}, {"READY", 2, 2})
  kit.advance(1000)
  tap.same({look(id).audienceCount, jobs(id)[2].audienceCount, jobs(id)[2].description}, {3, 2, "more"})
end)

tap.test("a job is done in a world that was put back, too", function()
  kit.world()
  local id = new{audiences = list_of(1)}
  clock.reset(clock.now() + 5000) -- what was due is forgotten
  tap.same({look(id).status, look(id).audienceCount}, {"READY", 1})
end)

local FORMAT = "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT"
for name, case in pairs{
  ["no name"] = {{description = ""}, "AUDIENCE_GROUP_NAME_EMPTY"},
  ["a name of spaces"] = {{description = "  "}, "AUDIENCE_GROUP_NAME_EMPTY"},
  ["a name with a line end"] = {{description = "a\nb"}, "AUDIENCE_GROUP_NAME_WRONG"},
  ["a name of 121 characters"] = {{description = ("あ"):rep(121)}, "AUDIENCE_GROUP_NAME_SIZE_OVER",
    "size over audienceGroupName"},
  ["a note of 301 characters"] = {{uploadDescription = ("a"):rep(301)}, "AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER"},
  ["what is no id"] = {{audiences = {{id = "x"}}}, FORMAT, "Invalid audience id format"},
  ["nobody's id"] = {{audiences = list_of(1, 99)}, FORMAT, "Invalid audience id format"},
  ["a user id among IFAs"] = {{isIfaAudience = true, audiences = list_of(1)}, FORMAT, "Invalid audience id format"},
} do
  tap.test("refused: " .. name, function()
    kit.world()
    refused(case[2], case[3], upload(case[1]))
    tap.same(select(2, kit.get(AT .. "list?page=1")).totalCount, 0)
  end)
end

for name, more in pairs{["120 characters"] = {description = ("あ"):rep(120)},
  ["a note of 300"] = {uploadDescription = ("a"):rep(300)}} do
  tap.test("taken: " .. name, function()
    kit.world()
    tap.same(upload(more), 202)
  end)
end

tap.test("10,000 ids a request and no more", function()
  kit.world()
  local list = {}
  for i = 1, 10000 do list[i] = {id = user(i % 3 + 1)} end
  tap.same(upload{audiences = list}, 202)
  list[10001] = {id = user(1)}
  refused("UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS", nil, upload{description = "b", audiences = list})
end)

tap.test("names are taken whatever their case", function()
  kit.world()
  new{description = "Audience"}
  refused("AUDIENCE_GROUP_NAME_WRONG", "duplicate audienceGroupName", upload{description = "AUDIENCE"})
end)

tap.test("a thousand audiences and no more", function()
  kit.world()
  for i = 1, 1000 do tap.same(upload{description = "a" .. i}, 202) end
  refused("AUDIENCE_GROUP_COUNT_MAX_OVER", nil, upload{description = "b"})
  tap.same(kit.call("DELETE", AT .. select(2, kit.get(AT .. "list?page=1")).audienceGroups[1].audienceGroupId), 202)
  tap.same(upload{description = "b"}, 202)
end)

tap.test("adding is refused where there is nothing, or nothing to add", function()
  kit.world()
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", put(UPLOAD, {audienceGroupId = 5,
    audiences = list_of(1)}))
  local id = new()
  refused("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS", nil, put(UPLOAD, {audienceGroupId = id,
    audiences = kit.json.array {}}))
  refused(FORMAT, "Invalid audience id format", put(UPLOAD, {audienceGroupId = id, audiences = {{id = "U1"}}}))
  kit.advance(180 * DAY)
  refused("AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED", nil, put(UPLOAD, {audienceGroupId = id,
    audiences = list_of(1)}))
end)

tap.test("ten jobs at once for an audience", function()
  kit.world()
  local id = new{audiences = list_of(1)}
  for _ = 2, 10 do tap.same(put(UPLOAD, {audienceGroupId = id, audiences = list_of(2)}), 202) end
  tap.same(put(UPLOAD, {audienceGroupId = id, audiences = list_of(2)}), 429)
  kit.advance(1000)
  tap.same(put(UPLOAD, {audienceGroupId = id, audiences = list_of(2)}), 202)
end)

tap.test("the last fifty jobs are told", function()
  kit.world()
  local id = new{audiences = list_of(1), uploadDescription = "1"}
  for i = 2, 60 do
    kit.advance(1000)
    put(UPLOAD, {audienceGroupId = id, audiences = list_of(2), uploadDescription = tostring(i)})
  end
  tap.same({#jobs(id), jobs(id)[1].description, jobs(id)[50].description}, {50, "11", "60"})
end)

-- ---- files ----

tap.test("an audience by a file, an id a line", function()
  kit.world()
  local status, body = multipart("POST", {description = "by file"}, user(1) .. "\r\n" .. user(2) .. "\n\n")
  tap.same({status, body.type, body.description}, {202, "UPLOAD", "by file"})
  kit.advance(1000)
  tap.same(look(body.audienceGroupId).audienceCount, 2)
  answers(202, {}, multipart("PUT", {audienceGroupId = ("%d"):format(body.audienceGroupId),
    uploadDescription = "names.txt"}, user(3)))
  kit.advance(1000)
  tap.same({look(body.audienceGroupId).audienceCount, jobs(body.audienceGroupId)[2].description}, {3, "names.txt"})
end)

tap.test("a file's refusals", function()
  kit.world()
  local function post(file, kind) return multipart("POST", {description = "by file"}, file, kind) end
  refused(FORMAT, FORMAT, post("x\n"))
  refused(FORMAT, FORMAT, post(user(1) .. "\n" .. user(99)))
  refused("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS", nil, post("\n"))
  refused("UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS", nil, post(nil))
  tap.same(post(user(1), "text/csv"), 415)
  refused("AUDIENCE_GROUP_NAME_EMPTY", nil, multipart("POST", {}, user(1)))
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", multipart("PUT", {audienceGroupId = "7"}, user(1)))
  refused("UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS", nil, post((user(1) .. "\n"):rep(1500001)))
end)

tap.test("IFAs are found again at the people who have them; few are not counted", function()
  local channel = kit.world()
  local ifa = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
  world.state.users[user(2)].ifa = ifa:lower()
  local id = new{isIfaAudience = true, audiences = {{id = ifa}}}
  kit.advance(1000)
  tap.same({look(id).isIfaAudience, look(id).status, look(id).audienceCount}, {true, "READY", 0})
  tap.same(audiences.members(channel, id), {[user(2)] = true})
  refused(FORMAT, "Invalid audience id format", put(UPLOAD, {audienceGroupId = id, audiences = list_of(1)}))
end)

-- ---- by what people did ----

-- A broadcast that so many people have seen, and every second opened its link.
local function reacted(n)
  local channel = kit.world()
  for i = 1, n do
    world.state.users[user(100 + i)] = {id = user(100 + i), name = "x"}
    channel.friends[user(100 + i)] = {state = "friend", since = clock.now()}
  end
  local _, _, headers = kit.post("/v2/bot/message/broadcast", {messages = {{type = "text",
    text = "https://example.com/a https://example.com/b"}}})
  local request = headers["x-line-request-id"]
  for i = 1, n do
    reactions.looked(channel, kit.chat(user(100 + i)), user(100 + i))
    if i % 2 == 0 then reactions.tapped(channel, user(100 + i), request, "https://example.com/a") end
  end
  return request, channel
end

local function click(more) return kit.post(AT .. "click", more) end

tap.test("an audience of those who opened a link", function()
  local request, channel = reacted(120)
  local status, body = click{description = "clicked", requestId = request, clickUrl = "https://example.com/a"}
  tap.same({status, body.type, body.requestId, body.clickUrl, body.permission},
    {202, "CLICK", request, "https://example.com/a", "READ_WRITE"})
  tap.same(look(body.audienceGroupId).status, "IN_PROGRESS")
  kit.advance(1000)
  local shown = look(body.audienceGroupId)
  tap.same({shown.status, shown.audienceCount, shown.requestId, shown.clickUrl, #jobs(body.audienceGroupId)},
    {"READY", 60, request, "https://example.com/a", 0})
  tap.same(audiences.members(channel, body.audienceGroupId)[user(102)], true)
  tap.same(audiences.members(channel, body.audienceGroupId)[user(101)], nil)
  local other = select(2, click{description = "other link", requestId = request,
    clickUrl = "https://example.com/b"}).audienceGroupId
  kit.advance(1000)
  tap.same({look(other).status, look(other).audienceCount}, {"IN_PROGRESS", 0})
  local any = select(2, click{description = "any link", requestId = request, clickUrl = ""})
  tap.same(any.clickUrl, nil)
  kit.advance(1000)
  tap.same(look(any.audienceGroupId).audienceCount, 60)
end)

tap.test("an audience of those who saw it; it waits for fifty", function()
  local request, channel = reacted(49)
  local body = select(2, kit.post(AT .. "imp", {description = "seen", requestId = request}))
  tap.same(body.type, "IMP")
  kit.advance(1000)
  tap.same({look(body.audienceGroupId).status, look(body.audienceGroupId).audienceCount}, {"IN_PROGRESS", 49})
  reactions.looked(channel, kit.chat(user(1)), user(1))
  tap.same({look(body.audienceGroupId).status, look(body.audienceGroupId).audienceCount}, {"READY", 50})
end)

tap.test("few are enough where the world says so", function()
  local request, channel = reacted(2)
  channel.minimums = false
  local id = select(2, click{description = "few", requestId = request}).audienceGroupId
  kit.advance(1000)
  tap.same({look(id).status, look(id).audienceCount}, {"READY", 1})
end)

tap.test("refusals of those by what people did", function()
  local request = reacted(1)
  refused("REQUEST_NOT_FOUND", nil, click{description = "a", requestId = "nothing"})
  refused("REQUEST_NOT_FOUND", nil, kit.post(AT .. "imp", {description = "a"}))
  local _, _, headers = kit.post("/v2/bot/message/push", {to = user(1), messages = {{type = "text", text = "x"}}})
  refused("REQUEST_NOT_FOUND", nil, click{description = "a", requestId = headers["x-line-request-id"]})
  refused("AUDIENCE_GROUP_NAME_EMPTY", nil, click{requestId = request})
  world.state.channels["2"] = {id = "2", tokens = {}, friends = {}, sent = {other = {time = clock.now()}}}
  refused("WRONG_BOT_ID", nil, click{description = "a", requestId = "other"})
  tap.same(click{description = "a", requestId = request}, 202)
  refused("AUDIENCE_GROUP_REQUESTID_DUPLICATE", nil, click{description = "b", requestId = request})
  tap.same(click{description = "b", requestId = request, clickUrl = "https://example.com/a"}, 202)
  tap.same(kit.post(AT .. "imp", {description = "c", requestId = request}), 202)
  refused("AUDIENCE_GROUP_REQUESTID_DUPLICATE", nil, kit.post(AT .. "imp", {description = "d", requestId = request}))
  kit.advance(60 * DAY)
  tap.same(click{description = "e", requestId = request, clickUrl = "https://example.com/b"}, 202)
  kit.advance(1)
  refused("TOO_OLD_MESSAGES", nil, click{description = "f", requestId = request, clickUrl = "https://example.com/c"})
end)

-- ---- renaming, deleting, ending ----

tap.test("renaming", function()
  kit.world()
  local id, other = new(), new{description = "other"}
  answers(200, {}, put(AT .. id .. "/updateDescription", {description = "PEOPLE"}))
  tap.same(look(id).description, "PEOPLE")
  refused("AUDIENCE_GROUP_NAME_SIZE_OVER", "size over audienceGroupName",
    put(AT .. id .. "/updateDescription", {description = ("a"):rep(121)}))
  refused("AUDIENCE_GROUP_NAME_WRONG", nil, put(AT .. id .. "/updateDescription", {description = "a\tb"}))
  tap.same(put(AT .. other .. "/updateDescription", {description = "people"}), 400)
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", put(AT .. "5/updateDescription",
    {description = "x"}))
end)

tap.test("deleting", function()
  local channel = kit.world()
  local id = new()
  answers(202, {}, kit.call("DELETE", AT .. id))
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", kit.get(AT .. id))
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", kit.call("DELETE", AT .. id))
  tap.same({audiences.members(channel, id), audiences.ready(channel, id)}, {nil, false})
end)

tap.test("it expires after 180 days and is gone a month later", function()
  local channel = kit.world()
  local id = new{audiences = list_of(1)}
  kit.advance(180 * DAY - 1)
  tap.same(look(id).status, "READY")
  kit.advance(1)
  tap.same({look(id).status, audiences.members(channel, id)}, {"EXPIRED", nil})
  kit.advance(30 * DAY)
  tap.same(kit.get(AT .. id), 400)
  tap.same(select(2, kit.get(AT .. "list?page=1")).totalCount, 0)
end)

-- ---- lists ----

tap.test("lists, page by page, the newest first", function()
  kit.world()
  for i = 1, 45 do new{description = "Group " .. i, audiences = i > 40 and list_of(1) or nil} end
  kit.advance(1000)
  local function list(query) return select(2, kit.get(AT .. "list?page=" .. query)) end
  local first = list("1")
  tap.same({#first.audienceGroups, first.hasNextPage, first.totalCount, first.readWriteAudienceGroupTotalCount,
    first.page, first.size, first.audienceGroups[1].description}, {20, true, 45, 45, 1, 20, "Group 45"})
  local last = list("3")
  tap.same({#last.audienceGroups, last.hasNextPage, last.audienceGroups[5].description}, {5, false, "Group 1"})
  tap.same({#list("1&size=40").audienceGroups, #list("9").audienceGroups}, {40, 0})
  tap.same({list("1&description=gROUP%204").totalCount, list("1&status=READY").totalCount,
    list("1&status=IN_PROGRESS").totalCount, list("1&status=FAILED").totalCount}, {7, 5, 40, 0})
  tap.same({list("1&createRoute=MESSAGING_API").totalCount, list("1&createRoute=OA_MANAGER").totalCount}, {45, 0})
  refused("TOO_HIGH", "size: must be less than or equal to 40", kit.get(AT .. "list?page=1&size=41"))
  tap.same((kit.get(AT .. "list?page=0")), 400)
  tap.same((kit.get(AT .. "list")), 400)
end)

tap.test("audiences from elsewhere, and shared ones", function()
  local channel = kit.world()
  local own = new()
  audiences.make(channel, {id = 50, name = "Manager's", type = "CHAT_TAG", route = "OA_MANAGER", ready = true,
    members = {[user(1)] = true}, n = 1})
  audiences.make(channel, {id = 60, name = "Shared", route = "AD_MANAGER", ready = true, members = {[user(2)] = true},
    n = 1, owner = {serviceType = "bm", id = "B", name = "Business"}})
  local function names(path)
    local out, page = {}, select(2, kit.get(AT .. path))
    for i, group in ipairs(page.audienceGroups) do out[i] = group.description end
    return table.concat(out, " "), page.readWriteAudienceGroupTotalCount
  end
  tap.same({names "list?page=1"}, {"people Manager's", 1})
  tap.same({names "list?page=1&includesExternalPublicGroups=false"}, {"people", 1})
  tap.same({names "list?page=1&createRoute=OA_MANAGER"}, {"Manager's", 0})
  tap.same({names "shared/list?page=1"}, {"Shared", 0})
  tap.same({names "shared/list?page=1&includesOwnedAudienceGroups=true"}, {"people Shared Manager's", 1})
  tap.same({look(50).permission, look(50).audienceCount}, {"READ", 1})
  local _, shared = kit.get(AT .. "shared/60")
  tap.same({shared.audienceGroup.permission, shared.owner, shared.jobs},
    {"READ", {serviceType = "bm", id = "B", name = "Business"}, {}})
  tap.same(audiences.members(channel, 60), {[user(2)] = true})
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", kit.get(AT .. "shared/" .. own))
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", kit.get(AT .. "60"))
  refused("AUDIENCE_GROUP_NOT_FOUND", "audience group not found", kit.call("DELETE", AT .. "50"))
end)

tap.test("a narrowcast goes to an audience", function()
  local channel = kit.world()
  channel.minimums = false
  local id = new{audiences = list_of(1, 4)}
  kit.advance(1000)
  local text = {{type = "text", text = "x"}}
  tap.same(kit.post("/v2/bot/message/narrowcast", {messages = text, recipient = {type = "audience",
    audienceGroupId = id}}), 202)
  kit.advance(1000)
  kit.advance(1000)
  tap.same({kit.chat(user(1)).n, kit.chat(user(2)).n, kit.chat(user(4)).n}, {1, 0, 0})
  answers(400, {message = "Invalid audience group id: 5"}, kit.post("/v2/bot/message/narrowcast", {messages = text,
    recipient = {type = "audience", audienceGroupId = 5}}))
end)

tap.done()
