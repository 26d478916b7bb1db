-- What people sent: the bytes of images, videos, sounds and files. Nothing of the account's own can be fetched.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local world = require "emulator.world"

local content = {}

local PREPARED = {video = true, audio = true}
local PREVIEWED = {image = true, video = true}

-- The medium of the path's message, and the message's type.
local function medium_of(call)
  local id = call.path.messageId
  local chat, _, entry = world.find(id)
  if not chat or chat.channel ~= call.channel.id or not entry.event then errors.raise(404, "not found") end
  if entry.unsent then errors.raise(410, "The content is gone") end
  local medium = world.state.media[id]
  local provider = entry.message.contentProvider
  if not medium or provider and provider.type ~= "line" then errors.raise(404, "not found") end
  return medium, entry.message.type
end

local function ready(medium) return not medium.ready_at or medium.ready_at <= clock.now() end

function content.get_message_content(call)
  local medium = medium_of(call)
  if not ready(medium) then return 202, "" end
  return 200, medium.body, {["content-type"] = medium.type}
end

function content.get_message_content_preview(call)
  local medium, kind = medium_of(call)
  if not PREVIEWED[kind] then errors.raise(400, "The content can not be previewed") end
  if not ready(medium) then return 202, "" end
  if medium.preview then return 200, medium.preview, {["content-type"] = medium.preview_type or "image/jpeg"} end
  -- An emulator does not draw: a picture is its own preview, a video has one only where its sender gave it.
  if kind == "image" then return 200, medium.body, {["content-type"] = medium.type} end
  errors.raise(404, "not found")
end

function content.get_message_content_transcoding_by_message_id(call)
  local medium, kind = medium_of(call)
  if not PREPARED[kind] then errors.raise(400, "Transcoding status doesn't support this type of content") end
  return {status = medium.failed and "failed" or ready(medium) and "succeeded" or "processing"}
end

return content
