-- Flex: what no single field can say.

local json = require "json"
local check = require "emulator.check"
local walk = require "emulator.check_walk"

local rules = check.rules

local BUBBLE, CAROUSEL = 30 * 1024, 50 * 1024
local ANIMATED = 10
local BLOCKS = {"header", "hero", "body", "footer"}
local WITH_VIDEO = {kilo = true, mega = true, giga = true}

local function there(v) return v ~= nil and v ~= json.null end

local function found(name, message)
  walk.down(name)
  walk.found(message)
  walk.up()
end

function rules.bubble(bubble)
  local any = false
  for _, name in ipairs(BLOCKS) do any = any or there(bubble[name]) end
  if not any then walk.found("At least one block must be specified") end
  if check.is_object(bubble.hero) and bubble.hero.type == "video" and not WITH_VIDEO[bubble.size or "mega"] then
    found("hero", "invalid property")
  end
  if #json.encode(bubble) > BUBBLE then walk.found("The size of a bubble must be 30 KB or less") end
end

function rules.flex_carousel(carousel)
  if not check.is_list(carousel.contents) then return end
  local size
  walk.down("contents")
  for i, bubble in ipairs(carousel.contents) do
    if check.is_object(bubble) then
      walk.down(i)
      local own = bubble.size or "mega"
      size = size or own
      if own ~= size then found("size", "The size of all bubbles must be the same") end
      if check.is_object(bubble.hero) and bubble.hero.type == "video" then found("hero", "invalid property") end
      walk.up()
    end
  end
  walk.up()
  if #json.encode(carousel) > CAROUSEL then walk.found("The size of a carousel must be 50 KB or less") end
end

function rules.flex_text(text)
  if check.is_list(text.contents) and text.contents[1] then return end
  if not there(text.text) then found("text", "must be specified")
  elseif text.text == "" then found("text", "must be non-empty text") end
end

local function animated(value)
  local n = value.type == "image" and value.animated == true and 1 or 0
  for _, v in pairs(value) do
    if type(v) == "table" then n = n + animated(v) end
  end
  return n
end

function rules.flex_message(message)
  if not check.is_object(message.contents) or animated(message.contents) <= ANIMATED then return end
  walk.found_at("/", "The number of animated images must be 10 or less")
end

return rules
