-- Messages: builders for each type, and how the arguments of a send become its list of messages.
-- Every builder follows the rule of line.build: natural arguments in order and a table of more fields, or one table.

local build = require "line.build"
local errors = require "line.errors"

local messages = {}

local builder = build.builder

-- Ids that people write as numbers.
local function sticker_ids(m)
  if math.type(m.packageId) == "integer" then m.packageId = tostring(m.packageId) end
  if math.type(m.stickerId) == "integer" then m.stickerId = tostring(m.stickerId) end
  return m
end

local function preview_of_itself(m)
  m.previewImageUrl = m.previewImageUrl or m.originalContentUrl
  return m
end

-- What stands beside a template in its message; the rest belongs into the template.
local of_message = {altText = true, quickReply = true, sender = true}

local function template(kind)
  return function(fields)
    local m, t = {type = "template"}, {type = kind}
    for k, v in pairs(fields) do
      if of_message[k] then m[k] = v else t[k] = v end
    end
    m.template = t
    return m
  end
end

messages.builders = {
  -- line.text(text): a text message
  text = builder("line.text", {type = "text"}, {"text"}),
  -- line.text_v2(text, substitution): text with {name} places for mentions and emoji
  text_v2 = builder("line.text_v2", {type = "textV2"}, {"text", "substitution"}),
  -- line.sticker(packageId, stickerId)
  sticker = builder("line.sticker", {type = "sticker"}, {"packageId", "stickerId"}, sticker_ids),
  -- line.image(originalContentUrl, previewImageUrl): without a preview the image is its own
  image = builder("line.image", {type = "image"}, {"originalContentUrl", "previewImageUrl"}, preview_of_itself),
  -- line.video(originalContentUrl, previewImageUrl)
  video = builder("line.video", {type = "video"}, {"originalContentUrl", "previewImageUrl"}),
  -- line.audio(originalContentUrl, duration): milliseconds
  audio = builder("line.audio", {type = "audio"}, {"originalContentUrl", "duration"}),
  -- line.location(title, address, latitude, longitude)
  location = builder("line.location", {type = "location"}, {"title", "address", "latitude", "longitude"}),
  -- line.imagemap(baseUrl, altText, baseSize, actions)
  imagemap = builder("line.imagemap", {type = "imagemap"}, {"baseUrl", "altText", "baseSize", "actions"}),
  -- line.coupon(couponId)
  coupon = builder("line.coupon", {type = "coupon"}, {"couponId"}),
  -- line.buttons(altText, text, actions): title, thumbnailImageUrl, defaultAction … in the table
  buttons = builder("line.buttons", {}, {"altText", "text", "actions"}, template("buttons")),
  -- line.confirm(altText, text, actions): two actions
  confirm = builder("line.confirm", {}, {"altText", "text", "actions"}, template("confirm")),
  -- line.carousel(altText, columns)
  carousel = builder("line.carousel", {}, {"altText", "columns"}, template("carousel")),
  -- line.image_carousel(altText, columns)
  image_carousel = builder("line.image_carousel", {}, {"altText", "columns"}, template("image_carousel")),
}

-- line.flex(altText, contents): a Flex message; line.flex.bubble and its like make the contents.
messages.flex = build.group("line.flex", {
  bubble = builder("line.flex.bubble", {type = "bubble"}, {}),
  carousel = builder("line.flex.carousel", {type = "carousel"}, {"contents"}),
  box = builder("line.flex.box", {type = "box"}, {"layout", "contents"}),
  button = builder("line.flex.button", {type = "button"}, {"action"}),
  image = builder("line.flex.image", {type = "image"}, {"url"}),
  video = builder("line.flex.video", {type = "video"}, {"url", "previewUrl", "altContent"}),
  icon = builder("line.flex.icon", {type = "icon"}, {"url"}),
  text = builder("line.flex.text", {type = "text"}, {"text"}),
  span = builder("line.flex.span", {type = "span"}, {"text"}),
  separator = builder("line.flex.separator", {type = "separator"}, {}),
  filler = builder("line.flex.filler", {type = "filler"}, {}),
}, builder("line.flex", {type = "flex"}, {"altText", "contents"}))

local function text_is_label(a)
  a.text = a.text or a.label
  return a
end

-- line.action.*: what a tap does.
messages.action = build.group("line.action", {
  postback = builder("line.action.postback", {type = "postback"}, {"label", "data"}),
  message = builder("line.action.message", {type = "message"}, {"label", "text"}, text_is_label),
  uri = builder("line.action.uri", {type = "uri"}, {"label", "uri"}),
  datetimepicker = builder("line.action.datetimepicker", {type = "datetimepicker"}, {"label", "data", "mode"}),
  camera = builder("line.action.camera", {type = "camera"}, {"label"}),
  camera_roll = builder("line.action.camera_roll", {type = "cameraRoll"}, {"label"}),
  location = builder("line.action.location", {type = "location"}, {"label"}),
  richmenu_switch = builder("line.action.richmenu_switch", {type = "richmenuswitch"},
    {"label", "richMenuAliasId", "data"}),
  clipboard = builder("line.action.clipboard", {type = "clipboard"}, {"label", "clipboardText"}),
})

-- line.quick_reply(item, …) or line.quick_reply{item, …}
-- Takes actions, or items {type = "action", imageUrl =, action =}. Returns the value of a message's quickReply.
function messages.builders.quick_reply(...)
  local first = ...
  local list = type(first) == "table" and first.type == nil and first or {...}
  local items = {}
  for i, item in ipairs(list) do
    if type(item) ~= "table" or item.type == nil then
      errors.misuse("line.quick_reply: item %d is not an action", i)
    end
    items[i] = item.type == "action" and item or {type = "action", action = item}
  end
  return {items = items}
end

-- What a script may hand over beside messages. A table with none but these names is options, not a message.
local option_names = {
  notificationDisabled = true, customAggregationUnits = true, recipient = true, filter = true, limit = true,
  timeout = true, retry_key = true,
}

local function is_options(t)
  if type(t) ~= "table" or t.type ~= nil or t[1] ~= nil then return false end
  for k in pairs(t) do
    if not option_names[k] then return false end
  end
  return next(t) ~= nil
end

local function add(what, list, n, m)
  local t = type(m)
  if t == "string" then
    list[n] = {type = "text", text = m}
  elseif t ~= "table" then
    errors.misuse("%s: message %d is a %s; a message is a string or a table%s", what, n, t,
      t == "number" and " (tostring makes a string of it)" or "")
  elseif m.type == nil then
    errors.misuse("%s: message %d has no type; line.text and the other builders set it", what, n)
  else
    list[n] = m
  end
  return n
end

-- Append m, a message or a list of them, behind the first n of list. Returns the new n.
local function append(what, list, n, m)
  if type(m) ~= "table" or m.type ~= nil then return add(what, list, n + 1, m) end
  if m[1] == nil then
    if next(m) ~= nil then add(what, list, n + 1, m) end
    return n
  end
  for i = 1, #m do n = add(what, list, n + 1, m[i]) end
  return n
end

-- messages.list(what, m)
-- Takes a string, a message or a list of both. Returns the list of messages. Raises at the caller's line.
function messages.list(what, m)
  local list = {}
  append(what, list, 0, m)
  return list
end

-- messages.collect(what, list, n, ...)
-- Appends messages to the first n of list; the last argument may be options. Returns the new n and the options or nil.
-- Raises at the caller's line.
function messages.collect(what, list, n, ...)
  local count = select("#", ...)
  if count == 1 then -- the common case, without a table for the arguments
    local only = ...
    if type(only) == "string" then
      list[n + 1] = {type = "text", text = only}
      return n + 1
    end
  end
  local args, options = {...}, nil
  if count > 1 and is_options(args[count]) then
    options, count = args[count], count - 1
  end
  if count == 0 then errors.misuse("%s: there is no message", what) end
  for i = 1, count do n = append(what, list, n, args[i]) end
  return n, options
end

return messages
