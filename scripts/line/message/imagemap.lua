-- Imagemaps: an image with areas to tap. line.imagemap makes the message, line.imagemap.uri and its like the actions.

local build = require "line.build"
local grid = require "line.message.grid"

local builder = build.builder

-- LINE knows one width; a number is the height.
local function size(m)
  if type(m.baseSize) == "number" then m.baseSize = {width = 1040, height = m.baseSize} end
  return m
end

local imagemap = build.group("line.imagemap", {
  -- line.imagemap.uri(linkUri, area[, more]) → imagemap_uri
  -- A tap on the area opens the page.
  uri = builder("line.imagemap.uri", "uri", {"linkUri", "area"}),

  -- line.imagemap.message(text, area[, more]) → imagemap_text
  -- A tap on the area sends the text as the user.
  message = builder("line.imagemap.message", "message", {"text", "area"}),

  -- line.imagemap.clipboard(clipboardText, area[, more]) → imagemap_clipboard
  -- A tap on the area copies the text.
  clipboard = builder("line.imagemap.clipboard", "clipboard", {"clipboardText", "area"}),

  -- line.imagemap.video(originalContentUrl, previewImageUrl, area[, more]) → imagemap_video
  -- A video that plays on the area; the message's field `video`.
  video = builder("line.imagemap.video", nil, {"originalContentUrl", "previewImageUrl", "area"}),

  -- line.imagemap.external_link(linkUri, label[, more]) → imagemap_link
  -- The link shown when the video is over; the video's field `externalLink`.
  external_link = builder("line.imagemap.external_link", nil, {"linkUri", "label"}),

  -- line.imagemap.grid(columns, rows, actions[, more]) → list of imagemap_action
  -- Gives each action its area on a regular grid, row by row; false leaves a cell without one. Takes actions built
  -- without an area, and in more the `height` (and `width`, 1040) of the image.
  grid = builder("line.imagemap.grid", nil, {"columns", "rows", "actions"},
    grid.maker("line.imagemap.grid", {width = 1040}, function(action, area)
      local placed = {area = area}
      for k, v in pairs(action) do placed[k] = v end
      return placed
    end)),
}, builder("line.imagemap", "imagemap", {"baseUrl", "altText", "baseSize", "actions"}, size))

return {
  -- line.imagemap(baseUrl, altText, baseSize, actions[, more]) → imagemap_message
  -- An image with areas to tap. Takes the address without the width that LINE appends, and as baseSize a table or just
  -- the height, for a width of 1040.
  imagemap = imagemap,

  -- line.area(x, y, width, height[, more]) → imagemap_area
  -- A part of an image in pixels, for imagemaps and rich menus.
  area = builder("line.area", nil, {"x", "y", "width", "height"}),
}
