-- The module `line`, as bots see it: require "line".

local account_link = require "line.account_link"
local core = require "line.core"
local async = require "line.async"
local build = require "line.build"
local messages = require "line.messages"
local pages = require "line.pages"
local quota = require "line.quota"
local richmenu = require "line.richmenu"
local router = require "line.router"
local send = require "line.send"
local text = require "line.text"
require "line.content"

local line = {
  on = router.on,
  hear = router.hear,
  postback = router.postback,
  richmenu = richmenu.declare,
  request = core.request,
  quota = quota.get,
  account_link_url = account_link.url,
  account_link_finish = account_link.finish,
  account_link_check = account_link.check,
  now = async.now,
  sleep = async.sleep,
  after = async.after,
  every = async.every,
  spawn = async.spawn,
  all = async.all,
  utf16 = build.group("line.utf16", text.utf16),
}

-- Every operation under its own name, and the iterators over those that answer in pages; then builders and short
-- forms, which share three names with operations (multicast, narrowcast, broadcast) and take their form, too.
for _, functions in ipairs{core.operations, pages.each, messages.builders} do
  for name, fn in pairs(functions) do line[name] = fn end
end
for _, name in ipairs{"reply", "push", "multicast", "narrowcast", "broadcast", "profile"} do
  line[name] = send[name]
end

build.group("line", line)

-- line.check = "strict" (what breaks a limit of LINE raises before it goes), "warn" (it is logged and sent) or "off".
-- Kept in C, where the checks are; so it is no field of the table, and each assignment comes here.
build.settings[line] = {check = true}
local meta = getmetatable(line)
local missing = meta.__index
function meta.__index(t, key)
  if key == "check" then return (core.check_mode()) end
  return missing(t, key)
end
function meta.__newindex(t, key, value)
  if key ~= "check" then return rawset(t, key, value) end
  core.check_mode(value)
end

return line
