-- Flex messages: line.flex makes the message, line.flex.bubble, box, text and so on make what is in it.

local build = require "line.build"

local builder = build.builder

-- A list instead of a text: its spans.
local function spans(t)
  if type(t.text) == "table" then t.contents, t.text = t.text, nil end
  return t
end

-- 90 is "90deg".
local function degrees(g)
  if type(g.angle) == "number" then g.angle = ("%.14gdeg"):format(g.angle) end
  return g
end

return {
  -- line.flex(altText, contents[, more]) → flex_message
  -- A message laid out freely. Takes a bubble or a carousel.
  flex = build.group("line.flex", {
    -- line.flex.bubble(body[, more]) → bubble
    -- A bubble: up to four blocks, of which each may be missing. More fields: header, hero, footer, size, direction,
    -- styles, action.
    bubble = builder("line.flex.bubble", "bubble", {"body"}),

    -- line.flex.carousel(contents[, more]) → flex_carousel
    -- Up to 12 bubbles of one size side by side.
    carousel = builder("line.flex.carousel", "carousel", {"contents"}),

    -- line.flex.box(layout, contents[, more]) → box
    -- Lays out its contents: "horizontal", "vertical" or "baseline".
    box = builder("line.flex.box", "box", {"layout", "contents"}),

    -- line.flex.text(text[, more]) → flex_text
    -- A text, or a list of spans.
    text = builder("line.flex.text", "text", {"text"}, spans),

    -- line.flex.span(text[, more]) → span
    -- A part of a text with a look of its own.
    span = builder("line.flex.span", "span", {"text"}),

    -- line.flex.image(url[, more]) → flex_image
    -- An image.
    image = builder("line.flex.image", "image", {"url"}),

    -- line.flex.video(url, previewUrl, altContent[, more]) → flex_video
    -- A video, as the hero of a bubble; altContent (an image or a box) stands in where it cannot play.
    video = builder("line.flex.video", "video", {"url", "previewUrl", "altContent"}),

    -- line.flex.icon(url[, more]) → icon
    -- A small image in a line of text (a box with layout "baseline").
    icon = builder("line.flex.icon", "icon", {"url"}),

    -- line.flex.button(action[, more]) → button
    -- A button.
    button = builder("line.flex.button", "button", {"action"}),

    -- line.flex.separator([more]) → separator
    -- A line between two parts.
    separator = builder("line.flex.separator", "separator", {}),

    -- line.flex.filler([more]) → filler
    -- Empty space. LINE advises to use other means, such as margins.
    filler = builder("line.flex.filler", "filler", {}),

    -- line.flex.linear_gradient(angle, startColor, endColor[, more]) → linear_gradient
    -- A box's `background`. Takes the angle as "45deg" or 45.
    linear_gradient = builder("line.flex.linear_gradient", "linearGradient", {"angle", "startColor", "endColor"},
      degrees),

    -- line.flex.styles([blocks]) → bubble_styles
    -- A bubble's `styles`. Takes block styles under header, hero, body and footer.
    styles = builder("line.flex.styles", nil, {}),

    -- line.flex.block_style([backgroundColor[, more]]) → block_style
    -- Looks of one block of a bubble. More fields: separator, separatorColor.
    block_style = builder("line.flex.block_style", nil, {"backgroundColor"}),
  }, builder("line.flex", "flex", {"altText", "contents"})),
}
