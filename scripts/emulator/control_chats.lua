-- Controls: acting as a person, histories, media, rich menus.

local act = require "emulator.act"
local base = require "emulator.act_base"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local json = require "json"
local world = require "emulator.world"

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function not_found(text, ...) errors.raise(404, text:format(...)) end

-- A chat that could be and was not used yet is an empty one.
local function chat_of(key)
  key = decoded(key)
  local chat = world.state.chats[key]
  if chat then return chat, key end
  local channel, user = key:match("^(.+):([^:]+)$")
  if base.gathering(key) or channel and world.state.channels[channel] and world.state.users[user] then
    return nil, key
  end
  not_found("there is no chat %s", key)
end

local function sender_name(entry)
  local channel = world.channel_of_bot(entry.from)
  if not channel then
    local user = world.state.users[entry.from]
    return user and user.name
  end
  local sender = entry.message.sender
  return sender and sender.name or channel.name, true
end

local function entries(given, params)
  local chat = chat_of(params.key)
  local list = json.array()
  if not chat then return {entries = list, more = false} end
  local limit = math.max(1, math.min(given.limit or 50, 500))
  local last = math.min(given.before and given.before - 1 or chat.n, chat.n)
  local from = math.max(1, last - limit + 1)
  for place = from, last do
    local entry = base.shown(chat, place, world.entry(chat, place))
    entry.senderName, entry.bot = sender_name(entry)
    list[#list + 1] = entry
  end
  return {entries = list, more = from > 1}
end

-- ---- bytes ----

-- What people and bots send is never run as part of this page, whatever it claims to be.
local function harmless(kind)
  local headers = {["content-type"] = kind, ["x-content-type-options"] = "nosniff",
    ["cache-control"] = "private, max-age=300",
    ["content-security-policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"}
  if not kind:find("^image/") and not kind:find("^video/") and not kind:find("^audio/") then
    headers["content-disposition"] = "attachment"
  end
  return headers
end

local function medium(id)
  local kept = world.state.media[id]
  if kept then return kept end
  local _, _, entry = world.find(id)
  if entry and entry.unsent then errors.raise(410, "message " .. id .. " was taken back, its content is gone") end
  not_found("there is no content of message %s", tostring(id))
end

local function upload(given, _, request)
  local body = request.body or ""
  if body == "" then base.refuse("the body is empty; send the bytes of the medium") end
  local kind = (request.headers["content-type"] or "application/octet-stream"):match("^[^;%s]+")
  local id = "media-" .. require("emulator.ids").number("upload")
  world.state.media[id] = {type = kind, body = body, duration = given.duration}
  return {mediaId = id, type = kind, size = #body}
end

-- ---- rich menus ----

local function richmenus() return require "emulator.operations.richmenus" end

local function richmenu(given, params)
  local _, key = chat_of(params.key)
  local channel, user = key:match("^(.+):([^:]+)$")
  if not channel then return {menu = json.null} end
  local id, menu = richmenus().effective(world.state.channels[channel], given.user or user)
  if not id then return {menu = json.null} end
  return {menu = menu, id = id, image = "/_/richmenu/" .. id .. "/image", selected = menu.selected == true}
end

local function richmenu_image(_, params)
  for _, channel in pairs(world.state.channels) do
    local image = richmenus().image(channel, params.id)
    if image then return 200, image.body, harmless(image.type) end
  end
  not_found("there is no image of a rich menu %s", params.id)
end

return {
  {method = "POST", path = "/_/act", open = true, what = "act as a person: see deeds, below",
    fields = {as = "string: id or name of the person",
      chat = "string: key of the chat; the one with the account unless said",
      channel = "any: id of the channel, where there are several", ["do"] = "string!: the deed"},
    fn = function(given)
      local seq = feed.last()
      local answer = act.perform(given)
      answer.seq = seq -- everything that follows from it is newer: the `since` of /_/wait
      return answer
    end},
  {method = "GET", path = "/_/chats/:key/entries", what = "the history of a chat, oldest first",
    fields = {before = "integer: place of an entry; those before it", limit = "integer: at most, 50"}, fn = entries},
  {method = "GET", path = "/_/chats/:key/richmenu", what = "the rich menu a person sees in a chat",
    fields = {user = "string: id of the person"}, fn = richmenu},
  {method = "GET", path = "/_/richmenu/:id/image", what = "the image of a rich menu", fn = richmenu_image},
  {method = "POST", path = "/_/media", raw = true, what = "bytes for a message: the body, with its content-type",
    fields = {duration = "integer: of audio and video, in ms"}, fn = upload},
  {method = "GET", path = "/_/media/:id", what = "the bytes a person sent", fn = function(_, params)
    local kept = medium(params.id)
    return 200, kept.body, harmless(kept.type)
  end},
  {method = "GET", path = "/_/media/:id/preview", what = "the small form of them", fn = function(_, params)
    local kept = medium(params.id)
    return 200, kept.preview or kept.body, harmless(kept.preview and kept.preview_type or kept.type)
  end},
}
