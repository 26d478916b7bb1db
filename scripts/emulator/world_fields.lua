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

local check_fields

local function check_value(value, spec, path, name, fail)
  local fits, wanted = false, {}
  for _, kind in ipairs(spec) do
    fits = fits or is(value, kind)
    wanted[#wanted + 1] = A[kind]
  end
  if not fits then
    return fail(path, name, ("%s is needed, this is %s"):format(table.concat(wanted, " or "),
      A[type(value)] or "a " .. type(value)))
  end
  if spec.set and not spec.set[value] then
    return fail(path, name, ("'%s' is none of %s"):format(value, near.list(spec.set)))
  end
  if spec.like and (not value:find(spec.like) or #value ~= spec.size) then
    return fail(path, name, spec.form .. " are needed")
  end
  if type(value) ~= "table" then return end
  if spec.fields then check_fields(value, spec.fields, path, fail) end
  if spec.list then
    for key, part in pairs(value) do
      if math.type(key) ~= "integer" then
        return fail(path .. "." .. tostring(key), tostring(key), "a list is needed: {{…}, {…}}")
      end
      local at = ("%s[%d]"):format(path, key)
      if type(part) ~= "table" then
        return fail(at, name, "a table is needed, this is " .. (A[type(part)] or type(part)))
      end
      if not spec.list.any then check_fields(part, spec.list, at, fail) end
    end
  end
end

function check_fields(value, fields, path, fail)
  for name, part in pairs(value) do
    local at = (path == "" and "" or path .. ".") .. tostring(name)
    local spec = fields[name]
    if not spec then
      return fail(at, tostring(name):match("^[%a_][%w_]*$"), near.unknown(tostring(name), fields))
    end
    check_value(part, spec, at, name, fail)
  end
  for name, spec in pairs(fields) do
    if spec.needed and value[name] == nil then
      return fail((path == "" and "" or path .. ".") .. name, nil, A[spec[1]] .. " is needed, it is missing")
    end
  end
end

-- world_fields.check(table, fail): fail(path, name of the field or nil, what is wrong) is called for the first mistake.
function world_fields.check(made, fail)
  check_fields(made, WORLD, "", fail)
end

return world_fields
