-- Deeds about who knows whom: adding, blocking, groups and their members.

local base = require "emulator.act_base"
local clock = require "emulator.clock"
local events = require "emulator.events"
local feed = require "emulator.feed"
local world = require "emulator.world"

local deeds = {}

local function friend_state(a)
  local friend = a.channel.friends[a.user.id]
  return friend and friend.state
end

local function set_friend(a, state)
  local friend = a.channel.friends[a.user.id]
  if friend then -- since is the first time; statistics ask who was what on a day
    friend.changes = friend.changes or {}
    friend.changes[#friend.changes + 1] = {state = state, at = clock.now()}
    friend.state = state
  else
    a.channel.friends[a.user.id] = {state = state, since = clock.now()}
  end
  feed.put("world", {what = "friend", id = a.user.id, channel = a.channel.id, state = state})
end

local function follow(a, wanted)
  base.need_one_to_one(a)
  local state = friend_state(a)
  if wanted and state ~= wanted then base.refuse("%s has not blocked %s", a.user.name, a.channel.name) end
  if state == "friend" then base.refuse("%s is a friend of %s already", a.user.name, a.channel.name) end
  set_friend(a, "friend")
  base.tell(a, "follow", {isUnblocked = state == "blocked"})
end

deeds.follow = {
  what = "add the account as a friend; who had blocked it unblocks it",
  fields = {}, fn = function(a) follow(a) end,
}

deeds.unblock = {what = "unblock the account", fields = {}, fn = function(a) follow(a, "blocked") end}

deeds.unfollow = {
  what = "block the account",
  fields = {},
  fn = function(a)
    base.need_one_to_one(a)
    local state = friend_state(a)
    if state == "blocked" then base.refuse("%s has blocked %s already", a.user.name, a.channel.name) end
    if not state then base.refuse("%s is no friend of %s", a.user.name, a.channel.name) end
    set_friend(a, "blocked")
    base.tell(a, "unfollow")
  end,
}
deeds.block = deeds.unfollow

-- ---- the account in groups and rooms ----

deeds.join = {
  what = "invite the account into the group or room",
  fields = {},
  fn = function(a)
    local it = base.need_gathering(a)
    local channel = a.wanted or a.channel or base.only_channel(a.body.channel)
    if it.channel == channel.id then base.refuse("%s is in %s already", channel.name, base.name_of(it)) end
    if it.channel and world.state.channels[it.channel] then
      base.refuse("%s is in %s, and only one account can be in a %s; let it leave first",
        world.state.channels[it.channel].name, base.name_of(it), a.kind)
    end
    if not channel.join then
      base.refuse("%s may not join groups: that is off unless the channel says join = true (PATCH /_/channels/%s)",
        channel.name, channel.id)
    end
    it.channel = channel.id
    a.channel = channel
    a.chat.channel = channel.id
    feed.put("world", {what = a.kind, id = it.id})
    if a.kind == "group" then base.tell(a, "join")
    else it.joining = true end
  end,
}

deeds.leave = {
  what = "remove the account from the group or room",
  fields = {},
  fn = function(a)
    local it = base.need_gathering(a)
    if not a.channel then base.refuse("there is no account in %s", base.name_of(it)) end
    it.channel, it.joining = nil, nil
    feed.put("world", {what = a.kind, id = it.id})
    base.tell(a, "leave")
  end,
}

-- ---- people in groups and rooms ----

local function members_of(a)
  local list = a.body.members or a.user and {a.user.id}
  if type(list) ~= "table" or #list == 0 then base.refuse("members: a list of user ids is needed") end
  local out = {}
  for i, id in ipairs(list) do out[i] = base.person(id, ("members[%d]"):format(i - 1)) end
  return out
end

-- Whoever has not agreed to be known to accounts is not named.
local function sources(users)
  local list = {}
  for _, user in ipairs(users) do
    if events.consents(user.id) then list[#list + 1] = {type = "user", userId = user.id} end
  end
  return list
end

deeds.memberJoin = {
  what = "people come into the group or room",
  fields = {members = "list of user ids"},
  fn = function(a)
    local it = base.need_gathering(a)
    local users = members_of(a)
    for _, user in ipairs(users) do
      if it.members[user.id] then base.refuse("%s is in %s already", user.name, base.name_of(it)) end
    end
    for _, user in ipairs(users) do it.members[user.id] = clock.now() end
    feed.put("world", {what = a.kind, id = it.id})
    local named = sources(users)
    if #named > 0 then base.tell(a, "memberJoined", {members = named}) end
  end,
}

deeds.memberLeave = {
  what = "people leave the group or room",
  fields = {members = "list of user ids"},
  fn = function(a)
    local it = base.need_gathering(a)
    local users = members_of(a)
    for _, user in ipairs(users) do
      if not it.members[user.id] then base.refuse("%s is not in %s", user.name, base.name_of(it)) end
    end
    for _, user in ipairs(users) do it.members[user.id] = nil end
    feed.put("world", {what = a.kind, id = it.id})
    local named = sources(users)
    if #named > 0 then base.tell(a, "memberLeft", {members = named}) end
  end,
}

return deeds
