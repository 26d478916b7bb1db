-- What bots write in a day. It loads, and the language server finds nothing in it: types that warn at good code are
-- worse than none.

local line = require "line"
local store, log, json = require "store", require "log", require "json"

line.check = "warn"
line.richmenu{name = "a", image = "a.png",
  rows = {{line.action.message("a"), {line.action.message("b"), width = 2}, height = 2}}}

line.on("*", function(event, next)
  log.info("event", {type = event.type, chat = event.chat and event.chat.id})
  if event.type == "somethingNew" then return event.somethingNew end
  return next()
end)

line.on("message.text@group", function(event, next)
  event:reply("a", {"b", line.text("c")}, {notification_disabled = true})
  event:reply{type = "sticker", packageId = "1", stickerId = "2"}
  event:quote(line.sticker{packageId = 1, stickerId = "2", quoteToken = event.message.quoteToken})
  for _, who in ipairs(event:mentions()) do log.debug(who.text, {user = who.userId}) end
  for id in line.each_group_member(event.source.groupId) do line.push(id, "hi") end
  for id in event:members() do line.push(id, "hi", {retry_key = false}) end
  local p = line.get_profile(event.source.userId)
  event:push(p.displayName .. ": " .. (p.statusMessage or ""):upper())
  return next()
end)

line.on("message.text@user", function(event)
  event:reply{type = "flex", altText = "x", contents = {type = "bubble",
    body = {type = "box", layout = "vertical", contents = {{type = "text", text = "hi"}, {type = "separator"}}}}}
  local body = line.flex.box("vertical", {line.flex.text("x", {size = "md", wrap = true}),
    line.flex.button(line.action.uri("a", "https://example.com", {altUri = "https://example.com/pc"}))})
  event:reply(line.flex("alt", line.flex.bubble(body)))
  local hero = line.flex.bubble(nil, {hero = line.flex.image("https://example.com/a.png")})
  event:reply(line.flex{altText = "x", contents = line.flex.carousel({hero})})
end)

line.on("message.image", function(event)
  local content <close> = event:content{ready_timeout = 5}
  for piece in content:chunks() do log.info(#piece) end
  content:save("x.jpg", {overwrite = true})
end)

line.on("message", function(event, next)
  if event.message.type == "text" then event:reply(event.message.text) end
  next()
end)

line.hear("^(%d+) (%d+)$", function(event, a, b, next)
  event:reply(a .. b)
  next()
end)

line.postback("buy", function(event, args, next)
  event:reply(args.item .. event.postback.data)
  next()
end)

line.postback("when", function(event)
  local t = event:picked()
  event:reply(os.date("%c", os.time{year = t.year, month = t.month, day = t.day}))
end)

line.on("memberJoined@group", function(event)
  for _, member in ipairs(event.joined.members) do event:push("Welcome, " .. member.userId) end
end)

line.on("beacon.enter", function(event) log.info(#event:hwid(), {message = event:device_message()}) end)

line.on("join", function()
  line.multicast({"U1"}, "x")
  line.multicast{to = {"U1"}, messages = {line.text("x"), {type = "text", text = "y"}}}
  line.push_message({to = "U1", messages = {line.text("x")}}, {timeout = 3})
  local old = line.recipient.except(line.recipient.audience(2))
  line.narrowcast("x", {recipient = line.recipient.all_of(line.recipient.audience(1), old),
    filter = line.filter(line.filter.all_of(line.filter.age(20, 30), line.filter.gender("male"))), limit = {max = 5}})
  local areas = line.richmenu_grid(2, 1, {line.action.message("a"), false})
  line.create_rich_menu(line.richmenu_object("n", "Menu", areas))
  line.set_rich_menu_image{richMenuId = "x", image = {file = "a.png"}}
  local sent, request = line.push("U1", line.text("x", {sender = line.sender("Bob"),
    quickReply = line.quick_reply(line.action.message("a"), line.action.camera("b"))}))
  log.info(sent.sentMessages[1].id, {request = request})
  local results = line.all{function() return line.get_bot_info() end, function() return 1 end}
  local handle = line.spawn(function(seconds) line.sleep(seconds) return #results end, 0.5)
  log.info(handle:wait())
end)

line.on("leave", function()
  store.set("a", {1}, {ttl = 3})
  store.incr("n", 1, {ttl = 5})
  store.incr("n", {ttl = 5})
  local list, after = store.list("a:", {limit = 3})
  log.info(list[1].key, {after = after, all = json.encode(list), x = json.decode("{}").x, null = json.null})
  local body, status, headers = line.request("GET", "/v2/bot/info", {query = {a = 1}})
  log.info(body.userId, {status = status + 1, type = headers["content-type"]})
  ---@type boolean, any
  local ok, problem = pcall(line.push, "U1", "x")
  if not ok and problem.kind == "quota" then log.warn(problem.retry_after or problem.message) end
  local quota = line.quota()
  log.info(line.utf16.sub("abc", 1, 2), {left = quota.remaining and quota.remaining - 1})
  local list_of_all = {}
  list_of_all[#list_of_all + 1] = line.imagemap("https://example.com", "alt", 1040,
    {line.imagemap.uri("https://example.com", line.area(0, 0, 10, 10))})
  list_of_all[#list_of_all + 1] = line.buttons("alt", "text", {line.action.postback("a", "b")}, {title = "x"})
  local column = line.carousel_column("t", {line.action.postback("a", "b")}, {title = "x"})
  line.push("U1", line.carousel("alt", {column}), list_of_all)
  line.push("U1", line.text_v2("Hi {n} {who}", {n = 3, who = line.mention("all")}))
  line.push("U1", line.text("Hello $", {emojis = {line.emoji("a", "b")}}))
end)
