#!/usr/bin/python3
"""Looking in from outside: what the log tells about an event, what the counters count, when /healthz says no, and that
the secrets are nowhere to be seen: not in a log, an answer, an error, a page of metrics or the process list."""

import json
import os
import re

from harness import PATIENCE, SECRET, TOKEN, Scenario, children, main, sign, text, user, webhook
from rawhttp import Connection, request

BOT = """
local line = require "line"
line.on("message.text", function(event)
  if event.message.text == "fail" then error("on purpose") end
  if event.message.text == "profile" then line.profile("Uknown") end
  event:reply(event.message.text)
end)
"""
METRICS = {
    "moonline_webhooks_total": "counter", "moonline_events_total": "counter", "moonline_events_waiting": "gauge",
    "moonline_oldest_event_seconds": "gauge", "moonline_commit_seconds": "histogram", "moonline_handler_seconds": "histogram",
    "moonline_line_calls_total": "counter", "moonline_generation": "gauge", "moonline_reloads_total": "counter",
    "moonline_workers": "gauge", "moonline_worker_restarts_total": "counter", "moonline_lua_memory_bytes": "gauge",
    "moonline_connections": "gauge",
}


class Logs(Scenario):
    def test_a_handled_event_leaves_one_line_with_its_facts(self):
        server = self.serve(self.folder(BOT))
        posted = server.post(text("hello"))[0]
        record = server.wait_log(event=posted["webhookEventId"])
        self.assertEqual(record["level"], "info")
        self.assertEqual((record["bot"], str(record["generation"]), record["chat"]), ("bot", "1", user("somebody")))
        self.assertGreaterEqual(float(record["ms"]), 0)
        self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$")
        failing = server.post(text("fail"))[0]
        record = server.wait_log(event=failing["webhookEventId"], level="error")
        self.assertRegex(str(record), r"bot\.lua:4: on purpose")

    def test_every_line_is_json_and_levels_are_kept(self):
        server = self.serve(self.folder(BOT), options=["--log", "json", "--log-level", "error"])
        server.post(text("hello"), text('fail'), text("\x00\x1f\u2028\U0001f34e \"quoted\" \\"))
        self.wait_events(1, "failed")
        server.stop()
        for line in server.stderr:
            self.assertEqual(json.loads(line)["level"], "error", line)

    def test_text_form(self):
        server = self.serve(self.folder(BOT), options=["--log", "text"])
        posted = server.post(text("hello"))[0]
        server.wait_output(lambda: any(posted["webhookEventId"] in line for line in list(server.stderr)), "its line")
        self.assertFalse(any(line.startswith("{") for line in server.stderr))
        self.assertNotIn("\x1b[", server.output(), "no colours but on a terminal")

    def test_a_bot_without_handlers_is_told(self):
        bot = self.folder("")
        server = self.serve(bot)
        told = server.wait_log(level="warn", message=re.compile("^no handlers"))
        self.assertEqual((told["bot"], str(told["generation"])), ("bot", "1"))
        bot.write("bot.lua", BOT)
        server.wait_generation(2)
        self.assertEqual(len(server.logs(message=re.compile("^no handlers"))), 1)

    def test_an_error_that_is_a_table_is_told_by_its_fields(self):
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("message.text", function(event)
              local kind = event.message.text
              if kind == "fields" then error{code = 5} end
              if kind == "none" then error{{}} end
              local long = ("v"):rep(999)
              if kind == "long" then error{[long .. 1] = long, [long .. 2] = long, m = long} end
              error(setmetatable({code = 5}, {__tostring = function() return "my own words" end}))
            end)"""))
        for kind, told in (("fields", r"^\{code = 5\}\n  bot\.lua:5"), ("own", "^my own words\n"),
                           ("none", "^table: 0x"), ("long", r"^\{\w+ = \w+, .*…\}\n")):
            failing = server.post(text(kind))[0]
            record = server.wait_log(event=failing["webhookEventId"], message="handler failed")
            self.assertRegex(record["error"], told)

    def test_the_scripts_own_lines(self):
        server = self.serve(self.folder("""
            local line, log = require "line", require "log"
            line.on("*", function(event)
              log.info("order taken", { item = 7, name = "tea" })
              log.warn("running low")
              print("plain", 1, nil)
            end)"""))
        posted = server.post(text("x"))[0]
        record = server.wait_log(message="order taken")
        self.assertEqual((str(record["item"]), record["name"], record["event"]), ("7", "tea", posted["webhookEventId"]))
        self.assertEqual(server.wait_log(message="running low")["level"], "warn")
        server.wait_log(message=re.compile(r"plain\s+1\s+nil"))


class Metrics(Scenario):
    def test_names_types_and_that_they_move(self):
        server = self.serve(self.folder(BOT))
        page = server.admin("/metrics")
        self.assertTrue(page.headers["content-type"].startswith("text/plain"))
        told = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page.body.decode(), re.M))
        self.assertEqual({name: told.get(name) for name in METRICS}, METRICS)
        for name in told:
            self.assertRegex(page.body.decode(), rf"(?m)^# HELP {name} \S")
        self.assertEqual(server.metric("moonline_generation", bot="bot"), 1)
        self.assertEqual(server.metric("moonline_workers", bot="bot", state="ready"), 1)
        self.assertGreater(server.metric("moonline_lua_memory_bytes"), 1000)
        gate = self.standin.gate("GET /v2/bot/profile/Uknown")
        duplicate = text("once")
        server.post(duplicate, duplicate, text("fail", source="b"), text("profile", source="c"))
        gate.wait(1, PATIENCE)
        server.wait_metric("moonline_events_total", 1, outcome="failed")
        server.wait_metric("moonline_events_total", 1, outcome="done")
        self.assertEqual(server.metric("moonline_events_waiting"), 1)
        server.wait_metric("moonline_oldest_event_seconds", 0.001)
        gate.open()
        server.wait_metric("moonline_events_total", 2, outcome="done")
        self.assertEqual(server.metric("moonline_events_waiting"), 0)
        self.assertEqual(server.metric("moonline_oldest_event_seconds"), 0)
        self.assertEqual(server.metric("moonline_webhooks_total", status="200"), 1)
        self.assertEqual(server.metric("moonline_events_total", outcome="duplicate"), 1)
        self.assertEqual(server.metric("moonline_line_calls_total", operation="get_profile", status="200"), 1)
        self.assertEqual(server.metric("moonline_line_calls_total", operation="reply_message", status="200"), 2)
        self.assertEqual(server.metric("moonline_handler_seconds_count"), 3)
        self.assertGreater(server.metric("moonline_commit_seconds_count"), 0)
        with server.connect():
            server.wait_metric("moonline_connections", 1)

    def test_histograms_are_cumulative(self):
        server = self.serve(self.folder(BOT))
        server.post(*(text(f"{i}", source=f"{i}") for i in range(20)))
        server.wait_metric("moonline_events_total", 20, outcome="done")
        values = server.metrics()
        for name in ("moonline_commit_seconds", "moonline_handler_seconds"):
            buckets = [v for k, v in values.items() if k.startswith(name + "_bucket")]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(buckets[-1], values[name + "_count"])

    def test_off_unless_asked_for(self):
        bot = self.folder(BOT)
        server = self.launch(bot)
        server.wait_ready()
        for path in ("/metrics", "/events"):
            with server.connect() as connection:
                connection.send(request("GET", path))
                self.assertEqual(connection.read().status, 404, "not on the public port")
        done = self.spawn([os.path.abspath(server.argv[0]), "run", bot.path, "--listen", "127.0.0.1:0", "--data", f"{self.dir}/other"])
        done.wait_stdout(r"^moonline: bot ")
        self.assertNotIn("admin", done.output())
        done.signal(15)
        self.assertEqual(done.wait_exit(), 0)


class Health(Scenario):
    def test_ok_and_the_reason_when_not(self):
        bot = self.folder(BOT)
        server = self.serve(bot)
        self.assertEqual(server.health()[0], 200)
        self.assertEqual(server.health()[1]["status"], "ok")
        answer = server.admin("/nothing")
        self.assertEqual(answer.status, 404)
        with self.subTest("no generation"):
            broken = self.launch(self.folder("this is no Lua", "broken"), options=["--data", f"{self.dir}/other"])
            status, health = broken.health()
            self.assertEqual((status, health["status"]), (503, "unavailable"))
            self.assertRegex(health["reason"], "broken")

    def test_at_the_public_port(self):
        """Beside webhooks, on the connections that they use: a load balancer asks here, again and again."""
        server = self.serve(self.folder(BOT))
        with server.connect() as connection:
            for _ in range(3):
                connection.send(request("GET", "/healthz"))
                self.assertEqual(json.loads(connection.read().body)["status"], "ok")
                server.post(text("hello"), connection=connection)
                for method, path, status in (("GET", "/webhook", 405), ("POST", "/healthz", 405), ("GET", "/metrics", 404),
                                             ("GET", "/events", 404)):
                    connection.send(request(method, path))
                    self.assertEqual(connection.read().status, status, (method, path))
        server.wait_metric("moonline_events_total", 3, outcome="done")
        self.assertEqual(server.health()[0], 200)

    def test_an_address_that_cannot_be_had_names_its_option(self):
        bot = self.folder(BOT)
        taken = f"127.0.0.1:{self.serve(bot).port}"
        free, used = ("--listen", "127.0.0.1:0"), f"address {taken} is in use; give another port"
        for options, told in ((("--listen", taken), f"--listen: {used}"),
                              ((*free, "--admin", taken), f"--admin: {used}"),
                              (("--listen", "4711"), '--listen: "4711" is not ADDRESS:PORT'),
                              ((*free, "--admin", "x:y"), '--admin: "x:y" is not ADDRESS:PORT')):
            done = self.command("run", bot.path, *options, "--data", f"{self.dir}/other", status=None)
            self.assertIn(done.returncode, (1, 2))
            self.assertTrue(done.stderr.startswith(f"moonline run: {told}"), done.stderr)

    def test_method_not_allowed(self):
        server = self.serve(self.folder(BOT))
        with Connection("127.0.0.1", server.admin_port, PATIENCE) as connection:
            connection.send(request("POST", "/metrics"))
            answer = connection.read()
            self.assertEqual(answer.status, 405)
            self.assertIn("GET", answer.headers["allow"])


class Secrets(Scenario):
    def test_nowhere_to_be_seen(self):
        """A bot that tries hard to print them, an error that carries one, the process list, the metrics, the store's files."""
        bot = self.folder("""
            local line, log = require "line", require "log"
            line.on("message.text", function(event)
              log.info("leak " .. event.message.text)
              print(event.message.text)
              error("leak " .. event.message.text)
            end)""")
        server = self.serve(bot)
        self.standin.fault("reply", status=401, body={"message": f"token {TOKEN} is bad"})
        server.post(text(f"{SECRET} and Bearer {TOKEN}"))
        shown = self.wait_events(1, "failed")
        self.assertNotIn(SECRET, shown[0]["why"])
        self.assertNotIn(TOKEN, shown[0]["why"])
        for pid in [server.pid, *children(server.pid)]:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode()
            self.assertNotIn(SECRET, words)
            self.assertNotIn(TOKEN, words)
        pages = server.admin("/metrics").body + server.admin("/healthz").body
        pages += server.send_body(webhook(text("x")), signature=sign(b"other")).body
        self.assertNotIn(SECRET.encode(), pages)
        self.assertNotIn(TOKEN.encode(), pages)
        # What the processes printed is looked through at the end of every test.

    def test_not_accepted_on_the_command_line(self):
        bot = self.folder(BOT)
        for option in ("--channel-secret", "--secret", "--token", "--channel-access-token"):
            done = self.command("run", bot.path, option, "x", status=2)
            self.assertRegex(done.stderr, r"\Amoonline[^\n]*\n\Z")

    def test_the_worker_does_not_inherit_them_by_chance(self):
        """What a C module of a script could read with getenv is not there."""
        server = self.serve(self.folder("""
            local line = require "line"
            local function get(name) return tostring((select(2, pcall(os.getenv, name)))) end
            line.on("*", function(event)
              event:reply(get "LINE_CHANNEL_SECRET", get "LINE_CHANNEL_ACCESS_TOKEN", get "HOME")
            end)"""))
        posted = server.post(text("x"))[0]
        self.standin.wait(lambda: self.standin.texts(posted["replyToken"]), "a reply")
        told = self.standin.texts()
        self.assertRegex(told[0], "LINE_CHANNEL_SECRET is not shown")
        self.assertNotIn(SECRET, told[0])
        self.assertNotIn(TOKEN, told[1])
        self.assertEqual(told[2], self.dir)
        for pid in server.workers():
            with open(f"/proc/{pid}/environ", "rb") as file:
                seen = file.read().decode()
            self.assertIn("HOME=", seen)
            self.assertNotIn(SECRET, seen)
            self.assertNotIn(TOKEN, seen)


if __name__ == "__main__":
    main()
