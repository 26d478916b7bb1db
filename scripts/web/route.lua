-- Paths of routes, and which route a request is for. Knows nothing of requests but their method and path.

local route = {}

-- route.split(path)
-- Takes a path that begins with "/". Returns the list of what stands between its slashes: "/a/" gives {"a", ""}.
function route.split(path)
  local list, n = {}, 0
  for segment in path:gmatch("/([^/]*)") do
    n = n + 1
    list[n] = segment
  end
  return list
end

-- route.compile(path)
-- Takes the path of a route: literal segments, :name, and * as the last. Returns the list of its segments, each a
-- string or {name=}, with the fields path and star (true when the last is *, which is not in the list); or nil and what
-- is wrong.
function route.compile(path)
  if type(path) ~= "string" then return nil, ("the path must be a string, not a %s"):format(type(path)) end
  if path:sub(1, 1) ~= "/" then return nil, "a path begins with /" end
  if path:find("[%c?#]") then return nil, "a path has no ?, # or control characters" end
  local list, names = route.split(path), {}
  list.path, list.star = path, false
  for i, segment in ipairs(list) do
    local name = segment:match("^:(.*)$")
    if segment == "*" then
      if i < #list then return nil, "* may only be the last segment" end
      list[i], list.star = nil, true
    elseif name then
      if not name:find("^[%a_][%w_]*$") then return nil, ("'%s' is no name of a parameter"):format(segment) end
      if names[name] then return nil, ("the parameter :%s comes twice"):format(name) end
      names[name] = true
      list[i] = {name = name}
    elseif segment:find("*", 1, true) then
      return nil, ("'%s': * stands for the whole rest of a path, alone in the last segment"):format(segment)
    end
  end
  return list
end

local set = {}
set.__index = set

-- route.set(): an empty set of routes.
function route.set()
  return setmetatable({routes = {}, by_count = {}, most = 0}, set)
end

-- set:add(method, segments, entry)
-- Puts a route in: method nil for any; entry is what find gives back.
function set:add(method, segments, entry)
  self.routes[#self.routes + 1] = {method = method, segments = segments, entry = entry}
  self.by_count = {}
  if #segments > self.most then self.most = #segments end
end

-- The routes that can match paths of n segments, in the order they were declared.
local function candidates(self, n)
  if n > self.most + 1 then n = self.most + 1 end -- only those with * match what is longer than all
  local list = self.by_count[n]
  if list then return list end
  list = {}
  for _, r in ipairs(self.routes) do
    local own = #r.segments
    if r.segments.star and n > own or not r.segments.star and n == own then list[#list + 1] = r end
  end
  self.by_count[n] = list
  return list
end

-- Returns the parameters, or nil when the path is another's.
local function match(segments, path)
  for i = 1, #segments do
    local want = segments[i]
    if type(want) == "string" and want ~= path[i] or path[i] == "" and want ~= "" then return nil end
  end
  local params = {}
  for i = 1, #segments do
    local want = segments[i]
    if type(want) == "table" then params[want.name] = path[i] end
  end
  if segments.star then params["*"] = table.concat(path, "/", #segments + 1) end
  return params
end

-- set:find(method, path)
-- Takes the method and the list of decoded segments. Returns the entry of the first route that matches and its
-- parameters; or nil and the list of methods that the path has, empty when there is no such path. What GET has, HEAD
-- has.
function set:find(method, path)
  local allowed = {}
  for _, r in ipairs(candidates(self, #path)) do
    local m = r.method
    local fits = m == nil or m == method or (m == "GET" and method == "HEAD")
    if fits or not allowed[m] then
      local params = match(r.segments, path)
      if params and fits then return r.entry, params end
      if params then
        allowed[m] = true
        if m == "GET" then allowed.HEAD = true end
      end
    end
  end
  local list = {}
  for name in pairs(allowed) do list[#list + 1] = name end
  table.sort(list)
  return nil, list
end

return route
