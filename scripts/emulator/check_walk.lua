-- The walk through a body: where it stands, and what was found. Two layers of findings, as the platform has them:
-- structural ones, of the request, and those of one message's template, Flex or text.
-- A value of the wrong type ends the walk at once, for the platform cannot even read such a body.

local errors = require "emulator.errors"
local place = require "emulator.json_place"

local walk = {}

local keys, depth = {}, 0     -- names and numbers from 1 that lead to here
local raw                     -- the body's text
local structural, semantic    -- lists of {message=, property=}; semantic has .message, the number of its message
local inner                   -- depth of the part that is checked in the semantic way; nil: structural
local prefix                  -- of properties there: "/" for Flex, "template/" …
local style                   -- how the structural layer words things, an entry of STYLES

-- LINE's services do not agree on words.
local STYLES = {
  messages = {absent = "May not be empty", length = "Length must be between 0 and %d", comma = ", "},
  richmenus = {absent = "must be specified", length = "Length must be between 0 and %d", comma = ", "},
  coupons = {absent = "Must be specified", length = "Size must be between 1 and %d", comma = ","},
}

-- walk.begin(text, words): a new body. words: "messages" (unless given), "richmenus" or "coupons".
function walk.begin(text, words)
  raw, depth, structural, semantic, inner = text, 0, nil, nil, nil
  style = STYLES[words or "messages"]
end

function walk.down(key)
  depth = depth + 1
  keys[depth] = key
end

function walk.up() depth = depth - 1 end

-- walk.enter(before) / walk.leave(): from here on findings belong to the message. before: what properties start with.
function walk.enter(before) inner, prefix = depth, before end
function walk.leave() inner = nil end
function walk.inside() return inner ~= nil end

-- messages[0].text: names with points, numbers from 0 in brackets.
local function dotted()
  local out = {}
  for i = 1, depth do
    local key = keys[i]
    out[i] = math.type(key) == "integer" and ("[%d]"):format(key - 1) or (i > 1 and "." or "") .. key
  end
  return table.concat(out)
end

-- /body/contents/0: numbers from 0 between slashes.
local function slashed()
  local out = {}
  for i = inner + 1, depth do
    out[#out + 1] = math.type(keys[i]) == "integer" and keys[i] - 1 or keys[i]
  end
  return prefix .. table.concat(out, "/")
end

-- walk.found(outside, inside): something is wrong here, said in the words of the layer.
function walk.found(outside, inside)
  if inner then
    if semantic and semantic.number ~= keys[2] then return end
    semantic = semantic or {number = keys[2]}
    semantic[#semantic + 1] = {message = inside or outside, property = slashed()}
  else
    structural = structural or {}
    structural[#structural + 1] = {message = outside, property = dotted()}
  end
end

-- walk.found_at(property, message): of the message that is checked, with a property of its own.
function walk.found_at(property, message)
  if semantic and semantic.number ~= keys[2] then return end
  semantic = semantic or {number = keys[2]}
  semantic[#semantic + 1] = {message = message, property = property}
end

-- walk.missing(): a required field is not there.
function walk.missing() walk.found(style.absent, "must be specified") end

-- walk.too_long(most): a text of more letters than that.
function walk.too_long(most)
  walk.found(style.length:format(most), ("must not be longer than %d characters"):format(most))
end

-- walk.not_one_of(list): a text that is none of them.
function walk.not_one_of(list)
  walk.found(("Must be one of the following values: [%s]"):format(table.concat(list, style.comma)), "invalid property")
end

-- walk.unreadable(): a value whose type cannot be read.
function walk.unreadable()
  if inner then return walk.found(nil, "invalid property") end
  local path = table.move(keys, 1, depth, 1, {})
  local line, column = place.find(raw or "", path)
  errors.property(dotted(), line, column)
end

-- walk.refuse(): raise what was found, if anything was.
function walk.refuse()
  if structural then errors.invalid(structural) end
  if semantic then
    errors.raise(400, ("A message (messages[%d]) in the request body is invalid"):format(semantic.number - 1),
      table.move(semantic, 1, #semantic, 1, {}))
  end
end

return walk
