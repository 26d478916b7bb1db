-- Worlds in Lua files, for people: a file returns what is in its world. What is saved is JSON, see world_save.lua.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local fields = require "emulator.world_fields"
local ids = require "emulator.ids"
local people = require "emulator.people"
local world = require "emulator.world"

local world_file = {}

-- ---- Lua ----

-- What a world file may use: enough to make a hundred thousand users in a loop, nothing that reaches out.
local function environment()
  return {ipairs = ipairs, pairs = pairs, next = next, select = select, tonumber = tonumber, tostring = tostring,
    type = type,
    error = error, assert = assert, unpack = table.unpack,
    string = {format = string.format, rep = string.rep, sub = string.sub, upper = string.upper, lower = string.lower,
      byte = string.byte, char = string.char, len = string.len, gsub = string.gsub, match = string.match,
        find = string.find},
    table = {insert = table.insert, concat = table.concat, sort = table.sort, unpack = table.unpack, pack = table.pack,
      remove = table.remove},
    math = {floor = math.floor, ceil = math.ceil, min = math.min, max = math.max, abs = math.abs, huge = math.huge,
      tointeger = math.tointeger, type = math.type},
    utf8 = {char = utf8.char, len = utf8.len, codepoint = utf8.codepoint},
  }
end

-- The line on which `name =` stands, when it is the only one: a place in a table that a loop made has none.
local function line_of(text, name)
  local n, found, many = 0, nil, false
  for each in (text .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    if each:find("%f[%w_]" .. name .. "%f[^%w_]%s*=[^=]") then
      many = found ~= nil
      found = found or n
    end
  end
  return not many and found or nil
end

local function refuse(text, ...) errors.raise(400, text:format(...)) end

local reading -- {text=, name=} of the file, for messages

-- What is wrong with a field: file and line, path in the table, what.
local function mistake(path, field, said)
  local at = field and line_of(reading.text, field)
  refuse("%s%s: %s: %s", reading.name, at and ":" .. at or "", path, said)
end

-- world_file.read(text, name) → the table the file returns, checked. Raises a refusal that names file, line and field.
-- A file that runs without end is ended by the limit that every task has, and the task with it; so this stands before
-- anything is changed.
function world_file.read(text, name)
  local chunk, e = load(text, "@" .. name, "t", environment())
  if not chunk then refuse("%s", e) end
  local ok, made = pcall(chunk)
  if not ok then refuse("%s", tostring(made)) end
  if type(made) ~= "table" then
    refuse("%s: it returns %s, not a table: return {channels = {…}, users = {…}}", name, type(made))
  end
  reading = {text = text, name = name}
  fields.check(made, mistake)
  return made
end

-- ---- from the table to the state ----

-- A mistake at a place: {list, number} of a part of the file, and what follows, as ".chat" or "". Made into text only
-- here, for there may be hundreds of thousands of parts.
local function fail(place, suffix, text, ...)
  local path = ("%s[%d]%s"):format(place[1], place[2], suffix)
  mistake(path, path:match("([%a_][%w_]*)[^%a]*$"), text:format(...))
end

-- Names and ids that a file may use for people: id, or a name only one has.
local function finder()
  local by_name = {}
  for id, user in pairs(world.state.users) do
    by_name[user.name] = by_name[user.name] == nil and id or false
  end
  return function(who, place, suffix)
    if world.state.users[who] then return who end
    local id = by_name[who]
    if id == false then fail(place, suffix, "several are called '%s'; give them ids", who) end
    return id or fail(place, suffix, "there is nobody called '%s'", tostring(who))
  end
end

local function channel_of(which, place, suffix)
  local channels = world.state.channels
  if channels[tostring(which)] then return channels[tostring(which)] end
  for _, channel in pairs(channels) do
    if channel.name == which then return channel end
  end
  fail(place, suffix, "there is no channel '%s'", tostring(which))
end

local function add_channels(made, settings)
  local list = made.channels or {{}}
  for i, given in ipairs(list) do
    local own = i == 1 and settings or {} -- what the command line says is said of the first one
    local hook = given.webhook
    if type(hook) == "string" then hook = {endpoint = hook} end
    hook = hook or {}
    local quota = given.quota
    if math.type(quota) == "integer" then quota = {type = "limited", value = quota} end
    local channel = people.add_channel{
      id = own.channel_id or given.id, name = own.bot_name or given.name, secret = own.secret or given.secret,
      token = own.token or given.token, bot = given.bot, basic_id = given.basicId, premium_id = given.premiumId,
      picture = given.picture, class = given.class, partner = given.partner, module = given.module,
      country = given.country,
      chat_mode = given.chatMode, read_mode = given.readMode, join = given.join ~= false, quota = quota,
      minimums = given.minimums,
      webhook = {endpoint = own.webhook or hook.endpoint, active = hook.active, redelivery = hook.redelivery,
        escapes = hook.escapes, together = hook.together, statistics = hook.statistics},
    }
    if given.used then channel.used = {[require("emulator.usage").month()] = given.used} end
  end
end

local FRIEND = {[true] = "friend", friend = "friend", blocked = "blocked"}

local function add_users(made)
  local channels = people.sorted(world.state.channels)
  for i, given in ipairs(made.users or {}) do
    local place = {"users", i}
    if given.id and world.state.users[given.id] then fail(place, ".id", "%s is somebody already", given.id) end
    local user = people.add_user(given)
    local friend = given.friend
    if FRIEND[friend] then
      for _, channel in ipairs(channels) do channel.friends[user.id] = {state = FRIEND[friend], since = clock.now()} end
    elseif type(friend) == "table" then
      for which, state in pairs(friend) do
        if not FRIEND[state] then fail(place, ".friend", "true, \"friend\" or \"blocked\" for each channel") end
        channel_of(which, place, ".friend").friends[user.id] = {state = FRIEND[state], since = clock.now()}
      end
    elseif friend then
      fail(place, ".friend", "true, \"friend\", \"blocked\", or a table of channel = state")
    end
  end
end

local function add_gatherings(made, kind, find)
  for i, given in ipairs(made[kind .. "s"] or {}) do
    local place = {kind .. "s", i}
    local members = {}
    for k, who in ipairs(given.members or {}) do members[k] = find(who, place, (".members[%d]"):format(k)) end
    local channel
    if given.bot == true then channel = people.sorted(world.state.channels)[1]
    elseif given.bot then channel = channel_of(given.bot, place, ".bot") end
    people.add_gathering(kind, {id = given.id, name = given.name, picture = given.picture, members = members,
      channel = channel and channel.id})
  end
end

-- A group or room by id or name.
local function gathering(which)
  for _, kind in ipairs{"group", "room"} do
    for id, it in pairs(world.state[kind .. "s"]) do
      if id == which or it.name == which then return it, kind end
    end
  end
end

local function add_history(made, find)
  local known = {} -- chats by what the file calls them
  local history = made.history or {}
  for i = 1, #history do
    local given, at = history[i], {"history", i}
    history[i] = nil -- a million of them need not stay until the last is done
    local key = (given.channel or "") .. "\0" .. tostring(given.chat)
    local place = known[key]
    if not place then
      local it, kind = gathering(given.chat)
      if it then
        local channel = it.channel and world.state.channels[it.channel]
        place = {channel = channel, chat = world.chat(channel, {type = kind, [kind .. "Id"] = it.id})}
      else
        local user = find(given.chat, at, ".chat")
        local channel = given.channel and channel_of(given.channel, at, ".channel")
          or people.sorted(world.state.channels)[1]
        place = {channel = channel, user = user, chat = world.chat(channel, {type = "user", userId = user})}
      end
      known[key] = place
    end
    local from = given.from
    local by_bot = from == "bot"
    if by_bot and not place.channel then fail(at, ".from", "there is no account in that chat") end
    local author = by_bot and place.channel.bot or from and find(from, at, ".from") or place.user
    if not author then fail(at, ".from", "say who, or \"bot\"") end
    local message = given.message or {type = "text", text = given.text}
    if not message.type or message.type == "text" and type(message.text) ~= "string" then
      fail(at, "", "text, or a message with its type, is needed")
    end
    local id = ids.message()
    if not by_bot then message.id = id end
    world.add(place.chat, {id = id, time = clock.now() + math.floor((given.at or 0) * 1000), from = author,
      message = message,
      via = by_bot and "push" or nil, event = not by_bot and ids.ulid(clock.now()) or nil, read = by_bot or nil})
  end
end

-- The channel that a part of the file belongs to: the one it names, or the first.
local function owner(given, place)
  return given.channel and channel_of(given.channel, place, ".channel") or people.sorted(world.state.channels)[1]
end

-- Coupons are made as the API makes them, but may have an id that tests can rely on.
local function add_coupons(made)
  local row = require("emulator.routes").row("create_coupon")
  for i, given in ipairs(made.coupons or {}) do
    local channel = owner(given, {"coupons", i})
    local id = require("emulator.operations.coupons").create_coupon{channel = channel, row = row, body = given}.couponId
    if given.couponId then
      channel.coupons[given.couponId], channel.coupons[id] = channel.coupons[id], nil
    end
  end
end

local function add_memberships(made, find)
  local memberships = require "emulator.operations.memberships"
  for i, given in ipairs(made.memberships or {}) do
    local place = {"memberships", i}
    local channel = owner(given, place)
    channel.memberships = channel.memberships or {plans = {}, members = {}}
    local plan = {}
    for name, value in pairs(given) do
      if name ~= "members" and name ~= "channel" then plan[name] = value end
    end
    channel.memberships.plans[tostring(given.membershipId)] = plan
    for k, who in ipairs(given.members or {}) do
      memberships.change(channel, find(who, place, (".members[%d]"):format(k)), given.membershipId, "joined")
    end
  end
end

-- Audiences that the account has from elsewhere, or that others share with it.
local function add_audiences(made, find)
  for i, given in ipairs(made.audiences or {}) do
    local place = {"audiences", i}
    local members, n = {}, 0
    for k, who in ipairs(given.members or {}) do
      local id = find(who, place, (".members[%d]"):format(k))
      if not members[id] then members[id], n = true, n + 1 end
    end
    require("emulator.operations.audiences").make(owner(given, place), {
      id = given.audienceGroupId, name = given.description, type = given.type,
      route = given.createRoute or "OA_MANAGER",
      members = members, n = n, ready = n > 0, status = given.status, owner = given.sharedBy,
    })
  end
end

-- world_file.fill(made [, settings]): fills the empty world with what a file said, see world_file.read.
function world_file.fill(made, settings)
  if made.seed then
    world.state = world.new(made.seed)
  end
  add_channels(made, settings or {})
  add_users(made)
  local find = finder()
  add_gatherings(made, "group", find)
  add_gatherings(made, "room", find)
  add_history(made, find)
  add_coupons(made)
  add_audiences(made, find)
  add_memberships(made, find)
end

return world_file
