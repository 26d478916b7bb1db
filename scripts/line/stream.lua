-- What every stream has beside its C half (read, type, length, position, close): chunks, all, save. Streams are the
-- media of messages (line.content) and the answers of other services (http.response).

local core = require "line.core"
local errors = require "line.errors"

local misuse = errors.misuse
local ALL <const> = 8 * 1024 * 1024 -- bytes that all() takes unless told otherwise

local stream = {}

local function next_piece(s)
  return s:read()
end

local save_options = {"overwrite"}

-- stream.complete(methods, name)
-- Takes the table of methods and what messages call the object ("content"), and adds chunks, all and save. The
-- comments of these three are where the object is described.
function stream.complete(methods, name)
  function methods:chunks()
    return next_piece, self, nil, self
  end

  function methods:all(max)
    max = max or ALL
    if math.type(max) ~= "integer" or max < 1 then misuse("%s:all: takes the number of bytes at most", name) end
    local n = self:length()
    if n and n - self:position() > max then
      self:close()
      misuse("%s:all: there are %d bytes, more than %d: take a larger maximum, chunks() or save()", name, n, max)
    end
    local parts = {}
    n = 0
    for piece in self:chunks() do
      n = n + #piece
      if n > max then misuse("%s:all: more than %d bytes: take a larger maximum, chunks() or save()", name, max) end
      parts[#parts + 1] = piece
    end
    return table.concat(parts)
  end

  function methods:save(path, options)
    local source <close> = self
    if options ~= nil and type(options) ~= "table" then misuse("%s:save: options must be a table", name) end
    for key, value in pairs(options or {}) do
      if key ~= "overwrite" then
        misuse("%s:save: unknown option '%s'%s", name, tostring(key), errors.did_you_mean(tostring(key), save_options))
      elseif type(value) ~= "boolean" then
        misuse("%s:save: overwrite is true or false", name)
      end
    end
    if self:position() > 0 then misuse("%s:save: %d bytes were read already", name, self:position()) end
    local file <close> = core.save_open(path, options and options.overwrite, name .. ":save")
    while core.save_pour(source, file) do end
    return core.save_commit(file)
  end

  -- So that a tail call in a bot, `return content:save(…)`, leaves its line to be found.
  for _, method in ipairs{"all", "save"} do methods[method] = core.entry(methods[method]) end
  return methods
end

return stream
