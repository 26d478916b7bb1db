-- The door: the page, the controls, the platform's API, on one port. `moonline emulate` and `moonline dev` load this.

local api = require "emulator.api"
local clock = require "emulator.clock"
local control = require "emulator.control"
local faults = require "emulator.faults"
local feed = require "emulator.feed"
local host = require "emulator.host"
local records = require "emulator.records"
local seed = require "emulator.seed"
local web = require "web"
local world_file = require "emulator.world_file"
local worlds = require "emulator.worlds"

local settings = host.settings()

-- ---- the world ----

if settings.clock then clock.use(settings.clock) end
worlds.begin(function()
  if settings.world then world_file.fill(settings.world, settings.world_name or "world.lua", settings)
  else seed.fill(settings) end
end)

-- A list of texts, as the command line has them, or of tables.
for _, fault in ipairs(settings.faults or {}) do
  faults.add(type(fault) == "string" and faults.parse(fault) or fault)
end

api.options.before = faults.before
api.options.rates = settings.rates ~= false

-- ---- news of the bot that runs beside us ----

host.on_news(function(item)
  records.news(item)
  feed.put("news", item)
end)

-- ---- routes ----

if settings.listen_host then control.allow(settings.listen_host) end
control.register(web)

-- Below /_/ nothing is the platform's; a control that does not exist is told with those that do.
web.any("/_/*", function(request)
  local refused = control.guard(request)
  if refused then return 403, {message = refused} end
  return 404, {message = ("there is no control %s %s; GET /_/ lists them"):format(request.method, request.path)}
end)

web.static("/", "embedded:emulator/page")
web.any("/*", api.handle)
