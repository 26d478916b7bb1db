-- The object that a function which streams its answer is given.

local core = require "web.core"
local errors = require "line.errors"

local stream = {}
local methods = {}
local meta = {__index = methods, __name = "web.stream"}

-- The head goes out with the first bytes, which tell what they are, or at once when the handler told it.
local function begin(self, kind, fresh)
  if self.begun then return end
  self.begun = true
  local list, names = self.headers, self.names
  if not names["content-type"] then list[#list + 1], list[#list + 2] = "content-type", kind end
  if fresh and not names["cache-control"] then list[#list + 1], list[#list + 2] = "cache-control", "no-store" end
  core.stream(self.box, self.status, list)
end

-- stream.new(box, status, headers, names)
-- Takes the answer's head as web.answer gives it. Returns the object.
function stream.new(box, status, headers, names)
  local self = setmetatable({box = box, status = status, headers = headers, names = names, begun = false}, meta)
  if names["content-type"] then begin(self) end
  return self
end

-- stream.finish(object): the function has returned.
function stream.finish(self)
  begin(self, "text/plain; charset=utf-8")
  core.finish(self.box)
end

-- stream:write(bytes)
-- Sends bytes. Waits while the client reads more slowly than is written. Returns true; false once nobody takes any
-- more, because the client left or a newer generation serves. Where the function that streams waits for something else
-- at that moment, in line.sleep say, it is ended; its <close> variables still run.
function methods:write(bytes)
  if type(bytes) ~= "string" then errors.misuse("stream:write: takes a string, not a %s", type(bytes)) end
  begin(self, "text/plain; charset=utf-8")
  return core.write(self.box, bytes)
end

local fields = {event = "string", id = "string", data = "any", retry = "integer"}

local function check(e)
  if type(e) ~= "table" then errors.misuse("stream:event: takes a table, not a %s", type(e)) end
  for name, value in pairs(e) do
    local kind = fields[name]
    if not kind then
      errors.misuse("stream:event: there is no field '%s'%s", tostring(name),
        errors.did_you_mean(tostring(name), {"data", "event", "id", "retry"}))
    end
    if kind == "string" and (type(value) ~= "string" or value:find("[\r\n%z]")) then
      errors.misuse("stream:event: %s must be a string without line ends", name)
    elseif kind == "integer" and (math.type(value) ~= "integer" or value < 0) then
      errors.misuse("stream:event: %s must be a whole number of milliseconds", name)
    end
  end
end

-- stream:event(fields)
-- Sends a server-sent event: event (its name), id, data (a string, or a table that is sent as JSON) and retry
-- (milliseconds until the browser connects again), each optional; without any it is a comment that keeps the connection
-- alive. The answer is text/event-stream and no-store unless the handler said otherwise. Waits and returns as
-- stream:write. Raises for other fields, and for line ends in event and id.
function methods:event(e)
  check(e)
  local lines = {}
  if e.event then lines[#lines + 1] = "event: " .. e.event end
  if e.id then lines[#lines + 1] = "id: " .. e.id end
  if e.retry then lines[#lines + 1] = ("retry: %d"):format(e.retry) end
  if e.data ~= nil then
    local data = e.data
    if type(data) == "table" then data = core.encode(data) end
    if type(data) ~= "string" then
      errors.misuse("stream:event: data must be a string or a table, not a %s", type(data))
    end
    data = data:gsub("\r\n?", "\n")
    for line in (data .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = "data: " .. line end
  end
  if #lines == 0 then lines[1] = ":" end
  begin(self, "text/event-stream", true)
  return core.write(self.box, table.concat(lines, "\n") .. "\n\n")
end

-- stream:gone()
-- Returns true once nobody takes any more. Does not wait.
function methods:gone()
  return self.begun and core.gone(self.box)
end

return stream
