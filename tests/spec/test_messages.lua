-- Builders.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises
local line = stub.fresh()

test("positional and named forms are the same", function()
  same(line.text("a"), line.text{text = "a"})
  same(line.text("a", {quoteToken = "q"}), {type = "text", text = "a", quoteToken = "q"})
  same(line.text_v2("{x}", {x = {type = "mention"}}),
    {type = "textV2", text = "{x}", substitution = {x = {type = "mention"}}})
  same(line.image("https://a/b.png"),
    {type = "image", originalContentUrl = "https://a/b.png", previewImageUrl = "https://a/b.png"})
  same(line.audio("u", 1000), {type = "audio", originalContentUrl = "u", duration = 1000})
  same(line.location("t", "a", 1.5, 2.5),
    {type = "location", title = "t", address = "a", latitude = 1.5, longitude = 2.5})
  same(line.coupon("c"), {type = "coupon", couponId = "c"})
end)

test("a named form is copied, not changed", function()
  local fields = {text = "a"}
  line.text(fields)
  same(fields, {text = "a"})
end)

test("templates: what belongs to the message and what to the template", function()
  local yes, no = line.action.postback("Yes", "yes"), line.action.message("No")
  same(line.confirm("alt", "Sure?", {yes, no}, {quickReply = line.quick_reply(yes)}), {type = "template",
    altText = "alt", quickReply = {items = {{type = "action", action = yes}}},
    template = {type = "confirm", text = "Sure?", actions = {yes, no}}})
  same(line.buttons{altText = "alt", title = "T", text = "x", actions = {yes}},
    {type = "template", altText = "alt", template = {type = "buttons", title = "T", text = "x", actions = {yes}}})
  same(line.carousel("alt", {{text = "1"}}, {imageSize = "cover"}).template,
    {type = "carousel", columns = {{text = "1"}}, imageSize = "cover"})
  same(no, {type = "message", label = "No", text = "No"})
end)

test("flex", function()
  local f = line.flex
  same(f("alt", f.bubble{body = f.box("vertical", {f.text("hi", {size = "xl"}), f.separator()})}), {type = "flex",
    altText = "alt", contents = {type = "bubble", body = {type = "box", layout = "vertical",
      contents = {{type = "text", text = "hi", size = "xl"}, {type = "separator"}}}}})
  same(f.carousel{f.bubble{}, f.bubble{}}, {type = "carousel", contents = {{type = "bubble"}, {type = "bubble"}}})
  same(f.button(line.action.uri("a", "https://x")),
    {type = "button", action = {type = "uri", label = "a", uri = "https://x"}})
  same(f.box{layout = "horizontal", contents = {}}, {type = "box", layout = "horizontal", contents = {}})
  same(f{altText = "alt", contents = f.bubble{}}, {type = "flex", altText = "alt", contents = {type = "bubble"}})
end)

test("quick replies take actions, items and a list", function()
  local a = line.action.camera("Cam")
  local item = {type = "action", imageUrl = "https://i", action = a}
  same(line.quick_reply(a, item), {items = {{type = "action", action = a}, item}})
  same(line.quick_reply{a}, {items = {{type = "action", action = a}}})
  raises("item 1 is not an action", line.quick_reply, "x")
end)

test("names that do not exist", function()
  raises("line.txt does not exist", function() return line.txt end)
  raises("line.get_profil does not exist (did you mean 'get_profile'?)", function() return line.get_profil end)
  raises("line.action.postbak does not exist", function() return line.action.postbak end)
  raises("line.flex.bubbel does not exist", function() return line.flex.bubbel end)
end)

test("wrong shapes of a call", function()
  raises("after packageId, stickerId comes a table", line.sticker, "1", "2", "3")
  raises("takes 2 arguments and a table of more fields, not 4", line.sticker, "1", "2", {}, 4)
end)

tap.done()
