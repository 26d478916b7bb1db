-- Ids and tokens in the platform's formats. They come from one generator, so a world that starts from the same seed and
-- does the same things has the same ids.

local world = require "emulator.world"

local ids = {}

local DIGITS = "0123456789abcdef"
local ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
local BASE64URL = ALNUM .. "-_"
local CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

-- splitmix64: its whole state is one integer of the world.
local function next_number()
  local state = world.state
  local z = state.random + 0x9e3779b97f4a7c15
  state.random = z
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return z ~ (z >> 31)
end

local function letters(n, from)
  local out, mask = {}, #from
  local bits, left = 0, 0
  for i = 1, n do
    if left == 0 then bits, left = next_number() >> 1, 8 end
    local k = bits % mask
    bits, left = bits // mask, left - 1
    out[i] = from:sub(k + 1, k + 1)
  end
  return table.concat(out)
end

-- ids.hex(n): n hexadecimal digits.
function ids.hex(n) return letters(n, DIGITS) end

function ids.user() return "U" .. letters(32, DIGITS) end
function ids.group() return "C" .. letters(32, DIGITS) end
function ids.room() return "R" .. letters(32, DIGITS) end
function ids.richmenu() return "richmenu-" .. letters(32, DIGITS) end
function ids.reply_token() return letters(32, DIGITS) end
function ids.quote_token() return letters(150, BASE64URL) end
function ids.read_token() return letters(214, BASE64URL) end
function ids.link_token() return letters(32, ALNUM) end
function ids.access_token() return letters(172, ALNUM) end

-- ids.uuid(): version 4.
function ids.uuid()
  local h = letters(32, DIGITS)
  return ("%s-%s-4%s-%s%s-%s"):format(h:sub(1, 8), h:sub(9, 12), h:sub(14, 16), ("89ab"):sub(next_number() % 4 + 1):sub(1, 1),
    h:sub(18, 20), h:sub(21, 32))
end

-- ids.ulid(ms): 26 characters, the first ten of them the time.
function ids.ulid(ms)
  local out = {}
  for i = 10, 1, -1 do
    local k = ms % 32
    out[i] = CROCKFORD:sub(k + 1, k + 1)
    ms = ms // 32
  end
  return table.concat(out) .. letters(16, CROCKFORD)
end

-- ids.message(): decimal text, greater than every one before.
function ids.message()
  local state = world.state
  state.last_message = state.last_message + 1 + (next_number() >> 1) % 4096
  return tostring(state.last_message)
end

-- ids.number(kind): 1, 2, 3 … for what LINE numbers (audiences, memberships).
function ids.number(kind)
  local counters = world.state.counters
  counters[kind] = (counters[kind] or 0) + 1
  return counters[kind]
end

return ids
