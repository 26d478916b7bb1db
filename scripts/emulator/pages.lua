-- Lists that come a page at a time: `start` names where the next one begins. The token is opaque to the caller; it holds
-- the number of entries before the page and the time it was given, and works for a day.

local clock = require "emulator.clock"
local errors = require "emulator.errors"

local pages = {}

local LIFE = 24 * 3600 * 1000

-- pages.cut(list, start, limit) → entries of the page, token of the next page or nil.
-- Raises 400 "Invalid start param" for a token that was not given here or is too old.
function pages.cut(list, start, limit)
  local from = 0
  if start ~= nil and start ~= "" then
    local at, given = tostring(start):match("^p(%x+)t(%x+)$")
    from = at and tonumber(at, 16)
    if not from or clock.now() - tonumber(given, 16) > LIFE then errors.raise(400, "Invalid start param") end
  end
  local page = table.move(list, from + 1, math.min(from + limit, #list), 1, {})
  local following
  if from + limit < #list then following = ("p%xt%x"):format(from + limit, clock.now()) end
  return page, following
end

return pages
