-- Account link: the addresses, the nonce, and who may use it.

package.path = "tests/spec/?.lua;" .. package.path
local tap = require "tap"
local stub = require "stub"
local test, same, raises = tap.test, tap.same, tap.raises

-- A store in a table, and a clock to move.
local now, kept = 0, {}
local store = {}
local function alive(key)
  local row = kept[key]
  if row and row.ends and row.ends <= now then kept[key] = nil end
  return kept[key]
end
function store.get(key)
  local row = alive(key)
  return row and row.value
end
function store.add(key, value, options)
  assert(#key <= 512)
  if alive(key) then return false end
  kept[key] = {value = value, ends = options and options.ttl and now + options.ttl}
  return true
end

local function fresh()
  now, kept = 0, {}
  package.loaded.store = store
  local line = stub.fresh()
  local core, n = require "line.core", 0
  core.random = function(bytes)
    assert(bytes >= 16)
    n = n + 1
    return ("nonce-%026d"):format(n)
  end
  stub.answer = function() return {linkToken = "tok+en/="} end
  return line
end

local function event(id, nonce, result)
  return {type = "accountLink", webhookEventId = id, link = {result = result or "ok", nonce = nonce}}
end

test("the page's address gets the link token, wherever it has room", function()
  local line = fresh()
  same(line.account_link_url("U1", "https://a.b/login"), "https://a.b/login?linkToken=tok%2Ben%2F%3D")
  same(stub.calls[1], {name = "issue_link_token", fields = {userId = "U1"}, what = "line.account_link_url"})
  same(line.account_link_url("U1", "https://a.b/login?x=1"), "https://a.b/login?x=1&linkToken=tok%2Ben%2F%3D")
  same(line.account_link_url("U1", "https://a.b?"), "https://a.b?linkToken=tok%2Ben%2F%3D")
  same(line.account_link_url("U1", "https://a.b/?x=1&#top"), "https://a.b/?x=1&linkToken=tok%2Ben%2F%3D#top")
  raises("the first argument is a user id, not a nil", line.account_link_url)
  raises("the address of your login page (https://…), not 'a.b'", line.account_link_url, "U1", "a.b")
  raises("not a nil", line.account_link_url, "U1")
end)

test("the dialog's address has token and nonce", function()
  local line = fresh()
  local url, nonce = line.account_link_finish("to ken", "acc-1")
  same(url, "https://access.line.me/dialog/bot/accountLink?linkToken=to%20ken&nonce=" .. nonce)
  assert(#nonce >= 10 and #nonce <= 255)
  local _, own = line.account_link_finish("t", 5, {nonce = "MDEyMzQ1Njc4OTAxMjM0NQ=="})
  same(own, "MDEyMzQ1Njc4OTAxMjM0NQ==")
  raises("given out before", line.account_link_finish, "t", 6, {nonce = own})
  raises("10 to 255", line.account_link_finish, "t", 6, {nonce = "short"})
  raises("the first argument is the linkToken", line.account_link_finish, nil, 1)
  raises("must not be nil", line.account_link_finish, "t")
  raises("no option 'tll'", line.account_link_finish, "t", 1, {tll = 5})
  raises("ttl is a number", line.account_link_finish, "t", 1, {ttl = "5"})
end)

test("a nonce is good for one event", function()
  local line = fresh()
  local _, nonce = line.account_link_finish("t", {id = 7})
  same(line.account_link_check(event("e1", nonce)), {id = 7})
  same(line.account_link_check(event("e1", nonce)), {id = 7}) -- the same one again, after a crash
  same({line.account_link_check(event("e2", nonce))}, {nil, "used"})
  same({line.account_link_check(event("e3", "never given out"))}, {nil, "unknown"})
  same({line.account_link_check{type = "accountLink", link = {result = "ok"}}}, {nil, "unknown"})
  same({line.account_link_check(event("e3", ("n"):rep(600)))}, {nil, "unknown"})
  raises("not an accountLink event", line.account_link_check, {type = "follow"})
end)

test("failed is failed, and the nonce is spent", function()
  local line = fresh()
  local _, nonce = line.account_link_finish("t", "a")
  same({line.account_link_check(event("e1", nonce, "failed"))}, {nil, "failed"})
  same({line.account_link_check(event("e2", nonce))}, {nil, "used"})
end)

test("after its time it is unknown, and stays so", function()
  local line = fresh()
  local _, nonce = line.account_link_finish("t", "a")
  local _, short = line.account_link_finish("t", "b", {ttl = 5})
  now = 6
  same({line.account_link_check(event("e1", short))}, {nil, "unknown"})
  same(line.account_link_check(event("e2", nonce)), "a")
  now = 601 -- the nonce is gone, and even were it not, the mark still stands
  same({line.account_link_check(event("e3", nonce))}, {nil, "unknown"})
  assert(store.get("line.link:" .. nonce .. ":used"))
end)

tap.done()
