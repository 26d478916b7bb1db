-- Selectors: type[.subtype][@source], or "*". What is known of each type comes from the table of events in line.core.

local core = require "line.core"
local errors = require "line.errors"

local selector = {}

-- type → {field = {outer, inner} or nil, subtypes = {name = true}, list = {names}, open = boolean, sources = "ugr-"}
local known, names = {}, {}

for _, row in ipairs(core.events) do
  local outer, inner = row.field:match("^([^.]+)%.([^.]+)$")
  local entry = {outer = outer, inner = inner, subtypes = {}, list = {}, sources = row.sources}
  for word in row.subtypes:gmatch("[^|]+") do
    if word == "*" then
      entry.open = true
    else
      entry.subtypes[word] = true
      entry.list[#entry.list + 1] = word
    end
  end
  known[row.type] = entry
  names[#names + 1] = row.type
end

local letters = {user = "u", group = "g", room = "r"}
local words = {u = "user", g = "group", r = "room"}

local function listed(sources)
  local list = {}
  for letter in sources:gmatch("[ugr]") do list[#list + 1] = words[letter] end
  return #list > 0 and "only from: " .. table.concat(list, ", ") or "from no chat at all"
end

-- selector.place(type)
-- Returns the two names under which an event of this type has its subtype, event[outer][inner]. Types that this version
-- does not know are taken to be built like the others: event.newType.type.
function selector.place(type)
  local entry = known[type]
  if entry then return entry.outer, entry.inner end
  return type, "type"
end

-- selector.is_known(type): whether the platform's table lists it.
function selector.is_known(type)
  return known[type] ~= nil
end

-- selector.parse(what, text)
-- Returns {type=, subtype=, source=} (type "*" for any; the others nil for any). Raises for what cannot be a selector.
function selector.parse(what, text)
  if type(text) ~= "string" then
    errors.misuse("%s: the first argument is a selector such as \"message.text\", not a %s", what, type(text))
  end
  local head, source = text:match("^([^@]*)@?(.*)$")
  local kind, subtype = head:match("^([%w_]+)%.([%w_]+)$")
  kind = kind or head:match("^[%w_]+$") or head:match("^%*$")
  if not kind or (text:find("@", 1, true) and source == "") then
    errors.misuse("%s: '%s' is not a selector: write type, type.subtype, type@source or \"*\"", what, text)
  end
  if source ~= "" and not letters[source] then
    errors.misuse("%s: '%s': the source is user, group or room%s", what, text,
      errors.did_you_mean(source, {"user", "group", "room"}))
  end
  return {type = kind, subtype = subtype, source = source ~= "" and source or nil}
end

-- selector.problem(s)
-- Takes what parse returned. Returns a sentence when no event known today can match, else nil; and whether the type
-- itself is unknown, which may only mean that it is newer than this program.
function selector.problem(s)
  if s.type == "*" then return nil end
  local entry = known[s.type]
  if not entry then
    local hint = errors.did_you_mean(s.type, names)
    return ("'%s' is not an event type that this version knows%s"):format(s.type, hint), true
  end
  if s.subtype and #entry.list == 0 then
    return ("events of type '%s' have no subtypes"):format(s.type)
  end
  if s.subtype and not entry.subtypes[s.subtype] then
    local hint = errors.did_you_mean(s.subtype, entry.list)
    if not entry.open or hint ~= "" then
      return ("'%s' is not a subtype of '%s'%s"):format(s.subtype, s.type, hint)
    end
  end
  if s.source and not entry.sources:find(letters[s.source], 1, true) then
    return ("events of type '%s' never come from a %s (%s)"):format(s.type, s.source, listed(entry.sources))
  end
  return nil
end

-- selector.covers(a, b): whether every event that matches b matches a, too.
function selector.covers(a, b)
  return (a.type == "*" or a.type == b.type) and (a.subtype == nil or a.subtype == b.subtype)
    and (a.source == nil or a.source == b.source)
end

return selector
