-- moonline's own Lua under the plain interpreter: stand-ins for "line.core", "line.async" and "log". Calls to LINE are
-- noted in stub.calls instead of made; stub.answer(name, fields) may be set to say what they return or raise.

package.path = "scripts/?.lua;scripts/?/init.lua;tests/spec/?.lua;" .. package.path

local stub = {calls = {}, warnings = {}}

-- The rows of the C tables, read from their files: a stand-in must not know them differently.
local function read(path)
  local file <close> = assert(io.open(path))
  return (file:read("a"):gsub("/%*.-%*/", ""))
end

local function events()
  local rows = {}
  for kind, field, subtypes, sources, reply in
    read("runtime/line/events.def"):gmatch('EVENT%("(.-)", "(.-)", "(.-)", "(.-)", (%u+)') do
    rows[#rows + 1] = {type = kind, field = field, subtypes = subtypes, sources = sources, reply = reply}
  end
  return rows
end

local function where()
  for level = 2, 100 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    if info.what ~= "C" and not info.source:find("^@scripts/") and not info.source:find("/stub", 1, true)
      and not info.source:find("tap.lua", 1, true) then
      return info.short_src:match("[^/]*$") .. ":" .. info.currentline
    end
  end
end

local core = {events = events(), operations = {}, inner = {}, error_meta = {}, content = {}, where = where}
core.content.__index = core.content

-- name → {field = "start" or "page", natural = …} of the rows that answer in pages.
function core.paged()
  local found = {}
  for name, rest in read("runtime/line/operations.def"):gmatch("OP%(([%w_]+),(.-)%)\n") do
    local field = rest:match("query%.(start):") or rest:match("query%.(page):")
    local natural = rest:match('PER_%u+%(%d+%),%s*"(%w*)"')
    if field then found[name] = {field = field, natural = natural ~= "" and natural or nil} end
  end
  return found
end

for name in read("runtime/line/operations.def"):gmatch("OP%(([%w_]+),") do
  local function call(fields, options, what, at, quiet)
    stub.calls[#stub.calls + 1] =
      {name = name, fields = fields, options = options, what = what, where = at, quiet = quiet}
    if stub.answer then return stub.answer(name, fields) end
    return true
  end
  core.inner[name] = call
  core.operations[name] = function(fields, options) return call(fields, options, "line." .. name) end
end

-- Nearest by letters in common: enough to see that the asker shows the answer.
function core.near(wanted, names)
  for _, name in ipairs(names) do
    if name ~= wanted and #name > 2 and (name:lower() == wanted:lower() or name:find(wanted, 1, true)
      or wanted:find(name, 1, true)) then
      return name
    end
  end
end

function core.parameters(f)
  local info = debug.getinfo(f, "uS")
  return info.what == "C" and -1 or info.nparams, info.isvararg
end

-- A frame that a tail call does not replace.
function core.entry(f)
  return function(...)
    local results = table.pack(f(...))
    return table.unpack(results, 1, results.n)
  end
end

function core.array(t) return t end

-- Not SHA-256, but 64 hexadecimal digits that differ with the bytes.
function core.sha256(bytes)
  local a, b = 0xcbf29ce484222325, 0x9e3779b97f4a7c15
  for i = 1, #bytes do
    a = (a ~ bytes:byte(i)) * 0x100000001b3
    b = (b + a) * 31
  end
  return ("%016x%016x"):format(a, b):rep(2)
end
require("stub_builder").add(core)

-- What bindings/lua_event.c does, without its short cut for a string.
function core.event_functions(methods, reply, chat, meta)
  return function(self, key)
    if methods[key] == nil and key == "chat" then return chat(self) end
    return methods[key]
  end, core.entry(reply), function(event, outer, inner)
    local part, source = event[outer], event.source
    setmetatable(event, meta)
    return type(part) == "table" and part[inner] or nil, type(source) == "table" and source.type or nil
  end
end

-- The C half of line.utf16, for well-formed text: place[i] = {unit, byte} of every character, and of the end.
local function places(s)
  local list, units = {}, 0
  for byte, code in utf8.codes(s) do
    list[#list + 1] = {units, byte}
    units = units + (code > 0xFFFF and 2 or 1)
  end
  list[#list + 1] = {units, #s + 1}
  return list, units
end

core.utf16 = {len = function(s) return (select(2, places(s))) end, sub = string.sub, from_byte = string.byte}

function core.utf16.to_byte(s, index)
  local list, units = places(s)
  if index < 0 or index > units then return nil end
  for i = #list, 1, -1 do
    if list[i][1] <= index then return list[i][2] end
  end
end

function core.utf16.range(s, index, length)
  local list, units = places(s)
  if index < 0 or length < 0 or index >= units then return nil end
  for _, place in ipairs(list) do
    if place[1] >= math.min(index + length, units) then return core.utf16.to_byte(s, index), place[2] - 1 end
  end
end

stub.sent = {0, 0}
function core.sends() return stub.sent[1], stub.sent[2] end

function core.request() return {} end

package.preload["line.core"] = function() return core end
package.preload["line.async"] = function() return {sleep = print, spawn = print, all = print} end
package.preload["log"] = function()
  return {warn = function(text) stub.warnings[#stub.warnings + 1] = text end}
end

-- stub.error(fields): an error object as the C side makes it.
function stub.error(fields)
  return setmetatable(fields, core.error_meta)
end

-- stub.fresh(): the modules anew, without handlers. Returns line, router.
function stub.fresh()
  for name in pairs(package.loaded) do
    if name == "line" or name:find("^line%.") then package.loaded[name] = nil end
  end
  stub.calls, stub.warnings, stub.answer = {}, {}, nil
  return require "line", require "line.router"
end

return stub
