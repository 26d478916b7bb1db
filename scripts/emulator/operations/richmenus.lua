-- Rich menus: objects, images, aliases, who sees which, and requests for many people at once.
-- https://developers.line.biz/en/reference/messaging-api/#rich-menu
--
-- A channel keeps in channel.richmenus: menus[id] = {menu=, since=, image = {type=, body=, width=, height=}?, order=},
-- aliases[id] = menu id, default = menu id, users[userId] = menu id, batches[request id] = {phase=, accepted=,
-- completed=?}, resume[resumeRequestKey] = ms.

local json = require "json"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local feed = require "emulator.feed"
local ids = require "emulator.ids"
local image_size = require "emulator.image_size"
local world = require "emulator.world"

local richmenus = {}

local MOST = 1000                   -- menus, and aliases, of a channel
local IMAGE_MOST, BODY_MOST = 1024 * 1024, 2 * 1024 * 1024 -- bytes
local SECONDS_OF_ASYNC = 1          -- what "bulk" and "batch" take; LINE says seconds
local BATCH_KEPT = 14 * 86400 * 1000

-- Some refusals have an empty list of details, as in the reference's examples.
local function refuse(status, why) errors.raise(status, why, json.array {}) end

-- One error of the request body; of some the status is 404.
local function wrong(why, property, status)
  errors.raise(status or 400, "The request body has 1 error(s)", {{message = why, property = property}})
end

local function state(channel)
  local s = channel.richmenus
  if not s then
    s = {menus = {}, aliases = {}, users = {}, batches = {}, order = 0}
    channel.richmenus = s
  end
  return s
end

local function changed(what) feed.put("world", {what = "richmenu", id = what}) end

local function not_found() errors.raise(404, "Not found") end

-- The menu of an id of the path, or 404.
local function menu_of(call)
  return state(call.channel).menus[call.path.richMenuId] or not_found()
end

local function with_image(record)
  if not record.image then refuse(400, "must upload richmenu image before applying it to user") end
  return record
end

local function is_user(id) return type(id) == "string" and id:find("^U[0-9a-f]+$") ~= nil and #id == 33 end

local function is_menu(id) return type(id) == "string" and id:find("^richmenu%-%x+$") ~= nil and #id == 41 end

local function user_of(call)
  if not is_user(call.path.userId) then
    errors.raise(400, "The value for the 'userId' parameter is invalid")
  end
  return call.path.userId
end

-- ---- menus ----

local function public(id, record)
  local menu = {}
  for k, v in pairs(record.menu) do menu[k] = v end
  menu.richMenuId = id
  return menu
end

function richmenus.create_rich_menu(call)
  local s = state(call.channel)
  local n = 0
  for _ in pairs(s.menus) do n = n + 1 end
  if n >= MOST then errors.raise(400, "rich menu count exceeded the limit") end
  local id = ids.richmenu()
  s.order = s.order + 1
  local body = call.body
  s.menus[id] = {
    menu = {size = body.size, selected = body.selected, name = body.name, chatBarText = body.chatBarText,
      areas = json.array(body.areas or {})},
    since = clock.now(), order = s.order,
  }
  changed(id)
  return {richMenuId = id}
end

function richmenus.validate_rich_menu_object() return nil end

function richmenus.get_rich_menu(call) return public(call.path.richMenuId, menu_of(call)) end

function richmenus.get_rich_menu_list(call)
  local s = state(call.channel)
  local list = json.array {}
  for id in pairs(s.menus) do list[#list + 1] = id end
  table.sort(list, function(a, b) return s.menus[a].order > s.menus[b].order end)
  for i, id in ipairs(list) do list[i] = public(id, s.menus[id]) end
  return {richmenus = list}
end

-- Whoever saw it keeps it until the chat is opened anew; here that is at once.
function richmenus.delete_rich_menu(call)
  local s = state(call.channel)
  local id = call.path.richMenuId
  menu_of(call)
  s.menus[id] = nil
  if s.default == id then s.default = nil end
  for user, menu in pairs(s.users) do
    if menu == id then s.users[user] = nil end
  end
  changed(id)
  return nil
end

-- ---- images ----

function richmenus.set_rich_menu_image(call)
  if call.type ~= "image/jpeg" and call.type ~= "image/png" then errors.raise(415, "Unsupported media type") end
  if #call.raw > BODY_MOST then errors.raise(413, "Request Entity Too Large") end
  local record = menu_of(call)
  if record.image then errors.raise(400, "An image has already been uploaded to the richmenu") end
  local kind, width, height = image_size.of(call.raw)
  if kind and kind ~= call.type then errors.raise(400, ("The image is %s, not %s"):format(kind, call.type)) end
  if not kind or #call.raw > IMAGE_MOST or width < 800 or width > 2500 or height < 250 or width / height < 1.45 then
    errors.raise(400, "The image size is not allowed for richmenu")
  end
  record.image = {type = kind, body = call.raw, width = width, height = height}
  changed(call.path.richMenuId)
  return nil
end

function richmenus.get_rich_menu_image(call)
  local record = menu_of(call)
  if not record.image then not_found() end
  return 200, record.image.body, {["content-type"] = record.image.type}
end

-- ---- the default ----

function richmenus.set_default_rich_menu(call)
  with_image(menu_of(call))
  state(call.channel).default = call.path.richMenuId
  changed(call.path.richMenuId)
  return nil
end

function richmenus.get_default_rich_menu_id(call)
  local id = state(call.channel).default
  if not id then refuse(404, "no default richmenu") end
  return {richMenuId = id}
end

function richmenus.cancel_default_rich_menu(call)
  state(call.channel).default = nil
  changed()
  return nil
end

-- ---- aliases ----

local function is_alias(id) return type(id) == "string" and #id <= 32 and id:find("^[a-z0-9_-]+$") ~= nil end

local function alias_of(call)
  local id = call.path.richMenuAliasId
  if not is_alias(id) then errors.raise(400, "The value for the 'richMenuAliasId' parameter is invalid") end
  if not state(call.channel).aliases[id] then refuse(404, "richmenu alias not found") end
  return id
end

-- The menu an alias is to mean.
local function target_of(call)
  local id = call.body.richMenuId
  if not is_menu(id) then wrong("invalid richMenuId", "richMenuId") end
  local record = state(call.channel).menus[id]
  if not record or not record.image then refuse(400, "richmenu not found") end
  return id
end

function richmenus.create_rich_menu_alias(call)
  local s = state(call.channel)
  local id = call.body.richMenuAliasId
  if not is_alias(id) then wrong("invalid richMenuAliasId", "richMenuAliasId") end
  if s.aliases[id] then refuse(400, "conflict richmenu alias id") end
  local n = 0
  for _ in pairs(s.aliases) do n = n + 1 end
  if n >= MOST then errors.raise(400, "rich menu alias count exceeded the limit") end
  s.aliases[id] = target_of(call)
  changed(id)
  return nil
end

function richmenus.update_rich_menu_alias(call)
  local id = alias_of(call)
  state(call.channel).aliases[id] = target_of(call)
  changed(id)
  return nil
end

function richmenus.get_rich_menu_alias(call)
  local id = alias_of(call)
  return {richMenuAliasId = id, richMenuId = state(call.channel).aliases[id]}
end

function richmenus.get_rich_menu_alias_list(call)
  local list = json.array {}
  for id, menu in pairs(state(call.channel).aliases) do list[#list + 1] = {richMenuAliasId = id, richMenuId = menu} end
  table.sort(list, function(a, b) return a.richMenuAliasId < b.richMenuAliasId end)
  return {aliases = list}
end

function richmenus.delete_rich_menu_alias(call)
  state(call.channel).aliases[alias_of(call)] = nil
  changed()
  return nil
end

-- ---- people ----

-- Ids that are nobody's, or nobody's who could see it: accepted, and nothing happens. menu nil: unlinks.
local function link(channel, user, menu)
  if not world.is_friend(channel, user) then return end
  state(channel).users[user] = menu
end

function richmenus.link_rich_menu_id_to_user(call)
  local user = user_of(call)
  with_image(menu_of(call))
  link(call.channel, user, call.path.richMenuId)
  changed(user)
  return nil
end

function richmenus.unlink_rich_menu_id_from_user(call)
  local user = user_of(call)
  link(call.channel, user, nil)
  changed(user)
  return nil
end

function richmenus.get_rich_menu_id_of_user(call)
  local id = state(call.channel).users[user_of(call)]
  if not id or not world.is_friend(call.channel, call.path.userId) then refuse(404, "the user has no richmenu") end
  return {richMenuId = id}
end

local function check_users(call)
  for i, user in ipairs(call.body.userIds) do
    if not is_user(user) then errors.property(("userIds[%d]"):format(i - 1)) end
  end
end

-- Replaced as a whole by a load: look the channel up again when it is time.
local function later(call, fn)
  local id = call.channel.id
  clock.after(SECONDS_OF_ASYNC * 1000, function()
    local channel = world.state.channels[id]
    if channel then
      fn(channel)
      changed()
    end
  end)
end

function richmenus.link_rich_menu_id_to_users(call)
  local id = call.body.richMenuId
  if not is_menu(id) then wrong("invalid richMenuId", "richMenuId") end
  check_users(call)
  local record = state(call.channel).menus[id]
  if not record then refuse(404, "richmenu not found") end
  with_image(record)
  local users = call.body.userIds
  later(call, function(channel)
    for _, user in ipairs(users) do link(channel, user, id) end
  end)
  return 202, {}
end

function richmenus.unlink_rich_menu_id_from_users(call)
  check_users(call)
  local users = call.body.userIds
  later(call, function(channel)
    for _, user in ipairs(users) do link(channel, user, nil) end
  end)
  return 202, {}
end

-- ---- batches ----

-- Every operation looks at who had which menu before the request.
local function check_batch(call)
  local s, seen = state(call.channel), {}
  for i, op in ipairs(call.body.operations) do
    local at = ("operations[%d]."):format(i - 1)
    if op.type == "unlinkAll" and #call.body.operations > 1 then
      wrong("'unlinkAll' type can't be combined with other type", "operations[].type")
    end
    for _, side in ipairs{"from", "to"} do
      local id = op[side]
      if id and not is_menu(id) then wrong("invalid richMenuId", at .. side) end
      if id and not s.menus[id] then wrong(("Richmenu (%s) is not found"):format(id), at .. side, 404) end
    end
    if op.from and seen[op.from] then
      wrong(("from richmenu (%s) is duplicated"):format(op.from), "operations[].from")
    end
    seen[op.from or false] = true
    if op.to and not s.menus[op.to].image then
      wrong(("'to' richmenu (%s) must have image but it doesn't"):format(op.to), at .. "to")
    end
  end
end

function richmenus.validate_rich_menu_batch_request(call)
  check_batch(call)
  return nil
end

function richmenus.rich_menu_batch(call)
  check_batch(call)
  local operations, id, key = call.body.operations, call.request_id, call.body.resumeRequestKey
  local now, mine = clock.now(), state(call.channel)
  mine.batches[id] = {phase = "ongoing", accepted = now}
  for old, batch in pairs(mine.batches) do
    if now - batch.accepted > BATCH_KEPT then mine.batches[old] = nil end
  end
  -- With a key that is known the request goes on with whom the first one did not get to: here, with nobody.
  mine.resume = mine.resume or {}
  for old, since in pairs(mine.resume) do
    if now - since > BATCH_KEPT then mine.resume[old] = nil end
  end
  if key and mine.resume[key] then operations = {} end
  if key then mine.resume[key] = mine.resume[key] or now end
  later(call, function(channel)
    local s = state(channel)
    local before = {}
    for user, menu in pairs(s.users) do before[user] = menu end
    for _, op in ipairs(operations) do
      for user, menu in pairs(before) do
        if op.type == "unlinkAll" or menu == op.from then s.users[user] = op.type == "link" and op.to or nil end
      end
    end
    s.batches[id].phase = "succeeded"
    s.batches[id].completed = clock.now()
  end)
  return 202, {}
end

local function iso(ms) return os.date("!%Y-%m-%dT%H:%M:%S", ms // 1000) .. (".%03dZ"):format(ms % 1000) end

function richmenus.get_rich_menu_batch_progress(call)
  local request = call.query.requestId
  if not request:find("^%x+%-%x+%-%x+%-%x+%-%x+$") or #request ~= 36 then
    errors.raise(400, "The value for the 'requestId' parameter is invalid")
  end
  local batch = state(call.channel).batches[request]
  if not batch or clock.now() - batch.accepted > BATCH_KEPT then not_found() end
  return {
    phase = batch.phase, acceptedTime = iso(batch.accepted), completedTime = batch.completed and iso(batch.completed),
  }
end

-- ---- for the phone ----

-- richmenus.effective(channel, userId) → id, menu, image; nil when there is none. The person's own before the default.
function richmenus.effective(channel, user)
  local s = state(channel)
  local id = world.is_friend(channel, user) and s.users[user] or s.default
  local record = id and s.menus[id]
  if not record then return nil end
  return id, record.menu, record.image
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

-- richmenus.area(channel, userId, action) → id of the menu that is shown, number of its first area with that action;
-- nil when there is none.
function richmenus.area(channel, user, action)
  local id, menu = richmenus.effective(channel, user)
  for i, area in ipairs(menu and menu.areas or {}) do
    if same(area.action, action) then return id, i end
  end
end

-- richmenus.get(channel, id) → its record: {menu=, since=, image=}, or nil.
function richmenus.get(channel, id) return state(channel).menus[id] end

-- richmenus.image(channel, id) → {type=, body=} or nil.
function richmenus.image(channel, id)
  local record = state(channel).menus[id]
  return record and record.image
end

-- richmenus.switch(channel, userId, alias) → status of the postback's params, id of the menu that is shown now.
-- https://developers.line.biz/en/reference/messaging-api/#postback-params-object-for-richmenu-switch-action
function richmenus.switch(channel, user, alias)
  local s = state(channel)
  local id = s.aliases[alias]
  if not id then return "RICHMENU_ALIAS_ID_NOTFOUND" end
  if not s.menus[id] then return "RICHMENU_NOTFOUND" end
  if not s.menus[id].image then return "FAILED" end
  s.users[user] = id
  changed(user)
  return "SUCCESS", id
end

return richmenus
