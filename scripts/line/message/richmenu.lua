-- Parts of rich menus as the operations take them. To declare a bot's menus, see line.richmenu.

local build = require "line.build"
local grid = require "line.message.grid"

local builder = build.builder

-- LINE's larger usual size.
local WIDTH <const>, HEIGHT <const> = 2500, 1686

local function area(a)
  if a.bounds == nil then
    a.bounds = {x = a.x, y = a.y, width = a.width, height = a.height}
    a.x, a.y, a.width, a.height = nil, nil, nil, nil
  end
  return a
end

local function object(m)
  m.size = m.size or {width = WIDTH, height = HEIGHT}
  if m.selected == nil then m.selected = false end
  return m
end

return {
  -- line.richmenu_object(name, chatBarText, areas[, more]) → richmenu
  -- What line.create_rich_menu takes: 2500 by 1686 and closed at first, unless `size` and `selected` say otherwise.
  richmenu_object = builder("line.richmenu_object", nil, {"name", "chatBarText", "areas"}, object),

  -- line.richmenu_area(x, y, width, height, action[, more]) → richmenu_area
  -- A part of the menu's image, in pixels, and what a tap on it does. With names, `bounds` may be given instead.
  richmenu_area = builder("line.richmenu_area", nil, {"x", "y", "width", "height", "action"}, area),

  -- line.richmenu_grid(columns, rows, actions[, more]) → list of richmenu_area
  -- A menu's areas as cells of a regular grid, row by row; false leaves a cell without one. More: width (2500), height
  -- (1686), and x and y where the grid begins (0).
  richmenu_grid = builder("line.richmenu_grid", nil, {"columns", "rows", "actions"},
    grid.maker("line.richmenu_grid", {width = WIDTH, height = HEIGHT}, function(action, bounds)
      return {bounds = bounds, action = action}
    end)),

  -- line.richmenu_batch.*: operations of line.rich_menu_batch, changes for many users at once.
  richmenu_batch = build.group("line.richmenu_batch", {
    -- line.richmenu_batch.link(from, to[, more]) → richmenu_link
    -- Those who have the menu `from` get the menu `to`.
    link = builder("line.richmenu_batch.link", "link", {"from", "to"}),

    -- line.richmenu_batch.unlink(from[, more]) → richmenu_unlink
    -- Those who have the menu `from` get none of their own.
    unlink = builder("line.richmenu_batch.unlink", "unlink", {"from"}),

    -- line.richmenu_batch.unlink_all([more]) → richmenu_unlink_all
    -- Nobody keeps a menu of their own. Alone in its request.
    unlink_all = builder("line.richmenu_batch.unlink_all", "unlinkAll", {}),
  }),
}
