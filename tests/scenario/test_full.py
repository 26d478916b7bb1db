#!/usr/bin/python3
# runner: alone
"""When there is no room: on the disk, the answer is 503 until there is some again, and nothing that was acknowledged is
lost; in memory, events wait in the store and the host stays as small as it was."""

import errno
import json
import os
import resource
import signal
import subprocess

from harness import (LOAD_SECONDS, PATIENCE, QUEUE_EVENTS, SANITIZED, SCALE, Scenario, main, resident, text, until,
                     webhook)

ECHO = """
local line = require "line"
line.on("message.text", function(event) event:reply(event.message.text) end)
"""


class Disk(Scenario):
    def fill_and_free(self, server, fill, free):
        """Make the store fail, look at what is told, make room, look at what became of it all."""
        filler, accepted, n = "x" * 20000, ["before"], 0
        server.post(text("before"))
        self.standin.wait_text("before")
        fill()

        def refused():
            nonlocal n
            n += 1
            body = webhook({**text(f"n{n}", source=f"chat {n % 7}"), "filler": filler})
            answer = server.send_body(body)
            self.assertIn(answer.status, (200, 503))
            if answer.status == 200:
                accepted.append(f"n{n}")
            return answer.status == 503
        until(refused, "a full store", 3 * PATIENCE, every=0)
        status, health = server.health()
        self.assertEqual((status, health["status"]), (503, "unavailable"))
        self.assertRegex(health["reason"], "store")
        self.assertGreaterEqual(server.metric("moonline_webhooks_total", status="503"), 1)
        free()
        until(lambda: not refused(), "the store to work again", every=0.05)
        until(lambda: server.health()[0] == 200, "/healthz to be well again")
        self.standin.wait(lambda: len(self.standin.texts()) >= len(accepted), "all that was accepted")
        self.assertEqual(sorted(self.standin.texts()), sorted(accepted), "each once, and nothing that was refused")
        self.wait_events(0)
        server.stop()
        self.assertEqual(self.events(), [], "the store is whole")

    def test_small_disk(self):
        data = os.path.join(self.dir, "small")
        os.mkdir(data)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", data], capture_output=True, text=True,
                                 check=False)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", data], check=False)
        server = self.serve(self.folder(ECHO), options=["--data", os.path.join(data, "store")])
        ballast = os.path.join(data, "ballast")

        def fill():
            with open(ballast, "wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)

        self.events = lambda state=None, _=None: Scenario.events(self, state, os.path.join(data, "store"))
        self.fill_and_free(server, fill, lambda: os.remove(ballast))

    def test_file_size_limit(self):
        """The same without a disk of our own: the kernel refuses to let the store's files grow."""
        server = self.serve(self.folder(ECHO), preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        data = os.path.join(self.dir, "data")

        def fill():
            largest = max(os.path.getsize(os.path.join(data, name)) for name in os.listdir(data))
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + 65536, unlimited[1]))
        self.fill_and_free(server, fill, lambda: resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited))


class Memory(Scenario):
    def test_many_waiting_events_and_a_small_host(self):
        """A bot that cannot be loaded, and a hundred thousand events meanwhile. When it is mended, all are handled, in
        order within their chats, and memory has stayed where it was."""
        self.load_standin()
        bot = self.folder("this is no Lua yet")
        server = self.launch(bot, env=self.load_env(), options=["--queue", "1000", "--log-level", "warn"])
        server.wait_log(level="error")

        def pour(count):
            hose = self.hose(server, "--count", str(count), "--per-webhook", "50", "--connections", "8", "--chats", "400")
            self.assertEqual(hose.wait_exit(12 * PATIENCE), 0, hose.tail())
            return json.loads(hose.stdout[-1])["acked"], self.acknowledged()
        first, _ = pour(2000)
        small = resident(server.pid)
        second, _ = pour(QUEUE_EVENTS)
        grown = resident(server.pid) - small
        self.assertEqual(server.metric("moonline_events_waiting"), first + second)
        if not SANITIZED:
            self.assertLess(grown, 16 << 20, f"{small >> 20} MiB before, {grown >> 20} MiB more after {second} events")
        # Each pour has chats c0 … c399 and counts from 1 in each, so numbers come twice, first pour first.
        bot.replace("bot.lua", ECHO)
        until(lambda: server.metric("moonline_events_total", outcome="done") >= first + second, "all to be handled",
              (60 + QUEUE_EVENTS / 500) * SCALE, every=0.2)
        if not SANITIZED:
            self.assertLess(resident(server.pid) - small, 32 << 20)
        server.stop()
        total = 0
        for chat, numbers in self.answered("reply").items():
            split = numbers.index(1, 1) if 1 in numbers[1:] else len(numbers)
            for part in (numbers[:split], numbers[split:]):
                self.assertEqual(part, list(range(1, len(part) + 1)), f"order within chat {chat}")
            total += len(numbers)
        self.assertEqual(total, first + second)

    def test_one_chat_alone_may_be_long(self):
        """Thousands of events of a single chat do not shut out the others."""
        gate = self.standin.gate("GET /v2/bot/profile/Ugate", times=1)
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("message.text", function(event)
              if event.message.text == "stop" then line.profile("Ugate") end
              if event.message.text ~= "more" then event:reply(event.message.text) end
            end)"""), options=["--queue", "64"])
        server.post(text("stop", source="long"))
        gate.wait(1, PATIENCE)
        with server.connect() as connection:
            for _ in range(10 + int(2 * LOAD_SECONDS)):
                server.post(*(text("more", source="long") for _ in range(100)), connection=connection)
        server.post(text("from another", source="other"))
        self.standin.wait_text("from another")
        server.post(text("last", source="long"))
        gate.open()
        self.standin.wait_text("last", seconds=6 * PATIENCE)
        self.assertEqual(self.standin.texts(), ["from another", "stop", "last"])


if __name__ == "__main__":
    main()
