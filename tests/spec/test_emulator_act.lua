-- What people do in the emulator: what it changes, what it tells nobody, what it refuses and how.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local json = kit.json
local world = require "emulator.world"
local feed = require "emulator.feed"

local U1, U2, U3, U4, U5 = kit.user(1), kit.user(2), kit.user(3), kit.user(4), kit.user(5)

local function act(what, more)
  local deed = {as = U1, ["do"] = what}
  for name, value in pairs(more or {}) do deed[name] = value end
  return deeds.act(deed)
end

local function say(text, more)
  local deed = more or {}
  deed.message = {type = "text", text = text}
  return act("message", deed)
end

local function refused(part, what, more)
  local deed = {as = U1, ["do"] = what}
  for name, value in pairs(more or {}) do deed[name] = value or nil end
  local from = #deeds.sent
  local status, answer = deeds.control("POST", "/_/act", {body = deed})
  kit.settle()
  tap.same(status, 400)
  if not answer.message:find(part, 1, true) then error("said: " .. answer.message .. "\nwanted: " .. part, 2) end
  tap.same(#deeds.sent, from)
end

local function last_kinds()
  local out = {}
  for _, event in ipairs(deeds.events()) do out[#out + 1] = event.type end
  return table.concat(out, " ")
end

-- ---- saying ----

tap.test("a message is in the history, in the feed, and its answer says where", function()
  deeds.world()
  local since = feed.last()
  local answer = say("hi")
  local chat = kit.chat(U1)
  tap.same({chat.n, answer.entry.place, answer.entry.chat, answer.seq}, {1, 1, chat.key, since})
  local entry = world.entry(chat, 1)
  tap.same({entry.from, entry.message.text, entry.event}, {U1, "hi", answer.events[1]})
  local kinds = {}
  for item in feed.each(since) do kinds[#kinds + 1] = item.kind end
  tap.same(kinds, {"message", "event", "delivery"})
end)

tap.test("people are found by name, too", function()
  deeds.world()
  tap.same(#deeds.act{as = "User 1", ["do"] = "message", message = {type = "text", text = "x"}}.events, 1)
  world.state.users[U2].name = "User 1"
  refused("several are called User 1", "message", {as = "User 1", message = {type = "text", text = "x"}})
end)

tap.test("a group without account: people talk, nobody is told", function()
  deeds.world()
  world.state.groups[kit.GROUP].channel = nil
  tap.same(say("x", {chat = kit.GROUP}).events, {})
  tap.same({kit.chat(kit.GROUP).n, #deeds.sent}, {1, 0})
end)

tap.test("bytes go out again through the content API", function()
  deeds.world()
  local status, upload = deeds.control("POST", "/_/media", {body = "\255\216\255jpeg", query = {duration = "2000"},
    headers = {["content-type"] = "image/png; x=y"}})
  tap.same({status, upload.type, upload.size}, {200, "image/png", 7})
  local id = act("message", {message = {type = "image", mediaId = upload.mediaId}}).entry.id
  local got, body, headers = kit.get("/v2/bot/message/" .. id .. "/content")
  tap.same({got, body, headers["content-type"]}, {200, "\255\216\255jpeg", "image/png"})
  local seen, bytes, how = deeds.control("GET", "/_/media/:id", {params = {id = id}})
  tap.same({seen, bytes, how["x-content-type-options"]}, {200, "\255\216\255jpeg", "nosniff"})
  act("unsend", {message = id})
  tap.same({(kit.get("/v2/bot/message/" .. id .. "/content"))}, {410})
  tap.same((deeds.control("GET", "/_/media/:id", {params = {id = id}})), 410)
end)

tap.test("an upload's id may stand as media, beside the message, and in sets", function()
  deeds.world()
  local _, upload = deeds.control("POST", "/_/media", {body = "png", headers = {["content-type"] = "image/png"}})
  local one = act("message", {message = {type = "image"}, media = upload.mediaId})
  tap.same(world.state.media[one.entry.id].body, "png")
  local set = act("message", {set = {{type = "image", media = upload.mediaId}, {type = "image",
    media = upload.mediaId}}})
  tap.same({#set.events, deeds.events()[3].message.imageSet.total}, {2, 2})
  refused("set: a list of 2 to 50", "message", {set = {{media = ""}}})
end)

tap.test("what is wrong with a message is told by its field", function()
  deeds.world()
  local function message(m) return {message = m} end
  refused("message: an object is needed", "message")
  refused("message.type: \"tekst\" is none", "message", message{type = "tekst"})
  refused("message.text: a text is needed", "message", message{type = "text", text = ""})
  refused("message: an audio needs its bytes", "message", message{type = "audio"})
  refused("message.mediaId: there is no medium media-9", "message", message{type = "image", mediaId = "media-9"})
  refused("message.fileName", "message", message{type = "file", media = ""})
  refused("message.latitude: from -90 to 90", "message", message{type = "location", latitude = 91, longitude = 0})
  refused("message.quotedMessageId: no message", "message", message{type = "text", text = "x", quotedMessageId = "1"})
  refused("only texts and stickers quote", "message", message{type = "location", latitude = 1, longitude = 1,
    quotedMessageId = "1"})
  refused("it has no index, and the text has no \"@User 2\"", "message", message{type = "text", text = "x",
    mention = {{userId = U2}}})
  refused("20 at most", "message", message{type = "text", text = "x", emojis = json.decode("[" .. ("0,"):rep(20)
    .. "0]")})
  refused("do: there is no 'mesage'; did you mean 'message'?", "mesage")
  refused("mesage: 'message' has no such field", "message", {mesage = {}})
  refused("as: there is nobody with id or name Nobody", "message", {as = "Nobody"})
  refused("as: User 4 is not in Group", "message", {as = U4, chat = kit.GROUP})
  refused("chat: there is no chat Cxyz", "message", {chat = "Cxyz"})
end)

-- ---- unsending, editing, reading ----

tap.test("unsend: once, one's own, and the text is gone", function()
  deeds.world()
  local id = say("secret").entry.id
  refused("is in another chat", "unsend", {as = U2, message = id})
  refused("is not by User 2", "unsend", {as = U2, chat = kit.GROUP, message = say("x", {chat = kit.GROUP}).entry.id})
  act("unsend", {message = id})
  local _, _, entry = world.find(id)
  tap.same({entry.unsent, entry.message.text}, {true, nil})
  refused("was taken back already", "unsend", {message = id})
  refused("there is no message 5", "unsend", {message = "5"})
end)

tap.test("edit: texts in groups, each with another token, all of which quote", function()
  deeds.world()
  local first = say("a", {chat = kit.GROUP}).entry
  local edited = act("edit", {chat = kit.GROUP, message = first.id, text = "b"}).entry
  tap.same({edited.message.text, edited.id, edited.message.quoteToken == first.message.quoteToken}, {"b", first.id,
    false})
  local again = act("edit", {chat = kit.GROUP, message = first.id, text = "c"}).entry
  tap.same(again.message.quoteToken == edited.message.quoteToken, false)
  for _, token in ipairs{first.message.quoteToken, edited.message.quoteToken, again.message.quoteToken} do
    local status = kit.post("/v2/bot/message/push", {to = kit.GROUP,
      messages = {{type = "text", text = "x", quoteToken = token}}})
    tap.same(status, 200)
  end
  refused("edited in groups only", "edit", {message = say("x").entry.id, text = "y"})
  local place = act("message", {chat = kit.GROUP, message = {type = "location", latitude = 1, longitude = 1}}).entry.id
  refused("only texts are edited", "edit", {chat = kit.GROUP, message = place, text = "y"})
end)

tap.test("read marks what the account sent", function()
  deeds.world()
  kit.post("/v2/bot/message/push", {to = U1, messages = {{type = "text", text = "a"}, {type = "text", text = "b"}}})
  act("read")
  tap.same({world.entry(kit.chat(U1), 1).read, world.entry(kit.chat(U1), 2).read}, {true, true})
end)

-- ---- friends ----

tap.test("adding, blocking, unblocking", function()
  local channel = deeds.world()
  act("follow", {as = U5})
  tap.same(world.is_friend(channel, U5), true)
  refused("is a friend of Moon already", "follow", {as = U5})
  refused("has not blocked Moon", "unblock", {as = U5})
  act("unfollow", {as = U5})
  tap.same(channel.friends[U5].state, "blocked")
  refused("has blocked Moon; unblock first", "message", {as = U5, message = {type = "text", text = "x"}})
  refused("has blocked Moon; unblock first", "postback", {as = U5, data = "x"})
  act("follow", {as = U5})
  tap.same(last_kinds(), "follow unfollow follow")
  tap.same(deeds.events()[3].follow, {isUnblocked = true})
end)

-- ---- groups ----

tap.test("joining needs the channel's permission and an empty place", function()
  local channel = deeds.world()
  local group = world.state.groups[kit.GROUP]
  refused("say which group or room", "join")
  refused("Moon is in Group already", "join", {chat = kit.GROUP})
  group.channel = nil
  channel.join = false
  refused("Moon may not join groups", "join", {chat = kit.GROUP})
  channel.join = true
  local other = {id = "2000", name = "Sun", bot = "U" .. ("e"):rep(32), secret = "s", friends = {}, tokens = {},
    join = true,
    webhook = {active = true}, quota = {type = "none"}}
  world.state.channels["2000"] = other
  refused("channel: there are several channels", "join", {chat = kit.GROUP})
  act("join", {chat = kit.GROUP, channel = "2000"})
  tap.same(group.channel, "2000")
  refused("Sun is in Group, and only one account can be in a group", "join", {chat = kit.GROUP, channel = "1000"})
  act("leave", {chat = kit.GROUP})
  act("join", {chat = kit.GROUP, channel = "1000"})
  tap.same({group.channel, deeds.events()[1].type}, {"1000", "join"})
end)

tap.test("members come and go; who did not agree is not named", function()
  deeds.world()
  world.state.users[U3].consent = false
  act("memberJoin", {chat = kit.GROUP, members = {U3, U4}})
  tap.same(deeds.events()[1].joined.members, {{type = "user", userId = U4}})
  tap.same(world.state.groups[kit.GROUP].members[U3] ~= nil, true)
  refused("User 4 is in Group already", "memberJoin", {chat = kit.GROUP, members = {U4}})
  tap.same(act("memberLeave", {chat = kit.GROUP, members = {U3}}).events, {})
  refused("User 3 is not in Group", "memberLeave", {chat = kit.GROUP, members = {U3}})
  refused("members: a list", "memberJoin", {chat = kit.GROUP, members = "x", as = U1})
end)

-- ---- tapping ----

local function tap_on(action, more)
  local deed = more or {}
  deed.action = action
  return act("tap", deed)
end

tap.test("what each type of action does", function()
  deeds.world()
  tap_on{type = "message", label = "x", text = "Menu"}
  tap.same({deeds.events()[1].type, deeds.events()[1].message.text}, {"message", "Menu"})
  for _, kind in ipairs{"uri", "clipboard", "camera", "cameraRoll", "location"} do
    tap.same(tap_on{type = kind, label = "x", uri = "https://example.com", clipboardText = "x"}.events, {})
  end
  tap_on{type = "postback", label = "x", data = "a=1"}
  tap.same(deeds.events()[2].postback, {data = "a=1"})
  tap.same(kit.chat(U1).n, 1)
  tap_on{type = "postback", data = "a=2", displayText = "Chosen"}
  tap.same({last_kinds(), kit.chat(U1).n}, {"message postback postback", 2})
  local shown = world.entry(kit.chat(U1), 2)
  tap.same({shown.message.text, shown.shown, shown.event}, {"Chosen", true, nil})
  tap_on{type = "postback", data = "a=3", text = "Said"}
  tap.same(last_kinds(), "message postback postback message postback")
  local answer = tap_on{type = "postback", data = "a", inputOption = "openKeyboard", fillInText = "Name: "}
  tap.same({answer.inputOption, answer.fillInText}, {"openKeyboard", "Name: "})
  refused("action.type: 'xyz' is none of camera", "tap", {action = {type = "xyz"}})
  refused("action.data: a text is needed", "tap", {action = {type = "postback"}})
  refused("action: an action object is needed", "tap")
end)

tap.test("date pickers: forms, limits, their initial", function()
  deeds.world()
  local function pick(mode, value, more)
    local action = {type = "datetimepicker", data = "d", mode = mode}
    for name, v in pairs(more or {}) do action[name] = v end
    tap_on(action, {params = value and {[mode] = value}})
    return deeds.events()[#deeds.sent].postback
  end
  tap.same(pick("date", "2024-02-29"), {data = "d", params = {date = "2024-02-29"}})
  tap.same(pick("time", "23:59"), {data = "d", params = {time = "23:59"}})
  tap.same(pick("datetime", "2026-01-31T00:00"), {data = "d", params = {datetime = "2026-01-31T00:00"}})
  tap.same(pick("datetime", nil, {initial = "2026-01-31t09:30"}).params, {datetime = "2026-01-31T09:30"})
  for _, bad in ipairs{{"date", "2026-02-29"}, {"date", "2026-1-1"}, {"date", "1899-12-31"}, {"time", "24:00"},
    {"time", "9:00"}, {"datetime", "2026-01-31 09:30"}, {"datetime", "2026-01-31T09:30:00"}} do
    refused("params." .. bad[1], "tap", {action = {type = "datetimepicker", data = "d", mode = bad[1]},
      params = {[bad[1]] = bad[2]}})
  end
  refused("is before the picker's min", "tap", {action = {type = "datetimepicker", data = "d", mode = "date",
    min = "2026-01-01"}, params = {date = "2025-12-31"}})
  refused("is behind the picker's max", "tap", {action = {type = "datetimepicker", data = "d", mode = "date",
    max = "2026-01-01"}, params = {date = "2026-01-02"}})
  refused("action.mode: \"day\" is none", "tap", {action = {type = "datetimepicker", data = "d", mode = "day"}})
end)

tap.test("rich menu switch: every status", function()
  local channel = deeds.world()
  channel.richmenus = {menus = {["richmenu-a"] = {menu = {name = "A"}, image = {type = "image/png", body = "x"}},
    ["richmenu-b"] = {menu = {name = "B"}}}, aliases = {a = "richmenu-a", b = "richmenu-b", gone = "richmenu-c"},
    users = {}, batches = {}, order = 2}
  local function switch(alias)
    tap_on({type = "richmenuswitch", richMenuAliasId = alias, data = "d"}, {richmenu = true})
    return deeds.events()[#deeds.sent].postback.params
  end
  tap.same(switch("a"), {status = "SUCCESS", newRichMenuAliasId = "a"})
  local _, menu = deeds.control("GET", "/_/chats/:key/richmenu", {params = {key = "1000%3A" .. U1}})
  tap.same({menu.id, menu.menu.name, menu.image}, {"richmenu-a", "A", "/_/richmenu/richmenu-a/image"})
  tap.same(switch("nope"), {status = "RICHMENU_ALIAS_ID_NOTFOUND"})
  tap.same(switch("gone"), {status = "RICHMENU_NOTFOUND"})
  tap.same(switch("b"), {status = "FAILED"})
end)

tap.test("taps on a message that was taken back are refused", function()
  deeds.world()
  local id = say("x").entry.id
  act("unsend", {message = id})
  refused("was taken back", "tap", {action = {type = "uri", uri = "x"}, entry = id})
end)

-- ---- the rest ----

tap.test("a watched video is told once until the chat is entered again", function()
  local channel = deeds.world()
  refused("has sent no video with trackingId t", "videoPlayComplete", {trackingId = "t"})
  world.add(kit.chat(U1), {id = "77", from = channel.bot, message = {type = "video", trackingId = "t"}})
  act("videoPlayComplete", {trackingId = "t"})
  tap.same(act("videoPlayComplete", {trackingId = "t"}).events, {})
  act("enter")
  tap.same(#act("videoPlayComplete", {trackingId = "t"}).events, 1)
end)

tap.test("link tokens: once, ten minutes, by the API's own", function()
  deeds.world()
  local function token(user)
    local status, body = kit.post("/v2/bot/user/" .. user .. "/linkToken")
    tap.same(status, 200)
    return body.linkToken
  end
  local one = token(U1)
  tap.same(act("accountLink", {linkToken = one, nonce = "nonce-0001"}).result, "ok")
  refused("it was used already", "accountLink", {linkToken = one, nonce = "nonce-0002"})
  refused("nonce: it was used already", "accountLink", {linkToken = token(U1), nonce = "nonce-0001"})
  local late = token(U1)
  kit.advance(600000)
  refused("it has expired", "accountLink", {linkToken = late, nonce = "nonce-0003"})
  refused("it is none of Moon", "accountLink", {linkToken = "x", nonce = "nonce-0003"})
  refused("nonce: 10 to 255", "accountLink", {linkToken = token(U1), nonce = "short"})
  local foreign = token(U2)
  tap.same(act("accountLink", {linkToken = foreign, nonce = "nonce-0004"}).result, "failed")
  refused("it was used already", "accountLink", {as = U2, linkToken = foreign, nonce = "nonce-0005"})
end)

tap.test("beacons tell friends, where there are beacons", function()
  local channel = deeds.world()
  refused("is no friend of Moon", "beacon", {as = U5, hwid = "ab"})
  refused("hwid: hexadecimal", "beacon", {hwid = "xyz"})
  refused("type: \"leave\" is none", "beacon", {hwid = "ab", type = "leave"})
  channel.country = "US"
  refused("beacons exist for accounts of JP, TW and TH", "beacon", {hwid = "ab"})
end)

tap.test("memberships change what the API answers", function()
  local channel = deeds.world()
  channel.memberships = {plans = {["12"] = {title = "Gold"}}, members = {}}
  act("membership", {type = "joined", membershipId = 12})
  tap.same((kit.get("/v2/bot/membership/subscription/" .. U1)), 200)
  act("membership", {type = "left", membershipId = 12})
  tap.same((kit.get("/v2/bot/membership/subscription/" .. U1)), 404)
  refused("Moon has no membership plan 13", "membership", {type = "joined", membershipId = 13})
  world.state.users[U1].consent = false
  tap.same(act("membership", {type = "joined", membershipId = 12}).events, {})
end)

tap.test("events that the platform would not make by itself", function()
  deeds.world()
  refused("event: an object is needed", "event")
  refused("event.type: a text is needed", "event", {event = {}})
  deeds.act{["do"] = "event", event = {type = "message", message = {type = "text", id = "1", text = "no source"}}}
  tap.same({deeds.events()[1].source, deeds.events()[1].replyToken}, {})
  act("event", {event = {type = "follow", replyToken = false, webhookEventId = "01H0000000000000000000000A"}})
  tap.same({deeds.events()[2].replyToken, deeds.events()[2].webhookEventId}, {nil, "01H0000000000000000000000A"})
end)

tap.test("who deleted the account is gone", function()
  deeds.world()
  deeds.control("DELETE", "/_/users/:id", {params = {id = U1}})
  refused("User 1 has deleted the account", "message", {message = {type = "text", text = "x"}})
  tap.same(world.state.groups[kit.GROUP].members[U1], nil)
  tap.same((kit.get("/v2/bot/profile/" .. U1)), 404)
end)

tap.done()
