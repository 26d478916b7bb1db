-- Mentions and LINE's emoji: the platform's UTF-16 indexes as byte positions, and text without mentions.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local function with(message, fn)
  local line, router = stub.fresh()
  if message then message.type = message.type or "text" end
  line.on("*", function(e) fn(e, line) end)
  router.handle({type = "message", replyToken = "r", source = {type = "user", userId = "U1"}, message = message})
end

local function mentions(text, ...)
  return {text = text, mention = {mentionees = {...}}}
end

test("mentions lie where string.sub finds them, behind characters of two units, too", function()
  local text = "🍎🍏 @björn と @All!"
  with(mentions(text, {index = 5, length = 6, type = "user", userId = "U9"}, {index = 14, length = 4, type = "all"},
    {index = 0, length = 2, type = "user", isSelf = true}), function(e)
    local list = e:mentions()
    same(#list, 3)
    same(list[1], {type = "user", userId = "U9", isSelf = false, text = "@björn", from = 10, to = 16})
    same({list[2].type, list[2].text}, {"all", "@All"})
    same({list[3].text, list[3].isSelf, list[3].from, list[3].to}, {"🍎", true, 1, 4})
    for _, m in ipairs(list) do same(e.message.text:sub(m.from, m.to), m.text) end
  end)
end)

test("numbers that do not fit the text leave the place open", function()
  with(mentions("hi", {index = 9, length = 2, type = "user"}, {index = -1, length = 1, type = "user"},
    {type = "user", userId = "U2"}, {index = 0.5, length = 1, type = "user"}, "odd",
    {index = 1, length = 9, type = "x"}), function(e)
      local list = e:mentions()
      same(#list, 5)
      for i = 1, 4 do same({list[i].from, list[i].to, list[i].text}, {}) end
      same(list[5], {type = "x", isSelf = false, from = 2, to = 2, text = "i"})
      same(e:text_without_mentions(), "h")
    end)
end)

test("who is mentioned", function()
  with(mentions("@bot @anna", {index = 0, length = 4, type = "user", userId = "Ub", isSelf = true},
    {index = 5, length = 5, type = "user", userId = "Ua"}), function(e)
    same({e:mentioned(), e:mentioned("Ua"), e:mentioned("Ux")}, {true, true, false})
  end)
  with(mentions("@All", {index = 0, length = 4, type = "all"}), function(e) same(e:mentioned(), false) end)
  with({text = "plain"}, function(e) same({e:mentioned(), #e:mentions(), #e:emojis()}, {false, 0, 0}) end)
  with({type = "image", mention = "odd", emojis = 3}, function(e) same({e:mentioned(), #e:mentions(), #e:emojis()},
    {false, 0, 0}) end)
  with(nil, function(e) same({e:mentioned(), #e:mentions(), #e:emojis()}, {false, 0, 0}) end)
end)

test("text without mentions leaves no hole", function()
  local bot = {index = 0, length = 4, type = "user", isSelf = true}
  local function check(want, words, ...)
    local list = {...}
    with(mentions(words, table.unpack(list)), function(e) same(e:text_without_mentions(), want) end)
  end
  check("help me", "@bot help me", bot)
  check("help me", "@bot\u{3000}\u{3000}help me", bot)
  check("help\nme", "@bot\nhelp\nme", bot)
  check("", "@bot", bot)
  check("say hi to them", "say @bot hi to them", {index = 4, length = 4, type = "user", isSelf = true})
  check("寿司 ください", "寿司 @bot ください@ana", {index = 3, length = 4}, {index = 12, length = 4})
  check("ab", "a@bot@anab", {index = 5, length = 4}, {index = 1, length = 4})
  check("x", "@bot x", bot, {index = 0, length = 1, type = "user"})
  check("a, b", "a, b  @bot \u{3000}", {index = 6, length = 4})
  with(mentions("@bot wake @ana", bot, {index = 10, length = 4, type = "user", userId = "Ua"}), function(e)
    same(e:text_without_mentions("self"), "wake @ana")
    same(e:text_without_mentions(), "wake")
    raises('takes "self" or nothing, not bot', e.text_without_mentions, e, "bot")
  end)
  with({type = "image"}, function(e) raises("this event has no text", e.text_without_mentions, e) end)
end)

test("emoji placeholders", function()
  with({text = "🍎(hello) x ()", emojis = {{index = 2, length = 7, productId = "p", emojiId = "007"},
    {index = 12, length = 2, productId = "p", emojiId = "001"}}}, function(e)
    same(e:emojis(), {{productId = "p", emojiId = "007", text = "(hello)", from = 5, to = 11},
      {productId = "p", emojiId = "001", text = "()", from = 15, to = 16}})
  end)
end)

test("line.utf16 names what it has", function()
  local line = stub.fresh()
  same(line.utf16.len("a🍎"), 3)
  raises("line.utf16.length does not exist", function() return line.utf16.length end)
end)

tap.done()
