#!/usr/bin/python3
"""Every bot of examples/ in a conversation as people have it: under `moonline dev`, with the emulator as LINE, which checks
what they send by its own rules, keeps what they make, and taps what they show."""
# runner: unsanitized

import base64
import glob
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request

from emulated import AIKO, CHANNEL, CHAT, GROUP, SOMCHAI, ZOE
from harness import BINARY, PATIENCE, ROOT, SCALE, Scenario, environment, main, until

EXAMPLES = os.path.join(ROOT, "examples")


class Live(Scenario):
    """A copy of the example NAME runs; people are played through the emulator's controls."""

    NAME = None
    WORLD = None
    MAY_FAIL = ()  # statuses that the bot asks for, as when it looks whether something is there

    def setUp(self):
        super().setUp()
        self.place = os.path.join(self.dir, "bots", self.NAME)
        source = os.path.join(EXAMPLES, self.NAME)
        os.mkdir(os.path.dirname(self.place))
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, self.place)
        options = []
        if self.WORLD:
            options = ["--world", os.path.join(self.dir, "world.lua")]
            with open(options[1], "w", encoding="utf-8") as file:
                file.write(self.WORLD)
        self.running = self.spawn([BINARY, "dev", self.place, "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0", "--log", "json",
                                   *options], environment(self.dir, TMPDIR=self.dir))
        self.page = self.running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]
        self.port = int(self.running.wait_stdout(r"^moonline: listening on http://127\.0\.0\.1:(\d+)$")[1])
        self.running.wait_stdout("^moonline: bot [^ ]+ at /webhook, generation 1")

    def tearDown(self):
        calls = self.ask("calls?limit=1000")["calls"]
        super().tearDown()
        self.assertEqual([c for c in calls if c["status"] >= 400 and c["status"] not in self.MAY_FAIL], [], "refused calls")

    def ask(self, path, body=None, method=None, raw=None, **headers):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.page}/_/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(call, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{path} {body}: {refusal.code} {refusal.read().decode()}\n{self.running.tail()}") from refusal

    def channel(self):
        return self.ask("world")["channels"][0]

    def do(self, as_=AIKO, chat=None, **deed):
        """A deed, and what the bot says to it, once the bot is through with its events. Messages."""
        chat = chat or f"{CHANNEL}:{as_}"
        told = self.ask("act", {"as": as_, "chat": chat, **{name.rstrip("_"): value for name, value in deed.items()}})
        for event in told["events"]:
            since = told["seq"]
            while True:
                item = self.ask(f"wait?kind=news&event={event}&since={since}&timeout={int(PATIENCE)}")
                since = item["seq"]
                if item["item"]["what"] in ("handled", "blamed"):
                    self.assertEqual(item["item"].get("error"), None)
                    break
        return self.said(chat, since=told["seq"])

    def said(self, chat, since=0):
        """What the bot has said in a chat after that number of the feed."""
        out = []
        for call in reversed(self.ask(f"calls?limit=100&since={since}")["calls"]):
            if call["operation"] in ("reply_message", "push_message") and call["status"] == 200 and call.get("chat") == chat:
                out += json.loads(self.ask(f"calls/{call['id']}")["request"]["body"])["messages"]
        return out

    def say(self, words, **more):
        return self.do(do="message", message={"type": "text", "text": words}, **more)

    def words(self, words, **more):
        (message,) = self.say(words, **more)
        return message["text"]

    def tap(self, action, **more):
        return self.do(do="tap", action=action, **more)


def parts(value, **want):
    """Every object in a message that has these fields, depth first."""
    found = []
    if isinstance(value, list):
        return [part for item in value for part in parts(item, **want)]
    if isinstance(value, dict):
        if all(value.get(k) == v for k, v in want.items()):
            found.append(value)
        for item in value.values():
            found += parts(item, **want)
    return found


def shown(value):
    return [p["text"] for p in parts(value) if p.get("type") in ("text", "span") and "text" in p]


class All(Scenario):
    def test_each_is_played_here(self):
        there = {os.path.basename(p) for p in glob.glob(os.path.join(EXAMPLES, "*.lua"))}
        there |= {os.path.basename(os.path.dirname(p)) for p in glob.glob(os.path.join(EXAMPLES, "*/bot.lua"))}
        self.assertEqual(there, {c.NAME for c in Live.__subclasses__()})


class Echo(Live):
    NAME = "echo.lua"

    def test_it(self):
        self.assertEqual(self.words("hello 🦊"), "You said: hello 🦊")


class Greeter(Live):
    NAME = "greeter.lua"

    def test_it(self):
        self.assertIn("Hello!", self.do(SOMCHAI, do="follow")[0]["text"])
        self.do(SOMCHAI, do="unfollow")
        self.assertIn("again", self.do(SOMCHAI, do="unblock")[0]["text"])
        self.assertEqual(self.words("hi there"), "hi, Aiko 愛子!")
        self.do(None, GROUP, do="memberLeave", members=[ZOE])
        self.assertIn("in Lunch 🍜.", self.do(None, GROUP, do="join")[0]["text"])
        self.assertEqual(self.do(None, GROUP, do="memberJoin", members=[ZOE])[0]["text"], "Welcome, Zoë 🦊!")
        self.assertEqual(self.words("bye", chat=GROUP), "Bye, all of you!")
        until(lambda: not self.ask("world")["groups"][0].get("channel"), "the bot to leave")


class Profile(Live):
    NAME = "profile.lua"
    MAY_FAIL = (404,)

    def test_it(self):
        self.assertEqual([m["text"] for m in self.say("whoami")], ["You are Aiko 愛子.", "Your status: こんにちは"])
        self.assertEqual(self.words("who " + AIKO), AIKO + " is Aiko 愛子")
        self.assertEqual(self.words("who " + ZOE), "I do not know them.")
        self.say("remind 0 tea")
        until(lambda: self.said(CHAT)[-1]["text"] == "Remember: tea", "the reminder")


class Postback(Live):
    NAME = "postback.lua"

    def test_it(self):
        (menu,) = self.say("menu")
        tea, coffee, visit, page = menu["template"]["actions"]
        (ordered,) = self.tap(tea)
        self.assertEqual(ordered["text"], "One small tea, coming up.")
        self.assertEqual(self.tap(ordered["quickReply"]["items"][1]["action"])[0]["text"], "Never mind.")
        self.assertEqual(self.tap(coffee)[0]["text"], "One large coffee, coming up.")
        self.assertEqual(self.tap(visit, params={"datetime": "2027-02-28T06:15"})[0]["text"], "See you on 28/2 at 6:15.")
        self.assertEqual(self.tap(page), [])
        self.assertEqual(self.words("?"), "Write 'menu'.")


class Messages(Live):
    NAME = "messages.lua"
    WORLD = """
return {
  channels = {{id = "2000000001", name = "Bot", join = true}},
  users = {{id = "U0000000000000000000000000000a001", name = "Aiko", friend = true}},
  groups = {{id = "C0000000000000000000000000000d004", name = "Lunch", members = {"Aiko"}, bot = true}},
  coupons = {{couponId = "01JYNW8JMQVFBNWF1APF8Z3FS7", title = "Ten off", startTimestamp = 1, endTimestamp = 9999999999,
    timezone = "ASIA_TOKYO", visibility = "PUBLIC", maxUseCountPerTicket = 1, acquisitionCondition = {type = "normal"},
    reward = {type = "free"}}},
}
"""

    def test_it(self):
        listed = self.words("?").removeprefix("Say one of these: ").split(", ")
        self.assertEqual(len(listed), 17)
        for word in listed:
            self.assertEqual(len(self.say(word)), 1, word)
            self.assertEqual(len(self.say(word, chat=GROUP)), 1, word)
        (buttons,) = self.say("buttons")
        hello, data, day, _ = buttons["template"]["actions"]
        self.assertIn("Say one of these", self.tap(hello)[0]["text"])
        self.assertEqual(self.tap(data)[0]["text"], "The bot got: demo?from=buttons")
        self.assertEqual(self.tap(day, params={"date": "2027-02-28"})[0]["text"], "You picked 2027-02-28")
        (imagemap,) = self.say("imagemap")
        self.assertIn("Say one of these", self.tap(imagemap["actions"][0])[0]["text"])


class FlexMenu(Live):
    NAME = "flex-menu.lua"

    def test_it(self):
        (menu,) = self.say("menu")
        add = [parts(c, type="postback")[0] for c in menu["contents"]["contents"]]
        self.tap(add[0])
        (cart,) = self.tap(add[0])
        self.assertEqual(shown(cart["contents"]["body"]), ["2 × Coffee", "¥900", "Total", "¥900"])
        less, order = (parts(cart, data=d)[0] for d in ("remove?item=coffee", "order"))
        (cart,) = self.tap(less)
        self.assertEqual(cart["altText"], "Your cart: ¥450")
        self.assertEqual(self.words("cart", as_=ZOE), "Your cart is empty. Say 'menu'.")
        self.assertEqual(self.tap(order)[0]["text"], "Ordered, ¥450. It will be ready in ten minutes.")
        self.assertEqual(self.tap(order)[0]["text"], "There is nothing to order.")


class Beacon(Live):
    NAME = "beacon.lua"

    def test_it(self):
        near = {"do": "beacon", "hwid": "0a1b2c3d4e"}
        self.assertIn("Welcome to the shop!", self.do(type="enter", **near)[0]["text"])
        self.assertEqual(self.do(type="enter", **near), [])
        self.assertIn("near our place", self.do(type="banner", do="beacon", hwid="ffffffffff")[0]["text"])
        self.assertEqual(self.do(type="stay", dm="63ff", **near), [])


class Media(Live):
    NAME = "media.lua"

    def saved(self, name):
        with open(os.path.join(os.path.dirname(self.place), "media", name), "rb") as file:
            return file.read()

    def test_it(self):
        for kind, mime, size, words in (("image", "image/png", 1500, "Your picture is saved: 1.5 kB."),
                                        ("audio", "audio/x-m4a", 70, "Your sound is saved: 0.1 kB."),
                                        ("video", "video/mp4", 2500000, "Your film is saved: 2.5 MB.")):
            data = os.urandom(size)
            media = self.ask("media", raw=data, **{"Content-Type": mime})["mediaId"]
            message = {"type": kind, "mediaId": media}
            if kind == "video":
                message["readyAt"] = self.ask("clock")["now"] + 300  # LINE is not through with it at first
            self.assertEqual(self.do(do="message", message=message)[0]["text"], words)
            (name,) = [n for n in os.listdir(os.path.join(os.path.dirname(self.place), "media")) if n.endswith(mime[-3:])]
            self.assertEqual(self.saved(name), data)
        media = base64.b64encode(b"x").decode()
        said = self.do(do="message", message={"type": "file", "media": media, "fileName": "../../etc/passwd"})
        self.assertEqual(said[0]["text"], "Your file ../../etc/passwd is saved: 0.0 kB.")
        self.assertEqual([m["text"] for m in self.do(do="message", message={"type": "image"}, set=[{"media": media}] * 3)],
                         ["All 3 pictures are saved."])
        away = {"type": "external", "originalContentUrl": "https://a.example/b.png"}
        self.assertEqual(self.do(do="message", message={"type": "image", "contentProvider": away})[0]["text"],
                         "It lies at https://a.example/b.png")
        self.assertIn("Send me a picture", self.words("hello"))


class Statistics(Live):
    NAME = "statistics.lua"

    def test_it(self):
        self.ask(f"channels/{CHANNEL}", {"quota": {"type": "limited", "value": 1000}, "used": 250}, "PATCH")
        (bubble,) = self.say("statistics")
        told = shown(bubble["contents"]["body"])
        figures = dict(zip(told[::2], told[1::2]))
        self.assertEqual([figures[k] for k in ("Allowed", "Used", "Left", "Pushes")], ["1000", "250", "750", "0"])
        self.assertEqual(self.words("?"), "Say 'statistics'.")


class Audience(Live):
    NAME = "audience.lua"
    SECONDS = 60
    WORLD = """
local users = {{id = "U0000000000000000000000000000a001", name = "Aiko", age = 30, friend = true}}
for i = 1, 3 do users[i + 1] = {id = ("U%032x"):format(i), name = "Reader " .. i, age = 16 + 3 * i, friend = true} end
return {channels = {{id = "2000000001", name = "News", minimums = false}}, users = users}
"""

    def test_it(self):
        readers = [f"U{n:032x}" for n in (1, 2, 3)]
        for reader in readers:
            self.assertEqual(self.words("subscribe", as_=reader), "You will get the news.")
        self.assertEqual(self.words("I am the editor"), "Say 'news' and the text.")
        self.assertEqual(self.words("news It rains.", as_=readers[0]), "Only the editor may.")
        self.assertEqual(self.words("news It is raining."), "I will tell you how it goes.")
        until(lambda: self.said(CHAT)[-1]["text"] == "Sent to 2 people.", "the news to be sent", 40 * SCALE)  # one is 19
        last = [self.ask(f"chats/{CHANNEL}:{reader}/entries")["entries"][-1]["message"]["text"] for reader in readers]
        self.assertEqual(last, ["Only the editor may.", "It is raining.", "It is raining."])


class AccountLink(Live):
    NAME = "account-link"

    def test_it(self):
        webhook = f"http://127.0.0.1:{self.port}/webhook"
        env = {**environment(self.dir, LINE_CHANNEL_SECRET=self.channel()["secret"]), "PYTHONDONTWRITEBYTECODE": "1"}
        page = self.spawn([sys.executable, os.path.join(self.place, "page.py"), "0", webhook], env)
        address = page.wait_stdout(r"is at (http://\S+)$")[1]
        self.assertEqual(self.words("hello"), "Say 'link' to log in.")
        (card,) = self.say("link")
        query = urllib.parse.urlsplit(card["template"]["actions"][0]["uri"]).query
        with urllib.request.urlopen(f"{address}?{query}", timeout=PATIENCE) as form:
            hidden = re.search(r'name="linkToken" value="([^"]*)"', form.read().decode())[1]
        sent_on = self.log_in(address, hidden)
        self.assertEqual(self.do(do="accountLink", linkToken=sent_on["linkToken"], nonce=sent_on["nonce"])[0]["text"],
                         "Now I know you as aiko@shop.")
        self.assertEqual(self.words("hello"), "What can I do for you, aiko@shop?")
        self.assertEqual(self.words("unlink"), "I have forgotten your account.")

    @staticmethod
    def log_in(address, hidden):
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None
        form = urllib.parse.urlencode({"linkToken": hidden, "account": "aiko@shop"}).encode()
        try:
            urllib.request.build_opener(Stay).open(address, form, timeout=PATIENCE)
            raise AssertionError("the browser was not sent on")
        except urllib.error.HTTPError as sent_on:
            return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent_on.headers["Location"]).query))


class RichmenuTabs(Live):
    NAME = "richmenu-tabs"
    MAY_FAIL = (404,)

    def menu(self):
        return self.ask(f"chats/{CHAT}/richmenu")["menu"]

    def test_it(self):
        env = environment(self.dir, LINE_CHANNEL_SECRET="x", LINE_CHANNEL_ACCESS_TOKEN=self.channel()["token"],
                          LINE_API_BASE=self.page, LINE_DATA_API_BASE=self.page)
        self.command("richmenu", "apply", self.place, env=env)
        self.assertIn("nothing to do", self.command("richmenu", "apply", self.place, env=env).stdout)
        order = self.menu()
        actions = [area["action"] for area in order["areas"]]
        self.assertEqual(self.tap(actions[2], richmenu=True)[0]["text"], "One tea, coming up.")
        self.assertEqual(self.tap(actions[1], richmenu=True), [])
        self.assertNotEqual(self.menu()["areas"], order["areas"])
        ask = next(a["action"] for a in self.menu()["areas"] if a["action"]["type"] == "message")
        self.assertEqual(self.tap(ask, richmenu=True)[0]["text"], "Every day from nine to six.")


if __name__ == "__main__":
    main()
