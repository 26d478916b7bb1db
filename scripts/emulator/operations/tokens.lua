-- Channel access tokens of every kind: issued, verified, revoked, and counted against their ceilings.
-- channel.tokens[token] = {kind=, since=, expires=, kid=}; channel.keys[kid] = the public key of assertions, a JWK.

local json = require "json"
local crypto = require "crypto"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local ids = require "emulator.ids"
local world = require "emulator.world"

local tokens = {}

local ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local AUDIENCE = "https://api.line.me/"
local MOST = 30                     -- living tokens of a kind
local MONTH = 30 * 24 * 3600        -- seconds: a short-lived token, and the longest that a v2.1 token may ask for
local STATELESS = 900               -- seconds
local HALF_HOUR = 30 * 60           -- seconds an assertion may live
local FOREVER = 3138007490          -- seconds a long-lived token is told to live
local SWEEP = 100                   -- tokens issued between two searches for those that are over

-- ---- kinds ----

-- Tokens of the newer kinds are signed: three parts with points between. Nobody but the platform reads them.
local function signed_token()
  return crypto.base64url('{"alg":"HS256"}') .. "." .. ids.access_token():sub(1,
    86) .. "." .. ids.access_token():sub(1, 43)
end

local function is_signed(token) return token:find("^[%w_-]+%.[%w_-]+%.[%w_-]+$") ~= nil end

-- Keep a new token; from time to time forget those that are over for long.
local function keep(channel, token, record)
  channel.tokens[token] = record
  channel.tokens_issued = (channel.tokens_issued or 0) + 1
  if channel.tokens_issued % SWEEP ~= 0 then return end
  local day_ago = clock.now() - 24 * 3600 * 1000
  for old, known in pairs(channel.tokens) do
    if known.expires and known.expires < day_ago then channel.tokens[old] = nil end
  end
end

-- The living tokens of a kind, oldest first: list of {token=, record=}.
local function living(channel, kind)
  local list, now = {}, clock.now()
  for token, record in pairs(channel.tokens) do
    if record.kind == kind and record.expires and record.expires > now then
      list[#list + 1] = {token = token, record = record}
    end
  end
  table.sort(list, function(a, b)
    if a.record.since ~= b.record.since then return a.record.since < b.record.since end
    return (a.record.number or 0) < (b.record.number or 0)
  end)
  return list
end

-- ---- who asks ----

local function by_secret(id, secret, code, wrong_id, wrong_secret)
  local channel = world.state.channels[id or ""]
  if not channel then errors.oauth(400, code, wrong_id) end
  if channel.secret ~= secret then errors.oauth(400, code, wrong_secret) end
  return channel
end

local function part(text)
  local raw = text and crypto.from_base64url(text)
  local ok, value = pcall(json.decode, raw or "")
  return ok and type(value) == "table" and value or nil
end

local function refuse(why) errors.oauth(400, "invalid_client", why) end

-- The channel of an assertion that its key has signed, and its claims.
local function by_assertion(kind, assertion)
  if kind ~= ASSERTION then errors.oauth(400, "invalid_request", "invalid client_assertion_type") end
  local head, body, signature = (assertion or ""):match("^([%w_=-]+)%.([%w_=-]+)%.([%w_=-]+)$")
  local header, claims = part(head), part(body)
  if not header or not claims then refuse("Invalid client_assertion") end
  if header.alg ~= "RS256" then refuse("Invalid alg") end
  local owner, key
  for _, channel in pairs(world.state.channels) do
    if header.kid and channel.keys and channel.keys[header.kid] then owner, key = channel, channel.keys[header.kid] end
  end
  if not owner then errors.raise(404, "Cannot find channel key that satisfies the conditions") end
  local raw = crypto.from_base64url(signature)
  if not raw or not crypto.verify_rs256(key, head .. "." .. body, raw) then refuse("Invalid signature") end
  if tostring(claims.iss) ~= owner.id or tostring(claims.sub) ~= owner.id then
    refuse("iss and clientId of key do not match")
  end
  if claims.aud ~= AUDIENCE then refuse("Invalid aud") end
  local now, expires = clock.now() // 1000, tonumber(claims.exp)
  if not expires or expires <= now or expires > now + HALF_HOUR + 60 then refuse("Invalid exp") end
  return owner, claims
end

local function want_grant(call)
  if call.body.grant_type ~= "client_credentials" then
    errors.oauth(400, "invalid_request", "invalid grant_type")
  end
end

local function issued(token, seconds) return {access_token = token, expires_in = seconds, token_type = "Bearer"} end

-- ---- short-lived and long-lived ----

function tokens.issue_channel_token(call)
  local body = call.body
  want_grant(call)
  local channel = by_secret(body.client_id, body.client_secret, "invalid_client", "invalid client_id",
    "invalid client_secret")
  call.channel = channel
  local list = living(channel, "short")
  for i = 1, #list - MOST + 1 do channel.tokens[list[i].token] = nil end
  local token = ids.access_token()
  keep(channel, token, {kind = "short", since = clock.now(), expires = clock.now() + MONTH * 1000,
    number = ids.number("token")})
  return issued(token, MONTH)
end

-- The form of tokens that are not signed.
local function well_formed(token) return token ~= nil and token:find("^[%w+/=_.-]+$") ~= nil end

function tokens.verify_channel_token(call)
  local token = call.body.access_token
  if not well_formed(token) then errors.oauth(400, "invalid_request", "access_token in invalid format") end
  local channel, record = world.channel_of_token(token)
  if not channel or record.kind ~= "short" and record.kind ~= "long" then
    errors.oauth(400, "invalid_request", "access_token invalid")
  end
  call.channel = channel
  if record.expires and record.expires <= clock.now() then
    errors.oauth(400, "invalid_request", "access_token expired")
  end
  local left = record.expires and (record.expires - clock.now()) // 1000 or FOREVER
  return {client_id = channel.id, expires_in = left, scope = "P CM"}
end

function tokens.revoke_channel_token(call)
  local token = call.body.access_token
  if not well_formed(token) then errors.oauth(400, "invalid_request") end
  local channel, record = world.channel_of_token(token)
  if channel and (record.kind == "short" or record.kind == "long") then
    call.channel = channel
    channel.tokens[token] = nil
  end
  return 200, ""
end

-- ---- v2.1 ----

function tokens.issue_channel_token_by_jwt(call)
  want_grant(call)
  local channel, claims = by_assertion(call.body.client_assertion_type, call.body.client_assertion)
  call.channel = channel
  local seconds = tonumber(claims.token_exp)
  if not seconds or seconds <= 0 or seconds > MONTH then refuse("Invalid token_exp") end
  seconds = math.tointeger(seconds // 1)
  if #living(channel, "v2.1") >= MOST then
    errors.raise(400, "The maximum number of access tokens has already been issued")
  end
  local token, kid = signed_token(), ids.link_token()
  keep(channel, token, {kind = "v2.1", since = clock.now(), expires = clock.now() + seconds * 1000, kid = kid,
    number = ids.number("token")})
  local answer = issued(token, seconds)
  answer.key_id = kid
  return answer
end

local function signed_record(token)
  if not token or not is_signed(token) then errors.oauth(400, "invalid_request", "The access token not JWS") end
  local channel, record = world.channel_of_token(token)
  if not channel or record.kind ~= "v2.1" and record.kind ~= "stateless" then
    errors.oauth(400, "invalid_request", "The access token malformed")
  end
  return channel, record
end

function tokens.verify_channel_token_by_jwt(call)
  local channel, record = signed_record(call.query.access_token)
  call.channel = channel
  if record.expires <= clock.now() then errors.oauth(400, "invalid_request", "The access token expired") end
  return {client_id = channel.id, expires_in = (record.expires - clock.now()) // 1000,
    scope = "profile chat_message.write"}
end

function tokens.revoke_channel_token_by_jwt(call)
  local body = call.body
  local channel = by_secret(body.client_id, body.client_secret, "invalid_client", "invalid client_id",
    "invalid client_secret")
  local owner, record = signed_record(body.access_token)
  if owner ~= channel or record.kind ~= "v2.1" then
    errors.oauth(400, "invalid_request", "The access token malformed")
  end
  call.channel = channel
  channel.tokens[body.access_token] = nil
  return 200, ""
end

function tokens.gets_all_valid_channel_access_token_key_ids(call)
  local channel = by_assertion(call.query.client_assertion_type, call.query.client_assertion)
  call.channel = channel
  local kids = {}
  for i, one in ipairs(living(channel, "v2.1")) do kids[i] = one.record.kid end
  return {kids = json.array(kids)}
end

-- ---- stateless ----

function tokens.issue_stateless_channel_token(call)
  local body = call.body
  want_grant(call)
  local channel
  if body.client_assertion and body.client_assertion ~= "" then -- SDKs send both ways' fields, one way's empty
    channel = by_assertion(body.client_assertion_type, body.client_assertion)
  else
    local wrong = "Invalid 'client_credentials'."
    channel = by_secret(body.client_id, body.client_secret, "invalid_request", wrong, wrong)
  end
  call.channel = channel
  local token = signed_token()
  keep(channel, token, {kind = "stateless", since = clock.now(), expires = clock.now() + STATELESS * 1000})
  return issued(token, STATELESS)
end

return tokens
