#!/usr/bin/python3
"""`moonline dev --live` against the stand-in as LINE: the webhook address is set and put back, whatever ends the command;
the page shows what passes, and nothing can be done on it; no secret is seen anywhere."""

import glob
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from harness import BINARY, PATIENCE, SECRET, TOKEN, Moonline, Scenario, environment, event, group, main, text, until, user

PUBLIC = "https://bot.example.com/dev"
OURS = PUBLIC + "/webhook"
BEFORE = "https://prod.example.com/callback"
ENDPOINT = "/v2/bot/channel/webhook/endpoint"

BOT = """
local line = require "line"
line.on("message.text", function(event)
  local profile = line.get_profile(event.source.userId)
  event:reply("You said: " .. event.message.text)
end)
line.on("follow", function(event) line.push(event.source.userId, "hello") end)
line.on("postback", function(event)
  line.issue_channel_token{grant_type = "client_credentials", client_id = "1234567890", client_secret = event.postback.data}
end)
"""


class Live(Scenario):
    def setUp(self):
        super().setUp()
        self.bot = self.folder(BOT)
        self.bot.write(".env", f"LINE_CHANNEL_SECRET={SECRET}\nLINE_CHANNEL_ACCESS_TOKEN={TOKEN}\n")
        self.standin.endpoint = BEFORE

    def start(self, *options, env=None):
        return self.spawn([BINARY, "dev", self.bot.path, "--live", "--page", "127.0.0.1:0", "--listen", "127.0.0.1:0", *options],
                          environment(self.dir, LINE_API_BASE=self.standin.url, **(env or {})))

    def live(self, *options, env=None, page=True):
        running = self.start(*options, env=env)
        self.page = running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]
        if page:
            running.wait_stdout("^moonline: bot bot at /webhook, generation 1")
        port = running.wait_stdout(r"^moonline: listening on http://127\.0\.0\.1:(\d+)$")[1]
        self.hook = Moonline.__new__(Moonline)  # only what sends webhooks
        self.hook.secret, self.hook.port, self.hook.tail = SECRET, int(port), running.tail
        return running

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.page + path, data, {"authorization": "Bearer " + TOKEN}, method=method)
        with urllib.request.urlopen(call, timeout=PATIENCE) as answer:
            return json.load(answer)

    def refused(self, path, body=None, method=None):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.ask(path, body, method)
        with caught.exception as answer:
            return answer.code, json.load(answer)["message"]

    def feed(self, least):
        """Everything that happened, once so much has."""
        call = urllib.request.urlopen(self.page + "/_/feed?since=0", timeout=PATIENCE)
        items, seen = [], lambda: {(i["kind"], i.get("what") or i.get("operation")) for i in items}
        with call:
            while not least <= seen():
                line = call.readline()
                if not line:
                    self.fail(f"the feed ended after {seen()}")
                if line.startswith(b"data: "):
                    items.append(json.loads(line[6:]))
        return items

    def remembered(self):
        return glob.glob(os.path.join(self.bot.path, ".moonline", "live-webhook-*"))

    def end(self, running, number=signal.SIGINT, status=0):
        running.signal(number)
        self.assertEqual(running.wait_exit(), status, running.tail())

    # ---- the webhook address ----

    def test_the_address_is_put_back(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                running = self.live("--public-url", PUBLIC + "/")
                self.assertEqual(self.standin.endpoint, OURS)
                running.wait_stdout(f"^moonline: live: the webhook address at LINE is now {OURS}; in the end it will be {BEFORE} again$")
                running.wait_stdout("^moonline: live: the bot talks to LINE as a bot")
                self.assertEqual(self.ask("/_/world")["channels"][0]["webhook"]["endpoint"], OURS)
                self.end(running, number)
                self.assertEqual(self.standin.endpoint, BEFORE)
                self.assertIn(f"moonline: live: the webhook address at LINE is {BEFORE} again", running.stdout)
                self.assertEqual(self.remembered(), [])

    def test_without_the_option_nothing_is_touched(self):
        running = self.live()
        self.end(running)
        self.assertEqual(self.standin.find("endpoint"), [])

    def test_a_bot_that_does_not_load(self):
        self.bot.write("bot.lua", "line.on(")
        running = self.live("--public-url", PUBLIC, page=False)
        until(lambda: self.ask("/_/world")["live"], "the page")
        self.assertEqual(self.standin.endpoint, OURS)
        self.end(running)
        self.assertEqual(self.standin.endpoint, BEFORE)

    def test_a_start_that_fails(self):
        """The page's own part does not load: everything had been set by then."""
        running = self.start("--public-url", PUBLIC, "--scripts-dir", self.dir)
        self.assertEqual(running.wait_exit(), 1)
        self.assertEqual(len(self.standin.find("PUT " + ENDPOINT)), 2)
        self.assertEqual(self.standin.endpoint, BEFORE)
        # A bot that is not there is noticed before LINE is asked anything.
        running = self.spawn([BINARY, "dev", self.dir + "/none.lua", "--live", "--public-url", PUBLIC, "--page", "127.0.0.1:0"],
                             environment(self.dir, LINE_API_BASE=self.standin.url))
        self.assertEqual(running.wait_exit(), 2)
        self.assertEqual(len(self.standin.find("PUT " + ENDPOINT)), 2)

    def test_killed(self):
        """The next start with the same address goes on; one without, or with another, first puts the original back."""
        for options, during in ((["--public-url", PUBLIC], OURS), ([], BEFORE),
                                (["--public-url", "https://other.example.com"], "https://other.example.com/webhook")):
            with self.subTest(options=options):
                self.live("--public-url", PUBLIC).kill()
                self.assertEqual(self.standin.endpoint, OURS)
                self.assertEqual(len(self.remembered()), 1)
                running = self.live(*options)
                self.assertEqual(self.standin.endpoint, during)
                self.end(running)
                self.assertEqual(self.standin.endpoint, BEFORE)
                self.assertEqual(self.remembered(), [])
        # Somebody mended it by hand: that counts.
        self.live("--public-url", PUBLIC).kill()
        self.standin.endpoint = "https://mended.example.com/hook"
        running = self.live("--public-url", PUBLIC)
        self.end(running)
        self.assertEqual(self.standin.endpoint, "https://mended.example.com/hook")

    def test_no_address_before(self):
        self.standin.endpoint = None
        running = self.live("--public-url", PUBLIC)
        self.end(running)
        self.assertEqual(self.standin.endpoint, OURS)
        self.assertIn(f"moonline: live: LINE had no webhook address before and cannot be left without one: it stays {OURS}",
                      running.stdout)
        running = self.live("--public-url", PUBLIC)
        running.wait_stdout("is https://bot.example.com/dev/webhook already; it stays$")
        self.end(running)
        self.assertEqual(len(self.standin.find("PUT " + ENDPOINT)), 1)

    def test_changed_meanwhile(self):
        running = self.live("--public-url", PUBLIC)
        self.standin.endpoint = "https://third.example.com/hook"
        self.end(running)
        self.assertEqual(self.standin.endpoint, "https://third.example.com/hook")
        self.assertIn("moonline: live: the webhook address at LINE was changed meanwhile; it stays https://third.example.com/hook",
                      running.stdout)

    def test_it_cannot_be_put_back(self):
        running = self.live("--public-url", PUBLIC)
        self.standin.fault("^PUT " + ENDPOINT, times=9, status=500, body={"message": "down"})
        self.end(running, status=1)
        self.assertRegex(running.output(), "could not be put back: LINE answered 500: down\n"
                         f"moonline dev: set it by hand to {BEFORE} .LINE Developers Console, Messaging API tab, Webhook URL.")
        self.assertEqual(len(self.remembered()), 1)
        self.standin.faults.clear()
        running = self.live()
        self.end(running)
        self.assertEqual(self.standin.endpoint, BEFORE)

    def test_impatient_people(self):
        """Ctrl-C while the address is being set, and more of it while it is being put back."""
        gate = self.standin.gate("^PUT " + ENDPOINT, times=2)
        running = self.start("--public-url", PUBLIC)
        gate.wait(1, PATIENCE)
        running.signal(signal.SIGINT)
        self.assertEqual(self.standin.endpoint, BEFORE)
        gate.open()
        self.assertEqual(running.wait_exit(), 0)
        self.assertEqual([c.json["endpoint"] for c in self.standin.find("PUT " + ENDPOINT)], [OURS, BEFORE])
        running = self.live("--public-url", PUBLIC)
        gate = self.standin.gate("^PUT " + ENDPOINT, times=1)
        running.signal(signal.SIGINT)
        gate.wait(1, PATIENCE)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            running.signal(number)
        gate.open()
        self.assertEqual(running.wait_exit(), 0)
        self.assertEqual(self.standin.endpoint, BEFORE)

    def test_it_cannot_be_set(self):
        for status, words in ((400, "LINE answered 400: Invalid webhook endpoint URL"), (500, "LINE answered 500: Invalid")):
            with self.subTest(status=status):
                self.standin.faults.clear()
                self.standin.fault("^PUT " + ENDPOINT, times=3, status=status, body={"message": "Invalid webhook endpoint URL"})
                running = self.start("--public-url", PUBLIC)
                self.assertEqual(running.wait_exit(), 1)
                self.assertIn(f"moonline dev: the webhook address {OURS} could not be set: {words}", running.output())
                self.assertEqual(self.standin.endpoint, BEFORE)
                self.assertEqual(self.remembered(), [])

    def test_issued_tokens(self):
        """Credentials without a token: one is issued for the setting, too."""
        self.bot.write(".env", f"LINE_CHANNEL_SECRET={SECRET}\nLINE_CHANNEL_ID=1234567890\n")
        self.standin.own_token, self.secrets = False, [SECRET, "hush-issued-token"]
        running = self.live("--public-url", PUBLIC)
        self.assertEqual(self.ask("/_/world")["channels"][0]["id"], "1234567890")
        self.standin.revoked.update(self.standin.issued)  # as if they had run out
        self.end(running)
        self.assertEqual(self.standin.endpoint, BEFORE)

    def test_what_cannot_be(self):
        for options, words in (
            (["--public-url", PUBLIC], "--public-url goes with --live"),
            (["--live", "--public-url", "http://bot.example.com"], "--public-url http://bot.example.com: LINE takes addresses such as"),
            (["--live", "--public-url", "https://a.example/" + "x" * 500], "of 500 characters at most"),
            (["--live", "--public-url", "https://a.example/?q=1"], "without a query"),
            (["--live", "--fault", "push_message=429"], "--fault is the emulator's"),
        ):
            with self.subTest(words=words):
                done = subprocess.run([BINARY, "dev", self.bot.path, *options], env=environment(self.dir), capture_output=True,
                                      text=True, timeout=30 + PATIENCE, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(words, done.stderr)
        self.bot.write(".env", f"LINE_CHANNEL_SECRET={SECRET}\n")
        running = self.start("--public-url", PUBLIC)
        self.assertEqual(running.wait_exit(), 1)
        self.assertIn("cannot be set: there is no channel access token: set LINE_CHANNEL_ACCESS_TOKEN", running.output())

    # ---- the page ----

    def test_the_page_shows_what_passes(self):
        running = self.live()
        aiko, lunch = user("aiko"), group("lunch", "ken")
        self.hook.post(text("hello", "aiko"), text("from a group", lunch), event("follow", "zoe"))
        self.standin.wait_text("hello", to=user("zoe"))
        items = self.feed({("news", "handled"), ("call", "reply_message"), ("call", "push_message"), ("call", "get_profile")})
        until(lambda: len(self.ask("/_/calls")["calls"]) == 5, "five calls")
        world = self.ask("/_/world")
        self.assertTrue(world["live"])
        channel = world["channels"][0]
        self.assertEqual((channel["name"], channel["bot"]), ("a bot", "Ubot"))
        self.assertNotIn("secret", channel)
        self.assertNotIn("token", channel)
        self.assertEqual({u["id"]: u["name"] for u in world["users"]},
                         {aiko: "name of " + aiko, user("ken"): "name of " + user("ken"), user("zoe"): user("zoe")})
        self.assertEqual([(g["id"], g["members"]) for g in world["groups"]], [(lunch["groupId"], [user("ken")])])
        said = [(e["message"]["text"], e["from"]) for e in self.ask(f"/_/chats/{channel['id']}:{aiko}/entries")["entries"]]
        self.assertEqual(said, [("hello", aiko), ("You said: hello", "Ubot")])
        said = [e["message"]["text"] for e in self.ask(f"/_/chats/{lunch['groupId']}/entries")["entries"]]
        self.assertEqual(said, ["from a group", "You said: from a group"])
        self.assertEqual({"message", "event", "call", "delivery", "news"} - {i["kind"] for i in items}, set())
        # The inspector's side: an event with handler, calls and reply token; a call with both bodies.
        found = next(i for i in items if i["kind"] == "event" and i.get("text") == "hello")
        seen = until(lambda: (e := self.ask(f"/_/events/{found['id']}")) and e.get("news", {}).get("outcome") and e, "its end")
        self.assertEqual((seen["news"]["where"], seen["news"]["outcome"], seen["replyToken"]["state"]), ("bot.lua:3", "done", "used"))
        self.assertEqual(seen["event"]["message"]["text"], "hello")
        calls = [self.ask(f"/_/calls/{c}") for c in seen["calls"]]
        self.assertEqual([c["operation"] for c in calls], ["get_profile", "reply_message"])
        self.assertEqual(json.loads(calls[1]["request"]["body"])["messages"][0]["text"], "You said: hello")
        self.assertIn("sentMessages", json.loads(calls[1]["answer"]["body"]))
        running.wait_stdout("→ a bot: hello$")
        running.wait_stdout("^a bot → .*: You said: hello$")
        # It was kept where `run` keeps it.
        self.assertTrue(os.path.exists(os.path.join(self.bot.path, ".moonline")))
        self.end(running)

    def test_nothing_can_be_done_on_it(self):
        running = self.live()
        for method, path, body in (("POST", "/_/act", {"as": "x", "do": "follow"}), ("POST", "/_/say", "x"), ("POST", "/_/reset", {}),
                                   ("PATCH", "/_/channels/live", {"name": "x"}), ("DELETE", "/_/faults", None),
                                   ("POST", "/_/users", {"name": "x"}), ("POST", "/_/clock", {"advance": 1})):
            with self.subTest(path=path):
                self.assertEqual(self.refused(path, body, method),
                                 (403, "with --live the page only looks on: the bot talks to LINE itself"))
        for method, path, body in (("POST", "/v2/bot/message/push", {"to": "U", "messages": []}), ("GET", "/v2/bot/info", None)):
            with self.subTest(path=path):
                code, words = self.refused(path, body, method)
                self.assertEqual(code, 404)
                self.assertIn("with --live the page only looks on", words)
        self.assertEqual(self.standin.find("push"), [])
        self.end(running)

    def test_no_secret_is_shown(self):
        """Not where a person writes one, not in calls about tokens, not the bot's own."""
        running = self.live()
        self.hook.post(text(f"it is {TOKEN} and {SECRET}", "aiko"), event("postback", "aiko", postback={"data": "another" + SECRET}))
        self.feed({("call", "reply_message"), ("call", "issue_channel_token")})
        calls = [self.ask("/_/calls/" + c["id"]) for c in self.ask("/_/calls")["calls"]]
        shown = json.dumps([calls, [self.ask("/_/events/" + e["id"]) for e in self.ask("/_/events")["events"]], self.ask("/_/world"),
                            self.ask("/_/save"), self.feed({("call", "issue_channel_token")})])
        self.assertIn("it is [secret] and [secret]", shown)
        for secret in (SECRET, TOKEN):
            self.assertNotIn(secret, shown)
        token = next(c for c in calls if c["operation"] == "issue_channel_token")
        self.assertNotIn("body", token["request"])
        self.assertNotIn("body", token["answer"])
        self.end(running)

    def test_events_of_before_are_shown(self):
        """What a killed run had not finished is told when it is taken up again."""
        self.bot.write("bot.lua", BOT.replace('"message.text"', '"message.sticker"'))
        gate = self.standin.gate("push")
        running = self.live()
        self.hook.post(event("follow", "zoe"))
        gate.wait(1, PATIENCE)
        running.kill()
        gate.open()
        running = self.live()
        self.feed({("event", None), ("call", "push_message"), ("news", "handled")})
        self.assertEqual([e["type"] for e in self.ask("/_/events")["events"]], ["follow"])
        self.end(running)


if __name__ == "__main__":
    main()
