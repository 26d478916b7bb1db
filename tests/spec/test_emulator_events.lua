-- Event objects as the emulator writes them, each against a text written by hand: members, their order, what is left
-- out.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local world = require "emulator.world"
local reply_tokens = require "emulator.reply_tokens"
local events = require "emulator.events"

local U1, U2, U5 = kit.user(1), kit.user(2), kit.user(5)
local TIME = 1735700400000 -- where the kit's clock stands

-- The events of request n as text, with what differs from world to world replaced by its name, once its form is right.
local function shape(n)
  local body = deeds.sent[n].body
  local text = body:match('^{"destination":"' .. kit.BOT .. '","events":%[(.*)%]}$')
  if not text then error("no webhook body: " .. body) end
  local function put(field, form, size, name)
    text = text:gsub('("' .. field .. '":)"(' .. form .. '+)"', function(before, value)
      return #value == size and before .. name or nil
    end)
  end
  put("webhookEventId", "[0-9A-HJKMNP-TV-Z]", 26, "EVENT")
  put("replyToken", "[0-9a-f]", 32, "TOKEN")
  put("quoteToken", "[%w_-]", 150, "QUOTE")
  put("markAsReadToken", "[%w_-]", 214, "READ")
  put("id", "%d", 18, "ID")
  put("messageId", "%d", 18, "ID")
  put("quotedMessageId", "%d", 18, "ID")
  put("id", "[0-9A-F]", 64, "SET")
  text = text:gsub("timestamp\":" .. TIME, "timestamp\":NOW")
  text = text:gsub(U1, "U1"):gsub(U2, "U2"):gsub(U5, "U5"):gsub(kit.GROUP, "C"):gsub(kit.ROOM, "R")
  return text
end

local function frame(source, reply, redelivery)
  return '"webhookEventId":EVENT,"deliveryContext":{"isRedelivery":' .. (redelivery or "false") .. '},"timestamp":NOW'
    .. (source and ',"source":' .. source or "") .. (reply and ',"replyToken":TOKEN' or "") .. ',"mode":"active"}'
end
local USER, GROUP, ROOM = '{"type":"user","userId":"U1"}', '{"type":"group","groupId":"C"}',
  '{"type":"room","roomId":"R"}'
local IN_GROUP, IN_ROOM = '{"type":"group","groupId":"C","userId":"U1"}', '{"type":"room","roomId":"R","userId":"U1"}'

-- name, the deed (or a function that does things and returns one), events that it makes.
local function case(name, deed, ...)
  local wanted = {...}
  tap.test(name, function()
    local channel = deeds.world()
    if type(deed) == "function" then deed = deed(channel) end
    local from = #deeds.sent
    deed.as = deed.as or U1
    local answer = deeds.act(deed)
    tap.same(#answer.events, #wanted)
    for i, want in ipairs(wanted) do tap.same(shape(from + i), want) end
    tap.same(#deeds.sent, from + #wanted)
  end)
end

local function message(m) return {["do"] = "message", message = m} end
local function in_group(deed) deed.chat = kit.GROUP return deed end

-- ---- messages ----

case("text", message{type = "text", text = "Hello, world"},
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"Hello, world"},' .. frame(USER, true))

case("text with Chat on has a token to mark it as read", function(channel)
  channel.chat_mode = "chat"
  return message{type = "text", text = "x"}
end, '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"markAsReadToken":READ,"text":"x"},'
  .. frame(USER, true))

case("text in a group, and in a room", in_group(message{type = "text", text = "x"}),
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"x"},' .. frame(IN_GROUP, true))
case("text in a room", function()
  local deed = message{type = "text", text = "x"}
  deed.chat = kit.ROOM
  return deed
end, '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"x"},' .. frame(IN_ROOM, true))

case("who did not agree is not named in a group", function()
  world.state.users[U1].consent = false
  return in_group(message{type = "text", text = "x"})
end, '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"x"},' .. frame(GROUP, true))

case("emoji are found by their names, counted in UTF-16", message{type = "text", text = "😀 (hello) x (bye)",
  emojis = {{productId = "p", emojiId = "001"}, {productId = "p", emojiId = "002"}}},
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"😀 (hello) x (bye)","emojis":'
  .. '[{"index":3,"length":7,"productId":"p","emojiId":"001"},{"index":13,"length":5,"productId":"p",'
  .. '"emojiId":"002"}]},'
  .. frame(USER, true))

case("emoji with places of their own", message{type = "text", text = "()",
  emojis = {{index = 0, length = 2, productId = "p", emojiId = "1"}}},
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"()","emojis":'
  .. '[{"index":0,"length":2,"productId":"p","emojiId":"1"}]},' .. frame(USER, true))

case("mentions: of everyone, a person, the account; UTF-16", in_group(message{type = "text",
  text = "🍜 @All @User 2 @Moon", mention = {mentionees = {{type = "all"}, {userId = U2}, {userId = kit.BOT}}}}),
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"🍜 @All @User 2 @Moon","mention":'
  .. '{"mentionees":[{"type":"all","index":3,"length":4},{"type":"user","index":8,"length":7,"userId":"U2",'
  .. '"isSelf":false},{"type":"user","index":16,"length":5,"userId":"' .. kit.BOT .. '","isSelf":true}]}},'
  .. frame(IN_GROUP, true))

case("a mentioned person who did not agree has no id", function()
  world.state.users[U2].consent = false
  return in_group(message{type = "text", text = "@User 2", mention = {{userId = U2}}})
end, '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"@User 2","mention":{"mentionees":'
  .. '[{"type":"user","index":0,"length":7,"isSelf":false}]}},' .. frame(IN_GROUP, true))

case("a quote", function()
  local first = deeds.act{as = U1, ["do"] = "message", message = {type = "text", text = "a"}}
  return message{type = "text", text = "b", quotedMessageId = first.entry.id}
end, '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"b","quotedMessageId":ID},'
  .. frame(USER, true))

case("sticker", message{type = "sticker", packageId = 446, stickerId = "1988", keywords = {"hi", "wave"}},
  '{"type":"message","message":{"type":"sticker","id":ID,"quoteToken":QUOTE,"packageId":"446","stickerId":"1988",'
  .. '"stickerResourceType":"STATIC","keywords":["hi","wave"]},' .. frame(USER, true))

case("image", message{type = "image", media = "/9j/"},
  '{"type":"message","message":{"type":"image","id":ID,"quoteToken":QUOTE,"contentProvider":{"type":"line"}},'
  .. frame(USER, true))

case("image of another provider", message{type = "image", contentProvider = {type = "external",
  originalContentUrl = "https://example.com/a.jpg", previewImageUrl = "https://example.com/b.jpg"}},
  '{"type":"message","message":{"type":"image","id":ID,"quoteToken":QUOTE,"contentProvider":{"type":"external",'
  .. '"originalContentUrl":"https://example.com/a.jpg","previewImageUrl":"https://example.com/b.jpg"}},'
  .. frame(USER, true))

case("pictures sent together", {["do"] = "message", message = {type = "image"},
  set = {{media = "/9j/"}, {media = "/9j/"}}},
  '{"type":"message","message":{"type":"image","id":ID,"quoteToken":QUOTE,"contentProvider":{"type":"line"},'
  .. '"imageSet":{"id":SET,"index":1,"total":2}},' .. frame(USER, true),
  '{"type":"message","message":{"type":"image","id":ID,"quoteToken":QUOTE,"contentProvider":{"type":"line"},'
  .. '"imageSet":{"id":SET,"index":2,"total":2}},' .. frame(USER, true))

case("video", message{type = "video", media = "AAAA", duration = 60000},
  '{"type":"message","message":{"type":"video","id":ID,"quoteToken":QUOTE,"duration":60000,'
  .. '"contentProvider":{"type":"line"}},' .. frame(USER, true))

case("audio has no quote token", message{type = "audio", media = "AAAA", duration = 3000},
  '{"type":"message","message":{"type":"audio","id":ID,"duration":3000,"contentProvider":{"type":"line"}},'
  .. frame(USER, true))

case("file", message{type = "file", media = "aGVsbG8=", fileName = "a b.txt"},
  '{"type":"message","message":{"type":"file","id":ID,"fileName":"a b.txt","fileSize":5},' .. frame(USER, true))

case("location", message{type = "location", title = "Office", latitude = 35.5, longitude = -139.25},
  '{"type":"message","message":{"type":"location","id":ID,"title":"Office","latitude":35.5,"longitude":-139.25},'
  .. frame(USER, true))

-- ---- what happens to messages ----

local function said(text)
  return deeds.act{as = U1, chat = kit.GROUP, ["do"] = "message", message = {type = "text", text = text}}.entry.id
end

case("unsend: no token to reply", function() return in_group{["do"] = "unsend", message = said("x")} end,
  '{"type":"unsend","unsend":{"messageId":ID},' .. frame(IN_GROUP))

case("messageEdited: another quote token, none to mark it as read", function(channel)
  channel.chat_mode = "chat"
  return in_group{["do"] = "edit", message = said("x"), text = "y"}
end, '{"type":"messageEdited","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"y"},' .. frame(IN_GROUP,
  true))

-- ---- who knows whom ----

case("follow", {as = U5, ["do"] = "follow"},
  '{"type":"follow","follow":{"isUnblocked":false},' .. frame('{"type":"user","userId":"U5"}', true))
case("follow by unblocking", {as = kit.user(4), ["do"] = "unblock"},
  '{"type":"follow","follow":{"isUnblocked":true},' .. frame('{"type":"user","userId":"' .. kit.user(4) .. '"}', true))
case("unfollow", {["do"] = "unfollow"}, '{"type":"unfollow",' .. frame(USER))

local function empty(kind) world.state[kind .. "s"][kind == "group" and kit.GROUP or kit.ROOM].channel = nil end

case("join a group", function()
  empty("group")
  return {chat = kit.GROUP, ["do"] = "join"}
end, '{"type":"join",' .. frame(GROUP, true))

case("join a room: told with the first thing that happens there", function()
  empty("room")
  tap.same(deeds.act{chat = kit.ROOM, ["do"] = "join"}.events, {})
  local deed = message{type = "text", text = "x"}
  deed.chat = kit.ROOM
  return deed
end, '{"type":"join",' .. frame(ROOM, true),
  '{"type":"message","message":{"type":"text","id":ID,"quoteToken":QUOTE,"text":"x"},' .. frame(IN_ROOM, true))

case("leave", {chat = kit.GROUP, ["do"] = "leave"}, '{"type":"leave",' .. frame(GROUP))

case("memberJoined", {chat = kit.GROUP, ["do"] = "memberJoin", as = kit.user(3), members = {kit.user(3)}},
  '{"type":"memberJoined","joined":{"members":[{"type":"user","userId":"' .. kit.user(3) .. '"}]},' .. frame(GROUP,
    true))
case("memberLeft", {chat = kit.GROUP, ["do"] = "memberLeave", members = {U1, U2}},
  '{"type":"memberLeft","left":{"members":[{"type":"user","userId":"U1"},{"type":"user","userId":"U2"}]},'
  .. frame(GROUP))

-- ---- the rest ----

case("postback", {["do"] = "postback", data = "a=1"}, '{"type":"postback","postback":{"data":"a=1"},' .. frame(USER,
  true))
case("postback with params", {["do"] = "postback", data = "a", params = {date = "2026-01-31"}},
  '{"type":"postback","postback":{"data":"a","params":{"date":"2026-01-31"}},' .. frame(USER, true))

case("videoPlayComplete", function(channel)
  world.add(kit.chat(U1), {id = "77", time = TIME, from = channel.bot, message = {type = "video", trackingId = "t-1"}})
  return {["do"] = "videoPlayComplete", trackingId = "t-1"}
end, '{"type":"videoPlayComplete","videoPlayComplete":{"trackingId":"t-1"},' .. frame(USER, true))

case("beacon", {["do"] = "beacon", type = "enter", hwid = "d41d8cd98f", dm = "0fff"},
  '{"type":"beacon","beacon":{"type":"enter","hwid":"d41d8cd98f","dm":"0fff"},' .. frame(USER, true))

local function link_token(channel, user)
  channel.link_tokens = {abc = {user = user, expires = TIME + 600000}}
  return {["do"] = "accountLink", linkToken = "abc", nonce = "0123456789"}
end
case("accountLink", function(channel) return link_token(channel, U1) end,
  '{"type":"accountLink","link":{"result":"ok","nonce":"0123456789"},' .. frame(USER, true))
case("accountLink that failed has neither source nor token", function(channel) return link_token(channel, U2) end,
  '{"type":"accountLink","link":{"result":"failed","nonce":"0123456789"},' .. frame())

case("membership", function(channel)
  channel.memberships = {plans = {["12"] = {title = "Gold"}}, members = {}}
  return {["do"] = "membership", type = "joined", membershipId = 12}
end, '{"type":"membership","membership":{"type":"joined","membershipId":12},' .. frame(USER, true))

case("delivery", {["do"] = "deliveryComplete", data = ("ab"):rep(32)},
  '{"type":"delivery","delivery":{"data":"' .. ("ab"):rep(32) .. '"},' .. frame())

-- ---- events without a button ----

local function event(e) return {["do"] = "event", event = e} end
case("module attached", event{type = "module", module = {type = "attached", botId = U2, scopes = {"message:send"}}},
  '{"type":"module","module":{"type":"attached","botId":"U2","scopes":["message:send"]},' .. frame())
case("activated", event{type = "activated", chatControl = {expireAt = 1462629479859}},
  '{"type":"activated","chatControl":{"expireAt":1462629479859},' .. frame(USER))
case("deactivated", event{type = "deactivated"}, '{"type":"deactivated",' .. frame(USER))
case("botSuspended", event{type = "botSuspended"}, '{"type":"botSuspended",' .. frame())
case("botResumed", event{type = "botResumed"}, '{"type":"botResumed",' .. frame())
case("a type that nobody knows yet", event{type = "things", things = {deviceId = "t1"}},
  '{"type":"things","things":{"deviceId":"t1"},' .. frame(USER))
case("standby has no reply token", event{type = "message", mode = "standby", message = {type = "text", text = "x"}},
  '{"type":"message","message":{"type":"text","id":ID,"text":"x"},"webhookEventId":EVENT,'
  .. '"deliveryContext":{"isRedelivery":false},"timestamp":NOW,"source":' .. USER .. ',"mode":"standby"}')

tap.test("every type of the runtime's table is one the emulator makes", function()
  local file <close> = assert(io.open("runtime/line/events.def"))
  local text, n = file:read("a"):gsub("/%*.-%*/", ""), 0
  for kind, reply in text:gmatch('EVENT%("(.-)", ".-", ".-", ".-", (%u+)') do
    n = n + 1
    local row = events.kinds[kind]
    if not row then error("no " .. kind) end
    tap.same({kind, row.reply == true}, {kind, reply ~= "NO"})
  end
  tap.same(n, 20)
end)

tap.test("the id's time trails the event's by some tenths of a second", function()
  deeds.world()
  local digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
  for _ = 1, 50 do
    local ms = 0
    for c in events.id(TIME):sub(1, 10):gmatch(".") do ms = ms * 32 + digits:find(c, 1, true) - 1 end
    tap.same(ms - TIME >= 100 and ms - TIME <= 500, true)
  end
end)

tap.test("the reply token is one that replies are accepted with", function()
  deeds.world()
  deeds.act{as = U1, ["do"] = "message", message = {type = "text", text = "x"}}
  local made = deeds.events()[1]
  tap.same(reply_tokens.state(made.replyToken), "fresh")
  local status = kit.post("/v2/bot/message/reply", {replyToken = made.replyToken, messages = {{type = "text",
    text = "y"}}})
  tap.same({status, (reply_tokens.state(made.replyToken))}, {200, "used"})
end)

tap.done()
