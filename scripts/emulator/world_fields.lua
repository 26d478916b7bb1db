-- The fields of a world file, and their check: what a field is, and what was meant by one that does not exist.

local near = require "emulator.near"

local world_fields = {}

local ANY = {any = true}
local TEXT, NUMBER, INTEGER, BOOLEAN = {"string"}, {"number"}, {"integer"}, {"boolean"}

local function id(letter)
  return {"string", like = "^" .. letter .. "%x+$", size = 33, form = letter .. " and 32 hexadecimal digits"}
end
local function one_of(...)
  local set = {}
  for _, name in ipairs{...} do set[name] = true end
  return {"string", set = set}
end

local WEBHOOK = {"string", "table", fields = {endpoint = TEXT, active = BOOLEAN, redelivery = BOOLEAN,
  together = BOOLEAN,
  statistics = BOOLEAN, escapes = one_of("raw", "ascii", "alternate")}}
local QUOTA = {"integer", "table", fields = {type = one_of("none", "limited"), value = INTEGER}}

local AUDIENCES = one_of("UPLOAD", "CLICK", "IMP", "CHAT_TAG", "FRIEND_PATH", "RESERVATION", "RICHMENU_IMP",
  "RICHMENU_CLICK", "APP_EVENT", "VIDEO_VIEW", "WEBTRAFFIC", "TRACKINGTAG_WEBTRAFFIC", "IMAGE_CLICK", "POP_AD_IMP")

-- name → {types …, fields = of a table, list = each part's fields, needed = true}
local WORLD = {
  seed = INTEGER,
  channels = {"table", list = {id = {"string", "integer"}, name = TEXT, secret = TEXT, token = TEXT, bot = id("U"),
    basicId = TEXT,
    premiumId = TEXT, picture = TEXT, class = one_of("unverified", "verified", "premium"), partner = BOOLEAN,
      module = BOOLEAN,
    country = TEXT, chatMode = one_of("chat", "bot"), readMode = one_of("auto", "manual"), join = BOOLEAN,
      webhook = WEBHOOK,
    quota = QUOTA, used = INTEGER, minimums = BOOLEAN}},
  users = {"table", list = {id = id("U"), name = {"string", needed = true}, picture = TEXT, status = TEXT,
    language = TEXT,
    phone = TEXT, consent = BOOLEAN, gender = one_of("male", "female"), age = INTEGER, area = TEXT,
    app = one_of("ios", "android"), ifa = TEXT, friend = {"boolean", "string", "table"}}},
  groups = {"table", list = {id = id("C"), name = {"string", needed = true}, picture = TEXT, members = {"table"},
    bot = {"boolean", "string"}}},
  rooms = {"table", list = {id = id("R"), members = {"table"}, bot = {"boolean", "string"}}},
  history = {"table", list = {chat = {"string", needed = true}, channel = TEXT, from = TEXT, text = TEXT,
    message = {"table"},
    at = NUMBER}},
  coupons = {"table", list = ANY},
  audiences = {"table", list = {audienceGroupId = INTEGER, description = {"string", needed = true}, type = AUDIENCES,
    members = {"table"}, createRoute = one_of("OA_MANAGER", "MESSAGING_API", "POINT_AD", "AD_MANAGER"), channel = TEXT,
    status = one_of("IN_PROGRESS", "READY", "FAILED", "EXPIRED", "INACTIVE", "ACTIVATING"),
    sharedBy = {"table", fields = {serviceType = one_of("bm", "lap", "account", "yda"), id = TEXT, name = TEXT}}}},
  memberships = {"table", list = {membershipId = {"integer", needed = true}, title = {"string", needed = true},
    description = TEXT, benefits = {"table"}, price = NUMBER, currency = one_of("JPY", "TWD", "THB"),
    memberLimit = INTEGER, isInAppPurchase = BOOLEAN, isPublished = BOOLEAN, members = {"table"}, channel = TEXT}},
}

local A = {string = "a text", integer = "a whole number", number = "a number", boolean = "true or false",
  table = "a table"}

local function is(value, kind)
  if kind == "integer" then return math.type(value) == "integer" end
  return type(value) == kind
end

-- Where the check stands: names and numbers from the outside in. Made into text only for a mistake.
local trail = {}

local function path_of(depth)
  local out = {}
  for i = 1, depth do
    local part = trail[i]
    out[i] = math.type(part) == "integer" and ("[%d]"):format(part) or (i > 1 and "." or "") .. tostring(part)
  end
  return table.concat(out)
end

local check_fields

-- trail[depth] is the value's own name or number; name is the field that a mistake is looked for by.
local function check_value(value, spec, depth, name, fail)
  local fits = false
  for k = 1, #spec do fits = fits or is(value, spec[k]) end
  if not fits then
    local wanted = {}
    for k, kind in ipairs(spec) do wanted[k] = A[kind] end
    return fail(path_of(depth), name, ("%s is needed, this is %s"):format(table.concat(wanted, " or "),
      A[type(value)] or "a " .. type(value)))
  end
  if spec.set and not spec.set[value] then
    return fail(path_of(depth), name, ("'%s' is none of %s"):format(value, near.list(spec.set)))
  end
  if spec.like and (not value:find(spec.like) or #value ~= spec.size) then
    return fail(path_of(depth), name, spec.form .. " are needed")
  end
  if type(value) ~= "table" then return end
  if spec.fields then check_fields(value, spec.fields, depth, fail) end
  if not spec.list then return end
  for key, part in pairs(value) do
    trail[depth + 1] = key
    if math.type(key) ~= "integer" then
      return fail(path_of(depth + 1), tostring(key), "a list is needed: {{…}, {…}}")
    end
    if type(part) ~= "table" then
      return fail(path_of(depth + 1), name, "a table is needed, this is " .. (A[type(part)] or type(part)))
    end
    if not spec.list.any then check_fields(part, spec.list, depth + 1, fail) end
  end
end

local function needed_of(fields)
  local list = {}
  for name, spec in pairs(fields) do
    if spec.needed then list[#list + 1] = name end
  end
  return list
end
local needed = setmetatable({}, {__mode = "k", __index = function(all, fields)
  all[fields] = needed_of(fields)
  return all[fields]
end})

function check_fields(value, fields, depth, fail)
  for name, part in pairs(value) do
    trail[depth + 1] = name
    local spec = fields[name]
    if not spec then
      return fail(path_of(depth + 1), tostring(name):match("^[%a_][%w_]*$"), near.unknown(tostring(name), fields))
    end
    check_value(part, spec, depth + 1, name, fail)
  end
  for _, name in ipairs(needed[fields]) do
    if value[name] == nil then
      trail[depth + 1] = name
      return fail(path_of(depth + 1), nil, A[fields[name][1]] .. " is needed, it is missing")
    end
  end
end

-- world_fields.check(table, fail): fail(path, name of the field or nil, what is wrong) is called for the first mistake;
-- it does not return.
function world_fields.check(made, fail)
  check_fields(made, WORLD, 0, fail)
end

return world_fields
