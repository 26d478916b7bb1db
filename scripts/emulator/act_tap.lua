-- Deeds with what the account sent: tapping an action, a date, a rich menu, a video watched to its end.
-- https://developers.line.biz/en/reference/messaging-api/#action-objects

local base = require "emulator.act_base"
local dates = require "emulator.dates"
local near = require "emulator.near"
local reactions = require "emulator.reactions"
local world = require "emulator.world"

local deeds = {}

local function text_field(action, name)
  local value = action[name]
  if type(value) ~= "string" or value == "" then base.refuse("action.%s: a text is needed", name) end
  return value
end

-- ---- what each type of action does when it is tapped ----

local taps = {}

function taps.message(a, action)
  base.say(a, {type = "text", text = text_field(action, "text")})
end

-- displayText is only shown; text, which is older, is said.
function taps.postback(a, action)
  local data = text_field(action, "data")
  if action.text then base.say(a, {type = "text", text = action.text})
  elseif action.displayText then base.show(a, action.displayText) end
  base.tell(a, "postback", {data = data})
  if action.inputOption then
    a.answer = {inputOption = action.inputOption, fillInText = action.fillInText}
  end
end

function taps.datetimepicker(a, action)
  local data = text_field(action, "data")
  local params = dates.params(action, a.body.params)
  base.tell(a, "postback", {data = data, params = params})
end

function taps.richmenuswitch(a, action)
  local data = text_field(action, "data")
  local alias = text_field(action, "richMenuAliasId")
  base.need_one_to_one(a)
  local status, id = require("emulator.operations.richmenus").switch(a.channel, a.user.id, alias)
  local params = {status = status}
  if status == "SUCCESS" then reactions.menu_shown(a.channel, a.user.id, id) end
  if status == "SUCCESS" then params.newRichMenuAliasId = alias end
  a.answer = {status = status, richMenuId = id}
  base.tell(a, "postback", {data = data, params = params})
end

-- The phone does these alone; nobody is told. Camera, album and map end in a message of their own.
local function phone_only() end
taps.uri, taps.clipboard = phone_only, phone_only
taps.camera, taps.cameraRoll, taps.location = phone_only, phone_only, phone_only

-- The forms of an imagemap's actions, which name their fields differently.
local function plain(action)
  if action.type == "uri" and action.linkUri then return {type = "uri", uri = action.linkUri} end
  return action
end

deeds.tap = {
  what = "tap an action: of a button, a quick reply, an imagemap, Flex, a rich menu",
  fields = {action = "the action object", params = "of a datetimepicker: {date}, {time} or {datetime}",
    entry = "id of the message it belongs to", richmenu = "true: it is of the rich menu"},
  fn = function(a)
    base.need_open(a)
    local action = a.body.action
    if type(action) ~= "table" then
      base.refuse("action: an action object is needed, as {\"type\":\"postback\",\"data\":…}")
    end
    action = plain(action)
    local tap = taps[action.type]
    if not tap then
      base.refuse("action.type: '%s' is none of %s", tostring(action.type), near.list(taps))
    end
    if action.type == "richmenuswitch" and a.body.richmenu == false then
      base.refuse("action.type: richmenuswitch works in rich menus only")
    end
    local chat, place, entry
    if a.body.entry then
      chat, place, entry = base.entry(a, a.body.entry, "entry")
      if entry.unsent then base.refuse("entry: message %s was taken back", entry.id) end
    end
    base.looked(a)
    if a.channel and entry and entry.request and action.type == "uri" then
      reactions.tapped(a.channel, a.user.id, entry.request, action.uri, reactions.seq(chat, place, entry))
    end
    if a.body.richmenu and a.kind == "user" then
      local id, area = require("emulator.operations.richmenus").area(a.channel, a.user.id, a.body.action)
      if area then reactions.menu_tapped(a.channel, a.user.id, id, area) end
    end
    tap(a, action)
  end,
}

deeds.postback = {
  what = "a postback with any data",
  fields = {data = "text", params = "object of texts, of a date picker or rich menu switch"},
  fn = function(a)
    base.need_open(a)
    local data, params = a.body.data, a.body.params
    if type(data) ~= "string" then base.refuse("data: a text is needed") end
    if params ~= nil and type(params) ~= "table" then base.refuse("params: an object is needed") end
    base.tell(a, "postback", {data = data, params = params})
  end,
}

-- ---- videos ----

local LOOK_BACK = 2000 -- messages

-- The entry, and its place, of the last video with that tracking id that the account sent here.
local function video_with(chat, tracking)
  for place = chat.n, math.max(1, chat.n - LOOK_BACK + 1), -1 do
    local entry = world.entry(chat, place)
    local message = entry.message
    if message.type == "video" and message.trackingId == tracking then return entry, place end
  end
end

deeds.videoPlayComplete = {
  what = "watch a video with a tracking id to its end; told once until the chat is entered again",
  fields = {trackingId = "as the account sent it"},
  fn = function(a)
    base.need_one_to_one(a)
    base.need_open(a)
    local tracking = a.body.trackingId
    if type(tracking) ~= "string" then base.refuse("trackingId: a text is needed") end
    local entry, place = video_with(a.chat, tracking)
    if not entry then
      base.refuse("trackingId: %s has sent no video with trackingId %s in this chat", a.channel.name, tracking)
    end
    a.chat.watched = a.chat.watched or {}
    if a.chat.watched[tracking] then return end
    a.chat.watched[tracking] = true
    base.looked(a)
    if entry.request then
      reactions.played(a.channel, a.user.id, entry.request, reactions.seq(a.chat, place, entry))
    end
    base.tell(a, "videoPlayComplete", {trackingId = tracking})
  end,
}

deeds.enter = {
  what = "leave the chat room and enter it again: videos watched to their end are told anew",
  fields = {},
  fn = function(a)
    base.need_user(a)
    a.chat.watched = nil
    base.looked(a, true)
  end,
}

return deeds
