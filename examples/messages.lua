-- Every type of message there is. Run it: moonline run examples/messages.lua
--
-- Say the name of one, such as "sticker" or "carousel", and get it; anything else is answered by the list of names.
-- Each builder below takes what it cannot do without, and then, if wanted, a table with more of LINE's fields.

local line = require "line"

-- LINE fetches media by address, so these are to be yours. The pictures are those of LINE's own samples.
local FILES = "https://example.com/"
local PICTURES = "https://developers-resource.landpress.line.me/fx/img/"
local CAFE, BREAD = PICTURES .. "01_1_cafe.png", PICTURES .. "01_2_restaurant.png"

local make = {}

-- A string alone is a text message, too.
function make.text()
  return line.text("A text of up to 5,000 characters.")
end

function make.emoji()
  return line.text("LINE's own emoji take the place of each dollar sign: $ and $", {emojis = {
    line.emoji("5ac1bfd5040ab15980c9b435", "001"), line.emoji("5ac1bfd5040ab15980c9b435", "002")}})
end

-- Mentions work in groups and rooms; elsewhere the name stands there as it is.
function make.mention(event)
  local who = event.chat.type == "user" and event:profile().displayName or line.mention(event.source.userId)
  return line.text_v2("This one is for you, {who} {smile}", {
    who = who, smile = line.emoji("5ac1bfd5040ab15980c9b435", "001")})
end

function make.sticker()
  return line.sticker(446, 1988)
end

function make.image()
  return line.image(CAFE)
end

function make.video()
  return line.video(FILES .. "film.mp4", CAFE)
end

-- The second argument is how long it plays, in milliseconds.
function make.audio()
  return line.audio(FILES .. "song.m4a", 60000)
end

function make.location()
  return line.location("Tokyo Tower", "4-2-8 Shibakoen, Minato-ku, Tokyo", 35.6586, 139.7454)
end

-- LINE appends a width to the address: …/map/1040 is to be an image of 1040 by 520 pixels, …/map/700 a smaller one.
function make.imagemap()
  return line.imagemap(FILES .. "map", "Left or right?", 520, line.imagemap.grid(2, 1, {
    line.imagemap.message("left"), line.imagemap.uri("https://example.com/right")}, {height = 520}))
end

function make.buttons()
  return line.buttons("A card with buttons", "Up to four of them.", {
    line.action.message("Say hello", "hello"),
    line.action.postback("Send data", "demo?from=buttons"),
    line.action.datetimepicker("Pick a day", "demo?from=picker", "date"),
    line.action.uri("Open a page", "https://example.com/"),
  }, {title = "Buttons", thumbnailImageUrl = CAFE})
end

function make.confirm()
  return line.confirm("Yes or no?", "Are you sure?", {line.action.message("Yes"), line.action.message("No")})
end

function make.carousel()
  return line.carousel("Two cards", {
    line.carousel_column("The first card", {line.action.message("Take it", "one")}),
    line.carousel_column("The second card", {line.action.message("Take it", "two")}),
  })
end

make["image carousel"] = function()
  return line.image_carousel("Two pictures", {
    line.image_carousel_column(CAFE, line.action.message("Coffee")),
    line.image_carousel_column(BREAD, line.action.message("Bread")),
  })
end

function make.flex()
  local flex = line.flex
  return flex("A card laid out freely", flex.bubble(
    flex.box("vertical", {
      flex.text("Brown Cafe", {size = "xl", weight = "bold"}),
      flex.text({flex.span("Open until "), flex.span("six", {color = "#06C755", weight = "bold"})}),
    }, {spacing = "sm"}),
    {
      hero = flex.image(CAFE, {size = "full", aspectRatio = "20:13", aspectMode = "cover"}),
      footer = flex.box("vertical", {flex.button(line.action.uri("Website", "https://example.com/"))}),
    }))
end

-- The id is that of a coupon of yours: line.create_coupon(line.coupon.object(…)), or LINE Official Account Manager.
function make.coupon()
  return line.coupon("01JYNW8JMQVFBNWF1APF8Z3FS7")
end

-- Buttons below the newest message; any message may have them.
make["quick reply"] = function()
  return line.text("What would you like to send?", {quickReply = line.quick_reply(
    line.action.camera("Camera"), line.action.camera_roll("Photos"), line.action.location("Place"),
    line.action.message("Nothing"), line.action.clipboard("Copy a code", "AB-12"))})
end

-- Another name and picture for one message; any message may have them.
function make.sender()
  return line.text("It is me, the cook.", {sender = line.sender("Cook", BREAD)})
end

local names = {}
for name in pairs(make) do names[#names + 1] = name end
table.sort(names)

line.on("message.text", function(event)
  local build = make[event.message.text:lower()]
  event:reply(build and build(event) or "Say one of these: " .. table.concat(names, ", "))
end)

line.postback("demo", function(event, args)
  local day = args.from == "picker" and event:picked().text
  event:reply(day and "You picked " .. day or "The bot got: " .. event.postback.data)
end)
