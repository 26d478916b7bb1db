#!/usr/bin/python3
# runner: alone
"""Scripts at their worst: they spin, hang inside C, eat memory, crash the process, try to leave. In each case the other
chats are served within a second, the guilty event is tried three times and then set aside with its reason, and no
other event is lost, doubled or blamed, not even one that was waiting in the same worker each time it died."""

import os
import re
import signal
import subprocess
import time

from harness import PATIENCE, SANITIZED, SCALE, Scenario, main, text, until

BOT = """
local line = require "line"
line.on("message.text", function(event)
  if event.message.text == "bad" then
    BAD
  elseif event.message.text == "wait" then
    line.profile("Uinnocent")
  end
  event:reply(event.message.text)
end)
"""

CRASH_C = r"""
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static int c_abort(lua_State *L) { (void)L; signal(SIGABRT, SIG_DFL); abort(); }
static int c_exit(lua_State *L) { (void)L; _exit(0); }
static int c_segv(lua_State *L) { (void)L; signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); return 0; }
static int c_spin(lua_State *L) { for (volatile unsigned i = 0;; i++) { } return lua_gettop(L); }
static int c_sleep(lua_State *L) { for (;;) pause(); return lua_gettop(L); }
static const luaL_Reg list[] = {{"abort", c_abort}, {"exit", c_exit}, {"segv", c_segv}, {"spin", c_spin},
                                {"sleep", c_sleep}, {NULL, NULL}};
int luaopen_crash(lua_State *L) { luaL_newlib(L, list); return 1; }
"""


def build_crash(bot):
    """A C module in the bot's tree, as LuaRocks would leave one there."""
    target = bot.file("lua_modules/lib/lua/5.4/crash.so")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    bot.write("crash.c", CRASH_C)
    flags = subprocess.run(["pkg-config", "--cflags", "lua5.4"], capture_output=True, text=True, check=False).stdout.split()
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", *(flags or ["-I/usr/include/lua5.4"]), "-o", target, bot.file("crash.c")],
                   check=True, env={**os.environ, "LD_PRELOAD": ""})


class Misbehaving(Scenario):
    def misbehave(self, bad, *options, crash=False, kept="quarantined", why="", tries=3):
        """Post an event that waits, the bad one, and meanwhile others; look at what became of each."""
        bot = self.folder(BOT.replace("BAD", bad))
        if crash:
            build_crash(bot)
        gate = self.standin.gate("GET /v2/bot/profile/Uinnocent")
        server = self.serve(bot, options=options)
        waiting = server.post(text("wait", source="innocent"))[0]
        gate.wait(1, PATIENCE)
        guilty = server.post(text("bad", source="guilty"), text("after bad", source="guilty"))[0]
        others = 0
        deadline = time.monotonic() + 3 * PATIENCE

        def answered_next():
            """One more chat, within a second."""
            nonlocal others
            others += 1
            begin = time.monotonic()
            server.post(text(f"other {others}", source=f"other {others}"))
            self.standin.wait_text(f"other {others}")
            took = time.monotonic() - begin
            self.assertLess(took, 1.0 * SCALE, f"chat {others} had to wait\n{server.tail()}")

        while server.metric("moonline_events_total", outcome=kept) < 1:
            self.assertLess(time.monotonic(), deadline, "not set aside\n" + server.tail())
            answered_next()
        answered_next()
        self.standin.wait_text("after bad")
        gate.open()
        self.standin.wait_text("wait", to=waiting["replyToken"])
        server.wait_metric("moonline_events_total", others + 2, outcome="done")
        listed = self.events()
        self.assertEqual([e["id"] for e in listed], [guilty["webhookEventId"]], "only the guilty one is left")
        self.assertEqual(listed[0]["state"], kept)
        if kept == "quarantined":
            self.assertEqual(int(listed[0]["attempts"]), tries)
        self.assertRegex(listed[0]["why"], why)
        texts = self.standin.texts()
        self.assertEqual(sorted(texts), sorted([f"other {i + 1}" for i in range(others)] + ["after bad", "wait"]),
                         "each exactly once")
        self.assertEqual(server.metric("moonline_generation"), 1)
        self.assertEqual(server.health()[0], 200)
        return server

    # -- Lua that never ends: broken off by the processor-time limit --
    def test_endless_loop(self):
        self.misbehave("while true do end", why=r"bot\.lua:5")

    def test_endless_loop_inside_pcall(self):
        self.misbehave("while true do pcall(function() while true do end end) end", why=r"bot\.lua:5")

    def test_endless_loop_inside_coroutines(self):
        self.misbehave("while true do local co = coroutine.wrap(function() while true do end end) pcall(co) end",
                       why=r"bot\.lua:5")

    def test_endless_recursion_of_error_handlers(self):
        self.misbehave("local function f() return xpcall(f, f) end while true do f() end", why="bot.lua")

    # -- inside C, where no hook fires: the worker is killed --
    def test_endless_match(self):
        self.misbehave('string.find(("a"):rep(28), ("a?"):rep(28) .. ("a"):rep(28))', why="stuck|hang|killed")

    def test_endless_loop_in_a_c_module(self):
        self.misbehave('require("crash").spin()', crash=True, why="stuck|hang|killed")

    def test_blocking_in_a_c_module(self):
        self.misbehave('require("crash").sleep()', crash=True, why="blocked")

    # -- memory --
    def test_growing_table(self):
        self.misbehave('local t = {} while true do t[#t + 1] = ("x"):rep(20000) .. #t end', "--memory-limit", "24M",
                       why="(?i)memory" if not SANITIZED else "(?i)memory|processor")  # slow to fill there

    def test_growing_table_inside_pcall(self):
        self.misbehave('local t = {} while true do pcall(function() while true do t[#t + 1] = ("x"):rep(1000) .. #t end end) end',
                       "--memory-limit", "24M", why="(?i)memory|processor|CPU")

    def test_one_giant_string(self):
        self.misbehave('local s = ("x"):rep(1 << 30)', why=r"(?i)bot\.lua:5: .*memory")

    def test_an_answer_too_large_for_the_memory_inside_pcall(self):
        """Decoding breaks the limit in C, where we catch errors ourselves: the script may not."""
        self.standin.fault("GET /big", times=9, status=200, body=[[1]] * 400000)
        self.misbehave('local t = {} for i = 1, 100 do t[i] = ("x"):rep(100000) .. i end '
                       'pcall(line.request, "GET", "/big") event:reply("caught it " .. #t)',
                       "--memory-limit", "24M", why="memory")

    def test_finalizers_of_contents_are_out_of_reach(self):
        self.standin.contents["M1"] = (b"x" * 100, "image/png")
        self.misbehave('local c = line.get_message_content("M1") getmetatable(c).__gc(c) c:read()', kept="failed",
                       why=r"bot\.lua:5")

    # -- the process dies --
    def test_abort(self):
        self.misbehave('require("crash").abort()', crash=True, why="(?i)abort|signal 6")

    def test_segmentation_fault(self):
        self.misbehave('require("crash").segv()', crash=True, why="(?i)segv|segmentation|signal 11")

    def test_silent_exit_with_status_0(self):
        self.misbehave('require("crash").exit()', crash=True, why="(?i)exit")

    def test_attempts_are_an_option(self):
        self.misbehave('require("crash").abort()', "--attempts", "2", crash=True, why="signal 6", tries=2)

    # -- what is simply not allowed --
    def test_os_exit(self):
        self.misbehave("os.exit(0)", kept="failed", why=r"bot\.lua:5: .*exit")

    def test_doors_that_are_closed(self):
        """Nothing of Lua's libraries leads out of the process or around the limits."""
        server = self.serve(self.folder("""
            local line = require "line"
            local closed = {}
            for _, name in ipairs{ "io.open", "io.popen", "os.execute", "os.exit", "os.remove", "os.rename", "debug.sethook",
                                   "debug.getregistry", "debug.setmetatable", "debug.upvaluejoin", "package.loadlib", "dofile",
                                   "loadfile" } do
              local ok, value = pcall(function()
                local v = _G
                for part in name:gmatch("%a+") do v = v[part] end
                return v
              end)
              if ok and value then closed[#closed + 1] = name end
            end
            local dumps = pcall(function() return string.dump(print) end)
            local chunk = load("\\27Lua" .. ("x"):rep(100))
            local binary = pcall(load, "return 1", "=x", "b")
            line.on("*", function(event)
              event:reply("open:" .. table.concat(closed, " "), tostring(dumps), tostring(chunk), tostring(binary))
            end)"""))
        server.post(text("x"))
        call = self.standin.wait_calls(1, "reply")[0]
        self.assertEqual(call.texts[1:], ["false", "nil", "false"], "no bytecode")
        self.assertEqual(set(call.texts[0][5:].split()) - {"dofile", "loadfile"}, set())

    # -- somebody kills the worker --
    def test_killed_worker_blames_nobody(self):
        """kill -9 while handlers wait: they run again, none of them counts an attempt, far more than three times."""
        gate = self.standin.gate("GET /v2/bot/profile/Uinnocent")
        server = self.serve(self.folder(BOT.replace("BAD", "")))
        posted = server.post(*(text("wait", source=f"chat {i}") for i in range(5)))
        for n in range(1, 6):
            gate.wait(5 * n, PATIENCE)
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            server.wait_log(message=re.compile("worker lost"), n=n)
        gate.wait(30, PATIENCE)
        self.assertEqual({int(e["attempts"]) for e in self.events("waiting")}, {0})
        gate.open()
        self.standin.wait(lambda: len(self.standin.texts()) == 5, "all five")
        self.wait_events(0)
        self.assertEqual({len(self.standin.texts(e["replyToken"])) for e in posted}, {1})
        self.assertGreaterEqual(server.metric("moonline_worker_restarts_total"), 5)


class Loading(Scenario):
    good = 'require("line").on("message.text", function(event) event:reply("mended") end)'

    def unready(self, bad, why, crash=False, options=()):
        """A bot that cannot be loaded: webhooks are kept, /healthz says why, mending the file is enough."""
        bot = self.folder(bad)
        if crash:
            build_crash(bot)
        server = self.launch(bot, options=options)
        server.wait_log(level="error")
        status, health = until(lambda: (h := server.health()) and re.search(why, str(h)) and h,
                               lambda: f"/healthz to say {why!r}: {server.health()}")
        self.assertEqual((status, health["status"]), (503, "unavailable"))
        server.post(text("kept meanwhile"))
        self.assertEqual(len(self.events("waiting")), 1)
        bot.replace("bot.lua", self.good)
        self.standin.wait_text("mended")
        server.wait_ready()
        self.assertEqual(server.health()[0], 200)
        return server

    def test_worker_that_dies_at_start(self):
        self.unready('require("crash").abort()', "no generation|load|abort|signal", crash=True)

    def test_syntax_error_at_the_first_start(self):
        server = self.unready('local line = require "line"\nline.on("x", function(', r"bot\.lua:2|no generation")
        self.assertIn("bot.lua:2", str(server.logs(level="error")))

    def test_endless_loop_at_the_first_start(self):
        self.unready("while true do end", r"bot\.lua:1|no generation", options=["--load-timeout", "500ms"])

    def test_backoff(self):
        """It does not start workers as fast as it can: the pauses grow."""
        bot = self.folder('require("crash").abort()')
        build_crash(bot)
        server = self.launch(bot)
        died = re.compile("lost|not loaded|could not")
        server.wait_log(n=5, level="error", message=died, seconds=4 * PATIENCE)
        waits = [float(r["retry_ms"]) for r in server.logs() if "retry_ms" in r]  # the first an error, the rest no news
        self.assertGreaterEqual(len(waits), 2, server.tail())
        self.assertGreater(waits[-1], waits[0])


if __name__ == "__main__":
    main()
