-- The lines of code around the place that an error names.

local excerpt = {}

local AROUND = 2    -- lines before and after
local WIDEST = 200  -- bytes of a line

-- excerpt.of(error, read) → "   52 | …\n>  53 | …\n   54 | …", nil when the error begins with no place or the file is
-- not there. read(path) → text, nil; path as the error has it, never one that leads out of a folder.
function excerpt.of(error, read)
  local path, line = error:match("^([^\n:]+):(%d+):")
  if not path or path:find("^[/.]") or path:find("..", 1, true) then return nil end
  local text = read(path)
  if not text then return nil end
  line = math.tointeger(tonumber(line))
  local out, n = {}, 0
  for each in (text .. "\n"):gmatch("(.-)\r?\n") do
    n = n + 1
    if n > line + AROUND then break end
    if n >= line - AROUND then
      out[#out + 1] = ("%s %4d | %s"):format(n == line and ">" or " ", n, each:sub(1, WIDEST))
    end
  end
  return n >= line and table.concat(out, "\n") or nil
end

return excerpt
