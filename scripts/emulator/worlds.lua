-- Worlds as a whole: the one it starts with, snapshots, putting another in its place.

local clock = require "emulator.clock"
local crypto = require "crypto"
local deliver = require "emulator.deliver"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local people = require "emulator.people"
local rates = require "emulator.rates"
local records = require "emulator.records"
local statistics = require "emulator.statistics"
local world = require "emulator.world"

local worlds = {}

local SNAPSHOTS = 20 -- kept; the oldest goes

local serial = 0     -- how often the world was replaced
local first          -- function that returns the function which makes the world one starts with
local snapshots, order, counter = {}, {}, 0

-- worlds.instance: another text each time the emulator starts, so that a page which finds it again knows whether the
-- numbers it has are still those. worlds.live: the bot talks to LINE itself, and the page only looks on.
worlds.instance = crypto.uuid()
-- worlds.generation: what was told last of the bot's newest code, an item of on_news.
worlds.live = false

-- worlds.collect(pause): collects garbage and says at how many per cent of what is left that is done again; the door
-- puts the host's in its place.
worlds.collect = function() end

local LARGE = 64 * 1024 -- KiB: with more a collection is worth its time, and twice as much would be too much
local tight = false

-- worlds.tighten(): little garbage gathers from now on, until the next world that is small is in place.
function worlds.tighten()
  tight = true
  worlds.collect(130)
end

-- A world that is gone leaves as much behind as it had.
local function settle()
  if collectgarbage("count") > LARGE then
    worlds.tighten()
  elseif tight then
    tight = false
    worlds.collect(200)
  end
end

-- worlds.settings: what the command line says of the account: secret, token, webhook …
worlds.settings = {}

-- worlds.own(state) → state, a saved one, whose first account is now the one of this command line: the bot that runs
-- beside us has another port and another secret than the one beside which the world was saved.
function worlds.own(state)
  local said, channel = worlds.settings, people.sorted(state.channels)[1]
  if not channel then return state end
  channel.secret = said.secret or channel.secret
  channel.webhook.endpoint = said.webhook or channel.webhook.endpoint
  if said.token and not channel.tokens[said.token] then
    channel.tokens[said.token] = {kind = "long", since = clock.now()}
  end
  return state
end

-- worlds.serial(): grows with each replacement; whoever keeps something made of the state compares it.
function worlds.serial() return serial end

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, part in pairs(value) do out[key] = copy(part) end
  return setmetatable(out, getmetatable(value))
end

-- worlds.replace(state [, now]): another state; what is on its way or due belongs to the old one and is forgotten.
function worlds.replace(state, now)
  deliver.reset()
  clock.reset(now)
  world.state = state
  rates.reset()
  records.clear()
  statistics.clear()
  serial = serial + 1
  settle()
  feed.put("world", {what = "replaced", serial = serial})
end

-- worlds.begin(prepare): prepare() reads what the world is to be and returns the function that fills world.state, which
-- is empty then; reset does both again.
function worlds.begin(prepare)
  first = prepare
  worlds.reset()
end

-- worlds.reset(): back to the world one started with. When making it fails the present one stays.
function worlds.reset()
  worlds.make(first())
end

-- worlds.make(make): a new world filled by make(), which does not wait. When it raises the present one stays.
function worlds.make(make)
  local before = world.state
  world.state = world.new(1)
  local ok, e = pcall(make)
  local made = world.state
  world.state = before
  if not ok then error(e, 0) end
  worlds.replace(made)
end

-- worlds.snapshot() → its id.
function worlds.snapshot()
  counter = counter + 1
  local id = tostring(counter)
  snapshots[id] = {state = copy(world.state), now = clock.now()}
  order[#order + 1] = id
  if #order > SNAPSHOTS then snapshots[table.remove(order, 1)] = nil end
  return id
end

-- worlds.restore(id): the world as it was then, and with a virtual clock its time.
function worlds.restore(id)
  local kept = snapshots[id]
  if not kept then
    errors.raise(404, ("there is no snapshot %s; the last %d are kept"):format(tostring(id), SNAPSHOTS))
  end
  worlds.replace(copy(kept.state), kept.now)
end

return worlds
