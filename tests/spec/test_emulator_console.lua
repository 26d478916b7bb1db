-- The controls that stand for LINE's console: keys of assertions, modules, missions.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local world = require "emulator.world"

local function ok(status, answer)
  if status ~= 200 then error(("%s %s"):format(status, type(answer) == "table" and answer.message), 2) end
  return answer
end
local function refused(status, part, method, path, given)
  local got, answer = deeds.control(method, path, given)
  tap.same(got, status)
  if not answer.message:find(part, 1, true) then error("said: " .. answer.message .. "\nwanted: " .. part, 2) end
end

tap.test("keys of assertions, as the console takes them", function()
  deeds.world()
  local path, id = "/_/channels/:id/keys", next(world.state.channels)
  local good = {kty = "RSA", alg = "RS256", use = "sig", e = "AQAB",
    n = require("crypto").base64url(("n"):rep(256))}
  local function with(name, value)
    local key = {}
    for field, part in pairs(good) do key[field] = part end
    key[name] = value
    return {body = {key = key}, params = {id = id}}
  end
  local kid = ok(deeds.control("POST", path, {body = {key = good}, params = {id = id}})).kid
  tap.same(world.state.channels[id].keys[kid], {kty = "RSA", n = good.n, e = good.e})
  for _, case in ipairs{{"kty", "EC", "key.kty"}, {"alg", "ES256", "key.alg"}, {"d", "x", "private"},
    {"kid", "1", "key.kid"}, {"n", "AQAB", "2048"}, {"n", nil, "2048"}, {"e", nil, "key.e"}, {"use", "enc", "key.use"},
    {"key_ops", {"verify"}, "one of"}} do
    refused(400, case[3], "POST", path, with(case[1], case[2]))
  end
  refused(404, "there is no channel 7", "POST", path, {body = {key = good}, params = {id = "7"}})
  ok(deeds.control("DELETE", path .. "/:kid", {params = {id = id, kid = kid}}))
  refused(404, "has no key", "DELETE", path .. "/:kid", {params = {id = id, kid = kid}})
end)

tap.test("codes are for module channels; missions have a set", function()
  deeds.world()
  local id, channel = next(world.state.channels)
  refused(400, "is no module channel", "POST", "/_/channels/:id/codes", {body = {account = id}, params = {id = id}})
  channel.module = true
  tap.same(type(ok(deeds.control("POST", "/_/channels/:id/codes", {body = {account = id}, params = {id = id}})).code),
    "string")
  refused(400, "productId", "POST", "/_/channels/:id/missions", {body = {productId = ""}, params = {id = id}})
  ok(deeds.control("POST", "/_/channels/:id/missions", {body = {productId = "4"}, params = {id = id}}))
  tap.same(channel.missions["4"], {})
end)

tap.done()
