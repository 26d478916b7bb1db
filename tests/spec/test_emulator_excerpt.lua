-- The lines of code around an error.

package.path = "tests/spec/?.lua;scripts/?.lua;" .. package.path
local tap = require "tap"
local excerpt = require "emulator.excerpt"

local FILE = "one\ntwo\nthree\r\nfour\n" .. ("x"):rep(300) .. "\nsix"
local asked

local function of(error)
  asked = nil
  return excerpt.of(error, function(path)
    asked = path
    return path == "bot.lua" and FILE or nil
  end)
end

tap.test("two lines before and after, the one that is named marked", function()
  tap.same(of("bot.lua:3: boom\n  bot.lua:3: in main"),
    "     1 | one\n     2 | two\n>    3 | three\n     4 | four\n     5 | " .. ("x"):rep(200))
  tap.same(of("bot.lua:1: boom"), ">    1 | one\n     2 | two\n     3 | three")
  tap.same(of("bot.lua:6: boom"), "     4 | four\n     5 | " .. ("x"):rep(200) .. "\n>    6 | six")
end)

tap.test("nothing without a place, beyond the end, or for a file that is not there", function()
  for _, error in ipairs{"boom", "bot.lua: boom", "bot.lua:70: boom", "other.lua:1: boom", "a: b\nbot.lua:1: boom"} do
    tap.same(of(error), nil)
  end
end)

tap.test("no way out of the bot's folder", function()
  for _, path in ipairs{"/etc/passwd", "../bot.lua", "lib/../../bot.lua", "./bot.lua"} do
    tap.same(of(path .. ":1: boom"), nil)
    tap.same(asked, nil)
  end
end)

tap.done()
