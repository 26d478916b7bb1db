-- Rich menus as code: line.richmenu{…} declares one while the bot loads; `moonline richmenu plan` and `apply` compare
-- what is declared with what LINE has and bring it there. Declaring alone sends nothing and reads no file.
--
--     line.richmenu{
--       name = "home", image = "home.png", alias = "home", default = true, chatBarText = "Menu",
--       rows = {
--         {line.action.richmenu_switch("Home", "home", "home"), line.action.richmenu_switch("More", "more", "more"),
--           height = 1},
--         {line.action.postback("Order", "order"), line.action.uri("Web", "https://example.com"), height = 4},
--       },
--     }
--
-- The fields:
--   name         tells the bot's menus apart; never shown to users
--   image        a PNG or JPEG file of at most 1 MB, its path from the bot's folder
--   rows         the areas as a grid: rows of actions, with shares row.height and {action, width = share}; or
--   areas        the areas as LINE has them: {bounds = {x=, y=, width=, height=}, action =} each
--   alias        the name by which richmenu_switch actions and line.get_rich_menu_alias find the menu
--   default      true: shown to everybody who has no menu of their own
--   size         "large" (2500x1686), "compact" (2500x843) or {width=, height=}; without it, that of the image
--   chatBarText  the text of the bar below ("Menu")
--   selected     true (unless given): the menu is open when a chat is opened
--
-- A menu with an alias can be given to one user, too, who then has it instead of the default:
--
--     local vip = line.get_rich_menu_alias("vip").richMenuId
--     line.link_rich_menu_id_to_user{userId = event.source.userId, richMenuId = vip}

local core = require "line.core"
local errors = require "line.errors"
local geometry = require "line.richmenu.geometry"
local identity = require "line.richmenu.identity"
local router = require "line.router"

local misuse = errors.misuse

local richmenu = {}

local declared = {} -- in order

local fields = {name = "string", image = "string", rows = "table", areas = "table", alias = "string",
  default = "boolean", chatBarText = "string", selected = "boolean", size = "string or table"}

local field_names = {}
for name in pairs(fields) do field_names[#field_names + 1] = name end
table.sort(field_names)

local function check_fields(t)
  for key, value in pairs(t) do
    local want = fields[key]
    if not want then
      misuse("line.richmenu: unknown field '%s'%s", tostring(key), errors.did_you_mean(tostring(key), field_names))
    end
    if not want:find(type(value), 1, true) then
      misuse("line.richmenu: field '%s' must be a %s, not a %s", key, want, type(value))
    end
  end
  for _, key in ipairs{"name", "image"} do
    if t[key] == nil or t[key] == "" then misuse("line.richmenu: missing field '%s'", key) end
  end
  if (t.rows == nil) == (t.areas == nil) then
    misuse("line.richmenu: %s of 'rows' and 'areas' must be there", t.rows and "only one" or "one")
  end
end

local function size_of(what, size)
  if size == nil then return nil end
  if type(size) == "string" then
    local known = geometry.sizes[size]
    if not known then misuse("%s: size '%s' is none of large, compact, {width =, height =}", what, size) end
    return known
  end
  local problem = geometry.size_problem(size, "size")
  if problem then misuse("%s: %s", what, problem) end
  return {width = math.tointeger(size.width), height = math.tointeger(size.height)}
end

local function check_alone(what, t)
  local problem = identity.name_problem(t.name)
  if problem then misuse("%s: %s", what, problem) end
  if t.alias and (not t.alias:find("^[a-z0-9_-]+$") or #t.alias > 32) then
    misuse("%s: alias '%s' must be 1 to 32 of a-z, 0-9, _ and -", what, t.alias)
  end
  problem = t.rows and geometry.rows_problem(t.rows)
  if problem then misuse("%s: %s", what, problem) end
end

local function check_beside_others(what, t)
  for _, other in ipairs(declared) do
    if other.name == t.name then misuse("%s is declared at %s already", what, other.where) end
    if t.alias and other.alias == t.alias then
      misuse("%s: alias '%s' belongs to '%s' (%s) already", what, t.alias, other.name, other.where)
    end
    if t.default and other.default then
      misuse("%s: '%s' (%s) is the default already; there is one", what, other.name, other.where)
    end
  end
end

-- The line that built a part, when that is known; the menu's own otherwise.
local function where_of(menu, part)
  return type(part) == "table" and core.built_at and core.built_at(part) or menu.where
end

-- The areas of a declared menu in that size, plain and with whole numbers.
local function areas_of(menu, size)
  if menu.rows then return geometry.areas(menu.rows, size) end
  local areas = core.array{}
  for i, area in ipairs(menu.areas) do
    local bounds = {}
    for side, v in pairs(area.bounds) do bounds[side] = math.tointeger(v) or v end
    areas[i] = {bounds = bounds, action = area.action}
  end
  return areas
end

-- richmenu.object(menu, size)
-- Returns the rich menu object as LINE takes it, with the plain name. Does not wait.
function richmenu.object(menu, size)
  return {size = {width = size.width, height = size.height}, selected = menu.selected, name = menu.name,
    chatBarText = menu.chatBarText, areas = core.array(areas_of(menu, size))}
end

-- richmenu.problems(menu, size)
-- size may be nil. Returns two lists of texts with the script's lines in front: problems, warnings. Does not wait.
function richmenu.problems(menu, size)
  local areas = menu.areas or geometry.areas(menu.rows, size or geometry.sizes.large)
  local found, lists = {geometry.check(areas, size)}, {{}, {}}
  for k, list in ipairs(found) do
    for i, p in ipairs(list) do
      local area = areas[p.area]
      lists[k][i] = ("%s: line.richmenu '%s': %s"):format(where_of(menu, area and area.action or area), menu.name,
        p.text)
    end
  end
  return lists[1], lists[2]
end

-- line.richmenu{…}
-- Declares a rich menu for `moonline richmenu plan` and `apply`. Returns nothing. Raises for what LINE would not take,
-- with all that is wrong about the areas at once, and once the bot has loaded. Does not wait.
function richmenu.declare(t)
  if router.is_loaded() then misuse("line.richmenu: menus are declared while the bot loads; this one came after") end
  if type(t) ~= "table" then misuse("line.richmenu: takes a table of fields, not a %s", type(t)) end
  check_fields(t)
  local what = ("line.richmenu '%s'"):format(t.name)
  local size = size_of(what, t.size)
  check_alone(what, t)
  check_beside_others(what, t)
  local menu = {name = t.name, image = t.image, rows = t.rows, areas = t.areas, alias = t.alias, size = size,
    default = t.default or false, chatBarText = t.chatBarText or "Menu", selected = t.selected ~= false,
    where = core.where()}
  local problems = richmenu.problems(menu, size)
  if #problems > 0 then error(table.concat(problems, "\n"), 0) end
  -- Texts and actions have limits, too; they do not depend on the size, which the image may have to tell.
  if core.check then core.check("richmenu", richmenu.object(menu, size or geometry.sizes.large), "", what) end
  declared[#declared + 1] = menu
end

-- richmenu.declared(): the menus in order of their declaration.
function richmenu.declared()
  return declared
end

return richmenu
