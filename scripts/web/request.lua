-- What handlers are given: the methods of a request.

local core = require "web.core"
local decode = require "web.decode"
local errors = require "line.errors"

local request = {}
local methods = {}

request.meta = {__index = methods, __name = "web.request"}

-- request.fail(status, message)
-- Ends the handler with an answer of this status.
function request.fail(status, message)
  error(setmetatable({status = status, message = message}, core.error_meta), 0)
end

function core.error_meta.__tostring(e)
  return ("web.error: %d %s"):format(e.status, e.message)
end
core.error_meta.__name = "web.error"

local function media_type(self)
  return (self.headers["content-type"] or ""):match("^%s*([^;%s]*)"):lower()
end

-- request:json()
-- Returns the body as Lua values; members that are null are left out. What is not JSON is answered 400 by itself.
-- Does not wait.
function methods:json()
  local fine, value = pcall(json.decode, self.body)
  if not fine then request.fail(400, "the body is not JSON: " .. tostring(value):gsub("^%S+:%d+: ", "")) end
  return value
end

-- request:parts()
-- Returns the parts of a multipart/form-data body: a list of {name=, filename=, type=, body=}, filename nil for what is
-- no file. Another kind of body is answered 415 by itself, a malformed one 400. Does not wait.
function methods:parts()
  if media_type(self) ~= "multipart/form-data" then request.fail(415, "multipart/form-data is expected") end
  local boundary = decode.parameter(self.headers["content-type"], "boundary")
  if not boundary or boundary == "" then request.fail(400, "the content-type names no boundary") end
  local parts, why = decode.multipart(self.body, boundary)
  return parts or request.fail(400, "the multipart body is malformed: " .. why)
end

-- request:form()
-- Returns the fields of a form as a table, whichever of the two ways it was sent; files are left to request:parts. Of a
-- name that comes twice the last value counts. Another kind of body is answered 415 by itself, a malformed one 400.
-- Does not wait.
function methods:form()
  local kind = media_type(self)
  if kind == "application/x-www-form-urlencoded" then
    local fields, why = decode.query(self.body)
    return fields or request.fail(400, "the form is malformed: " .. why)
  end
  if kind ~= "multipart/form-data" then request.fail(415, "a form is expected") end
  local fields = {}
  for _, part in ipairs(self:parts()) do
    if not part.filename then fields[part.name] = part.body end
  end
  return fields
end

-- request:cookie(name)
-- Returns the value of a cookie as it was sent, or nil. Does not wait.
function methods:cookie(name)
  if type(name) ~= "string" then
    errors.misuse("request:cookie: the name must be a string, not a %s", type(name))
  end
  return decode.cookie(self.headers.cookie or "", name)
end

return request
