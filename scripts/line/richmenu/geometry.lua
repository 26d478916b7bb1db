-- Where the areas of a rich menu are: from rows to rectangles, and whether rectangles fit.

local geometry = {}

geometry.sizes = {large = {width = 2500, height = 1686}, compact = {width = 2500, height = 843}}

local most_areas = 20
local least_width, most_width, least_height, least_ratio = 800, 2500, 250, 1.45

local whole = math.tointeger

-- The inner borders of parts whose shares are given, so that the parts fill `length` without a gap.
local function borders(shares, length)
  local sum, before, list = 0, 0, {[0] = 0}
  for _, share in ipairs(shares) do sum = sum + share end
  for i, share in ipairs(shares) do
    before = before + share
    list[i] = whole(length * before // sum)
  end
  return list
end

-- A cell is an action, {action, width = share}, or false for a place where nothing can be tapped.
local function cell_parts(cell)
  if type(cell) == "table" and cell.type == nil then return cell[1] or false, cell.width or 1 end
  return cell, 1
end

-- geometry.rows_problem(rows)
-- Returns nil when rows are well-formed, or what is wrong: "rows[2][1]: …". Does not wait.
function geometry.rows_problem(rows)
  local function share(value, place)
    if value ~= nil and not (type(value) == "number" and value > 0) then
      return ("%s must be a number above 0, not %s"):format(place, tostring(value))
    end
  end
  if #rows == 0 then return "rows is empty; a row is a list of actions" end
  for r, row in ipairs(rows) do
    if type(row) ~= "table" or row.type ~= nil then
      return ("rows[%d] must be a list of actions, such as {a, b}"):format(r)
    end
    if #row == 0 then return ("rows[%d] has no cell; {false} is a row without actions"):format(r) end
    local problem = share(row.height, ("rows[%d].height"):format(r))
    if problem then return problem end
    for c = 1, #row do
      local place = ("rows[%d][%d]"):format(r, c)
      local action, width = cell_parts(row[c])
      if action ~= false and (type(action) ~= "table" or action.type == nil) then
        return place .. " must be an action, {action, width = share} or false"
      end
      problem = share(width, place .. ".width")
      if problem then return problem end
    end
  end
end

-- geometry.areas(rows, size)
-- rows: list from top to bottom of lists of cells from left to right; row.height and cell.width are shares of the whole
-- (1 unless given), so pixels do as well. Returns the areas. Does not wait.
function geometry.areas(rows, size)
  local areas, heights = {}, {}
  for r, row in ipairs(rows) do heights[r] = row.height or 1 end
  local y = borders(heights, size.height)
  for r, row in ipairs(rows) do
    local widths = {}
    for c = 1, #row do widths[c] = select(2, cell_parts(row[c])) end
    local x = borders(widths, size.width)
    for c = 1, #row do
      local action = cell_parts(row[c])
      if action then
        areas[#areas + 1] = {action = action, bounds = {x = x[c - 1], y = y[r - 1], width = x[c] - x[c - 1],
          height = y[r] - y[r - 1]}}
      end
    end
  end
  return areas
end

-- geometry.size_problem(size, what)
-- what: "size" or the image's name, for the text. Returns nil, or why LINE would not take it. Does not wait.
function geometry.size_problem(size, what)
  local w, h = whole(size.width), whole(size.height)
  if not w or not h then return what .. " must have a width and a height in whole pixels" end
  local shown = ("%s is %dx%d; "):format(what, w, h)
  if w < least_width or w > most_width then
    return shown .. ("the width must be %d to %d pixels"):format(least_width, most_width)
  end
  if h < least_height then return shown .. ("the height must be at least %d pixels"):format(least_height) end
  if w / h < least_ratio then
    return shown .. ("width / height is %.3f and must be at least %.2f, so the height at most %d here"):format(w / h,
      least_ratio, whole(w // least_ratio))
  end
end

local function bounds_text(b)
  return ("x %d to %d, y %d to %d"):format(b.x, b.x + b.width, b.y, b.y + b.height)
end

local function bounds_problem(b, size)
  if type(b) ~= "table" then return "bounds is missing" end
  for _, side in ipairs{"x", "y", "width", "height"} do
    local v, least = b[side], (side == "width" or side == "height") and 1 or 0
    if v == nil then return ("bounds.%s is missing"):format(side) end
    if type(v) ~= "number" or not whole(v) or v < least then
      return ("bounds.%s is %s and must be a whole number of pixels from %d on"):format(side, tostring(v), least)
    end
  end
  if size and (b.x + b.width > size.width or b.y + b.height > size.height) then
    return ("bounds (%s) are outside of the menu's %dx%d"):format(bounds_text(b), size.width, size.height)
  end
end

local function overlap(a, b)
  return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
end

-- geometry.check(areas, size)
-- size may be nil while it is not known yet. Returns two lists of {area = number or nil, text =}: problems, because of
-- which LINE would refuse the menu or show it wrong, and warnings. Does not wait.
function geometry.check(areas, size)
  local problems, warnings, good = {}, {}, {}
  if #areas > most_areas then
    problems[1] = {text = ("areas: there are %d, and a menu may have %d"):format(#areas, most_areas)}
  end
  for i, area in ipairs(areas) do
    local problem = type(area) ~= "table" and "must be {bounds = …, action = …}" or bounds_problem(area.bounds, size)
      or (type(area.action) ~= "table" or area.action.type == nil) and "action is missing"
    if problem then
      problems[#problems + 1] = {area = i, text = ("areas[%d]: %s"):format(i, problem)}
    else
      for _, other in ipairs(good) do
        if overlap(areas[other].bounds, area.bounds) then
          warnings[#warnings + 1] = {area = i, text = ("areas[%d] (%s) overlaps areas[%d] (%s); where both are, only "
            .. "one can answer a tap"):format(i, bounds_text(area.bounds), other, bounds_text(areas[other].bounds))}
        end
      end
      good[#good + 1] = i
    end
  end
  return problems, warnings
end

return geometry
