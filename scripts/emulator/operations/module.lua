-- Module channels: a channel with module = true is attached to accounts, by channel.attached[bot's user id] =
-- {scopes=, since=}, and takes the control of their chats, account.control[chat key] = {channel=, expires=, since=}.
-- While it has it the account's own webhook is told "standby" (account.standby[chat key]).

local json = require "json"
local crypto = require "crypto"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local pages = require "emulator.pages"
local world = require "emulator.world"

local module = {}

local HOUR = 3600
local CODE = 10 * 60 * 1000     -- life of a code
local CONTENTION = 5 * 1000     -- so long nobody else may take the control of a chat that was just taken

-- Another event for a channel, of an account's chat or of none.
local function tell(channel, kind, given)
  local event = require("emulator.events").new(channel, kind, given)
  require("emulator.deliver").event(channel, event, given.chat)
end

-- ---- attaching ----

-- module.issue_code(channel, account, redirect_uri, scopes) → the code that an account's manager brings back to the
-- provider's page: attach_module takes it once within ten minutes. code_challenge: of PKCE (S256), or nil.
function module.issue_code(channel, account, redirect_uri, scopes, code_challenge)
  channel.codes = channel.codes or {}
  local code = ids.link_token()
  channel.codes[code] = {bot = account.bot, redirect_uri = redirect_uri, scopes = scopes or {"message:send",
    "message:receive"},
    expires = clock.now() + CODE, challenge = code_challenge}
  return code
end

local function client(call)
  local id, secret = call.body.client_id, call.body.client_secret
  if call.basic then
    local pair = crypto.from_base64(call.basic) or ""
    id, secret = pair:match("^([^:]*):(.*)$")
  end
  local channel = world.state.channels[id or ""]
  if not channel or not channel.module or channel.secret ~= secret then
    errors.oauth(400, "invalid_client", channel and "invalid client_secret" or "invalid client_id")
  end
  return channel
end

local function challenge_of(verifier)
  local raw = crypto.sha256(verifier):gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end)
  return crypto.base64url(raw)
end

function module.attach_module(call)
  local channel = client(call)
  call.channel = channel
  if call.body.grant_type ~= "authorization_code" then errors.oauth(400, "unsupported_grant_type") end
  local code = channel.codes and channel.codes[call.body.code or ""]
  if not code or code.expires <= clock.now() then errors.oauth(400, "invalid_grant", "invalid authorization code") end
  if code.redirect_uri and code.redirect_uri ~= call.body.redirect_uri then
    errors.oauth(400, "invalid_grant", "redirect_uri does not match")
  end
  if code.challenge and challenge_of(call.body.code_verifier or "") ~= code.challenge then
    errors.oauth(400, "invalid_grant", "code_verifier does not match")
  end
  channel.codes[call.body.code] = nil
  channel.attached = channel.attached or {}
  channel.attached[code.bot] = {scopes = code.scopes, since = clock.now()}
  feed.put("world", {what = "channel", id = channel.id})
  tell(channel, "module", {payload = {type = "attached", botId = code.bot, scopes = code.scopes}, source = false})
  return {bot_id = code.bot, scopes = json.array(table.move(code.scopes, 1, #code.scopes, 1, {}))}
end

function module.detach_module(call)
  local channel, id = call.channel, call.body.botId
  if not id or not id:find("^U" .. ("%x"):rep(32) .. "$") or not world.channel_of_bot(id) then
    errors.raise(400, "user/group/room Id is not available.")
  end
  if not channel.module or not channel.attached or not channel.attached[id] then
    errors.raise(400, "Specified channel is not detachable")
  end
  channel.attached[id] = nil
  local account = world.channel_of_bot(id)
  for key, control in pairs(account.control or {}) do
    if control.channel == channel.id then
      account.control[key] = nil
      if account.standby then account.standby[key] = nil end
    end
  end
  feed.put("world", {what = "channel", id = channel.id})
  tell(channel, "module", {payload = {type = "detached", botId = id, reason = "bot_deleted"}, source = false})
  return nil
end

function module.get_modules(call)
  local list, next_page = pages.page("modules " .. call.channel.id, call.query.start, call.query.limit or 100,
    function()
    return pages.sorted(call.channel.attached or {})
  end)
  local bots = {}
  for i, id in ipairs(list) do
    local account = world.channel_of_bot(id)
    bots[i] = {userId = id, basicId = account.basic_id, premiumId = account.premium_id, displayName = account.name,
      pictureUrl = account.picture}
  end
  return {bots = json.array(bots), next = next_page}
end

-- ---- control of chats ----

-- The account that a call of a module channel is for. LINE names the header with its user id to partners only: any
-- header whose value is the id of an attached account is it; with one account none is needed.
local function account_of(call)
  local attached = call.channel.attached or {}
  for _, value in pairs(call.request.headers) do
    if attached[value] then return world.channel_of_bot(value) end
  end
  local only = next(attached)
  if not only or next(attached, only) then errors.raise(404, "Not found") end
  return world.channel_of_bot(only)
end

-- The chat of the path in the account. A module channel knows people by ids of 68 letters: L, user id, -, bot's user
-- id.
local function chat_of(call)
  local id = call.path.chatId:match("^L(U%x+)%-U%x+$") or call.path.chatId
  local letter = id:match("^([UCR])" .. ("%x"):rep(32) .. "$")
  if not letter then errors.raise(400, "The value for the 'chatId' parameter is invalid") end
  local account = account_of(call)
  if letter == "U" then
    if not world.is_friend(account, id) then errors.raise(404, "Not found") end
    return account, world.chat(account, {type = "user", userId = id})
  end
  local place = world.state[letter == "C" and "groups" or "rooms"][id]
  if not place or place.channel ~= account.id then errors.raise(404, "Not found") end
  return account, world.chat(account, letter == "C" and {type = "group", groupId = id} or {type = "room", roomId = id})
end

local function give_back(account, chat, control)
  local now = account.control[chat.key]
  if now ~= control then return end
  account.control[chat.key] = nil
  if account.standby then account.standby[chat.key] = nil end
  local channel = world.state.channels[control.channel]
  if channel then tell(channel, "deactivated", {chat = chat}) end
  tell(account, "activated", {chat = chat, payload = {}})
end

function module.acquire_chat_control(call)
  local account, chat = chat_of(call)
  local now = clock.now()
  account.control, account.standby = account.control or {}, account.standby or {}
  local before = account.control[chat.key]
  if before and before.channel ~= call.channel.id then
    if before.since + CONTENTION > now then
      errors.raise(423, "The chat control was acquired by another channel a moment ago")
    end
    local other = world.state.channels[before.channel]
    if other then tell(other, "deactivated", {chat = chat}) end
  end
  local expires = call.body.expired ~= false and now + (call.body.ttl or HOUR) * 1000 or nil
  local control = {channel = call.channel.id, since = now, expires = expires}
  account.control[chat.key], account.standby[chat.key] = control, true
  tell(call.channel, "activated", {chat = chat, payload = {expireAt = expires}})
  if not before then tell(account, "deactivated", {chat = chat}) end
  if expires then
    local account_id, key = account.id, chat.key
    clock.after(expires - now, function()
      local there, place = world.state.channels[account_id], world.state.chats[key]
      local held = there and there.control and there.control[key]
      if place and held and held.expires and held.expires <= clock.now() then give_back(there, place, held) end
    end)
  end
  call.chat = chat.key
  return nil
end

function module.release_chat_control(call)
  local account, chat = chat_of(call)
  local control = account.control and account.control[chat.key]
  if control and control.channel == call.channel.id then give_back(account, chat, control) end
  call.chat = chat.key
  return nil
end

return module
