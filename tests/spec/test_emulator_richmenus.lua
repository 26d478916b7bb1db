-- The emulator's rich menus, as https://developers.line.biz/en/reference/messaging-api/#rich-menu has them.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local act = require "emulator.act"
local api = require "emulator.api"
local richmenus = require "emulator.operations.richmenus"
local world = require "emulator.world"

api.options.rates = false

local user = kit.user
local DAY = 24 * 3600 * 1000
local AT = "/v2/bot/richmenu"
local NOT_FOUND = {message = "Not found"}
local NOBODYS = "richmenu-" .. ("0"):rep(32)

local function answers(want_status, want_body, status, body) tap.same({status, body}, {want_status, want_body}) end
local function wrong(message, property, status, body)
  tap.same({status, body.message, body.details}, {400, "The request body has 1 error(s)",
    {{message = message, property = property}}})
end
-- Refusals whose details are empty in the reference's examples.
local function told(want_status, message, status, body)
  tap.same({status, body.message, body.details}, {want_status, message, {}})
end

local function menu(more)
  local body = {size = {width = 2500, height = 1686}, selected = false, name = "Nice rich menu",
    chatBarText = "Tap to open", areas = {{bounds = {x = 0, y = 0, width = 2500, height = 1686},
    action = {type = "postback", data = "action=buy&itemid=123"}}}}
  for name, value in pairs(more or {}) do body[name] = value or nil end
  return body
end

local function png(width, height, size)
  local bytes = "\137PNG\r\n\26\n" .. string.pack(">I4c4I4I4", 13, "IHDR", width, height)
  return bytes .. ("\0"):rep((size or 100) - #bytes)
end
local function jpeg(width, height)
  return "\xff\xd8\xff\xe0" .. string.pack(">I2", 4) .. "JF\xff\xc0" .. string.pack(">I2BI2I2", 17, 8, height, width)
    .. ("\0"):rep(20)
end

local function upload(id, bytes, kind)
  return kit.call("POST", AT .. "/" .. id .. "/content", bytes, {["content-type"] = kind or "image/png"})
end
local function bare() return select(2, kit.post(AT, menu())).richMenuId end
local function new()
  local id = bare()
  tap.same((upload(id, png(2500, 1686))), 200)
  return id
end
local function of_user(n) return kit.get("/v2/bot/user/" .. user(n) .. "/richmenu") end
local function shown(n) return (richmenus.effective(world.state.channels["1000"], user(n))) end
local function link(n, id) return kit.call("POST", "/v2/bot/user/" .. user(n) .. "/richmenu/" .. id) end
local function delete(path) return kit.call("DELETE", path) end

-- ---- menus ----

tap.test("a menu is made, shown, listed, deleted", function()
  kit.world()
  local status, body = kit.post(AT, menu())
  tap.same(status, 200)
  assert(body.richMenuId:find("^richmenu%-" .. ("%x"):rep(32) .. "$"))
  local want = menu()
  want.richMenuId = body.richMenuId
  answers(200, want, kit.get(AT .. "/" .. body.richMenuId))
  local second = bare()
  local list = select(2, kit.get(AT .. "/list")).richmenus
  tap.same({#list, list[1].richMenuId, list[2]}, {2, second, want})
  answers(200, {}, delete(AT .. "/" .. body.richMenuId))
  answers(404, NOT_FOUND, kit.get(AT .. "/" .. body.richMenuId))
  answers(404, NOT_FOUND, delete(AT .. "/" .. body.richMenuId))
  tap.same(#select(2, kit.get(AT .. "/list")).richmenus, 1)
end)

tap.test("what is no menu is refused, made or only looked at", function()
  kit.world()
  for _, path in ipairs{AT, AT .. "/validate"} do
    wrong("must be specified", "name", kit.post(path, menu{name = false}))
    wrong("invalid uri", "areas[0].action.uri", kit.post(path, menu{areas = {{bounds = {x = 0, y = 0, width = 1,
      height = 1}, action = {type = "uri", uri = "example:x"}}}}))
    tap.same((kit.post(path, menu{chatBarText = ("a"):rep(15)})), 400)
    tap.same((kit.post(path, menu{size = {width = 799, height = 250}})), 400)
    tap.same((kit.post(path, menu{size = {width = 2500, height = 1725}})), 400)
  end
  answers(200, {}, kit.post(AT .. "/validate", menu()))
  answers(200, {richmenus = {}}, kit.get(AT .. "/list"))
end)

tap.test("a thousand menus and no more", function()
  kit.world()
  local last
  for _ = 1, 1000 do last = bare() end
  tap.same((kit.post(AT, menu())), 400)
  delete(AT .. "/" .. last)
  tap.same((kit.post(AT, menu())), 200)
end)

-- ---- images ----

tap.test("an image is set once and read back", function()
  kit.world()
  for kind, bytes in pairs{["image/png"] = png(800, 250), ["image/jpeg"] = jpeg(2500, 1724)} do
    local id = bare()
    answers(404, NOT_FOUND, kit.get(AT .. "/" .. id .. "/content"))
    answers(200, {}, upload(id, bytes, kind))
    local status, text, headers = kit.get(AT .. "/" .. id .. "/content")
    tap.same({status, text == bytes, headers["content-type"]}, {200, true, kind})
    answers(400, {message = "An image has already been uploaded to the richmenu"}, upload(id, bytes, kind))
  end
  answers(404, NOT_FOUND, upload(NOBODYS, png(2500, 1686)))
  answers(404, NOT_FOUND, kit.get(AT .. "/" .. NOBODYS .. "/content"))
end)

for name, bytes in pairs{["too narrow"] = png(799, 250), ["too wide"] = png(2501, 1000), ["too low"] = png(800, 249),
  ["too high for its width"] = png(1449, 1000), ["too heavy"] = png(2500, 1686, 1024 * 1024 + 1),
  ["no image"] = "hello"} do
  tap.test("an image that is " .. name, function()
    kit.world()
    answers(400, {message = "The image size is not allowed for richmenu"}, upload(bare(), bytes))
  end)
end

tap.test("an image of one megabyte; other types; more than two", function()
  kit.world()
  tap.same((upload(bare(), png(2500, 1686, 1024 * 1024))), 200)
  tap.same((upload(bare(), "GIF89a", "image/gif")), 415)
  tap.same((upload(bare(), "x", "multipart/form-data; boundary=x")), 415)
  tap.same((upload(bare(), png(2500, 1686, 2 * 1024 * 1024 + 1))), 413)
end)

-- ---- the default and people's own ----

tap.test("the default menu", function()
  kit.world()
  told(404, "no default richmenu", kit.get("/v2/bot/user/all/richmenu"))
  local id, plain = new(), bare()
  told(400, "must upload richmenu image before applying it to user", kit.call("POST",
    "/v2/bot/user/all/richmenu/" .. plain))
  answers(404, NOT_FOUND, kit.call("POST", "/v2/bot/user/all/richmenu/" .. NOBODYS))
  answers(200, {}, kit.call("POST", "/v2/bot/user/all/richmenu/" .. id))
  answers(200, {richMenuId = id}, kit.get("/v2/bot/user/all/richmenu"))
  tap.same({shown(1), shown(5)}, {id, id}) -- those who are no friends see it, too
  answers(200, {}, delete("/v2/bot/user/all/richmenu"))
  tap.same(shown(1), nil)
  kit.call("POST", "/v2/bot/user/all/richmenu/" .. id)
  delete(AT .. "/" .. id)
  told(404, "no default richmenu", kit.get("/v2/bot/user/all/richmenu"))
end)

tap.test("a person's own menu goes before the default", function()
  kit.world()
  local own, default = new(), new()
  kit.call("POST", "/v2/bot/user/all/richmenu/" .. default)
  told(404, "the user has no richmenu", of_user(1))
  answers(200, {}, link(1, own))
  answers(200, {richMenuId = own}, of_user(1))
  tap.same({shown(1), shown(2)}, {own, default})
  answers(200, {}, delete("/v2/bot/user/" .. user(1) .. "/richmenu"))
  told(404, "the user has no richmenu", of_user(1))
  link(1, own)
  delete(AT .. "/" .. own)
  tap.same(shown(1), default)
end)

tap.test("linking to whoever is no friend is taken and does nothing", function()
  kit.world()
  local id = new()
  for _, n in ipairs{4, 5, 77} do
    answers(200, {}, link(n, id))
    told(404, "the user has no richmenu", of_user(n))
  end
  world.state.channels["1000"].richmenus.users[user(4)] = id -- of the time before the block
  answers(200, {}, delete("/v2/bot/user/" .. user(4) .. "/richmenu"))
  tap.same(world.state.channels["1000"].richmenus.users[user(4)], id)
end)

tap.test("what linking refuses", function()
  kit.world()
  local id = new()
  local want = {message = "The value for the 'userId' parameter is invalid"}
  answers(400, want, kit.call("POST", "/v2/bot/user/U1/richmenu/" .. id))
  answers(400, want, kit.get("/v2/bot/user/U1/richmenu"))
  answers(400, want, delete("/v2/bot/user/U1/richmenu"))
  answers(404, NOT_FOUND, link(1, NOBODYS))
  told(400, "must upload richmenu image before applying it to user", link(1, bare()))
end)

tap.test("many at once, a moment later", function()
  kit.world()
  local id = new()
  answers(202, {}, kit.post(AT .. "/bulk/link", {richMenuId = id, userIds = {user(1), user(2), user(5)}}))
  tap.same((of_user(1)), 404)
  kit.advance(1000)
  tap.same({shown(1), shown(2), shown(5)}, {id, id, nil})
  answers(202, {}, kit.post(AT .. "/bulk/unlink", {userIds = {user(1)}}))
  tap.same(shown(1), id)
  kit.advance(1000)
  tap.same({shown(1), shown(2)}, {nil, id})
end)

tap.test("what many at once refuse", function()
  kit.world()
  local id, plain = new(), bare()
  local function both(ids) return kit.post(AT .. "/bulk/link", {richMenuId = id, userIds = ids}) end
  local want = {message = "The property, 'userIds[0]', in the request body is invalid (line: -, column: -)"}
  answers(400, want, both{"x"})
  answers(400, want, kit.post(AT .. "/bulk/unlink", {userIds = {"x"}}))
  wrong("invalid richMenuId", "richMenuId", kit.post(AT .. "/bulk/link", {richMenuId = "x", userIds = {user(1)}}))
  told(404, "richmenu not found", kit.post(AT .. "/bulk/link", {richMenuId = NOBODYS, userIds = {user(1)}}))
  told(400, "must upload richmenu image before applying it to user",
    kit.post(AT .. "/bulk/link", {richMenuId = plain, userIds = {user(1)}}))
  local many = {}
  for i = 1, 501 do many[i] = user(i) end
  tap.same((both(many)), 400)
  many[501] = nil
  tap.same((both(many)), 202)
end)

-- ---- batches ----

local function batch(operations, key)
  return kit.post(AT .. "/batch", {operations = operations, resumeRequestKey = key})
end

tap.test("operations of a batch look at the state before it", function()
  kit.world()
  local a, b, c = new(), new(), new()
  link(1, a)
  link(2, b)
  link(3, c)
  local status, body, headers = batch{{type = "link", from = a, to = b}, {type = "link", from = b, to = c},
    {type = "unlink", from = c}}
  answers(202, {}, status, body)
  local at = AT .. "/progress/batch?requestId=" .. headers["x-line-request-id"]
  answers(200, {phase = "ongoing", acceptedTime = "2025-01-01T03:00:00.000Z"}, kit.get(at))
  kit.advance(1000)
  tap.same({shown(1), shown(2), shown(3)}, {b, c, nil})
  answers(200, {phase = "succeeded", acceptedTime = "2025-01-01T03:00:00.000Z",
    completedTime = "2025-01-01T03:00:01.000Z"}, kit.get(at))
  kit.advance(14 * DAY - 1000)
  tap.same((kit.get(at)), 200)
  kit.advance(1)
  answers(404, NOT_FOUND, kit.get(at))
  answers(404, NOT_FOUND, kit.get(AT .. "/progress/batch?requestId=a425a5cd-6510-43fe-95be-a27f222e5dc0"))
  tap.same((kit.get(AT .. "/progress/batch?requestId=x")), 400)
end)

tap.test("all are unlinked", function()
  kit.world()
  local a, b = new(), new()
  link(1, a)
  link(2, b)
  tap.same((batch{{type = "unlinkAll"}}), 202)
  kit.advance(1000)
  tap.same({shown(1), shown(2)}, {nil, nil})
end)

tap.test("a batch that is sent again with its key changes nobody twice, for fourteen days", function()
  kit.world()
  local a, b = new(), new()
  link(1, a)
  tap.same((batch({{type = "link", from = a, to = b}}, "key-1")), 202)
  kit.advance(1000)
  link(1, a)
  tap.same((batch({{type = "link", from = a, to = b}}, "key-1")), 202)
  kit.advance(1000)
  tap.same(shown(1), a)
  kit.advance(14 * DAY)
  batch({{type = "link", from = a, to = b}}, "key-1")
  kit.advance(1000)
  tap.same(shown(1), b)
end)

tap.test("what a batch refuses, and its validation too", function()
  kit.world()
  local a, plain = new(), bare()
  for _, path in ipairs{AT .. "/batch", AT .. "/validate/batch"} do
    local function post(...) return kit.post(path, {operations = {...}}) end
    wrong("invalid richMenuId", "operations[0].from", post{type = "unlink", from = "x"})
    wrong(("from richmenu (%s) is duplicated"):format(a), "operations[].from",
      post({type = "unlink", from = a}, {type = "unlink", from = a}))
    wrong("'unlinkAll' type can't be combined with other type", "operations[].type",
      post({type = "unlinkAll"}, {type = "unlink", from = a}))
    wrong(("'to' richmenu (%s) must have image but it doesn't"):format(plain), "operations[0].to",
      post{type = "link", from = a, to = plain})
    answers(404, {message = "The request body has 1 error(s)",
      details = {{message = ("Richmenu (%s) is not found"):format(NOBODYS), property = "operations[0].to"}}},
      post{type = "link", from = a, to = NOBODYS})
    tap.same((post{type = "link", to = a}), 400)
    tap.same((kit.post(path, {operations = {{type = "unlinkAll"}}, resumeRequestKey = "a b"})), 400)
    tap.same((kit.post(path, {operations = kit.json.array {}})), 400)
  end
  answers(200, {}, kit.post(AT .. "/validate/batch", {operations = {{type = "unlink", from = a}}}))
end)

-- ---- aliases ----

local ALIAS = AT .. "/alias"
local function alias(name, id) return kit.post(ALIAS, {richMenuAliasId = name, richMenuId = id}) end

tap.test("aliases are made, listed, changed, deleted", function()
  kit.world()
  local a, b = new(), new()
  answers(200, {aliases = {}}, kit.get(ALIAS .. "/list"))
  answers(200, {}, alias("tab-b", b))
  answers(200, {}, alias("tab-a", a))
  answers(200, {richMenuAliasId = "tab-a", richMenuId = a}, kit.get(ALIAS .. "/tab-a"))
  answers(200, {aliases = {{richMenuAliasId = "tab-a", richMenuId = a}, {richMenuAliasId = "tab-b", richMenuId = b}}},
    kit.get(ALIAS .. "/list"))
  answers(200, {}, kit.post(ALIAS .. "/tab-a", {richMenuId = b}))
  tap.same(select(2, kit.get(ALIAS .. "/tab-a")).richMenuId, b)
  answers(200, {}, delete(ALIAS .. "/tab-a"))
  told(404, "richmenu alias not found", kit.get(ALIAS .. "/tab-a"))
end)

tap.test("what aliases refuse", function()
  kit.world()
  local id, plain = new(), bare()
  alias("tab", id)
  told(400, "conflict richmenu alias id", alias("tab", id))
  told(400, "richmenu not found", alias("other", NOBODYS))
  told(400, "richmenu not found", alias("other", plain))
  wrong("invalid richMenuId", "richMenuId", alias("other", "x"))
  told(400, "richmenu not found", kit.post(ALIAS .. "/tab", {richMenuId = plain}))
  wrong("invalid richMenuId", "richMenuId", kit.post(ALIAS .. "/tab", {richMenuId = "x"}))
  told(404, "richmenu alias not found", kit.post(ALIAS .. "/none", {richMenuId = id}))
  told(404, "richmenu alias not found", delete(ALIAS .. "/none"))
  for _, name in ipairs{"Tab", "a.b", ("a"):rep(33), ""} do tap.same({name, (alias(name, id))}, {name, 400}) end
  tap.same((alias(("a"):rep(32), id)), 200)
  tap.same({(kit.get(ALIAS .. "/A")), (delete(ALIAS .. "/A"))}, {400, 400})
end)

tap.test("a thousand aliases and no more", function()
  kit.world()
  local id = new()
  for i = 1, 1000 do tap.same((alias("tab-" .. i, id)), 200) end
  tap.same((alias("more", id)), 400)
end)

-- ---- switching ----

local function switch(name)
  local answer = act.perform{as = user(1), chat = "1000:" .. user(1), ["do"] = "tap", richmenu = true,
    action = {type = "richmenuswitch", richMenuAliasId = name, data = "d"}}
  local event = kit.events[#kit.events].event
  return answer, event.postback
end

tap.test("a tap on a tab shows the other menu and tells the bot", function()
  kit.world()
  local a, b = new(), new()
  kit.call("POST", "/v2/bot/user/all/richmenu/" .. a)
  alias("tab-b", b)
  local answer, postback = switch("tab-b")
  tap.same({answer.status, answer.richMenuId}, {"SUCCESS", b})
  tap.same(postback, {data = "d", params = {newRichMenuAliasId = "tab-b", status = "SUCCESS"}})
  answers(200, {richMenuId = b}, of_user(1)) -- it is the person's own from here on
  delete("/v2/bot/user/all/richmenu")
  tap.same(shown(1), b)
  _, postback = switch("none")
  tap.same(postback.params, {status = "RICHMENU_ALIAS_ID_NOTFOUND"})
  delete(AT .. "/" .. b)
  _, postback = switch("tab-b")
  tap.same(postback.params, {status = "RICHMENU_NOTFOUND"})
end)

tap.done()
