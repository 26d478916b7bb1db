#!/usr/bin/python3
"""What breaks a limit of LINE is refused before it is sent, with the line of the script that built the part; what LINE
refuses itself is brought back to that line, too."""

from harness import Scenario, main, text

HEAD = 'local line = require "line"\n'


class Checks(Scenario):
    def handle(self, body, head=HEAD):
        """A bot whose text handler is body (its first line is bot.lua:3), and one posted message."""
        server = self.serve(self.folder(f'{head}line.on("message.text", function(event)\n{body}\nend)\n'))
        server.post(text("go"))
        return server

    def told(self, body, head=HEAD):
        """What err is after body, which must raise into `ok, err`, and the server."""
        server = self.handle(f"local ok, err = pcall(function()\n{body}\nend)\n"
                             'line.check = "off"\nline.push("Utold", tostring(err))', head)
        call = self.standin.wait_calls(1, "push", status=200)[-1]
        return call.texts[0], server

    MENU = """local text = line.flex.text("Tea", {
  weight = "heavy"})
local button = line.flex.button(
  line.action.uri("Order", "https://example.com/a b"))
local body = line.flex.box("vertical",
  {text, button}, {margin = "huge"})
line.push("U1", line.flex("Menu", line.flex.bubble{body = body}))"""

    def test_all_errors_at_once_each_with_the_line_of_its_part(self):
        told, _ = self.told(self.MENU)
        self.assertEqual(told.splitlines(), [
            "bot.lua:10: line.push: 3 errors",
            'bot.lua:8: messages[1].contents.body.margin: "huge" is not one of none, xs … xxl, or a px size',
            'bot.lua:4: messages[1].contents.body.contents[1].weight: "heavy" is not one of regular, bold',
            'bot.lua:7: messages[1].contents.body.contents[2].action.uri: "https://example.com/a b" holds a blank at '
            'position 22, which a URL holds only percent-encoded (%20)',
        ])
        self.assertEqual([call.texts for call in self.standin.find("push")], [[told]], "the wrong one never left")

    def test_a_reply_fails_its_event(self):
        server = self.handle('event:reply{type = "sticker", packageId = "446"}')
        line = server.wait_log(level="error")
        self.assertIn("bot.lua:3: ", line["message"] + line.get("error", ""))
        self.assertIn("stickerId: is missing", line["message"] + line.get("error", ""))
        self.assertEqual(self.standin.find("reply"), [])

    def test_warnings_and_nothing(self):
        for mode, lines in ("warn", 1), ("off", 0):
            with self.subTest(mode=mode):
                before = len(self.standin.find("push"))
                server = self.serve(self.folder(f'{HEAD}line.check = "{mode}"\nline.on("message.text", function(event)\n'
                                                'line.push("U1", line.location("", "here", 1, 2))\nend)\n'),
                                    options=["--data", f"{self.dir}/data-{mode}"])
                server.post(text("go"))
                call = self.standin.wait_calls(before + 1, "push", status=200)[-1]
                self.assertEqual(call.json["messages"][0]["title"], "")
                told = [entry for entry in server.logs(level="warn") if "title: is empty" in entry["message"]]
                self.assertEqual(len(told), lines)
                server.stop()

    def test_what_line_added_since_passes_with_one_line_in_the_log(self):
        server = self.handle("""
            for _ = 1, 3 do line.push("U1", line.text("hi", {shimmer = true}), {type = "hologram"}) end""")
        calls = self.standin.wait_calls(3, "push", status=200)
        self.assertEqual(calls[0].json["messages"], [{"type": "text", "text": "hi", "shimmer": True}, {"type": "hologram"}])
        told = [entry["message"] for entry in server.logs(level="warn")]
        self.assertEqual([line for line in told if "shimmer" in line],
                         ['messages[1]: unknown field "shimmer"; it goes to LINE as it is'])
        self.assertEqual([line for line in told if "hologram" in line],
                         ['messages[2]: unknown type "hologram"; it goes to LINE as it is'])
        told = server.logs(level="warn")
        self.assertEqual({entry.get("at") for entry in told}, {"bot.lua:4"}, "as errors have it")
        self.assertTrue(all(entry.get("event") and entry.get("chat") and entry.get("generation") for entry in told), told)

    def test_what_stands_elsewhere_is_no_news_of_line(self):
        """A type that is known, and surely wrong at its place, is a mistake rather than something LINE has added."""
        told, _ = self.told("""local flex = line.flex
            line.push("U1", flex("alt", flex.box("vertical", {})),
              flex("alt", flex.bubble(flex.box("vertical", {flex.bubble(flex.box("vertical", {}))}))),
              line.action.uri("label", "https://example.com/"))""")
        self.assertEqual(told.splitlines()[1:], [
            'bot.lua:5: messages[1].contents.type: "box" cannot stand here, only a bubble or a carousel of them',
            'bot.lua:6: messages[2].contents.body.contents[1].type: "bubble" cannot stand here, only a part of a bubble',
            'bot.lua:7: messages[3].type: "uri" cannot stand here, only a message',
        ])

    def test_other_bodies(self):
        told, _ = self.told("""line.create_rich_menu{size = {width = 1000, height = 900}, selected = true,
              name = "n", chatBarText = "more than fourteen", areas = {}}""")
        self.assertEqual(told.splitlines()[1:], [
            "bot.lua:4: chatBarText: is 18 characters long, the most is 14",
            "bot.lua:4: size: is 1000 x 900: width / height is 1.111, but must be at least 1.45",
        ])
        self.assertEqual(self.standin.find("richmenu"), [])

    def test_details_of_line_lead_to_the_script(self):
        """The three ways in which LINE names a place."""
        cases = [
            ("The request body has 1 error(s)", "messages[1].text", "bot.lua:5: messages[2].text"),
            ("A message (messages[0]) in the request body is invalid", "/body/contents/0/text",
             "bot.lua:6: messages[1].contents.body.contents[1].text"),
            ("A message (messages[2]) in the request body is invalid", "template/actions/1/label",
             "bot.lua:9: messages[3].template.actions[2].label"),
        ]
        for message, place, found in cases:
            with self.subTest(place=place):
                self.standin.fault("push", status=400,
                                   body={"message": message, "details": [{"message": "May not be empty", "property": place}]})
                before = len(self.standin.find("push", status=200))
                server = self.serve(self.folder(HEAD + """line.on("message.text", function(event)
local ok, err = pcall(function()

local second = line.text("two")
local part = line.flex.text("deep")
local yes =
  line.action.message("Yes", "yes")
local no = line.action.message("No", "no")
line.push("U1", line.flex("alt", line.flex.bubble{body = line.flex.box("vertical", {part})}),
  second, line.confirm("alt", "Sure?", {yes, no}))
end)
line.push("Utold", tostring(err), err.details[1].path, err.details[1].where)
end)
"""), options=["--data", f"{self.dir}/data-{len(place)}"])
                server.post(text("go"))
                told = self.standin.wait_calls(before + 1, "push", status=200)[-1].texts
                self.assertIn(f"400 {message} [{found}: May not be empty]", told[0])
                self.assertEqual(f"{told[2]}: {told[1]}", found)
                server.stop()


if __name__ == "__main__":
    main()
