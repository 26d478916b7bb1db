-- Whatever is sent to the emulator, its answer is one of the platform's: never the 500 of a mistake of ours. Bodies
-- that the platform takes, with one or two parts replaced; seeds are fixed, so a failure comes again.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local kit = require "emulator_kit"
kit.quiet()
local api = require "emulator.api"
local core = require "line.core"
local specimens = require "emulator_specimens"
local world = require "emulator.world"

local json, user = kit.json, kit.user

local VALUES = {
  "", "x", 5, -1, 0.5, true, {}, json.array{}, json.null, {1}, {json.null}, {{}}, {a = {}}, "mention", "user", "all",
  "audience", "operator", "redelivery", "text", "box", user(1), user(77), kit.GROUP, 1e300, {type = "text"}, "20250101",
  "https://example.com/a", ("z"):rep(6000), {user(1)}, "richmenu-" .. ("a"):rep(32), 1800000000, kit.SECRET, "a.b.c",
}
local PARTS = {user(1), user(5), kit.GROUP, kit.ROOM, "x", "1", "%00", "%zz", "all", "-1", "99999999999999999999"}
local QUERIES = {"1", "0", "-1", "x", "20250101", "a,b", "RUNNING", "%00", "", "p1t5", "1000"}

local function any(list) return list[math.random(#list)] end

local function copy(v)
  if type(v) ~= "table" then return v end
  local made = setmetatable({}, getmetatable(v))
  for key, part in pairs(v) do made[key] = copy(part) end
  return made
end

-- Every place of a value: list of {table, key}, in an order that is the same in every run.
local function places(v, list)
  if type(v) ~= "table" then return list end
  local keys = {}
  for key in pairs(v) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    list[#list + 1] = {v, key}
    places(v[key], list)
  end
  return list
end

local function changed(body, times)
  body = copy(body)
  for _ = 1, times do
    local list = places(body, {})
    if #list > 0 then
      local at = any(list)
      at[1][at[2]] = math.random(8) > 1 and copy(any(VALUES)) or nil
    end
  end
  return body
end

local function ours(status, body, what)
  if status ~= 500 then return end
  error(what .. ": " .. (type(body) == "table" and body.message or tostring(body)), 0)
end

local good = {}
for _, row in ipairs(specimens.read("tests/unit/check_good.def", json)) do
  good[row.kind] = good[row.kind] or {}
  table.insert(good[row.kind], row.value)
end

local function fresh()
  local channel = kit.world()
  channel.minimums = math.random(2) == 1
  api.options.rates = false
end

tap.test("messages to everywhere", function()
  math.randomseed(1)
  local answered = {}
  for round = 1, 2500 do
    if round % 200 == 1 then fresh() end
    local messages = json.array{any(good.message), math.random(2) == 1 and any(good.message) or nil}
    local way = any{"push", "multicast", "broadcast", "narrowcast", "reply"}
    local body = {messages = messages}
    if way == "push" then body.to = any{user(1), kit.GROUP, kit.ROOM}
    elseif way == "multicast" then body.to = {user(1), user(2)}
    elseif way == "reply" then body.replyToken = kit.said(any{user(1), kit.GROUP}, user(1))
    elseif way == "narrowcast" then
      body.recipient = math.random(2) == 1 and any(good.recipient) or nil
      body.filter = math.random(2) == 1 and any(good.filter) or nil
      body.limit = math.random(2) == 1 and any(good.limit) or nil
    end
    local status, answer = kit.post("/v2/bot/message/" .. way, changed(body, math.random(0, 2)))
    ours(status, answer, way)
    answered[status] = (answered[status] or 0) + 1
    if way == "narrowcast" then
      kit.advance(1000)
      kit.advance(1000)
    end
  end
  assert(answered[200] > 100 and answered[202] > 20 and answered[400] > 1000)
end)

tap.test("bodies of other kinds", function()
  math.randomseed(2)
  local paths = {richmenu = "richmenu", coupon = "coupon", richmenu_batch = "richmenu/batch",
    richmenu_alias = "richmenu/alias", richmenu_bulk = "richmenu/bulk/link", audience_upload = "audienceGroup/upload",
    audience_click = "audienceGroup/click", audience_impression = "audienceGroup/imp"}
  local kinds = {}
  for kind in pairs(paths) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for round = 1, 1500 do
    if round % 200 == 1 then fresh() end
    local kind = any(kinds)
    local status, answer = kit.post("/v2/bot/" .. paths[kind], changed(any(good[kind]), math.random(0, 2)))
    ours(status, answer, kind)
  end
end)

tap.test("every operation with parameters and bodies of chance", function()
  math.randomseed(3)
  local rows = core.rows()
  for round = 1, 5000 do
    if round % 500 == 1 then fresh() end
    local row = any(rows)
    local path, query, body = row.path:gsub("{.-}", function() return any(PARTS) end), {}, {}
    for _, field in ipairs(row.fields) do
      if field.place == "query" and math.random(4) > 1 then query[#query + 1] = field.name .. "=" .. any(QUERIES) end
      if field.place == "body" and math.random(8) > 1 then body[field.name] = copy(any(VALUES)) end
    end
    if #query > 0 then path = path .. "?" .. table.concat(query, "&") end
    local text, kind
    if row.body == "form" then
      for name, value in pairs(body) do body[name] = tostring(type(value) == "table" and "t" or value) end
      text, kind = kit.form(body), "application/x-www-form-urlencoded"
    elseif row.body == "bytes" then
      text, kind = "\137PNG\r\n\26\n" .. ("\0"):rep(30), any{"image/png", "image/jpeg"}
    elseif row.body == "multipart" then
      text = '--b\r\nContent-Disposition: form-data; name="' .. any{"file", "description", "audienceGroupId"}
        .. any{'"', '"; filename="f"'} .. "\r\n\r\n" .. any{user(1), "5", "x"} .. any{"\r\n--b--\r\n", "\r\n--b", ""}
      kind = "multipart/form-data; boundary=b"
    elseif row.body == "json" then
      text, kind = json.encode(body), "application/json"
    end
    if text and math.random(50) == 1 then text = text:sub(1, math.random(#text)) end
    local status, answer = kit.call(row.verb, path, text, {["content-type"] = kind})
    ours(status, answer, row.name .. " " .. path)
    if math.random(20) == 1 then kit.advance(math.random(100000)) end
  end
end)

tap.test("a Flex message as deep as the body's size allows", function()
  fresh()
  local depth = 300
  local text = ('{"type":"box","layout":"vertical","contents":['):rep(depth) .. ("]}"):rep(depth)
  local status, answer = kit.post("/v2/bot/message/validate/push",
    '{"messages":[{"type":"flex","altText":"a","contents":{"type":"bubble","body":' .. text .. "}}]}")
  ours(status, answer, "deep")
  tap.same(world.state.chats, {})
end)

tap.done()
