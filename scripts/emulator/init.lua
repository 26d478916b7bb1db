-- The door: the page, the controls, the platform's API, on one port. `moonline emulate` and `moonline dev` load this.

local api = require "emulator.api"
local clock = require "emulator.clock"
local console = require "emulator.console"
local control = require "emulator.control"
local errors = require "emulator.errors"
local excerpt = require "emulator.excerpt"
local faults = require "emulator.faults"
local feed = require "emulator.feed"
local host = require "emulator.host"
local live = require "emulator.live"
local records = require "emulator.records"
local routes = require "emulator.routes"
local seed = require "emulator.seed"
local static = require "web.static"
local web = require "web"
local world = require "emulator.world"
local world_file = require "emulator.world_file"
local world_save = require "emulator.world_save"
local worlds = require "emulator.worlds"

local settings = host.settings()

-- ---- the world ----

if settings.clock then clock.use(settings.clock) end

-- settings.world is the path of a file, or its text with settings.world_name. A file that was saved is JSON: it begins
-- with a brace, and is read piece by piece, for it may be larger than all that is read at once.
local PIECE = 1024 * 1024

local function read(...)
  local text, why = host.read(settings.world, ...)
  if not text then error(("--world %s: %s"):format(settings.world, why), 0) end
  return text
end

local function is_saved(text) return text:find("^%s*{") ~= nil end

local function pieces()
  local at = 0
  return function()
    local piece = read(at, PIECE)
    at = at + #piece
    return piece ~= "" and piece or nil
  end
end

-- What is wrong with an option is said to a person: no status in front of it.
local function option(fn, ...)
  local ok, e = pcall(fn, ...)
  if ok then return e end
  error(errors.is(e) and e.body.message or e, 0)
end

worlds.collect = host.collect
worlds.live = settings.live == true
worlds.settings = settings

option(worlds.begin, function()
  if worlds.live then return function() live.fill(settings) end end
  if not settings.world then
    return function() seed.fill(settings) end
  end
  local given = settings.world_name and settings.world
  if is_saved(given or read(0, 64)) then
    local state = worlds.own(world_save.load(given and world_save.pieces(given) or pieces()))
    return function() world.state = state end
  end
  worlds.tighten() -- the table of a large file is as large as the world, and gone with the last of it
  local made = world_file.read(given or read(), settings.world_name or settings.world:match("[^/]*$"))
  return function() world_file.fill(made, settings) end
end)

for _, fault in ipairs(settings.faults or {}) do faults.add(option(faults.parse, fault)) end
api.options.before = faults.before
api.options.rates = settings.rates ~= false

-- ---- news of the bot that runs beside us ----

local folders = {} -- name of a bot → where its files are

-- Files that were saved since are other than those of the generation that failed, unless that is the newest one.
local function show_code(item)
  local newest = worlds.generation
  local folder = folders[item.bot]
  if not folder or not item.error or not newest or newest.number ~= item.generation then return end
  item.excerpt = excerpt.of(item.error, function(path) return (host.read(folder .. "/" .. path)) end)
end

host.on_news(function(item)
  if worlds.live then item = live.news(item) end
  if not item then return end
  records.news(item)
  if item.folder then
    folders[item.bot], item.folder = item.folder, nil
  end
  if item.what == "generation" or item.what == "refused" then worlds.generation = item
  else show_code(item) end
  feed.put("news", item)
end)

if settings.show then console.start(host.print) end

-- ---- routes ----

if settings.listen_host then control.allow(settings.listen_host) end
control.live = worlds.live
control.register(web)

-- Below /_/ nothing is the platform's; a control that does not exist is told with where they are.
web.any("/_/*", function(request)
  local refused = control.guard(request)
  if refused then return 403, {message = refused} end
  return 404, {message = ("there is no control %s %s; GET /_/ lists them"):format(request.method, request.path)}
end)

local page = static.handler("embedded:emulator/page", nil, true)

-- What the page may do: load its own files, show pictures and sounds from wherever a message says, nothing else. It is
-- in no other site's frame, and tells no site where it was called from.
local STRICT = {
  ["content-security-policy"] = "default-src 'self'; img-src 'self' https: http: data: blob:; "
    .. "media-src 'self' https: http: data: blob:; style-src 'self'; script-src 'self'; object-src 'none'; "
    .. "base-uri 'none'; frame-ancestors 'none'",
  ["x-content-type-options"] = "nosniff",
  ["referrer-policy"] = "no-referrer",
}

-- A file of the page, which is for this machine's browsers only; nil for what it has not.
local function page_of(request)
  if request.method ~= "GET" and request.method ~= "HEAD" then return nil end
  if routes.find("GET", request.raw_path) then return nil end
  local found = page(request)
  if found.status == 404 then return nil end
  local refused = control.guard(request)
  if refused then return {status = 403, body = {message = refused}} end
  for name, value in pairs(STRICT) do found.headers[name] = value end
  return found
end

-- What is left of a connection that is to break off: an answer that has begun and does not end.
local function break_off(stream)
  stream:write(" ")
  error("the connection was broken off, as a fault asked for", 0)
end

web.any("/*", function(request)
  local found = page_of(request)
  if found then return found.status, found.body, found.headers end
  if worlds.live then
    return 404, {message = "with --live the page only looks on: LINE itself answers the bot's calls"}
  end
  local status, body, headers = api.handle(request)
  if not status then return 200, break_off end
  return status, body, headers
end)
