#!/usr/bin/python3
"""Within a chat events are handled one at a time and in the order in which they came; different chats side by side. It
holds for any number of workers, while code is being saved, and for events that arrive in one webhook or in many."""

import random
import threading

from harness import PATIENCE, SCALE, Scenario, group, main, text, user

SLEEPY = """
local line = require "line"
line.on("message.text", function(event)
  line.sleep(math.random(0, 4) / 1000)
  event:reply(event.message.text)
  if math.random(3) == 1 then line.sleep(0.002) end
end) -- {version}
"""


class Order(Scenario):
    chats, each = 16, 30

    def in_order(self):
        """What each chat was answered, as numbers."""
        answers = {c: [] for c in range(self.chats)}
        for words in self.standin.texts():
            chat, number = words.split("/")
            answers[int(chat)].append(int(number))
        return answers

    def deliver(self, server, between=lambda i: None):
        """Several senders at once; each chat's messages go through one sender, so their order of arrival is known."""
        def sender(chats):
            with server.connect() as connection:
                waiting = {c: list(range(self.each)) for c in chats}
                while waiting:
                    batch = []
                    for chat in random.sample(sorted(waiting), min(3, len(waiting))):
                        for number in waiting[chat][:2]:
                            batch.append(text(f"{chat}/{number}", source=f"chat {chat}"))
                        del waiting[chat][:2]
                        if not waiting[chat]:
                            del waiting[chat]
                    try:
                        server.post(*batch, connection=connection)
                    except AssertionError as error:
                        self.failed = error
                        return
                    between(sum(map(len, waiting.values())))
        self.failed = None
        threads = [threading.Thread(target=sender, args=(range(i, self.chats, 4),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failed:
            raise self.failed
        self.standin.wait(lambda: len(self.standin.texts()) == self.chats * self.each, "all replies", PATIENCE * 3)
        for chat, numbers in self.in_order().items():
            self.assertEqual(numbers, list(range(self.each)), f"chat {chat}")
        self.wait_events(0)

    def test_four_workers(self):
        self.deliver(self.serve(self.folder(SLEEPY), options=["--workers", "4"]))

    def test_one_worker(self):
        self.deliver(self.serve(self.folder(SLEEPY)))

    def test_across_reloads(self):
        bot = self.folder(SLEEPY)
        server = self.serve(bot, options=["--workers", "3"])
        saved, lock = [1], threading.Lock()

        def save(left):
            with lock:
                if left % 12 == 0:
                    saved[0] += 1
                    bot.replace("bot.lua", SLEEPY.replace("{version}", str(saved[0])))
        self.deliver(server, save)
        self.assertGreater(saved[0], 3)
        server.wait_log(message="serving", generation=2)
        self.assertGreater(server.metric("moonline_reloads_total", result="ok"), 0)

    def test_small_memory(self):
        """Most events wait in the store only, and come back in order."""
        self.deliver(self.serve(self.folder(SLEEPY), options=["--queue", "16", "--parallel", "4"]))


class OneAtATime(Scenario):
    source = """
        local line = require "line"
        line.on("message.text", function(event)
          line.profile(event.message.text)
          event:reply(event.message.text)
        end)"""

    def test_the_second_event_of_a_chat_waits_for_the_first(self):
        gate = self.standin.gate("GET /v2/bot/profile/Ufirst")
        server = self.serve(self.folder(self.source), options=["--workers", "2"])
        chat = group("the group")
        server.post(text("Ufirst", source={**chat, "userId": user("a")}), text("Usecond", source={**chat, "userId": user("b")}))
        gate.wait(1, PATIENCE)
        for i in range(5):
            server.post(text(f"Uother{i}", source=f"other {i}"))
            self.standin.wait_text(f"Uother{i}")
        self.assertEqual(self.standin.find("Usecond"), [], "one group is one chat, whoever speaks")
        gate.open()
        self.standin.wait_text("Usecond")
        self.assertLess(self.standin.texts().index("Ufirst"), self.standin.texts().index("Usecond"))

    def test_different_chats_side_by_side(self):
        """Sixty handlers are waiting at the same time, or the gate never opens."""
        gate = self.standin.gate("GET /v2/bot/profile/")
        server = self.serve(self.folder(self.source))
        server.post(*(text(f"U{i}", source=f"chat {i}") for i in range(60)))
        gate.wait(60, PATIENCE)
        gate.open()
        self.standin.wait(lambda: len(self.standin.texts()) == 60, "all replies")

    def test_up_to_the_bound_and_then_one_by_one(self):
        gate = self.standin.gate("GET /v2/bot/profile/", times=4)
        server = self.serve(self.folder(self.source), options=["--parallel", "4"])
        server.post(*(text(f"U{i}", source=f"chat {i}") for i in range(40)))
        gate.wait(4, PATIENCE)
        server.wait_metric("moonline_events_waiting", 40)
        self.assertEqual(len(self.standin.calls), 4)
        self.assertEqual(server.metric("moonline_events_running"), 4)
        gate.open()
        self.standin.wait(lambda: len(self.standin.texts()) == 40, "all replies", 10 * SCALE)


if __name__ == "__main__":
    main()
