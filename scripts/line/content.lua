-- Media of a message: what line.get_message_content and event:content() return. read, type, size and close are in C:
--
--   content:read([n])   n bytes, fewer at the end, nil after it; without n the next piece. Waits
--   content:type()      the media type, such as "image/jpeg"
--   content:size()      bytes in all, or nil when LINE does not say
--   content:close()     stop the download; `local content <close> = …` does it by itself
--
-- Bytes that were not read yet are kept, up to 16 MiB; a script slower than that gets an error from read.

local core = require "line.core"
local errors = require "line.errors"

local methods = core.content

local function next_piece(content)
  return content:read()
end

-- content:chunks()
-- Returns an iterator over the pieces as they come: for piece in content:chunks() do … end. It waits and raises.
function methods:chunks()
  return next_piece, self
end

-- content:all([max])
-- Takes the number of bytes at most, default 8 MiB. Returns the whole as one string. Raises when it is longer. Waits.
function methods:all(max)
  max = max or 8 * 1024 * 1024
  local parts, n = {}, 0
  for piece in self:chunks() do
    n = n + #piece
    if n > max then
      self:close()
      errors.misuse("content:all: more than %d bytes: hand over a larger maximum, or take it in chunks", max)
    end
    parts[#parts + 1] = piece
  end
  return table.concat(parts)
end

return methods
