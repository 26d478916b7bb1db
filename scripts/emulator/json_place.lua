-- Where something stands in a JSON text: for refusals that tell line and column. Called only when something is wrong.

local place = {}

local DEEP = 200

local function stop(at) error({at = at}, 0) end

local function space(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function string_end(text, at)
  local i = at + 1
  while true do
    i = text:find('[%c"\\]', i)
    if not i then stop(#text + 1) end
    local c = text:sub(i, i)
    if c == '"' then return i + 1 end
    if c ~= "\\" then
      if c == "\127" then i = i + 1 else stop(i) end
    else
      local escape = text:match('^["\\/bfnrt]', i + 1) or text:match("^u%x%x%x%x", i + 1)
      if not escape then stop(i + 1) end
      i = i + 1 + #escape
    end
  end
end

local function number_end(text, at)
  local i = text:match("^%-?0()", at) or text:match("^%-?[1-9]%d*()", at)
  if not i then stop(at) end
  i = text:match("^%.%d+()", i) or i
  return text:match("^[eE][+-]?%d+()", i) or i
end

local value_end

-- Members of an object or entries of a list; each(key, at) is told of every value's place.
local function group_end(text, at, closing, depth, each)
  local i, n = space(text, at + 1), 0
  if text:sub(i, i) == closing then return i + 1 end
  while true do
    n = n + 1
    local key = n
    if closing == "}" then
      if text:sub(i, i) ~= '"' then stop(i) end
      local after = string_end(text, i)
      key = text:sub(i + 1, after - 2)
      i = space(text, after)
      if text:sub(i, i) ~= ":" then stop(i) end
      i = space(text, i + 1)
    end
    if each then each(key, i) end
    i = space(text, value_end(text, i, depth + 1))
    local c = text:sub(i, i)
    if c == closing then return i + 1 end
    if c ~= "," then stop(i) end
    i = space(text, i + 1)
  end
end

function value_end(text, at, depth, each)
  local c = text:sub(at, at)
  if depth > DEEP then stop(at) end
  if c == "{" then return group_end(text, at, "}", depth, each) end
  if c == "[" then return group_end(text, at, "]", depth, each) end
  if c == '"' then return string_end(text, at) end
  for _, word in ipairs{"true", "false", "null"} do
    if text:sub(at, at + #word - 1) == word then return at + #word end
  end
  return number_end(text, at)
end

local function line_and_column(text, at)
  local line, start = 1, 1
  for newline in text:gmatch("()\n") do
    if newline >= at then break end
    line, start = line + 1, newline + 1
  end
  return line, at - start + 1
end

-- place.fault(text) → line, column of where it stops to be JSON; nil when it is.
function place.fault(text)
  local ok, e = pcall(function()
    local at = value_end(text, space(text, 1), 1)
    at = space(text, at)
    if at <= #text then stop(at) end
  end)
  if ok then return nil end
  if type(e) ~= "table" then error(e, 0) end
  return line_and_column(text, e.at)
end

-- place.find(text, path) → line, column of the value under that path (list of names and numbers from 1); nil when
-- there is none. text is JSON.
function place.find(text, path)
  local at = space(text, 1)
  for _, wanted in ipairs(path) do
    local found
    local ok = pcall(value_end, text, at, 1, function(key, i)
      if key == wanted then found = i end
    end)
    if not ok or not found then return nil end
    at = found
  end
  return line_and_column(text, at)
end

return place
