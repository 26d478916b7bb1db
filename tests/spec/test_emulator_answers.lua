-- Every operation of the emulator, called once where it succeeds: the status is the one LINE's OpenAPI files name, and
-- the answer has the fields of runtime/line/answers.def: those that are needed, of their types, no others.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local clock = require "emulator.clock"
local core = require "line.core"
local crypto = require "crypto"
local ids = require "emulator.ids"
local reactions = require "emulator.reactions"
local usage = require "emulator.usage"
local world = require "emulator.world"

local user = kit.user
local DAY = 24 * 3600 * 1000

-- ---- what answers look like ----

local objects, answer_of, kinds = {}, {}, {}

local function read_tables()
  local pipe = assert(io.popen((os.getenv("MOONLINE_TOOLS") or "build/tools") .. "/rows", "r"))
  local tables = kit.json.decode(pipe:read("a"))
  pipe:close()
  for _, row in ipairs(tables.answers) do
    if row.what == "object" then
      local fields = {}
      for name, mark, kind in row.fields:gmatch("([%w_]+)(%??):(%S+)") do
        fields[name] = {needed = mark == "", kind = kind}
      end
      objects[row.name] = fields
    elseif row.what == "answer" then
      answer_of[row.name] = row.about
    end
  end
  for _, kind in ipairs(core.schema()) do kinds[kind.name] = kind end
end
read_tables()

local fits

-- What is wrong with a value of a type, as "where: what"; nil when nothing is.
local PLAIN = {
  string = function(v) return type(v) == "string" end,
  integer = function(v) return math.type(v) == "integer" end,
  number = function(v) return type(v) == "number" end,
  boolean = function(v) return type(v) == "boolean" end,
  any = function() return true end,
}

local function fits_kind(value, name, where)
  local kind = kinds[name]
  if type(value) ~= "table" then return where .. ": no object" end
  if #(kind.variants or {}) > 0 then
    for _, variant in ipairs(kind.variants) do
      if variant.type == value.type then return fits_kind(value, variant.kind, where) end
    end
    return ("%s: type %s is none of %s"):format(where, tostring(value.type), name)
  end
  for _, field in ipairs(kind.fields or {}) do
    if field.required and value[field.name] == nil then return ("%s.%s: missing"):format(where, field.name) end
  end
end

local function fits_object(value, fields, where)
  if type(value) ~= "table" then return where .. ": no object" end
  for name, field in pairs(fields) do
    local part = value[name]
    if part == nil then
      if field.needed then return ("%s.%s: missing"):format(where, name) end
    else
      local wrong = fits(part, field.kind, where .. "." .. name)
      if wrong then return wrong end
    end
  end
  for name in pairs(value) do
    if not fields[name] then return ("%s.%s: no such field"):format(where, tostring(name)) end
  end
end

function fits(value, kind, where)
  local part = kind:match("^(.*)%[%]$")
  if part then
    if type(value) ~= "table" or next(value) and #value == 0 then return where .. ": no list" end
    for i, entry in ipairs(value) do
      local wrong = fits(entry, part, ("%s[%d]"):format(where, i))
      if wrong then return wrong end
    end
    return nil
  end
  if PLAIN[kind] then
    return not PLAIN[kind](value) and ("%s: %s is no %s"):format(where, tostring(value), kind) or nil
  end
  local words = kind:match("^%((.*)%)$")
  if words then
    if not ("|" .. words .. "|"):find("|" .. tostring(value) .. "|", 1, true) then
      return ("%s: '%s' is none of %s"):format(where, tostring(value), words)
    end
    return nil
  end
  local of = kind:match("^<(.*)>$")
  if of then return fits_kind(value, of, where) end
  return fits_object(value, assert(objects[kind], kind), where)
end

-- ---- a world where everything succeeds ----

local PNG = "\137PNG\r\n\26\n" .. string.pack(">I4c4I4I4", 13, "IHDR", 2500, 843) .. ("\0"):rep(20)
local FORM = {["content-type"] = "application/x-www-form-urlencoded", authorization = false}
local MODULE = {authorization = "Bearer module-token"}
local ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local TEXT = {{type = "text", text = "Hello https://example.com/a"}}
local MENU = {size = {width = 2500, height = 843}, selected = false, name = "menu", chatBarText = "Open",
  areas = {{bounds = {x = 0, y = 0, width = 2500, height = 843}, action = {type = "uri", uri = "https://example.com"}}}}

local w -- what calls need to know of the world

local function assertion()
  local now = clock.now() // 1000
  local signed = crypto.base64url(kit.json.encode{alg = "RS256", typ = "JWT", kid = "k1"}) .. "."
    .. crypto.base64url(kit.json.encode{iss = "1000", sub = "1000", aud = "https://api.line.me/", exp = now + 600,
      token_exp = 86400})
  return signed .. "." .. crypto.base64url("signed by N" .. crypto.sha256(signed))
end

local function multipart(fields)
  local parts = {}
  for name, value in pairs(fields) do
    local file = name == "file" and '; filename="ids.txt"\r\nContent-Type: text/plain' or ""
    parts[#parts + 1] = ('--XX\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'):format(name, file, value)
  end
  return table.concat(parts) .. "--XX--\r\n"
end
local MULTIPART = {["content-type"] = "multipart/form-data; boundary=XX"}

local function coupon()
  local now = clock.now() // 1000
  return {title = "One coffee", acquisitionCondition = {type = "normal"}, startTimestamp = now,
    endTimestamp = now + 86400, maxUseCountPerTicket = 1, visibility = "PUBLIC", timezone = "ASIA_TOKYO",
    reward = {type = "discount", priceInfo = {type = "fixed", fixedAmount = 100}}}
end

local function new_menu(alias)
  local menu = select(2, kit.post("/v2/bot/richmenu", MENU)).richMenuId
  assert(kit.call("POST", "/v2/bot/richmenu/" .. menu .. "/content", PNG, {["content-type"] = "image/png"}) == 200)
  if alias then assert(kit.post("/v2/bot/richmenu/alias", {richMenuAliasId = alias, richMenuId = menu}) == 200) end
  return menu
end

local function request_of(_, _, headers) return headers["x-line-request-id"] end

local function prepare()
  local channel = kit.world()
  w = {channel = channel}
  channel.keys.k1 = {kty = "RSA", n = "N", e = "AQAB"}
  channel.minimums = false
  channel.missions = {["446"] = {}}
  channel.webhook.endpoint = "https://example.com/hook"
  local module = {id = "3000", secret = "s3000", name = "Module", bot = user(900), module = true, class = "verified",
    keys = {}, tokens = {["module-token"] = {kind = "v2.1"}}, webhook = {}, quota = {type = "none"}, friends = {},
    attached = {[kit.BOT] = {scopes = {}}}}
  world.state.channels["3000"] = module
  w.code = require("emulator.operations.module").issue_code(module, channel, "https://example.com/back")
  local person = world.state.users[user(1)]
  person.picture, person.status, person.phone = "https://example.com/p.png", "hi", "+819000000001"
  person.gender, person.age, person.area, person.app = "female", 34, "jp_13", "ios"
  world.state.groups[kit.GROUP].picture = "https://example.com/g.png"
  channel.memberships = {plans = {["7"] = {title = "Gold", description = "all", benefits = {"a"}, price = 500,
    memberLimit = 10}}, members = {}}
  require("emulator.operations.memberships").change(channel, user(1), 7, "joined")
  require("emulator.operations.audiences").make(channel, {id = 77, name = "Shared", route = "OA_MANAGER", ready = true,
    owner = {serviceType = "bm", id = "B1", name = "Somebody"}})
  w.reply, w.message = kit.said(user(1), user(1))
  w.media = ids.message()
  world.state.media[w.media] = {type = "image/png", body = PNG}
  local chat = kit.chat(user(1))
  world.add(chat, {id = w.media, time = clock.now(), from = user(1), event = "e", message = {type = "image",
    contentProvider = {type = "line"}}})
  w.menu = new_menu("tab")
  assert(kit.post("/v2/bot/user/all/richmenu/" .. w.menu) == 200)
  assert(kit.post("/v2/bot/user/" .. user(1) .. "/richmenu/" .. w.menu) == 200)
  w.coupon = select(2, kit.post("/v2/bot/coupon", coupon())).couponId
  w.liff = select(2, kit.post("/liff/v1/apps", {view = {type = "full", url = "https://example.com/"}})).liffId
  w.audience = select(2, kit.post("/v2/bot/audienceGroup/upload", {description = "people",
    audiences = {{id = user(1)}}, uploadDescription = "first"})).audienceGroupId
  w.broadcast = request_of(kit.post("/v2/bot/message/broadcast", {messages = TEXT}))
  kit.post("/v2/bot/message/push", {to = user(1), messages = TEXT, customAggregationUnits = {"unit"}})
  w.narrowcast = request_of(kit.post("/v2/bot/message/narrowcast", {messages = TEXT}))
  w.batch = request_of(kit.post("/v2/bot/richmenu/batch", {operations = {{type = "unlink", from = new_menu()}}}))
  reactions.looked(channel, chat, user(1), true)
  reactions.tapped(channel, user(1), w.broadcast, "https://example.com/a")
  reactions.menu_tapped(channel, user(1), w.menu, 1)
  w.day = usage.day()
  kit.advance(2000)
  kit.advance(1000)
  w.v21 = select(2, kit.call("POST", "/oauth2/v2.1/token", kit.form{grant_type = "client_credentials",
    client_assertion_type = ASSERTION, client_assertion = assertion()}, FORM)).access_token
  w.short = select(2, kit.call("POST", "/v2/oauth/accessToken", kit.form{grant_type = "client_credentials",
    client_id = "1000", client_secret = kit.SECRET}, FORM)).access_token
end

-- ---- the calls ----

local function form(fields, more)
  return function()
    local given = {}
    for name, value in pairs(fields) do given[name] = type(value) == "function" and value() or value end
    return kit.form(given), more or FORM
  end
end
local function of(name) return function() return w[name] end end
local function json(make) return function() return type(make) == "function" and make() or make end end
local function messages(more)
  return function()
    local body = {messages = TEXT}
    for name, value in pairs(more or {}) do body[name] = type(value) == "function" and value() or value end
    return body
  end
end

local SECRET = {grant_type = "client_credentials", client_id = "1000", client_secret = kit.SECRET}
local JWT = {grant_type = "client_credentials", client_assertion_type = ASSERTION, client_assertion = assertion}

-- Name of the row → body and headers, where there is a body.
local BODIES = {
  reply_message = messages{replyToken = of "reply"}, push_message = messages{to = user(1)},
  multicast = messages{to = {user(1)}}, narrowcast = messages(), broadcast = messages(),
  validate_reply = messages(), validate_push = messages(), validate_multicast = messages(),
  validate_narrowcast = messages(), validate_broadcast = messages(),
  issue_link_token = function() return "", {} end,
  show_loading_animation = json{chatId = user(1)},
  mark_messages_as_read_by_token = function() return {markAsReadToken = ids.read_token(w.message)} end,
  mark_messages_as_read = json{chat = {userId = user(1)}},
  set_webhook_endpoint = json{endpoint = "https://example.com/other"}, test_webhook_endpoint = json{},
  issue_stateless_channel_token = form(SECRET), issue_channel_token = form(SECRET),
  issue_channel_token_by_jwt = form(JWT), verify_channel_token = form{access_token = kit.TOKEN},
  revoke_channel_token = form{access_token = of "short"},
  revoke_channel_token_by_jwt = form{client_id = "1000", client_secret = kit.SECRET, access_token = of "v21"},
  attach_module = form{grant_type = "authorization_code", code = of "code",
    redirect_uri = "https://example.com/back", client_id = "3000", client_secret = "s3000"},
  detach_module = function() return {botId = kit.BOT}, MODULE end,
  acquire_chat_control = function() return {}, MODULE end,
  push_messages_by_phone = messages{to = crypto.sha256("+819000000001")},
  mission_sticker_v3 = json{to = user(1), productId = "446", productType = "STICKER", sendPresentMessage = false},
  create_rich_menu = json(MENU), validate_rich_menu_object = json(MENU),
  set_rich_menu_image = function() return PNG, {["content-type"] = "image/png"} end,
  create_rich_menu_alias = function() return {richMenuAliasId = "other", richMenuId = w.menu} end,
  update_rich_menu_alias = function() return {richMenuId = w.menu} end,
  link_rich_menu_id_to_users = function() return {richMenuId = w.menu, userIds = {user(2)}} end,
  unlink_rich_menu_id_from_users = json{userIds = {user(1)}},
  rich_menu_batch = json{operations = {{type = "unlinkAll"}}},
  validate_rich_menu_batch_request = json{operations = {{type = "unlinkAll"}}},
  create_coupon = json(coupon),
  add_liff_app = json{view = {type = "tall", url = "https://example.com/x"}},
  update_liff_app = json{description = "Shop"},
  create_audience_group = json{description = "new"},
  add_audience_to_audience_group = function() return {audienceGroupId = w.audience, audiences = {{id = user(2)}}} end,
  create_audience_for_uploading_user_ids = function()
    return multipart{description = "by file", file = user(1) .. "\n"}, MULTIPART
  end,
  add_user_ids_to_audience = function()
    return multipart{audienceGroupId = ("%d"):format(w.audience), file = user(2)}, MULTIPART
  end,
  create_click_based_audience_group = function()
    return {description = "clicked", requestId = w.broadcast, clickUrl = "https://example.com/a"}
  end,
  create_imp_based_audience_group = function() return {description = "seen", requestId = w.broadcast} end,
  update_audience_group_description = json{description = "renamed"},
}

-- Headers of calls without body.
local HEADERS = {release_chat_control = MODULE, get_modules = MODULE}

-- Parameters of paths and queries, by name.
local VALUES = {
  userId = user(1), groupId = kit.GROUP, roomId = kit.ROOM, chatId = user(1), messageId = of "media",
  richMenuId = of "menu", richMenuAliasId = "tab", couponId = of "coupon", liffId = of "liff", membershipId = 7,
  audienceGroupId = of "audience", page = 1, date = of "day", from = of "day", to = of "day",
  customAggregationUnit = "unit", requestId = of "broadcast", client_assertion = assertion,
  client_assertion_type = ASSERTION, access_token = of "v21",
}
local OWN_VALUES = {
  get_narrowcast_progress = {requestId = of "narrowcast"}, get_rich_menu_batch_progress = {requestId = of "batch"},
  get_shared_audience_data = {audienceGroupId = 77},
  set_rich_menu_image = {richMenuId = function() return select(2, kit.post("/v2/bot/richmenu", MENU)).richMenuId end},
}

-- What has to be done before.
local BEFORE = {
  release_chat_control = function() kit.post("/v2/bot/chat/" .. user(1) .. "/control/acquire", {}, MODULE) end,
  get_message_content_transcoding_by_message_id = function()
    local chat, place, entry = world.find(w.media)
    entry.message.type = "video"
    world.change(chat, place, entry)
    world.state.media[w.media].type = "video/mp4"
  end,
}
-- Statistics are told when the day is over.
for _, row in ipairs(core.rows()) do
  if row.path:find("/insight/", 1, true) or row.path:find("/delivery/", 1, true) then
    BEFORE[row.name] = function() kit.advance(DAY) end
  end
end

local ACCEPTED = {}
for name in ([[narrowcast show_loading_animation link_rich_menu_id_to_users unlink_rich_menu_id_from_users
  rich_menu_batch create_audience_group add_audience_to_audience_group create_audience_for_uploading_user_ids
  add_user_ids_to_audience create_click_based_audience_group create_imp_based_audience_group]]):gmatch("%S+") do
  ACCEPTED[name] = 202
end
ACCEPTED.delete_audience_group = 202 -- by the reference; the OpenAPI file says 200

local function value(row, name)
  local given = OWN_VALUES[row.name] and OWN_VALUES[row.name][name] or VALUES[name]
  return type(given) == "function" and given() or given
end

local function call(row)
  local path = row.path:gsub("{(.-)}", function(name) return tostring(value(row, name)) end)
  local query = {}
  for _, field in ipairs(row.fields) do
    if field.place == "query" and (field.required or field.name == "date" or field.name == "client_assertion_type") then
      query[#query + 1] = field.name .. "=" .. tostring(value(row, field.name))
    end
  end
  if query[1] then path = path .. "?" .. table.concat(query, "&") end
  local body, headers = nil, HEADERS[row.name]
  if BODIES[row.name] then body, headers = BODIES[row.name]() end
  if row.auth == "none" then
    headers = headers or {authorization = false}
  end
  return kit.call(row.verb, path, body, headers)
end

local n = 0
for _, row in ipairs(core.rows()) do
  n = n + 1
  tap.test(row.name, function()
    prepare()
    if BEFORE[row.name] then BEFORE[row.name]() end
    local status, body = call(row)
    local text = type(body) == "table" and kit.json.encode(body) or tostring(body)
    if status ~= (ACCEPTED[row.name] or 200) then error(("status %d, %s"):format(status, text), 0) end
    if row.answer == "json" then
      local wrong = fits(body, assert(answer_of[row.name], "no answer in answers.def"), row.name)
      if wrong then error(wrong .. "\n" .. text, 0) end
    elseif row.answer == "empty" then
      assert(text == "{}" or text == "[]" or text == "", text)
    else
      assert(type(body) == "string" and #body > 0)
    end
  end)
end

tap.test("these are all 110", function() tap.same(n, 110) end)

tap.done()
