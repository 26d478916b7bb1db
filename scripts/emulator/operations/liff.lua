-- LIFF apps of the channel. https://developers.line.biz/en/reference/liff-server/
-- A channel keeps them in channel.liff: a list of {liffId=, view=, …} in the order they were made.

local json = require "json"
local errors = require "emulator.errors"
local ids = require "emulator.ids"

local liff = {}

local MOST = 30
local FIELDS = {"view", "description", "features", "permanentLinkPattern", "scope", "botPrompt"}
local SIZES = {compact = true, tall = true, full = true}
local PROMPTS = {normal = true, aggressive = true, none = true}
local SCOPES = {openid = true, email = true, profile = true, ["chat_message.write"] = true}

local function apps(channel)
  channel.liff = channel.liff or {}
  return channel.liff
end

local function wrong(why) errors.raise(400, why) end

local function check(body, new)
  local view = body.view
  if new and type(view) ~= "table" then wrong("invalid request: view is required") end
  if view then
    if (new or view.type) and not SIZES[view.type] then
      wrong("invalid request: view.type must be compact, tall or full")
    end
    if new or view.url then
      if type(view.url) ~= "string" or not view.url:find("^https://[^#]+$") then
        wrong("invalid request: view.url must be an https URL without a fragment")
      end
    end
  end
  if type(body.description) == "string" and body.description:upper():find("LINE", 1, true) then
    wrong("invalid request: description must not contain LINE")
  end
  if body.botPrompt and not PROMPTS[body.botPrompt] then
    wrong("invalid request: botPrompt must be normal, aggressive or none")
  end
  if body.permanentLinkPattern and body.permanentLinkPattern ~= "concat" then
    wrong("invalid request: permanentLinkPattern must be concat")
  end
  for _, scope in ipairs(body.scope or {}) do
    if not SCOPES[scope] then wrong("invalid request: unknown scope " .. tostring(scope)) end
  end
end

local function find(call)
  for i, app in ipairs(apps(call.channel)) do
    if app.liffId == call.path.liffId then return app, i end
  end
  errors.raise(404, "not found")
end

function liff.add_liff_app(call)
  local list = apps(call.channel)
  check(call.body, true)
  if #list >= MOST then wrong("the number of LIFF apps has reached the limit") end
  local app = {liffId = ("%s-%s"):format(call.channel.id, ids.hex(8))}
  for _, name in ipairs(FIELDS) do app[name] = call.body[name] end
  app.scope = json.array(app.scope or {"profile", "chat_message.write"})
  app.botPrompt = app.botPrompt or "none"
  app.permanentLinkPattern = app.permanentLinkPattern or "concat"
  app.features = {ble = false, qrCode = app.features ~= nil and app.features.qrCode == true}
  list[#list + 1] = app
  return {liffId = app.liffId}
end

function liff.get_all_liff_apps(call)
  local list = apps(call.channel)
  if not list[1] then errors.raise(404, "not found") end
  return {apps = list}
end

function liff.update_liff_app(call)
  local app = find(call)
  check(call.body, false)
  for _, name in ipairs(FIELDS) do
    local value = call.body[name]
    if name == "view" and value then
      for k, v in pairs(value) do app.view[k] = v end
    elseif name == "features" and value then
      if value.qrCode ~= nil then app.features.qrCode = value.qrCode end
    elseif value ~= nil then
      app[name] = value
    end
  end
  return nil
end

function liff.delete_liff_app(call)
  local _, i = find(call)
  table.remove(apps(call.channel), i)
  return nil
end

return liff
