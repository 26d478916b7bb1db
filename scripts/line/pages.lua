-- Lists that LINE hands out a page at a time, as iterators. Every operation whose row asks for a page (`start` or
-- `page`) gets one, named after what it gives: get_followers → line.each_follower, list_coupon → line.each_coupon.
--
--   for id in line.each_follower() do … end
--   for id in line.each_group_member(groupId) do … end
--   for audience in line.each_audience_group{status = "READY"} do … end
--
-- Each takes what the operation takes, without the page's own field, and options as the last argument. It waits when a
-- page is used up, and raises what the call raises. The end comes after the last page, or when LINE repeats itself.

local core = require "line.core"
local errors = require "line.errors"

local pages = {each = {}}

-- "get_group_members_ids" → "each_group_member": the verb goes, the kind of list goes, plurals become one.
local function name_of(operation)
  local rest = operation:gsub("^get_", ""):gsub("^list_", ""):gsub("_ids$", ""):gsub("_list$", "")
  return "each_" .. rest:gsub("(%l%l)s%f[%W]", "%1")
end

-- The one list of the answer; the words around it (next, hasNextPage, totals) are none.
local function items_of(answer)
  for _, value in pairs(answer) do
    if type(value) == "table" then return value end
  end
  return {}
end

-- What asks for the page after this one, or nil.
local function next_of(field, answer, asked)
  if field == "start" then
    local start = answer.next
    if start == "" or start == asked then return nil end
    return start
  end
  return answer.hasNextPage and asked + 1 or nil
end

-- The fields of the first call, as a table of its own.
local function fields_of(what, natural, given)
  local fields = {}
  if type(given) == "table" then
    for k, v in pairs(given) do fields[k] = v end
  elseif given ~= nil then
    if not natural then errors.misuse("%s: takes a table of fields, not a %s", what, type(given)) end
    fields[natural] = given
  end
  return fields
end

-- pages.through(what, operation, field, fields, options) → iterator
-- Takes the name that messages give the call ("line.each_follower"), the operation, what asks for its next page
-- ("start" or "page"), the fields of the first call, and options. Returns an iterator over the items.
function pages.through(what, operation, field, fields, options)
  local where = core.where()
  local at = fields[field]
  if field == "page" and at == nil then at = 1 end
  local items, i, more = {}, 0, true
  return function()
    while i >= #items do -- a page may be empty and not the last
      if not more then return nil end
      local page = {[field] = at}
      for k, v in pairs(fields) do
        if k ~= field then page[k] = v end
      end
      local answer = core.inner[operation](page, options, what, where)
      items, i, at = items_of(answer), 0, next_of(field, answer, at)
      more = at ~= nil
    end
    i = i + 1
    return items[i]
  end
end

local function iterator(name, operation, field, natural)
  local what = "line." .. name
  return function(given, options)
    return pages.through(what, operation, field, fields_of(what, natural, given), options)
  end
end

for operation, how in pairs(core.paged()) do
  local name = name_of(operation)
  pages.each[name] = iterator(name, operation, how.field, how.natural)
end

return pages
