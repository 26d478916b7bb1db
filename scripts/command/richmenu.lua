-- moonline richmenu plan|apply PATH: the rich menus that a bot declares (line.richmenu), and those that LINE has.
-- plan shows what is to be done, apply does it. See scripts/line/richmenu/plan.lua for what, and in which order.

local core = require "line.core"
local apply = require "line.richmenu.apply"
local async = require "line.async"
local geometry = require "line.richmenu.geometry"
local identity = require "line.richmenu.identity"
local images = require "line.richmenu.image"
local json = require "json"
local plan = require "line.richmenu.plan"
local richmenu = require "line.richmenu"

local DONE, FAILED = 0, 1
local inner = core.inner

-- ---- LINE ----

local api = {sleep = async.sleep}

function api.create(object) return inner.create_rich_menu(object, nil, "create_rich_menu").richMenuId end
function api.validate(object) inner.validate_rich_menu_object(object, nil, "validate_rich_menu_object") end
function api.upload(id, image)
  inner.set_rich_menu_image({richMenuId = id, image = image.bytes}, nil, "set_rich_menu_image")
end
function api.set_default(id) inner.set_default_rich_menu(id, nil, "set_default_rich_menu") end
function api.cancel_default() inner.cancel_default_rich_menu(nil, nil, "cancel_default_rich_menu") end
function api.create_alias(alias, id)
  inner.create_rich_menu_alias({richMenuAliasId = alias, richMenuId = id}, nil, "create_rich_menu_alias")
end
function api.update_alias(alias, id)
  inner.update_rich_menu_alias({richMenuAliasId = alias, richMenuId = id}, nil, "update_rich_menu_alias")
end
function api.delete_alias(alias) inner.delete_rich_menu_alias(alias, nil, "delete_rich_menu_alias") end
function api.delete(id) inner.delete_rich_menu(id, nil, "delete_rich_menu") end

-- Returns the request id, by which progress is asked for.
function api.batch(operations, key)
  local _, id = inner.rich_menu_batch({operations = operations, resumeRequestKey = key}, nil, "rich_menu_batch")
  return id
end
function api.progress(request_id)
  return (inner.get_rich_menu_batch_progress({requestId = request_id}, nil, "get_rich_menu_batch_progress"))
end

local function has_image(id)
  local ok, result = pcall(inner.get_rich_menu_image, id, nil, "get_rich_menu_image")
  if ok then
    result:close() -- nobody needs the bytes
  elseif type(result) ~= "table" or result.status ~= 404 then
    error(result, 0)
  end
  return ok
end

-- The id of the default, or nil. One that another channel of the account set is refused to us, yet it is there.
local function read_default()
  local ok, result = pcall(inner.get_default_rich_menu_id, nil, nil, "get_default_rich_menu_id")
  if ok then return result.richMenuId end
  if type(result) == "table" and result.status == 404 then return nil end
  if type(result) == "table" and result.status == 403 then return "a menu of another channel" end
  error(result, 0)
end

local function read_remote()
  local remote = {
    menus = inner.get_rich_menu_list(nil, nil, "get_rich_menu_list").richmenus or {},
    aliases = inner.get_rich_menu_alias_list(nil, nil, "get_rich_menu_alias_list").aliases or {},
    default = read_default(), images = {},
  }
  for _, id in ipairs(plan.doubtful(remote)) do remote.images[id] = has_image(id) end
  return remote
end

-- ---- the bot ----

-- The image of a menu, {path=, bytes=, type=, width=, height=}, or nil and what is wrong with it.
local function read_image(menu, read)
  local bytes, why = read(menu.image)
  if not bytes then return nil, ("image cannot be read: %s"):format(why) end
  local what = ("image %s"):format(menu.image)
  local image
  image, why = images.look(bytes)
  if not image then return nil, what .. ": " .. why end
  if #bytes > images.most then
    return nil, ("%s has %d bytes, and LINE takes %d"):format(what, #bytes, images.most)
  end
  image.path, image.bytes = menu.image, bytes
  local size = menu.size
  why = geometry.size_problem(image, what)
  if not why and size and (image.width ~= size.width or image.height ~= size.height) then
    why = ("%s is %dx%d and the menu's size %dx%d; they must be equal"):format(what, image.width, image.height,
      size.width, size.height)
  end
  if why then return nil, why end
  return image
end

-- The declared menus, ready for plan.make, and two lists of texts: what forbids to go on, and warnings.
local function read_declared(read)
  local wanted, problems, warnings = {}, {}, {}
  for _, menu in ipairs(richmenu.declared()) do
    local image, why = read_image(menu, read)
    if not image then
      problems[#problems + 1] = ("%s: line.richmenu '%s': %s"):format(menu.where, menu.name, why)
    else
      local size = {width = image.width, height = image.height}
      local wrong, odd = richmenu.problems(menu, size)
      table.move(wrong, 1, #wrong, #problems + 1, problems)
      table.move(odd, 1, #odd, #warnings + 1, warnings)
      if #wrong == 0 then
        local object = richmenu.object(menu, size)
        local label = identity.join(menu.name, identity.hash(object, image.bytes))
        object.name = label
        wanted[#wanted + 1] = {name = menu.name, label = label, object = object, alias = menu.alias,
          default = menu.default, image = image, where = menu.where}
      end
    end
  end
  return wanted, problems, warnings
end

-- ---- talking ----

local function count(n, one, many)
  return ("%d %s"):format(n, n == 1 and one or many)
end

local function left_alone(made)
  local parts = {}
  if #made.unchanged > 0 then parts[1] = count(#made.unchanged, "menu is", "menus are") .. " as declared" end
  if made.foreign > 0 then
    parts[#parts + 1] = count(made.foreign, "menu", "menus") .. " not made by moonline left alone"
  end
  return table.concat(parts, "; ")
end

local function print_step(out, step)
  out.print(("  %s %s"):format(plan.sentence(step)))
end

local function plain_steps(steps)
  local list = core.array{}
  for i, step in ipairs(steps) do list[i] = plan.plain(step) end
  return list
end

local function print_json(out, made, steps, more)
  local object = {steps = plain_steps(steps), unchanged = core.array(made.unchanged), foreign = made.foreign,
    warnings = core.array(made.warnings)}
  for k, v in pairs(more or {}) do object[k] = v end
  out.print(json.encode(object))
end

-- ---- the two commands ----

local function show(made, out)
  if out.json then
    print_json(out, made, made.steps)
    return DONE
  end
  for _, step in ipairs(made.steps) do print_step(out, step) end
  local rest = left_alone(made)
  if rest ~= "" then out.print("  = " .. rest) end
  out.print(#made.steps == 0 and "nothing to do" or count(#made.steps, "step", "steps")
    .. "; `moonline richmenu apply` takes them")
  return DONE
end

-- What stopped an apply, in a sentence that says what is to be done about it.
local function stopped(e, made)
  if type(e) ~= "table" or not e.step then return tostring(e) end
  local _, sentence = plan.sentence(e.step)
  local why = tostring(e.error):gsub("^%?: ", "")
  return ("stopped with %d of %s done, at: %s\n  %s\nEvery menu that users see is whole; `apply` again goes on here.")
    :format(e.done, count(#made.steps, "step", "steps"), sentence, why)
end

local function carry_out(made, out)
  local done = {}
  function api.waiting()
    if out.terminal then out.print("    LINE is moving users to their new menus …") end
  end
  local ok, result = pcall(apply.run, made, api, function(step)
    done[#done + 1] = step
    if not out.json then print_step(out, step) end
  end)
  local failure = not ok and stopped(result, made) or result
  if out.json then
    print_json(out, made, done, {error = failure})
  else
    local rest = left_alone(made)
    if rest ~= "" then out.print("  = " .. rest) end
    if not failure then out.print(#done == 0 and "nothing to do" or count(#done, "step", "steps") .. " done") end
  end
  if not failure then return DONE end
  out.fail(ok and "old menus stay for now: " .. failure or failure)
  return FAILED
end

return function(args, out)
  local wanted, problems, warnings = read_declared(out.read)
  if #problems > 0 then
    for _, text in ipairs(problems) do out.fail(text) end
    return FAILED
  end
  local made = plan.make(wanted, read_remote())
  table.move(made.warnings, 1, #made.warnings, #warnings + 1, warnings)
  made.warnings = warnings
  for _, text in ipairs(warnings) do out.fail("warning: " .. text) end
  return args[1] == "apply" and carry_out(made, out) or args[1] == "plan" and show(made, out)
end
