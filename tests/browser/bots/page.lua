-- The bot of the page's tests: says what it got, and sends one of everything when it is asked for.

local line = require "line"

local CHIPS = {items = {
  {type = "action", action = {type = "message", label = "Say tea", text = "tea"}},
  {type = "action", action = {type = "postback", label = "Silent", data = "chip=silent", displayText = "shown only"}},
  {type = "action", action = {type = "datetimepicker", label = "A day", data = "day", mode = "date",
    initial = "2026-03-01"}},
  {type = "action", action = {type = "camera", label = "Photo"}},
  {type = "action", action = {type = "clipboard", label = "Copy it", clipboardText = "C0DE"}},
}}

local make = {}
make.chips = {type = "text", text = "Choose one", quickReply = CHIPS}
make.buttons = {type = "template", altText = "Buttons", template = {type = "buttons", title = "A title",
  text = "Choose", actions = {
  {type = "message", label = "Hello", text = "hello from a button"},
  {type = "postback", label = "Data", data = "a=1", inputOption = "openKeyboard", fillInText = "filled in"},
  {type = "datetimepicker", label = "When", data = "when", mode = "datetime", initial = "2026-02-03t04:05"},
  {type = "uri", label = "Dialog",
    uri = "https://access.line.me/dialog/bot/accountLink?linkToken=T0KEN&nonce=0123456789ab"},
}}}
make.flex = {type = "flex", altText = "A card", contents = {type = "bubble",
  hero = {type = "box", layout = "vertical", height = "90px", contents = {},
    background = {type = "linearGradient", angle = "90deg",
    startColor = "#ff7e5f", endColor = "#feb47b"}},
  body = {type = "box", layout = "vertical", spacing = "md", contents = {
    {type = "text", text = "Brown Café 🍰", weight = "bold", size = "xl", wrap = true},
    {type = "box", layout = "horizontal", contents = {{type = "text", text = "Open", color = "#888888", flex = 1},
      {type = "text", text = "9:00 – 18:00", flex = 3}}},
    {type = "separator"},
    {type = "text", text = "สวัสดี こんにちは", size = "sm"}}},
  footer = {type = "box", layout = "vertical", contents = {{type = "button", style = "primary",
    action = {type = "postback", label = "Book", data = "book=1"}}}}}}
make.imagemap = {type = "imagemap", baseUrl = "https://example.invalid/map", altText = "Map",
  baseSize = {width = 1040, height = 520}, actions = {
  {type = "message", text = "left side", area = {x = 0, y = 0, width = 520, height = 520}}}}
make.cook = {type = "text", text = "It is me", sender = {name = "Cook", iconUrl = "https://example.invalid/cook.png"}}
make.sticker = {type = "sticker", packageId = "446", stickerId = "1988"}
make.place = {type = "location", title = "Tower", address = "Tokyo", latitude = 35.6, longitude = 139.7}

local function say(event, text) event:reply({type = "text", text = text}) end

line.on("message.text", function(event)
  local text = event.message.text
  local first = text:match("^%S+")
  if make[text] then return event:reply(make[text]) end
  if text == "wait" then
    event:loading(5)
    line.sleep(0.6)
    return say(event, "waited")
  elseif text == "push" then line.push(event.source.userId, {type = "text", text = "pushed"})
  elseif text == "everybody" then line.broadcast({type = "text", text = "to everybody"})
  elseif text == "read" then event:mark_read()
  elseif text == "wrong" then pcall(line.push, "U00000000000000000000000000000bad", {type = "text", text = "x"})
  elseif text == "silence" then return
  elseif text == "quote me" then event:reply({type = "text", text = "quoted", quoteToken = event.message.quoteToken})
  elseif text == "fail" then error("no such <b>dish</b>")
  elseif first == "many" then
    local list = {}
    for i = 1, 5 do list[i] = {type = "text", text = "part " .. i} end
    event:reply(list)
  else
    local quoted = event.message.quotedMessageId and " quoting" or ""
    local mention = event.message.mention and " mentions " .. #event.message.mention.mentionees or ""
    say(event, "echo: " .. text .. quoted .. mention)
  end
end)

line.on("message.image", function(event)
  local set = event.message.imageSet
  if not set or set.index == set.total then say(event, "got image" .. (set and " " .. set.total .. " of "
    .. set.total or "")) end
end)
line.on("message.video", function(event) say(event, "got video") end)
line.on("message.audio", function(event) say(event, "got audio " .. event.message.duration) end)
line.on("message.file", function(event) say(event, "got file " .. event.message.fileName .. " "
  .. event.message.fileSize) end)
line.on("message.location", function(event) say(event, "got place " .. tostring(event.message.title)) end)
line.on("message.sticker", function(event) say(event, "got sticker " .. event.message.packageId .. "/"
  .. event.message.stickerId) end)
line.on("postback", function(event)
  local picked = event.postback.params and (event.postback.params.date or event.postback.params.datetime
    or event.postback.params.status
    )
  say(event, "postback " .. event.postback.data .. (picked and " " .. picked or ""))
end)
line.on("follow", function(event) say(event, "welcome") end)
line.on("join", function(event) say(event, "joined") end)
line.on("memberJoined", function(event) say(event, "members +" .. #event.joined.members) end)
line.on("beacon", function(event) say(event, "beacon " .. event.beacon.hwid) end)
line.on("*", function() end)
