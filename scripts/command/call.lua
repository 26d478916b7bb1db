-- `moonline call`: one operation of LINE's API from the command line. Everything it knows of operations is in their
-- rows (runtime/line/operations.def).

local core = require "line.core"
require "line"

local USAGE = 2 -- exit status of a call that was not made

-- ---- what there is ----

local function list(out)
  local rows, width = core.rows(), 0
  table.sort(rows, function(a, b) return a.name < b.name end)
  if out.json then
    out.print(json.encode(rows))
    return 0
  end
  for _, row in ipairs(rows) do width = math.max(width, #row.name) end
  for _, row in ipairs(rows) do out.print(("%-" .. width .. "s  %s"):format(row.name, row.about)) end
  return 0
end

local function bounds_of(field)
  local parts = {}
  if field.words then parts[#parts + 1] = field.words:gsub("|", ", ") end
  local unit = field.type == "array" and " items" or field.type == "file" and " bytes" or ""
  if field.least and field.most then
    parts[#parts + 1] = ("%d to %d%s"):format(field.least, field.most, unit)
  elseif field.least or field.most then
    parts[#parts + 1] = ("at %s %d%s"):format(field.least and "least" or "most", field.least or field.most, unit)
  end
  if field.fallback then parts[#parts + 1] = "default " .. field.fallback end
  return table.concat(parts, "; ")
end

local periods = {[1] = "second", [60] = "minute", [3600] = "hour"}

local function help(row, out)
  if out.json then
    out.print(json.encode(row))
    return 0
  end
  out.print(("moonline call %s\n\n%s\n"):format(row.name, row.about))
  for _, field in ipairs(row.fields) do
    local kind = field.kind and (field.type == "array" and "list of " or "") .. field.kind or field.type
    local need = field.required and "required" or ""
    local text = ("  %-24s %-16s %-9s %s"):format(field.name, kind, need, bounds_of(field))
    out.print((text:gsub("%s+$", "")))
  end
  if #row.fields > 0 then out.print("") end
  local period = periods[row.seconds] or row.seconds .. " s"
  out.print(("%s %s; %d calls per %s"):format(row.verb, row.path, row.calls, period))
  out.print("https://developers.line.biz/en/reference/" .. row.page)
  return 0
end

-- ---- arguments ----

-- Raised by what cannot be understood; the text is for the person at the terminal.
local function refuse(format, ...)
  error({usage = format:format(...)}, 0)
end

local function field_of(row, name)
  local names = {}
  for i, field in ipairs(row.fields) do
    if field.name == name then return field end
    names[i] = field.name
  end
  local near = core.near(name, names)
  if near then refuse("%s has no field '%s' (did you mean '%s'?)", row.name, name, near) end
  if #names == 0 then refuse("%s takes no fields", row.name) end
  refuse("%s has no field '%s'; it has %s", row.name, name, table.concat(names, ", "))
end

local function from_json(name, text)
  local ok, value = pcall(json.decode, text)
  if not ok then refuse("the value of %s is %s", name, (tostring(value):gsub("^.-:%d+: ", ""))) end
  return value
end

local readers = {}

function readers.integer(name, text)
  return math.tointeger(tonumber(text)) or refuse("%s is an integer, which '%s' is not", name, text)
end

function readers.number(name, text)
  return tonumber(text) or refuse("%s is a number, which '%s' is not", name, text)
end

function readers.boolean(name, text)
  if text ~= "true" and text ~= "false" then refuse("%s is true or false, not '%s'", name, text) end
  return text == "true"
end

readers.object = from_json

-- JSON, or texts with commas between them.
function readers.array(name, text)
  if text:find("^%s*%[") then return from_json(name, text) end
  local items = {}
  for item in text:gmatch("[^,]+") do items[#items + 1] = item end
  return items
end

-- NAME=TEXT, NAME:=JSON, NAME=@PATH; a text alone is the natural argument.
local function take(row, fields, argument, out)
  local name, mark, text = argument:match("^([%w_]+)(:?=)(.*)$")
  if not name then
    if not row.natural then refuse("'%s' is not FIELD=VALUE", argument) end
    name, mark, text = row.natural, "=", argument
  end
  local field = field_of(row, name)
  if fields[name] ~= nil then refuse("%s is given twice", name) end
  if mark == ":=" then
    fields[name] = from_json(name, text)
    return
  end
  local path = text:match("^@(.+)$")
  if path and field.type == "file" then
    fields[name] = {file = path}
    return
  elseif path then
    local bytes, why = out.read(path)
    text = bytes or refuse("%s", why)
  end
  local read = readers[field.type]
  if read then fields[name] = read(name, text) else fields[name] = text end
end

-- Token endpoints want the channel's credentials, which are in the environment for every other use.
local function add_credentials(row, fields, env)
  local known = {client_id = env.LINE_CHANNEL_ID, client_secret = (env.LINE_CHANNEL_SECRET or ""):match("[^,%s]+")}
  for _, field in ipairs(row.fields) do
    local asserted = fields.client_assertion ~= nil
    if fields[field.name] == nil and not asserted then fields[field.name] = known[field.name] end
  end
end

-- ---- answers ----

local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- Lines of a decoded value: "name: value", lists with dashes, two blanks a level.
local function show(value, indent, out)
  if #value > 0 then
    for _, item in ipairs(value) do
      if type(item) == "table" then
        out.print(indent .. "-")
        show(item, indent .. "  ", out)
      else
        out.print(indent .. "- " .. tostring(item))
      end
    end
    return
  end
  for _, key in ipairs(sorted_keys(value)) do
    local item = value[key]
    if type(item) ~= "table" then
      out.print(("%s%s: %s"):format(indent, key, item == json.null and "null" or tostring(item)))
    elseif next(item) == nil then
      out.print(("%s%s: none"):format(indent, key))
    else
      out.print(("%s%s:"):format(indent, key))
      show(item, indent .. "  ", out)
    end
  end
end

local function save(content, out)
  if out.terminal then
    content:close()
    out.fail(("that is %s, %s bytes: redirect it into a file, > FILE"):format(content:type() or "media",
      content:size() or "some"))
    return 1
  end
  for piece in content:chunks() do out.write(piece) end
  return 0
end

local function tell(row, answer, request_id, out)
  if row.answer == "bytes" then return save(answer, out) end
  if out.json then
    out.print(json.encode(type(answer) == "table" and answer or {}))
  elseif type(answer) == "table" and next(answer) ~= nil then
    show(answer, "", out)
  else
    out.print("done" .. (request_id and " (request id " .. request_id .. ")" or ""))
  end
  return 0
end

-- What went wrong, in words; the exit status.
local function complain(why, out)
  if type(why) == "table" and why.usage then
    out.fail(why.usage)
    return USAGE
  end
  local refused = type(why) == "table" and (why.status or 0) > 0
  if refused and out.json then
    out.print(json.encode{status = why.status, message = why.message, details = why.details,
      request_id = why.request_id})
    return 1
  end
  out.fail((tostring(why):gsub("^%?: ", "")))
  return type(why) == "string" and USAGE or 1
end

local function run(args, out)
  local row = core.rows(args[1])
  if not row then
    local names = {}
    for i, r in ipairs(core.rows()) do names[i] = r.name end
    local near = core.near(args[1], names)
    refuse("there is no operation %s%s", args[1], near and (" (did you mean %s?)"):format(near)
      or "; `moonline call` lists them")
  end
  if args[2] == "--help" then return help(row, out) end
  local fields = {}
  for i = 2, #args do take(row, fields, args[i], out) end
  add_credentials(row, fields, out.env)
  local answer, request_id = core.inner[row.name](fields, nil, row.name)
  return tell(row, answer, request_id, out)
end

return function(args, out)
  if #args == 0 then return list(out) end
  local ok, result = pcall(run, args, out)
  if ok then return result end
  return complain(result, out)
end
