-- Controls: what managers of an account do at LINE's console and on its pages for partners: keys of assertions, modules
-- that are attached, stickers of missions.

local crypto = require "crypto"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local world = require "emulator.world"

local function refuse(text, ...) errors.raise(400, text:format(...)) end

local function channel_of(id)
  return world.state.channels[tostring(id)] or errors.raise(404, ("there is no channel %s"):format(tostring(id)))
end

local function changed(channel) feed.put("world", {what = "channel", id = channel.id}) end

-- ---- keys of assertions: https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/ ----

local function check_key(key)
  if key.kty ~= "RSA" then refuse("key.kty: \"RSA\" is needed") end
  if key.alg ~= nil and key.alg ~= "RS256" then refuse("key.alg: \"RS256\" is needed") end
  if key.d then refuse("key.d: that is a private key; only the public one is registered") end
  if key.kid then refuse("key.kid: the console makes it, leave it out") end
  local n = type(key.n) == "string" and crypto.from_base64url(key.n)
  if not n or #n ~= 256 then refuse("key.n: a key of 2048 bits is needed, in base64url") end
  if type(key.e) ~= "string" or not crypto.from_base64url(key.e) then refuse("key.e: base64url is needed") end
  local operations = key.key_ops
  if (key.use == nil) == (operations == nil) then refuse("key: one of use and key_ops is needed") end
  if key.use and key.use ~= "sig" then refuse("key.use: \"sig\" is needed") end
  if operations and (type(operations) ~= "table" or operations[1] ~= "verify" or operations[2]) then
    refuse("key.key_ops: [\"verify\"] is needed")
  end
end

local function add_key(given, params)
  local channel = channel_of(params.id)
  check_key(given.key)
  channel.keys = channel.keys or {}
  local kid = ids.uuid()
  channel.keys[kid] = {kty = "RSA", n = given.key.n, e = given.key.e}
  changed(channel)
  return {kid = kid}
end

local function remove_key(_, params)
  local channel = channel_of(params.id)
  if not channel.keys or not channel.keys[params.kid] then
    errors.raise(404, ("channel %s has no key %s"):format(channel.id, params.kid))
  end
  channel.keys[params.kid] = nil
  changed(channel)
end

-- ---- modules ----

local function attach(given, params)
  local channel, account = channel_of(params.id), channel_of(given.account)
  if not channel.module then
    refuse("%s is no module channel: PATCH /_/channels/%s {\"module\": true}", channel.name, channel.id)
  end
  return {code = require("emulator.operations.module").issue_code(channel, account, given.redirectUri, given.scopes,
    given.codeChallenge)}
end

-- ---- missions ----

local function add_mission(given, params)
  local channel = channel_of(params.id)
  if given.productId == "" then refuse("productId: a text is needed") end
  channel.missions = channel.missions or {}
  channel.missions[given.productId] = {from = given.from, to = given.to}
  changed(channel)
end

return {
  {method = "POST", path = "/_/channels/:id/keys", what = "register the public key of assertions (tokens of v2.1)",
    fields = {key = "object!: a JWK: RSA of 2048 bits, without kid"}, fn = add_key},
  {method = "DELETE", path = "/_/channels/:id/keys/:kid", what = "its key is no more", fn = remove_key},
  {method = "POST", path = "/_/channels/:id/codes",
    what = "an account's manager lets a module channel in: the code for attach_module",
    fields = {account = "any!: id of the account's channel", redirectUri = "string: where the code is brought to",
      scopes = "list: as message:send", codeChallenge = "string: of PKCE, S256"}, fn = attach},
  {method = "POST", path = "/_/channels/:id/missions", what = "a sticker set that mission_sticker_v3 may give",
    fields = {productId = "string!: of the set", from = "integer: ms since 1970", to = "integer: ms since 1970"},
    fn = add_mission},
}
