-- Worlds as JSON: everything that is in one, for putting it back. Written and read a line at a time, so that a million
-- messages need no second place in memory.
--
--     {"format":"moonline world 2","now":ms,"state":[
--     [["users"],{"U…":{…},"U…":{…}}],
--     [["chats"],{"2000000001:U…":{…}}],
--     [["chats","2000000001:U…","entries"],[{…},{…}]],
--     [[],{"seed":1,…}]
--     ]}
--
-- Each line: the path of a table, and members of it. Members whose keys are no texts are {"$pairs":[[key, value], …]};
-- bytes that are no JSON text stand on lines of their own, {"$bytes":"base64"} under the path of the member, in pieces.
-- A list under "entries" of a chat is appended to its history. The index of messages is not saved, it follows.

local clock = require "emulator.clock"
local crypto = require "crypto"
local errors = require "emulator.errors"
local json = require "json"
local world = require "emulator.world"

local world_save = {}

local VERSION = "2"
local PIECE = 65536           -- bytes of a line, when nothing in it is longer
local BYTES = 3 * 65536       -- bytes that a line of $bytes holds; a multiple of three
local LINE_MOST = 8 * 1024 * 1024 -- what json.decode reads

local function refuse(text, ...) errors.raise(400, text:format(...)) end

-- ---- writing ----

local function path_text(path)
  local parts = {}
  for i, key in ipairs(path) do parts[i] = json.encode(key) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function below(path, key)
  local longer = table.move(path, 1, #path, 1, {})
  longer[#longer + 1] = key
  return longer
end

local function keys_of(t)
  local keys, texts = {}, true
  for key in pairs(t) do
    keys[#keys + 1] = key
    texts = texts and type(key) == "string"
  end
  return keys, texts
end

local put_table

-- A member that json.encode refused: a table with more than JSON in it or too much of it, or bytes.
local function put_member(line, path, value)
  if type(value) == "table" then return put_table(line, path, value) end
  if type(value) ~= "string" then json.encode(value) end -- says what is wrong
  local at = path_text(path)
  for from = 1, #value, BYTES do
    line('[' .. at .. ',{"$bytes":"' .. crypto.base64(value:sub(from, from + BYTES - 1)) .. '"}]')
  end
end

-- The members are looked up when their turn comes, for line() may wait and the world goes on.
function put_table(line, path, t)
  local keys, texts = keys_of(t)
  local open, close = texts and ",{" or ',{"$pairs":[', texts and "}]" or "]}]"
  local at = path_text(path)
  local parts, size, later = {}, 0, {}
  local function flush()
    line("[" .. at .. open .. table.concat(parts, ",") .. close)
    parts, size = {}, 0
  end
  for _, key in ipairs(keys) do
    local value = t[key]
    local ok, text = pcall(json.encode, value)
    if not ok then
      later[#later + 1] = key
    elseif value ~= nil then
      local name = json.encode(key)
      parts[#parts + 1] = texts and name .. ":" .. text or "[" .. name .. "," .. text .. "]"
      size = size + #name + #text
      if size > PIECE then flush() end
    end
  end
  flush() -- a table without members is made by a line without any
  for _, key in ipairs(later) do put_member(line, below(path, key), t[key]) end
end

-- A chat and its history, at one go: what is said meanwhile is in neither. Entries are JSON texts already.
local function put_chat(line, chat)
  local head = {}
  for name, value in pairs(chat) do
    if name ~= "entries" then head[name] = value end
  end
  local key = json.encode(chat.key)
  local lines = {'[["chats"],{' .. key .. ":" .. json.encode(head) .. "}]"}
  local from, size = 1, 0
  for i = 1, chat.n do
    local entry = chat.entries[i]
    size = size + (math.type(entry) and 20 or #entry)
    if size > PIECE or i == chat.n then
      lines[#lines + 1] = '[["chats",' .. key .. ',"entries"],[' .. table.concat(chat.entries, ",", from, i) .. "]]"
      from, size = i + 1, 0
    end
  end
  line(table.concat(lines, ",\n"))
end

-- world_save.writer() → function(out) that writes the world by out:write(piece), which may wait.
function world_save.writer()
  return function(out)
    local parts, size = {}, 0
    local function put(text)
      parts[#parts + 1] = text
      size = size + #text
      if size < PIECE then return end
      local whole = table.concat(parts)
      parts, size = {}, 0
      out:write(whole)
    end
    local function line(text) put(text .. ",\n") end
    local state = world.state
    put('{"format":"moonline world ' .. VERSION .. '","now":' .. clock.now() .. ',"state":[\n')
    for _, key in ipairs((keys_of(state.chats))) do put_chat(line, state.chats[key]) end
    local plain = {}
    for _, name in ipairs((keys_of(state))) do
      if type(state[name]) == "table" and name ~= "chats" and name ~= "index" then
        put_table(line, {name}, state[name])
      end
    end
    -- What numbers things comes last: it is beyond all that was saved before.
    for name, value in pairs(state) do
      if type(value) ~= "table" then plain[name] = value end
    end
    put("[[]," .. json.encode(plain) .. "]\n]}\n")
    if size > 0 then out:write(table.concat(parts)) end
  end
end

-- ---- reading ----

-- Iterator over the lines of what read() returns piece by piece, nil in the end.
local function lines_of(read)
  local text, at = "", 1
  return function()
    while text do
      local stop = text:find("\n", at, true)
      if stop then
        local line = text:sub(at, stop - 1)
        at = stop + 1
        return line
      end
      local piece = #text - at < LINE_MOST and read()
      if not piece then
        local line = text:sub(at)
        text = nil
        return line ~= "" and line or nil
      end
      text, at = text:sub(at) .. piece, 1
    end
  end
end

local function find(state, path, last)
  local t = state
  for i = 1, last do
    local inner = t[path[i]]
    if type(inner) ~= "table" then
      inner = {}
      t[path[i]] = inner
    end
    t = inner
  end
  return t
end

local function append(state, chat, entries)
  local list, index, n = chat.entries, state.index, #chat.entries
  for i, entry in ipairs(entries) do
    local id = type(entry) == "table" and math.tointeger(tonumber(entry.id))
    if id then index[id] = chat.number << 32 | n + i end
    list[n + i] = type(entry) == "table" and json.encode(entry) or entry
  end
end

local function take(state, bytes, path, given)
  local last = #path
  if path[1] == "chats" and path[3] == "entries" then return append(state, state.chats[path[2]], given) end
  if given["$bytes"] then
    local t, name = find(state, path, last - 1), path[last]
    local pieces = t[name]
    if not pieces then
      pieces = {}
      t[name] = pieces
      bytes[#bytes + 1] = {t, name}
    end
    pieces[#pieces + 1] = crypto.from_base64(given["$bytes"])
    return
  end
  local t = find(state, path, last)
  if given["$pairs"] then
    for _, pair in ipairs(given["$pairs"]) do t[pair[1]] = pair[2] end
    return
  end
  for name, value in pairs(given) do
    t[name] = value
    if path[1] == "chats" then value.entries = {} end
  end
end

-- The world as one value, where tools have changed its lines; nil when that is no JSON, or too much to decode at once.
local function document(first, next_line)
  local parts, size = {first}, #first
  for line in next_line do
    parts[#parts + 1] = line
    size = size + #line
    if size > LINE_MOST then return nil end
  end
  local ok, made = pcall(json.decode, table.concat(parts, "\n"), true)
  return ok and type(made) == "table" and type(made.state) == "table" and made or nil
end

-- → format, function that returns the number of the next line and what stands on it.
local function open(read)
  local next_line = lines_of(read)
  local first, n = next_line() or "", 1
  local ok, head = pcall(json.decode, first .. "]}")
  if not ok then
    local made = document(first, next_line)
    if not made then return nil end
    return made.format, function()
      n = n + 1
      return n, made.state[n - 1]
    end
  end
  return type(head) == "table" and head.format, function()
    local line = next_line()
    n = n + 1
    if not line then refuse("the world is not whole: it ends behind line %d", n - 1) end
    if line == "]}" then return n, nil end
    local fine, made = pcall(json.decode, line:sub(-1) == "," and line:sub(1, -2) or line, true)
    return n, fine and made or false
  end
end

-- world_save.load(read [, pause]) → state. read(): the next piece of a text of world_save.writer, nil behind its end.
-- pause(): called now and then, so that others have a turn. Raises a refusal.
function world_save.load(read, pause)
  local format, next_piece = open(read)
  local version = tostring(format):match("^moonline world (%d+)$")
  if not version then refuse("this is no world: it was not written by /_/save") end
  if version ~= VERSION then
    refuse("this world has format %s, and this emulator reads %s", version, VERSION)
  end
  local state, bytes = world.new(1), {}
  for n, made in next_piece do
    if made == nil then break end
    if type(made) ~= "table" or not pcall(take, state, bytes, made[1], made[2]) then
      refuse("line %d of the world is not as /_/save wrote it", n)
    end
    if pause and n % 256 == 0 then pause() end
  end
  for _, place in ipairs(bytes) do place[1][place[2]] = table.concat(place[1][place[2]]) end
  if state.format ~= world.new(1).format then
    refuse("this world's state has format %s, and this emulator's has %s", tostring(state.format), world.new(1).format)
  end
  return state
end

-- world_save.pieces(text) → function for world_save.load.
function world_save.pieces(text)
  local at = 1
  return function()
    if at > #text then return nil end
    local piece = text:sub(at, at + 16 * PIECE - 1)
    at = at + #piece
    return piece
  end
end

return world_save
