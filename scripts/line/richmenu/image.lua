-- What an image file is and how large it is, read from its first bytes. Rich menus take PNG and JPEG.

local image = {}

image.most = 1024 * 1024 -- bytes LINE takes for a rich menu

local function png(bytes)
  if #bytes < 24 or bytes:sub(13, 16) ~= "IHDR" then return nil, "it begins like a PNG and breaks off" end
  local width, height = (">I4I4"):unpack(bytes, 17)
  return {type = "image/png", width = width, height = height}
end

-- A JPEG is a row of segments FF, marker, length of 2 bytes; the frame header among them (C0 to CF but for C4, C8 and
-- CC, which are tables) holds the size.
local function jpeg(bytes)
  local i = 3
  while i + 8 <= #bytes do
    if bytes:byte(i) ~= 0xFF then break end
    local marker = bytes:byte(i + 1)
    if marker == 0xFF then -- filling
      i = i + 1
    elseif marker == 0x01 or marker >= 0xD0 and marker <= 0xD7 then -- without a length
      i = i + 2
    elseif marker == 0xD9 or marker == 0xDA then -- the end, or the pixels
      break
    elseif marker >= 0xC0 and marker <= 0xCF and marker ~= 0xC4 and marker ~= 0xC8 and marker ~= 0xCC then
      local height, width = (">I2I2"):unpack(bytes, i + 5)
      return {type = "image/jpeg", width = width, height = height}
    else
      i = i + 2 + (">I2"):unpack(bytes, i + 2)
    end
  end
  return nil, "it begins like a JPEG, yet its size is nowhere in it"
end

-- image.look(bytes)
-- Takes a file's bytes. Returns {type = "image/png" | "image/jpeg", width =, height =}, or nil and why not.
-- Does not wait.
function image.look(bytes)
  if bytes:sub(1, 8) == "\137PNG\r\n\26\n" then return png(bytes) end
  if bytes:sub(1, 2) == "\255\216" then return jpeg(bytes) end
  if bytes == "" then return nil, "it is empty" end
  local kind = bytes:match("^GIF8") and "a GIF" or bytes:match("^RIFF....WEBP") and "a WebP"
    or bytes:match("^%s*<") and "a text" or "something else"
  return nil, "a rich menu takes a PNG or a JPEG, and this is " .. kind
end

return image
