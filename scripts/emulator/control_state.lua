-- Controls: the clock, snapshots, saving and loading, an event as a test.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local line = require "line"
local recipe = require "emulator.recipe"
local world_file = require "emulator.world_file"
local world_save = require "emulator.world_save"
local worlds = require "emulator.worlds"

local PIECE = 1024 * 1024 -- bytes of a file that are read at once

local function refuse(text, ...) errors.raise(400, text:format(...)) end

local function show_clock() return {now = clock.now(), mode = clock.mode()} end

local function set_clock(given)
  if given.mode and given.mode ~= "real" and given.mode ~= "virtual" then refuse("mode: real or virtual") end
  if given.advance and given.set then refuse("advance, set: one of them") end
  if given.advance and given.advance < 0 then refuse("advance: time does not go back") end
  if given.set and given.set < clock.now() then refuse("set: %d lies behind; it is %d", given.set, clock.now()) end
  if given.mode then clock.use(given.mode) end
  if given.advance then clock.advance(given.advance) end
  if given.set then clock.set(given.set) end
  feed.put("clock", show_clock())
  return show_clock()
end

-- The pieces of a file on this machine, for worlds that are larger than what one sends.
local function pieces_of(path)
  local read, at = require("emulator.host").read, 0
  if path:sub(1, 1) ~= "/" then refuse("file: the whole path is needed, from / on") end
  return function()
    local piece, why = read(path, at, PIECE)
    if not piece then refuse("file: %s", why) end
    at = at + #piece
    return piece ~= "" and piece or nil
  end
end

local function pause() line.sleep(0.001) end

local function load_world(given, _, request)
  local text = request.body or ""
  local kind = (request.headers["content-type"] or ""):match("^[^;%s]+") or ""
  if given.file then
    worlds.replace(worlds.own(world_save.load(pieces_of(given.file), pause)))
  elseif text == "" then
    refuse("the body is empty; send a world as JSON of /_/save, or as Lua with content-type text/x-lua")
  elseif kind:find("lua", 1, true) then
    local made = world_file.read(text, "world.lua")
    worlds.make(function() world_file.fill(made, worlds.settings) end)
  else
    worlds.replace(worlds.own(world_save.load(world_save.pieces(text), pause)))
  end
  return {serial = worlds.serial()}
end

local JSON_TYPE = {["content-type"] = "application/json; charset=utf-8", ["cache-control"] = "no-store",
  ["content-disposition"] = "attachment; filename=\"world.json\""}

return {
  {method = "GET", path = "/_/clock", what = "the emulator's time", fn = show_clock},
  {method = "POST", path = "/_/clock", what = "let time pass, or make it stand still",
    fields = {mode = "string: real or virtual", advance = "integer: ms to go ahead",
      set = "integer: ms since 1970 to go to"},
    fn = set_clock},
  {method = "POST", path = "/_/snapshot", what = "keep the world as it is",
    fn = function() return {id = worlds.snapshot()} end},
  {method = "POST", path = "/_/restore", what = "the world as it was", fields = {id = "string!: of the snapshot"},
    fn = function(given)
      worlds.restore(given.id)
      return {serial = worlds.serial()}
    end},
  {method = "POST", path = "/_/reset", what = "the world one started with", fn = function()
    worlds.reset()
    return {serial = worlds.serial()}
  end},
  {method = "GET", path = "/_/save", what = "the world as JSON, to be loaded again", fn = function()
    return 200, world_save.writer(), JSON_TYPE
  end},
  {method = "POST", path = "/_/load", raw = true,
    what = "another world: JSON of /_/save, or Lua with content-type text/x-lua",
    fields = {file = "string: path of a file of /_/save on this machine, in place of the body"},
    fn = load_world},
  {method = "GET", path = "/_/tests/:id", what = "an event and what the bot answered, as a test",
    fields = {as = "string: lua, python or curl; lua unless said"},
    fn = function(given, params)
      local text, kind = recipe.make(params.id, given.as or "lua")
      return 200, text, {["content-type"] = kind, ["cache-control"] = "no-store"}
    end},
}
