-- Rich menus as code: declaring, geometry, images, plans, and applying against a LINE made of tables.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

local function fresh()
  local _, router = stub.fresh()
  return require "line.richmenu", router
end

fresh()
local geometry = require "line.richmenu.geometry"
local identity = require "line.richmenu.identity"
local image = require "line.richmenu.image"
local plan = require "line.richmenu.plan"
local apply = require "line.richmenu.apply"

local function postback(data) return {type = "postback", data = data} end
local a, b, c = postback("a"), postback("b"), postback("c")

-- ---- areas ----

test("rows fill the size without a gap, whatever does not divide", function()
  same(geometry.areas({{a, b, c}}, {width = 2500, height = 843}), {
    {action = a, bounds = {x = 0, y = 0, width = 833, height = 843}},
    {action = b, bounds = {x = 833, y = 0, width = 833, height = 843}},
    {action = c, bounds = {x = 1666, y = 0, width = 834, height = 843}}})
end)

test("shares of rows and cells, places without an action", function()
  same(geometry.areas({{a, b, height = 1}, {{c, width = 3}, false, height = 4}}, {width = 1000, height = 500}), {
    {action = a, bounds = {x = 0, y = 0, width = 500, height = 100}},
    {action = b, bounds = {x = 500, y = 0, width = 500, height = 100}},
    {action = c, bounds = {x = 0, y = 100, width = 750, height = 400}}})
  same(geometry.areas({{a, height = 250}, {b, height = 1436}}, {width = 2500, height = 1686})[1].bounds,
    {x = 0, y = 0, width = 2500, height = 250})
  same(math.type(geometry.areas({{a, height = 0.5}, {b}}, {width = 900, height = 600})[2].bounds.y), "integer")
end)

test("rows that are none", function()
  same(geometry.rows_problem{}, "rows is empty; a row is a list of actions")
  same(geometry.rows_problem{a}, "rows[1] must be a list of actions, such as {a, b}")
  same(geometry.rows_problem{{a}, {}}, "rows[2] has no cell; {false} is a row without actions")
  same(geometry.rows_problem{{a, "b"}}, "rows[1][2] must be an action, {action, width = share} or false")
  same(geometry.rows_problem{{a, height = 0}}, "rows[1].height must be a number above 0, not 0")
  same(geometry.rows_problem{{{a, width = "2"}}}, "rows[1][1].width must be a number above 0, not 2")
  same(geometry.rows_problem{{a, {b, width = 2}, false}}, nil)
end)

local function area(x, y, width, height)
  return {bounds = {x = x, y = y, width = width, height = height}, action = a}
end

local function found(areas, size)
  local problems, warnings = geometry.check(areas, size)
  local texts = {{}, {}}
  for i, p in ipairs(problems) do texts[1][i] = p.text end
  for i, p in ipairs(warnings) do texts[2][i] = p.text end
  return texts
end

test("areas: inside, touching, outside, on top of each other", function()
  local size = {width = 1000, height = 500}
  same(found({area(0, 0, 500, 500), area(500, 0, 500, 500)}, size), {{}, {}})
  same(found({area(500, 0, 501, 500)}, size),
    {{"areas[1]: bounds (x 500 to 1001, y 0 to 500) are outside of the menu's 1000x500"}, {}})
  same(found({area(500, 0, 501, 500)}), {{}, {}}) -- the size is not known yet
  same(found({area(0, 0, 501, 500), area(500, 0, 500, 500)}, size), {{},
    {"areas[2] (x 500 to 1000, y 0 to 500) overlaps areas[1] (x 0 to 501, y 0 to 500); where both are, only one can "
      .. "answer a tap"}})
end)

test("areas: numbers, parts and how many", function()
  same(found({area(0, 0, 2500 / 3, 1)})[1],
    {"areas[1]: bounds.width is 833.33333333333 and must be a whole number of pixels from 1 on"})
  same(found({area(-1, 0, 5, 5), area(0, 0, 0, 5)})[1],
    {"areas[1]: bounds.x is -1 and must be a whole number of pixels from 0 on",
      "areas[2]: bounds.width is 0 and must be a whole number of pixels from 1 on"})
  same(found({{action = a}, {bounds = {x = 0, y = 0, width = 1}, action = a}, 7})[1],
    {"areas[1]: bounds is missing", "areas[2]: bounds.height is missing", "areas[3]: must be {bounds = …, action = …}"})
  same(found({{bounds = area(0, 0, 1, 1).bounds}})[1], {"areas[1]: action is missing"})
  local many = {}
  for i = 1, 21 do many[i] = area(i * 10, 0, 10, 10) end
  same(found(many)[1], {"areas: there are 21, and a menu may have 20"})
end)

test("sizes", function()
  local function problem(w, h) return geometry.size_problem({width = w, height = h}, "size") end
  same(problem(2500, 1686), nil)
  same(problem(800, 250), nil)
  same(problem(2500, 1724), nil)
  same(problem(2500, 1725),
    "size is 2500x1725; width / height is 1.449 and must be at least 1.45, so the height at most 1724 here")
  same(problem(799, 300), "size is 799x300; the width must be 800 to 2500 pixels")
  same(problem(2501, 300), "size is 2501x300; the width must be 800 to 2500 pixels")
  same(problem(800, 249), "size is 800x249; the height must be at least 250 pixels")
  same(problem(800.5, 300), "size must have a width and a height in whole pixels")
end)

-- ---- images ----

local function png(width, height)
  return "\137PNG\r\n\26\n" .. (">I4"):pack(13) .. "IHDR" .. (">I4I4"):pack(width, height) .. "\8\2\0\0\0"
end

local function jpeg(width, height, before)
  return "\xFF\xD8" .. (before or "") .. "\xFF\xC0" .. (">I2BI2I2"):pack(17, 8, height, width) .. ("\0"):rep(10)
end

test("what an image is and how large", function()
  same(image.look(png(2500, 843)), {type = "image/png", width = 2500, height = 843})
  same(image.look(jpeg(1200, 405)), {type = "image/jpeg", width = 1200, height = 405})
  -- a comment, a table of codes and filling come before the frame
  same(image.look(jpeg(1200, 405, "\xFF\xFE\0\4hi\xFF\xC4\0\5abc\xFF\xFF")).width, 1200)
  same(image.look(("\xFF\xD8\xFF\xC2" .. (">I2BI2I2"):pack(17, 8, 300, 900) .. "\0\0")).width, 900) -- progressive
end)

test("what is no image", function()
  same(select(2, image.look("")), "it is empty")
  same(select(2, image.look("GIF89a….")), "a rich menu takes a PNG or a JPEG, and this is a GIF")
  same(select(2, image.look("RIFFxxxxWEBP")), "a rich menu takes a PNG or a JPEG, and this is a WebP")
  same(select(2, image.look("<svg/>")), "a rich menu takes a PNG or a JPEG, and this is a text")
  same(select(2, image.look(png(1, 1):sub(1, 20))), "it begins like a PNG and breaks off")
  for n = 2, 15 do
    same(select(2, image.look(jpeg(1, 1, "\xFF\xFE\0\4hi"):sub(1, n - 1) .. "\xFF\xD9")) ~= nil, true)
  end
  same(select(2, image.look("\xFF\xD8\xFF\xDA" .. jpeg(9, 9))), "it begins like a JPEG, yet its size is nowhere in it")
end)

-- ---- identity ----

test("a fingerprint sees content and nothing else", function()
  local one = {name = "n", areas = {area(0, 0, 5, 5)}, selected = true}
  local hash = identity.hash(one, "bytes")
  same(#hash, 12)
  same(identity.hash({selected = true, areas = {area(0.0, 0, 5, 5)}, name = "n"}, "bytes"), hash)
  for _, other in ipairs{{name = "m", areas = one.areas, selected = true}, {name = "n", areas = {}, selected = true},
    {name = "n", areas = one.areas, selected = "true"}, {name = "n", areas = {area(0, 0, 5, 6)}, selected = true}} do
    same(identity.hash(other, "bytes") ~= hash, true)
  end
  same(identity.hash(one, "other") ~= hash, true)
end)

test("names at LINE", function()
  same(identity.join("home", "0123456789ab"), "home #moonline-0123456789ab")
  same({identity.split("a #b #moonline-0123456789ab")}, {"a #b", "0123456789ab"})
  for _, foreign in ipairs{"home", "home #a1b2c3d4", "home #moonline-0123", "home #moonline-0123456789ab2",
    "#moonline-0123456789ab", "home #moonline-0123456789xy"} do
    same(identity.split(foreign), nil)
  end
  same(identity.split(nil), nil)
  same(identity.name_problem(("x"):rep(277)), nil)
  same(identity.name_problem(("x"):rep(278)), "the name is longer than the 277 characters that are left for it")
  same(identity.name_problem(("🍎"):rep(138)), nil)
  same(identity.name_problem(("🍎"):rep(139)) ~= nil, true)
  same(identity.name_problem("a\nb"), "the name has a control character")
  same(identity.name_problem("\xFF"), "the name is not UTF-8")
end)

-- ---- declaring ----

test("a declared menu", function()
  local richmenu = fresh()
  richmenu.declare{name = "home", image = "home.png", rows = {{a, b}}, alias = "home", default = true}
  local menu = richmenu.declared()[1]
  same(menu.where:find("^test_richmenu.lua:%d+$") ~= nil, true)
  same(richmenu.object(menu, {width = 1000, height = 500}), {name = "home", chatBarText = "Menu", selected = true,
    size = {width = 1000, height = 500}, areas = {area(0, 0, 500, 500),
      {action = b, bounds = {x = 500, y = 0, width = 500, height = 500}}}})
  richmenu.declare{name = "areas", image = "x.png", areas = {area(0.0, 0, 5.0, 5)}, selected = false, size = "compact"}
  local object = richmenu.object(richmenu.declared()[2], {width = 1000, height = 500})
  same(object.selected, false)
  same(math.type(object.areas[1].bounds.width), "integer")
end)

test("what cannot be declared says so at its line", function()
  local richmenu, router = fresh()
  local function wrong(part, fields)
    local menu = {name = "n", image = "n.png", rows = {{a}}}
    for k, v in pairs(fields) do menu[k] = v or nil end
    local e = raises(part, richmenu.declare, menu)
    same(tostring(e):find("^test_richmenu.lua:%d+: ") ~= nil, true)
  end
  wrong("unknown field 'chatBartext' (did you mean 'chatBarText'?)", {chatBartext = "x"})
  wrong("field 'default' must be a boolean, not a string", {default = "yes"})
  wrong("missing field 'name'", {name = false})
  wrong("missing field 'image'", {image = false})
  wrong("only one of 'rows' and 'areas'", {areas = {}})
  wrong("one of 'rows' and 'areas' must be there", {rows = false})
  wrong("alias 'Home' must be 1 to 32 of a-z, 0-9, _ and -", {alias = "Home"})
  wrong("alias '", {alias = ("a"):rep(33)})
  wrong("size 'huge' is none of large, compact", {size = "huge"})
  wrong("width / height is 1.00", {size = {width = 1000, height = 1000}})
  wrong("rows[1][1] must be an action", {rows = {{"a"}}})
  raises("takes a table of fields, not a string", richmenu.declare, "home")
  local e = raises("areas[1]: bounds is missing", richmenu.declare,
    {name = "n", image = "n.png", areas = {{action = a}, area(0, 0, 5, 900)}, size = {width = 1000, height = 500}})
  same(e:find("areas[2]: bounds (x 0 to 5, y 0 to 900) are outside", 1, true) ~= nil, true) -- all at once
  same(#richmenu.declared(), 0)
  router.loaded()
  wrong("menus are declared while the bot loads", {})
end)

test("menus get in each other's way", function()
  local richmenu = fresh()
  richmenu.declare{name = "one", image = "n.png", rows = {{a}}, alias = "x", default = true}
  local function wrong(part, fields) raises(part, richmenu.declare, fields) end
  wrong("line.richmenu 'one' is declared at test_richmenu.lua:", {name = "one", image = "n.png", rows = {{a}}})
  wrong("alias 'x' belongs to 'one' (test_richmenu", {name = "two", image = "n.png", rows = {{a}}, alias = "x"})
  wrong("'one' (test_richmenu", {name = "two", image = "n.png", rows = {{a}}, default = true})
end)

-- ---- plans ----

local function want(name, fields)
  local made = {name = name, label = identity.join(name, fields and fields.hash or "00000000000a"),
    where = "bot.lua:1",
    object = {size = {width = 1000, height = 500}, areas = fields and fields.areas or {area(0, 0, 5, 5)}},
    image = {path = name .. ".png", bytes = "bytes"}}
  made.object.name = made.label
  for k, v in pairs(fields or {}) do made[k] = v end
  return made
end

-- A LINE of tables: menus with images, aliases, a default, users with menus of their own.
local function new_line()
  local at = {menus = {}, images = {}, aliases = {}, users = {}, calls = {}, n = 0, left = math.huge, batches = {}}
  local function fail(status, message) error({status = status, message = message}, 0) end
  local function find(id)
    for i, m in ipairs(at.menus) do
      if m.richMenuId == id then return m, i end
    end
    fail(404, "Not found")
  end
  local function shown(id)
    find(id)
    if not at.images[id] then fail(400, "must upload richmenu image before applying it to user") end
  end
  local api = {sleep = function() end, waiting = function() end}
  function api.validate() end
  function api.create(object)
    at.n = at.n + 1
    local id = "richmenu-" .. at.n
    table.insert(at.menus, {richMenuId = id, name = object.name})
    return id
  end
  function api.upload(id, file)
    find(id)
    if at.images[id] then fail(400, "An image has already been uploaded to the richmenu") end
    at.images[id] = file.bytes
  end
  function api.set_default(id) shown(id) at.default = id end
  function api.cancel_default() at.default = nil end
  function api.create_alias(alias, id)
    shown(id)
    if at.aliases[alias] then fail(400, "conflict richmenu alias id") end
    at.aliases[alias] = id
  end
  function api.update_alias(alias, id)
    shown(id)
    if not at.aliases[alias] then fail(404, "richmenu alias not found") end
    at.aliases[alias] = id
  end
  function api.delete_alias(alias)
    if not at.aliases[alias] then fail(404, "richmenu alias not found") end
    at.aliases[alias] = nil
  end
  function api.delete(id)
    local _, i = find(id)
    table.remove(at.menus, i)
    at.images[id] = nil
  end
  function api.batch(operations, key)
    if at.no_batch then fail(429, "The API rate limit has been exceeded. Try again later.") end
    at.batches[#at.batches + 1] = key
    for _, o in ipairs(operations) do
      find(o.from)
      shown(o.to)
      for user, id in pairs(at.users) do
        if id == o.from then at.users[user] = o.to end
      end
    end
    return "request"
  end
  function api.progress() return {phase = at.phase or "succeeded"} end
  -- Each call is noted. After `left` of them the line is cut, before the call is done or (after) behind it.
  for name, f in pairs(api) do
    api[name] = function(...)
      if name ~= "sleep" and name ~= "progress" and name ~= "waiting" then at.calls[#at.calls + 1] = name end
      at.left = at.left - 1
      if at.left < 0 and not at.after then fail(0, "connection lost") end
      local result = f(...)
      if at.left < 0 then fail(0, "connection lost") end
      return result
    end
  end
  function at.remote()
    local remote = {menus = at.menus, aliases = {}, default = at.default, images = {}}
    for alias, id in pairs(at.aliases) do
      table.insert(remote.aliases, {richMenuAliasId = alias, richMenuId = id})
    end
    for _, id in ipairs(plan.doubtful(remote)) do remote.images[id] = at.images[id] ~= nil end
    return remote
  end
  function at.apply(wanted)
    at.calls = {}
    return apply.run(plan.make(wanted, at.remote()), api, function() end)
  end
  function at.foreign(name)
    local id = api.create{name = name}
    api.upload(id, {bytes = "x"})
    return id
  end
  return at
end

local function ops(made)
  local list = {}
  for i, step in ipairs(made.steps) do list[i] = step.op .. ":" .. (step.alias or step.menu or "") end
  return table.concat(list, " ")
end

local function names(at)
  local list = {}
  for i, m in ipairs(at.menus) do list[i] = m.name end
  table.sort(list)
  return list
end

local function tabs(hash)
  return {want("home", {alias = "home", default = true, hash = hash}), want("more", {alias = "more"})}
end

test("nothing at LINE: everything is new, images before links, the default last", function()
  local made = plan.make(tabs(), {menus = {}, aliases = {}})
  same(ops(made), "create:home upload:home create:more upload:more alias:home alias:more default:home")
  local at = new_line()
  at.apply(tabs())
  same(at.calls, {"validate", "validate", "create", "upload", "create", "upload", "create_alias", "create_alias",
    "set_default"})
  same({at.aliases.home, at.aliases.more, at.default}, {"richmenu-1", "richmenu-2", "richmenu-1"})
  made = plan.make(tabs(), at.remote())
  same(ops(made), "")
  same(made.unchanged, {"home", "more"})
end)

test("a changed menu: new before old, users go over, the old one goes last", function()
  local at = new_line()
  at.apply(tabs())
  at.users.ann = "richmenu-1"
  local made = plan.make(tabs("00000000000b"), at.remote())
  same(ops(made), "create:home upload:home alias:home default:home relink: delete:home #moonline-00000000000a")
  same(made.unchanged, {"more"})
  same(at.apply(tabs("00000000000b")), nil)
  same(names(at), {"home #moonline-00000000000b", "more #moonline-00000000000a"})
  same({at.users.ann, at.default, at.aliases.home}, {"richmenu-3", "richmenu-3", "richmenu-3"})
end)

test("an undeclared menu goes with its alias and the default; renamed by its alias it has a successor", function()
  local at = new_line()
  at.apply(tabs())
  local made = plan.make({}, at.remote())
  same(ops(made):find("^undefault: unalias:%a+ unalias:%a+ delete:[^:]+ delete:[^:]+$") ~= nil, true)
  local renamed = {want("start", {alias = "home", default = true}), tabs()[2]}
  made = plan.make(renamed, at.remote())
  same(ops(made), "create:start upload:start alias:home default:start relink: delete:home #moonline-00000000000a")
  same(made.steps[5].moves[1].menu, "start")
  at.apply{}
  same({names(at), at.default, next(at.aliases)}, {{}, nil, nil})
end)

test("menus of others stay, and taking their alias or place is said", function()
  local at = new_line()
  local id = at.foreign("made by hand")
  at.aliases.other, at.default = id, id
  same(ops(plan.make({}, at.remote())), "")
  same(plan.make({}, at.remote()).foreign, 1)
  at.aliases.home = id
  local made = plan.make(tabs(), at.remote())
  same(#made.warnings, 2)
  same(made.warnings[1]:find("bot.lua:1: alias 'home' leads to richmenu-1, which moonline did not make", 1, true), 1)
  at.apply(tabs())
  same(at.aliases.other, id)
  same(#at.menus, 3)
  at.apply{}
  same(names(at), {"made by hand"})
  same(at.aliases.other, id)
end)

test("an alias that no tab can reach is noticed", function()
  local switch = {bounds = area(0, 0, 5, 5).bounds, action = {type = "richmenuswitch", richMenuAliasId = "gone"}}
  local made = plan.make({want("home", {areas = {switch}})}, {menus = {}, aliases = {}})
  same(made.warnings, {"bot.lua:1: line.richmenu 'home': areas[1] switches to alias 'gone', which no menu has"})
  same(plan.make({want("home", {areas = {switch}})},
    {menus = {}, aliases = {{richMenuAliasId = "gone", richMenuId = "x"}}}).warnings, {})
end)

test("stopped at every call, before or behind it, the next apply comes to the same end", function()
  local rounds = 0
  for _, after in ipairs{false, true} do
    for cut = 0, 30 do
      local at = new_line()
      at.foreign("made by hand")
      at.apply(tabs())
      at.users.ann = at.default
      at.after, at.left = after, cut
      local wanted = {tabs("00000000000b")[1], want("new", {alias = "new"})}
      local ok = pcall(at.apply, wanted)
      -- What users see has an image, in every state between.
      for _, id in pairs(at.aliases) do same(at.images[id] ~= nil, true) end
      same(at.images[at.default] ~= nil and at.images[at.users.ann] ~= nil, true)
      at.left = math.huge
      if not ok then
        rounds = rounds + 1
        at.apply(wanted)
      end
      same(names(at), {"home #moonline-00000000000b", "made by hand", "new #moonline-00000000000a"})
      same(at.menus[1].name, "made by hand")
      same(ops(plan.make(wanted, at.remote())), "")
      same(at.users.ann, at.default)
      same(at.aliases.more, nil)
    end
  end
  same(rounds >= 24, true)
end)

test("twins of a lost answer: the one that is seen stays", function()
  local at = new_line()
  at.apply(tabs())
  table.insert(at.menus, 1, {richMenuId = "richmenu-twin", name = at.menus[1].name})
  local made = plan.make(tabs(), at.remote())
  same(ops(made), "delete:home #moonline-00000000000a") -- without an image nobody can have it: nobody to move
  same(made.steps[1].id, "richmenu-twin")
end)

test("users who cannot be moved keep their old menu, and the next apply moves them", function()
  local at = new_line()
  at.apply(tabs())
  at.users.ann, at.no_batch = "richmenu-1", true
  local stays = at.apply(tabs("00000000000b"))
  same(stays:find("three times an hour", 1, true) ~= nil, true)
  same(#at.menus, 3)
  same(at.default, "richmenu-3")
  at.no_batch, at.phase = nil, "failed"
  same(at.apply(tabs("00000000000b")):find("could not move every user", 1, true) ~= nil, true)
  same(at.batches[1], at.batches[2]) -- the same request: LINE goes on with the rest
  at.phase = "ongoing"
  same(at.apply(tabs("00000000000b")):find("still moving", 1, true) ~= nil, true)
  at.phase = nil
  same(at.apply(tabs("00000000000b")), nil)
  same(#at.menus, 2)
  same(at.users.ann, "richmenu-3")
  same(#at.batches[1] <= 100 and at.batches[1]:find("^[0-9a-zA-Z_-]+$") ~= nil, true)
end)

test("an error names its step", function()
  local at = new_line()
  at.left = 3
  local e = select(2, pcall(at.apply, tabs()))
  same({e.step.op, e.step.menu, e.done, e.error.message}, {"upload", "home", 1, "connection lost"})
end)

test("sentences", function()
  local made = plan.make(tabs(), {menus = {}, aliases = {}})
  same({plan.sentence(made.steps[1])}, {"+", "create 'home', 1000x500, 1 area"})
  same({plan.sentence(made.steps[2])}, {"+", "upload home.png (1 KB) for 'home'"})
  same({plan.sentence(made.steps[5])}, {"+", "alias 'home' leads to 'home'"})
  same(plan.plain(made.steps[7]), {op = "default", menu = "home"})
end)

tap.done()
