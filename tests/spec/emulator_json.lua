-- A stand-in for the module json: the same values for the same texts, for tests of the emulator under the plain
-- interpreter.

local json = {null = setmetatable({}, {__tostring = function() return "null" end})}

local ARRAY, OBJECT = {}, {}

-- Empty tables under one of these are lists, as in bindings/json_encode.c.
local LISTS = {}
local NAMES = "messages contents actions columns areas items to emojis audiences details sentMessages oneOf operations"
for name in NAMES:gmatch("%S+") do
  LISTS[name] = true
end

local function mark(meta) return function(t) return setmetatable(t or {}, meta) end end
json.array, json.object = mark(ARRAY), mark(OBJECT)

-- ---- text to values ----

local ESCAPES = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

local function fail(at) error("not JSON at byte " .. at, 0) end

local function space(s, at) return s:find("[^ \t\r\n]", at) or #s + 1 end

local function text(s, at)
  local out, i = {}, at + 1
  while true do
    local stop = s:find('["\\%c]', i) or fail(i)
    out[#out + 1] = s:sub(i, stop - 1)
    local c = s:sub(stop, stop)
    if c == '"' then return table.concat(out), stop + 1 end
    if c ~= "\\" then fail(stop) end
    local e = s:sub(stop + 1, stop + 1)
    if e == "u" then
      local code = tonumber(s:match("^%x%x%x%x", stop + 2) or fail(stop), 16)
      i = stop + 6
      local low = code >= 0xD800 and code < 0xDC00 and s:match("^\\u([dD][c-fC-F]%x%x)", i)
      if low then
        code = 0x10000 + (code - 0xD800 << 10) + tonumber(low, 16) - 0xDC00
        i = i + 6
      elseif code >= 0xD800 and code < 0xE000 then
        code = 0xFFFD
      end
      out[#out + 1] = utf8.char(code)
    else
      out[#out + 1] = ESCAPES[e] or fail(stop)
      i = stop + 2
    end
  end
end

local value

local function group(s, at, closing, keep)
  local t, i = setmetatable({}, closing == "]" and ARRAY or nil), space(s, at + 1)
  if s:sub(i, i) == closing then return t, i + 1 end
  while true do
    local key = #t + 1
    local v
    if closing == "}" then
      if s:sub(i, i) ~= '"' then fail(i) end
      key, i = text(s, i)
      i = space(s, i)
      if s:sub(i, i) ~= ":" then fail(i) end
      i = space(s, i + 1)
    end
    v, i = value(s, i, keep)
    if v == json.null and closing == "}" and not keep then v = nil end
    t[key] = v
    i = space(s, i)
    local c = s:sub(i, i)
    if c == closing then return #t > 0 and closing == "]" and setmetatable(t, nil) or t, i + 1 end
    if c ~= "," then fail(i) end
    i = space(s, i + 1)
  end
end

function value(s, at, keep)
  local c = s:sub(at, at)
  if c == "{" then return group(s, at, "}", keep) end
  if c == "[" then return group(s, at, "]", keep) end
  if c == '"' then return text(s, at) end
  if s:sub(at, at + 3) == "true" then return true, at + 4 end
  if s:sub(at, at + 4) == "false" then return false, at + 5 end
  if s:sub(at, at + 3) == "null" then return json.null, at + 4 end
  local digits = s:match("^%-?%d+%.?%d*[eE]?[+-]?%d*", at) or fail(at)
  if digits:find("^%-?0%d") then fail(at + 1) end
  local n = tonumber(digits) or fail(at)
  return math.tointeger(n) or n, at + #digits
end

function json.decode(s, keep)
  local v, at = value(s, space(s, 1), keep)
  if space(s, at) <= #s then fail(at) end
  return v
end

-- ---- values to text ----

-- As the real one: no bytes that are no UTF-8, no lists with holes, no table of both kinds.
local function quoted(s)
  if not utf8.len(s) then error("the string is not UTF-8", 0) end
  return '"' .. s:gsub('[%c"\\]', function(c)
    return c == '"' and '\\"' or c == "\\" and "\\\\" or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function put(v, key)
  if v == json.null then return "null" end
  if type(v) == "string" then return quoted(v) end
  if type(v) == "number" then return math.type(v) == "float" and ("%.17g"):format(v) or tostring(v) end
  if type(v) ~= "table" then return tostring(v) end
  local meta, out = getmetatable(v), {}
  local count, numbers = 0, 0
  for k in pairs(v) do
    count, numbers = count + 1, numbers + (math.type(k) == "integer" and 1 or 0)
    if type(k) ~= "string" and math.type(k) ~= "integer" then error("JSON has only names", 0) end
  end
  if meta ~= OBJECT and numbers > 0 and (numbers < count or #v < count) then
    error("the array has holes, or names", 0)
  end
  if meta ~= OBJECT and (meta == ARRAY or #v > 0 or next(v) == nil and LISTS[key]) then
    for i = 1, #v do out[i] = put(v[i]) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  local keys = {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, k in ipairs(keys) do out[i] = quoted(tostring(k)) .. ":" .. put(v[k], k) end
  return "{" .. table.concat(out, ",") .. "}"
end

function json.encode(v) return put(v) end

return json
