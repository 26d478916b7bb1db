-- An event and what the bot answered, as the text of a test: a world, the deed, what is expected. In Lua (a
-- table, for a runner of one's own), Python's unittest, or curl.

local calls = require "emulator.calls"
local errors = require "emulator.errors"
local json = require "json"
local records = require "emulator.records"
local world = require "emulator.world"

local recipe = {}

local PRETTY = {pretty = true}

-- The deed that made the event: what stands in the event is what the person did.
local function deed_of(record)
  local event = record.event
  local source = event.source or {}
  local deed = {as = source.userId, chat = record.chat}
  local kind = event.type
  if kind == "message" then
    deed["do"], deed.message = "message", {}
    for name, value in pairs(event.message) do deed.message[name] = value end
    for _, name in ipairs{"id", "quoteToken", "markAsReadToken", "quotedMessageId", "imageSet"} do
      deed.message[name] = nil
    end
    local kept = world.state.media[event.message.id]
    if kept then
      deed.message.contentProvider = nil
      deed.message.media, deed.message.mediaType = require("crypto").base64(kept.body), kept.type
    end
  elseif kind == "postback" then
    deed["do"], deed.data, deed.params = "postback", event.postback.data, event.postback.params
  elseif kind == "follow" or kind == "unfollow" then
    deed["do"] = kind
  elseif kind == "beacon" then
    deed["do"], deed.type, deed.hwid, deed.dm = "beacon", event.beacon.type, event.beacon.hwid, event.beacon.dm
  else
    deed["do"], deed.event = "event", {}
    for name, value in pairs(event) do deed.event[name] = value end
    for _, name in ipairs{"webhookEventId", "replyToken", "timestamp", "deliveryContext", "mode"} do
      deed.event[name] = nil
    end
  end
  return deed
end

-- What the bot called because of it: operation and messages.
local function answers_of(record)
  local list = {}
  for _, id in ipairs(record.calls) do
    local call = calls.get(id)
    if call and call.status and call.status < 300 then
      local ok, body = pcall(json.decode, call.request.body or "")
      list[#list + 1] = {operation = call.operation, messages = ok and type(body) == "table" and body.messages or nil}
    end
  end
  return list
end

-- ---- Lua text ----

local function lua_of(value, indent)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  if type(value) ~= "table" then return tostring(value) end
  local inner = indent .. "  "
  local parts, keys = {}, {}
  for i = 1, #value do parts[i] = lua_of(value[i], inner) end
  for key in pairs(value) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local name = key:find("^[%a_][%w_]*$") and key ~= "do" and key ~= "end" and key or ("[%q]"):format(key)
    parts[#parts + 1] = name .. " = " .. lua_of(value[key], inner)
  end
  local line = "{" .. table.concat(parts, ", ") .. "}"
  if #line + #indent <= 100 and not line:find("\n") then return line end
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. ",\n" .. indent .. "}"
end

local function lua(record, deed, answers)
  return table.concat({
    "-- What the bot does with this " .. record.event.type .. " event. The steps are controls of the emulator: each is",
    "-- POST /_/act; what is expected are calls of the bot, in order.",
    "return {",
    "  steps = {" .. "\n    " .. lua_of(deed, "    ") .. ",\n  },",
    "  expect = " .. lua_of(answers, "  ") .. ",",
    "}", "",
  }, "\n")
end

-- ---- Python ----

local PYTHON = [=[
"""What the bot does with this %s event. The emulator runs, the bot's webhook is set; EMULATOR is its address."""
import json
import os
import unittest
import urllib.parse
import urllib.request

EMULATOR = os.environ.get("EMULATOR", "http://127.0.0.1:9090")
DEED = json.loads(r"""%s""")
EXPECTED = json.loads(r"""%s""")


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(EMULATOR + path, data)) as answer:
        return json.load(answer)


class Answers(unittest.TestCase):
    def test_answers(self):
        since = ask("/_/act", DEED)["seq"]
        for expected in EXPECTED:
            query = urllib.parse.urlencode({"kind": "call", "since": since, "operation": expected["operation"]})
            call = ask("/_/wait?" + query)["item"]
            since = call["seq"]
            self.assertEqual(call["status"] // 100, 2)
            if "messages" in expected:
                self.assertEqual(json.loads(call["request"]["body"])["messages"], expected["messages"])


if __name__ == "__main__":
    unittest.main()
]=]

local function python(record, deed, answers)
  -- A raw text of Python keeps the escapes of JSON; three quotes in a row cannot stand in JSON but for escaped ones.
  return PYTHON:format(record.event.type, json.encode(deed, PRETTY), json.encode(json.array(answers), PRETTY))
end

-- ---- curl ----

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function curl(_, deed, answers)
  local lines = {
    "#!/bin/sh", "# Plays the event and shows the bot's calls; the emulator's address is in EMULATOR.",
    "E=${EMULATOR:-http://127.0.0.1:9090}",
    "DONE=$(curl -s \"$E/_/act\" -d " .. quoted(json.encode(deed)) .. ")",
    "SEQ=$(printf %s \"$DONE\" | sed 's/.*\"seq\":\\([0-9]*\\).*/\\1/')",
  }
  for _, answer in ipairs(answers) do
    lines[#lines + 1] = "# expected: " .. json.encode(answer)
    lines[#lines + 1] = ("curl -s \"$E/_/wait?kind=call&operation=%s&since=$SEQ\"; echo"):format(answer.operation)
  end
  return table.concat(lines, "\n") .. "\n"
end

local FORMS = {
  lua = {lua, "text/x-lua; charset=utf-8"},
  python = {python, "text/x-python; charset=utf-8"},
  curl = {curl, "text/x-shellscript; charset=utf-8"},
}

-- recipe.make(event id, form) → text, content type. Raises a refusal.
function recipe.make(id, form)
  local record = records.get(id)
  if not record then errors.raise(404, ("there is no event %s among those kept"):format(tostring(id))) end
  local make = FORMS[form]
  if not make then errors.raise(400, "as: lua, python or curl") end
  return make[1](record, deed_of(record), answers_of(record)), make[2]
end

return recipe
