-- The emulator's LIFF apps, as https://developers.line.biz/en/reference/liff-server/ has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local api = require "emulator.api"
local world = require "emulator.world"

api.options.rates = false

local AT = "/liff/v1/apps"

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end

local function app(more)
  local body = {view = {type = "full", url = "https://example.com/myservice"}, description = "Service Example"}
  for name, value in pairs(more or {}) do body[name] = value or nil end
  return body
end
local function new(more) return select(2, kit.post(AT, app(more))).liffId end
local function apps() return select(2, kit.get(AT)).apps end
local function put(id, body) return kit.call("PUT", AT .. "/" .. id, body) end

tap.test("an app is added and listed, with what is said for it", function()
  kit.world()
  tap.same((kit.get(AT)), 404) -- there is none
  local status, body = kit.post(AT, app())
  tap.same(status, 200)
  assert(body.liffId:find("^1000%-%w+$"), body.liffId)
  tap.same(apps(), {{liffId = body.liffId, view = {type = "full", url = "https://example.com/myservice"},
    description = "Service Example", features = {ble = false, qrCode = false}, permanentLinkPattern = "concat",
    scope = {"profile", "chat_message.write"}, botPrompt = "none"}})
  local second = new{features = {qrCode = true}, scope = {"openid", "email"}, botPrompt = "aggressive",
    view = {type = "tall", url = "https://example.com/x", moduleMode = true}}
  local listed = apps()[2]
  tap.same({listed.liffId, listed.features.qrCode, listed.scope, listed.botPrompt, listed.view.moduleMode},
    {second, true, {"openid", "email"}, "aggressive", true})
end)

for name, more in pairs{
  ["no view"] = {view = false}, ["no URL"] = {view = {type = "full"}},
  ["no size"] = {view = {url = "https://a.example/"}},
  ["another size"] = {view = {type = "huge", url = "https://a.example/"}},
  ["http"] = {view = {type = "full", url = "http://a.example/"}},
  ["a fragment"] = {view = {type = "full", url = "https://a.example/#x"}},
  ["LINE in its name"] = {description = "My Line shop"}, ["another scope"] = {scope = {"admin"}},
  ["another prompt"] = {botPrompt = "always"}, ["another pattern"] = {permanentLinkPattern = "replace"},
} do
  tap.test("refused: an app with " .. name, function()
    kit.world()
    tap.same((kit.post(AT, app(more))), 400)
    tap.same((kit.get(AT)), 404)
  end)
end

tap.test("only what is given is changed", function()
  kit.world()
  local id = new{features = {qrCode = true}}
  tap.same((put(id, {view = {url = "https://new.example.com"}})), 200)
  tap.same({apps()[1].view, apps()[1].description, apps()[1].features.qrCode},
    {{type = "full", url = "https://new.example.com"}, "Service Example", true})
  tap.same((put(id, {description = "Shop", features = {qrCode = false}, scope = {"openid"},
    botPrompt = "normal"})), 200)
  tap.same({apps()[1].description, apps()[1].features, apps()[1].scope, apps()[1].botPrompt},
    {"Shop", {ble = false, qrCode = false}, {"openid"}, "normal"})
  tap.same((put(id, {view = {url = "http://new.example.com"}})), 400)
  tap.same((put(id, {view = {type = "huge"}})), 400)
  tap.same(apps()[1].view.url, "https://new.example.com")
end)

tap.test("deleting; apps that are not there, or another channel's", function()
  kit.world()
  local id = new()
  tap.same((kit.call("DELETE", AT .. "/" .. id)), 200)
  tap.same({(kit.get(AT)), (kit.call("DELETE", AT .. "/" .. id)), (put(id, {description = "x"}))}, {404, 404, 404})
  world.state.channels["2"] = {id = "2", tokens = {}, friends = {}, liff = {{liffId = "2-abc", view = {}}}}
  tap.same({(kit.call("DELETE", AT .. "/2-abc")), (put("2-abc", {description = "x"}))}, {404, 404})
  tap.same(#world.state.channels["2"].liff, 1)
end)

tap.test("thirty apps and no more", function()
  kit.world()
  for _ = 1, 30 do tap.same((kit.post(AT, app())), 200) end
  tap.same((kit.post(AT, app())), 400)
  kit.call("DELETE", AT .. "/" .. apps()[7].liffId)
  tap.same((kit.post(AT, app())), 200)
end)

tap.test("without a token", function()
  kit.world()
  tap.same((kit.get(AT, {authorization = false})), 401)
end)

tap.done()
