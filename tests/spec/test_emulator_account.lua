-- The emulator's operations beside sending: people, groups, the bot, content.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local clock = require "emulator.clock"
local crypto = require "crypto"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local usage = require "emulator.usage"
local world = require "emulator.world"

local user = kit.user
local MINUTE, DAY = 60 * 1000, 24 * 3600 * 1000
local FORBIDDEN = {message = "Access to this API is not available for your account"}
local NOT_FOUND = {message = "Not found"}

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end

-- ---- profiles ----

tap.test("the profile of a friend", function()
  kit.world()
  local person = world.state.users[user(1)]
  person.picture, person.status = "https://example.com/p.png", "hi there"
  answers(200, {displayName = "User 1", userId = user(1), language = "en", pictureUrl = "https://example.com/p.png",
    statusMessage = "hi there"}, kit.get("/v2/bot/profile/" .. user(1)))
end)

for name, n in pairs{["who blocked"] = 4, ["who is a stranger"] = 5, ["who is nobody"] = 77} do
  tap.test("no profile of somebody " .. name, function()
    kit.world()
    answers(404, NOT_FOUND, kit.get("/v2/bot/profile/" .. user(n)))
  end)
end

tap.test("a stranger who wrote has one", function()
  kit.world()
  kit.said(user(5), user(5))
  tap.same(kit.get("/v2/bot/profile/" .. user(5)), 200)
end)

tap.test("one that was deleted has none", function()
  kit.world()
  world.state.users[user(1)].deleted = true
  tap.same(kit.get("/v2/bot/profile/" .. user(1)), 404)
end)

for _, id in ipairs{"x", "U1", kit.GROUP} do
  tap.test("no user id: " .. id, function()
    kit.world()
    answers(400, {message = "The value for the 'userId' parameter is invalid"}, kit.get("/v2/bot/profile/" .. id))
  end)
end

-- ---- followers ----

tap.test("followers are listed by verified accounts, page by page", function()
  local channel = kit.world()
  for i = 1, 700 do
    local id = user(100 + i)
    world.state.users[id] = {id = id, name = "x"}
    channel.friends[id] = {state = i % 7 == 0 and "blocked" or "friend", since = 0}
  end
  local seen, n, start = {}, 0, ""
  repeat
    local status, page = kit.get("/v2/bot/followers/ids?start=" .. start)
    tap.same(status, 200)
    for _, id in ipairs(page.userIds) do
      assert(not seen[id])
      seen[id], n = true, n + 1
    end
    start = page.next
  until not start
  tap.same(n, 603)
  local _, page = kit.get("/v2/bot/followers/ids?limit=1000")
  tap.same({#page.userIds, page.next}, {603, nil})
  _, page = kit.get("/v2/bot/followers/ids?limit=1")
  tap.same(#page.userIds, 1)
  answers(400, {message = "Invalid start param"}, kit.get("/v2/bot/followers/ids?start=abc"))
  kit.advance(DAY + 1)
  answers(400, {message = "Invalid start param"}, kit.get("/v2/bot/followers/ids?start=" .. page.next))
end)

for limit, want in pairs{["1"] = 200, ["1000"] = 200, ["1001"] = 400, ["0"] = 400, ["-1"] = 400, ["a"] = 400} do
  tap.test("a limit of " .. limit, function()
    kit.world()
    tap.same(kit.get("/v2/bot/followers/ids?limit=" .. limit), want)
  end)
end

tap.test("lists of ids are not for unverified accounts", function()
  kit.world().class = "unverified"
  for _, path in ipairs{"/v2/bot/followers/ids", "/v2/bot/group/" .. kit.GROUP .. "/members/ids",
    "/v2/bot/room/" .. kit.ROOM .. "/members/ids"} do
    answers(403, FORBIDDEN, kit.get(path))
  end
end)

-- ---- groups and rooms ----

tap.test("a group's summary, count, members, profiles", function()
  kit.world()
  local at = "/v2/bot/group/" .. kit.GROUP
  answers(200, {groupId = kit.GROUP, groupName = "Group"}, kit.get(at .. "/summary"))
  answers(200, {count = 3}, kit.get(at .. "/members/count"))
  answers(200, {memberIds = {user(1), user(2), user(5)}}, kit.get(at .. "/members/ids"))
  answers(200, {displayName = "User 5", userId = user(5)}, kit.get(at .. "/member/" .. user(5)))
  answers(404, NOT_FOUND, kit.get(at .. "/member/" .. user(3)))
  world.state.users[user(5)].consent = false
  answers(200, {memberIds = {user(1), user(2)}}, kit.get(at .. "/members/ids"))
  answers(404, NOT_FOUND, kit.get(at .. "/member/" .. user(5)))
end)

tap.test("a room's count, members, profiles", function()
  kit.world()
  local at = "/v2/bot/room/" .. kit.ROOM
  answers(200, {count = 2}, kit.get(at .. "/members/count"))
  answers(200, {memberIds = {user(1), user(3)}}, kit.get(at .. "/members/ids"))
  answers(200, {displayName = "User 3", userId = user(3)}, kit.get(at .. "/member/" .. user(3)))
end)

tap.test("members come a hundred a page", function()
  kit.world()
  local group = world.state.groups[kit.GROUP]
  for i = 1, 150 do
    local id = user(1000 + i)
    world.state.users[id] = {id = id, name = "x"}
    group.members[id] = 1
  end
  local at = "/v2/bot/group/" .. kit.GROUP .. "/members/ids"
  local _, first = kit.get(at)
  local _, second = kit.get(at .. "?start=" .. first.next)
  tap.same({#first.memberIds, #second.memberIds, second.next}, {100, 53, nil})
  tap.same(kit.get("/v2/bot/room/" .. kit.ROOM .. "/members/ids?start=" .. first.next), 400)
end)

for _, case in ipairs{
  {"group/x/summary", "groupId"}, {"group/" .. kit.ROOM .. "/members/count", "groupId"}, {"room/x/members/count",
    "roomId"},
  {"group/" .. kit.GROUP .. "/member/x", "userId"},
} do
  tap.test("no id: " .. case[1], function()
    kit.world()
    answers(400, {message = ("The value for the '%s' parameter is invalid"):format(case[2])}, kit.get("/v2/bot/"
      .. case[1]))
  end)
end

tap.test("leaving a group: the bot is told, and is out", function()
  kit.world()
  answers(200, {}, kit.post("/v2/bot/group/" .. kit.GROUP .. "/leave"))
  tap.same(world.state.groups[kit.GROUP].channel, nil)
  tap.same({kit.events[1].event.type, kit.events[1].event.source.groupId, kit.events[1].event.replyToken},
    {"leave", kit.GROUP, nil})
  tap.same(kit.get("/v2/bot/group/" .. kit.GROUP .. "/summary"), 404)
  tap.same(kit.post("/v2/bot/group/" .. kit.GROUP .. "/leave"), 404)
  tap.same(kit.post("/v2/bot/room/" .. kit.ROOM .. "/leave"), 200)
  tap.same(kit.post("/v2/bot/room/" .. kit.ROOM .. "/leave"), 200)
  tap.same(#kit.events, 2)
end)

tap.test("a link token lives ten minutes", function()
  local channel = kit.world()
  local status, body = kit.call("POST", "/v2/bot/user/" .. user(1) .. "/linkToken")
  tap.same({status, #body.linkToken}, {200, 32})
  tap.same(channel.link_tokens[body.linkToken], {user = user(1), expires = clock.now() + 10 * MINUTE})
  tap.same(kit.call("POST", "/v2/bot/user/" .. user(77) .. "/linkToken"), 404)
end)

-- ---- the bot ----

tap.test("what the bot is", function()
  local channel = kit.world()
  answers(200, {userId = kit.BOT, basicId = "@moon", displayName = "Moon", chatMode = "bot", markAsReadMode = "auto"},
    kit.get("/v2/bot/info"))
  channel.premium_id, channel.picture, channel.chat_mode, channel.read_mode = "@m", "https://e.com/p", "chat", "manual"
  answers(200, {userId = kit.BOT, basicId = "@moon", premiumId = "@m", displayName = "Moon",
    pictureUrl = "https://e.com/p",
    chatMode = "chat", markAsReadMode = "manual"}, kit.get("/v2/bot/info"))
end)

local ENDPOINT, TEST = "/v2/bot/channel/webhook/endpoint", "/v2/bot/channel/webhook/test"

tap.test("the webhook's address", function()
  kit.world()
  answers(404, {message = "Webhook endpoint not found"}, kit.get(ENDPOINT))
  answers(404, {message = "Webhook endpoint not found"}, kit.post(TEST))
  answers(200, {}, kit.call("PUT", ENDPOINT, {endpoint = "https://example.com/hook"}))
  answers(200, {endpoint = "https://example.com/hook", active = true}, kit.get(ENDPOINT))
  tap.same(select(2, kit.post(TEST)).detail, "https://example.com/hook")
  tap.same(select(2, kit.post(TEST, {endpoint = "https://example.com/other"})).detail, "https://example.com/other")
end)

for url, want in pairs{
  ["https://example.com"] = 200, ["http://127.0.0.1:3000/webhook"] = 200, ["http://localhost:3000"] = 200,
  ["http://[::1]:3000/"] = 200, ["http://example.com"] = 400, ["ftp://example.com"] = 400, ["example.com"] = 400,
  ["http://127.0.0.1.example.com/"] = 400, ["https://"] = 400, ["https://e.com/a b"] = 400,
  ["https://e.com/" .. ("a"):rep(486)] = 200, ["https://e.com/" .. ("a"):rep(487)] = 400,
} do
  tap.test("an address for the webhook: " .. url:sub(1, 40), function()
    kit.world()
    local status, body = kit.call("PUT", ENDPOINT, {endpoint = url})
    tap.same(status, want)
    if want == 400 then
      tap.same(body.message, "Invalid webhook endpoint URL")
      tap.same(kit.post(TEST, {endpoint = url}), 400)
    end
  end)
end

local LOADING = "/v2/bot/chat/loading/start"

for _, case in ipairs{
  {{chatId = user(1)}, 202, 20}, {{chatId = user(1), loadingSeconds = 5}, 202, 5},
  {{chatId = user(1), loadingSeconds = 60}, 202, 60}, {{chatId = user(4)}, 202},
  {{chatId = user(1), loadingSeconds = 65}, 400, "Must be between 5 and 60", "loadingSeconds"},
  {{chatId = user(1), loadingSeconds = 0}, 400, "Must be between 5 and 60", "loadingSeconds"},
  {{chatId = user(1), loadingSeconds = 7}, 400, "must be a multiple of five", "loadingSeconds"},
  {{chatId = kit.GROUP}, 400,
    "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids.",
    "chatId"},
  {{}, 400, "May not be empty", "chatId"},
} do
  tap.test("the loading animation: " .. kit.json.encode(case[1]), function()
    kit.world()
    local before = feed.last()
    local status, body = kit.post(LOADING, case[1])
    tap.same(status, case[2])
    if status == 400 then
      return tap.same(body, {message = "The request body has 1 error(s)",
        details = {{message = case[3], property = case[4]}}})
    end
    local seconds
    for item in feed.each(before) do seconds = item.kind == "loading" and item.seconds or seconds end
    tap.same({body, seconds}, {{}, case[3]})
  end)
end

tap.test("messages are marked as read up to the one of the token", function()
  local channel = kit.world()
  channel.chat_mode = "chat"
  local chat = kit.chat(user(1))
  local _, first = kit.said(user(1), user(1))
  local _, second = kit.said(user(1), user(1))
  kit.said(user(1), user(1))
  local path = "/v2/bot/chat/markAsRead"
  answers(200, {}, kit.post(path, {markAsReadToken = ids.read_token(second)}))
  tap.same({world.entry(chat, 1).read, world.entry(chat, 2).read, world.entry(chat, 3).read}, {true, true, nil})
  answers(200, {}, kit.post(path, {markAsReadToken = ids.read_token(first)}))
  tap.same(world.entry(chat, 2).read, true)
  local message = "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook."
  answers(400, {message = message}, kit.post(path, {markAsReadToken = "x"}))
  answers(400, {message = message}, kit.post(path, {markAsReadToken = ids.read_token("1")}))
end)

tap.test("partners mark all of a person's", function()
  local channel = kit.world()
  channel.chat_mode = "chat"
  kit.said(user(1), user(1))
  answers(200, {}, kit.post("/v2/bot/message/markAsRead", {chat = {userId = user(1)}}))
  tap.same(world.entry(kit.chat(user(1)), 1).read, true)
  answers(400, {message = "The property, 'chat.chatId', in the request body is invalid (line: -, column: -)"},
    kit.post("/v2/bot/message/markAsRead", {chat = {userId = "x"}}))
  channel.partner = false
  answers(403, FORBIDDEN, kit.post("/v2/bot/message/markAsRead", {chat = {userId = user(1)}}))
end)

-- ---- content ----

local function media(kind, more)
  kit.world()
  local id = ids.message()
  world.add(kit.chat(user(1)), {id = id, time = clock.now(), from = user(1), event = "E",
    message = {type = kind, contentProvider = {type = "line"}}})
  local kept = {type = kind .. "/x", body = "bytes\0of " .. kind}
  for name, value in pairs(more or {}) do kept[name] = value end
  world.state.media[id] = kept
  return "/v2/bot/message/" .. id .. "/content", id
end

tap.test("the bytes that somebody sent, with their type", function()
  local path = media("image")
  local status, body, headers = kit.get(path)
  tap.same({status, body, headers["content-type"]}, {200, "bytes\0of image", "image/x"})
  assert(headers["x-line-request-id"])
end)

tap.test("a video is not ready at once", function()
  local path = media("video", {ready_at = clock.now() + 5000, preview = "small"})
  answers(202, "", kit.get(path))
  answers(202, "", kit.get(path .. "/preview"))
  answers(200, {status = "processing"}, kit.get(path .. "/transcoding"))
  kit.advance(5000)
  tap.same((kit.get(path)), 200)
  answers(200, {status = "succeeded"}, kit.get(path .. "/transcoding"))
  local status, body, headers = kit.get(path .. "/preview")
  tap.same({status, body, headers["content-type"]}, {200, "small", "image/jpeg"})
end)

for name, case in pairs{
  ["an image's preview"] = {"image", "/preview", 200}, ["a sound's preview"] = {"audio", "/preview", 400,
    "The content can not be previewed"}, ["a file's preview"] = {"file", "/preview", 400,
      "The content can not be previewed"},
  ["an image's transcoding"] = {"image", "/transcoding", 400,
    "Transcoding status doesn't support this type of content"},
  ["a sound's transcoding"] = {"audio", "/transcoding", 200}, ["a file"] = {"file", "", 200},
} do
  tap.test(name, function()
    local status, body = kit.get(media(case[1]) .. case[2])
    tap.same({status, case[4] and body.message}, {case[3], case[4]})
  end)
end

tap.test("what is gone, what was never there, what is the bot's own", function()
  local path, id = media("image")
  local chat, place, entry = world.find(id)
  entry.unsent = true
  world.change(chat, place, entry)
  world.state.media[id] = nil
  answers(410, {message = "The content is gone"}, kit.get(path))
  answers(404, {message = "not found"}, kit.get("/v2/bot/message/123/content"))
  local _, body = kit.post("/v2/bot/message/push", {to = user(1), messages = {{type = "text", text = "a"}}})
  answers(404, {message = "not found"}, kit.get("/v2/bot/message/" .. body.sentMessages[1].id .. "/content"))
  local _, text = kit.said(user(1), user(1))
  answers(404, {message = "not found"}, kit.get("/v2/bot/message/" .. text .. "/content"))
end)

tap.done()
