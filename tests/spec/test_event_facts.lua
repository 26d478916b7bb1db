-- What events say and what can be asked about their chat: each method where it makes sense, and its words where not.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local function handle(event, fn)
  local line, router = stub.fresh()
  line.on("*", function(e) fn(e, line) end)
  router.handle(event)
  return stub.calls
end

local group = {type = "group", groupId = "C1", userId = "U1"}
local room = {type = "room", roomId = "R1"}
local user = {type = "user", userId = "U1"}

test("a follow event says what each method is for", function()
  local line, router = stub.fresh()
  local words = {
    unsent = "only an unsend event", quote_token = "has no message to quote", keywords = "only a sticker",
    picked = "not the postback of a date or time picker", menu_switch = "not the postback of a switch",
    hwid = "only a beacon event", device_message = "only a beacon event", linked = "only an accountLink event",
    content = "has content", preview = "has a preview", group = "does not come from a group",
    members = "does not come from a group or room", member_count = "does not come from a group or room",
    leave = "no group or room to leave", mark_read = "no markAsReadToken", quote = "no message that can be quoted",
    text_without_mentions = "has no text",
  }
  line.on("follow", function(e)
    for name, part in pairs(words) do
      local problem = raises(part, e[name], e, name == "quote" and "x" or nil)
      assert(problem:find("^test_event_facts.lua:%d+: event:" .. name .. ": "), problem)
    end
  end)
  router.handle{type = "follow", replyToken = "r", source = user}
  same(#stub.calls, 0)
end)

test("unsend, sticker, account link, beacon", function()
  handle({type = "unsend", source = room, unsend = {messageId = "17"}}, function(e) same(e:unsent(), "17") end)
  handle({type = "message", message = {type = "sticker", quoteToken = "q", keywords = {"a", "b"}}}, function(e)
    same(e:keywords(), {"a", "b"})
    same(e:quote_token(), "q")
  end)
  handle({type = "message", message = {type = "sticker"}}, function(e) same(e:keywords(), {}) end)
  handle({type = "message", message = {type = "audio"}}, function(e)
    raises("a message of type 'audio' came without a quoteToken", e.quote_token, e)
  end)
  handle({type = "accountLink", link = {result = "ok", nonce = "n"}}, function(e) same({e:linked()}, {true, "n"}) end)
  handle({type = "accountLink", link = {result = "failed", nonce = "n"}}, function(e)
    same({e:linked()}, {false, "n"})
    raises("an event of type 'accountLink' has no reply token here", e.reply, e, "x")
  end)
  handle({type = "beacon", beacon = {hwid = "0a1b2C3d4e", dm = "00ff10", type = "enter"}}, function(e)
    same({e:hwid(), e:device_message()}, {"\x0a\x1b\x2c\x3d\x4e", "\0\xff\x10"})
  end)
  handle({type = "beacon", beacon = {hwid = "0a1", type = "enter"}}, function(e)
    raises("LINE sent '0a1', which is not hexadecimal", e.hwid, e)
    same(e:device_message(), nil)
  end)
  handle({type = "beacon", beacon = {hwid = "0g", dm = "", type = "enter"}}, function(e)
    raises("LINE sent '0g'", e.hwid, e)
    same(e:device_message(), "")
  end)
end)

test("what was picked, and which menu came", function()
  local function postback(params, fn) handle({type = "postback", postback = {data = "d", params = params}}, fn) end
  postback({date = "2027-02-28"}, function(e)
    same(e:picked(), {mode = "date", text = "2027-02-28", year = 2027, month = 2, day = 28})
    same(os.date("%Y-%m-%d", os.time(e:picked())), "2027-02-28")
    raises("switch of rich menus", e.menu_switch, e)
  end)
  postback({time = "06:05"}, function(e) same(e:picked(), {mode = "time", text = "06:05", hour = 6, min = 5}) end)
  postback({datetime = "2027-12-31T23:59"}, function(e)
    same(e:picked(), {mode = "datetime", text = "2027-12-31T23:59", year = 2027, month = 12, day = 31, hour = 23,
      min = 59})
  end)
  postback({status = "SUCCESS", newRichMenuAliasId = "two"}, function(e)
    same(e:menu_switch(), {ok = true, status = "SUCCESS", alias = "two"})
    raises("date or time picker", e.picked, e)
  end)
  postback({status = "RICHMENU_NOTFOUND"}, function(e)
    same(e:menu_switch(), {ok = false, status = "RICHMENU_NOTFOUND"})
  end)
  postback(nil, function(e) raises("date or time picker", e.picked, e) end)
end)

test("group, count and members", function()
  local calls = handle({type = "message", source = group, message = {type = "text"}}, function(e)
    stub.answer = function(name, fields)
      if name == "get_group_member_count" then return {count = 7} end
      if name == "get_group_summary" then return {groupName = "g"} end
      local pages = {[""] = {memberIds = {"U1", "U2"}, next = "2"}, ["2"] = {memberIds = {}, next = "3"},
        ["3"] = {memberIds = {"U3"}}}
      return pages[fields.start or ""]
    end
    same({e:member_count(), e:group().groupName}, {7, "g"})
    local seen = {}
    local each = e:members()
    for id in each do seen[#seen + 1] = id end
    same(seen, {"U1", "U2", "U3"})
    same({each()}, {})
  end)
  same({calls[1].fields, calls[2].fields}, {"C1", "C1"})
  same({calls[3].fields, calls[4].fields.start, #calls}, {{groupId = "C1"}, "2", 5})
  calls = handle({type = "join", source = room}, function(e)
    stub.answer = function(name) return name == "get_room_member_count" and {count = 2} or {memberIds = {"U9"}} end
    same({e:member_count(), e:members()()}, {2, "U9"})
    raises("does not come from a group", e.group, e)
  end)
  same({calls[1].fields, calls[2].name, calls[2].fields}, {"R1", "get_room_members_ids", {roomId = "R1"}})
end)

test("where the bot no longer is", function()
  handle({type = "leave", source = group}, function(e)
    for _, name in ipairs{"group", "members", "member_count", "leave", "push", "profile"} do
      raises("event:" .. name .. ": the account is no longer in this group", e[name], e, "x")
    end
    local problem = raises("has no reply token here", e.reply, e, "x")
    assert(not problem:find("push", 1, true), problem)
  end)
  handle({type = "unfollow", source = user}, function(e)
    raises("receives nothing", e.push, e, "x")
    raises("shows it no profile", e.profile, e)
    raises("has blocked", e.loading, e)
  end)
  same(#stub.calls, 0)
end)

test("preview", function()
  local calls = handle({type = "message", message = {type = "video", id = "5"}}, function(e) e:preview() end)
  same({calls[1].name, calls[1].fields}, {"get_message_content_preview", "5"})
  handle({type = "message", message = {type = "file", id = "5"}}, function(e)
    raises("only an image or video message has a preview", e.preview, e)
  end)
  handle({type = "message", message = {type = "image", id = "5", contentProvider = {type = "external",
    originalContentUrl = "https://x/big", previewImageUrl = "https://x/small"}}}, function(e)
    raises("it is at https://x/small", e.preview, e)
    raises("it is at https://x/big", e.content, e)
  end)
end)

test("quote", function()
  local mine = {type = "sticker", packageId = "1", stickerId = "2"}
  local event = {type = "message", replyToken = "r", source = user,
    message = {type = "image", id = "1", quoteToken = "q"}}
  local calls = handle(event, function(e)
    e:quote("yes", "more")
    e:quote(mine)
    e:quote({type = "text", text = "t", quoteToken = "other"}, {notificationDisabled = true})
    raises("only a text or a sticker can quote; the first message is of type 'image'", e.quote, e, {type = "image"})
    raises("the first message is a nil", e.quote, e)
    raises("would make 6", e.quote, e, "a", "b")
  end)
  same(calls[1].fields.messages, {{type = "text", text = "yes", quoteToken = "q"}, {type = "text", text = "more"},
    {type = "sticker", packageId = "1", stickerId = "2", quoteToken = "q"},
    {type = "text", text = "t", quoteToken = "other"}})
  same({calls[1].fields.notificationDisabled, mine.quoteToken}, {true})
  handle({type = "message", mode = "standby", message = {quoteToken = "q"}}, function(e)
    raises("event:quote: the event is in standby", e.quote, e, "x")
  end)
  handle({type = "message", replyToken = "r", message = {type = "audio"}}, function(e)
    raises("no message that can be quoted", e.quote, e, "x")
  end)
end)

test("odd events break nothing", function()
  for _, odd in ipairs{1, "x", true} do
    handle({type = "message", message = odd, source = odd, postback = odd, beacon = odd, link = odd}, function(e)
      raises("LINE does not say who", e.profile, e)
      raises("has content", e.content, e)
      raises("no markAsReadToken", e.mark_read, e)
      raises("one-on-one", e.loading, e)
      raises("no group or room", e.leave, e)
      raises("beacon", e.hwid, e)
      raises("picker", e.picked, e)
      raises("comes from no chat", e.push, e, "x")
      same({e.chat, e:mentioned()}, {nil, false})
    end)
  end
end)

tap.done()
