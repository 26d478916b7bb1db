-- What the emulator says of a message that the platform refuses: the three layers, their words and their properties.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local texts = require "emulator.check_text"
local api = require "emulator.api"

local U = "https://example.com/a.png"
local TAP = {type = "message", label = "Yes", text = "yes"}

local function rep(n, s) return (s or "x"):rep(n) end
local function list(n, v)
  local t = kit.json.array{}
  for i = 1, n do t[i] = v end
  return t
end
local function with(t, more)
  local copy = {}
  for k, v in pairs(t) do copy[k] = v end
  for k, v in pairs(more or {}) do copy[k] = v end
  return copy
end
local function text(more) return with({type = "text", text = "hi"}, more) end
local function template(t) return {type = "template", altText = "alt", template = t} end
local function buttons(more) return template(with({type = "buttons", text = "pick", actions = {TAP}}, more)) end
local function column(more) return with({text = "card", actions = {TAP}}, more) end
local function carousel(...) return template{type = "carousel", columns = {...}} end
local function flex(contents) return {type = "flex", altText = "alt", contents = contents} end
local function box(...) return {type = "box", layout = "vertical", contents = {...}} end
local function part(component) return flex{type = "bubble", body = box(component)} end
local function quick(action) return text{quickReply = {items = {{type = "action", action = action}}}} end

-- The answer to messages in a call that only checks.
local function answer(messages)
  kit.world()
  api.options.rates = false
  return kit.post("/v2/bot/message/validate/push", {messages = messages})
end

-- ---- structural: messages[0].text ----

local STRUCTURAL = {
  {list(0), "messages", "Size must be between 1 and 5"},
  {list(6, text()), "messages", "Size must be between 1 and 5"},
  {{{}}, "messages[0].type", "May not be empty"},
  {{{type = "hologram"}}, "messages[0].type",
    "Must be one of the following values: [text, textV2, sticker, image, video, audio, location, imagemap, "
      .. "template, flex, coupon]"},
  {{{type = "text"}}, "messages[0].text", "May not be empty"},
  {{text{text = ""}}, "messages[0].text", "May not be empty"},
  {{text(), text{text = rep(5001)}}, "messages[1].text", "Length must be between 0 and 5000"},
  {{text{text = rep(2501, "🍎")}}, "messages[0].text", "Length must be between 0 and 5000"},
  {{text{text = "a", emojis = {{index = 0, productId = "p", emojiId = "e"}}}}, "messages[0].emojis[0].index",
    "Must be the position of a '$' in the text"},
  {{text{text = "$", emojis = {{index = 0, productId = "p"}}}}, "messages[0].emojis[0].emojiId", "May not be empty"},
  {{text{text = rep(21, "$"), emojis = list(21, {index = 0, productId = "p", emojiId = "e"})}}, "messages[0].emojis",
    "Size must be between 0 and 20"},
  {{{type = "sticker", packageId = "1"}}, "messages[0].stickerId", "May not be empty"},
  {{{type = "image", originalContentUrl = "http://example.com/a", previewImageUrl = U}},
    "messages[0].originalContentUrl", "invalid uri"},
  {{{type = "image", originalContentUrl = U .. rep(2000), previewImageUrl = U}},
    "messages[0].originalContentUrl", "Length must be between 0 and 2000"},
  {{{type = "location", title = rep(101), address = "a", latitude = 1, longitude = 2}}, "messages[0].title",
    "Length must be between 0 and 100"},
  {{{type = "location", title = "t", address = "a", latitude = 91, longitude = 2}}, "messages[0].latitude",
    "Must be between -90 and 90"},
  {{{type = "audio", originalContentUrl = U, duration = -1}}, "messages[0].duration",
    "Must be greater than or equal to 0"},
  {{quick{type = "message", text = "x"}}, "messages[0].quickReply.items[0].action.label", "May not be empty"},
  {{quick(with(TAP, {label = rep(21)}))}, "messages[0].quickReply.items[0].action.label",
    "Length must be between 0 and 20"},
  {{quick{type = "richmenuswitch", richMenuAliasId = "a", data = "d"}}, "messages[0].quickReply.items[0].action.type",
    "Must be one of the following values: [postback, message, uri, datetimepicker, clipboard, camera, cameraRoll, "
      .. "location]"},
  {{text{quickReply = {items = list(14, {type = "action", action = TAP})}}}, "messages[0].quickReply.items",
    "Size must be between 1 and 13"},
  {{text{sender = {name = rep(21)}}}, "messages[0].sender.name", "Length must be between 0 and 20"},
  {{template{type = "confirm", text = "a", actions = {TAP, TAP}}}, nil},
  {{with(buttons(), {altText = rep(1501)})}, "messages[0].altText", "Length must be between 0 and 1500"},
  {{{type = "template", altText = "a"}}, "messages[0].template", "May not be empty"},
}

for i, case in ipairs(STRUCTURAL) do
  tap.test(("structural %d: %s"):format(i, case[2] or "nothing"), function()
    local status, body = answer(case[1])
    if not case[2] then return tap.same({status, body}, {200, {}}) end
    tap.same(status, 400)
    tap.same(body, {message = "The request body has 1 error(s)", details = {{message = case[3], property = case[2]}}})
  end)
end

tap.test("all that is wrong with a request is told at once", function()
  local status, body = answer{text{text = ""}, {type = "hologram"}, {type = "sticker"}}
  tap.same({status, body.message, #body.details}, {400, "The request body has 4 error(s)", 4})
end)

-- ---- of one message: /body/contents/0, template/columns/5/title ----

local SEMANTIC = {
  {flex{type = "bubble"}, "/", "At least one block must be specified"},
  {flex{type = "carousel", contents = {{type = "bubble", hero = {type = "image", url = "http://example.com/a"}}}},
    "/contents/0/hero/url", "invalid uri scheme"},
  {flex{type = "bubble", footer = box({type = "text", text = "a"}, {type = "text", text = "a"}, {type = "button"})},
    "/footer/contents/2/action", "must be specified"},
  {part{type = "text", text = ""}, "/body/contents/0/text", "must be non-empty text"},
  {part{type = "text"}, "/body/contents/0/text", "must be specified"},
  {part{type = "text", text = 7}, "/body/contents/0/text", "invalid property"},
  {part{type = "text", text = "a", size = "huge"}, "/body/contents/0/size", "invalid property"},
  {part{type = "text", text = "a", color = "red"}, "/body/contents/0/color", "invalid property"},
  {part{type = "button", action = with(TAP, {label = rep(41)})}, "/body/contents/0/action/label",
    "must not be longer than 40 characters"},
  {part{type = "button", action = {type = "uri", label = "a", uri = "https://e.com/?a|b"}},
    "/body/contents/0/action/uri", "invalid uri scheme"},
  {part(kit.json.null), "/body/contents", "cannot contain null elements"},
  {part{type = "video", url = U, previewUrl = U, altContent = box()}, "/body/contents/0/type", "invalid property"},
  {flex{type = "bubble", body = {type = "box", layout = "grid", contents = {}}}, "/body/layout", "invalid property"},
  {buttons{text = rep(161)}, "template/text", "must not be longer than 160 characters"},
  {buttons{text = rep(61), title = "t"}, "template/text", "must not be longer than 60 characters"},
  {buttons{text = rep(61), thumbnailImageUrl = U}, "template/text", "must not be longer than 60 characters"},
  {buttons{title = rep(41)}, "template/title", "must not be longer than 40 characters"},
  {buttons{actions = {{type = "message", text = "a"}}}, "template/actions/0/label", "must be specified"},
  {buttons{actions = {with(TAP, {label = rep(21)})}}, "template/actions/0/label",
    "must not be longer than 20 characters"},
  {carousel(column(), column(), column(), column(), column(), column{title = rep(41)}), "template/columns/5/title",
    "must not be longer than 40 characters", 2},
  {carousel(column(), column{actions = {TAP, TAP}}), "template/columns/1/actions", "must be as many in all columns"},
  {carousel(column{title = "t"}, column()), "template/columns/1/title", "must be specified in all columns or in none"},
  {carousel(column{actions = list(4, TAP)}), "template/columns/0/actions", "Size must be between 1 and 3"},
  {template{type = "image_carousel", columns = {{imageUrl = U, action = with(TAP, {label = rep(13)})}}},
    "template/columns/0/action/label", "must not be longer than 12 characters"},
  {{type = "textV2", text = "{a-b}"}, "text",
    "The key 'a-b' enclosed in '{}' does not match the pattern '^[a-zA-Z0-9_]{1,20}$'."},
  {{type = "textV2", text = "{who}"}, "text",
    "The key 'who' enclosed in '{}' is not found in the 'substitution' property."},
}

for i, case in ipairs(SEMANTIC) do
  tap.test(("of a message %d: %s"):format(i, case[2]), function()
    local status, body = answer{text(), case[1]}
    tap.same({status, body.message}, {400, "A message (messages[1]) in the request body is invalid"})
    tap.same({#body.details, body.details[1].property, body.details[1].message}, {case[4] or 1, case[2], case[3]})
  end)
end

tap.test("only the first message that is wrong is told, and only when the request is sound", function()
  local _, body = answer{part{type = "text"}, buttons{text = rep(161)}}
  tap.same({body.message, #body.details}, {"A message (messages[0]) in the request body is invalid", 1})
  _, body = answer{part{type = "text"}, text{text = ""}}
  tap.same(body.message, "The request body has 1 error(s)")
end)

-- ---- rich menus: must be specified, areas[0].action.uri ----

local AREA = {x = 0, y = 0, width = 10, height = 10}
local function menu(more)
  return with({size = {width = 2500, height = 1686}, selected = false, name = "m", chatBarText = "Tap",
    areas = {{bounds = AREA, action = TAP}}}, more)
end

for i, case in ipairs{
  {menu{name = kit.json.null}, "name", "must be specified"},
  {menu{chatBarText = rep(15)}, "chatBarText", "Length must be between 0 and 14"},
  {menu{areas = {{bounds = AREA, action = {type = "uri", uri = "https://e.com/a b"}}}}, "areas[0].action.uri",
    "invalid uri"},
  {menu{size = {width = 799, height = 300}}, "size.width", "Must be between 800 and 2500"},
  {menu{areas = list(21, {bounds = AREA, action = TAP})}, "areas", "Size must be between 0 and 20"},
  {menu(), nil},
} do
  tap.test(("a rich menu %d: %s"):format(i, case[2] or "nothing"), function()
    kit.world()
    local status, body = kit.post("/v2/bot/richmenu/validate", case[1])
    if not case[2] then return tap.same({status, body}, {200, {}}) end
    tap.same(body, {message = "The request body has 1 error(s)", details = {{message = case[3], property = case[2]}}})
  end)
end

-- ---- how letters are counted ----

local FAMILY = "👨‍👩‍👧‍👦" -- seven code points, one cluster

for name, case in pairs{
  ascii = {"abc", 3, 3, 3}, apple = {"🍎", 2, 1, 1}, family = {FAMILY, 11, 7, 1}, flag = {"🇯🇵🇹🇼", 8, 4, 2},
  ["an accent of its own"] = {"e\u{301}", 2, 2, 1}, ["a skin tone"] = {"👍🏽", 4, 2, 1},
    hangul = {"\u{1112}\u{1161}\u{11AB}", 3, 3, 1},
  ["a keycap"] = {"1\u{FE0F}\u{20E3}", 3, 3, 1}, kana = {"か\u{3099}", 2, 2, 1}, ["a line end"] = {"a\r\nb", 4, 4, 3},
  ["two apples"] = {"🍎🍎", 4, 2, 2}, thai = {"กี่", 3, 3, 1}, heart = {"❤️", 2, 2, 1},
} do
  tap.test("the letters of " .. name, function()
    tap.same({texts.utf16(case[1]), texts.code_points(case[1]), texts.graphemes(case[1])}, {case[2], case[3], case[4]})
  end)
end

tap.test("labels are counted as the emulator is told", function()
  local action = {type = "button", action = with(TAP, {text = rep(43, FAMILY)})}
  texts.labels = "graphemes"
  tap.same((answer{part(action)}), 200)
  texts.labels = "code points" -- 43 * 7 = 301, as live checks were seen to count
  tap.same((answer{part(action)}), 400)
  action.action.text = rep(42, FAMILY)
  tap.same((answer{part(action)}), 200)
  texts.labels = "graphemes"
end)

tap.done()
