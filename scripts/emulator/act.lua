-- What a person does. Each deed is a row: what it is, its fields, and a function of the scene (act_base.lua).

local base = require "emulator.act_base"
local near = require "emulator.near"

local act = {}

local deeds = {}
for _, file in ipairs{"act_say", "act_tap", "act_people", "act_more"} do
  for name, deed in pairs(require("emulator." .. file)) do deeds[name] = deed end
end
act.deeds = deeds

-- Fields that any deed has.
local COMMON = {as = true, chat = true, channel = true, ["do"] = true}

-- act.perform(body) → {entry = its message's entry?, events = {webhookEventId, …}, …}. body: {as, chat?, channel?,
-- do, …}. Raises a refusal that names the field which is wrong.
function act.perform(body)
  if type(body) ~= "table" then
    base.refuse("an object is needed, as {\"as\":\"U…\",\"do\":\"message\",\"message\":{…}}")
  end
  local deed = deeds[body["do"]]
  if not deed then base.refuse("do: %s", near.unknown(tostring(body["do"]), deeds)) end
  for name in pairs(body) do
    if not COMMON[name] and not deed.fields[name] then
      base.refuse("%s: '%s' has no such field; it has %s", tostring(name), body["do"], near.list(deed.fields, COMMON))
    end
  end
  local a = base.scene(body)
  deed.fn(a)
  local answer = a.answer or {}
  answer.entry, answer.events = a.entry, require("json").array(a.events)
  return answer
end

return act
