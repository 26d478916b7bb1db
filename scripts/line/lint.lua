-- What shows in a bot's text without running it: names that nothing declares, functions of `line` that do not exist,
-- and slips with the methods of a handler's event. A parser that follows scopes and nothing else; it reads only what
-- Lua has compiled, so it never has to say what is wrong with the grammar.

local core = require "line.core"
local build = require "line.build"
local lexer = require "line.lexer"

local lint = {}

local P = {} -- the parser's methods
P.__index = P

-- ---- tokens ----

function P:kind() return self.tokens[self.at].kind end
function P:text() return self.tokens[self.at].text end
function P:line() return self.tokens[self.at].line end

function P:take()
  local t = self.tokens[self.at]
  if t.kind == "eof" then error("end of text", 0) end
  self.at = self.at + 1
  return t
end

function P:is(text)
  local t = self.tokens[self.at]
  return t.kind == text or (t.kind == "op" and t.text == text)
end

function P:accept(text)
  return self:is(text) and self:take() or nil
end

function P:expect(text)
  return self:accept(text) or error(("%d: '%s' expected"):format(self:line(), text), 0)
end

-- ---- scopes: name → what is known of the local: true, or "line" when it holds the module ----

function P:open() self.scope = setmetatable({}, {__index = self.scope}) end
function P:close() self.scope = getmetatable(self.scope).__index end

-- Once a line: `n = (n or 0) + n` is one mistake.
function P:report(line, format, ...)
  local text = line .. " " .. format:format(...)
  if self.reported[text] then return end
  self.reported[text] = true
  self.found(line, format:format(...))
end

-- Modules of ours that a bot has to require; the rest of what there is are globals.
local modules = {line = true, store = true, http = true, crypto = true, web = true, cjson = true}

local function global(name) return _G[name] end

-- A read of a name that is neither a local nor a global raises when it is run (also within `if name then`).
function P:read_name(first)
  local name = first and first.text
  if not name or name == "_ENV" or self.scope._ENV or self.scope[name] or pcall(global, name) then return end
  if modules[name] then
    return self:report(first.line, "'%s' is not declared: local %s = require \"%s\"", name, name, name)
  end
  local names, scope = {}, self.scope
  while scope do
    for k in pairs(scope) do names[#names + 1] = k end
    local up = getmetatable(scope)
    scope = up and up.__index
  end
  for k in pairs(_G) do names[#names + 1] = k end
  table.sort(names)
  local near = core.near(name, names)
  self:report(first.line, "'%s' is not declared%s", name, near and (" (did you mean '%s'?)"):format(near) or "")
end

-- ---- expressions ----

local unary = {["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true}
local binary = {["and"] = true, ["or"] = true}
for op in ([[+ - * / // % ^ .. < <= > >= == ~= & | ~ << >>]]):gmatch("%S+") do binary[op] = true end

-- handlers: functions among them are handlers of events.
function P:expressions(handlers)
  repeat
    self.handler = handlers -- taken by the very next simple expression, so what is nested in it has none of it
    self:expression()
  until not self:accept(",")
end

function P:table()
  self:expect("{")
  while not self:accept("}") do
    if self:accept("[") then
      self:expression()
      self:expect("]")
      self:expect("=")
      self:expression()
    else
      local next = self.tokens[self.at + 1]
      if self:kind() == "name" and next.kind == "op" and next.text == "=" then self.at = self.at + 2 end
      self:expression()
    end
    if not self:accept(",") then self:accept(";") end
  end
end

-- A field of the module: line.NAME, or of a group in it: line.action.NAME, line.flex.NAME. Returns the group it is.
function P:check_field(group, name, line)
  local there = rawget(group, name)
  if there ~= nil then return self.group_names[there] and there or nil end
  if (build.settings[group] or {})[name] then return nil end
  local names = {}
  for k in pairs(group) do names[#names + 1] = k end
  table.sort(names)
  local near = core.near(name, names)
  self:report(line, "%s.%s does not exist%s", self.group_names[group], name,
    near and (" (did you mean '%s'?)"):format(near) or "")
  return nil
end

-- event:NAME or event.NAME, the name being the next token. An event may have any field, so what has no method's name is
-- reported only when it is close to one.
function P:check_method(event)
  local methods, token = require "line.event".methods, self.tokens[self.at + 1]
  local name, after = token.text, self.tokens[self.at + 2]
  if token.kind ~= "name" then return end
  if self:is(".") then
    local called = after.kind == "string" or after.kind == "op" and (after.text == "(" or after.text == "{")
    if methods[name] and called then
      self:report(token.line, "%s.%s(…) hands no event over: write %s:%s(…)", event, name, event, name)
    end
  elseif self:is(":") and not methods[name] then
    local names = {}
    for k in pairs(methods) do names[#names + 1] = k end
    table.sort(names)
    local near = core.near(name, names)
    if near then
      self:report(token.line, "%s:%s does not exist (did you mean '%s'?)", event, name, near)
    end
  end
end

local registers = {on = true, hear = true, postback = true}

-- What may stand left of an assignment or alone as a call. Returns "call", "field", or the name when it is just that.
function P:suffixed()
  local result, group, first, handlers
  if self:accept("(") then
    self:expression()
    self:expect(")")
    result = "call"
  else
    first = self:take()
    result = first.text
    if self.scope[result] == "line" then group = self.line_module end
    if self.scope[result] == "event" then self:check_method(result) end
  end
  while true do
    if self:is(".") then
      self:take()
      local field = self:take()
      local assigned = self:is("=") or self:is(",")
      handlers = group == self.line_module and registers[field.text]
      group = group and not assigned and self:check_field(group, field.text, field.line) or nil
      result = "field"
    elseif self:accept("[") then
      self:expression()
      self:expect("]")
      result, group = "field", nil
    elseif self:is(":") or self:is("(") or self:is("{") or self:kind() == "string" then
      if self:accept(":") then self:take() end
      if self:accept("(") then
        if not self:accept(")") then
          self:expressions(handlers)
          self:expect(")")
        end
      elseif self:is("{") then
        self:table()
      else
        self:take()
      end
      result, group = "call", nil
    else
      return result, first -- first: the name it begins with, if it does
    end
  end
end

function P:simple()
  local kind, handler = self:kind(), self.handler
  self.handler = nil
  if self:is("{") then
    self:table()
  elseif self:accept("function") then
    self:body(false, handler)
  elseif kind == "name" or self:is("(") then
    self:read_name(select(2, self:suffixed()))
  else
    self:take() -- a constant or ...
  end
end

function P:expression()
  while unary[self:kind()] or (self:kind() == "op" and unary[self:text()]) do self:take() end
  self:simple()
  if binary[self:kind()] or (self:kind() == "op" and binary[self:text()]) then
    self:take()
    return self:expression()
  end
end

-- Parameters and block of a function. handler: the first parameter is an event.
function P:body(method, handler)
  self:open()
  if method then self.scope.self = true end
  self:expect("(")
  while not self:accept(")") do
    local t = self:take()
    if t.kind == "name" then
      self.scope[t.text] = handler and "event" or true
      handler = nil
    end
  end
  self:block()
  self:expect("end")
  self:close()
end

-- ---- statements ----

function P:write_global(name, line)
  if self.scope._ENV or self.scope[name] then return end
  self:report(line, "'%s' is written without being declared: local %s = …", name, name)
end

-- Is what comes exactly require "line"? Then the local holds the module.
function P:is_line_module()
  local t, at = self.tokens, self.at
  if not (t[at].kind == "name" and t[at].text == "require" and not self.scope.require) then return false end
  local paren = t[at + 1].kind == "op" and t[at + 1].text == "("
  local name = t[at + (paren and 2 or 1)]
  local after = t[at + (paren and 4 or 2)]
  return name.kind == "string" and name.text == "line"
    and not (after.kind == "op" and after.text and after.text:find("^[.:%[({]")) and after.kind ~= "string"
end

function P:local_statement()
  if self:accept("function") then
    local name = self:take()
    self.scope[name.text] = true
    return self:body()
  end
  local names = {}
  repeat
    names[#names + 1] = self:take().text
    if self:accept("<") then
      self:take()
      self:expect(">")
    end
  until not self:accept(",")
  local module = false
  if self:accept("=") then
    module = #names == 1 and self:is_line_module()
    self:expressions()
  end
  for _, name in ipairs(names) do self.scope[name] = module and "line" or true end
end

function P:function_statement()
  local name, plain, method = self:take(), true, false
  while self:is(".") or self:is(":") do
    method = self:take().text == ":"
    plain = false
    self:take()
  end
  if plain then self:write_global(name.text, name.line) end
  self:body(method)
end

function P:for_statement()
  local names = {}
  repeat names[#names + 1] = self:take().text until not self:accept(",")
  if not self:accept("=") then self:expect("in") end
  self:expressions()
  self:open()
  for _, name in ipairs(names) do self.scope[name] = true end
  self:expect("do")
  self:block()
  self:expect("end")
  self:close()
end

function P:if_statement()
  repeat
    self:expression()
    self:expect("then")
    self:open()
    self:block()
    self:close()
  until not self:accept("elseif")
  if self:accept("else") then
    self:open()
    self:block()
    self:close()
  end
  self:expect("end")
end

function P:assignment_or_call()
  local targets = {}
  repeat
    local kind, first = self:suffixed()
    if kind == "call" or kind == "field" then self:read_name(first) else targets[#targets + 1] = first end
  until not self:accept(",")
  if not self:accept("=") then return end
  -- A local that is given another value is no longer known to hold the module. Assignments further up were read
  -- already; missing a report there is better than a wrong one.
  for _, t in ipairs(targets) do
    self:write_global(t.text, t.line)
    local scope = self.scope
    while scope and rawget(scope, t.text) == nil do
      local up = getmetatable(scope)
      scope = up and up.__index
    end
    if scope then scope[t.text] = true end
  end
  self:expressions()
end

local function do_block(p)
  p:open()
  p:block()
  p:close()
  p:expect("end")
end

local statements = {
  ["local"] = P.local_statement,
  ["function"] = P.function_statement,
  ["for"] = P.for_statement,
  ["if"] = P.if_statement,
  ["do"] = do_block,
  ["while"] = function(p)
    p:expression()
    p:expect("do")
    do_block(p)
  end,
  ["repeat"] = function(p)
    p:open()
    p:block()
    p:expect("until")
    p:expression() -- sees the block's locals
    p:close()
  end,
  ["goto"] = P.take,
  ["break"] = function() end,
  ["return"] = function(p)
    if p:ends() then return end
    if not p:is(";") then p:expressions() end
    p:accept(";")
  end,
  [";"] = function() end,
  ["::"] = function(p)
    p:take()
    p:expect("::")
  end,
}

function P:ends()
  return self:is("end") or self:is("else") or self:is("elseif") or self:is("until") or self:is("eof")
end

function P:block()
  while not self:ends() do
    local word = self:kind() == "op" and self:text() or self:kind()
    -- `goto` is also a name to older eyes; a call or an assignment starts with a name or a parenthesis.
    local statement = word ~= "(" and word ~= "name" and statements[word]
    if statement then
      self:take()
      statement(self)
    else
      self:assignment_or_call()
    end
  end
end

-- lint.check(sources, problems[, line_module])
-- sources: {[file] = text}. Appends {where = "bot.lua:12", text = …} to problems, file by file. line_module: the table
-- whose names exist, by default the module `line`. A text that cannot be read is left out. Does not wait.
function lint.check(sources, problems, line_module)
  line_module = line_module or require "line"
  local group_names = setmetatable({[line_module] = "line"}, {__index = build.groups})
  local files = {}
  for file in pairs(sources) do files[#files + 1] = file end
  table.sort(files)
  for _, file in ipairs(files) do
    local found = {}
    local parser = setmetatable({
      tokens = lexer.tokens(sources[file]), at = 1, scope = setmetatable({}, {}), line_module = line_module,
      group_names = group_names,
      reported = {},
      found = function(line, text) found[#found + 1] = {where = ("%s:%d"):format(file, line), text = text} end,
    }, P)
    if pcall(parser.block, parser) and parser:is("eof") then
      table.move(found, 1, #found, #problems + 1, problems)
    end
  end
end

return lint
