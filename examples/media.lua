-- Saves the pictures, films, sounds and files that people send. Run it: moonline run examples/media.lua
--
-- They go to the folder media beside this file. Bytes go from LINE to the disk as they come: a film of 200 MB takes no
-- more memory than a picture.

local line = require "line"
local log = require "log"

local ENDINGS = {
  ["image/jpeg"] = "jpg", ["image/png"] = "png", ["image/gif"] = "gif", ["video/mp4"] = "mp4",
  ["audio/x-m4a"] = "m4a", ["audio/mp4"] = "m4a", ["audio/aac"] = "aac", ["application/pdf"] = "pdf",
}

-- Names that people gave their files are not to be trusted: only the message's id makes ours.
local function save(event)
  local content = event:content() -- waits while LINE still prepares a film or a sound
  local name = ("media/%s.%s"):format(event.message.id, ENDINGS[content:type()] or "bin")
  local bytes = content:save(name, {overwrite = true}) -- an event that was interrupted comes again
  log.info("saved", {name = name, bytes = bytes})
  return bytes
end

local function size(bytes)
  return bytes < 1e6 and ("%.1f kB"):format(bytes / 1e3) or ("%.1f MB"):format(bytes / 1e6)
end

-- What was sent from a page (LIFF) may lie elsewhere: LINE then gives the address instead of the bytes.
local function elsewhere(event)
  local provider = event.message.contentProvider
  return provider and provider.type == "external" and provider.originalContentUrl
end

local function keep(event, what)
  local address = elsewhere(event)
  if address then return event:reply("It lies at " .. address) end
  event:reply(("Your %s is saved: %s."):format(what, size(save(event))))
end

-- Several pictures sent at once are one set; the answer comes with the last.
line.on("message.image", function(event)
  local set = event.message.imageSet
  if not set or elsewhere(event) then return keep(event, "picture") end
  save(event)
  if set.index == set.total then event:reply(("All %d pictures are saved."):format(set.total)) end
end)

line.on("message.video", function(event) keep(event, "film") end)
line.on("message.audio", function(event) keep(event, "sound") end)
line.on("message.file", function(event) keep(event, "file " .. event.message.fileName) end)

line.on("message", function(event)
  event:reply("Send me a picture, a film, a sound or a file.")
end)
