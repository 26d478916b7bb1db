-- Lua source as tokens, for moonline check. Only for text that Lua itself has compiled: nothing is reported here.

local lexer = {}

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
    while]]):gmatch("%a+") do
  keywords[word] = true
end

local find, sub = string.find, string.sub

-- The position behind a long bracket that opens at i, and its level; nil when none opens there.
local function long_bracket(text, i)
  local _, opened, level = find(text, "^%[(=*)%[", i)
  if not opened then return nil end
  local _, closed = find(text, "]" .. level .. "]", opened + 1, true)
  return (closed or #text) + 1, #level
end

-- The position behind a quoted string that opens at i.
local function quoted(text, i)
  local quote = sub(text, i, i)
  local p = i + 1
  while p <= #text do
    local c = sub(text, p, p)
    if c == quote then return p + 1 end
    if c == "\\" then -- \z skips white space, line ends and all; any other escape's first character is taken along
      p = sub(text, p + 1, p + 1) == "z" and select(2, find(text, "^%s*", p + 2)) + 1 or p + 2
    else
      p = p + 1
    end
  end
  return p
end

-- Numbers, roughly: what follows a digit and can belong to one.
local function number(text, i)
  local hex = find(text, "^0[xX]", i)
  local p = i
  while true do
    local _, e = find(text, hex and "^[pP][+-]?%w*" or "^[eE][+-]?%w*", p)
    if not e or p == i then _, e = find(text, "^[%w.]", p) end
    if not e then return p end
    p = e + 1
  end
end

-- lexer.tokens(text)
-- Returns a list of {kind=, text=, line=}; kind is "name", "string", "number", "op" or, for keywords, the word itself;
-- the last has kind "eof". A string's text is its bytes between the quotes when it has no escapes, else nil.
function lexer.tokens(text)
  local tokens, i, line = {}, 1, 1
  if sub(text, 1, 1) == "#" then i = find(text, "\n", 1, true) or #text + 1 end -- the first line of a Unix script
  local function add(kind, value, stop)
    tokens[#tokens + 1] = {kind = kind, text = value, line = line}
    for _ in sub(text, i, stop - 1):gmatch("\n") do line = line + 1 end
    i = stop
  end
  while i <= #text do
    local c = sub(text, i, i)
    if c == "\n" then
      line, i = line + 1, i + 1
    elseif find(c, "%s") then
      i = i + 1
    elseif find(text, "^%-%-", i) then
      local stop = long_bracket(text, i + 2) or find(text, "\n", i, true) or #text + 1
      for _ in sub(text, i, stop - 1):gmatch("\n") do line = line + 1 end
      i = stop
    elseif find(c, "[%a_]") then
      local word = text:match("^[%w_]+", i)
      add(keywords[word] and word or "name", word, i + #word)
    elseif find(c, "%d") or find(text, "^%.%d", i) then
      add("number", nil, number(text, i))
    elseif c == '"' or c == "'" then
      local stop = quoted(text, i)
      local value = sub(text, i + 1, stop - 2)
      add("string", not value:find("\\", 1, true) and value or nil, stop)
    elseif long_bracket(text, i) then
      local stop, level = long_bracket(text, i)
      add("string", sub(text, i + 2 + level, stop - 3 - level), stop)
    else
      local op = text:match("^%.%.%.", i) or text:match("^%.%.", i) or text:match("^[=~<>]=", i)
        or text:match("^//", i) or text:match("^<<", i) or text:match("^>>", i) or text:match("^::", i) or c
      add("op", op, i + #op)
    end
  end
  add("eof", nil, i)
  return tokens
end

return lexer
