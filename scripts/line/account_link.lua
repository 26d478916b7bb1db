-- Account link: tying a LINE user to an account of your own service. The four steps, and whose they are:
--
--   1. The bot gives the user a link to your login page. line.account_link_url asks LINE for a link token (10 minutes,
--      one use) and puts it on the page's address:
--          event:reply("Log in: " .. line.account_link_url(event.source.userId, "https://example.com/login"))
--   2. The user logs in at your page, which has kept linkToken from its address. You know the account now.
--   3. Your page sends the browser on to the address that line.account_link_finish(link_token, account) returns. It
--      makes a nonce that nobody can guess and remembers nonce → account in the store. A site that is a program of its
--      own may make the nonce itself and tell the bot, which then says line.account_link_finish(link_token, account,
--      {nonce = …}), before it sends the browser on.
--   4. LINE asks the user, and sends an accountLink event. line.account_link_check says whose account it is:
--          line.on("accountLink", function(event)
--            local account, why = line.account_link_check(event)
--            if account then save(event.source.userId, account) end
--          end)
--
-- To undo a link is your side's work alone: forget it. LINE asks that users are told how, and can at any time.

local core = require "line.core"
local errors = require "line.errors"

local inner, misuse = core.inner, errors.misuse

local DIALOG <const> = "https://access.line.me/dialog/bot/accountLink"
local LIFE <const> = 600       -- seconds that a nonce is waited for: as long as a link token lives
local KEY <const> = "line.link:" -- of the store's keys; the nonce follows

local account_link = {}

-- Opened when it is first used: most bots link nothing.
local function open_store()
  return require "store"
end

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- The address with one more parameter in its query, before the fragment.
local function with_parameter(url, name, value)
  local before, fragment = url:match("^([^#]*)(#?.*)$")
  local joint = not before:find("?", 1, true) and "?" or before:find("[?&]$") and "" or "&"
  return ("%s%s%s=%s%s"):format(before, joint, name, escape(value), fragment)
end

-- line.account_link_url(user_id, page_url)
-- user_id: of a user, as event.source.userId. page_url: of your login page; it gets the parameter linkToken.
-- Returns the address to send to this user, and to nobody else. It is good for 10 minutes and for one login. Waits.
-- Raises an error object when LINE knows no such user.
function account_link.url(user_id, page_url)
  if type(user_id) ~= "string" then
    misuse("line.account_link_url: the first argument is a user id, not a %s", type(user_id))
  end
  if type(page_url) ~= "string" or not page_url:find("^https?://[^/?#]") then
    misuse("line.account_link_url: the second argument is the address of your login page (https://…), not %s",
      type(page_url) == "string" and "'" .. page_url .. "'" or "a " .. type(page_url))
  end
  local answer = inner.issue_link_token({userId = user_id}, nil, "line.account_link_url")
  return with_parameter(page_url, "linkToken", answer.linkToken)
end

local function check_nonce(nonce)
  if type(nonce) ~= "string" or #nonce < 10 or #nonce > 255 or nonce:find("[^%w%-._~+/=]") then
    misuse("line.account_link_finish: a nonce has 10 to 255 letters, digits and Base64 signs, and cannot be guessed")
  end
  return nonce
end

-- line.account_link_finish(link_token, account[, options])
-- link_token: what came to your page as linkToken. account: what your service calls the account, a string, number or
-- table; line.account_link_check returns it. options: ttl, seconds until the answer of LINE must be there (600); nonce,
-- if the page has made one itself.
-- Returns the address to which the user's browser goes next, and the nonce. Waits.
function account_link.finish(link_token, account, options)
  if type(link_token) ~= "string" or link_token == "" then
    misuse("line.account_link_finish: the first argument is the linkToken of the login page, not %s",
      link_token == "" and "empty" or "a " .. type(link_token))
  end
  if account == nil then misuse("line.account_link_finish: the second argument is the account, and must not be nil") end
  if options ~= nil and type(options) ~= "table" then
    misuse("line.account_link_finish: options must be a table, not a %s", type(options))
  end
  for k in pairs(options or {}) do
    if k ~= "ttl" and k ~= "nonce" then
      misuse("line.account_link_finish: there is no option '%s'%s", tostring(k),
        errors.did_you_mean(tostring(k), {"ttl", "nonce"}))
    end
  end
  local life = options and options.ttl or LIFE
  if type(life) ~= "number" or life <= 0 then misuse("line.account_link_finish: ttl is a number of seconds") end
  -- 24 bytes: LINE asks for 16 at least.
  local nonce = options and options.nonce and check_nonce(options.nonce) or core.random(24)
  if not open_store().add(KEY .. nonce, {account = account, ttl = life}, {ttl = life}) then
    misuse("line.account_link_finish: this nonce was given out before; each login needs its own")
  end
  local url = with_parameter(DIALOG, "linkToken", link_token)
  return with_parameter(url, "nonce", nonce), nonce
end

-- line.account_link_check(event)
-- event: an accountLink event. Returns the account that line.account_link_finish got for its nonce; or nil and why:
-- "failed" (LINE could not link), "unknown" (too late, or no nonce of this bot), "used" (another event had it before).
-- A nonce is good for one event: asked again for the same one, as after a crash, the answer is the same. Waits.
function account_link.check(event)
  local link = type(event) == "table" and event.link
  if type(link) ~= "table" then misuse("line.account_link_check: this is not an accountLink event") end
  if type(link.nonce) ~= "string" then return nil, "unknown" end
  local store, key, id = open_store(), KEY .. link.nonce, event.webhookEventId or ""
  if #key > 500 then return nil, "unknown" end
  local kept = store.get(key)
  if kept == nil then return nil, "unknown" end
  -- The mark outlives the nonce. Whoever sets it has the nonce; the first alone can.
  local mark = key .. ":used"
  if not store.add(mark, id, {ttl = kept.ttl + 60}) and (id == "" or store.get(mark) ~= id) then return nil, "used" end
  if link.result ~= "ok" then return nil, "failed" end
  return kept.account
end

return account_link
