#!/usr/bin/python3
"""Every kind of event the platform sends, as fixtures/events/*.json, through the door to a handler. The bot (bots/facts.lua)
tells which selectors matched and what every field was in Lua; both are compared with what Python reads from the same
bytes. So a fixture needs no expected result: add the file, and it is tested."""

import glob
import json
import os

from harness import BOT_USER, HERE, Scenario, group, main, event, text

SUBTYPES = {"message": "message", "beacon": "beacon", "membership": "membership", "module": "module"}
FILES = sorted(glob.glob(os.path.join(HERE, "fixtures", "events", "*.json")))
# Every type of the platform's list must have a fixture; this is that list.
TYPES = set("""message messageEdited unsend follow unfollow join leave memberJoined memberLeft postback videoPlayComplete beacon
    accountLink membership module activated deactivated botSuspended botResumed delivery""".split())
MESSAGES = set("text image video audio file location sticker".split())


def dump(value, inside_array=False):
    """The same text as dump() of bots/facts.lua."""
    if value is None:
        return "null" if inside_array else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not value.is_integer():
        return "f%.17g" % value
    if isinstance(value, (int, float)):
        return "i%d" % value
    if isinstance(value, str):
        return "s%d:%s" % (len(value.encode()), value)
    if isinstance(value, list) and value:
        return "[" + " ".join(dump(item, True) for item in value) + "]"
    parts = [f"{k}={dump(v)}".encode() for k, v in value.items() if v is not None] if value else []
    return "{" + b" ".join(sorted(parts)).decode() + "}"


def names(data):
    """The selectors that fit an event, from its fields: type, type.subtype, both with @source."""
    kind, found = data["type"], [data["type"]]
    if kind in SUBTYPES:
        found.append(f"{kind}.{data[SUBTYPES[kind]]['type']}")
    source = data.get("source", {}).get("type")
    return found + ([f"{name}@{source}" for name in found] if source else [])


class Events(Scenario):
    def test_every_type_reaches_its_handlers_whole(self):
        events = {name: json.load(open(name, encoding="utf-8")) for name in FILES}
        self.assertEqual(TYPES - {e["type"] for e in events.values()}, set(), "types without a fixture")
        self.assertEqual(MESSAGES - {e["message"]["type"] for e in events.values() if "message" in e}, set())
        self.assertEqual(len({e["webhookEventId"] for e in events.values()}), len(events), "ids are unique")
        selectors = sorted({name for e in events.values() for name in names(e)} - {"somethingNew@wormhole"})
        quoted = ", ".join(f'"{s}"' for s in selectors)
        with open(os.path.join(HERE, "bots", "facts.lua"), encoding="utf-8") as file:
            bot = self.folder(file.read(), selectors=f"return {{ {quoted} }}")
        server = self.serve(bot)
        bodies = [open(name, "rb").read().strip() for name in FILES]
        whole = f'{{"destination":"{BOT_USER}","events":['.encode() + b",".join(bodies) + b"]}"
        self.assertEqual(server.send_body(whole).status, 200, "all kinds in one webhook")
        told = {}
        for call in self.standin.wait_calls(len(FILES), "POST /v2/bot/message/push", status=200):
            matched, chat, facts = call.texts
            told[facts] = (matched, chat)
        for name, data in events.items():
            with self.subTest(os.path.basename(name)):
                facts = dump(data)
                self.assertIn(facts, told, "\n".join(sorted(told)))
                expected = [s for s in selectors if s in names(data)]
                self.assertEqual(told[facts][0].split(), expected)
                source = data.get("source", {})
                chat = source.get("groupId") or source.get("roomId") or source.get("userId")
                if source.get("type") in ("user", "group", "room"):
                    self.assertEqual(told[facts][1], f"{source['type']} {chat}")
        self.wait_events(0)  # none is left over, none failed
        self.assertEqual(server.metric("moonline_events_total", outcome="done"), len(FILES))

    def test_first_match_handles_and_next_passes_on(self):
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("*", function(event, next)         -- middleware: around everything
              event.noted = "noted"
              next()
              if event.replyToken then event:reply("after") end
            end)
            line.on("message.text@group", function(event) event:reply("group " .. event.noted) end)
            line.hear("^add (%d+) (%d+)$", function(event, a, b) event:reply(tostring(tonumber(a) + tonumber(b))) end)
            line.hear("ping", function(event, word) event:reply("heard " .. tostring(word)) end)
            line.postback("buy", function(event, arguments)
              event:reply(arguments.item .. "|" .. arguments.note .. "|" .. arguments.empty)
            end)
            line.on("message", function(event) event:reply("some " .. event.message.type) end)
            line.on("message.text", function() error("never reached") end)
        """))
        for posted, answer in (
                (text("ping", source=group("g", "m")), "group noted"), (text("add 20 22"), "42"),
                (text("a ping here"), "heard ping"), (text("other"), "some text"),
                (event("message", message={"id": "1", "type": "image"}), "some image"),
                (event("postback", postback={"data": "buy?item=7&note=a%20b+c&empty="}), "7|a b c|")):
            server.post(posted)
            self.standin.wait_text("after", to=posted["replyToken"])
            self.assertEqual(self.standin.texts(posted["replyToken"]), [answer, "after"])

    def test_times_and_numbers_print_as_they_were_sent(self):
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("message", function(event)
              event:reply(event.timestamp .. " " .. tostring(event.n) .. " " .. math.type(event.n) .. " " .. event.half)
            end)
        """))
        server.post(text("x", timestamp=1625665242211, n=9007199254740993, half=0.5))
        self.standin.wait_text("1625665242211 9007199254740993 integer 0.5")

    def test_null_is_absent(self):
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("*", function(event)
              line.push("Unull", (event.replyToken == nil and event.gone == nil and not event.source.userId) and "absent" or "there")
            end)
        """))
        body = text("x")
        body["replyToken"], body["gone"], body["source"]["userId"] = None, None, None
        server.post(body)
        self.standin.wait_text("absent")

    def test_session_and_chat(self):
        """Events in which the platform names no chat have none; replying without a token says so in words."""
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("delivery", function(event)
              local ok, err = pcall(event.reply, event, "to nobody")
              line.push("Uinfo", tostring(event.chat), tostring(ok), tostring(err))
            end)
        """))
        server.post(event("delivery", source=None, delivery={"data": "x"}, replyToken=None) | {"source": {}})
        call = self.standin.wait_calls(1, "push", status=200)[0]
        self.assertEqual(call.texts[:2], ["nil", "false"])
        self.assertRegex(call.texts[2], r"bot\.lua:4.*reply")


if __name__ == "__main__":
    main()
