-- Stickers, images, videos, sounds and places.

local build = require "line.build"

local builder = build.builder

local media = {}

-- Ids that people write as numbers.
local function sticker_ids(m)
  if math.type(m.packageId) == "integer" then m.packageId = tostring(m.packageId) end
  if math.type(m.stickerId) == "integer" then m.stickerId = tostring(m.stickerId) end
  return m
end

-- line.sticker(packageId, stickerId[, more]) → sticker_message
-- A sticker of LINE's list of sendable ones. Takes ids as strings or integers.
media.sticker = builder("line.sticker", "sticker", {"packageId", "stickerId"}, sticker_ids)

local function preview_of_itself(m)
  m.previewImageUrl = m.previewImageUrl or m.originalContentUrl
  return m
end

-- line.image(originalContentUrl[, previewImageUrl[, more]]) → image_message
-- An image. Without a preview it is its own, which LINE takes up to 1 MB.
media.image = builder("line.image", "image", {"originalContentUrl", "previewImageUrl"}, preview_of_itself)

-- line.video(originalContentUrl, previewImageUrl[, more]) → video_message
-- A video, with the image shown before it plays.
media.video = builder("line.video", "video", {"originalContentUrl", "previewImageUrl"})

-- line.audio(originalContentUrl, duration[, more]) → audio_message
-- A sound of so many milliseconds.
media.audio = builder("line.audio", "audio", {"originalContentUrl", "duration"})

-- line.location(title, address, latitude, longitude[, more]) → location_message
-- A place on the map, in degrees.
media.location = builder("line.location", "location", {"title", "address", "latitude", "longitude"})

return media
