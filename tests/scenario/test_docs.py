#!/usr/bin/python3
"""What the documents show is true: every Lua listing of README.md and of the guide loads without a problem and does what the
text around it says, the guide's conversations are played, links lead somewhere, and every command and option exists."""
# runner: unsanitized

import glob
import json
import os
import re
import subprocess

from harness import BINARY, SECRET, TOOLS, Scenario, environment, event, main, text
from rawhttp import request
from test_http import Service

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
README = open(os.path.join(TOP, "README.md"), encoding="utf-8").read()
LISTINGS = re.findall(r"^```lua\n(.*?)^```", README, re.M | re.S)


class Listings(Scenario):
    def test_every_listing_is_a_bot_without_problems(self):
        self.assertGreaterEqual(len(LISTINGS), 2)
        for number, listing in enumerate(LISTINGS):
            self.command("check", self.folder(listing, f"listing{number}").path)

    def test_the_first_listing_echoes(self):
        server = self.serve(self.folder(LISTINGS[0]))
        server.post(text("hello"))
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].texts, ["You said: hello"])

    def test_the_first_bot_does_what_it_says(self):
        server = self.serve(self.folder(LISTINGS[1]))
        server.post(event("follow", "Ann", replyToken="a" * 32, follow={"isUnblocked": False}))
        server.post(text(" 12 ", "Bob"))
        server.post(text("twelve", "Cid"))
        told = [call.texts for call in self.standin.wait_calls(3, "reply")]
        self.assertIn(["12 squared is 144"], told)
        self.assertIn(["That was not a number.", "Try 12."], told)
        self.assertTrue(any(re.fullmatch(r"Welcome, .+! Send me a number\.", t[0]) for t in told), told)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


CHAPTERS = sorted(glob.glob(os.path.join(TOP, "docs", "guide", "*.md")))
PAGES = {path: read(path) for path in [os.path.join(TOP, "README.md"), *CHAPTERS]}


class Elsewhere(Service):
    """What the chapter on other services calls https://api.example.com."""

    def serve_weather(self, handler, query):
        known = query["city"] == "Tokyo"
        handler.reply(200 if known else 404, json.dumps({"city": query["city"], "sky": "clear", "degrees": 21}).encode())

    def serve_notes(self, handler, _):
        handler.reply(201)

    def serve_pictures(self, handler, _):
        handler.reply(200, b'{"frame": 7}')

    def serve_report(self, handler, _):
        handler.reply(200, b"a,b,c,d,e\n" * 10000)



class Guide(Scenario):
    """A ```lua listing of the guide is a bot, the ```chat block behind it a conversation with it."""

    def setUp(self):
        super().setUp()
        self.elsewhere = Elsewhere()
        self.addCleanup(self.elsewhere.close)

    def post(self, kind, words):
        if kind == "you":
            made = text(words, {"type": "user", "userId": "you"})
        elif kind == "tap":
            made = event("postback", {"type": "user", "userId": "you"}, postback={"data": words})
        else:
            fields = json.loads(words)
            made = event(fields.pop("type"), fields.pop("source", {"type": "user", "userId": "you"}), **fields)
            message = made.get("message", {}).get("id")
            self.standin.contents[message] = (b"x" * 1000, "image/jpeg")
        self.server.post(made)

    @staticmethod
    def shown(call):
        for message in call.json["messages"]:
            words = message["text"] if message["type"] == "text" else f"[{message['type']}] {message.get('altText', '')}"
            yield ("push: " if call.path.endswith("push") else "bot: ") + words.strip()

    def ask(self, kind, words):
        """A request to the bot's routes: the line of its answer."""
        path, _, form = words.partition(" ")
        fields = [("Content-Type", "application/x-www-form-urlencoded")] if form else []
        with self.server.connect() as connection:
            connection.send(request(kind.upper(), path, form.encode(), fields))
            answer = connection.read()
        return f"web: {answer.status} {answer.body.decode()}".rstrip()

    def said(self):
        calls = self.standin.find("message/(reply|push)", status=200)
        return [line for call in calls for line in self.shown(call)]

    def play(self, chat):
        told, answered = [], None
        for line in chat.strip().split("\n"):
            kind, words = line.split(": ", 1)
            if kind in ("bot", "push"):
                told.append(line)
                continue
            if kind == "web":
                self.assertEqual(answered, line)
                continue
            self.standin.wait(lambda: len(self.said()) >= len(told), f"{told}, got {self.said()}")
            self.assertEqual(self.said(), told)
            if kind in ("get", "post"):
                answered = self.ask(kind, words)
            else:
                self.post(kind, words)
        self.standin.wait(lambda: len(self.said()) >= len(told), f"{told}, got {self.said()}\n{self.server.tail()}")
        self.wait_events(0)
        self.assertEqual(self.said(), told)

    def test_every_conversation(self):
        played = 0
        for path in CHAPTERS:
            blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGES[path], re.M | re.S)
            for (kind, listing), (after, chat) in zip(blocks, blocks[1:] + [("", "")]):
                self.assertIn(kind, ("lua", "chat"), path)
                if kind != "lua":
                    continue
                self.assertEqual(after, "chat", f"{path}: a listing without a conversation:\n{listing}")
                played += 1
                with self.subTest(chapter=os.path.basename(path), listing=listing.split("\n")[0]):
                    listing = listing.replace("https://api.example.com", self.elsewhere.url)
                    bot = self.folder(listing, f"bot{played}")
                    self.command("check", bot.path)
                    self.standin.calls.clear()
                    self.standin.missing.add("Nobody")
                    self.server = self.serve(bot, options=["--data", os.path.join(self.dir, "data"), "--http-allow", "127.0.0.1"])
                    self.play(chat)
                    self.assertEqual(self.server.stop(), 0)
        self.assertGreaterEqual(played, 9)

    def test_links_lead_somewhere(self):
        for path, page in PAGES.items():
            for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page):
                if not link.startswith("https://"):
                    self.assertTrue(os.path.exists(os.path.join(os.path.dirname(path), link)), f"{path}: {link}")

    def test_the_webhook_by_curl(self):
        """The lines of the chapter on testing, as they are, with another port."""
        page = PAGES[os.path.join(TOP, "docs", "guide", "8-testing.md")]
        lines = re.search(r"^    body=.*?^    curl [^\n]*", page, re.M | re.S)[0]
        self.server = self.serve(self.folder(LISTINGS[0]))
        script = lines.replace(":3000/", f":{self.server.port}/")
        done = subprocess.run(["sh", "-ec", script], env={**self.env(), "LINE_CHANNEL_SECRET": SECRET}, timeout=20,
                              capture_output=True, text=True, check=False)
        self.assertIn("200 OK", done.stdout, done.stderr)
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].texts, ["You said: hello"])


class Commands(Scenario):
    def test_commands_and_options_named_exist(self):
        pages = "\n".join(PAGES.values())
        inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", pages, flags=re.M | re.S))
        shown = inline + re.findall(r"^    (.+)$", pages, re.M)
        commands = {word for words in shown for word in re.findall(r"(?:^|/| )moonline ([a-z]+)\b", words)}
        self.assertLessEqual({"run", "check", "event", "help"}, commands)
        helped = subprocess.run([BINARY, "help"], capture_output=True, text=True, check=True).stdout
        for command in commands:
            self.assertIn(f"moonline {command}", helped)
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", pages)) - {"--help"}
        listed = "".join(subprocess.run([BINARY, "help", c], capture_output=True, text=True, check=True).stdout
                         for c in ("run", "check", "event", "dev", "emulate"))
        self.assertEqual({o for o in options if o not in listed}, set())


if __name__ == "__main__":
    main()
