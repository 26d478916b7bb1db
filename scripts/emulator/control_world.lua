-- Controls: the world as it stands, and changing who and what is in it.

local base = require "emulator.act_base"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local faults = require "emulator.faults"
local feed = require "emulator.feed"
local json = require "json"
local near = require "emulator.near"
local people = require "emulator.people"
local world = require "emulator.world"
local worlds = require "emulator.worlds"

local SHOWN = 200       -- users in the world's overview
local CHATS_SHOWN = 500

local function list(things, show)
  local out = json.array()
  for i, thing in ipairs(things) do out[i] = show(thing) end
  return out
end

-- ---- users, in the order they were made; sorting a hundred thousand for each page would take too long ----

local order = {serial = -1}

local function users()
  local count = world.state.counters.user
  if order.serial ~= worlds.serial() or order.count ~= count then
    order = {serial = worlds.serial(), count = count, list = people.sorted(world.state.users)}
  end
  return order.list
end

local function some_users(search, start, limit)
  local out, total, wanted = json.array(), 0, search and search:lower()
  for _, user in ipairs(users()) do
    if not user.deleted and (not wanted or user.id == search or user.name:lower():find(wanted, 1, true)) then
      total = total + 1
      if total > start and #out < limit then out[#out + 1] = people.show_user(user) end
    end
  end
  return out, total
end

-- ---- chats: those that something happened in lately, then those that could be ----

-- What a chat is that nobody has written in: nothing of it is kept.
local function unused(kind, id, channel)
  return {key = kind == "user" and channel .. ":" .. id or id, type = kind, id = id, channel = channel, n = 0}
end

local function show_chat(chat)
  local state = world.state
  local channel = chat.channel
  local it = base.gathering(chat.id)
  if it then channel = it.channel end
  local entry = chat.n > 0 and world.entry(chat, chat.n) or nil
  local shown = {key = chat.key, type = chat.type, id = chat.id, channel = channel, n = chat.n,
    last = entry and base.shown(chat, chat.n, entry)}
  if chat.type == "user" and state.channels[channel] then
    local friend = state.channels[channel].friends[chat.id]
    shown.friend = friend and friend.state or "none"
  end
  return shown
end

local function some_chats(some)
  local state = world.state
  local out, seen = json.array(), {}
  local function put(chat)
    if not chat or seen[chat.key] or #out >= CHATS_SHOWN then return end
    seen[chat.key] = true
    out[#out + 1] = show_chat(chat)
  end
  local recent = {}
  for item in feed.each(0) do
    if item.kind == "message" then recent[#recent + 1] = item.chat end
  end
  for i = #recent, 1, -1 do put(state.chats[recent[i]]) end
  for i = #state.chat_list, math.max(1, #state.chat_list - CHATS_SHOWN), -1 do put(state.chats[state.chat_list[i]]) end
  for _, channel in ipairs(people.sorted(state.channels)) do
    for _, user in ipairs(some) do
      put(state.chats[channel.id .. ":" .. user.id] or unused("user", user.id, channel.id))
    end
  end
  for _, kind in ipairs{"group", "room"} do
    for _, it in ipairs(people.sorted(state[kind .. "s"])) do
      put(state.chats[it.id] or unused(kind, it.id, it.channel))
    end
  end
  return out
end

local function faults_to_come()
  local out = json.array()
  for _, fault in ipairs(faults.list()) do
    if not fault.over then out[#out + 1] = fault end
  end
  return out
end

local function overview()
  local state = world.state
  local shown, total = some_users(nil, 0, SHOWN)
  return {
    clock = {now = clock.now(), mode = clock.mode()},
    channels = list(people.sorted(state.channels), people.show_channel),
    users = shown, usersTotal = total,
    groups = list(people.sorted(state.groups), people.show_gathering),
    rooms = list(people.sorted(state.rooms), people.show_gathering),
    chats = some_chats(shown), chatsTotal = #state.chat_list,
    faults = faults_to_come(), feed = feed.last(), serial = worlds.serial(),
    instance = worlds.instance, live = worlds.live, generation = worlds.generation,
  }
end

-- ---- changing ----

local function changed(what, id)
  feed.put("world", {what = what, id = id})
end

local function find(set, id, what)
  return world.state[set][id] or errors.raise(404, ("there is no %s %s"):format(what, tostring(id)))
end

local USER_FIELDS = {name = "string: shown name", picture = "string: address of a picture",
  status = "string: status message",
  language = "string: as \"ja\"", phone = "string: as +818000001234, for notification messages",
  consent = "boolean: known to accounts in groups; true unless said", gender = "string: male or female",
  age = "integer: years", area = "string: as \"jp_13\"", app = "string: ios or android",
  ifa = "string: advertising id, of audiences made of those"}

local function change(thing, given, fields)
  if given.name == "" then base.refuse("name: a text is needed") end
  for name in pairs(fields) do
    local value = given[name]
    if value == "" then thing[name] = nil -- none any more
    elseif value ~= nil then thing[name] = value end
  end
end

local function need_id(id, letter, set)
  if id == nil then return end
  if not id:find("^" .. letter .. "%x+$") or #id ~= 33 then
    base.refuse("id: %s and 32 hexadecimal digits are needed", letter)
  end
  if world.state[set][id] then base.refuse("id: %s exists already", id) end
end

local function add_user(given)
  need_id(given.id, "U", "users")
  if not given.name or given.name == "" then base.refuse("name: a text is needed") end
  local user = people.add_user(given)
  for _, id in ipairs(given.friendOf or {}) do
    local channel = find("channels", tostring(id), "channel")
    channel.friends[user.id] = {state = "friend", since = clock.now()}
  end
  changed("user", user.id)
  return people.show_user(user)
end

local function with(fields, more)
  local out = {}
  for name, text in pairs(fields) do out[name] = text end
  for name, text in pairs(more) do out[name] = text end
  return out
end

local rows = {
  {method = "GET", path = "/_/world", what = "channels, people, groups, chats, faults, time", fn = overview},
  {method = "GET", path = "/_/users", what = "people, by a part of their name",
    fields = {search = "string: part of a name, or an id", start = "integer: how many to skip",
      limit = "integer: at most, 200"},
    fn = function(given)
      local shown, total = some_users(given.search, given.start or 0, math.min(given.limit or SHOWN, 1000))
      return {users = shown, total = total}
    end},
  {method = "POST", path = "/_/users", what = "a new person",
    fields = with(USER_FIELDS, {id = "string: U and 32 hexadecimal digits; made up unless given",
      friendOf = "list: ids of channels whose friend the person is"}), fn = add_user},
  {method = "PATCH", path = "/_/users/:id", what = "change a person", fields = USER_FIELDS, fn = function(given, params)
    local user = find("users", params.id, "user")
    change(user, given, USER_FIELDS)
    changed("user", user.id)
    return people.show_user(user)
  end},
  {method = "DELETE", path = "/_/users/:id", what = "the person deletes the account", fn = function(_, params)
    local user = find("users", params.id, "user")
    user.deleted = true
    for _, set in ipairs{"groups", "rooms"} do
      for _, it in pairs(world.state[set]) do it.members[user.id] = nil end
    end
    changed("user", user.id)
  end},
}

-- ---- groups and rooms ----

local GATHERING_FIELDS = {name = "string: its name", picture = "string: address of a picture"}

local function members_of(given)
  local out = {}
  for i, id in ipairs(given.members or {}) do out[i] = base.person(id, ("members[%d]"):format(i - 1)).id end
  return out
end

local function gathering_rows(kind, letter)
  local set, path = kind .. "s", "/_/" .. kind .. "s"
  local function add(given)
    need_id(given.id, letter, set)
    if kind == "group" and (not given.name or given.name == "") then base.refuse("name: a text is needed") end
    local channel = given.channel and find("channels", tostring(given.channel), "channel")
    local it = people.add_gathering(kind, {id = given.id, name = given.name, picture = given.picture,
      members = members_of(given), channel = channel and channel.id})
    changed(kind, it.id)
    return people.show_gathering(it)
  end
  local function edit(given, params)
    local it = find(set, params.id, kind)
    change(it, given, GATHERING_FIELDS)
    changed(kind, it.id)
    return people.show_gathering(it)
  end
  local function remove(_, params)
    find(set, params.id, kind)
    world.state[set][params.id] = nil
    changed(kind, params.id)
  end
  local new = with(GATHERING_FIELDS, {id = "string: " .. letter .. " and 32 hexadecimal digits",
    members = "list: ids of users",
    channel = "any: id of the channel whose account is in it already"})
  return {
    {method = "POST", path = path, what = "a new " .. kind, fields = new, fn = add},
    {method = "PATCH", path = path .. "/:id", what = "change a " .. kind, fields = GATHERING_FIELDS, fn = edit},
    {method = "DELETE", path = path .. "/:id", what = "the " .. kind .. " is given up", fn = remove},
  }
end
for _, kind in ipairs{{"group", "C"}, {"room", "R"}} do
  for _, row in ipairs(gathering_rows(kind[1], kind[2])) do rows[#rows + 1] = row end
end

-- ---- channels ----

local CLASSES = {unverified = true, verified = true, premium = true}
local ESCAPES = {raw = true, ascii = true, alternate = true}

-- Field of the control → field of the channel.
local CHANNEL = {name = "name", picture = "picture", class = "class", partner = "partner", module = "module",
  country = "country",
  chatMode = "chat_mode", readMode = "read_mode", join = "join", basicId = "basic_id", premiumId = "premium_id",
  secret = "secret", minimums = "minimums"}
local CHANNEL_FIELDS = {name = "string: of the account", picture = "string: address of a picture",
  class = "string: unverified, verified or premium", partner = "boolean: may use what is for partners only",
  module = "boolean: a module channel", country = "string: as \"JP\"", chatMode = "string: chat or bot",
  readMode = "string: auto or manual", join = "boolean: may be invited into groups", basicId = "string: @…",
  premiumId = "string: @…", secret = "string: the channel secret", webhook =
    "object: endpoint, active, redelivery, escapes (raw, ascii, alternate), together (events share a request)",
  minimums = "boolean: few people are too few for narrowcasts, audiences and statistics; true unless said",
  quota = "object: type (none or limited), value", used = "integer: messages used of this month's quota"}
local HOOK = {endpoint = "string", active = "boolean", redelivery = "boolean", escapes = "string", together = "boolean",
  statistics = "boolean"}

local function one_of(field, value, set)
  if value ~= nil and not set[value] then
    base.refuse("%s: '%s' is none of %s", field, tostring(value), near.list(set))
  end
end

local function check_channel(given)
  one_of("class", given.class, CLASSES)
  one_of("chatMode", given.chatMode, {chat = true, bot = true})
  one_of("readMode", given.readMode, {auto = true, manual = true})
  local hook = given.webhook or {}
  for name, value in pairs(hook) do
    if not HOOK[name] then base.refuse("webhook.%s: %s", tostring(name), near.unknown(tostring(name), HOOK)) end
    if type(value) ~= HOOK[name] then base.refuse("webhook.%s: a %s is needed", name, HOOK[name]) end
  end
  one_of("webhook.escapes", hook.escapes, ESCAPES)
  if hook.endpoint and hook.endpoint ~= "" and not hook.endpoint:find("^https?://[^/]+") then
    base.refuse("webhook.endpoint: '%s' is no address; write http://127.0.0.1:3000/webhook", hook.endpoint)
  end
  local quota = given.quota
  if quota then
    one_of("quota.type", quota.type, {none = true, limited = true})
    if quota.type == "limited" and math.type(quota.value) ~= "integer" then
      base.refuse("quota.value: a whole number is needed with \"limited\"")
    end
  end
end

local function apply(channel, given)
  for name, field in pairs(CHANNEL) do
    if given[name] ~= nil then channel[field] = given[name] end
  end
  for name, value in pairs(given.webhook or {}) do
    if value == "" then value = nil end
    channel.webhook[name] = value
  end
  if given.quota then channel.quota = {type = given.quota.type or "limited", value = given.quota.value} end
  if given.used then
    channel.used = channel.used or {}
    channel.used[require("emulator.usage").month()] = given.used
  end
  changed("channel", channel.id)
  return people.show_channel(channel)
end

rows[#rows + 1] = {method = "POST", path = "/_/channels", what = "a new channel, with an account of its own",
  fields = with(CHANNEL_FIELDS, {id = "any: digits", token = "string: its long-lived access token"}),
  fn = function(given)
    if given.id ~= nil and not tostring(given.id):find("^%d+$") then base.refuse("id: digits are needed") end
    if given.id and world.state.channels[tostring(given.id)] then
      base.refuse("id: channel %s exists already", given.id)
    end
    check_channel(given)
    return apply(people.add_channel{id = given.id, name = given.name, token = given.token}, given)
  end}
rows[#rows + 1] = {method = "PATCH", path = "/_/channels/:id", what = "change a channel: its webhook, quota, class …",
  fields = CHANNEL_FIELDS,
  fn = function(given, params)
    local channel = find("channels", params.id, "channel")
    check_channel(given)
    return apply(channel, given)
  end}
rows[#rows + 1] = {method = "POST", path = "/_/channels/:id/verify",
  what = "what the console's Verify button does: a webhook without events", fields = {},
  fn = function(_, params)
    local channel = find("channels", params.id, "channel")
    if not channel.webhook.endpoint then base.refuse("no webhook URL is set for %s", channel.name) end
    return require("emulator.deliver").test(channel, channel.webhook.endpoint)
  end}

return rows
