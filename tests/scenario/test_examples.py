#!/usr/bin/python3
"""Every bot of examples/ does what its first lines say: run by the binary as it is, LINE played by the stand-in. Every
message they send passes the checks before sending, which are on, and moonline check finds nothing."""
# runner: unsanitized

import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from harness import ROOT, Scenario, environment, event, group, main, text, user, SECRET

EXAMPLES = os.path.join(ROOT, "examples")
BOTS = sorted(glob.glob(os.path.join(EXAMPLES, "*.lua")) + [os.path.dirname(p) for p in glob.glob(os.path.join(EXAMPLES, "*/bot.lua"))])


class Example(Scenario):
    """A copy of the example NAME is served; what it sends is read from the stand-in."""

    NAME = None

    def setUp(self):
        super().setUp()
        home = os.path.join(self.dir, "examples")
        os.mkdir(home)
        self.place = os.path.join(home, self.NAME)
        source = os.path.join(EXAMPLES, self.NAME)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, self.place)
        self.server = self.serve(self.place)

    def answer(self, pattern, body, status=200, times=1 << 30):
        self.standin.fault(pattern, times=times, status=status, body=body)

    def tell(self, made):
        """Delivers an event that is answered by a reply. Returns the messages of the reply."""
        self.server.post(made)
        return self.replied(made)

    def replied(self, made):
        """The messages of the reply to an event."""
        def found():
            return next((c for c in self.standin.find("message/reply") if c.json["replyToken"] == made["replyToken"]), None)
        self.standin.wait(lambda: found() or self.failed(), f"the reply to {made}")
        self.assertEqual(self.failed(), [])
        call = found()
        return call.json["messages"]

    def failed(self):
        """Whether the bot has complained, which is not waited for any longer."""
        return [r for r in self.server.logs() if r["level"] in ("warn", "error")]

    def say(self, words, source="Ann"):
        return self.tell(text(words, source))

    def words(self, words, source="Ann"):
        """What is answered by a single text."""
        (message,) = self.say(words, source)
        return message["text"]

    def tap(self, action, source="Ann"):
        self.assertEqual(action["type"], "postback")
        return self.tell(event("postback", source, postback={"data": action["data"]}))

    def tearDown(self):
        bad = self.failed()
        super().tearDown()
        self.assertEqual(bad, [])


def parts(value, **want):
    """Every object in a message that has these fields, depth first."""
    found = []
    if isinstance(value, list):
        for item in value:
            found += parts(item, **want)
    elif isinstance(value, dict):
        if all(value.get(k) == v for k, v in want.items()):
            found.append(value)
        for item in value.values():
            found += parts(item, **want)
    return found


def shown(value):
    """All texts of a Flex message, in order."""
    return [p["text"] for p in parts(value) if p.get("type") in ("text", "span") and "text" in p]


class All(Scenario):
    def test_each_is_without_problems_and_tested_here(self):
        tested = {c.NAME for c in Example.__subclasses__()} | {"richmenu-tabs"}  # that one in test_richmenu.py
        self.assertEqual({os.path.basename(b) for b in BOTS}, tested)
        for bot in BOTS:
            self.command("check", bot)
            head = open(os.path.join(bot, "bot.lua") if os.path.isdir(bot) else bot, encoding="utf-8").read()
            self.assertIn(f"moonline run examples/{os.path.basename(bot)}", head)


class Echo(Example):
    NAME = "echo.lua"

    def test_it_says_everything_back(self):
        self.assertEqual(self.words("hello"), "You said: hello")


class Greeter(Example):
    NAME = "greeter.lua"

    def test_friends(self):
        self.assertIn("Hello!", self.tell(event("follow", "Ann", follow={"isUnblocked": False}))[0]["text"])
        self.assertIn("again", self.tell(event("follow", "Ann", follow={"isUnblocked": True}))[0]["text"])
        self.assertEqual(self.words("hi there"), f"hi, name of {user('Ann')}!")
        self.assertEqual(self.words("bye"), "Bye!")

    def test_groups(self):
        cats = group("cats")
        self.assertIn(f"in name of {cats['groupId']}.", self.tell(event("join", cats))[0]["text"])
        self.standin.missing.add(user("Gone"))
        came = [{"type": "user", "userId": user(n)} for n in ("Ann", "Bob", "Gone")]
        told = self.tell(event("memberJoined", cats, joined={"members": came}))[0]["text"]
        self.assertEqual(told, f"Welcome, name of {user('Ann')} and name of {user('Bob')} and you!")
        self.standin.wait_calls(3, f"GET /v2/bot/group/{cats['groupId']}/member/")
        self.server.post(event("memberLeft", cats, replyToken=None, left={"members": came[:1]}))
        self.assertEqual(self.server.wait_log(message="left")["remain"], 3)
        self.assertEqual(self.words("bye", group("cats", "Ann")), "Bye, all of you!")
        (leave,) = self.standin.wait_calls(1, "POST /v2/bot/group/.*/leave")
        self.assertGreater(leave.n, self.standin.find("message/reply")[-1].n, "the answer comes before it leaves")

    def test_rooms(self):
        room = {"type": "room", "roomId": "R" + user("room")[1:]}
        self.assertIn("in this chat", self.tell(event("join", room))[0]["text"])
        told = self.tell(event("memberJoined", room, joined={"members": [{"type": "user", "userId": user("Ann")}]}))
        self.assertEqual(told[0]["text"], f"Welcome, name of {user('Ann')}!")


class Profile(Example):
    NAME = "profile.lua"

    def test_who(self):
        self.assertEqual(self.words("whoami"), f"You are name of {user('Ann')}.")
        bob = user("Bob")
        self.assertEqual(self.words("who " + bob), f"{bob} is name of {bob}")
        self.standin.missing.add(bob)
        self.assertEqual(self.words("who " + bob), "I do not know them.")

    def test_remind(self):
        self.assertEqual(self.words("remind 0 tea"), "I will.")
        self.standin.wait_text("Remember: tea", to=user("Ann"))


class Postback(Example):
    NAME = "postback.lua"

    def test_menu(self):
        (menu,) = self.say("menu")
        tea, coffee, visit, _ = menu["template"]["actions"]
        (ordered,) = self.tap(tea)
        self.assertEqual(ordered["text"], "One small tea, coming up.")
        self.assertEqual(self.tap(ordered["quickReply"]["items"][1]["action"])[0]["text"], "Never mind.")
        self.assertEqual(self.tap(coffee)[0]["text"], "One large coffee, coming up.")
        picked = event("postback", "Ann", postback={"data": visit["data"], "params": {"datetime": "2027-02-28T06:15"}})
        self.assertEqual(self.tell(picked)[0]["text"], "See you on 28/2 at 6:15.")
        self.assertEqual(self.words("?"), "Write 'menu'.")


class Messages(Example):
    NAME = "messages.lua"

    # What is said → type of the answer, and of its template.
    TYPES = {"text": "text", "emoji": "text", "mention": "textV2", "sticker": "sticker", "image": "image",
             "video": "video", "audio": "audio", "location": "location", "imagemap": "imagemap", "flex": "flex",
             "buttons": "template.buttons", "confirm": "template.confirm", "carousel": "template.carousel",
             "image carousel": "template.image_carousel", "coupon": "coupon", "quick reply": "text", "sender": "text"}

    def test_every_type(self):
        listed = self.words("?").removeprefix("Say one of these: ").split(", ")
        self.assertEqual(set(listed), set(self.TYPES))
        made = set()
        for word in listed:
            (message,) = self.say(word.title())
            kind = message["type"] + ("." + message["template"]["type"] if "template" in message else "")
            self.assertEqual(kind, self.TYPES[word])
            made.add(kind)
        self.assertEqual(made, set(self.TYPES.values()))

    def test_the_details(self):
        (emoji,) = self.say("emoji")
        self.assertEqual([emoji["text"][e["index"]] for e in emoji["emojis"]], ["$", "$"])
        (imagemap,) = self.say("imagemap")
        self.assertEqual([a["area"]["x"] for a in imagemap["actions"]], [0, 520])
        (alone,) = self.say("mention")
        self.assertIn(f"name of {user('Ann')}", alone["text"])
        (together,) = self.say("mention", group("cats", "Ann"))
        self.assertEqual(together["substitution"]["who"]["mentionee"], {"type": "user", "userId": user("Ann")})
        self.assertEqual(len(self.say("quick reply")[0]["quickReply"]["items"]), 5)
        self.assertEqual(self.say("sender")[0]["sender"]["name"], "Cook")
        (buttons,) = self.say("buttons")
        self.assertEqual(self.tap(buttons["template"]["actions"][1])[0]["text"], "The bot got: demo?from=buttons")
        picked = event("postback", "Ann", postback={"data": "demo?from=picker", "params": {"date": "2027-02-28"}})
        self.assertEqual(self.tell(picked)[0]["text"], "You picked 2027-02-28")


class FlexMenu(Example):
    NAME = "flex-menu.lua"

    def test_an_order(self):
        (menu,) = self.say("menu")
        cards = menu["contents"]["contents"]
        self.assertEqual([c["body"]["contents"][1]["text"] for c in cards], ["¥450", "¥980", "¥520"])
        add = [parts(c, type="postback")[0] for c in cards]
        self.tap(add[0])
        (cart,) = self.tap(add[0])
        self.assertEqual(shown(cart["contents"]["body"]), ["2 × Coffee", "¥900", "Total", "¥900"])
        (cart,) = self.tap(add[2])
        self.assertEqual(cart["altText"], "Your cart: ¥1420")
        less, empty, order = (parts(cart, data=d)[0] for d in ("remove?item=coffee", "empty", "order"))
        (cart,) = self.tap(less)
        self.assertEqual(cart["altText"], "Your cart: ¥970")
        self.assertEqual(self.words("cart", "Bob"), "Your cart is empty. Say 'menu'.")
        self.server.stop()
        self.server = self.serve(self.place)
        self.assertEqual(self.say("cart")[0], cart, "it outlives a restart")
        self.assertEqual(self.tap(order)[0]["text"], "Ordered, ¥970. It will be ready in ten minutes.")
        self.assertEqual(self.tap(order)[0]["text"], "There is nothing to order.")
        self.tap(add[1])
        self.assertEqual(self.tap(empty)[0]["text"], "Your cart is empty.")
        self.assertEqual(self.words("cart"), "Your cart is empty. Say 'menu'.")


class Beacon(Example):
    NAME = "beacon.lua"

    @staticmethod
    def near(kind, source="Ann", hwid="0a1b2c3d4e", **more):
        return event("beacon", source, beacon={"hwid": hwid, "type": kind, **more})

    def test_once_a_day(self):
        self.assertIn("Welcome to the shop!", self.tell(self.near("enter"))[0]["text"])
        self.server.post(self.near("enter"))
        self.assertIn("Welcome to the cafe!", self.tell(self.near("enter", hwid="d41d8cd98f"))[0]["text"])
        self.assertIn("near our place", self.tell(self.near("banner", hwid="ffffffffff"))[0]["text"])
        self.assertIn("Welcome to the shop!", self.tell(self.near("enter", "Bob"))[0]["text"])
        self.assertEqual(len(self.standin.find("message/reply")), 4, "the second time is not answered")

    def test_stays(self):
        self.server.post(self.near("stay", dm="63ff"))
        self.assertEqual(self.server.wait_log(message="stays")["battery"], 99)


class Media(Example):
    NAME = "media.lua"

    def message(self, kind, data=b"", content_type="image/jpeg", **more):
        made = text("", "Ann")
        made["message"] = {"id": made["message"]["id"], "type": kind, "contentProvider": {"type": "line"}, **more}
        self.standin.contents[made["message"]["id"]] = (data, content_type)
        return made

    def saved(self, made, ending):
        with open(os.path.join(os.path.dirname(self.place), "media", f"{made['message']['id']}.{ending}"), "rb") as file:
            return file.read()

    def test_what_is_sent_is_saved(self):
        for kind, content_type, ending, size, words in (("image", "image/jpeg", "jpg", 1500, "Your picture is saved: 1.5 kB."),
                                                        ("audio", "audio/x-m4a", "m4a", 70, "Your sound is saved: 0.1 kB."),
                                                        ("video", "video/mp4", "mp4", 2500000, "Your film is saved: 2.5 MB.")):
            made = self.message(kind, os.urandom(size), content_type)
            self.standin.not_ready[made["message"]["id"]] = 1 if kind == "video" else 0
            self.assertEqual(self.tell(made)[0]["text"], words)
            self.assertEqual(self.saved(made, ending), self.standin.contents[made["message"]["id"]][0])
        made = self.message("file", b"%PDF", "application/pdf", fileName="../../etc/passwd", fileSize=4)
        made["message"].pop("contentProvider")
        self.assertEqual(self.tell(made)[0]["text"], "Your file ../../etc/passwd is saved: 0.0 kB.")
        self.assertEqual(self.saved(made, "pdf"), b"%PDF")

    def test_sets_and_what_lies_elsewhere(self):
        first, second = (self.message("image", b"x", imageSet={"id": "s", "index": i, "total": 2}) for i in (1, 2))
        self.server.post(first, second)
        self.assertEqual(self.replied(second)[0]["text"], "All 2 pictures are saved.")
        self.assertEqual(len(self.standin.find("message/reply")), 1)
        self.assertEqual(self.saved(first, "jpg") + self.saved(second, "jpg"), b"xx")
        away = self.message("image")
        away["message"]["contentProvider"] = {"type": "external", "originalContentUrl": "https://a.example/b.png"}
        self.assertEqual(self.tell(away)[0]["text"], "It lies at https://a.example/b.png")
        self.assertIn("Send me a picture", self.words("hello"))


class Statistics(Example):
    NAME = "statistics.lua"

    def test_the_month(self):
        self.standin.quota, self.standin.usage = 1000, 250
        self.answer(r"GET /v2/bot/message/delivery/reply", {"status": "ready", "success": 7})
        self.answer(r"GET /v2/bot/message/delivery/push", {"status": "ready", "success": 3})
        self.answer(r"GET /v2/bot/message/delivery/multicast", {"status": "unready"})
        self.answer(r"GET /v2/bot/message/delivery/broadcast", {"status": "ready", "success": 0})
        japan = datetime.timezone(datetime.timedelta(hours=9))
        before = datetime.datetime.now(japan)
        (bubble,) = self.say("statistics")
        now = datetime.datetime.now(japan)
        if now.day != before.day:
            self.skipTest("it became tomorrow in Japan")
        days = [f"{now:%Y%m}{day:02}" for day in range(1, now.day)]
        self.assertEqual(shown(bubble["contents"]["header"]), [f"Messages in {now:%B %Y}"])
        told = shown(bubble["contents"]["body"])
        self.assertEqual(dict(zip(told[::2], told[1::2])), {
            "Allowed": "1000", "Used": "250", "Left": "750", "Replies (free)": str(7 * len(days)),
            "Pushes": str(3 * len(days)), "Multicasts": "0", "Broadcasts": "0"})
        self.assertEqual(parts(bubble, height="6px", backgroundColor="#06C755")[0]["width"], "25%")
        for kind in ("reply", "push", "multicast", "broadcast"):
            asked = sorted(c.query for c in self.standin.find(f"GET /v2/bot/message/delivery/{kind}$"))
            self.assertEqual(asked, ["date=" + d for d in days], kind)

    def test_a_plan_without_a_limit(self):
        self.answer(r"GET /v2/bot/message/delivery/", {"status": "unready"})
        self.assertIn("no limit", shown(self.say("statistics")[0]))
        self.assertEqual(self.words("?"), "Say 'statistics'.")


class Audience(Example):
    NAME = "audience.lua"
    READY = {"audienceGroupId": 4389303728991, "status": "READY", "audienceCount": 2}

    def subscribe(self):
        for name in ("Ann", "Bob", "Cid"):
            self.assertEqual(self.words("subscribe", name), "You will get the news.")
        self.assertEqual(self.words("unsubscribe", "Cid"), "No more news.")
        self.assertEqual(self.words("I am the editor", "Ed"), "Say 'news' and the text.")
        self.assertEqual(self.words("I am the editor", "Ann"), "There is one already.")
        self.assertEqual(self.words("news for all", "Ann"), "Only the editor may.")

    def test_news(self):
        self.answer("POST /v2/bot/audienceGroup/upload", {"audienceGroupId": self.READY["audienceGroupId"]}, 202)
        audience = f"GET /v2/bot/audienceGroup/{self.READY['audienceGroupId']}"
        self.answer(audience, {"audienceGroup": {**self.READY, "status": "IN_PROGRESS"}}, times=1)
        self.answer(audience, {"audienceGroup": self.READY})
        progress = "GET /v2/bot/message/progress/narrowcast"
        self.answer(progress, {"phase": "sending", "targetCount": 2}, times=1)
        self.answer(progress, {"phase": "succeeded", "successCount": 2, "failureCount": 0, "targetCount": 2})
        self.subscribe()
        self.assertEqual(self.words("news It is raining.", "Ed"), "I will tell you how it goes.")
        self.assertEqual(self.words("news It rains on.", "Ed"), "The news before are still on their way.")
        self.standin.wait_text("Sent to 2 people.", to=user("Ed"), seconds=60)
        (upload,) = self.standin.find("POST /v2/bot/audienceGroup/upload")
        self.assertEqual(sorted(a["id"] for a in upload.json["audiences"]), sorted(map(user, ("Ann", "Bob"))))
        (sent,) = self.standin.find("narrowcast", status=202)
        self.assertRegex(sent.key, r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(sent.json["recipient"], {"type": "audience", "audienceGroupId": self.READY["audienceGroupId"]})
        self.assertEqual(sent.json["filter"], {"demographic": {"type": "age", "gte": "age_20"}})
        self.assertEqual(sent.json["limit"], {"upToRemainingQuota": True})
        self.assertEqual({c.query for c in self.standin.find(progress)}, {"requestId=" + sent.request_id})
        self.assertEqual(self.words("news Sun!", "Ed"), "I will tell you how it goes.", "the next may start")

    def test_it_goes_on_after_a_restart_and_tells_of_failures(self):
        self.answer("POST /v2/bot/audienceGroup/upload", {"audienceGroupId": 1}, 202)
        gate = self.standin.gate("GET /v2/bot/audienceGroup/1", times=1)
        self.subscribe()
        self.words("news It is raining.", "Ed")
        gate.wait(1, 30)
        self.server.stop()
        gate.open()
        self.answer("GET /v2/bot/audienceGroup/1", {"audienceGroup": {**self.READY, "status": "FAILED"}})
        self.server = self.serve(self.place)
        self.standin.wait_text("LINE could not make the audience.", to=user("Ed"), seconds=60)
        self.assertEqual(len(self.standin.find("POST /v2/bot/audienceGroup/upload")), 1)


class AccountLink(Example):
    NAME = "account-link"

    def setUp(self):
        super().setUp()
        self.answer(r"POST /v2/bot/user/[^/]+/linkToken", {"linkToken": "tok/en="})
        webhook = f"http://127.0.0.1:{self.server.port}/webhook"
        env = {**environment(self.dir, LINE_CHANNEL_SECRET=SECRET), "PYTHONDONTWRITEBYTECODE": "1"}
        self.page = self.spawn([sys.executable, os.path.join(self.place, "page.py"), "0", webhook], env)
        self.address = self.page.wait_stdout(r"is at (http://\S+)$")[1]

    def log_in(self, account):
        """What a browser does with the bot's link. Returns the query of LINE's page it is sent on to."""
        (card,) = self.say("link")
        query = urllib.parse.urlsplit(card["template"]["actions"][0]["uri"]).query
        with urllib.request.urlopen(f"{self.address}?{query}", timeout=10) as page:
            hidden = re.search(r'name="linkToken" value="([^"]*)"', page.read().decode())[1]
        form = urllib.parse.urlencode({"linkToken": hidden, "account": account}).encode()

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None
        try:
            urllib.request.build_opener(Stay).open(self.address, form, timeout=10)
            self.fail("the browser was not sent on")
        except urllib.error.HTTPError as sent_on:
            self.assertEqual(sent_on.code, 303)
            where = urllib.parse.urlsplit(sent_on.headers["Location"])
        self.assertEqual((where.netloc, where.path), ("access.line.me", "/dialog/bot/accountLink"))
        return {k: v[0] for k, v in urllib.parse.parse_qs(where.query).items()}

    def link(self, nonce, result="ok"):
        return self.tell(event("accountLink", "Ann", link={"result": result, "nonce": nonce}))[0]["text"]

    def test_from_the_link_to_the_account(self):
        self.assertEqual(self.words("hello"), "Say 'link' to log in.")
        sent_on = self.log_in("ann@shop")
        self.assertEqual(sent_on["linkToken"], "tok/en=")
        self.wait_events(0)  # the page's event was taken and handled
        self.assertEqual(self.link("n" * 32), "That did not work (unknown). Say 'link' to try again.")
        self.assertEqual(self.link(sent_on["nonce"]), "Now I know you as ann@shop.")
        self.assertEqual(self.words("hello"), "What can I do for you, ann@shop?")
        self.assertIn("already", self.words("link"))
        self.assertEqual(self.words("unlink"), "I have forgotten your account.")
        self.assertEqual(self.words("unlink"), "You have no account linked.")
        self.wait_events(0)
        again = self.log_in("bob@shop")
        self.wait_events(0)
        self.assertEqual(self.link(again["nonce"], "failed"), "That did not work (failed). Say 'link' to try again.")


if __name__ == "__main__":
    main()
