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
  sleep = async.sleep,
  spawn = async.spawn,
  all = async.all,
  flex = messages.flex,
  action = messages.action,
  utf16 = build.group("line.utf16", text.utf16),
}

-- Every operation under its own name, and the iterators over those that answer in pages; then builders and short
-- forms, which share three names with operations (multicast, narrowcast, broadcast) and take their form, too.
for _, functions in ipairs{core.operations, pages, messages.builders} do
  for name, fn in pairs(functions) do line[name] = fn end
end
for _, name in ipairs{"reply", "push", "multicast", "narrowcast", "broadcast", "profile"} do
  line[name] = send[name]
end

return build.group("line", line)
