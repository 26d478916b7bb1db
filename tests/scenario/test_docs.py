#!/usr/bin/python3
"""What the documents show is true: every Lua listing of README.md loads without a problem and does what the text around it
says; every command and option README names exists."""

import os
import re
import subprocess

from harness import BINARY, Scenario, event, main, text

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


class Commands(Scenario):
    def test_commands_and_options_named_in_readme_exist(self):
        inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S))
        shown = inline + re.findall(r"^    (.+)$", README, re.M)
        commands = {word for words in shown for word in re.findall(r"(?:^|/| )moonline ([a-z]+)\b", words)}
        self.assertLessEqual({"run", "check", "event", "help"}, commands)
        helped = subprocess.run([BINARY, "help"], capture_output=True, text=True, check=True).stdout
        for command in commands:
            self.assertIn(f"moonline {command}", helped)
        options = set(re.findall(r"--[a-z][a-z-]+", README))
        listed = "".join(subprocess.run([BINARY, "help", c], capture_output=True, text=True, check=True).stdout
                         for c in ("run", "check", "event"))
        self.assertEqual({o for o in options if o not in listed}, set())


if __name__ == "__main__":
    main()
