#!/usr/bin/python3
"""The command line: wrong usage ends with status 2 and one line that says what to do; `check` finds what would fail;
`event` looks at a store in use and at one that nobody has; a data folder has one owner."""

import json
import os
import re
import signal
import subprocess

from harness import BINARY, PATIENCE, Scenario, main, text

BOT = """
local line = require "line"
line.on("message.text", function(event)
  if event.message.text == "fail" then error("on purpose") end
  event:reply(event.message.text)
end)
"""


class Usage(Scenario):
    def wrong(self, *arguments, pattern="", env=None):
        done = self.command(*arguments, status=2, env=env)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Amoonline[^\n]*\n\Z", "one line")
        self.assertRegex(done.stderr, pattern)

    def test_wrong_usage_is_one_line_that_helps(self):
        bot = self.folder(BOT).path
        for arguments, pattern in (
                ((), "help"), (("rum",), "run"), ((bot,), "moonline run " + re.escape(bot)),
                (("--lisen",), "help|command"), (("run",), "PATH|what"),
                (("run", bot, "--lisen", "x"), "--listen"), (("run", bot, "--listen"), "listen"),
                (("run", bot, "--workers", "many"), "workers"), (("run", bot, "--workers", "0"), "workers.*1"),
                (("run", bot, "--workers", "65"), "64"), (("run", bot, "--durability", "some"), "fsync"),
                (("run", bot, "--cpu-limit", "5 apples"), "cpu-limit"), (("run", bot, "--memory-limit", "1"), "memory-limit"),
                (("run", bot, "--no-listen"), "listen"), (("run", bot, "--json"), "json"),
                (("run", os.path.join(self.dir, "nobody")), "nobody"),
                (("run", bot, "--listen", "nowhere"), "nowhere"), (("run", bot, "--listen", "127.0.0.1:99999"), "99999"),
                (("check",), "PATH|what"), (("check", bot, bot), "one too many|usage"), (("check", bot, "--listen", "x"), "listen"),
                (("event",), "list"), (("event", "lits"), "list"), (("event", "show", "--data", self.dir), "ID"),
                (("event", "list", "--data", os.path.join(self.dir, "none")), "none"),
                (("event", "list", "--data", self.dir, "--state", "sad"), "failed"),
                (("help", "nothing"), "nothing"), (("version", "x"), "x")):
            with self.subTest(arguments):
                self.wrong(*arguments, pattern=pattern)

    def test_credentials_are_asked_for_by_name(self):
        bot = self.folder(BOT)
        self.wrong("run", bot.path, pattern="LINE_CHANNEL_SECRET", env=self.env(secret=None))

    def test_wrong_values_in_the_environment(self):
        bot = self.folder(BOT)
        self.wrong("run", bot.path, pattern="MOONLINE_WORKERS", env=self.env(MOONLINE_WORKERS="lots"))

    def test_address_in_use(self):
        server = self.serve(self.folder(BOT))
        done = self.command("run", self.folder(BOT, "second").path, "--listen", f"127.0.0.1:{server.port}", "--data",
                            f"{self.dir}/data2", status=1)
        self.assertIn(str(server.port), done.stderr)

    def test_version_and_help(self):
        for word in ("version", "--version"):
            self.assertRegex(self.command(word).stdout, r"\Amoonline \d+\.\d+\.\d+\S*\n\Z")
        listed = self.command("help").stdout
        commands = re.findall(r"^  moonline (\w+)", listed, re.M)
        self.assertLessEqual({"run", "check", "event", "version", "help"}, set(commands))
        for name in commands:
            page = self.command("help", name).stdout
            self.assertIn(f"moonline {name}", page)
            self.assertEqual(self.command(name, "--help").stdout, page)
        page = self.command("help", "run").stdout
        with open(os.path.join(os.path.dirname(__file__), "../../runtime/base/options.def"), encoding="utf-8") as file:
            for name, commands in re.findall(r'^OPTION\(([\w-]+), .*?"((?:run|check|event)[a-z ]*)", "', file.read(), re.M):
                if "run" in commands.split():
                    self.assertIn(f"--{name}" if name != "reload" else "reload", page)


class Settings(Scenario):
    def test_environment_names_and_the_command_line_wins(self):
        bot = self.folder("""
            local line = require "line"
            line.on("*", function() while true do end end)""")
        server = self.serve(bot, env=self.env(MOONLINE_ATTEMPTS="1", MOONLINE_CPU_LIMIT="1h"), options=["--cpu-limit", "20ms"])
        server.post(text("x"))
        self.assertEqual(int(self.wait_events(1, "quarantined")[0]["attempts"]), 1)

    def test_dotenv_beside_the_bot(self):
        secret, token = "a-secret-out-of-the-file", "a-token-out-of-the-file"
        self.secrets += [secret, token]
        self.standin.token = token
        bot = self.folder(BOT)
        bot.write(".env", f'# comment\n\nexport LINE_CHANNEL_SECRET="{secret}"\nLINE_CHANNEL_ACCESS_TOKEN=\'{token}\'  # more\n'
                          f"LINE_API_BASE={self.standin.url}\n")
        env = {k: v for k, v in self.env().items() if not k.startswith("LINE_")}
        for path in (bot.path, bot.file("bot.lua")):  # the folder, or the file in it
            server = self.serve(path, env=env, secret=secret)
            server.post(text("from the file"))
            self.standin.wait_text("from the file")
            server.stop()
            self.standin.accepted.clear()
        with self.subTest("the environment wins"):
            server = self.serve(bot, env={**env, "LINE_CHANNEL_SECRET": "another-one-from-outside"},
                                secret="another-one-from-outside")
            server.post(text("by the environment"))
            self.standin.wait_text("by the environment")

    def test_data_beside_the_bot_by_default(self):
        bot = self.folder(BOT)
        server = self.spawn([BINARY, "run", bot.path, "--listen", "127.0.0.1:0"])
        server.wait_stdout(r"^moonline: bot bot at /webhook, generation 1, 1 handler$")
        self.assertEqual(os.stat(bot.file(".moonline")).st_mode & 0o777, 0o700)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait_exit(), 0)

    def test_handlers_are_counted(self):
        bot = self.folder('local line = require "line"\nline.on("follow", print)\nline.hear("x", print)\nline.postback("y", print)')
        server = self.serve(bot)
        server.wait_stdout(r"^moonline: bot bot at /webhook, generation 1, 3 handlers$")


class Check(Scenario):
    def check(self, source, status, **files):
        bot = self.folder(source, **files)
        done = self.command("check", bot.path, "--json", status=status, env=self.env(secret=None, token=None))
        found = json.loads(done.stdout)
        shown = self.command("check", bot.path, status=status).stdout
        for problem in found["problems"]:
            self.assertIn(f"{problem['where']}: {problem['text']}", shown)
        return found

    def test_handlers_in_order(self):
        found = self.check("""local line = require "line"
            line.on("message.text@group", print)
            line.hear("^hi", print)
            line.postback("buy", print)
            line.on("*", print)""", 0)
        self.assertEqual(found["problems"], [])
        self.assertEqual([h["where"].rpartition(":")[2] for h in found["handlers"]], ["2", "3", "4", "5"])
        for handler, words in zip(found["handlers"], ("message.text@group", "^hi", "buy", "*")):
            self.assertIn(words, str(handler))
        shown = self.command("check", os.path.join(self.dir, "bot")).stdout
        self.assertRegex(shown, r"(?s)4 handlers.*message\.text@group.*\^hi.*buy.*\*")

    def problem(self, source, *patterns, **files):
        found = self.check(source, 1, **files)
        self.assertEqual(len(found["problems"]), 1, found)
        for pattern in patterns:
            self.assertRegex(str(found["problems"][0]), pattern)

    def test_selector_that_can_never_match(self):
        head = 'local line = require "line"\n'
        self.problem(head + 'line.on("mesage.text", print)', "bot.lua:2", "mesage", "message")
        self.problem(head + 'line.on("message.txet", print)', "bot.lua:2", "txet", "text")
        self.problem(head + 'line.on("unfollow@group", print)', "bot.lua:2", "group")
        self.problem(head + 'line.on("*", function() end)\nline.on("follow", print)', "bot.lua:3")

    def test_accidental_global(self):
        self.problem('local line = require "line"\nline.on("*", function(event)\n  conter = 1\nend)', "bot.lua:3", "conter")

    def test_unknown_function(self):
        self.problem('local line = require "line"\nline.on("*", function(event)\n  line.pussh("U", "x")\nend)',
                     "bot.lua:3", "pussh", "push")

    def test_slips_with_methods_of_the_event(self):
        head = 'local line = require "line"\nline.on("follow", function(event)\n  '
        self.problem(head + 'event.reply("x")\nend)', "bot.lua:3", r"event:reply\(")
        self.problem(head + 'event:replay("x")\nend)', "bot.lua:3", "replay", "reply")

    def test_in_required_files_too(self):
        self.problem('local line = require "line"\nrequire "part"\nline.on("follow", print)', r"part\.lua:2", "oops",
                     part="local line = require 'line'\nline.spawn(function() oops = 1 end)")

    def test_what_does_not_load(self):
        for source, pattern in (("local = 1", r"bot\.lua:1"), ('error("at load")', "at load"), ("while true do end", r"bot\.lua:1"),
                                ('require "not.there"', r"not\.there")):
            bot = self.folder(source)
            done = self.command("check", bot.path, "--load-timeout", "500ms", status=1)
            self.assertRegex(done.stderr + done.stdout, pattern)

    def test_it_calls_nobody(self):
        bot = self.folder('local line = require "line"\npcall(line.push, "U", "x")\nline.on("follow", print)')
        self.command("check", bot.path, status=None)
        self.assertEqual(self.standin.calls, [])
        self.assertFalse(os.path.exists(bot.file(".moonline")), "the store is not touched")


class Events(Scenario):
    def in_all_ways(self, live):
        """list, show, retry, drop: the same whether a moonline runs or not."""
        bot = self.folder(BOT)
        server = self.serve(bot)
        failed = [e["webhookEventId"] for e in server.post(*(text("fail", source=f"{i}") for i in range(3)))]
        self.wait_events(3, "failed")
        data = ["--data", os.path.join(self.dir, "data")]
        if not live:
            server.stop()
        listed = self.events()
        self.assertEqual([e["id"] for e in listed], failed[::-1], "newest first")
        listed.reverse()
        self.assertEqual([e["attempts"] for e in listed], [1, 1, 1])
        self.assertEqual({(e["bot"], e["state"], e["type"]) for e in listed}, {("bot", "failed", "message")})
        self.assertEqual(self.events("quarantined"), [])
        for entry in listed:
            self.assertRegex(entry["why"], r"bot\.lua:4: on purpose")
        table = self.command("event", "list", *data).stdout
        for event_id in failed:
            self.assertIn(event_id, table)
        shown = json.loads(self.command("event", "show", failed[0], "--json", *data).stdout)
        self.assertEqual(shown["event"]["webhookEventId"], failed[0])
        self.assertIn("on purpose", self.command("event", "show", failed[0], *data).stdout)
        by_number = json.loads(self.command("event", "show", str(listed[1]["seq"]), "--json", *data).stdout)
        self.assertEqual(by_number["id"], failed[1])
        self.command("event", "drop", failed[0], *data)
        self.assertEqual([e["id"] for e in self.events()], [failed[2], failed[1]])
        self.assertIn(failed[0], self.command("event", "drop", failed[0], *data, status=1).stderr)
        bot.replace("bot.lua", BOT.replace('error("on purpose")', 'event:reply("mended")'))
        if live:
            server.wait_generation(2)
        self.command("event", "retry", failed[1], *data)
        if not live:
            self.assertEqual([e["state"] for e in self.events() if e["id"] == failed[1]], ["waiting"])
            server = self.serve(bot)
        self.standin.wait_text("mended")
        self.wait_events(1)
        self.assertEqual(self.events()[0]["id"], failed[2], "only what was asked for is run again")
        self.assertIn("nobody", self.command("event", "show", "nobody", *data, status=1).stderr)

    def test_with_a_running_moonline(self):
        self.in_all_ways(live=True)

    def test_on_a_stopped_store(self):
        self.in_all_ways(live=False)

    def test_a_waiting_event(self):
        gate = self.standin.gate("GET /v2/bot/profile/Ugate")
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("message.text", function(event) line.profile("Ugate") event:reply(event.message.text) end)"""))
        posted = server.post(text("running", source="a"), text("unwanted", source="a"), text("wanted", source="a"))
        gate.wait(1, PATIENCE)
        data = ["--data", os.path.join(self.dir, "data")]
        self.assertIn("waiting already", self.command("event", "retry", posted[2]["webhookEventId"], *data, status=1).stderr)
        self.command("event", "drop", posted[1]["webhookEventId"], *data)
        gate.open()
        self.standin.wait_text("wanted")
        self.assertEqual(self.standin.texts(), ["running", "wanted"])
        server.wait_metric("moonline_events_total", 1, outcome="dropped")


class Owner(Scenario):
    def test_a_second_moonline_on_the_same_data_is_refused(self):
        server = self.serve(self.folder(BOT))
        done = self.command("run", self.folder(BOT, "other").path, "--listen", "127.0.0.1:0", "--data", f"{self.dir}/data", status=1)
        self.assertIn(str(server.pid), done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        server.post(text("unharmed"))
        self.standin.wait_text("unharmed")

    def test_a_killed_owner_leaves_no_lock(self):
        bot = self.folder(BOT)
        self.serve(bot).kill()
        server = self.serve(bot)
        server.post(text("again"))
        self.standin.wait_text("again")

    def test_standard_output_that_is_closed_does_no_harm(self):
        bot = self.folder(BOT)
        child = subprocess.Popen([BINARY, "run", bot.path, "--listen", "127.0.0.1:0", "--data", f"{self.dir}/data"], env=self.env(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.stderr.close)
        child.stdout.readline()
        child.stdout.close()
        bot.replace("bot.lua", BOT + 'line.on("follow", print)')
        for line in child.stderr:  # generation 2, or the first if it was quick to see the save
            if b'"serving"' in line and b'"handlers":2' in line:
                break
        child.terminate()
        child.stderr.read()
        self.assertEqual(child.wait(PATIENCE), 0)


if __name__ == "__main__":
    main()
