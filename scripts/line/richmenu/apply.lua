-- The steps of a plan, done one after the other. A step that finds its work done already, because an answer was lost
-- the last time, is done.

local identity = require "line.richmenu.identity"

local apply = {}

-- Seconds between questions whether users have been moved; LINE answers 100 of them an hour. In all about ten minutes.
local waits = {1, 1, 2, 2, 3, 5, 5, 10, 10, 15, 20, 30, 30, 30, 60, 60, 60, 120, 120}

-- Calls f; true and its results, or false and the error when that has one of the statuses and its text a part.
-- Raises other errors.
local function unless(status, part, f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 1, results.n) end
  local e = results[2]
  if type(e) == "table" and e.status == status and (not part or tostring(e.message):find(part, 1, true)) then
    return false, e
  end
  error(e, 0)
end

-- Ask until the move is over. Returns "succeeded", "failed" or "ongoing".
local function wait_for(api, request_id)
  for waited, seconds in ipairs(waits) do
    -- LINE needs a moment before it knows the request.
    local known, progress = unless(404, nil, api.progress, request_id)
    if known and progress.phase ~= "ongoing" then return progress.phase end
    if waited == 3 then api.waiting() end
    api.sleep(seconds)
  end
  return "ongoing"
end

local actions = {}

function actions.create(step, api)
  step.target.id = api.create(step.target.object)
end

function actions.upload(step, api)
  local want = step.target
  unless(400, "already been uploaded", api.upload, want.id, want.image)
end

function actions.alias(step, api)
  local alias, id = step.alias, step.target.id
  if step.was then
    if not unless(404, nil, api.update_alias, alias, id) then api.create_alias(alias, id) end
  elseif not unless(400, "conflict", api.create_alias, alias, id) then
    api.update_alias(alias, id)
  end
end

function actions.default(step, api)
  api.set_default(step.target.id)
end

function actions.undefault(_, api)
  api.cancel_default()
end

function actions.unalias(step, api)
  unless(404, nil, api.delete_alias, step.alias)
end

function actions.delete(step, api)
  unless(404, nil, api.delete, step.id)
end

-- One request for all. Its key is made of its moves: after a stop the same request goes on where it was.
-- Returns nil, or why the old menus have to stay.
function actions.relink(step, api)
  local operations = {}
  for i, m in ipairs(step.moves) do operations[i] = {type = "link", from = m.from, to = m.target.id} end
  local key = "moonline-" .. identity.hash(operations)
  for _ = 1, 2 do -- asked again, LINE goes on with those whom it could not move
    local accepted, result = unless(429, nil, api.batch, operations, key)
    if not accepted then
      return "LINE moves users three times an hour, and that is used up; `apply` again in an hour moves them"
    end
    local phase = wait_for(api, result)
    if phase == "succeeded" then return nil end
    if phase == "ongoing" then return "LINE is still moving users; `apply` again later goes on" end
  end
  return "LINE could not move every user; `apply` again goes on with the rest"
end

-- apply.run(made, api, tell)
-- made: a plan. api: LINE's operations (scripts/command/richmenu.lua shows them). tell(step) is called after each.
-- Returns nil when all is done, or why old menus stay that users may still have: the rest is done then. Raises LINE's
-- errors with `step` being the one that failed: {step=, done=, error=}. Waits.
function apply.run(made, api, tell)
  local validated, done, stays, users_of = {}, 0, nil, {}
  local current
  local ok, e = pcall(function()
    for _, step in ipairs(made.steps) do -- nothing is made while LINE dislikes a part
      current = step
      if step.op == "create" and not validated[step.menu] then
        validated[step.menu] = true
        api.validate(step.target.object)
      end
    end
    for _, step in ipairs(made.steps) do
      current = step
      if step.op == "relink" then
        stays = actions.relink(step, api)
        for _, m in ipairs(stays and step.moves or {}) do users_of[m.from] = true end
        if not stays then tell(step) end
      elseif not users_of[step.id] or step.op ~= "delete" then
        actions[step.op](step, api)
        tell(step)
      end
      done = done + 1
    end
  end)
  if not ok then error({step = current, done = done, error = e}, 0) end
  return stays
end

return apply
