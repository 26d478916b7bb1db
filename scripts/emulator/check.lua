-- Bodies of calls against the limits of runtime/line/schema.def and the fields of operations.def. The table is the
-- only thing that this shares with the check before sending: what that overlooks is to be seen here.

local json = require "json"
local core = require "line.core"
local texts = require "emulator.check_text"
local walk = require "emulator.check_walk"

local check = {}

local LIST = getmetatable(json.array())
local BASELINE = 512

-- Need and length of an action's label by the bit of its place;
-- https://developers.line.biz/en/reference/messaging-api/#action-objects
local LABELS = {
  [1] = {most = 20, required = true}, [2] = {most = 20}, [4] = {most = 12}, [8] = {most = 20, required = true},
  [16] = {most = 40, required = true}, [32] = {most = 40}, [64] = {most = 40}, [128] = {most = 20},
}

-- Rules that no single field can say: kind → function(value, place). Filled by check_rules.lua and check_flex.lua.
check.rules = {}
-- Rules for a whole tree, at its root only.
check.roots = {}

-- The part of a message that is checked in the semantic way: kind of the field → what its properties start with.
local PARTS = {template = "template/", flex_container = "/"}

local kinds

local function set_of(words)
  local set = {}
  for word in words:gmatch("%S+") do set[word] = true end
  return set
end

local function list_of(words)
  local list = {}
  for word in words:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local function load_kinds()
  kinds = {}
  for _, kind in ipairs(core.schema()) do kinds[kind.name] = kind end
  for name, kind in pairs(kinds) do
    kind.rule = check.rules[name]
    if kind.variants and kind.variants[1] then
      kind.types = {}
      for _, variant in ipairs(kind.variants) do
        variant.of = kinds[variant.kind]
        kind.types[variant.type] = variant
      end
    end
    for _, field in ipairs(kind.fields or {}) do
      field.of = field.kind and field.kind ~= "" and kinds[field.kind] or nil
      if field.rule == "words" or field.rule == "size" then
        field.set = set_of(field.words or "")
        field.list = list_of(field.words or "")
      elseif field.rule == "chars" then
        field.pattern = "^[%w" .. (field.words or ""):gsub("%p", "%%%0") .. "]*$"
      end
    end
  end
end

function check.is_list(v) return type(v) == "table" and (v[1] ~= nil or getmetatable(v) == LIST) end
function check.is_object(v) return type(v) == "table" and not check.is_list(v) end
local is_list, is_object = check.is_list, check.is_object

-- ---- strings and numbers ----

local function check_length(field, s)
  if not field.limited then return end
  if s == "" then
    if field.min > 0 then walk.found("May not be empty", "must be non-empty text") end
  elseif texts.longer(s, field.max, field.graphemes) then
    walk.too_long(field.max)
  end
end

local function url_fault(s, link)
  local fault = texts.url(s, link)
  if fault then walk.found("invalid uri", fault == "scheme" and "invalid uri scheme" or "invalid uri") end
end

local RULES = {
  words = function(field, s) if not field.set[s] then walk.not_one_of(field.list) end end,
  size = function(field, s)
    if not field.set[s] and not texts.size(s, field.units or 0) then walk.found("invalid property") end
  end,
  https = function(_, s) url_fault(s, false) end,
  link = function(_, s) url_fault(s, true) end,
  color = function(_, s) if not texts.color(s) then walk.found("invalid property") end end,
  chars = function(field, s) if not s:find(field.pattern) then walk.found("invalid property") end end,
  ratio = function(_, s) if not texts.ratio(s) then walk.found("invalid property") end end,
  angle = function(_, s) if not texts.angle(s) then walk.found("invalid property") end end,
  share = function(_, s) if not texts.share(s) then walk.found("invalid property") end end,
}

local function check_label(s, place)
  local label = LABELS[place]
  if s == nil then
    if label and label.required then walk.missing() end
  elseif label and s == "" and label.required then
    walk.found("May not be empty", "must be non-empty text")
  elseif texts.longer(s, label and label.most or 40, true) then
    walk.too_long(label and label.most or 40)
  end
end

local function check_range(field, n)
  if not field.limited or n >= field.min and n <= field.max then return end
  local message
  if field.max >= 2147483647 then message = ("Must be greater than or equal to %d"):format(field.min)
  else message = ("Must be between %d and %d"):format(field.min, field.max) end
  walk.found(message, "invalid property")
end

-- ---- objects ----

local object

local function entries(field, list, place)
  for i = 1, #list do
    local entry = list[i]
    walk.down(i)
    if entry == json.null then
      walk.up() -- the list is what cannot contain it
      walk.found("May not be null", "cannot contain null elements")
      walk.down(i)
    elseif field.of then
      if is_object(entry) then object(field.of, entry, place) else walk.unreadable() end
    elseif type(entry) ~= "string" then
      walk.unreadable()
    elseif field.rule ~= "" and RULES[field.rule] then
      RULES[field.rule](field, entry)
    end
    walk.up()
  end
end

local function size_fault(least, most)
  local message = ("Size must be between %d and %d"):format(least, most)
  walk.found(message)
end

local TYPES = {
  string = function(field, v, place)
    if type(v) ~= "string" then return walk.unreadable() end
    if field.rule == "label" then return check_label(v, place) end
    check_length(field, v)
    local rule = RULES[field.rule]
    -- An empty text that may not be empty has been told.
    if rule and not (v == "" and field.limited and field.min > 0) then rule(field, v) end
  end,
  integer = function(field, v)
    if type(v) ~= "number" or v ~= math.floor(v) then return walk.unreadable() end
    check_range(field, v)
  end,
  number = function(field, v)
    if type(v) ~= "number" then return walk.unreadable() end
    check_range(field, v)
  end,
  boolean = function(_, v) if type(v) ~= "boolean" then walk.unreadable() end end,
  object = function(field, v, place)
    if not is_object(v) then return walk.unreadable() end
    local part = PARTS[field.kind]
    if part then walk.enter(part) end
    if field.of then object(field.of, v, place) end
    if part then walk.leave() end
  end,
  array = function(field, v, place)
    if type(v) ~= "table" or not is_list(v) and next(v) ~= nil then return walk.unreadable() end
    if field.limited and (#v < field.min or #v > field.max) then size_fault(field.min, field.max) end
    entries(field, v, place)
  end,
  map = function(field, v)
    if not is_object(v) then return walk.unreadable() end
    local n = 0
    for name, value in pairs(v) do
      n = n + 1
      walk.down(name)
      if is_object(value) then object(field.of, value) else walk.unreadable() end
      walk.up()
    end
    if field.limited and n > field.max then size_fault(field.min, field.max) end
  end,
}

-- The types of a union that may stand at a place.
local function types_at(kind, place)
  local list = {}
  for _, variant in ipairs(kind.variants) do
    if not place or variant.places & place ~= 0 then list[#list + 1] = variant.type end
  end
  return list
end

-- One object of a kind. place: bit of where it stands, 0 or nil where that does not matter.
function object(kind, value, place)
  place = place and place ~= 0 and place or nil
  if kind.types then
    local name = value.type
    local variant = kind.types[name]
    if not variant or place and variant.places & place == 0 then
      walk.down("type")
      if name == nil then walk.missing()
      elseif type(name) ~= "string" then walk.unreadable()
      else walk.not_one_of(types_at(kind, place)) end
      walk.up()
      return
    end
    if kind.rule then kind.rule(value, place) end
    kind = variant.of
  end
  for _, field in ipairs(kind.fields) do
    local v = value[field.name]
    if v == nil or v == json.null then
      if field.required or field.rule == "label" then
        walk.down(field.name)
        if field.rule == "label" then check_label(nil, place) else walk.missing() end
        walk.up()
      end
    else
      local below = field.place
      if below == 0 then below = nil end
      if kind.name == "box" and field.name == "contents" and value.layout == "baseline" then below = BASELINE end
      walk.down(field.name)
      TYPES[field.type](field, v, field.rule == "label" and place or below)
      walk.up()
    end
  end
  if kind.rule then kind.rule(value, place) end
end

-- ---- bodies ----

-- check.object(name, value): value against a kind, within a walk that has begun.
function check.object(name, value, place)
  if not kinds then load_kinds() end
  object(kinds[name], value, place)
  if check.roots[name] then check.roots[name](value) end
end

-- check.messages(list): 1 to 5 messages, within a walk that stands at them.
function check.messages(list)
  if not kinds then load_kinds() end
  local kind = kinds.message
  if #list < kind.least or #list > kind.most then size_fault(kind.least, kind.most) end
  entries({of = kind}, list)
end

local function own_kind(field, v)
  if not kinds then load_kinds() end
  local kind = field.kind and kinds[field.kind]
  if not kind then return end
  if field.type == "array" then
    if field.kind == "message" then return check.messages(v) end
    entries({of = kind}, v)
  else
    check.object(field.kind, v)
  end
end

-- A field of a row: its type, its bounds, what it holds.
local function row_field(field, v)
  local kind = field.type
  if kind == "string" then
    if type(v) ~= "string" then return walk.unreadable() end
    if v == "" and field.required then return walk.found("May not be empty") end
    if field.words and not ("|" .. field.words .. "|"):find("|" .. v .. "|", 1, true) then
      walk.not_one_of(list_of((field.words:gsub("|", " "))))
    end
  elseif kind == "integer" then
    if type(v) ~= "number" or v ~= math.floor(v) then return walk.unreadable() end
    if field.least and v < field.least or field.most and v > field.most then
      walk.found(field.least and field.most and ("Must be between %d and %d"):format(field.least, field.most)
        or field.least and ("Must be greater than or equal to %d"):format(field.least)
        or ("Must be less than or equal to %d"):format(field.most))
    end
  elseif kind == "boolean" then
    if type(v) ~= "boolean" then walk.unreadable() end
  elseif kind == "object" then
    if not is_object(v) then return walk.unreadable() end
    own_kind(field, v)
  elseif kind == "array" then
    if type(v) ~= "table" or not is_list(v) and next(v) ~= nil then return walk.unreadable() end
    if field.least and #v < field.least or field.most and #v > field.most then
      size_fault(field.least or 0, field.most)
    end
    own_kind(field, v)
  elseif kind == "number" then
    if type(v) ~= "number" then walk.unreadable() end
  end
end

-- Rows whose operations check the body on their own, in words of their own: name → true. Only what cannot be read is
-- refused here.
check.own = {}

-- What a row's fields have to fulfil beyond their bounds: name → function(body), which says what it found.
check.more = {}

local STYLE_OF = {coupon = "coupons"}

-- check.body(row, body, text): the body of a call, raises what the platform refuses. text: as it came, for line and
-- column; nil for forms. path: parameters by name, which stand in for members of a body that is one object.
function check.body(row, body, text, path)
  local kind = row.kind ~= "" and row.kind or nil
  walk.begin(text, kind and (STYLE_OF[kind] or "richmenus"))
  if kind then
    if not kinds then load_kinds() end
    object(kinds[kind], path and next(path) and setmetatable({}, {__index = function(_, name)
      if path[name] ~= nil then return path[name] end
      return body[name]
    end}) or body)
  end
  for _, field in ipairs(row.fields) do
    if field.place == "body" then
      local v = body[field.name]
      walk.down(field.name)
      if v == nil or v == json.null then
        if field.required and not kind then walk.missing() end
      elseif not kind then
        row_field(field, v)
      end
      walk.up()
    end
  end
  if check.more[row.name] then check.more[row.name](body) end
  if not check.own[row.name] then walk.refuse() end
end

return check
