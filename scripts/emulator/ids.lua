-- Ids and tokens in the platform's formats. They come from one generator, so a world that starts from the same seed
-- and does the same things has the same ids.

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

local function hex32(prefix) return ("%s%016x%016x"):format(prefix, next_number(), next_number()) end

function ids.user() return hex32("U") end
function ids.group() return hex32("C") end
function ids.room() return hex32("R") end
function ids.richmenu() return hex32("richmenu-") end
function ids.reply_token() return hex32("") end
function ids.link_token() return letters(32, ALNUM) end
function ids.access_token() return letters(172, ALNUM) end

-- ids.uuid(): version 4.
function ids.uuid()
  local a, b = next_number(), next_number()
  return ("%08x-%04x-4%03x-%04x-%012x"):format(a >> 32, a >> 16 & 0xffff, a & 0xfff, 0x8000 | b >> 48 & 0x3fff,
    b & 0xffffffffffff)
end

-- Two letters for ten bits, the lower five first.
local TENS = {}
for bits = 0, 1023 do
  local low, high = bits & 31, bits >> 5
  TENS[bits] = CROCKFORD:sub(low + 1, low + 1) .. CROCKFORD:sub(high + 1, high + 1)
end

local stamp, stamp_text -- the last time that was written, and its letters

local function time_letters(ms)
  if stamp == ms then return stamp_text end
  local out, left = {}, ms
  for i = 10, 1, -1 do
    local k = left % 32 + 1
    out[i] = CROCKFORD:sub(k, k)
    left = left // 32
  end
  stamp, stamp_text = ms, table.concat(out)
  return stamp_text
end

-- ids.ulid(ms): 26 characters, the first ten of them the time.
function ids.ulid(ms)
  local a, b = next_number(), next_number()
  return time_letters(ms) .. TENS[a & 1023] .. TENS[a >> 10 & 1023] .. TENS[a >> 20 & 1023] .. TENS[a >> 30 & 1023]
    .. TENS[b & 1023] .. TENS[b >> 10 & 1023] .. TENS[b >> 20 & 1023] .. TENS[b >> 30 & 1023]
end

-- ids.message(): decimal text, greater than every one before.
function ids.message()
  local state = world.state
  state.last_message = state.last_message + 1 + (next_number() >> 1) % 4096
  return tostring(state.last_message)
end

-- ids.messages(n): the first of n consecutive message ids, as an integer; for what goes to many at once.
function ids.messages(n)
  local state = world.state
  local first = state.last_message + 1
  state.last_message = state.last_message + n
  return first
end

-- ids.chance(n): 1 to n, by the world's seed.
function ids.chance(n) return (next_number() >> 1) % n + 1 end

-- ids.number(kind): 1, 2, 3 … for what LINE numbers (audiences, memberships).
function ids.number(kind)
  local counters = world.state.counters
  counters[kind] = (counters[kind] or 0) + 1
  return counters[kind]
end

-- ---- tokens of messages ----

-- A quote token and a token to mark as read say nothing to a bot, but a million messages have them. So none is kept:
-- the first letters are the message id and a number of the token, scrambled, the others follow from those.

local PAIRS = {}
for high = 1, 64 do
  for low = 1, 64 do PAIRS[#PAIRS + 1] = BASE64URL:sub(high, high) .. BASE64URL:sub(low, low) end
end

local VALUE = {}
for i = 1, 64 do VALUE[BASE64URL:byte(i)] = i - 1 end

-- Odd, so that a multiplication can be taken back: ODD * INVERSE = 1 in 64 bits.
local ODD = 0xd1342543de82ef95
local INVERSE = ODD
for _ = 1, 6 do INVERSE = INVERSE * (2 - ODD * INVERSE) end

local function scramble(n, key)
  n = (n ~ key) * ODD
  n = n ~ n >> 32
  return n * ODD
end

local function unscramble(n, key)
  n = n * INVERSE
  n = n ~ n >> 32
  return n * INVERSE ~ key
end

local function mixed(z)
  z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
  z = (z ~ z >> 27) * 0x94d049bb133111eb
  return z ~ z >> 31
end

local out = {}

-- A token of so many letters (an even number) for a number; key tells the kinds of tokens apart.
local function token_of(number, key, length)
  local first = scramble(number, key)
  out[1] = PAIRS[(first >> 52) + 1]
  out[2] = PAIRS[(first >> 40 & 4095) + 1]
  out[3] = PAIRS[(first >> 28 & 4095) + 1]
  out[4] = PAIRS[(first >> 16 & 4095) + 1]
  out[5] = PAIRS[(first >> 4 & 4095) + 1]
  out[6] = PAIRS[((first & 15) << 8 | mixed(first) & 255) + 1]
  local n = length // 2
  for i = 7, n, 5 do
    local z = mixed(first + i * 0x9e3779b97f4a7c15)
    out[i] = PAIRS[(z & 4095) + 1]
    out[i + 1] = PAIRS[(z >> 12 & 4095) + 1]
    out[i + 2] = PAIRS[(z >> 24 & 4095) + 1]
    out[i + 3] = PAIRS[(z >> 36 & 4095) + 1]
    out[i + 4] = PAIRS[(z >> 48 & 4095) + 1]
  end
  return table.concat(out, "", 1, n)
end

-- The number of a token, nil when it is none of these.
local function number_of(token, key, length)
  if type(token) ~= "string" or #token ~= length then return nil end
  local first = 0
  for i = 1, 10 do first = first << 6 | (VALUE[token:byte(i)] or 0) end
  first = first << 4 | (VALUE[token:byte(11)] or 0) >> 2
  local number = unscramble(first, key)
  if token_of(number, key, length) ~= token then return nil end
  return number
end

local QUOTE, READ = 0x71756f7465, 0x72656164

-- ids.quote_token(message id [, number]): number 0 to 7 when the message has several, as an edited one has.
function ids.quote_token(message, number)
  return token_of(math.tointeger(tonumber(message)) << 3 | (number or 0), QUOTE ~ world.state.seed, 150)
end

-- ids.quoted(token) → the message id, nil when it is no quote token of this world.
function ids.quoted(token)
  local number = number_of(token, QUOTE ~ world.state.seed, 150)
  return number and tostring(number >> 3)
end

-- ids.read_token(message id): markAsReadToken of a message.
function ids.read_token(message)
  return token_of(math.tointeger(tonumber(message)), READ ~ world.state.seed, 214)
end

-- ids.read(token) → the message id, nil when it is no such token of this world.
function ids.read(token)
  local number = number_of(token, READ ~ world.state.seed, 214)
  return number and tostring(number)
end

return ids
