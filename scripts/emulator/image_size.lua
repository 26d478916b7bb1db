-- Width and height of a picture from its first bytes, and what kind it is.

local image_size = {}

local function png(bytes)
  if bytes:sub(1, 8) ~= "\137PNG\r\n\26\n" or bytes:sub(13, 16) ~= "IHDR" or #bytes < 24 then return nil end
  return string.unpack(">I4I4", bytes, 17)
end

-- Segments follow each other; the one that starts a frame has the size.
local function jpeg(bytes)
  if bytes:sub(1, 2) ~= "\xff\xd8" then return nil end
  local at = 3
  while at + 9 <= #bytes do
    local mark, kind = bytes:byte(at, at + 1)
    if mark ~= 0xff then return nil end
    if kind == 0xff then
      at = at + 1 -- a filling byte
    elseif kind >= 0xc0 and kind <= 0xcf and kind ~= 0xc4 and kind ~= 0xc8 and kind ~= 0xcc then
      local height, width = string.unpack(">I2I2", bytes, at + 5)
      return width, height
    elseif kind == 0x01 or kind >= 0xd0 and kind <= 0xd8 then
      at = at + 2 -- a mark without a length
    else
      at = at + 2 + string.unpack(">I2", bytes, at + 2)
    end
  end
  return nil
end

-- image_size.of(bytes) → "image/png" or "image/jpeg", width, height; nil for anything else.
function image_size.of(bytes)
  local width, height = png(bytes)
  if width then return "image/png", width, height end
  width, height = jpeg(bytes)
  if width then return "image/jpeg", width, height end
  return nil
end

return image_size
