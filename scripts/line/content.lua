-- Media of a message: what line.get_message_content, line.get_message_content_preview and event:content() return.
-- In C are:
--
--   content:read([n])    n bytes, fewer at the end, nil after it; without n the next piece (64 KiB at most). Waits
--   content:type()       the media type, such as "image/jpeg", or nil
--   content:length()     bytes in all, or nil when LINE does not say
--   content:position()   bytes read so far
--   content:close()      stop the download; `local content <close> = …` does it by itself
--
-- The reader sets the pace: at most a quarter of a MiB waits here, the rest at LINE. A connection that dies on the
-- way is made anew, and reading goes on where it was.

local core = require "line.core"
local errors = require "line.errors"

local methods = core.content
local misuse = errors.misuse

local function next_piece(content)
  return content:read()
end

-- content:chunks()
-- Returns an iterator over the pieces as they come: for piece in content:chunks() do … end. It waits and raises.
-- The download is closed when the loop ends, also early.
function methods:chunks()
  return next_piece, self, nil, self
end

-- content:all([max])
-- Takes the number of bytes at most, default 8 MiB. Returns what was not read yet as one string.
-- Raises when it is longer. Waits.
function methods:all(max)
  max = max or 8 * 1024 * 1024
  if math.type(max) ~= "integer" or max < 1 then misuse("content:all: takes the number of bytes at most") end
  local n = self:length()
  if n and n - self:position() > max then
    self:close()
    misuse("content:all: there are %d bytes, more than %d: take a larger maximum, chunks() or save()", n, max)
  end
  local parts = {}
  n = 0
  for piece in self:chunks() do
    n = n + #piece
    if n > max then misuse("content:all: more than %d bytes: take a larger maximum, chunks() or save()", max) end
    parts[#parts + 1] = piece
  end
  return table.concat(parts)
end

local save_options = {"overwrite"}

-- content:save(path[, options])
-- Writes it to a file, never whole in memory: to path.part first, which gets its name when it is complete, and is
-- removed when something goes wrong. A relative path counts from the bot's folder, where folders that it names are
-- made; those of an absolute one must be there. Options: {overwrite = true} replaces a file of that name, else it is an
-- error. Returns the number of bytes. Raises when the download or the disk fails, and when bytes were read before.
-- Waits.
function methods:save(path, options)
  local stream <close> = self
  if options ~= nil and type(options) ~= "table" then misuse("content:save: options must be a table") end
  for key, value in pairs(options or {}) do
    if key ~= "overwrite" then
      misuse("content:save: unknown option '%s'%s", tostring(key), errors.did_you_mean(tostring(key), save_options))
    elseif type(value) ~= "boolean" then
      misuse("content:save: overwrite is true or false")
    end
  end
  if self:position() > 0 then misuse("content:save: %d bytes were read already", self:position()) end
  local file <close> = core.save_open(path, options and options.overwrite, "content:save")
  while core.save_pour(stream, file) do end
  return core.save_commit(file)
end

-- So that a tail call in a bot, `return content:save(…)`, leaves its line to be found.
for _, name in ipairs{"all", "save"} do methods[name] = core.entry(methods[name]) end

return methods
