-- The specimens of tests/unit/check_good.def and check_bad.def: C files with rows of Lua expressions, which the check
-- before sending is held against. Read here for tests of the emulator.

local specimens = {}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The C strings of a text, put together.
local function unquote(s)
  return (s:gsub("\\(.)", {n = "\n", ['"'] = '"', ["\\"] = "\\"}))
end

-- The names that the specimens use: the strings of `prelude` in tests/unit/test_check.c.
local function names(json)
  local source = read("tests/unit/test_check.c"):match("prelude%[%] =(.-);\n\n")
  local lines = {}
  for s in source:gmatch('"(.-)"\n') do lines[#lines + 1] = unquote(s) end
  lines[#lines + 1] = unquote(source:match('"([^\n]*)"%s*$'))
  local env = setmetatable({json = json}, {__index = _G})
  assert(load(table.concat(lines), "prelude", "t", env))()
  return env
end

-- specimens.read(path, json) → list of {kind=, value = as the platform reads it, text = the expression, section = the
-- heading it is below}. json: the module that writes and reads values.
function specimens.read(path, json)
  local rows, section, env = {}, "", names(json)
  for line in read(path):gmatch("[^\n]+") do
    section = line:match("^/%* %-%-%-%- (.-) %-%-%-%- %*/") or section
    local kind, expression = line:match('^ROW%("(.-)", "(.-[^\\])"[,)]')
    if kind then
      local text = unquote(expression)
      local value = assert(load("return " .. text, text, "t", env))()
      rows[#rows + 1] = {kind = kind, value = json.decode(json.encode(value)), text = text, section = section}
    end
  end
  return rows
end

return specimens
