-- Template messages: a fixed form filled with text, images and actions.

local build = require "line.build"

local builder = build.builder

-- The fields given are the template's, but for those that stand beside it in the message.
local function message(template)
  local m = {type = "template", altText = template.altText, quickReply = template.quickReply, sender = template.sender,
    template = template}
  template.altText, template.quickReply, template.sender = nil, nil, nil
  return m
end

return {
  -- line.buttons(altText, text, actions[, more]) → template_message
  -- Text and up to four buttons. More fields: title, thumbnailImageUrl, imageAspectRatio, imageSize,
  -- imageBackgroundColor, defaultAction, and the message's quickReply and sender.
  buttons = builder("line.buttons", "buttons", {"altText", "text", "actions"}, message),

  -- line.confirm(altText, text, actions[, more]) → template_message
  -- A question and two buttons.
  confirm = builder("line.confirm", "confirm", {"altText", "text", "actions"}, message),

  -- line.carousel(altText, columns[, more]) → template_message
  -- Up to ten cards side by side, made by line.carousel_column.
  carousel = builder("line.carousel", "carousel", {"altText", "columns"}, message),

  -- line.carousel_column(text, actions[, more]) → carousel_column
  -- A card. More fields: title, thumbnailImageUrl, imageBackgroundColor, defaultAction. LINE wants the same number of
  -- actions in all cards, and a title and an image in all or none.
  carousel_column = builder("line.carousel_column", nil, {"text", "actions"}),

  -- line.image_carousel(altText, columns[, more]) → template_message
  -- Up to ten images side by side, made by line.image_carousel_column.
  image_carousel = builder("line.image_carousel", "image_carousel", {"altText", "columns"}, message),

  -- line.image_carousel_column(imageUrl, action[, more]) → image_column
  -- An image to tap.
  image_carousel_column = builder("line.image_carousel_column", nil, {"imageUrl", "action"}),
}
