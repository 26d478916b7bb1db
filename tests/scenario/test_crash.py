#!/usr/bin/python3
# runner: alone
"""kill -9, of the host and of its workers, at random moments while events pour in and the platform redelivers what was not
acknowledged: whatever was answered 200 is handled, its reply and its push arrive exactly once. And the gentler ends:
SIGTERM with handlers still running, a start with work left over from the last run."""

import os
import random
import signal
import socket
import time

from harness import CRASH_ROUNDS, PATIENCE, SCALE, Scenario, main, text, until

ECHO = """
local line = require "line"
line.on("message.text", function(event)
  event:reply(event.message.text)
  line.push("U" .. ("f"):rep(32), event.message.text)
end)
"""
WAITING = """
local line = require "line"
line.on("message.text", function(event)
  line.profile("Ugate")
  event:reply(event.message.text)
end)
"""


class Kill(Scenario):
    def matrix(self, victims, *options):
        seed = int(os.environ.get("CRASH_SEED", random.randrange(1 << 30)))
        dice = random.Random(seed)
        self.load_standin()
        bot = self.folder(ECHO)
        options = ["--log-level", "warn", *options]
        server = self.serve(bot, env=self.load_env(), options=options)
        port = server.port
        hose = self.hose(server, "--rate", "600", "--seconds", "3600", "--connections", "16", "--chats", "120", "--retry",
                         "--timeout", str(int(2000 * SCALE)))
        for number in range(CRASH_ROUNDS):
            time.sleep(dice.uniform(0.02, 0.25) * SCALE)  # the random moment
            self.assertTrue(hose.running(), hose.tail())
            victim = victims[number % len(victims)]
            if victim == "worker":
                workers = server.workers()
                if workers:
                    os.kill(dice.choice(workers), signal.SIGKILL)
            else:
                server.kill()
                server = self.serve(bot, env=self.load_env(), options=options, port=port)
        hose.signal(signal.SIGTERM)  # no more new ones; what is under way is still delivered
        self.assertEqual(hose.wait_exit(6 * PATIENCE), 0, f"seed {seed}\n{hose.tail()}")
        try:
            until(lambda: server.metric("moonline_events_waiting") == 0, "all events to finish", 6 * PATIENCE)
            total = self.compare("reply", ordered=False)
            self.assertEqual(self.compare("push", ordered=False), total)
            self.assertEqual(self.events(), [], "none failed, none quarantined")
        except AssertionError as error:
            raise AssertionError(f"CRASH_SEED={seed}: {error}\n{server.tail()}") from error

    def test_host(self):
        self.matrix(["host"])

    def test_worker(self):
        self.matrix(["worker"], "--workers", "2")

    def test_both_in_turn(self):
        self.matrix(["worker", "host", "worker"], "--workers", "2")


class LeftOver(Scenario):
    def test_unfinished_events_run_at_start_oldest_first(self):
        gate = self.standin.gate("GET /v2/bot/profile/Ugate")
        bot = self.folder(WAITING)
        server = self.serve(bot, options=["--parallel", "8"])
        for i in range(12):
            server.post(text(f"{i}", source=f"chat {i % 3}"))
        gate.wait(3, PATIENCE)
        server.kill()
        self.assertEqual(len(self.events("waiting")), 12, "the store tells while nobody has it")
        before = len(self.standin.calls)
        gate.open()
        self.serve(bot)
        self.standin.wait(lambda: len(self.standin.texts()) == 12, "all replies")
        for chat in range(3):
            self.assertEqual([int(t) for t in self.standin.texts() if int(t) % 3 == chat], list(range(chat, 12, 3)))
        self.assertGreater(len(self.standin.calls), before)
        self.wait_events(0)

    def test_a_reply_that_got_through_before_the_crash_is_not_a_failure(self):
        """The platform says "Invalid reply token" to the second run: then the first one was shown."""
        self.standin.fault("reply", gate=None, cut="after")
        gate = self.standin.gate("POST /v2/bot/message/push", times=1)
        bot = self.folder("""
            local line = require "line"
            line.on("message.text", function(event)
              pcall(line.reply, event.replyToken, "shown")
              line.push("Uother", "after")
            end)""")
        server = self.serve(bot)
        server.post(text("x"))
        gate.wait(1, PATIENCE)
        server.kill()
        gate.open()
        self.serve(bot)
        self.standin.wait_text("after")
        self.wait_events(0)
        self.assertEqual(self.standin.texts().count("shown"), 1)

    def test_retry_keys_are_the_same_in_the_second_run(self):
        """Two pushes; the process dies between them. The second run's first push is recognised by its key."""
        gate = self.standin.gate("GET /v2/bot/profile/Ugate", times=1)
        bot = self.folder("""
            local line = require "line"
            line.on("message.text", function(event)
              event:push("first")
              line.profile("Ugate")
              event:push("second")
            end)""")
        server = self.serve(bot)
        server.post(text("x"))
        gate.wait(1, PATIENCE)
        server.kill()
        gate.open()
        self.serve(bot)
        self.standin.wait_text("second")
        self.assertEqual(self.standin.texts(), ["first", "second"])
        self.assertEqual([c.status for c in self.standin.find("push")], [200, 409, 200])


class Stop(Scenario):
    def test_sigterm_finishes_what_runs(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                gate = self.standin.gate("GET /v2/bot/profile/Ugate", times=1)
                server = self.serve(self.folder(WAITING))
                posted = server.post(text("running"))[0]
                gate.wait(1, PATIENCE)
                server.signal(number)

                def refused(port=server.port):
                    try:
                        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                        return False
                    except ConnectionResetError:
                        return False  # it stood in the queue of the socket that was just closed
                    except ConnectionRefusedError:
                        return True
                until(refused, "it to stop accepting")
                self.assertTrue(server.running())
                gate.open()
                self.assertEqual(server.wait_exit(), 0, server.tail())
                self.assertEqual(self.standin.texts(posted["replyToken"]), ["running"])
                self.assertEqual(self.events(), [])

    def test_what_does_not_finish_in_time_waits_for_the_next_start(self):
        gate = self.standin.gate("GET /v2/bot/profile/Ugate")
        bot = self.folder(WAITING)
        server = self.serve(bot, options=["--drain", "200ms"])
        server.post(text("one", source="a"), text("two", source="a"), text("three", source="b"))
        gate.wait(2, PATIENCE)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait_exit(), 0, server.tail())
        self.assertLess(time.monotonic() - begin, 2 * SCALE)
        left = self.events("waiting")
        self.assertEqual([int(e["attempts"]) for e in left], [0, 0, 0])
        gate.open()
        self.serve(bot)
        self.standin.wait(lambda: len(self.standin.texts()) == 3, "all three")
        self.assertLess(self.standin.texts().index("one"), self.standin.texts().index("two"))

    def test_no_process_stays_behind(self):
        """Neither after a good end nor after kill -9 of the host."""
        bot = self.folder(WAITING)
        for how in (signal.SIGTERM, signal.SIGKILL):
            server = self.serve(bot, options=["--workers", "3"])
            workers = server.workers()
            self.assertGreaterEqual(len(workers), 3)
            server.signal(how)
            server.wait_exit()
            until(lambda pids=tuple(workers): not [p for p in pids if os.path.exists(f"/proc/{p}/exe")], "the workers to end")


if __name__ == "__main__":
    main()
