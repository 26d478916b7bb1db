-- Making and showing what a world is made of: users, groups, rooms, channels. For the controls, the seed and world
-- files.

local clock = require "emulator.clock"
local ids = require "emulator.ids"
local world = require "emulator.world"

local people = {}

-- people.add_user{id?, name, picture?, status?, language?, phone?, consent?, gender?, age?, area?, app?, ifa?} → the
-- user.
function people.add_user(given)
  local state = world.state
  local id = given.id or ids.user()
  local user = {id = id, name = given.name, picture = given.picture, status = given.status, language = given.language,
    phone = given.phone, consent = given.consent ~= false, n = ids.number("user"),
    gender = given.gender, age = given.age, area = given.area, app = given.app, ifa = given.ifa}
  state.users[id] = user
  return user
end

-- people.add_gathering("group" or "room", {id?, name?, picture?, members = list of user ids, channel?}) → it.
function people.add_gathering(kind, given)
  local id = given.id or (kind == "group" and ids.group() or ids.room())
  local members = {}
  for _, user in ipairs(given.members or {}) do members[user] = given.since or clock.now() end
  local it = {id = id, name = given.name, picture = given.picture, members = members, channel = given.channel,
    n = ids.number(kind)}
  world.state[kind .. "s"][id] = it
  return it
end

-- people.add_channel{id?, name, secret?, token?, bot?, …} → the channel; what is not given is made up.
function people.add_channel(given)
  local state = world.state
  local number = ids.number("channel")
  local id = given.id and tostring(given.id) or tostring(2000000000 + number)
  local hook = given.webhook or {}
  local channel = {
    id = id, n = number, name = given.name or "Bot", secret = given.secret or ids.hex(32),
      bot = given.bot or ids.user(),
    basic_id = given.basic_id or ("@" .. ids.hex(8)), premium_id = given.premium_id, picture = given.picture,
    class = given.class or "verified", partner = given.partner or false, module = given.module or false,
    country = given.country or "JP", chat_mode = given.chat_mode or "bot", read_mode = given.read_mode or "auto",
    tokens = {}, keys = {}, friends = {}, join = given.join or false,
    webhook = {endpoint = hook.endpoint, active = hook.active ~= false, redelivery = hook.redelivery or false,
      statistics = hook.statistics ~= false, escapes = hook.escapes or "raw", together = hook.together or false},
    quota = given.quota or {type = "none"}, minimums = given.minimums,
  }
  channel.tokens[given.token or ids.access_token()] = {kind = "long", since = clock.now()}
  state.channels[id] = channel
  return channel
end

-- ---- showing ----

function people.show_user(user)
  return {id = user.id, name = user.name, picture = user.picture, status = user.status, language = user.language,
    phone = user.phone, consent = user.consent ~= false, deleted = user.deleted, gender = user.gender, age = user.age,
    area = user.area, app = user.app, ifa = user.ifa}
end

local function by_number(a, b)
  if a.n ~= b.n then return (a.n or 0) < (b.n or 0) end
  return a.id < b.id
end

-- The same by counting: nil when numbers are missing, come twice or lie far apart.
local function by_counting(things)
  local size, last = #things, 0
  local at = table.move(things, 1, size, 1, {}) -- which has the room, for most numbers are small
  for n = 1, size do at[n] = false end
  for _, thing in ipairs(things) do
    local n = thing.n
    if not n or n < 1 or n > 4 * size or at[n] then return nil end
    at[n] = thing
    if n > last then last = n end
  end
  local list, k = {}, 0
  for n = 1, last do
    if at[n] then
      k = k + 1
      list[k] = at[n]
    end
  end
  return list
end

local MANY = 1000 -- of fewer, sorting is as quick

-- people.sorted(table of things with n and id) → list in the order they were made.
function people.sorted(set)
  local list = {}
  for _, thing in pairs(set) do list[#list + 1] = thing end
  if #list > MANY then
    local counted = by_counting(list)
    if counted then return counted end
  end
  table.sort(list, by_number)
  return list
end

function people.show_gathering(it)
  local members = {}
  for id in pairs(it.members) do members[#members + 1] = id end
  table.sort(members, function(a, b) -- in the order they came
    local x, y = it.members[a], it.members[b]
    if x ~= y then return x < y end
    return a < b
  end)
  return {id = it.id, name = it.name, picture = it.picture, members = require("json").array(members),
    channel = it.channel}
end

-- people.token_of(channel) → a long-lived token of it.
function people.token_of(channel)
  for token, record in pairs(channel.tokens) do
    if record.kind == "long" and not record.expires then return token end
  end
end

function people.show_channel(channel)
  local hook, quota = channel.webhook, channel.quota or {type = "none"}
  return {
    id = channel.id, name = channel.name, bot = channel.bot, basicId = channel.basic_id, premiumId = channel.premium_id,
    picture = channel.picture, class = channel.class, partner = channel.partner, module = channel.module,
    country = channel.country, chatMode = channel.chat_mode, readMode = channel.read_mode, join = channel.join,
    minimums = channel.minimums ~= false,
    secret = channel.secret, token = people.token_of(channel),
    webhook = {endpoint = hook.endpoint, active = hook.active ~= false, redelivery = hook.redelivery or false,
      statistics = hook.statistics ~= false, escapes = hook.escapes or "raw", together = hook.together or false},
    quota = {type = quota.type, value = quota.value, used = require("emulator.usage").used(channel)},
    defaultRichMenu = channel.richmenus and channel.richmenus.default,
  }
end

return people
