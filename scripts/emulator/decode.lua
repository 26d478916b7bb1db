-- The parts of a request that an operation is given: parameters, and the body by what the row takes.

local json = require "json"
local check = require "emulator.check"
local errors = require "emulator.errors"
local place = require "emulator.json_place"

local decode = {}

local function unescape(s)
  return (s:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- decode.form(text) → name → value; the last of a name counts.
function decode.form(text)
  local form = {}
  for name, value in text:gmatch("([^&=]+)=?([^&]*)") do form[unescape(name)] = unescape(value) end
  return form
end

-- Rows that refuse a missing parameter in words of their own: name of the row → function that raises.
decode.missing = {}

local function bad_parameter(field)
  errors.raise(400, ("The value for the '%s' parameter is invalid"):format(field.name))
end

-- The audience service has words of its own.
local function audience_bound(field, most)
  errors.raise(400, ("%s: must be %s than or equal to %d"):format(field.name, most and "less" or "greater", most
    or field.least),
    {{message = most and "TOO_HIGH" or "TOO_LOW"}})
end

local function parameter(field, text, audiences)
  if field.type == "integer" then
    local n = text:find("^%-?%d+$") and math.tointeger(tonumber(text))
    if not n then bad_parameter(field) end
    if field.least and n < field.least or field.most and n > field.most then
      if audiences then audience_bound(field, field.most and n > field.most and field.most) end
      local range = field.most and n > field.most and ("Must be less than or equal to %d"):format(field.most)
        or ("Must be greater than or equal to %d"):format(field.least)
      errors.invalid{{message = range, property = field.name}}
    end
    return n
  elseif field.type == "boolean" then
    if text ~= "true" and text ~= "false" then bad_parameter(field) end
    return text == "true"
  end
  local values = {}
  for value in text:gmatch(field.type == "array" and "[^,]+" or "^.*$") do
    if field.words and not ("|" .. field.words .. "|"):find("|" .. value .. "|", 1, true) then
      errors.invalid{{message = ("Must be one of the following values: [%s]"):format((field.words:gsub("|", ","))),
        property = field.name}}
    end
    values[#values + 1] = value
  end
  return field.type == "array" and values or text
end

-- decode.parameters(row, path, query, headers) → path, query, header: name → value, each of its type. Raises 400.
function decode.parameters(row, path, query, headers)
  local found = {path = {}, query = {}, header = {}}
  local from = {path = path, query = query, header = headers}
  for _, field in ipairs(row.fields) do
    local source = from[field.place]
    if source then
      local text = source[field.place == "header" and (field.header or field.name):lower() or field.name]
      if type(text) == "table" then text = text[#text] end
      if text and text ~= "" then
        found[field.place][field.name] = parameter(field, text, row.path:find("audienceGroup", 1, true))
      elseif field.required and row.auth == "token" then -- the token endpoints have refusals of their own
        if decode.missing[row.name] then decode.missing[row.name]() end
        bad_parameter(field)
      end
    end
  end
  return found.path, found.query, found.header
end

local function unsupported(kind) errors.raise(415, ("The content type, %s, is not supported"):format(kind or "")) end

local function needs_body(row)
  for _, field in ipairs(row.fields) do
    if field.place == "body" and field.required then return true end
  end
  return false
end

local function not_json(line, column)
  errors.raise(400, ("The request body could not be parsed as JSON (line: %s, column: %s)"):format(line, column))
end

local function decode_json(row, request, kind)
  local text = request.body or ""
  if text == "" then
    if needs_body(row) then not_json(1, 0) end
    return {}
  end
  if kind ~= "application/json" then unsupported(kind) end
  local ok, body = pcall(json.decode, text)
  if not ok then
    local line, column = place.fault(text)
    not_json(line or "-", column or "-")
  end
  if not check.is_object(body) then
    not_json(1, 1)
  end
  return body
end

-- Parts of a multipart body: name → text, or {name=, type=, body=} of a file.
local function decode_multipart(text, whole_type)
  local boundary = whole_type:match('boundary="([^"]+)"') or whole_type:match("boundary=([^;%s]+)")
  if not boundary then unsupported(whole_type) end
  local parts = {}
  local mark = "--" .. boundary
  local _, at = text:find(mark, 1, true)
  while at and text:sub(at + 1, at + 2) == "\r\n" do
    local head_end, body_start = text:find("\r\n\r\n", at, true)
    local body_end, next_at = text:find("\r\n" .. mark, body_start or at, true)
    if not head_end or not body_end then break end
    local head = text:sub(at + 3, head_end - 1)
    local name = head:match('[; ]name="([^"]*)"')
    local file = head:match('filename="([^"]*)"')
    local body = text:sub(body_start + 1, body_end - 1)
    if name then
      local kind = head:lower():match("content%-type:%s*([^;\r\n]+)")
      parts[name] = file and {name = file, type = kind, body = body} or body
    end
    at = next_at
  end
  return parts
end

-- decode.body(row, request) → body, its type without parameters. Raises 400 and 415.
function decode.body(row, request)
  local whole = request.headers["content-type"]
  local kind = whole and whole:match("^%s*([^;%s]*)"):lower()
  local body
  if row.body == "json" then
    body = decode_json(row, request, kind)
  elseif row.body == "form" then
    if kind ~= "application/x-www-form-urlencoded" then unsupported(kind) end
    body = decode.form(request.body or "")
  elseif row.body == "multipart" then
    if kind ~= "multipart/form-data" then unsupported(kind) end
    body = decode_multipart(request.body or "", whole)
  elseif row.body == "bytes" then
    for _, field in ipairs(row.fields) do
      local words = field.type == "file" and field.words
      if words and not ("|" .. words .. "|"):find("|" .. (kind or "") .. "|", 1, true) then unsupported(kind) end
    end
    body = request.body or ""
  end
  return body, kind
end

return decode
