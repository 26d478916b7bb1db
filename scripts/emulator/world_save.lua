-- A world as JSON of everything in it, to be put back. Histories of a million messages do not fit into one value that
-- is decoded at once, so the state is taken apart: a piece a line, each small, all of them one JSON document.
--
-- A piece is {"p": path, …}: "v", the value there; "m": [[key, value], …], members of a table that is there already;
-- "b", Base64 of bytes, one of several. Within values, tables that are no lists and have other keys than texts are
-- {"$pairs": [[key, value], …]}, and texts that are no UTF-8 {"$bytes": "Base64"}.

local clock = require "emulator.clock"
local errors = require "emulator.errors"
local json = require "json"
local world = require "emulator.world"

local world_save = {}

local PIECE = 1 << 20   -- bytes of a piece, roughly
local TEXT = 3 << 19    -- bytes of a text that stands in one
local FORMAT = "moonline world 1"

-- What remains of so many bytes when the value is written; below 0: it is larger.
local function measure(value, left)
  if type(value) == "string" then return left - #value - 8 end
  left = left - 16
  if type(value) ~= "table" then return left end
  for key, part in pairs(value) do
    if left < 0 then return left end
    left = measure(part, left - (type(key) == "string" and #key or 8))
  end
  return left
end

-- The value with marks for what JSON cannot say.
local function marked(value)
  if type(value) == "string" then
    return utf8.len(value) and value or {["$bytes"] = require("crypto").base64(value)}
  elseif type(value) ~= "table" then
    return value
  end
  local out, n, count, texts = {}, #value, 0, true
  for key, part in pairs(value) do
    count = count + 1
    texts = texts and type(key) == "string"
    out[key] = marked(part)
  end
  if count == 0 then return json.object() end
  if texts then return json.object(out) end
  if n == count then return json.array(out) end -- 1, 2, 3 …
  local list = json.array()
  for key, part in pairs(out) do list[#list + 1] = {key, part} end
  return {["$pairs"] = list}
end

local function restored(value)
  if type(value) ~= "table" then return value end
  if value["$bytes"] then return require("crypto").from_base64(value["$bytes"]) end
  local out = {}
  if value["$pairs"] then
    for _, pair in ipairs(value["$pairs"]) do out[pair[1]] = restored(pair[2]) end
    return out
  end
  for key, part in pairs(value) do out[key] = restored(part) end
  return out
end

-- ---- writing ----

local function write_text(put, path, text)
  for from = 1, #text, TEXT do
    put{p = json.array(path), b = require("crypto").base64(text:sub(from, from + TEXT - 1))}
  end
end

local write

local function write_table(put, path, value)
  put{p = json.array(path), v = json.object()}
  local some, left = json.array(), PIECE
  local function flush()
    if some[1] then put{p = json.array(path), m = some} end
    some, left = json.array(), PIECE
  end
  for key, part in pairs(value) do
    local after = measure(part, left)
    if after >= 0 then
      some[#some + 1] = {key, marked(part)}
      left = after - 24
    else
      flush()
      if measure(part, PIECE) >= 0 then
        some[1] = {key, marked(part)}
      else
        local deeper = table.move(path, 1, #path, 1, {})
        deeper[#deeper + 1] = key
        write(put, deeper, part)
      end
    end
  end
  flush()
end

function write(put, path, value)
  if measure(value, PIECE) >= 0 then return put{p = json.array(path), v = marked(value)} end
  if type(value) == "string" then return write_text(put, path, value) end
  write_table(put, path, value)
end

-- world_save.writer() → function(out) that writes the state of this moment by out:write(line). Everything is encoded at
-- once: a slow reader lets others change the state meanwhile.
function world_save.writer()
  local lines = {('{"format":"%s","now":%d,"pieces":[\n'):format(FORMAT, clock.now())}
  write(function(piece) lines[#lines + 1] = json.encode(piece) .. ",\n" end, {"state"}, world.state)
  lines[#lines + 1] = "null]}\n"
  return function(out)
    for i = 1, #lines do
      if not out:write(lines[i]) then break end
      lines[i] = nil
    end
  end
end

-- ---- reading ----

local function refuse(text, ...) errors.raise(400, text:format(...)) end

local function decode(text, line)
  local ok, value = pcall(json.decode, text)
  if ok then return value end
  refuse("the world is not JSON%s: %s", line and (" (line %d)"):format(line) or "", tostring(value))
end

-- The head and the pieces: line by line where they stand as they were written, else as one document.
local function read(text)
  local first, at = text:match('^(%s*{[^\n]*"pieces":%[)\r?\n()')
  if not first then
    local made = decode(text)
    return made, type(made) == "table" and made.pieces
  end
  local pieces, line = {}, 1
  for each in text:gmatch("[^\r\n]+", at) do
    line = line + 1
    if each:find("^%s*null%]}") then return decode(first .. "]}"), pieces end
    pieces[#pieces + 1] = decode(each:gsub(",%s*$", ""), line)
  end
  refuse("the world ends in the middle: its last line is missing")
end

-- Put the pieces together → what they are of. Bytes that came in several are joined at their end.
local function build(pieces)
  local top, joining = {}, nil
  local function join()
    if joining then joining.at[joining.key] = table.concat(joining) end
    joining = nil
  end
  if pieces[#pieces] == json.null then pieces[#pieces] = nil end -- the end mark
  for _, piece in ipairs(pieces) do
    local at, path = top, piece.p
    for i = 1, #path - 1 do at = at[path[i]] end
    local key = path[#path]
    if not (piece.b and joining and joining.at == at and joining.key == key) then join() end
    if piece.b then
      joining = joining or {at = at, key = key}
      joining[#joining + 1] = require("crypto").from_base64(piece.b)
    elseif piece.m then
      for _, pair in ipairs(piece.m) do at[key][pair[1]] = restored(pair[2]) end
    else
      at[key] = restored(piece.v)
    end
  end
  join()
  return top
end

-- world_save.load(text) → state. Raises a refusal.
function world_save.load(text)
  local head, pieces = read(text)
  if type(head) ~= "table" or head.format ~= FORMAT or type(pieces) ~= "table" then
    refuse("this is no world: it was not written by /_/save")
  end
  local ok, top = pcall(build, pieces)
  if not ok or type(top.state) ~= "table" then
    refuse("this is no world any more: a part of it is missing or was changed")
  end
  local state, reads = top.state, world.new(1).format
  if state.format ~= reads then
    refuse("this world has format %s, and this emulator reads %s", tostring(state.format), reads)
  end
  return state
end

return world_save
