#!/usr/bin/python3
"""Builders in a real bot: what each makes, what goes over the wire, and which line of which file a part remembers."""

import os

from harness import Scenario, main, text

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = 'local line = require "line"\n'

# Runs the cases of the specs in a bot; one wrong case fails the load with its name.
CASES = LINE + """
local function show(v)
  if type(v) ~= "table" then return (math.type(v) or type(v)) .. " " .. tostring(v) end
  local parts = {}
  for k, x in pairs(v) do parts[#parts + 1] = "[" .. tostring(k) .. "] " .. show(x) end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end
local cases = require "cases_messages"(line)
for _, case in ipairs(cases) do
  local got, want = show(case[2]), show(case[3])
  if got ~= want then error(case[1] .. ": got " .. got .. ", want " .. want) end
end
log.info(#cases .. " cases are right")
"""

NOTES = LINE + """
local at = require "line.core".built_at
local function is(want, built) assert(at(built) == want, tostring(at(built)) .. " is not " .. want) end

is("bot.lua:6", line.text("a"))
local function tail(words) return line.text(words) end
local t = tail("a")
is("bot.lua:7", t)
local flex = line.flex("alt",
  line.flex.bubble(
    line.flex.box("vertical", {
      line.flex.text("one"), line.flex.text(
        "two", {size = "xl"})})))
is("bot.lua:10", flex)
is("bot.lua:11", flex.contents)
is("bot.lua:12", flex.contents.body)
is("bot.lua:13", flex.contents.body.contents[1])
local function group(...) return line.quick_reply(...) end
is("bot.lua:19", group(line.action.camera("a")))
is("bot.lua:21", coroutine.wrap(function() return (line.recipient.audience(1)) end)())
is("parts.lua:2", require "parts".footer())
is("bot.lua:23", select(2, pcall(line.text, "a")))
is("generated:3", load("\\n\\nlocal line = ... return (line.text('a'))", "=generated")(line))
local nameless = load("local line = ... --" .. ("x"):rep(300) .. "\\nreturn (line.text('a'))")
is('[string "local line = ... --' .. ("x"):rep(26) .. '..."]:2', nameless(line))

-- More places than are remembered at once, twice over.
local many = {"local line = ..."}
for i = 2, 3000 do many[i] = "t[" .. i .. "] = line.text('a')" end
local t = {}
local f = load("local line, t = ...\\n" .. table.concat(many, "\\n", 2), "@many.lua")
for _ = 1, 2 do
  f(line, t)
  for i = 2, 3000 do is("many.lua:" .. i, t[i]) end
end

-- A note is invisible, and lost with its metatable.
local m = line.text("a")
for k in pairs(m) do assert(k == "type" or k == "text") end
assert(json.encode(line.flex.box{contents = {}}):find('"contents":[]', 1, true))
assert(json.encode(line.richmenu_object{areas = line.richmenu_grid(1, 1, {})}):find('"areas":[]', 1, true))
assert(at(setmetatable(m, nil)) == nil and at({}) == nil and at("a") == nil and at(setmetatable({}, {})) == nil)
assert(getmetatable(json.array(m)) and at(m) == nil)
-- Scripts can reach what holds it, which harms nobody but them.
local function here() return (line.text("a")) end
local place = at(here())
for _, broken in ipairs{{}, {1, "x"}, {"x", "y"}} do
  local mt = getmetatable(here())
  mt[1], mt[2] = broken[1], broken[2]
  is(place, here())
end
log.info("notes are right")
"""

WIRE = LINE + """
line.on("message.text", function(event)
  event:reply(
    line.text("$ hi", {emojis = {line.emoji("p", "1")}, quickReply = line.quick_reply(line.action.camera("Cam"))}),
    line.flex("alt", line.flex.bubble(line.flex.box("vertical", {}))))
end)
"""


# Every message of the cases, which the checks before sending must let pass, and the conditions of a narrowcast.
SENT = LINE + """
local cases = require "cases_messages"(line)
local types = {}
for kind in ("text textV2 sticker image video audio location imagemap template flex coupon"):gmatch("%w+") do
  types[kind] = true
end
-- The stand-in has no answer to these; that they come to it is enough.
local function leaves(operation, fields)
  local ok, e = pcall(operation, fields)
  if not ok and not (type(e) == "table" and e.status == 404) then error(e, 0) end
end
line.on("message.text", function()
  local sent, recipient, filter = 0
  for _, case in ipairs(cases) do
    if case[1] == "recipient" then recipient = case[2] end
    if case[1] == "filter" then filter = case[2] end
    if case[1] == "richmenu_object" then leaves(line.create_rich_menu, case[2]) end
    if case[1] == "coupon.object" then leaves(line.create_coupon, case[2]) end
    if case[1] == "audiences" then leaves(line.create_audience_group, {description = "a", audiences = case[2]}) end
    if types[case[2].type] and not case[1]:find("^action") then
      line.push("U1", case[2])
      sent = sent + 1
    end
  end
  line.narrowcast("news", {recipient = recipient, filter = filter})
  log.info("sent", {messages = sent})
end)
"""


def cases():
    with open(os.path.join(HERE, "../spec/cases_messages.lua"), encoding="utf-8") as file:
        return file.read()


class Builders(Scenario):
    def check(self, source, **files):
        done = self.command("check", self.folder(source, **files).path, status=None)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_each_makes_what_is_written_out(self):
        self.assertRegex(self.check(CASES, cases_messages=cases()), r"[5-9]\d cases are right")

    def test_what_they_make_passes_the_checks(self):
        server = self.serve(self.folder(SENT, cases_messages=cases()))
        server.post(text("go"))
        told = server.wait_log(message="sent")
        self.assertGreater(told["messages"], 20)
        self.assertEqual(len(self.standin.find("push", status=200)), told["messages"])
        self.wait_events(0)

    def test_a_part_knows_where_it_was_built(self):
        told = self.check(NOTES, parts="return {footer = function()\n  return line.flex.separator() end}\n")
        self.assertIn("notes are right", told)

    def test_wrong_calls_name_the_line(self):
        for source, words in (
                ('line.sticker("1", "2", "3")', "bot.lua:2: line.sticker: after packageId, stickerId comes a table of more "
                                                "fields, not a string"),
                ('\nreturn line.flex("a", "b", {}, 4)', "bot.lua:3: line.flex: takes 2 arguments and a table"),
                ('return line.text("$", {emojis = {{}, {}}})', "bot.lua:2: line.text: there are 2 emojis and only 1 '$'"),
                ('line.flex.bubbel{}', "line.flex.bubbel does not exist (did you mean 'bubble'?)")):
            with self.subTest(source):
                done = self.command("check", self.folder(LINE + source).path, status=1)
                self.assertIn(words, done.stdout + done.stderr)

    def test_over_the_wire(self):
        server = self.serve(self.folder(WIRE))
        server.post(text("go"))
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].json["messages"], [
            {"type": "text", "text": "$ hi", "emojis": [{"productId": "p", "emojiId": "1", "index": 0}],
             "quickReply": {"items": [{"type": "action", "action": {"type": "camera", "label": "Cam"}}]}},
            {"type": "flex", "altText": "alt", "contents":
                {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": []}}}])
        self.wait_events(0)


if __name__ == "__main__":
    main()
