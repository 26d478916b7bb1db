-- What a browser sends, as Lua values: percent escapes, query strings, cookies and multipart bodies. Pure functions;
-- each returns nil and what is wrong for what cannot be understood.

local decode = {}

local PARTS_MOST, HEAD_MOST = 1000, 8192

-- Without the blanks around it, in two steps: one pattern for both ends takes a square of time over a run of blanks.
local function trim(text)
  local from = text:find("%S")
  return from and text:match("^.*%S", from) or ""
end

-- decode.percent(text)
-- Returns the text with its %XX resolved. Malformed ones and a zero byte are refused.
function decode.percent(text)
  if not text:find("%", 1, true) then return text end
  local bad = false
  local plain = text:gsub("%%(%x?%x?)", function(hex)
    if #hex < 2 then bad = true end
    return string.char(tonumber(hex, 16) or 0)
  end)
  if bad then return nil, "a % is not followed by two hexadecimal digits" end
  if plain:find("\0", 1, true) then return nil, "an escaped zero byte" end
  return plain
end

-- decode.query(text)
-- Takes "a=1&b=two+words". Returns a table; of a name that comes twice the last value counts.
function decode.query(text)
  local fields = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:gsub("+", " "):match("^([^=]*)=?(.*)$")
    local key, why = decode.percent(name)
    if not key then return nil, why end
    value, why = decode.percent(value)
    if not value then return nil, why end
    fields[key] = value
  end
  return fields
end

-- decode.cookie(header, name)
-- Returns the value of a cookie, without the quotes that may stand around it, or nil.
function decode.cookie(header, name)
  for pair in header:gmatch("[^;]+") do
    local key, value = pair:match("^([^=]*)=(.*)$")
    if key and trim(key) == name then
      value = trim(value)
      return value:match('^"(.*)"$') or value
    end
  end
  return nil
end

-- decode.parameter(header, name)
-- Returns a parameter of a header such as content-disposition: form-data; name="a"; filename="b.png"; or nil. Its name
-- is looked for in any letter case.
function decode.parameter(header, name)
  local at = header:find(";", 1, true)
  while at do
    local key, after = header:match("^;%s*([^=;%s]+)%s*=%s*()", at)
    if not key then
      at = header:find(";", at + 1, true)
    else
      local value, behind
      if header:sub(after, after) == '"' then
        local i = after + 1
        while i <= #header and header:sub(i, i) ~= '"' do i = i + (header:sub(i, i) == "\\" and 2 or 1) end
        value, behind = header:sub(after + 1, i - 1):gsub('\\(["\\])', "%1"), i + 1
      else
        value, behind = header:match("^([^;%s]*)()", after)
      end
      if key:lower() == name then return value end
      at = header:find(";", behind, true)
    end
  end
  return nil
end

local function part_of(headers, body)
  local part = {headers = {}, body = body}
  for line in headers:gmatch("[^\r\n]+") do
    local name, value = line:match("^([^:]+):(.*)$")
    if not name then return nil, "a part has a line in its head that is no header" end
    part.headers[name:lower()] = trim(value)
  end
  local disposition = part.headers["content-disposition"]
  if not disposition or not disposition:lower():find("^form%-data") then
    return nil, "a part has no content-disposition: form-data"
  end
  -- Browsers write quotes and line ends within names as %22, %0D and %0A.
  local function plain(text)
    return text and text:gsub("%%22", '"'):gsub("%%0[dD]", "\r"):gsub("%%0[aA]", "\n")
  end
  part.name = plain(decode.parameter(disposition, "name"))
  part.filename = plain(decode.parameter(disposition, "filename"))
  if not part.name then return nil, "a part has no name" end
  part.type = part.headers["content-type"] or (part.filename and "application/octet-stream" or "text/plain")
  part.headers = nil
  return part
end

-- decode.multipart(body, boundary)
-- Returns the list of parts, each {name=, filename=, type=, body=}.
function decode.multipart(body, boundary)
  local parts, delimiter = {}, "--" .. boundary
  local at
  if body:sub(1, #delimiter) == delimiter then
    at = #delimiter + 1
  else
    local _, last = body:find("\r\n" .. delimiter, 1, true)
    if not last then return nil, "the boundary does not occur" end
    at = last + 1
  end
  while body:sub(at, at + 1) ~= "--" do
    local head = body:match("^[ \t]*\r\n()", at)
    if not head then return nil, "a boundary is not followed by the end of its line" end
    local head_end, body_start
    if body:sub(head, head + 1) == "\r\n" then
      head_end, body_start = head - 1, head + 2
    else
      local first, last = body:find("\r\n\r\n", head, true)
      if not first then return nil, "the head of a part does not end" end
      head_end, body_start = first - 1, last + 1
    end
    if head_end - head > HEAD_MOST then return nil, "the head of a part is too long" end
    local first, last = body:find("\r\n" .. delimiter, body_start, true)
    if not first then return nil, "a part does not end" end
    local part, why = part_of(body:sub(head, head_end), body:sub(body_start, first - 1))
    if not part then return nil, why end
    if #parts == PARTS_MOST then return nil, ("more than %d parts"):format(PARTS_MOST) end
    parts[#parts + 1] = part
    at = last + 1
  end
  return parts
end

local months = {
  jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12,
}

-- decode.date(text)
-- Takes "Sun, 06 Nov 1994 08:49:37 GMT". Returns seconds since 1970, or nil.
function decode.date(text)
  local d, name, y, h, m, s = text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  local month = name and months[name:lower()]
  if not month then return nil, "no date of HTTP" end
  -- Days from the civil calendar, March being the first month.
  local year = math.tointeger(y) - (month <= 2 and 1 or 0)
  local day_of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + math.tointeger(d) - 1
  local days = year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468
  return ((days * 24 + math.tointeger(h)) * 60 + math.tointeger(m)) * 60 + math.tointeger(s)
end

return decode
