#!/usr/bin/python3
"""Every kind of event the platform sends, as fixtures/events/*.json, through the door to a handler. The bot (bots/facts.lua)
tells which selectors matched and what every field was in Lua; both are compared with what Python reads from the same
bytes. So a fixture needs no expected result: add the file, and it is tested."""

import glob
import json
import os
import re
import unittest

from harness import BOT_USER, HERE, ROOT, Scenario, group, main, event, text

SUBTYPES = {"message": "message", "beacon": "beacon", "membership": "membership", "module": "module"}
TABLE = os.path.join(ROOT, "runtime", "line", "events.def")
FILES = sorted(glob.glob(os.path.join(HERE, "fixtures", "events", "*.json")))
# The types of LINE's OpenAPI file for webhooks (the discriminator of Event), and one that only its documents have. Every
# one must have a row and a fixture.
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


def rows():
    """events.def: {type: (subtype path, {subtypes}, sources, reply)}"""
    with open(TABLE, encoding="utf-8") as file:
        source = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = re.findall(r'^EVENT\("(\w+)", "([\w.]*)", "([\w|*]*)", "([ugr-]+)", (YES|NO|SOMETIMES), "[^"]+"\)$', source, re.M)
    assert len(found) == source.count("EVENT("), "a row of events.def is written otherwise"
    return {kind: (path, set(filter(None, subs.split("|"))), sources, reply) for kind, path, subs, sources, reply in found}


def utf16(words, index, length):
    """What LINE means by index and length: the piece, and its bytes as string.sub takes them."""
    units = words.encode("utf-16-le")
    before, piece = units[:2 * index].decode("utf-16-le"), units[2 * index:2 * (index + length)].decode("utf-16-le")
    return piece, len(before.encode()) + 1, len((before + piece).encode())


def sense(data):
    """{method: the value it must return} for every method that makes sense for an event; ... for any value."""
    source, message, kind = data.get("source") or {}, data.get("message") or {}, data["type"]
    where, user, made = source.get("groupId") or source.get("roomId"), source.get("userId"), {}
    if data.get("replyToken"):
        made["reply"] = "queued"
        if message.get("quoteToken"):
            made["quote"] = "queued"
    if user:
        made["subscription"] = 3189
    if (where or user) and kind not in ("unfollow", "leave"):
        made["push"] = 1
        if user:
            made["profile"] = "name of " + user
        if where:
            made |= {"member_count": 3, "members": "Ua Ub Uc", "leave": True}
        if "groupId" in source:
            made["group"] = "name of " + where
        if source.get("type") == "user":
            made["loading"] = True
    provider = (message.get("contentProvider") or {}).get("type")
    if message.get("type") in ("image", "video", "audio", "file") and provider != "external":
        made["content"] = "bytes of " + message["id"]
        if message["type"] in ("image", "video"):
            made["preview"] = "image/jpeg"
    for method, value in (("mark_read", message.get("markAsReadToken") and True), ("quote_token", message.get("quoteToken")),
                          ("unsent", data.get("unsend", {}).get("messageId"))):
        if value:
            made[method] = value
    if message.get("type") == "sticker":
        made["keywords"] = message.get("keywords", [])
    params = data.get("postback", {}).get("params", {})
    if "status" in params:
        menu = {"ok": params["status"] == "SUCCESS", "status": params["status"]}
        made["menu_switch"] = menu | ({"alias": params["newRichMenuAliasId"]} if menu["ok"] else {})
    elif params:
        (mode, words), = params.items()
        names = {"date": "year month day", "time": "hour min", "datetime": "year month day hour min"}[mode].split()
        made["picked"] = {"mode": mode, "text": words} | dict(zip(names, map(int, re.findall(r"\d+", words))))
    if "beacon" in data:
        dm = data["beacon"].get("dm")
        made["hwid"] = data["beacon"]["hwid"].lower()
        made["device_message"] = "none" if dm is None else " ".join(str(b) for b in bytes.fromhex(dm))
    if "link" in data:
        made["linked"] = [data["link"]["result"] == "ok", data["link"]["nonce"]]
    return made | texts(message)


def texts(message):
    """The same for the methods about text."""
    words, mentions, emojis = message.get("text"), [], []
    for m in (message.get("mention") or {}).get("mentionees", []):
        piece, first, last = utf16(words, m["index"], m["length"])
        mentions.append({"type": m["type"], "isSelf": m.get("isSelf", False), "text": piece, "from": first, "to": last}
                        | ({"userId": m["userId"]} if "userId" in m else {}))
    for e in message.get("emojis") or []:
        piece, first, last = utf16(words, e["index"], e["length"])
        emojis.append({"productId": e["productId"], "emojiId": e["emojiId"], "text": piece, "from": first, "to": last})
    made = {"mentions": mentions, "emojis": emojis, "mentioned": any(m["isSelf"] for m in mentions)}
    return made | ({"text_without_mentions": ...} if words is not None else {})


class Table(unittest.TestCase):
    """events.def, the fixtures and the platform's own list say the same."""

    def test_rows_and_fixtures(self):
        table, seen = rows(), set()
        self.assertEqual(set(table), TYPES)
        for name in FILES:
            with self.subTest(os.path.basename(name)), open(name, encoding="utf-8") as file:
                data = json.load(file)
                if data["type"] not in table:
                    self.assertIn("unknown", name, "a type without a row is a fixture of the unknown")
                    continue
                path, subtypes, sources, reply = table[data["type"]]
                seen.add(data["type"])
                if path:
                    outer, inner = path.split(".")
                    seen.add((data["type"], data[outer][inner]))
                    known = data[outer][inner] in subtypes
                    self.assertEqual(known, "unknown" not in name)
                    self.assertTrue(known or "*" in subtypes)
                letter = data.get("source", {"type": "-"})["type"][0]
                self.assertIn(letter, sources)
                wanted = {"YES": True, "NO": False, "SOMETIMES": letter != "-"}[reply] and data["mode"] != "standby"
                self.assertEqual("replyToken" in data, wanted)
        for kind, (_, subtypes, _, _) in table.items():
            self.assertIn(kind, seen, "a row without a fixture")
            for subtype in subtypes - {"*"}:
                self.assertIn((kind, subtype), seen, "a subtype without a fixture")


    def test_methods(self):
        """Every method is tried on every fixture, and none has the name of a field of the platform's."""
        methods = set()
        for name in ("event", "event_chat", "event_facts", "text"):
            with open(os.path.join(ROOT, "scripts", "line", name + ".lua"), encoding="utf-8") as file:
                methods |= set(re.findall(r"^function \w+:(\w+)\(", file.read(), re.M))
        with open(os.path.join(HERE, "bots", "methods.lua"), encoding="utf-8") as file:
            order = re.search(r"order = \{(.*?)\}", file.read(), re.S)[1]
        self.assertEqual(methods, set(re.findall(r'"(\w+)"', order)))
        for name in FILES:
            with self.subTest(os.path.basename(name)), open(name, encoding="utf-8") as file:
                self.assertEqual(methods & set(json.load(file)), set())


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

    def test_every_method_where_it_makes_sense(self):
        """On every fixture every method is called: it does its work, or says at the bot's line why it cannot."""
        with open(os.path.join(HERE, "bots", "methods.lua"), encoding="utf-8") as file:
            server = self.serve(self.folder(file.read()))
        events = {name: json.load(open(name, encoding="utf-8")) for name in FILES}
        for data in events.values():
            if "id" in data.get("message", {}):
                self.standin.contents[data["message"]["id"]] = (b"bytes of " + data["message"]["id"].encode(), "image/jpeg")
        bodies = [open(name, "rb").read().strip() for name in FILES]
        whole = f'{{"destination":"{BOT_USER}","events":['.encode() + b",".join(bodies) + b"]}"
        self.assertEqual(server.send_body(whole).status, 200)
        self.wait_events(0, seconds=30)
        told = {}
        for call in self.standin.find("POST /v2/bot/message/push", status=200):
            if call.json["to"] == "Umethods":
                told[call.texts[0]] = json.loads(call.texts[1])
        self.assertEqual(len(told), len(FILES))
        for name, data in events.items():
            answers, expected = told[data["webhookEventId"]], sense(data)
            for method, answer in answers.items():
                with self.subTest(os.path.basename(name), method=method):
                    if method in expected:
                        self.assertNotIn("raised", answer)
                        if expected[method] is not ...:
                            self.assertEqual(answer["value"], expected[method])
                    else:
                        self.assertRegex(answer.get("raised", "it returned"), rf"^bot\.lua:\d+: event:{method}: ")
            self.assertEqual(set(expected) - set(answers), set())
            if data.get("replyToken"):
                sent = self.standin.find("message/reply", status=200, text="replied")
                messages = next(c.json["messages"] for c in sent if c.json["replyToken"] == data["replyToken"])
                quote = data.get("message", {}).get("quoteToken")
                self.assertEqual([m.get("quoteToken") for m in messages], [None, quote] if quote else [None])
        astral = told["01JMADEUPEVENT000000000052"]
        self.assertEqual(astral["text_without_mentions"]["value"], "🍎🍏 👩‍🍳 (hello) はい")
        self.assertEqual(told["01JMADEUPEVENT000000000002"]["text_without_mentions"]["value"], "und : schaut her")
        marked = [c.json["markAsReadToken"] for c in self.standin.find("chat/markAsRead", status=200)]
        self.assertEqual(sorted(marked), sorted(d["message"]["markAsReadToken"] for d in events.values()
                                                if d.get("message", {}).get("markAsReadToken")))

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

    def test_a_refused_reply_names_the_line_of_its_message(self):
        server = self.serve(self.folder("""
            local line = require "line"
            line.hear("string", function(event)
              event:reply("fine")
              event:reply("")
            end)
            line.hear("table", function(event)
              event:reply("fine")
              event:reply({type = "text", text = ""})
            end)
            line.hear("first", function(event) return event:reply("") end)
            line.hear("quote", function(event)
              event:quote("")
            end)
        """))
        for words, place in (("string", 5), ("table", 9), ("first", 11), ("quote", 13)):
            server.post(text(words))
            why = server.wait_log(message="handler failed", error=re.compile(rf"^bot\.lua:{place}: "))["error"]
            self.assertRegex(why, r"messages\[[12]\]\.text")
        self.assertEqual(self.standin.find("message/reply"), [], "none of them left")

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
