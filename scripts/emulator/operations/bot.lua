-- The account itself: what it is, where its webhook is, what it shows in a chat.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local send = require "emulator.send"
local texts = require "emulator.check_text"
local world = require "emulator.world"

local bot = {}

function bot.get_bot_info(call)
  local channel = call.channel
  return {userId = channel.bot, basicId = channel.basic_id, premiumId = channel.premium_id, displayName = channel.name,
    pictureUrl = channel.picture, chatMode = channel.chat_mode or "bot", markAsReadMode = channel.read_mode or "auto"}
end

-- ---- webhook ----

-- LINE takes https only; a bot on this machine has no certificate, so its plain address is taken here.
local function is_endpoint(url)
  if type(url) ~= "string" or #url > 500 then return false end
  if texts.url(url) == nil then return true end
  local host = url:match("^http://(%[::1%])") or url:match("^http://([^/:?#]+)")
  return texts.url(url, true) == nil
    and (host == "localhost" or host == "[::1]" or host ~= nil and host:find("^127%.%d+%.%d+%.%d+$") ~= nil)
end

local function invalid() errors.raise(400, "Invalid webhook endpoint URL") end

function bot.get_webhook_endpoint(call)
  local webhook = call.channel.webhook
  if not webhook.endpoint then errors.raise(404, "Webhook endpoint not found") end
  return {endpoint = webhook.endpoint, active = webhook.active == true}
end

function bot.set_webhook_endpoint(call)
  if not is_endpoint(call.body.endpoint) then invalid() end
  call.channel.webhook.endpoint = call.body.endpoint
  feed.put("world", {what = "channel", id = call.channel.id})
  return nil
end

function bot.test_webhook_endpoint(call)
  local endpoint = call.body.endpoint
  if endpoint and not is_endpoint(endpoint) then invalid() end
  endpoint = endpoint or call.channel.webhook.endpoint
  if not endpoint then errors.raise(404, "Webhook endpoint not found") end
  local result = require("emulator.deliver").test(call.channel, endpoint)
  if result.detail:find("^Unknown host") then invalid() end -- a name that leads nowhere is no address
  return result
end

-- ---- chats ----

function bot.show_loading_animation(call)
  local id, seconds = call.body.chatId, call.body.loadingSeconds or 20
  if not id:find("^U" .. ("%x"):rep(32) .. "$") then
    errors.invalid{{property = "chatId",
      message = "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids."}}
  end
  if send.reaches(call.channel, id) then
    local chat = world.chat(call.channel, {type = "user", userId = id})
    chat.loading = clock.now() + seconds * 1000
    call.chat = chat.key
    feed.put("loading", {chat = chat.key, seconds = seconds})
  end
  return 202, {}
end

-- With the chat function off everything is read as it comes.
local function read(call, chat, place)
  call.chat = chat.key
  if call.channel.chat_mode ~= "chat" or place <= (chat.read or 0) then return end
  world.read(chat, place)
  feed.put("change", {chat = chat.key, what = "read", place = place})
end

function bot.mark_messages_as_read_by_token(call)
  local id = ids.read(call.body.markAsReadToken)
  local chat, place, entry = nil, nil, nil
  if id then chat, place, entry = world.find(id) end
  if not chat or chat.channel ~= call.channel.id or not entry.event then
    errors.raise(400, "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook.")
  end
  read(call, chat, place)
  return nil
end

function bot.mark_messages_as_read(call)
  if not call.channel.partner then errors.raise(403, "Access to this API is not available for your account") end
  local user = call.body.chat.userId
  if type(user) ~= "string" or not user:find("^U" .. ("%x"):rep(32) .. "$") or not world.state.users[user] then
    errors.property("chat.chatId")
  end
  local chat = world.state.chats[call.channel.id .. ":" .. user]
  if chat then read(call, chat, chat.n) end
  return nil
end

return bot
