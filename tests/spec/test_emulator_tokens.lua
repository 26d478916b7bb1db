-- The emulator's tokens of every kind, and what is for partners: notification messages, mission stickers, modules.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local clock = require "emulator.clock"
local crypto = require "crypto"
local usage = require "emulator.usage"
local world = require "emulator.world"

local user = kit.user
local DAY = 24 * 3600 * 1000
local FORBIDDEN = {message = "Access to this API is not available for your account"}

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end

-- ---- tokens ----

local FORM = {["content-type"] = "application/x-www-form-urlencoded", authorization = false}
local ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

local function form(path, fields) return kit.call("POST", path, kit.form(fields), FORM) end

local function secret_form(more)
  local fields = {grant_type = "client_credentials", client_id = "1000", client_secret = kit.SECRET}
  for name, value in pairs(more or {}) do fields[name] = value or nil end
  return fields
end

-- An assertion of the channel's key "k1", with other claims or another signature.
local function assertion(claims, header, signature)
  local now = clock.now() // 1000
  local all = {iss = "1000", sub = "1000", aud = "https://api.line.me/", exp = now + 600, token_exp = 86400}
  for name, value in pairs(claims or {}) do all[name] = value end
  local head = crypto.base64url(kit.json.encode(header or {alg = "RS256", typ = "JWT", kid = "k1"}))
  local signed = head .. "." .. crypto.base64url(kit.json.encode(all))
  return signed .. "." .. crypto.base64url(signature or "signed by N" .. crypto.sha256(signed))
end

local function with_key()
  local channel = kit.world()
  channel.keys.k1 = {kty = "RSA", n = "N", e = "AQAB"}
  return channel
end

local function jwt_form(text) return {grant_type = "client_credentials", client_assertion_type = ASSERTION,
  client_assertion = text or assertion()} end

local function works(token) return (kit.get("/v2/bot/info", {authorization = "Bearer " .. token})) end

tap.test("a short-lived token", function()
  kit.world()
  local status, body = form("/v2/oauth/accessToken", secret_form())
  tap.same({status, body.expires_in, body.token_type}, {200, 2592000, "Bearer"})
  tap.same(works(body.access_token), 200)
  answers(200, {client_id = "1000", expires_in = 2592000, scope = "P CM"},
    form("/v2/oauth/verify", {access_token = body.access_token}))
  kit.advance(1000)
  tap.same(select(2, form("/v2/oauth/verify", {access_token = body.access_token})).expires_in, 2591999)
  answers(200, "", form("/v2/oauth/revoke", {access_token = body.access_token}))
  tap.same(works(body.access_token), 401)
  answers(200, "", form("/v2/oauth/revoke", {access_token = body.access_token}))
  answers(400, {error = "invalid_request", error_description = "access_token invalid"},
    form("/v2/oauth/verify", {access_token = body.access_token}))
end)

tap.test("the 31st short-lived token revokes the oldest", function()
  kit.world()
  local list = {}
  for i = 1, 31 do list[i] = select(2, form("/v2/oauth/accessToken", secret_form())).access_token end
  tap.same({works(list[1]), works(list[2]), works(list[31])}, {401, 200, 200})
end)

for name, case in pairs{
  ["wrong id"] = {secret_form{client_id = "9"}, "invalid client_id"},
  ["wrong secret"] = {secret_form{client_secret = "x"}, "invalid client_secret"},
  ["no secret"] = {secret_form{client_secret = false}, "invalid client_secret"},
} do
  tap.test("a short-lived token with " .. name, function()
    kit.world()
    answers(400, {error = "invalid_client", error_description = case[2]}, form("/v2/oauth/accessToken", case[1]))
  end)
end

tap.test("the long-lived token is verified and can be revoked", function()
  kit.world()
  tap.same(select(2, form("/v2/oauth/verify", {access_token = kit.TOKEN})).scope, "P CM")
  answers(400, {error = "invalid_request", error_description = "access_token in invalid format"},
    form("/v2/oauth/verify", {access_token = "a b"}))
  answers(400, {error = "invalid_request"}, form("/v2/oauth/revoke", {access_token = "a b"}))
  tap.same(form("/v2/oauth/revoke", {access_token = kit.TOKEN}), 200)
  tap.same(kit.get("/v2/bot/info"), 401)
end)

tap.test("a token endpoint takes a form", function()
  kit.world()
  tap.same(kit.call("POST", "/v2/oauth/accessToken", secret_form(), {authorization = false}), 415)
end)

tap.test("a v2.1 token by an assertion", function()
  with_key()
  local status, body = form("/oauth2/v2.1/token", jwt_form())
  tap.same({status, body.expires_in, body.token_type, type(body.key_id)}, {200, 86400, "Bearer", "string"})
  tap.same(works(body.access_token), 200)
  local token = body.access_token
  tap.same(select(2, kit.get("/oauth2/v2.1/verify?access_token=" .. token, {authorization = false})).client_id, "1000")
  local kids = "/oauth2/v2.1/tokens/kid?client_assertion_type=" .. ASSERTION .. "&client_assertion=" .. assertion()
  answers(200, {kids = {body.key_id}}, kit.get(kids, {authorization = false}))
  answers(400, {error = "invalid_client", error_description = "invalid client_secret"},
    form("/oauth2/v2.1/revoke", {client_id = "1000", client_secret = "x", access_token = token}))
  tap.same(form("/oauth2/v2.1/revoke", {client_id = "1000", client_secret = kit.SECRET, access_token = token}), 200)
  tap.same(works(token), 401)
  answers(200, {kids = {}}, kit.get(kids, {authorization = false}))
  answers(400, {error = "invalid_request", error_description = "The access token malformed"},
    form("/oauth2/v2.1/revoke", {client_id = "1000", client_secret = kit.SECRET, access_token = token}))
end)

tap.test("it ends when its assertion said", function()
  with_key()
  local _, body = form("/oauth2/v2.1/token", jwt_form(assertion{token_exp = 60}))
  kit.advance(60 * 1000)
  tap.same(works(body.access_token), 401)
  answers(400, {error = "invalid_request", error_description = "The access token expired"},
    kit.get("/oauth2/v2.1/verify?access_token=" .. body.access_token, {authorization = false}))
end)

tap.test("the 31st living v2.1 token is refused; those that are over do not count", function()
  with_key()
  for _ = 1, 30 do tap.same(form("/oauth2/v2.1/token", jwt_form(assertion{token_exp = 60})), 200) end
  answers(400, {message = "The maximum number of access tokens has already been issued"},
    form("/oauth2/v2.1/token", jwt_form()))
  kit.advance(60 * 1000)
  tap.same(form("/oauth2/v2.1/token", jwt_form(assertion())), 200)
end)

local now = function() return clock.now() // 1000 end

for name, case in pairs{
  ["numbers as texts"] = {function() return assertion{exp = tostring(now() + 60), token_exp = "60"} end, 200},
  ["an exp of the past"] = {function() return assertion{exp = now() - 1} end, 400, "Invalid exp"},
  ["an exp too late"] = {function() return assertion{exp = now() + 3600} end, 400, "Invalid exp"},
  ["no exp"] = {function() return assertion{exp = "never"} end, 400, "Invalid exp"},
  ["a token_exp of 30 days"] = {function() return assertion{token_exp = 30 * 86400} end, 200},
  ["a longer one"] = {function() return assertion{token_exp = 30 * 86400 + 1} end, 400, "Invalid token_exp"},
  ["another iss"] = {function() return assertion{iss = "9"} end, 400, "iss and clientId of key do not match"},
  ["another sub"] = {function() return assertion{sub = "9"} end, 400, "iss and clientId of key do not match"},
  ["another aud"] = {function() return assertion{aud = "https://example.com/"} end, 400, "Invalid aud"},
  ["another alg"] = {function() return assertion(nil, {alg = "HS256", kid = "k1"}) end, 400, "Invalid alg"},
  ["a wrong signature"] = {function() return assertion(nil, nil, "forged") end, 400, "Invalid signature"},
  ["no JWT"] = {function() return "abc" end, 400, "Invalid client_assertion"},
} do
  tap.test("an assertion with " .. name, function()
    with_key()
    local status, body = form("/oauth2/v2.1/token", jwt_form(case[1]()))
    tap.same(status, case[2])
    if case[3] then tap.same(body, {error = "invalid_client", error_description = case[3]}) end
  end)
end

tap.test("a key that nobody has registered", function()
  with_key()
  answers(404, {message = "Cannot find channel key that satisfies the conditions"},
    form("/oauth2/v2.1/token", jwt_form(assertion(nil, {alg = "RS256", kid = "other"}))))
end)

for name, fields in pairs{["a secret"] = secret_form, ["an assertion"] = jwt_form} do
  tap.test("a stateless token by " .. name, function()
    with_key()
    local status, body = form("/oauth2/v3/token", fields())
    tap.same({status, body.expires_in, body.token_type, body.key_id}, {200, 900, "Bearer", nil})
    tap.same(works(body.access_token), 200)
    tap.same(select(2, kit.get("/oauth2/v2.1/verify?access_token=" .. body.access_token)).expires_in, 900)
    answers(400, {error = "invalid_request", error_description = "The access token malformed"},
      form("/oauth2/v2.1/revoke", {client_id = "1000", client_secret = kit.SECRET, access_token = body.access_token}))
    kit.advance(900 * 1000)
    tap.same(works(body.access_token), 401)
  end)
end

tap.test("empty fields of the other way are no matter", function()
  kit.world()
  tap.same(form("/oauth2/v3/token", secret_form{client_assertion = "", client_assertion_type = ""}), 200)
end)

tap.test("a stateless token with a wrong secret", function()
  kit.world()
  local want = {error = "invalid_request", error_description = "Invalid 'client_credentials'."}
  answers(400, want, form("/oauth2/v3/token", secret_form{client_secret = "x"}))
  answers(400, want, form("/oauth2/v3/token", secret_form{client_id = "9"}))
end)

for _, token in ipairs{"abc", "a.b", "a.b.c.d"} do
  tap.test("no JWS: " .. token, function()
    kit.world()
    answers(400, {error = "invalid_request", error_description = "The access token not JWS"},
      kit.get("/oauth2/v2.1/verify?access_token=" .. token))
  end)
end

-- ---- partners ----

local PNP = "/bot/pnp/push"

tap.test("a notification message by telephone number", function()
  local channel = kit.world()
  world.state.users[user(5)].phone = "+819000000001"
  local hash = crypto.sha256("+819000000001")
  local body = {to = hash, messages = {{type = "text", text = "Your parcel"}}}
  answers(200, {}, kit.post(PNP, body, {["x-line-delivery-tag"] = "0123456789abcdef"}))
  tap.same({kit.chat(user(5)).n, usage.used(channel), kit.events[1].event.type, kit.events[1].event.delivery.data},
    {1, 0, "delivery", "0123456789abcdef"})
  tap.same(kit.post(PNP, body), 200)
  tap.same(kit.events[2].event.delivery.data, hash)
  local day = usage.day()
  kit.advance(DAY)
  answers(200, {status = "ready", success = 2}, kit.get("/v2/bot/message/delivery/pnp?date=" .. day))
  answers(422, {message = "Failed to send messages"}, kit.post(PNP, {to = crypto.sha256("other"),
    messages = body.messages}))
  answers(400, {message = "The request body has 1 error(s)",
    details = {{message = "The value must be a valid SHA-256 digest.", property = "to"}}},
    kit.post(PNP, {to = "+819000000001", messages = body.messages}))
  tap.same(kit.post(PNP, body, {["x-line-delivery-tag"] = "short"}), 400)
  tap.same(kit.post(PNP, body, {["x-line-retry-key"] = "123e4567-e89b-12d3-a456-426614174000"}), 400)
  channel.partner = false
  answers(403, FORBIDDEN, kit.post(PNP, body))
  answers(403, FORBIDDEN, kit.get("/v2/bot/message/delivery/pnp?date=" .. day))
end)

tap.test("mission stickers", function()
  local channel = kit.world()
  channel.missions = {["446"] = {}, ["447"] = {from = clock.now() + 1000}}
  local function mission(more)
    local body = {to = user(1), productId = "446", productType = "STICKER", sendPresentMessage = false}
    for name, value in pairs(more or {}) do body[name] = value end
    return kit.post("/shop/v3/mission", body)
  end
  answers(200, "", mission())
  assert(world.state.users[user(1)].stickers["446"])
  answers(404, {message = "not found"}, mission{productId = "1"})
  answers(400, {message = "not in sales period"}, mission{productId = "447"})
  answers(400, {message = "invalid request"}, mission{to = user(77)})
  answers(400, {message = "illegal argument"}, mission{productType = "EMOJI"})
  channel.partner = false
  answers(403, {message = "not allowed to use the API"}, mission())
end)

-- ---- modules ----

local MODULE = {authorization = "Bearer module-token"}

local function modules()
  local account = kit.world()
  local function channel(id)
    world.state.channels[id] = {id = id, secret = "s" .. id, name = "Module", bot = user(900), module = true,
      class = "verified", keys = {}, tokens = {[id == "3000" and "module-token" or "other-token"] = {kind = "v2.1"}},
      webhook = {}, quota = {type = "none"}, friends = {}}
    return world.state.channels[id]
  end
  return account, channel("3000"), channel("4000")
end

tap.test("a module is attached with a code, once", function()
  local account, channel = modules()
  local module = require "emulator.operations.module"
  local code = module.issue_code(channel, account, "https://example.com/back")
  local function attach(more, headers)
    local fields = {grant_type = "authorization_code", code = code, redirect_uri = "https://example.com/back",
      client_id = "3000", client_secret = "s3000"}
    for name, value in pairs(more or {}) do fields[name] = value or nil end
    local all = {["content-type"] = FORM["content-type"], authorization = false}
    for name, value in pairs(headers or {}) do all[name] = value end
    return kit.call("POST", "/module/auth/v1/token", kit.form(fields), all)
  end
  tap.same((attach{client_secret = "x"}), 400)
  tap.same((attach{redirect_uri = "https://example.com/elsewhere"}), 400)
  local basic = {authorization = "Basic " .. crypto.base64("3000:s3000")}
  local status, body = attach({client_id = false, client_secret = false}, basic)
  answers(200, {bot_id = kit.BOT, scopes = {"message:send", "message:receive"}}, status, body)
  tap.same((attach()), 400)
  tap.same({kit.events[1].channel, kit.events[1].event.type, kit.events[1].event.module.type}, {"3000", "module",
    "attached"})
  answers(200, {bots = {{userId = kit.BOT, basicId = "@moon", displayName = "Moon"}}}, kit.get("/v2/bot/list", MODULE))
  answers(400, {message = "user/group/room Id is not available."}, kit.post("/v2/bot/channel/detach", {botId = "x"},
    MODULE))
  answers(200, {}, kit.post("/v2/bot/channel/detach", {botId = kit.BOT}, MODULE))
  answers(400, {message = "Specified channel is not detachable"},
    kit.post("/v2/bot/channel/detach", {botId = kit.BOT}, MODULE))
  answers(200, {bots = {}}, kit.get("/v2/bot/list", MODULE))
end)

tap.test("a chat's control is taken and given back", function()
  local account, first, second = modules()
  first.attached, second.attached = {[kit.BOT] = {scopes = {}}}, {[kit.BOT] = {scopes = {}}}
  local other = {authorization = "Bearer other-token"}
  local at = "/v2/bot/chat/" .. user(1) .. "/control/"
  local key = kit.chat(user(1)).key
  answers(200, {}, kit.post(at .. "acquire", {ttl = 60}, MODULE))
  tap.same(account.standby[key], true)
  tap.same({kit.events[1].event.type, kit.events[1].event.chatControl.expireAt, kit.events[2].event.type},
    {"activated", clock.now() + 60000, "deactivated"})
  tap.same(kit.post(at .. "acquire", {}, other), 423)
  kit.advance(5000)
  answers(200, {}, kit.post(at .. "acquire", {ttl = 60}, other))
  kit.advance(60 * 1000)
  tap.same(account.standby[key], nil)
  answers(200, {}, kit.post(at .. "acquire", {expired = false}, MODULE))
  kit.advance(400 * DAY)
  tap.same(account.standby[key], true)
  answers(200, {}, kit.call("POST", at .. "release", nil, MODULE))
  tap.same(account.standby[key], nil)
  answers(400, {message = "The value for the 'chatId' parameter is invalid"},
    kit.post("/v2/bot/chat/x/control/acquire", {}, MODULE))
  tap.same(kit.post("/v2/bot/chat/" .. user(5) .. "/control/acquire", {}, MODULE), 404)
  tap.same(kit.post(at .. "acquire", {ttl = 31536001}, MODULE), 400)
end)

tap.done()
