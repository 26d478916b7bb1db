#!/usr/bin/python3
"""Save the file, and the next event is handled by the new code. However an editor writes it; never half a file; and a file
that cannot be loaded changes nothing but the log."""

import os
import re
import signal
import time

from harness import PATIENCE, Scenario, main, text

HEAD = 'local line = require "line"\n'


def replying(words):
    return f'{HEAD}line.on("message.text", function(event) event:reply({words}) end)\n'


class Reload(Scenario):
    def ask(self, server, expected):
        """The answer of whatever serves now."""
        posted = server.post(text("?"))[0]
        self.standin.wait_text(expected, to=posted["replyToken"])

    def test_ways_of_saving(self):
        bot = self.folder(replying('"one"'))
        server = self.serve(bot)
        self.ask(server, "one")
        bot.write("bot.lua", replying('"in place"'))
        server.wait_generation(2)
        self.ask(server, "in place")
        bot.replace("bot.lua", replying('"renamed"'))
        server.wait_generation(3)
        self.ask(server, "renamed")
        # As vim does it: the old file moved aside, a new one written, the old one removed.
        os.rename(bot.file("bot.lua"), bot.file("bot.lua~"))
        bot.write("bot.lua", replying('"moved aside"'))
        bot.remove("bot.lua~")
        server.wait_output(lambda: server.logs(message="serving")[-1]["generation"] not in (1, 2, 3), "the next generation")
        self.ask(server, "moved aside")
        self.assertEqual(server.metric("moonline_reloads_total", result="refused"), 0, server.tail())

    def test_a_file_being_written_is_never_read(self):
        """Bytes arrive in two writes of one open file; only the finished file is loaded."""
        bot = self.folder(replying('"old"'))
        server = self.serve(bot)
        with open(bot.file("bot.lua"), "w", encoding="utf-8") as file:
            file.write("this is not Lua yet ")
            file.flush()
            for _ in range(3):
                self.ask(server, "old")
            file.seek(0)
            file.write(replying('"whole"').ljust(60))
        server.wait_generation(2)
        self.ask(server, "whole")
        self.assertEqual(server.logs(level="error"), [])

    def test_the_same_bytes_again_are_no_news(self):
        bot = self.folder(replying('"same"'))
        server = self.serve(bot)
        bot.write("bot.lua", replying('"same"'))
        bot.write("notes.txt", "not code")
        bot.write("unrelated.lua", "not even Lua (")
        bot.write("bot.lua", replying('"changed"'))
        server.wait_generation(2)
        self.ask(server, "changed")
        self.assertEqual(server.metric("moonline_generation"), 2)

    def test_files_of_the_require_graph(self):
        """A required file changes, one appears that was looked for in vain, one is deleted, and a folder comes later."""
        bot = self.folder(HEAD + """
            local parts = require "lib.parts"
            local found, extra = pcall(require, "extra.more")
            line.on("message.text", function(event) event:reply(parts.name .. (found and extra or "")) end)""",
            lib__parts='return { name = require("lib.deep") }', lib__deep='return "deep 1"')
        server = self.serve(bot)
        self.ask(server, "deep 1")
        bot.write("lib/deep.lua", 'return "deep 2"')
        server.wait_generation(2)
        self.ask(server, "deep 2")
        bot.write("extra/more.lua", 'return " and more"')
        server.wait_generation(3)
        self.ask(server, "deep 2 and more")
        bot.remove("extra/more.lua")
        server.wait_generation(4)
        self.ask(server, "deep 2")
        bot.remove("lib/deep.lua")
        server.wait_log(level="error", error=re.compile(r"lib\.deep"))
        self.ask(server, "deep 2")
        bot.write("lib/deep.lua", 'return "deep 3"')
        server.wait_output(lambda: server.logs(message="serving", handlers=1)[-1]["generation"] > 4, "mended")
        self.ask(server, "deep 3")

    def test_what_cannot_be_loaded_changes_nothing(self):
        bot = self.folder(replying('"good"'))
        server = self.serve(bot, options=["--load-timeout", "1s"])
        cases = (
            (f"{HEAD}\nlocal x = = 1\n", r"bot\.lua:3: .*near '='", "local x = = 1"),
            (f"{HEAD}line.on('message', nil)\n", r"bot\.lua:2:", "line.on"),
            (f'{HEAD}local t\nprint(t.x)\n', r"bot\.lua:3: .*nil", "print(t.x)"),
            (f'{HEAD}require "is.not.there"\n', r"is\.not\.there", "require"),
            (f"{HEAD}while true do\nend\n", r"bot\.lua:2", "while true"),
            (f"{HEAD}while true do pcall(function() while true do end end) end\n", r"bot\.lua:2", "while true"),
            ('string.find(("a"):rep(28), ("a?"):rep(28) .. ("a"):rep(28))\n', "took too long to load", ""),
            (b"\x1bLua\x54\x00", r"bot\.lua:1: .*bytecode", ""),
        )
        for n, (source, pattern, excerpt) in enumerate(cases, 1):
            bot.replace("bot.lua", source)
            server.wait_output(lambda n=n: len(server.logs(level="error", message=re.compile("not loaded"))) >= n,
                               f"refusal {n}", PATIENCE)
            record = server.logs(level="error", message=re.compile("not loaded"))[n - 1]
            self.assertRegex(record["error"], pattern)
            self.assertIn(excerpt, record["error"], "an excerpt of the place")
            self.assertEqual(str(record["serving"]), "1")
            self.ask(server, "good")
        self.assertEqual(server.health()[0], 200)
        self.assertEqual(server.metric("moonline_reloads_total", result="refused"), len(cases))
        self.assertEqual(server.metric("moonline_generation"), 1)
        bot.replace("bot.lua", replying('"mended"'))
        server.wait_log(message="serving", generation=len(cases) + 2)
        self.ask(server, "mended")

    def test_a_save_under_way_is_not_read(self):
        """An editor has emptied the file and not yet written it, when something else makes the code be read again: an empty
        file is valid Lua without handlers, and would swallow events."""
        bot = self.folder(replying('"old"'))
        server = self.serve(bot)
        with open(bot.file("bot.lua"), "w", encoding="utf-8") as file:
            server.signal(signal.SIGHUP)
            server.wait_log(message="loading", generation=2)
            until = time.monotonic() + 0.2  # the editor takes its time
            while time.monotonic() < until:
                self.ask(server, "old")
            file.write(replying('"new"'))
        server.wait_generation(2)
        self.ask(server, "new")
        self.assertEqual({r["handlers"] for r in server.logs(message="serving")}, {1}, server.tail())

    def test_sighup(self):
        """The way without watching: --no-reload, and a signal."""
        bot = self.folder(replying('"one"'))
        server = self.serve(bot, options=["--no-reload"])
        bot.write("bot.lua", replying('"two"'))
        self.ask(server, "one")
        server.signal(signal.SIGHUP)
        server.wait_generation(2)
        self.ask(server, "two")

    def test_the_old_generation_finishes_what_it_runs(self):
        """And the chat's next event waits for it, then meets the new code."""
        bot = self.folder(HEAD + """
            line.on("message.text", function(event)
              line.profile("Uslow")
              event:reply("old " .. event.message.text)
            end)""")
        gate = self.standin.gate("GET /v2/bot/profile/Uslow", times=1)
        server = self.serve(bot)
        server.post(text("1", source="a"))
        gate.wait(1, PATIENCE)
        server.post(text("2", source="a"))
        bot.replace("bot.lua", replying('"new " .. event.message.text'))
        server.wait_generation(2)
        server.post(text("3", source="b"))
        self.standin.wait_text("new 3")
        self.assertEqual(self.standin.texts(), ["new 3"])
        old = server.workers()
        gate.open()
        self.standin.wait_text("new 2")
        self.assertEqual(self.standin.texts(), ["new 3", "old 1", "new 2"])
        server.wait_output(lambda: len(server.workers()) < len(old), "the old worker to leave")
        self.wait_events(0)

    def test_many_saves_in_a_row(self):
        """The last one wins, and no worker is left behind."""
        bot = self.folder(replying('"0"'))
        server = self.serve(bot)
        for i in range(1, 41):
            bot.replace("bot.lua", replying(f'"{i}"'))
        server.wait_output(lambda: server.logs(message="serving") and self.now(server) == "40", "the last save to serve")
        server.wait_output(lambda: len(server.workers()) == 1, "one worker")

    def now(self, server):
        posted = server.post(text("?"))[0]
        return self.standin.wait(lambda: self.standin.texts(posted["replyToken"]), "an answer")[0]

    def test_session_of_the_old_code_is_not_global_state(self):
        """A bot's variables live as long as its generation."""
        source = HEAD + 'local n = 0\nline.on("message.text", function(event) n = n + 1 event:reply("{} " .. n) end)\n'
        bot = self.folder(source.replace("{}", "a"))
        server = self.serve(bot)
        self.ask(server, "a 1")
        self.ask(server, "a 2")
        bot.replace("bot.lua", source.replace("{}", "b"))
        server.wait_generation(2)
        self.ask(server, "b 1")


if __name__ == "__main__":
    main()
