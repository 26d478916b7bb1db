-- A control for a terminal: say something, read what the bot answers.
--
--     curl -d 'hello' http://127.0.0.1:8080/_/say

local act = require "emulator.act"
local feed = require "emulator.feed"
local json = require "json"
local people = require "emulator.people"
local summary = require("emulator.console").summary
local world = require "emulator.world"

local PATIENCE = 10    -- seconds an answer may take to come
local QUIET = 0.15     -- and after the last one: several messages, or a push behind the reply, belong together

-- Whether the item ends the waiting for answers to this event: its handler is through, or it never got there.
local function ends(item, event)
  if item.event ~= event then return false end
  return item.kind == "news" and (item.what == "handled" or item.what == "blamed")
    or item.kind == "delivery" and not item.ok
end

local function problem(item)
  if item.kind == "delivery" then
    return "the webhook was not taken: " .. tostring(item.error or item.status)
  end
  return item.error or item.outcome == "unhandled" and "no handler takes it" or nil
end

-- Who speaks unless it is said: the first one who has added the account, else the first.
local function somebody()
  local users = people.sorted(world.state.users)
  for _, user in ipairs(users) do
    for _, channel in pairs(world.state.channels) do
      if world.is_friend(channel, user.id) then return user.id end
    end
  end
  return users[1] and users[1].id
end

local function line(message)
  return message.type == "text" and message.text or summary(message)
end

local function say(given, _, request)
  local text = request.body or ""
  local as = given.as or somebody()
  local deed = {as = as, chat = given.chat, ["do"] = "message", message = {type = "text", text = text}}
  if given.tap then deed = {as = as, chat = given.chat, ["do"] = "postback", data = given.tap} end
  local seq = feed.last()
  local done = act.perform(deed)
  local event = done.events[1]
  local answers, why, over = json.array(), nil, not event
  while true do
    local item = feed.wait(seq, over and QUIET or PATIENCE, function(item)
      return item.kind == "message" and item.entry and world.channel_of_bot(item.entry.from) ~= nil
        or not over and ends(item, event)
    end)
    if not item then break end
    seq = item.seq
    if item.kind == "message" then
      answers[#answers + 1] = item.entry.message
    else
      over, why = true, problem(item)
    end
  end
  if (request.headers.accept or ""):find("json", 1, true) then
    return {event = event, answers = answers, problem = why}
  end
  local lines = {}
  for i, message in ipairs(answers) do lines[i] = line(message) end
  if why then lines[#lines + 1] = "(" .. why .. ")" end
  if not lines[1] then lines[1] = "(no answer)" end
  return 200, table.concat(lines, "\n") .. "\n", {["content-type"] = "text/plain; charset=utf-8"}
end

return {
  {method = "POST", path = "/_/say", raw = true,
    what = "say the text of the body, and see what the bot answers: lines, or JSON for Accept: application/json",
    fields = {as = "string: id or name of the person; the first friend unless said",
      chat = "string: key of the chat; the one with the account unless said",
      tap = "string: in place of a text, the data of a button that is tapped"}, fn = say},
}
