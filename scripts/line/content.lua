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

-- And, for every stream in scripts/line/stream.lua:

-- content:chunks()
-- Returns an iterator over the pieces as they come: for piece in content:chunks() do … end. It waits and raises.
-- The download is closed when the loop ends, also early.

-- content:all([max])
-- Takes the number of bytes at most, default 8 MiB. Returns what was not read yet as one string.
-- Raises when it is longer. Waits.

-- content:save(path[, options])
-- Writes it to a file, never whole in memory: to path.part first, which gets its name when it is complete, and is
-- removed when something goes wrong. A relative path counts from the bot's folder, where folders that it names are
-- made; those of an absolute one must be there. Options: {overwrite = true} replaces a file of that name, else it is an
-- error. Returns the number of bytes. Raises when the download or the disk fails, and when bytes were read before.
-- Waits.

return require "line.stream".complete(require "line.core".content, "content")
