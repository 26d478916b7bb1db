-- Worlds: the one it starts with, files in Lua, saved ones, snapshots; and the door that puts them in place.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local deeds = require "emulator_deeds"
local kit = deeds.kit
local json = kit.json
local clock = require "emulator.clock"
local console = require "emulator.console"
local feed = require "emulator.feed"
local people = require "emulator.people"
local world = require "emulator.world"
local world_file = require "emulator.world_file"
local world_save = require "emulator.world_save"
local worlds = require "emulator.worlds"

local function load_lua(text)
  return deeds.control("POST", "/_/load", {body = text, headers = {["content-type"] = "text/x-lua"}})
end

local function loaded(text)
  local status, answer = load_lua(text)
  if status ~= 200 then error(answer.message, 2) end
  return world.state
end

local function refused(text, want)
  local before = world.state
  local status, answer = load_lua(text)
  tap.same({status, answer.message}, {400, want})
  tap.same(world.state == before, true)
end

local function save()
  local parts = {}
  local _, writer = deeds.control("GET", "/_/save")
  writer{write = function(_, piece)
    parts[#parts + 1] = piece
    return true
  end}
  return table.concat(parts)
end

local function by_name(set, name)
  for _, thing in pairs(set) do
    if thing.name == name then return thing end
  end
end

-- ---- Lua ----

tap.test("a world in Lua: everything that a file can say", function()
  deeds.world()
  local state = loaded[[
    return {
      channels = {
        {id = "77", name = "Shop", secret = "s", token = "t", class = "premium", country = "TW", chatMode = "chat",
          quota = 200, used = 3, join = false, webhook = "http://127.0.0.1:3000/w"},
        {id = 78, name = "Other", webhook = {endpoint = "http://127.0.0.1:3001/", redelivery = true,
          escapes = "ascii"}, minimums = false},
      },
      users = {
        {name = "Aiko", language = "ja", status = "hi", phone = "+818000001234", friend = true,
          gender = "female", age = 34, area = "jp_13", app = "ios", ifa = "6d92078a-8246-4ba4-ae5b-76104861e7dc"},
        {name = "Ken", friend = {Shop = "blocked", ["78"] = true}, consent = false},
        {id = "U0123456789abcdef0123456789abcdef", name = "Mai"},
      },
      groups = {{name = "Lunch", members = {"Aiko", "Ken"}, bot = "Other"}},
      rooms = {{members = {"Aiko", "U0123456789abcdef0123456789abcdef"}, bot = true}},
      history = {
        {chat = "Aiko", text = "Good morning", at = -60},
        {chat = "Aiko", from = "bot", message = {type = "sticker", packageId = "1", stickerId = "2"}},
        {chat = "Lunch", from = "Ken", text = "Noon?"},
        {chat = "Ken", channel = "Other", from = "bot", text = "Hello Ken"},
      },
      coupons = {{couponId = "01H0000000000000000000000A", title = "Tenth", startTimestamp = 1,
        endTimestamp = 9999999999}},
      memberships = {{membershipId = 12, title = "Gold", price = 500, members = {"Aiko"}}},
      audiences = {{audienceGroupId = 5, description = "Regulars", members = {"Aiko", "Ken"}},
        {description = "Partners", createRoute = "AD_MANAGER", type = "WEBTRAFFIC", members = {"Aiko"},
          sharedBy = {serviceType = "bm", id = "B1", name = "Business"}}},
    }]]
  local shop, other = state.channels["77"], state.channels["78"]
  tap.same({shop.name, shop.secret, people.token_of(shop), shop.class, shop.chat_mode, shop.join,
    shop.webhook.endpoint},
    {"Shop", "s", "t", "premium", "chat", false, "http://127.0.0.1:3000/w"})
  tap.same({people.show_channel(shop).quota, other.webhook.redelivery, other.webhook.escapes, other.join},
    {{type = "limited", value = 200, used = 3}, true, "ascii", true})
  local aiko, ken = by_name(state.users, "Aiko"), by_name(state.users, "Ken")
  tap.same({shop.friends[aiko.id].state, other.friends[aiko.id].state, shop.friends[ken.id].state,
    other.friends[ken.id].state, ken.consent}, {"friend", "friend", "blocked", "friend", false})
  local group = by_name(state.groups, "Lunch")
  tap.same({group.channel, group.members[aiko.id] ~= nil, group.members[ken.id] ~= nil}, {"78", true, true})
  local chat = state.chats["77:" .. aiko.id]
  tap.same({chat.n, world.entry(chat, 1).message.text, world.entry(chat, 1).time, world.entry(chat, 2).from},
    {2, "Good morning", clock.now() - 60000, shop.bot})
  tap.same({world.entry(state.chats[group.id], 1).from, world.entry(state.chats["78:" .. ken.id], 1).message.text},
    {ken.id, "Hello Ken"})
  local token = {authorization = "Bearer t"}
  tap.same((kit.get("/v2/bot/coupon/01H0000000000000000000000A", token)), 200)
  tap.same((kit.get("/v2/bot/membership/subscription/" .. aiko.id, token)), 200)
  tap.same((kit.get("/v2/bot/profile/" .. aiko.id, token)), 200)
  tap.same({aiko.gender, aiko.age, aiko.area, aiko.app, #aiko.ifa, people.show_channel(shop).minimums,
    people.show_channel(other).minimums}, {"female", 34, "jp_13", "ios", 36, true, false})
  local _, regulars = kit.get("/v2/bot/audienceGroup/5", token)
  tap.same({regulars.audienceGroup.status, regulars.audienceGroup.audienceCount, regulars.audienceGroup.createRoute},
    {"READY", 2, "OA_MANAGER"})
  local _, shared = kit.get("/v2/bot/audienceGroup/shared/list?page=1", token)
  tap.same({shared.audienceGroups[1].description, shared.audienceGroups[1].createRoute}, {"Partners", "AD_MANAGER"})
end)

tap.test("the worlds that the documents show", function()
  for path, n in pairs{["scripts/emulator/README.md"] = 1002, ["docs/guide/13-emulator.md"] = 2} do
    deeds.world()
    local file <close> = assert(io.open(path))
    local text = file:read("a")
    local code = text:match("\n(    local users = .-\n    }\n)") or text:match("\n(    return {\n.-\n    }\n)")
    local count = 0
    for _ in pairs(loaded(code).users) do count = count + 1 end
    tap.same({path, count}, {path, n})
  end
end)

tap.test("what is due in more than a timer's thirty days waits for a timer after that", function()
  local line = require "line"
  local after, longest = line.after, 0
  function line.after(seconds, fn)
    longest = math.max(longest, seconds)
    return after(seconds, fn)
  end
  deeds.world()
  clock.use("real")
  clock.after(180 * 86400 * 1000, function() end)
  line.after = after
  clock.reset()
  clock.use("virtual")
  tap.same(longest, 86400)
end)

tap.test("a loop makes a hundred thousand people", function()
  deeds.world()
  local state = loaded[[
    local users = {}
    for i = 1, 100000 do users[i] = {name = ("User %d"):format(i), friend = i % 2 == 0} end
    return {users = users}]]
  local n = 0
  for _ in pairs(state.users) do n = n + 1 end
  local _, answer = deeds.control("GET", "/_/world")
  tap.same({n, #answer.users, answer.usersTotal, answer.users[200].name}, {100000, 200, 100000, "User 200"})
end)

tap.test("the same file makes the same world, another seed another one", function()
  deeds.world()
  local text = "return {users = {{name = \"A\"}, {name = \"B\"}}}"
  local one, two = by_name(loaded(text).users, "B").id, by_name(loaded(text).users, "B").id
  tap.same(one, two)
  local three = by_name(loaded("return {seed = 5, users = {{name = \"A\"}, {name = \"B\"}}}").users, "B").id
  tap.same(one == three, false)
end)

tap.test("mistakes are told by file, line and field; the world stays as it was", function()
  deeds.world()
  refused("return {", "world.lua:1: unexpected symbol near <eof>")
  refused("local x\nx.y = 1", "world.lua:2: attempt to index a nil value (local 'x')")
  refused("return 3", "world.lua: it returns number, not a table: return {channels = {…}, users = {…}}")
  refused("return {usres = {}}", "world.lua:1: usres: there is no 'usres'; did you mean 'users'?")
  refused("return {users = {\n  {nam = \"x\"}}}", "world.lua:2: users[1].nam: there is no 'nam'; did you mean 'name'?")
  refused("return {users = {{name = 3}}}", "world.lua:1: users[1].name: a text is needed, this is a number")
  refused("return {users = {{}}}", "world.lua: users[1].name: a text is needed, it is missing")
  refused("return {users = {a = 1}}", "world.lua:1: users.a: a list is needed: {{…}, {…}}")
  refused("return {users = {{name = \"a\"}, {name = \"b\",\n id = \"U1\"}}}",
    "world.lua:2: users[2].id: U and 32 hexadecimal digits are needed")
  refused("return {channels = {{class = \"gold\"}}}",
    "world.lua:1: channels[1].class: 'gold' is none of premium, unverified, verified")
  refused("return {channels = {{webhook = {endpont = \"x\"}}}}",
    "world.lua:1: channels[1].webhook.endpont: there is no 'endpont'; did you mean 'endpoint'?")
  refused("return {groups = {{name = \"G\",\n members = {\"Nobody\"}}}}",
    "world.lua:2: groups[1].members[1]: there is nobody called 'Nobody'")
  refused("return {users = {{name = \"a\"}, {name = \"a\"}}, history = {{chat = \"a\", text = \"x\"}}}",
    "world.lua:1: history[1].chat: several are called 'a'; give them ids")
  refused("return {users = {{name = \"a\"}}, history = {{chat = \"a\"}}}",
    "world.lua:1: history[1]: text, or a message with its type, is needed")
  refused("return {users = {{name = \"a\", friend = \"yes\"}}}",
    "world.lua:1: users[1].friend: true, \"friend\", \"blocked\", or a table of channel = state")
  refused("return {x = os.time()}", "world.lua:1: attempt to index a nil value (global 'os')")
end)

-- ---- JSON ----

tap.test("a saved world is the same when it is loaded: bytes, numbers as keys, histories, what the API knows",
  function()
  deeds.world()
  local _, upload = deeds.control("POST", "/_/media", {body = "\0\255\254", headers = {["content-type"] = "image/png"}})
  local id = deeds.act{as = kit.user(1), ["do"] = "message", message = {type = "image",
    mediaId = upload.mediaId}}.entry.id
  deeds.act{as = kit.user(1), ["do"] = "message", message = {type = "text", text = "é \0 \u{1F98A}"}}
  local event = deeds.events()[2]
  world.state.channels["1000"].minimums = false
  local audience = select(2, kit.post("/v2/bot/audienceGroup/upload", {description = "a",
    audiences = {{id = kit.user(1)}}})).audienceGroupId
  local _, _, sent = kit.post("/v2/bot/message/broadcast", {messages = {{type = "text", text = "x"}}})
  deeds.act{as = kit.user(1), ["do"] = "read"}
  local text = save()
  kit.world()
  local status, answer = deeds.control("POST", "/_/load", {body = text})
  if status ~= 200 then error(answer.message) end
  tap.same(world.entry(kit.chat(kit.user(1)), 2).message.text, "é \0 \u{1F98A}")
  local got, bytes = kit.get("/v2/bot/message/" .. id .. "/content")
  tap.same({got, bytes}, {200, "\0\255\254"})
  tap.same((kit.post("/v2/bot/message/reply", {replyToken = event.replyToken, messages = {{type = "text",
    text = "x"}}})), 200)
  tap.same(deeds.act{as = kit.user(1), ["do"] = "unsend", message = id}.entry.unsent, true)
  kit.advance(1000)
  tap.same(select(2, kit.get("/v2/bot/audienceGroup/" .. audience)).audienceGroup.status, "READY")
  tap.same(select(2, kit.get("/v2/bot/insight/message/event?requestId=" .. sent["x-line-request-id"]))
    .overview.uniqueImpression, 1)
end)

tap.test("saved, loaded and saved again a world is the same", function()
  deeds.world()
  deeds.act{as = kit.user(1), ["do"] = "message", message = {type = "text", text = "x"}}
  local before = world.state
  deeds.control("POST", "/_/load", {body = save()})
  tap.same(world.state ~= before, true)
  tap.same(world.state, before)
end)

tap.test("large parts are taken apart: no line is large, and all comes back", function()
  deeds.world()
  local state = world.state
  state.media.large = {type = "video/mp4", body = ("\0\255abc"):rep(100000)}
  state.much = {names = {}, numbers = {}, deep = {[5] = {["a b"] = {}}}}
  for i = 1, 10000 do
    state.much.names["name " .. i] = {i, "text " .. i}
    state.much.numbers[i * 3] = "text " .. i
    state.much.deep[5]["a b"][i] = {n = i, s = ("x"):rep(50)}
  end
  local text = save()
  local longest = 0
  for line in text:gmatch("[^\n]+") do longest = math.max(longest, #line) end
  tap.same(longest < 3 * 1024 * 1024, true)
  local status, answer = deeds.control("POST", "/_/load", {body = text})
  if status ~= 200 then error(answer.message) end
  tap.same(world.state.media.large.body == state.media.large.body, true)
  local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    for key, part in pairs(a) do
      if not same(part, b[key]) then return false end
    end
    for key in pairs(b) do
      if a[key] == nil then return false end
    end
    return true
  end
  tap.same(same(world.state, state) and same(state.much, world.state.much), true)
end)

tap.test("a saved world whose lines were joined, as JSON tools do, is one, too", function()
  deeds.world()
  local before = world.state
  local status = deeds.control("POST", "/_/load", {body = (save():gsub("\n", ""))})
  tap.same(status, 200)
  tap.same(world.state, before)
end)

tap.test("what is no world is refused", function()
  deeds.world()
  local function no(part, body)
    local status, answer = deeds.control("POST", "/_/load", {body = body})
    tap.same({status, answer.message:find(part, 1, true) ~= nil and part or answer.message}, {400, part})
  end
  no("the body is empty", "")
  no("this is no world", "{")
  no("this is no world", "{}")
  no("this is no world", '{"format":"moonline world x","state":[\n]}\n')
  no("this world has format 99", '{"format":"moonline world 99","now":1,"state":[\n]}\n')
  no("this world's state has format 7", '{"format":"moonline world 2","now":1,"state":[\n[[],{"format":7}]\n]}\n')
  local whole = save()
  no("the world is not whole", whole:sub(1, whole:find("\n", #whole // 2)))
  no("line 2 of the world is not as /_/save wrote it", (whole:gsub("\n", "\n[", 1)))
  no("line 2 of the world is not as /_/save wrote it", (whole:gsub("\n.-\n", "\n7,\n", 1)))
  no("line 2 of the world", '{"format":"moonline world 2","now":1,"state":[\n[["chats","x","entries"],[{}]],\n]}\n')
end)

-- Pieces of any size come out the same: what is read ends anywhere.
tap.test("a saved world is read in pieces; what is long is written in pieces", function()
  local channel = deeds.world()
  local U1 = kit.user(1)
  for i = 1, 100 do
    deeds.act{as = U1, ["do"] = "message", message = {type = "text", text = ("%d "):format(i) .. ("x"):rep(1000)}}
  end
  local bytes = ("\0\255\n\128"):rep(50001)
  world.state.media.long = {type = "image/png", body = bytes}
  channel.things = {[7] = {["a"] = {"\255"}}, name = {}, deep = {list = {"a", "b"}, raw = "\200"}}
  local last = world.state.last_message
  local text = save()
  local longest = 0
  for row in text:gmatch("[^\n]+") do longest = math.max(longest, #row) end
  tap.same(longest < 300000, true)
  for _, size in ipairs{4999, #text} do
    local at = 1
    local state = world_save.load(function()
      local piece = text:sub(at, at + size - 1)
      at = at + size
      return piece ~= "" and piece or nil
    end)
    tap.same(state.media.long.body == bytes, true)
    tap.same(state.channels[channel.id].things, channel.things)
    tap.same(state.last_message, last)
    tap.same(#state.chats[channel.id .. ":" .. U1].entries, 100)
    world.state = state
    local chat, place, entry = world.find(world.entry(kit.chat(U1), 100).id)
    tap.same({chat == kit.chat(U1), place, entry.message.text:sub(1, 4)}, {true, 100, "100 "})
  end
end)

tap.test("what happens while a world is saved does not break it", function()
  deeds.world()
  local n, parts = 0, {}
  for i = 1, 20 do people.add_user{id = kit.user(900 + i), name = ("y"):rep(8000)} end
  local _, writer = deeds.control("GET", "/_/save")
  writer{write = function(_, piece)
    parts[#parts + 1] = piece
    n = n + 1
    for i = 1, 50 do people.add_user{name = ("Late %d %d"):format(n, i)} end
    deeds.act{as = kit.user(n % 2 + 1), ["do"] = "message", message = {type = "text", text = ("z"):rep(5000)}}
  end}
  tap.same(n > 1, true)
  local status, answer = deeds.control("POST", "/_/load", {body = table.concat(parts)})
  if status ~= 200 then error(answer.message) end
  local user = deeds.act{as = kit.user(1), ["do"] = "message", message = {type = "text", text = "on"}}
  tap.same(world.find(user.entry.id) == kit.chat(kit.user(1)), true)
end)

tap.test("thousands are in the order they were made, too, and where a number is missing or comes twice", function()
  local set = {}
  for i = 1, 1500 do set["id" .. i] = {id = "id" .. i, n = i * 2} end
  local list = people.sorted(set)
  tap.same({#list, list[1].n, list[750].n, list[1500].n}, {1500, 2, 1500, 3000})
  set.id7.n = 4
  list = people.sorted(set)
  tap.same({#list, list[1].id, list[2].id, list[3].id, list[1500].n}, {1500, "id1", "id2", "id7", 3000})
  set.id7.n = nil
  list = people.sorted(set)
  tap.same({#list, list[1].id, list[2].id}, {1500, "id7", "id1"})
end)

-- ---- snapshots ----

tap.test("snapshots: as it was, with its time; each can be gone back to several times", function()
  deeds.world()
  local U1 = kit.user(1)
  deeds.act{as = U1, ["do"] = "message", message = {type = "text", text = "a"}}
  local now = clock.now()
  local _, made = deeds.control("POST", "/_/snapshot")
  for _ = 1, 2 do
    deeds.act{as = U1, ["do"] = "message", message = {type = "text", text = "b"}}
    deeds.act{as = U1, ["do"] = "unfollow"}
    kit.advance(5000)
    local status, answer = deeds.control("POST", "/_/restore", {body = {id = made.id}})
    tap.same({status, answer.serial}, {200, worlds.serial()})
    tap.same({kit.chat(U1).n, world.is_friend(world.state.channels["1000"], U1), clock.now()}, {1, true, now})
  end
  tap.same((deeds.control("POST", "/_/restore", {body = {id = "999"}})), 404)
end)

tap.test("the newest snapshots are kept", function()
  deeds.world()
  local first
  for _ = 1, 21 do
    local _, made = deeds.control("POST", "/_/snapshot")
    first = first or made.id
  end
  local status, answer = deeds.control("POST", "/_/restore", {body = {id = first}})
  tap.same({status, answer.message}, {404, "there is no snapshot " .. first .. "; the last 20 are kept"})
end)

-- ---- the door ----

local function start(settings)
  deeds.world()
  deeds.settings, deeds.routes = settings, {}
  package.loaded["emulator.init"] = nil
  package.loaded["emulator"] = nil
  dofile("scripts/emulator/init.lua")
end

local function ask(method, path, headers)
  local all = {host = "127.0.0.1:9090"}
  for name, value in pairs(headers or {}) do all[name] = value end
  return deeds.routes["ANY /*"]{method = method, path = path, raw_path = path, query = {}, query_string = "",
    headers = all,
    body = "", params = {["*"] = path:sub(2)}}
end

tap.test("without a file: an account, three people, a group; the command line's secret and token", function()
  start{webhook = "http://127.0.0.1:3000/", secret = "s", token = "t", bot_name = "Echo", clock = "virtual"}
  local _, answer = deeds.control("GET", "/_/world")
  tap.same({answer.channels[1].secret, answer.channels[1].token, answer.channels[1].name}, {"s", "t", "Echo"})
  tap.same({#answer.users, #answer.groups, #answer.groups[1].members, answer.groups[1].channel}, {3, 1, 3, nil})
  local first = answer.users[1]
  tap.same(world.is_friend(world.state.channels[answer.channels[1].id], first.id), true)
  for _, user in ipairs(answer.users) do tap.same(user.id:find("^U[0-9a-f]+$") ~= nil and #user.id, 33) end
  tap.same(answer.channels[1].bot:find("^U[0-9a-f]+$") ~= nil and #answer.channels[1].bot, 33)
  deeds.act{as = first.id, ["do"] = "message", message = {type = "text", text = "hi"}}
  tap.same(#deeds.sent, 1)
  deeds.control("POST", "/_/reset")
  tap.same(world.state.chats, {})
end)

tap.test("with a file, by its path; reset reads it again", function()
  deeds.files["/tmp/w.lua"] = "return {channels = {{name = \"Shop\"}}, users = {{name = \"A\"}}}"
  start{world = "/tmp/w.lua", token = "t"}
  tap.same({(kit.get("/v2/bot/info", {authorization = "Bearer t"}))}, {200})
  deeds.files["/tmp/w.lua"] = "return {users = {{name = \"A\"}, {name = \"B\"}}}"
  deeds.control("POST", "/_/reset")
  tap.same(by_name(world.state.users, "B") ~= nil, true)
  local text = save()
  deeds.files["/tmp/w.json"] = text
  start{world = "/tmp/w.json"}
  tap.same(by_name(world.state.users, "B") ~= nil, true)
  start{}
  local function put(path)
    local status, answer = deeds.control("POST", "/_/load", {query = {file = path}})
    return {status, answer.message}
  end
  tap.same(put("/tmp/w.json"), {200})
  tap.same(by_name(world.state.users, "B") ~= nil, true)
  tap.same(put("w.json"), {400, "file: the whole path is needed, from / on"})
  tap.same(put("/tmp/none.json"), {400, "file: No such file or directory"})
  tap.same(put("/tmp/w.lua"), {400, "this is no world: it was not written by /_/save"})
  tap.raises("--world /tmp/none.lua: No such file", start, {world = "/tmp/none.lua"})
  deeds.files["/tmp/bad.lua"] = "return {usres = {}}"
  tap.raises("bad.lua:1: usres: there is no 'usres'; did you mean 'users'?", start, {world = "/tmp/bad.lua"})
end)

tap.test("faults and rates of the command line", function()
  start{token = "t", faults = {"get_bot_info:2=503"}}
  local token = {authorization = "Bearer t"}
  tap.same({(kit.get("/v2/bot/info", token)), (kit.get("/v2/bot/info", token))}, {200, 503})
  tap.raises("neither a status", start, {faults = {"push_message=what"}})
end)

tap.test("one port: page, controls, API; the page for this machine only", function()
  start{token = "t"}
  local status, body = ask("GET", "/")
  tap.same({status, body}, {200, "the page"})
  status = ask("GET", "/", {host = "evil.example"})
  tap.same(status, 403)
  status = ask("GET", "/v2/bot/info", {host = "api.line.me", authorization = "Bearer t"})
  tap.same(status, 200)
  tap.same((ask("GET", "/nothing")), 404)
  tap.same((ask("POST", "/")), 404)
  local got, answer = deeds.routes["ANY /_/*"]{method = "GET", path = "/_/nope", headers = {host = "localhost"}}
  tap.same({got, answer.message}, {404, "there is no control GET /_/nope; GET /_/ lists them"})
  got = deeds.routes["ANY /_/*"]{method = "GET", path = "/_/nope", headers = {host = "evil.example"}}
  tap.same(got, 403)
  got = deeds.routes["GET /_/world"]{method = "GET", path = "/_/world", headers = {host = "evil.example"}, query = {}}
  tap.same(got, 403)
end)

tap.test("beside a bot that talks to LINE itself one only looks on", function()
  start{live = true}
  local function ask_control(method, path)
    return (deeds.routes[method .. " " .. path]{method = method, path = path, headers = {host = "localhost"},
      query = {},
      body = "{}"})
  end
  tap.same({ask_control("GET", "/_/world"), ask_control("POST", "/_/act"), ask_control("POST", "/_/reset")}, {200,
    403, 403})
  start{}
  tap.same({ask_control("GET", "/_/world"), ask_control("POST", "/_/reset")}, {200, 200})
end)

tap.test("a call whose connection is to break begins and does not end", function()
  start{token = "t", faults = {"get_bot_info=drop"}}
  local status, body = ask("GET", "/v2/bot/info", {authorization = "Bearer t"})
  local written = {}
  local fine = pcall(body, {write = function(_, text) written[#written + 1] = text end})
  tap.same({status, fine, #written}, {200, false, 1})
end)

tap.test("news of the bot beside us stand with their event, and in the feed", function()
  start{token = "t", webhook = "http://127.0.0.1:1/"}
  local since = feed.last()
  local user = by_name(world.state.users, "Aiko 愛子").id
  local id = deeds.act{as = user, ["do"] = "message", message = {type = "text", text = "x"}}.events[1]
  deeds.news{what = "handler", event = id, generation = 7, where = "bot.lua:12", selector = "message.text"}
  deeds.news{what = "call", event = id, operation = "push_message", request_id = "r-1", status = 200, ms = 2}
  deeds.news{what = "handled", event = id, generation = 7, ms = 1.5, outcome = "failed", error = "bot.lua:13: oh"}
  deeds.news{what = "generation", bot = "echo", number = 8, ms = 12}
  local _, answer = deeds.control("GET", "/_/events/:id", {params = {id = id}})
  tap.same(answer.news, {generation = 7, handler = "message.text", selector = "message.text", where = "bot.lua:12",
    ms = 1.5, outcome = "failed",
    error = "bot.lua:13: oh"})
  tap.same(answer.calls, {"r-1"})
  local n = 0
  for item in feed.each(since) do n = n + (item.kind == "news" and 1 or 0) end
  tap.same(n, 4)
end)

tap.test("a line a message for the terminal, without control characters", function()
  deeds.world()
  deeds.printed = {}
  console.start(require("emulator.host").print)
  deeds.act{as = kit.user(1), ["do"] = "message", message = {type = "text", text = "a\27[31m\nb"}}
  deeds.act{as = kit.user(1), chat = kit.GROUP, ["do"] = "message", message = {type = "sticker", packageId = 1,
    stickerId = 2}}
  kit.post("/v2/bot/message/push", {to = kit.user(1), messages = {{type = "text", text = ("é"):rep(200)}}})
  kit.post("/v2/bot/message/push", {to = "x", messages = {{type = "text", text = "x"}}})
  tap.same(deeds.printed, {"User 1 → Moon: a [31m b", "User 1 → Group: (sticker)",
    "Moon → User 1: " .. ("é"):rep(99) .. "…",
    "push_message: 400"})
end)

tap.test("a file's world is checked as a whole before anything of it counts", function()
  deeds.world()
  local before = world.state
  tap.raises("there is nobody called 'x'", worlds.make, function()
    world_file.fill(world_file.read("return {users = {{name = \"a\"}}, rooms = {{members = {\"x\"}}}}", "w.lua"))
  end)
  tap.same(world.state == before, true)
end)

tap.done()
