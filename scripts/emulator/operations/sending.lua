-- Reply, push, multicast, broadcast, and checking without sending. Narrowcasts are in narrowcast.lua.

local reply_tokens = require "emulator.reply_tokens"
local rules = require "emulator.send_rules"
local send = require "emulator.send"
local usage = require "emulator.usage"
local world = require "emulator.world"

local sending = {}

-- ---- reply and push ----

function sending.reply_message(call)
  local record = reply_tokens.look(call.body.replyToken, call.channel)
  local chat = world.state.chats[record.chat]
  call.event = record.event
  call.chat = chat.key
  rules.in_chat(call, chat)
  local people = 1
  if chat.type ~= "user" then
    local _, there = send.target(call.channel, chat.id)
    people = there
  elseif not send.reaches(call.channel, chat.id) then
    people = 0 -- blocked meanwhile: accepted, and goes nowhere
  end
  reply_tokens.take(call.body.replyToken, call.channel, call.request_id)
  send.count(call, "reply", people, false)
  return {sentMessages = send.to_chat(call, people > 0 and chat or nil, "reply")}
end

function sending.push_message(call)
  rules.id(call.body.to, "to", "user", "group", "room")
  rules.units(call)
  local chat, people = send.target(call.channel, call.body.to)
  call.chat = chat and chat.key
  rules.in_chat(call, chat or {type = "user", id = call.body.to})
  usage.allow(call.channel, people)
  send.count(call, "push", people, true)
  return {sentMessages = send.to_chat(call, chat, "push")}
end

-- ---- to many ----

function sending.multicast(call)
  rules.units(call)
  rules.to_many(call)
  rules.coupons(call)
  local people, seen = {}, {}
  for i, user in ipairs(call.body.to) do
    rules.id(user, ("to[%d]"):format(i - 1), "user")
    if not seen[user] and send.reaches(call.channel, user) then people[#people + 1] = user end
    seen[user] = true
  end
  usage.allow(call.channel, #people)
  send.count(call, "multicast", #people, true)
  send.to_people(call, people, "multicast")
  return nil
end

function sending.broadcast(call)
  rules.to_many(call)
  rules.coupons(call)
  local people = send.friends(call.channel)
  usage.allow(call.channel, #people)
  send.count(call, "broadcast", #people, true)
  send.to_people(call, people, "broadcast")
  send.remember(call, "broadcast", people)
  return nil
end

-- ---- checking only ----

-- The messages were checked with the body; what depends on who gets them is not looked at here.
local function validate() return nil end

for _, way in ipairs{"reply", "push", "multicast", "narrowcast", "broadcast"} do
  sending["validate_" .. way] = way == "reply" and validate or way == "push" and validate or function(call)
    rules.to_many(call)
    return nil
  end
end

return sending
