-- What a handler returns, made into a status, a list of headers and a body.

local core = require "web.core"

local answer = {}

local HEADERS_MOST, BYTES_MOST = 60, 16384

-- Values of web.html, web.redirect and files: {status=, body=, headers=}.
answer.meta = {__name = "web.answer"}

-- A body that is a piece of an open file: {file=, offset=, length=}.
answer.file_meta = {__name = "web.file_body"}

function answer.new(status, body, headers)
  return setmetatable({status = status, body = body, headers = headers}, answer.meta)
end

-- What the connection is made of is not the handler's.
local own = {["content-length"] = true, ["transfer-encoding"] = true, connection = true, ["keep-alive"] = true,
  upgrade = true, trailer = true, te = true, date = true}

-- answer.check_value(value)
-- Returns the text of a header's value; or nil and what is wrong with it.
function answer.check_value(value)
  local kind = math.type(value)
  if kind then value = kind == "integer" and ("%d"):format(value) or ("%.14g"):format(value) end
  if type(value) ~= "string" then return nil, ("a %s is no value"):format(type(value)) end
  if value:find("[%z\1-\8\10-\31\127]") then return nil, "a value may hold no line ends or other control characters" end
  return value
end

-- answer.headers(headers)
-- Takes the table of a handler, {name = value or list of values}. Returns the list {name, value, …} and the set of the
-- lower-case names; or nil and what is wrong.
function answer.headers(headers)
  local list, names, n, bytes = {}, {}, 0, 0
  if headers ~= nil and type(headers) ~= "table" then
    return nil, ("the headers must be a table, not a %s"):format(type(headers))
  end
  for name, value in pairs(headers or {}) do
    if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      return nil, ("'%s' is no name of a header"):format(tostring(name):gsub("%c", "?"))
    end
    local lower = name:lower()
    if own[lower] then return nil, ("the header %s is set by moonline itself"):format(name) end
    names[lower] = true
    for _, one in ipairs(type(value) == "table" and value or {value}) do
      local text, why = answer.check_value(one)
      if not text then return nil, ("the header %s: %s"):format(name, why) end
      list[n + 1], list[n + 2] = name, text
      n, bytes = n + 2, bytes + #name + #text + 2
    end
  end
  if n > 2 * HEADERS_MOST then return nil, ("more than %d headers"):format(HEADERS_MOST) end
  if bytes > BYTES_MOST then return nil, "the headers have more than 16 KiB" end
  return list, names
end

local function merge(a, b)
  if not b then return a end
  if type(b) ~= "table" then return b end -- told as what it is
  local merged = {}
  for k, v in pairs(a or {}) do merged[k] = v end
  for k, v in pairs(b) do merged[k] = v end
  return merged
end

-- answer.of(first, second, third)
-- Takes what the handler returned. Returns status, headers (list), names (set) and body: nil, a string, a function, or
-- a file_meta table; or nil and what is wrong.
function answer.of(first, second, third)
  local status, body, headers
  if math.type(first) then status, body, headers = first, second, third else body = first end
  if getmetatable(body) == answer.meta then
    status, headers, body = status or body.status, merge(body.headers, headers), body.body
  end
  if status ~= nil and (math.type(status) ~= "integer" or status < 200 or status > 599) then
    return nil, ("%s is no status: an integer from 200 to 599 is"):format(tostring(status))
  end
  local list, names = answer.headers(headers)
  if not list then return nil, names end
  local kind, default = type(body), nil
  if kind == "table" and getmetatable(body) ~= answer.file_meta then
    local fine, text = pcall(core.encode, body)
    if not fine then return nil, tostring(text) end
    body, default = text, "application/json"
  elseif kind == "string" then
    default = "text/plain; charset=utf-8"
  elseif kind == "nil" then
    status = status or 204
  elseif kind ~= "function" and kind ~= "table" then
    return nil, ("a %s is no body: a string, a table (sent as JSON), a function (a stream) or nil is"):format(kind)
  end
  status = status or 200
  if status == 204 or status == 304 then return status, list, names, nil end
  if default and not names["content-type"] then
    list[#list + 1], list[#list + 2] = "content-type", default
  end
  return status, list, names, body
end

return answer
