-- Areas on a regular grid, for rich menus and imagemaps.

local errors = require "line.errors"

local grid = {}

local function whole(what, fields, name, least)
  local n = math.tointeger(fields[name])
  if not n or n < least then
    errors.misuse("%s: %s is to be an integer from %d, not %s", what, name, least, tostring(fields[name]))
  end
  return n
end

-- grid.maker(what, size, place)
-- Takes the name for messages, the default width and height, and a function that gets an action and its area and
-- returns the entry of the list. Returns a finish function for a builder with the fields columns, rows, actions, width,
-- height, x and y. Cells fill the whole: where the size is no multiple of their number, some are a pixel larger.
function grid.maker(what, size, place)
  return function(fields)
    for k, v in pairs(size) do
      if fields[k] == nil then fields[k] = v end
    end
    local columns, rows = whole(what, fields, "columns", 1), whole(what, fields, "rows", 1)
    local width, height = whole(what, fields, "width", columns), whole(what, fields, "height", rows)
    local x0, y0 = fields.x or 0, fields.y or 0
    local actions, list = fields.actions, {}
    if type(actions) ~= "table" or actions.type then errors.misuse("%s: actions is to be a list of actions", what) end
    if #actions > columns * rows then
      errors.misuse("%s: %d actions do not fit into %d by %d cells", what, #actions, columns, rows)
    end
    for i = 1, columns * rows do
      local action = actions[i]
      if action then
        if type(action) ~= "table" then errors.misuse("%s: action %d is a %s", what, i, type(action)) end
        local column, row = (i - 1) % columns, (i - 1) // columns
        local left, top = column * width // columns, row * height // rows
        list[#list + 1] = place(action, {x = x0 + left, y = y0 + top,
          width = (column + 1) * width // columns - left, height = (row + 1) * height // rows - top})
      end
    end
    return list
  end
end

return grid
