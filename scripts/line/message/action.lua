-- line.action.*: what a tap does.

local build = require "line.build"

local builder = build.builder

local function text_is_label(a)
  a.text = a.text or a.label
  return a
end

-- A page for the desktop may be written as the address alone.
local function desktop(a)
  if type(a.altUri) == "string" then a.altUri = {desktop = a.altUri} end
  return a
end

return {
  action = build.group("line.action", {
    -- line.action.postback(label, data[, more]) → postback_action
    -- Sends a postback event with the data. More fields: displayText, inputOption, fillInText.
    postback = builder("line.action.postback", "postback", {"label", "data"}),

    -- line.action.message(label[, text[, more]]) → message_action
    -- Sends the text as the user; without one, the label.
    message = builder("line.action.message", "message", {"label", "text"}, text_is_label),

    -- line.action.uri(label, uri[, more]) → uri_action
    -- Opens a page, or with tel: a call. Takes as altUri an object or just the address for the desktop.
    uri = builder("line.action.uri", "uri", {"label", "uri"}, desktop),

    -- line.action.datetimepicker(label, data, mode[, more]) → datetimepicker_action
    -- Lets the user choose a "date", "time" or "datetime", and sends a postback event. More fields: initial, min, max.
    datetimepicker = builder("line.action.datetimepicker", "datetimepicker", {"label", "data", "mode"}),

    -- line.action.camera(label[, more]) → camera_action
    -- Opens the camera. For quick replies only.
    camera = builder("line.action.camera", "camera", {"label"}),

    -- line.action.camera_roll(label[, more]) → camera_roll_action
    -- Opens the user's photos. For quick replies only.
    camera_roll = builder("line.action.camera_roll", "cameraRoll", {"label"}),

    -- line.action.location(label[, more]) → location_action
    -- Lets the user send a place. For quick replies only.
    location = builder("line.action.location", "location", {"label"}),

    -- line.action.richmenu_switch(label, richMenuAliasId, data[, more]) → richmenu_switch_action
    -- Shows another rich menu, and sends a postback event with the data. For rich menus only; the label may be nil.
    richmenu_switch = builder("line.action.richmenu_switch", "richmenuswitch", {"label", "richMenuAliasId", "data"}),

    -- line.action.clipboard(label, clipboardText[, more]) → clipboard_action
    -- Copies the text.
    clipboard = builder("line.action.clipboard", "clipboard", {"label", "clipboardText"}),
  }),
}
