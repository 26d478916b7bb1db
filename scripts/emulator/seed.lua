-- The world one starts with: an account, three people whose names are a test of themselves, a group.

local clock = require "emulator.clock"
local people = require "emulator.people"

local seed = {}

-- Fixed ids, so that what one copies from the page today works tomorrow.
seed.channel = {id = "2000000001", bot = "Ub0000000000000000000000000000001", basic_id = "@moonline"}
seed.users = {
  {id = "U0000000000000000000000000000a001", name = "Aiko 愛子", language = "ja", status = "こんにちは"},
  {id = "U0000000000000000000000000000b002", name = "Somchai สมชาย", language = "th"},
  {id = "U0000000000000000000000000000c003", name = "Zoë 🦊", language = "en", status = "👩‍👩‍👧 & <b>friends</b>"},
}
seed.group = {id = "C0000000000000000000000000000d004", name = "Lunch 🍜"}

-- seed.fill(settings): fills an empty world. settings: webhook, secret, token, channel_id, bot_name, all optional.
function seed.fill(settings)
  local given = settings or {}
  local channel = people.add_channel{
    id = given.channel_id or seed.channel.id, name = given.bot_name or "Bot", secret = given.secret,
      token = given.token,
    bot = seed.channel.bot, basic_id = seed.channel.basic_id, join = true, webhook = {endpoint = given.webhook},
  }
  local ids = {}
  for i, user in ipairs(seed.users) do ids[i] = people.add_user(user).id end
  people.add_gathering("group", {id = seed.group.id, name = seed.group.name, members = ids})
  channel.friends[ids[1]] = {state = "friend", since = clock.now()}
end

return seed
