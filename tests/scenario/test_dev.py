#!/usr/bin/python3
"""`moonline dev` and `moonline emulate` as processes: what they print, where they listen, what a save does, what they leave
behind. What the emulator answers is test_emulate.py's and the specs'."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from harness import BINARY, PATIENCE, ROOT, Scenario, children, environment, main, until

ECHO = """
local line = require "line"
line.on("message.text", function(event) event:reply("A: " .. event.message.text) end)
line.on("postback", function(event) event:reply("tapped " .. event.postback.data) end)
"""


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


class Dev(Scenario):
    def start(self, command, *arguments, **env):
        self.temp = os.path.join(self.dir, "tmp")
        os.makedirs(self.temp, exist_ok=True)
        return self.spawn([BINARY, command, *arguments], environment(self.dir, TMPDIR=self.temp, **env))

    def dev(self, bot, *options, **env):
        running = self.start("dev", bot.path, "--page", "127.0.0.1:0", "--listen", "127.0.0.1:0", *options, **env)
        self.page = running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]
        running.wait_stdout("^moonline: bot bot at /webhook, generation 1")
        return running

    def emulate(self, *options, **env):
        running = self.start("emulate", "--listen", "127.0.0.1:0", *options, **env)
        self.page = running.wait_stdout(r"^moonline: emulating LINE on (http://127\.0\.0\.1:\d+)$")[1]
        return running

    def ask(self, path, body=None, **headers):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.page + path, data, {k.replace("_", "-"): v for k, v in headers.items()})
        with urllib.request.urlopen(call, timeout=PATIENCE) as answer:
            text = answer.read().decode()
            return json.loads(text) if answer.headers["content-type"].startswith("application/json") else text

    def say(self, words, query=""):
        return self.ask("/_/say" + query, words.encode(), content_type="text/plain")

    def gone(self, running, number=signal.SIGINT):
        inside = children(running.pid)
        running.signal(number)
        self.assertEqual(running.wait_exit(), 0, running.tail())
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in inside), "its workers to end")
        self.assertEqual(os.listdir(self.temp), [])

    def test_what_the_bot_prints_and_logs_is_on_the_terminal(self):
        bot = self.folder('''
local line = require "line"
print("loaded", 1)
line.on("message.text", function(event)
  print("got", event.message.text)
  log.info("seen", {n = 1})
  event:reply("ok")
end)
''')
        def told(*options):
            running = self.dev(bot, *options)
            self.assertEqual(self.say("hello"), "ok\n")
            self.gone(running)
            records = [json.loads(line) for line in running.stderr if line.startswith("{")]
            return [record["message"] for record in records if record["level"] == "info"]

        # Of moonline's own log there is only what is wrong, and --log-level has the last word.
        self.assertEqual(told(), ["loaded\t1", "got\thello", "seen"])
        self.assertEqual(told("--log-level", "warn"), [])

    def test_a_first_version_that_does_not_load_is_told_once_and_waited_for(self):
        bot = self.folder("line.on(")
        running = self.start("dev", bot.path, "--page", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--log-level", "info")
        self.page = running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]

        def told(level):
            records = [json.loads(line) for line in list(running.stderr) if line.startswith("{")]
            return [record for record in records if record["level"] == level and "not loaded" in record["message"]]

        def refused(since):
            item = self.ask(f"/_/wait?kind=news&since={since}&timeout={int(PATIENCE)}")["item"]
            self.assertEqual((item["what"], item.get("serving")), ("refused", None))
            return item

        first = refused(0)
        self.assertEqual(first["number"], 1)
        until(lambda: len(told("info")) == 2, "two retries")
        self.assertEqual(len(told("error")), 1)
        bot.replace("bot.lua", "line.on( ")
        until(lambda: len(told("error")) == 2, "a save to be told, though it mends nothing")
        self.assertGreater(refused(first["seq"])["number"], 3)
        bot.replace("bot.lua", ECHO)
        until(lambda: self.say("hello") == "A: hello\n", "the mended bot")
        self.gone(running)

    def test_a_bot_is_written_without_an_account(self):
        bot = self.folder(ECHO)
        bot.write(".env", "LINE_CHANNEL_SECRET=real\nLINE_CHANNEL_ACCESS_TOKEN=real-token\nLINE_API_BASE=http://127.0.0.1:9\n")
        running = self.dev(bot)
        self.assertEqual(self.say("hello"), "A: hello\n")
        running.wait_stdout("→ bot: hello$")
        running.wait_stdout("^bot → .*: A: hello$")
        self.assertEqual(self.say("", "?tap=order%3Fdrink%3Dtea"), "tapped order?drink=tea\n")
        self.assertIn("<title>moonline</title>", self.ask("/"))
        # A save is live, what does not load is told, and the old code goes on.
        bot.replace("bot.lua", ECHO.replace("A: ", "B: "))
        until(lambda: self.say("hello") == "B: hello\n", "the new code to answer")
        seq = self.ask("/_/world")["feed"]
        bot.replace("bot.lua", "line.on(")
        news = self.ask(f"/_/wait?kind=news&since={seq}&timeout={int(PATIENCE)}")
        self.assertEqual((news["item"]["what"], news["item"]["serving"]), ("refused", 2))
        self.assertIn("bot.lua:1:", news["item"]["error"])
        self.assertEqual(self.say("hello"), "B: hello\n")
        bot.replace("bot.lua", "local line = require 'line'\nline.on('message.text', function() error('on purpose') end)\n")
        until(lambda: "on purpose" in self.say("hello"), "the error to be told")
        self.gone(running)

    def test_events_know_their_handler_and_their_calls(self):
        running = self.dev(self.folder(ECHO))
        done = self.ask("/_/say", b"hello", accept="application/json")
        self.assertEqual([m["text"] for m in done["answers"]], ["A: hello"])
        event = until(lambda: (e := self.ask(f"/_/events/{done['event']}")) and e.get("news", {}).get("ms") and e, "the event's end")
        self.assertEqual(event["news"]["where"], "bot.lua:3")
        self.assertEqual(event["news"]["generation"], 1)
        self.assertEqual(event["replyToken"]["state"], "used")
        self.assertEqual(event["attempts"][0]["status"], 200)
        call = self.ask(f"/_/calls/{event['calls'][0]}")
        self.assertEqual((call["operation"], call["status"]), ("reply_message", 200))
        self.gone(running, signal.SIGTERM)

    def test_ports_that_are_taken(self):
        """Its own choice gives way and says so, a port that was asked for does not."""
        bot = self.folder(ECHO)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            asked = f"127.0.0.1:{taken.getsockname()[1]}"
            running = self.start("dev", bot.path, "--page", asked, "--listen", "127.0.0.1:0")
            self.assertEqual(running.wait_exit(), 1)
            self.assertRegex(running.output(), f"moonline dev: --page: address {asked} is in use")
            self.assertEqual(os.listdir(self.temp), [])
            running = self.start("dev", bot.path, "--page", "127.0.0.1:0", "--listen", asked)
            self.assertEqual(running.wait_exit(), 1)
            self.assertRegex(running.output(), f"moonline dev: --listen: address {asked} is in use")
        try:
            usual = socket.create_server(("127.0.0.1", 8080))
        except OSError:
            usual = None  # somebody has it already: all the better
        try:
            running = self.start("dev", bot.path, "--listen", "127.0.0.1:0")
            self.page = running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]
            self.assertRegex(running.output(), r"moonline: 127\.0\.0\.1:8080 is taken, so 127\.0\.0\.1:\d+")
            self.assertEqual(self.say("hello"), "A: hello\n")
            self.gone(running)
        finally:
            if usual:
                usual.close()

    def test_data_stays_where_it_was_asked_for(self):
        data = os.path.join(self.dir, "kept")
        running = self.dev(self.folder("local line, store = require 'line', require 'store'\n"
                                       "line.on('message', function(e) e:reply(tostring(store.incr('n'))) end)"), "--data", data)
        self.assertEqual(self.say("x"), "1\n")
        self.gone(running)
        running = self.dev(self.folder("local line, store = require 'line', require 'store'\n"
                                       "line.on('message', function(e) e:reply(tostring(store.incr('n'))) end)"), "--data", data)
        self.assertEqual(self.say("x"), "2\n")
        self.gone(running)

    def test_calls_are_told_with_their_line_and_for_whom(self):
        running = self.dev(self.folder("""local line, web = require "line", require "web"
line.on("message", function(e)
  local who = e.source.userId
  e:reply("one") e:reply("two")
  line.after(0.001, function() line.push(who, "timer") end)
end)
web.get("/push", function() line.push("U0000000000000000000000000000a001", "web") return "done" end)
"""))
        event = self.ask("/_/say", b"hello", accept="application/json")["event"]
        door = re.search(r"^moonline: listening on (http://\S+)$", running.output(), re.M)[1]
        urllib.request.urlopen(door + "/push", timeout=PATIENCE).close()

        def calls():
            with urllib.request.urlopen(self.page + "/_/feed?since=0", timeout=PATIENCE) as feed:
                found = []
                for line in feed:
                    if line.startswith(b"data: ") and (item := json.loads(line[6:])).get("what") == "call":
                        found.append({k: item.get(k) for k in ("event", "where", "timer", "origin", "route") if item.get(k) is not None})
                    if len(found) == 3:
                        return found
            return None

        found = calls()
        self.assertIn({"event": event, "where": "bot.lua:4"}, found)
        self.assertIn({"timer": "bot.lua:5", "origin": event, "where": "bot.lua:5"}, found)
        self.assertIn({"route": "GET /push", "where": "bot.lua:7"}, found)
        self.gone(running)

    def test_the_emulator_is_not_behind_the_bot_s_door(self):
        """The bot's own routes are where they are with `run`; of the emulator nothing is at an address that others reach."""
        bot = self.folder(ECHO + "require('web').get('/hi', function() return 'hi' end)\n")
        running = self.dev(bot)
        door = re.search(r"^moonline: listening on (http://\S+)$", running.output(), re.M)[1]
        with urllib.request.urlopen(door + "/hi", timeout=PATIENCE) as answer:
            self.assertEqual(answer.read(), b"hi")
        for path in ("/emulator", "/emulator/", "/emulator/_/world", "/bot/hi", "/_/world", "/v2/bot/info"):
            with self.subTest(path=path), self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(door + path, timeout=PATIENCE)
            self.assertEqual(refused.exception.code, 404)
            refused.exception.close()
        self.gone(running)

    def test_what_runs_when_it_stops_still_reaches_the_emulator(self):
        running = self.dev(self.folder(
            "local line, log = require 'line', require 'log'\n"
            "line.on('message', function(e) log.warn('begun') line.sleep(0.5) e:reply('late') end)\n"))
        with socket.create_connection(self.page[7:].split(":"), timeout=PATIENCE) as client:
            client.sendall(b"POST /_/say HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
            running.wait_output(lambda: "begun" in running.output(), "the handler")
            self.gone(running)
        self.assertRegex(running.output(), "(?m)^bot → .*: late$")
        self.assertNotIn("handler failed", running.output())

    def test_sighup_loads_the_bot_again_and_nothing_is_forgotten(self):
        running = self.dev(self.folder(ECHO))
        self.assertEqual(self.say("one"), "A: one\n")
        running.signal(signal.SIGHUP)
        news = self.ask(f"/_/wait?kind=news&timeout={int(PATIENCE)}")
        self.assertEqual((news["item"]["what"], news["item"]["number"]), ("generation", 2))
        self.assertIn("A: one", json.dumps(self.ask("/_/save")))
        self.assertEqual(self.say("two"), "A: two\n")
        self.gone(running)

    def test_an_emulator_that_dies_begins_anew_and_says_so(self):
        running = self.dev(self.folder(ECHO))
        self.assertEqual(self.say("one"), "A: one\n")
        emulator = [pid for pid in children(running.pid) if b"emulator generation" in command_line(pid)]
        os.kill(emulator[0], signal.SIGKILL)
        running.wait_output(lambda: "begins anew" in running.output(), "what became of the world")

        def again():
            try:
                return self.say("two")
            except (urllib.error.HTTPError, OSError):
                return None

        self.assertEqual(until(again, "the emulator to answer"), "A: two\n")
        self.gone(running)

    def test_what_the_environment_says_is_not_for_all_commands(self):
        """MOONLINE_DATA is the bots'; an emulator alone keeps nothing."""
        data = os.path.join(self.dir, "kept")
        running = self.emulate(MOONLINE_DATA=data, MOONLINE_LIVE="yes")
        self.assertTrue(self.ask("/_/users"))
        self.assertFalse(os.path.exists(data))
        self.gone(running)

    def test_ctrl_c_twice_does_not_wait(self):
        running = self.dev(self.folder("local line, log = require 'line', require 'log'\n"
                                       "line.on('message', function() log.warn('begun') line.sleep(50) end)\n"), "--drain", "1m")
        with socket.create_connection(self.page[7:].split(":"), timeout=PATIENCE) as client:
            client.sendall(b"POST /_/say HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
            running.wait_output(lambda: "begun" in running.output(), "the handler")
            running.signal(signal.SIGINT)
            self.gone(running)

    def test_the_browser_that_it_opens_is_left_alone_by_ctrl_c(self):
        browser, seen = os.path.join(self.dir, "browser"), os.path.join(self.dir, "seen")
        with open(browser, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\necho noise; echo noise >&2\n'
                       f'echo "$1" $(cut -d" " -f6 /proc/$$/stat) >{seen}.new && mv {seen}.new {seen}\n')
        os.chmod(browser, 0o755)
        running = self.dev(self.folder(ECHO), "--open", BROWSER=browser)
        until(lambda: os.path.exists(seen), "the browser to start")
        with open(seen, encoding="utf-8") as file:
            url, session = file.read().split()
        self.assertEqual(url, self.page + "/")
        self.assertNotEqual(int(session), os.getsid(running.pid))
        self.gone(running)
        self.assertNotIn("noise", running.output())

    def test_what_only_the_emulator_waits_for_does_not_hold_it_up(self):
        running = self.dev(self.folder(ECHO), "--fault", "webhook:1=delay:60000", "--drain", "5m")
        with socket.create_connection(self.page[7:].split(":"), timeout=PATIENCE) as client:
            client.sendall(b"POST /_/say HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
            running.wait_stdout("→ bot: hello$")
            self.gone(running)
        self.assertEqual(running.stderr, [])

    def test_a_bot_may_be_called_emulator(self):
        running = self.start("dev", self.folder(ECHO, "emulator").path, "--page", "127.0.0.1:0", "--listen", "127.0.0.1:0")
        self.page = running.wait_stdout(r"^moonline: page on (http://127\.0\.0\.1:\d+)$")[1]
        running.wait_stdout("^moonline: bot emulator at /webhook, generation 1")
        self.assertEqual(self.say("hello"), "A: hello\n")
        admin = re.search(r"^moonline: admin on (http://\S+)$", running.output(), re.M)[1]
        with urllib.request.urlopen(admin + "/metrics", timeout=PATIENCE) as answer:
            series = re.findall(r"^moonline_generation\{\S.*?\}", answer.read().decode(), re.M)
        self.assertEqual(len(series), len(set(series)), series)
        self.gone(running)

    def test_what_cannot_be(self):
        world = os.path.join(self.dir, "world.lua")
        bot = self.folder(ECHO)
        for content, arguments, status, words in (
            (None, ["emulate", "--world", world], 2, f"moonline emulate: --world {world}: No such file"),
            ("return {users = {{nam = 'x'}}}", ["emulate", "--world", world], 1, "world.lua:1: users[1].nam"),
            ("return {", ["emulate", "--world", world], 1, "world.lua:1:"),
            ("", ["emulate", "--fault", "push_message=nonsense"], 1, "nonsense"),
            ("", ["dev", os.path.join(self.dir, "none.lua")], 2, "none.lua: No such file"),
            ("", ["dev"], 2, "usage: moonline dev PATH"),
            ("", ["dev", bot.path, bot.path], 2, "one too many"),
            ("", ["emulate", "--clock", "sometimes"], 2, "not one of real, virtual"),
        ):
            with self.subTest(words=words):
                if content is not None:
                    with open(world, "w", encoding="utf-8") as file:
                        file.write(content)
                more = ["--listen", "127.0.0.1:0"] if arguments[0] == "emulate" else []
                running = self.start(*arguments, *more)
                self.assertEqual(running.wait_exit(60), status, running.tail())
                self.assertIn(words, running.output())
                self.assertEqual(os.listdir(self.temp), [])

    def test_the_guide_s_lines(self):
        """The chapter on the emulator: its curl lines and its Python against a bot in another process."""
        with open(os.path.join(ROOT, "docs/guide/13-emulator.md"), encoding="utf-8") as file:
            chapter = file.read()
        running = self.emulate(LINE_CHANNEL_SECRET="s3cret", LINE_CHANNEL_ACCESS_TOKEN="t0ken")
        server = self.serve(self.folder(ECHO.replace("A: ", "You said: ")), secret="s3cret",
                            env={**self.env("s3cret", "t0ken"), "LINE_API_BASE": self.page, "LINE_DATA_API_BASE": self.page})
        channel = self.ask("/_/world")["channels"][0]
        endpoint = {"endpoint": f"http://127.0.0.1:{server.port}/webhook"}
        call = urllib.request.Request(f"{self.page}/_/channels/{channel['id']}", json.dumps({"webhook": endpoint}).encode(),
                                      method="PATCH")
        urllib.request.urlopen(call, timeout=PATIENCE).close()
        here = chapter.replace("http://127.0.0.1:9090", self.page)
        lines = re.findall(r"^    (curl [^\n]*)", here, re.M)
        self.assertGreaterEqual(len(lines), 4)
        for line in lines:
            done = subprocess.run(["sh", "-ec", line.replace("curl -s ", "curl -sS --fail-with-body ")], capture_output=True,
                                  text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 0, line + done.stdout + done.stderr)
            if "/wait" in line:
                self.assertIn("You said: hello", done.stdout)
        program = re.search(r"^    import json.*?^    assert [^\n]*", here, re.M | re.S)[0]
        done = subprocess.run(["/usr/bin/python3", "-c", re.sub(r"^    ", "", program, flags=re.M)], capture_output=True, text=True,
                              timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(server.stop(), 0)
        self.gone(running)

    def test_others_in_the_network_when_that_was_asked_for(self):
        """Then by address. By a name it stays closed: a page of somebody's may come from a name that leads here."""
        for listen, good in (("127.0.0.1:0", ()), ("0.0.0.0:0", ("10.1.2.3", "10.1.2.3:80", "[fd00::1]:80")),
                             ("[::]:0", ("[fd00::1]", "10.1.2.3"))):
            running = self.start("emulate", "--listen", listen)
            port = running.wait_stdout(r"^moonline: emulating LINE on http://.*:(\d+)$")[1]
            self.page = f"http://{'[::1]' if listen[0] == '[' else '127.0.0.1'}:{port}"
            for host in ("localhost", *good):
                self.assertIn("feed", self.ask("/_/world", host=host))
            for host in ("evil.example", "10.1.2.3.evil.example", "cafe", *({"10.1.2.3", "[fd00::1]"} if not good else ())):
                with self.subTest(listen=listen, host=host), self.assertRaises(urllib.error.HTTPError) as refused:
                    self.ask("/_/world", host=host)
                self.assertEqual(refused.exception.code, 403)
                refused.exception.close()
            self.gone(running)

    def test_other_pages_cannot_drive_it(self):
        running = self.emulate()
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"},
                        {"sec_fetch_site": "cross-site"}):
            for path in ("/_/world", "/", "/_/say"):
                with self.subTest(headers=headers, path=path), self.assertRaises(urllib.error.HTTPError) as refused:
                    self.ask(path, b"x" if path == "/_/say" else None, **headers)
                self.assertEqual(refused.exception.code, 403)
                refused.exception.close()
        self.gone(running)


if __name__ == "__main__":
    main()
