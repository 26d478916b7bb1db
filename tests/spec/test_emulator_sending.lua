-- The emulator's sending: reply, push, multicast, broadcast.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
local world = require "emulator.world"

local function text(s) return {type = "text", text = s or "hello"} end

tap.test("a reply is accepted once, with ids and quote tokens", function()
  kit.world()
  local token = kit.said(kit.user(1), kit.user(1))
  local place = {type = "location", title = "t", address = "a", latitude = 1, longitude = 2}
  local status, body, headers = kit.post("/v2/bot/message/reply", {replyToken = token, messages = {text(), place}})
  tap.same(status, 200)
  tap.same(#body.sentMessages, 2)
  tap.same(body.sentMessages[1].id:match("^%d+$") ~= nil, true)
  tap.same(#body.sentMessages[1].quoteToken, 150)
  tap.same(body.sentMessages[2].quoteToken, nil)
  tap.same(#headers["x-line-request-id"], 36)
  local chat = kit.chat(kit.user(1))
  tap.same(chat.n, 3)
  local entry = world.entry(chat, 2)
  tap.same({entry.from, entry.via, entry.message.text}, {kit.BOT, "reply", "hello"})
  status, body = kit.post("/v2/bot/message/reply", {replyToken = token, messages = {text()}})
  tap.same({status, body}, {400, {message = "Invalid reply token"}})
end)

tap.test("a push reaches a friend", function()
  kit.world()
  local status, body = kit.post("/v2/bot/message/push", {to = kit.user(1), messages = {text()}})
  tap.same({status, #body.sentMessages}, {200, 1})
  tap.same(kit.chat(kit.user(1)).n, 1)
end)

tap.done()
