-- Strings against the platform's grammars: how long they are, URLs, sizes, colors, dates.

local check_text = {}

-- How the strings are counted that the reference counts in grapheme clusters; live checks were seen to count code
-- points. "graphemes", "code points" or "utf16". Everything else is counted in UTF-16 code units.
check_text.labels = "graphemes"

-- ---- length ----

local function code_points(s) return #s - select(2, s:gsub("[\x80-\xBF]", "")) end

local function utf16(s) return code_points(s) + select(2, s:gsub("[\xF0-\xF7]", "")) end

-- Code points that never begin a cluster: combining marks of common scripts, joiners, variation selectors, skin
-- tones, tags.
local EXTENDS = {
  {0x300, 0x36F}, {0x483, 0x489}, {0x591, 0x5BD}, {0x5BF, 0x5BF}, {0x5C1, 0x5C2}, {0x5C4, 0x5C5}, {0x610, 0x61A},
  {0x64B, 0x65F}, {0x670, 0x670}, {0x6D6, 0x6DC}, {0x6DF, 0x6E4}, {0x6E7, 0x6E8}, {0x6EA, 0x6ED}, {0x900, 0x903},
  {0x93A, 0x93C}, {0x93E, 0x94F}, {0x981, 0x983}, {0x9BC, 0x9BC}, {0x9BE, 0x9CD}, {0xA01, 0xA03}, {0xA3C, 0xA51},
  {0xB01, 0xB03}, {0xB3C, 0xB3C}, {0xB3E, 0xB4D}, {0xB82, 0xB82}, {0xBBE, 0xBCD}, {0xC00, 0xC04}, {0xC3E, 0xC56},
  {0xCBC, 0xCBC}, {0xCBE, 0xCD6}, {0xD3B, 0xD4D}, {0xE31, 0xE31}, {0xE33, 0xE3A}, {0xE47, 0xE4E}, {0xEB1, 0xEB1},
  {0xEB3, 0xEBC}, {0xEC8, 0xECE}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200C, 0x200D}, {0x20D0, 0x20F0},
  {0x302A, 0x302F}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF}, {0xE0020, 0xE007F},
  {0xE0100, 0xE01EF},
}

local function extends(c)
  local low, high = 1, #EXTENDS
  while low <= high do
    local i = (low + high) // 2
    if c < EXTENDS[i][1] then high = i - 1 elseif c > EXTENDS[i][2] then low = i + 1 else return true end
  end
  return false
end

local function joins_hangul(before, c)
  local lead = before >= 0x1100 and before <= 0x115F
  local syllable = before >= 0xAC00 and before <= 0xD7A3
  local vowel = before >= 0x1160 and before <= 0x11A7
  local final = before >= 0x11A8 and before <= 0x11FF
  if c >= 0x1160 and c <= 0x11A7 then return lead or vowel or syllable and (before - 0xAC00) % 28 == 0 end
  if c >= 0x11A8 and c <= 0x11FF then return vowel or final or syllable end
  return lead and (c >= 0x1100 and c <= 0x115F or c >= 0xAC00 and c <= 0xD7A3)
end

local function pictographic(c)
  return c >= 0x1F000 and c <= 0x1FAFF or c >= 0x2190 and c <= 0x2BFF or c == 0xA9 or c == 0xAE
end

local function graphemes(s)
  if not s:find("[\x80-\xFF\r]") then return #s end
  local n, before, flags, picture = 0, nil, 0, false
  for _, c in utf8.codes(s, true) do
    local regional = c >= 0x1F1E6 and c <= 0x1F1FF
    local joined = before and (
      extends(c) or before == 0x200D and picture and pictographic(c) or before == 13 and c == 10
      or regional and flags % 2 == 1 or joins_hangul(before, c))
    if not joined then n = n + 1 end
    flags = regional and flags + 1 or 0
    if pictographic(c) then picture = true elseif not extends(c) then picture = false end
    before = c
  end
  return n
end

local COUNTERS = {utf16 = utf16, graphemes = graphemes, ["code points"] = code_points}

-- check_text.longer(s, most, labels): whether s is longer than that; labels: it is one of those counted by
-- check_text.labels.
function check_text.longer(s, most, labels)
  if #s <= most then return false end
  return COUNTERS[labels and check_text.labels or "utf16"](s) > most
end

check_text.utf16, check_text.graphemes, check_text.code_points = utf16, graphemes, code_points

-- check_text.utf16_at(s, unit): the letter that starts at that UTF-16 code unit (from 0); nil when none does.
function check_text.utf16_at(s, unit)
  if not s:find("[\x80-\xFF]") then
    local c = s:sub(unit + 1, unit + 1)
    return c ~= "" and c or nil
  end
  local at = 0
  for _, c in utf8.codes(s, true) do
    if at == unit then return utf8.char(c) end
    if at > unit then return nil end
    at = at + (c >= 0x10000 and 2 or 1)
  end
end

-- ---- URLs ----

-- Letters that a URL holds as they are; all others percent-encoded.
local PLAIN = "^[%w%-._~:/?#%[%]@!$&'()*+,;=%%]+$"

local function well_formed(s)
  if not s:find(PLAIN) then return false end
  for digits in s:gmatch("%%(..?)") do
    if not digits:find("^%x%x$") then return false end
  end
  return s:sub(-1) ~= "%"
end

-- check_text.url(s, link): nil when it is a URL that the platform takes, else "scheme" or "form". link: http, line
-- and tel are taken, too.
function check_text.url(s, link)
  local scheme, rest = s:match("^(%a[%w+.-]*):(.*)$")
  if not scheme then return "form" end
  scheme = scheme:lower()
  if not well_formed(s) then return s:find("[^%w%-._~:/?#%[%]@!$&'()*+,;=%%]") and "scheme" or "form" end
  if scheme == "https" or link and scheme == "http" then
    return not rest:find("^//[%w%[]") and "form" or nil
  end
  if not link then return "scheme" end
  if scheme == "tel" then return not rest:find("^[%d%a+*#();=.%-]+$") and "form" or nil end
  if scheme == "line" then return not rest:find("^//.") and "form" or nil end
  return "scheme"
end

-- ---- sizes and shapes ----

-- A number as Flex writes it: digits with at most one point between them.
local function decimal(s) return s:find("^%d+$") or s:find("^%d+%.%d+$") end

local PX, PERCENT, SIGNED = 1, 2, 4

-- check_text.size(s, units): a number with px or %, by the bits of units.
function check_text.size(s, units)
  if units & SIGNED ~= 0 and s:sub(1, 1) == "-" then s = s:sub(2) end
  local px, percent = s:match("^(.+)px$"), s:match("^(.+)%%$")
  if px then return units & PX ~= 0 and decimal(px) ~= nil end
  return percent ~= nil and units & PERCENT ~= 0 and decimal(percent) ~= nil
end

function check_text.color(s)
  return (#s == 7 or #s == 9) and s:find("^#%x+$") ~= nil
end

-- width:height, 1 to 100000 each, at most three times as high as wide.
function check_text.ratio(s)
  local w, h = s:match("^([%d.]+):([%d.]+)$")
  if not w or not decimal(w) or not decimal(h) then return false end
  w, h = tonumber(w), tonumber(h)
  return w >= 1 and w <= 100000 and h >= 1 and h <= 100000 and h <= 3 * w
end

function check_text.angle(s)
  local n = s:match("^(.+)deg$")
  return n ~= nil and decimal(n) ~= nil and tonumber(n) < 360
end

function check_text.share(s)
  local n = s:match("^(.+)%%$")
  return n ~= nil and decimal(n) ~= nil and tonumber(n) <= 100
end

-- ---- dates ----

local function date(y, m, d)
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  if not y or y < 1900 or y > 2100 or m < 1 or m > 12 or d < 1 then return nil end
  local days = ({31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31})[m]
  if m == 2 and (y % 4 == 0 and y % 100 ~= 0 or y % 400 == 0) then days = 29 end
  if d > days then return nil end
  return (y * 12 + m) * 31 + d
end

local function time(h, m)
  h, m = tonumber(h), tonumber(m)
  return h and h < 24 and m < 60 and h * 60 + m or nil
end

-- check_text.moment(mode, s) → a number that grows with time, nil when s is none of the mode.
function check_text.moment(mode, s)
  if mode == "date" then return date(s:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")) end
  if mode == "time" then return time(s:match("^(%d%d):(%d%d)$")) end
  local y, m, d, hour, minute = s:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt](%d%d):(%d%d)$")
  local day, now = date(y, m, d), time(hour, minute)
  return day and now and day * 1440 + now or nil
end

return check_text
