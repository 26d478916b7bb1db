-- Verb and path → the row of the operation table, by a tree of path segments.

local core = require "line.core"

local routes = {}

local DECODE = setmetatable({}, {__index = function(_, digits) return string.char(tonumber(digits, 16)) end})

local tree          -- node: {words = {segment → node}, any = node, rows = {verb → row}, …}
local by_name = {}

local function build()
  tree = {words = {}}
  for _, row in ipairs(core.rows()) do
    by_name[row.name] = row
    row.names = {}
    local node = tree
    for segment in row.path:gmatch("[^/]+") do
      local name = segment:match("^{(.+)}$")
      if name then
        row.names[#row.names + 1] = name
        node.any = node.any or {words = {}}
        node = node.any
      else
        node.words[segment] = node.words[segment] or {words = {}}
        node = node.words[segment]
      end
    end
    node.rows = node.rows or {}
    node.rows[row.verb] = row
  end
end

-- A word goes before a parameter; where the word's branch ends without a row the parameter's is tried.
local function walk(node, segments, i, values)
  local segment = segments[i]
  if not segment then return node.rows end
  local word = node.words[segment]
  local found = word and walk(word, segments, i + 1, values)
  if found or not node.any then return found end
  values[#values + 1] = segment
  found = walk(node.any, segments, i + 1, values)
  if not found then values[#values] = nil end
  return found
end

-- routes.find(verb, path): path as it came, percent-encoded. → row, {name → value}; nil, true when the path is known
-- with another verb; nil, false when it is not known.
function routes.find(verb, path)
  if not tree then build() end
  if path:find("//", 1, true) or path:sub(-1) == "/" then return nil, false end
  local segments, values = {}, {}
  for segment in path:gmatch("[^/]+") do
    segments[#segments + 1] = segment:find("%", 1, true) and segment:gsub("%%(%x%x)", DECODE) or segment
  end
  local rows = walk(tree, segments, 1, values)
  if not rows then return nil, false end
  local row = rows[verb]
  if not row then return nil, true end
  local parameters = {}
  for i, name in ipairs(row.names) do parameters[name] = values[i] end
  return row, parameters
end

-- routes.row(name) → the row, nil when there is none of the name.
function routes.row(name)
  if not tree then build() end
  return by_name[name]
end

-- routes.each(): iterator over name, row.
function routes.each()
  if not tree then build() end
  return next, by_name
end

return routes
