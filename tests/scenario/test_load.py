#!/usr/bin/python3
# runner: alone
"""Two thousand webhooks a second while somebody saves the bot five times a second, now and then with a mistake in it:
no request fails, and every event is answered once, in order within its chat."""

import json
import time

from harness import LOAD_SECONDS, PATIENCE, Scenario, main

BOT = """local line = require "line"
local version = {version}
line.on("message.text", function(event)
  event:reply(event.message.text)
end)
return version
"""


class Load(Scenario):
    def storm(self, *options):
        self.load_standin()
        bot = self.folder(BOT.replace("{version}", "0"))
        server = self.serve(bot, env=self.load_env(), options=["--log-level", "warn", *options])
        hose = self.hose(server, "--rate", "2000", "--seconds", str(LOAD_SECONDS), "--connections", "32", "--chats", "300")
        saves, due = 0, time.monotonic()
        while hose.running():
            saves += 1
            source = BOT.replace("{version}", str(saves))
            (bot.write if saves % 2 else bot.replace)("bot.lua", source if saves % 5 else source + "end end")
            due += 0.2
            time.sleep(max(0, due - time.monotonic()))  # the pace of the saves, not a wait for anything
        self.assertEqual(hose.wait_exit(), 0, hose.tail())
        told = json.loads(hose.stdout[-1])
        self.assertEqual(told["statuses"], {"200": told["sent"]}, "no request fails")
        self.assertEqual(told["lost"], 0)
        server.wait_output(lambda: server.metric("moonline_events_waiting") == 0, "all events to finish", 6 * PATIENCE)
        server.stop()
        self.assertEqual(self.events(), [], "none failed, none quarantined\n" + server.tail())
        self.assertEqual(self.compare(), told["acked"])
        self.assertGreater(saves, LOAD_SECONDS * 3)
        return server

    def test_saves_under_load(self):
        self.storm()

    def test_saves_under_load_with_four_workers(self):
        self.storm("--workers", "4")


if __name__ == "__main__":
    main()
