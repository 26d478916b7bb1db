-- The methods of events.

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
local user = {type = "user", userId = "U1"}

test("an event stays LINE's object", function()
  local event = {type = "message", source = user, replyToken = "r", message = {type = "text", text = "x"}}
  handle(event, function(e)
    assert(rawequal(e, event))
    e:reply("a")
    same(e.unknown, nil)
    same(e.chat, {type = "user", id = "U1"})
  end)
  local keys = {}
  for k in pairs(event) do keys[#keys + 1] = k end
  table.sort(keys)
  same(keys, {"message", "replyToken", "source", "type"})
end)

test("a sixth message raises at its line and is not kept", function()
  local calls = handle({type = "message", source = user, replyToken = "r"}, function(e)
    e:reply("1", "2", {"3", "4"})
    local problem = raises("takes 5 messages, and this would make 6 (4 were queued, the first at test_event.lua:",
      e.reply, e, "5", "6")
    assert(problem:find("^test_event.lua:%d+: event:reply: "), problem)
    e:reply("5")
    raises("would make 6", e.reply, e, "6")
  end)
  same(#calls[1].fields.messages, 5)
  same(calls[1].fields.messages[5].text, "5")
end)

test("no reply token: says why", function()
  handle({type = "unfollow", source = user}, function(e)
    raises("an event of type 'unfollow' has no reply token here", e.reply, e, "x")
  end)
  handle({type = "message", mode = "standby", source = user}, function(e)
    raises("in standby", e.reply, e, "x")
  end)
end)

test("what is no message is refused", function()
  handle({type = "message", replyToken = "r", source = user}, function(e, line)
    raises("message 1 is a number", e.reply, e, 42)
    raises("message 2 is a boolean", e.reply, e, "a", true)
    raises("message 1 is a nil", e.reply, e, nil)
    raises("message 1 has no type; line.text", e.reply, e, {text = "x"})
    raises("message 2 has no type; a quick reply belongs to a message", e.reply, e, "x", {quickReply = {items = {}}})
    raises("there is no message", e.reply, e)
    raises("unknown option 'limit'", e.reply, e, "a", {limit = 3})
    same(line.text("a"), {type = "text", text = "a"})
  end)
  same(#stub.calls, 0)
end)

test("a reply that raises adds nothing", function()
  local calls = handle({type = "message", replyToken = "r", source = user}, function(e)
    e:reply("a", "b")
    raises("message 2 is a boolean", e.reply, e, "never", true)
    raises("unknown option 'limit'", e.reply, e, "never", {notificationDisabled = true, limit = 3})
  end)
  same({#calls[1].fields.messages, calls[1].fields.notificationDisabled}, {2})
end)

test("a reply to what is no event, or is over without a reply", function()
  local kept
  local calls = handle({type = "message", replyToken = "r", source = user}, function(e)
    kept = e
    raises("write event:reply(…) with a colon", e.reply, "x")
    raises("write event:reply(…) with a colon", e.reply, {replyToken = "r"}, "x")
  end)
  raises("the handler has returned", kept.reply, kept, "b")
  same(#calls, 0)
  same({kept.chat.id, tostring(kept):find("^line.event: ")}, {"U1", 1, 12})
end)

test("options of a reply", function()
  local calls = handle({type = "message", replyToken = "r", source = user}, function(e)
    e:reply("a", {notificationDisabled = true})
  end)
  same(calls[1].fields.notificationDisabled, true)
  same(#calls[1].fields.messages, 1)
end)

test("a reply after the handler has returned is refused", function()
  local kept
  handle({type = "message", replyToken = "r", source = user}, function(e)
    e:reply("a")
    kept = e
  end)
  raises("the handler has returned", kept.reply, kept, "b")
end)

test("a failed flush names the line of the message", function()
  local line, router = stub.fresh()
  local lines = {}
  line.on("*", function(e)
    e:reply("fine") lines[1] = debug.getinfo(1, "l").currentline
    e:reply("") lines[2] = debug.getinfo(1, "l").currentline
  end)
  local function fails(details)
    stub.answer = function()
      error(stub.error{status = 400, message = "The request body has 1 error(s)", details = details,
        called = "event:reply", where = "test_event.lua:" .. lines[1], request_id = "q-1"}, 0)
    end
  end
  fails{{property = "messages[1].text", message = "May not be empty"}}
  local e = raises("May not be empty", router.handle, {type = "message", replyToken = "r", source = user})
  same(tostring(e), ("test_event.lua:%d: event:reply: 400 The request body has 1 error(s) [messages[1].text: May not "
    .. "be empty] (request id q-1)"):format(lines[2]))
  stub.answer = function() error("?: event:reply: messages[2].x: a function cannot be sent", 0) end
  raises("test_event.lua:" .. lines[2] .. ": event:reply: messages[2].x", router.handle,
    {type = "message", replyToken = "r", source = user})
  stub.answer = function() error("?: messages[2].text: is empty\nmenu.lua:3: x\n?: messages[1].y\n?: z", 0) end
  e = raises("is empty", router.handle, {type = "message", replyToken = "r", source = user})
  same(e, ("test_event.lua:%d: messages[2].text: is empty\nmenu.lua:3: x\ntest_event.lua:%d: messages[1].y\n"
    .. "test_event.lua:%d: z"):format(lines[2], lines[1], lines[1]))
end)

test("profile by source", function()
  same(handle({type = "follow", source = user}, function(e) e:profile() end)[1].fields, "U1")
  local call = handle({type = "message", source = group}, function(e) e:profile() end)[1]
  same({call.name, call.fields}, {"get_group_member_profile", {groupId = "C1", userId = "U1"}})
  call = handle({type = "memberJoined", source = {type = "group", groupId = "C1"}}, function(e) e:profile("U2") end)[1]
  same({call.name, call.fields}, {"get_group_member_profile", {groupId = "C1", userId = "U2"}})
  call = handle({type = "message", source = {type = "room", roomId = "R1", userId = "U1"}},
    function(e) e:profile() end)[1]
  same({call.name, call.fields}, {"get_room_member_profile", {roomId = "R1", userId = "U1"}})
  handle({type = "join", source = {type = "group", groupId = "C1"}}, function(e)
    raises("does not say who", e.profile, e)
    raises("takes a user id or nothing, not a table", e.profile, e, {})
  end)
end)

test("push, loading, mark_read, leave, content", function()
  local calls = handle({type = "message", source = group, message = {type = "image", id = "9", markAsReadToken = "m"}},
    function(e)
      e:push("a", "b", {retry_key = false})
      e:mark_read()
      e:leave()
      e:content()
      raises("one-on-one", e.loading, e)
    end)
  same({calls[1].name, calls[1].fields.to, #calls[1].fields.messages, calls[1].options.retry_key},
    {"push_message", "C1", 2, false})
  same({calls[2].name, calls[2].fields}, {"mark_messages_as_read_by_token", "m"})
  same({calls[3].name, calls[3].fields}, {"leave_group", "C1"})
  same({calls[4].name, calls[4].fields}, {"get_message_content", "9"})
  calls = handle({type = "message", source = user, message = {type = "text"}}, function(e)
    e:loading(10)
    raises("no group or room", e.leave, e)
    raises("has content", e.content, e)
    raises("no markAsReadToken", e.mark_read, e)
  end)
  same(calls[1].fields, {chatId = "U1", loadingSeconds = 10})
  handle({type = "botResumed"}, function(e) raises("comes from no chat", e.push, e, "x") end)
  handle({type = "message", source = user, message = {type = "image", id = "1",
    contentProvider = {type = "external", originalContentUrl = "https://x/y"}}}, function(e)
    raises("it is at https://x/y", e.content, e)
  end)
end)

tap.done()
