-- Users, groups and rooms.

local json = require "json"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local pages = require "emulator.pages"
local world = require "emulator.world"

local people = {}

local LINK_TOKEN = 10 * 60 * 1000
local MEMBERS = 100 -- ids of a page

local LETTER = {userId = "U", groupId = "C", roomId = "R"}

-- The id of the path, which must have the form of its kind.
local function id_of(call, name)
  local id = call.path[name]
  if not id:find("^" .. LETTER[name] .. ("%x"):rep(32) .. "$") then
    errors.raise(400, ("The value for the '%s' parameter is invalid"):format(name))
  end
  return id
end

local function not_found() errors.raise(404, "Not found") end

local function only_verified(call)
  if call.channel.class == "unverified" then
    errors.raise(403, "Access to this API is not available for your account")
  end
end

-- ---- users ----

local function profile(user, groups)
  return {displayName = user.name, userId = user.id, pictureUrl = user.picture,
    language = not groups and user.language or nil, statusMessage = not groups and user.status or nil}
end

-- Whether the account may know the person: a friend who has not blocked it, or somebody who wrote to it.
local function known(channel, id)
  local user = world.state.users[id]
  if not user or user.deleted then return nil end
  local friend = channel.friends[id]
  if friend then return friend.state == "friend" and user or nil end
  local chat = world.state.chats[channel.id .. ":" .. id]
  return chat and chat.wrote and user or nil
end

function people.get_profile(call)
  local user = known(call.channel, id_of(call, "userId")) or not_found()
  return profile(user)
end

function people.get_followers(call)
  only_verified(call)
  local list, next_page = pages.page("followers " .. call.channel.id, call.query.start, call.query.limit or 300,
    function()
    local friends = {}
    for id, friend in pairs(call.channel.friends) do
      local user = world.state.users[id]
      if friend.state == "friend" and user and not user.deleted then friends[id] = true end
    end
    return pages.sorted(friends)
  end)
  return {userIds = json.array(list), next = next_page}
end

function people.issue_link_token(call)
  local id = id_of(call, "userId")
  if not world.state.users[id] then not_found() end
  local tokens = call.channel.link_tokens or {}
  call.channel.link_tokens = tokens
  for token, record in pairs(tokens) do
    if record.expires <= clock.now() then tokens[token] = nil end
  end
  local token = ids.link_token()
  tokens[token] = {user = id, expires = clock.now() + LINK_TOKEN}
  return {linkToken = token}
end

-- ---- groups and rooms ----

-- The group or room of the path, which the account must be in.
local function place_of(call, name)
  local id = id_of(call, name)
  local place = world.state[name == "groupId" and "groups" or "rooms"][id]
  if not place or place.channel ~= call.channel.id then not_found() end
  return place
end

function people.get_group_summary(call)
  local group = place_of(call, "groupId")
  return {groupId = group.id, groupName = group.name or "", pictureUrl = group.picture}
end

local function count(call, name)
  local n = 0
  for _ in pairs(place_of(call, name).members) do n = n + 1 end
  return {count = n}
end

-- Those who have not agreed that their profile is given away are missing.
local function member_ids(call, name)
  only_verified(call)
  local place = place_of(call, name)
  local list, next_page = pages.page("members " .. call.channel.id .. place.id, call.query.start, MEMBERS, function()
    local found = {}
    for id in pairs(place.members) do
      local user = world.state.users[id]
      if user and user.consent ~= false then found[id] = true end
    end
    return pages.sorted(found)
  end)
  return {memberIds = json.array(list), next = next_page}
end

local function member(call, name)
  local place = place_of(call, name)
  local id = id_of(call, "userId")
  local user = world.state.users[id]
  if not place.members[id] or not user or user.consent == false then not_found() end
  return profile(user, true)
end

local function leave(call, name)
  local kind = name == "groupId" and "group" or "room"
  local id = id_of(call, name)
  local place = world.state[kind .. "s"][id]
  if not place or place.channel ~= call.channel.id then
    if kind == "group" or not place then not_found() end
    return nil -- a room is left by whoever is not in it, too
  end
  place.channel = nil
  feed.put("world", {what = kind, id = id})
  local chat = world.chat(call.channel, {type = kind, [name] = id})
  local event = require("emulator.events").new(call.channel, "leave", {chat = chat})
  require("emulator.deliver").event(call.channel, event, chat)
  return nil
end

for kind, name in pairs{group = "groupId", room = "roomId"} do
  people["get_" .. kind .. "_member_count"] = function(call) return count(call, name) end
  people["get_" .. kind .. "_members_ids"] = function(call) return member_ids(call, name) end
  people["get_" .. kind .. "_member_profile"] = function(call) return member(call, name) end
  people["leave_" .. kind] = function(call) return leave(call, name) end
end

return people
