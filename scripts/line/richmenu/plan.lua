-- What has to be done so that LINE has the rich menus that a bot declares: a pure function of both. The order of the
-- steps is what makes stopping anywhere harmless:
--
--   create, upload       new menus, with their images, which nobody sees yet
--   alias, default       what users see goes over to them, last of all that is new
--   relink               users who have an old menu of their own get the new one
--   unalias, delete      what is no longer declared goes away
--
-- Whatever was stopped, the next plan finds: a menu is known by the end of its name (line.richmenu.identity), also one
-- without an image or without a link. Menus of others are counted and left alone.

local identity = require "line.richmenu.identity"

local plan = {}

-- What is at LINE, sorted: {ours = {{id=, name=, hash=, label=}…}, by_id =, foreign = number, linked = {[id] = true},
-- aliases = {[menu id] = {alias, …}}}
local function sort_remote(remote)
  local at = {ours = {}, by_id = {}, foreign = 0, linked = {}, aliases = {}}
  for _, menu in ipairs(remote.menus) do
    local name, hash = identity.split(menu.name)
    if name then
      local own = {id = menu.richMenuId, name = name, hash = hash, label = menu.name}
      at.ours[#at.ours + 1] = own
      at.by_id[own.id] = own
    else
      at.foreign = at.foreign + 1
    end
  end
  if remote.default then at.linked[remote.default] = true end
  for _, a in ipairs(remote.aliases) do
    at.linked[a.richMenuId] = true
    at.aliases[a.richMenuId] = at.aliases[a.richMenuId] or {}
    table.insert(at.aliases[a.richMenuId], a.richMenuAliasId)
  end
  return at
end

-- plan.doubtful(remote)
-- remote: {menus = the list of get_rich_menu_list, aliases = that of get_rich_menu_alias_list, default = id or nil}.
-- Returns the ids of moonline's menus of which it is not known whether they have an image: LINE links only those that
-- do, and the rest may come from an apply that stopped. Does not wait.
function plan.doubtful(remote)
  local at, ids = sort_remote(remote), {}
  for _, own in ipairs(at.ours) do
    if not at.linked[own.id] then ids[#ids + 1] = own.id end
  end
  return ids
end

-- The menu at LINE that is the wanted one: of several, made by applies that lost an answer, one that users see, else
-- one with an image, else the first.
local function find(want, at, images)
  local best, best_rank
  for _, own in ipairs(at.ours) do
    if own.label == want.label then
      local rank = at.linked[own.id] and 3 or images[own.id] and 2 or 1
      if not best or rank > best_rank then best, best_rank = own, rank end
    end
  end
  return best
end

-- What takes the place of an old menu: the declared one of its name, or else of its alias.
local function successor(old, wanted, at)
  for _, want in ipairs(wanted) do
    if want.name == old.name then return want end
  end
  for _, alias in ipairs(at.aliases[old.id] or {}) do
    for _, want in ipairs(wanted) do
      if want.alias == alias then return want end
    end
  end
end

local function name_of(id, at)
  return at.by_id[id] and at.by_id[id].label or id
end

local function plan_menus(add, wanted, at, images)
  local kept, unchanged = {}, {}
  for _, want in ipairs(wanted) do
    local have = find(want, at, images)
    want.id = have and have.id or nil
    if have then kept[have.id] = true end
    if not have then
      add{op = "create", menu = want.name, target = want}
      add{op = "upload", menu = want.name, target = want}
    elseif images[have.id] == false and not at.linked[have.id] then
      add{op = "upload", menu = want.name, target = want, id = have.id}
    else
      unchanged[#unchanged + 1] = want.name
    end
  end
  return kept, unchanged
end

local function plan_links(add, wanted, remote, at, warn)
  local alias_to, default = {}, nil
  for _, a in ipairs(remote.aliases) do alias_to[a.richMenuAliasId] = a.richMenuId end
  for _, want in ipairs(wanted) do
    local is = want.alias and alias_to[want.alias]
    if want.default then default = want end
    if want.alias and (not is or is ~= want.id) then
      add{op = "alias", menu = want.name, target = want, alias = want.alias, was = is,
        was_name = is and name_of(is, at)}
      if is and not at.by_id[is] then
        warn(("%s: alias '%s' leads to %s, which moonline did not make; it is to lead to '%s', and that menu stays")
          :format(want.where, want.alias, is, want.name))
      end
    end
  end
  local is = remote.default
  if default and (not is or is ~= default.id) then
    add{op = "default", menu = default.name, target = default, was = is, was_name = is and name_of(is, at)}
    if is and not at.by_id[is] then
      warn(("%s: the default is %s, which moonline did not make; '%s' takes its place, and the menu stays"):format(
        default.where, is, default.name))
    end
  elseif not default and is and at.by_id[is] then
    add{op = "undefault", was = is, was_name = name_of(is, at)}
  end
end

local function plan_old(add, wanted, remote, at, images, kept)
  local moves, old = {}, {}
  for _, own in ipairs(at.ours) do
    if not kept[own.id] then
      old[#old + 1] = own
      local to = successor(own, wanted, at)
      -- Nobody can have a menu without an image.
      if to and (at.linked[own.id] or images[own.id] ~= false) then
        moves[#moves + 1] = {from = own.id, from_name = own.label, target = to, menu = to.name}
      end
    end
  end
  if #moves > 0 then add{op = "relink", moves = moves} end
  local declared = {}
  for _, want in ipairs(wanted) do
    if want.alias then declared[want.alias] = true end
  end
  for _, a in ipairs(remote.aliases) do
    if at.by_id[a.richMenuId] and not declared[a.richMenuAliasId] then
      add{op = "unalias", alias = a.richMenuAliasId, was = a.richMenuId, was_name = name_of(a.richMenuId, at)}
    end
  end
  for _, own in ipairs(old) do add{op = "delete", menu = own.label, id = own.id} end
end

-- Switching to an alias that leads nowhere is an error of the user's tap, later; better said now.
local function check_switches(wanted, remote, warn)
  local known = {}
  for _, a in ipairs(remote.aliases) do known[a.richMenuAliasId] = true end
  for _, want in ipairs(wanted) do
    if want.alias then known[want.alias] = true end
  end
  for _, want in ipairs(wanted) do
    for i, area in ipairs(want.object.areas) do
      local alias = area.action.type == "richmenuswitch" and area.action.richMenuAliasId
      if alias and not known[alias] then
        warn(("%s: line.richmenu '%s': areas[%d] switches to alias '%s', which no menu has"):format(want.where,
          want.name, i, tostring(alias)))
      end
    end
  end
end

-- plan.make(wanted, remote)
-- wanted: list of {name=, label= (the name at LINE), object=, alias=, default=, where=}; gets the id of each that is
-- there. remote: as above, and images = {[id] = whether it has one} for the doubtful. Returns {steps=, unchanged=
-- names, foreign= number of menus left alone, warnings= texts}. Does not wait.
function plan.make(wanted, remote)
  local at, images = sort_remote(remote), remote.images or {}
  local made = {steps = {}, warnings = {}, foreign = at.foreign}
  local function add(step) made.steps[#made.steps + 1] = step end
  local function warn(text) made.warnings[#made.warnings + 1] = text end
  check_switches(wanted, remote, warn)
  local kept
  kept, made.unchanged = plan_menus(add, wanted, at, images)
  plan_links(add, wanted, remote, at, warn)
  plan_old(add, wanted, remote, at, images, kept)
  return made
end

-- plan.sentence(step)
-- Returns a mark and one line of text for people. Does not wait.
function plan.sentence(step)
  local op, menu = step.op, step.menu
  local was = step.was and (" (now %s)"):format(step.was_name) or ""
  if op == "create" then
    local size = step.target.object.size
    local n = #step.target.object.areas
    return "+", ("create '%s', %dx%d, %d area%s"):format(menu, size.width, size.height, n, n == 1 and "" or "s")
  elseif op == "upload" then
    local image = step.target.image
    return "+", ("upload %s (%d KB) for '%s'"):format(image.path, (#image.bytes + 1023) // 1024, menu)
  elseif op == "alias" then
    return step.was and "~" or "+", ("alias '%s' leads to '%s'%s"):format(step.alias, menu, was)
  elseif op == "default" then
    return step.was and "~" or "+", ("default is '%s'%s"):format(menu, was)
  elseif op == "undefault" then
    return "-", ("no default%s"):format(was)
  elseif op == "relink" then
    local parts = {}
    for i, m in ipairs(step.moves) do parts[i] = ("'%s' to '%s'"):format(m.from_name, m.menu) end
    return "~", "users who have a menu of their own go from " .. table.concat(parts, ", ")
  elseif op == "unalias" then
    return "-", ("remove alias '%s'%s"):format(step.alias, was)
  end
  return "-", ("delete '%s' (%s)"):format(menu, step.id)
end

-- plan.plain(step): the step as a table for JSON. Does not wait.
function plan.plain(step)
  local made = {op = step.op, menu = step.menu, alias = step.alias, was = step.was, richMenuId = step.id}
  if step.moves then
    made.moves = {}
    for i, m in ipairs(step.moves) do made.moves[i] = {from = m.from, menu = m.menu} end
  end
  return made
end

return plan
