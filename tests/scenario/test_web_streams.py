#!/usr/bin/python3
"""Answers that are streamed, requests that take long, and what happens to both when clients leave, code is saved, workers
die and scripts misbehave. Webhooks go on all the while."""

import json
import os
import re
import signal
import threading
import time

from harness import PATIENCE, SCALE, SANITIZED, Late, Scenario, main, resident, text, until
from rawhttp import Closed, Connection, request

HEAD = 'local line = require "line"\nlocal web = require "web"\n'
ECHO = 'line.on("message.text", function(event) event:reply(event.message.text) end)\n'


class Stream(Connection):
    """A GET whose answer is read piece by piece."""

    def __init__(self, server, path, headers=(), method="GET", body=b""):
        super().__init__("127.0.0.1", server.port, PATIENCE)
        self.send(request(method, path, body, headers))
        self.ended = False

    def head(self):
        self.status = int(self._line().split()[1])
        self.headers = {}
        while line := self._line():
            name, value = line.decode("latin-1").split(": ", 1)
            self.headers[name.lower()] = value
        return self

    def chunk(self):
        """The next chunk; b"" is the end."""
        data = self._exactly(int(self._line(), 16))
        self._line()
        self.ended = not data
        return data

    def until(self, n):
        """Bytes until there are n, or the end."""
        data = b""
        while len(data) < n and (piece := self.chunk()):
            data += piece
        return data

    def whole(self):
        pieces = []
        while piece := self.chunk():
            pieces.append(piece)
        return b"".join(pieces)


class Base(Scenario):
    def web(self, source, options=(), **how):
        self.bot = self.folder(HEAD + ECHO + source)
        drain = [] if "--drain" in options else ["--drain", "300ms"]  # some requests here never end by themselves
        self.server = self.serve(self.bot, options=[*drain, *options], **how)
        return self.server

    def ask(self, path, method="GET", body=b"", headers=()):
        with self.server.connect() as connection:
            connection.send(request(method, path, body, headers))
            return connection.read(method)

    def stream(self, path, **how):
        made = Stream(self.server, path, **how)
        self.addCleanup(made.close)
        return made

    def echoes(self, words):
        """A webhook is taken and answered."""
        self.server.post(text(words))
        self.standin.wait_text(words)


class Streams(Base):
    def test_events_as_a_browser_reads_them(self):
        self.web("""
            web.get("/events", function() return function(stream)
              stream:event{event = "greeting", id = "7", data = "two\\r\\nlines\\n", retry = 3000}
              stream:event{data = {a = 1}}
              stream:event{data = ""}
              stream:event{}
              for _, bad in ipairs{{event = "a\\nb"}, {id = "a\\0"}, {retry = 1.5}, {data = 5}, {dta = "x"}, 5} do
                local ok, why = pcall(stream.event, stream, bad)
                stream:event{data = tostring(ok) .. why:gsub("^.*stream:event: ", " ")}
              end
            end end)
            web.get("/own", function() return 201, function(stream)
              stream:event{data = "x"}
            end, {["content-type"] = "text/event-stream; charset=utf-8", ["Cache-Control"] = "private"} end)
        """)
        stream = self.stream("/events").head()
        self.assertEqual((stream.status, stream.headers["content-type"], stream.headers["cache-control"]),
                         (200, "text/event-stream", "no-store"))
        told = stream.whole().decode()
        self.assertTrue(told.startswith("event: greeting\nid: 7\nretry: 3000\ndata: two\ndata: lines\ndata: \n\n"
                                        'data: {"a":1}\n\ndata: \n\n:\n\n'), told)
        self.assertEqual(re.findall(r"data: false (.*)", told), [
            "event must be a string without line ends", "id must be a string without line ends",
            "retry must be a whole number of milliseconds", "data must be a string or a table, not a number",
            "there is no field 'dta' (did you mean 'data'?)", "takes a table, not a number"])
        stream.send(request("GET", "/own"))  # the connection lives on
        stream.head()
        self.assertEqual((stream.status, stream.headers["content-type"], stream.headers["cache-control"]),
                         (201, "text/event-stream; charset=utf-8", "private"))
        self.assertEqual(stream.whole(), b"data: x\n\n")

    def test_bytes(self):
        self.web("""
            web.get("/bytes", function() return function(stream)
              assert(stream:write("") and stream:write("a") and stream:write("\\0\\255") and not stream:gone())
              for i = 1, 300 do stream:write(("b"):rep(1000)) end
            end end)
            web.get("/none", function() return function() end end)
            web.get("/typed", function() return 200, function(stream)
              line.sleep(3600)
            end, {["content-type"] = "a/b"} end)
            web.get("/bad", function() return function(stream) stream:write(5) end end)
        """)
        stream = self.stream("/bytes").head()
        self.assertEqual(stream.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(stream.whole(), b"a\0\xff" + b"b" * 300000)
        head = self.ask("/bytes", "HEAD")
        self.assertEqual((head.status, head.body, head.headers.get("content-length")), (200, b"", None))
        self.assertEqual(self.stream("/none").head().whole(), b"")
        self.assertEqual(self.stream("/typed").head().headers["content-type"], "a/b")  # the head does not wait for bytes
        with self.server.connect() as old:
            old.send(request("GET", "/bytes", version="1.0"))
            answer = old.read()
            self.assertEqual((answer.body, answer.headers.get("transfer-encoding")), (b"a\0\xff" + b"b" * 300000, None))
        self.assertEqual(self.ask("/bad").status, 500)
        self.assertIn("stream:write: takes a string, not a number", self.server.wait_log(level="error")["error"])

    def test_an_error_in_the_middle_cuts_the_answer(self):
        server = self.web("""
            web.get("/a", function() return function(stream) stream:write("begun") error("boom") end end)
            web.get("/b", function() return function(stream) error("early") end end)
            web.get("/c", function() return function(stream) stream:write("x") web.error(404, "late") end end)
        """)
        stream = self.stream("/a").head()
        self.assertEqual(stream.chunk(), b"begun")
        self.assertRaises(Closed, stream.chunk)
        self.assertIn("bot.lua:5: boom", server.wait_log(level="error")["error"])
        self.assertEqual(self.ask("/b").status, 500)
        stream = self.stream("/c").head()
        self.assertEqual(stream.chunk(), b"x")
        self.assertRaises(Closed, stream.chunk)
        self.assertIn("late", server.wait_log(3, level="error")["error"])

    def test_a_slow_reader_makes_the_writer_wait(self):
        server = self.web("""
            local written = 0
            web.get("/flood", function() return function(stream)
              for i = 1, 1600 do
                stream:write(("0123456789abcdef"):rep(2560))
                written = i
              end
              log.info("all written")
            end end)
            web.get("/written", function() return {n = written} end)
        """)
        stream = self.stream("/flood").head()
        before, seen = resident(server.pid), -1
        while seen != (seen := json.loads(self.ask("/written").body)["n"]):
            time.sleep(0.2)
        self.assertGreater(seen, 0)
        self.assertLess(seen * 40960, 24 << 20, "what the sockets hold and a little more")
        if not SANITIZED:
            self.assertLess(resident(server.pid) - before, 4 << 20)
        self.echoes("meanwhile")
        self.assertEqual(server.logs(message="all written"), [])
        total = 0
        while piece := stream.chunk():
            self.assertEqual(len(piece.replace(b"0123456789abcdef", b"")) < 32, True)
            total += len(piece)
        self.assertEqual(total, 1600 * 40960)
        server.wait_log(message="all written")

    def test_a_client_that_takes_nothing_is_cut_off(self):
        server = self.web("""
            web.get("/flood", function() return function(stream)
              while stream:write(("x"):rep(65536)) do end
              log.info("told")
            end end)
            local big = ("x"):rep(64 << 20)
            web.get("/big", function() return big end)
            web.get("/idle", function() return function(stream)
              stream:write("x")
              line.sleep(1.2)
              stream:write("y")
            end end)
        """, ["--idle-timeout", "500ms"])
        idle = self.stream("/idle").head()
        stuck = self.stream("/flood").head()
        self.stream("/big").head()
        server.wait_log(message="told")
        self.assertTrue(stuck.at_end())
        self.assertEqual(idle.whole(), b"xy", "who has nothing to take is no slow reader")
        server.wait_metric("moonline_web_requests_total", 2, status="0")

    def test_a_client_that_leaves(self):
        server = self.web("""
            local function ended(name) return setmetatable({}, {__close = function() log.info("closed " .. name) end}) end
            web.get("/asleep", function() return function(stream)
              local mark <close> = ended("asleep")
              stream:write("x")
              line.sleep(3600)
              log.info("never")
            end end)
            web.get("/writes", function() return function(stream)
              while stream:write(("x"):rep(100000)) do end
              log.info("write told, gone " .. tostring(stream:gone()))
              line.sleep(0.01)
              log.info("and could go on")
            end end)
            web.get("/handler", function()
              log.info("begun")
              line.sleep(0.3)
              log.info("handler finished")
              return "nobody sees this"
            end)
            local kept
            web.get("/kept", function() return function(stream)
              kept = stream
              stream:event{data = "here"}
              line.sleep(3600)
            end end)
            web.get("/say", function(r) return {kept:event{data = r.query.q}, kept:gone()} end)
        """)
        for path in "/asleep", "/kept":
            stream = self.stream(path).head()
            stream.chunk()
            if path == "/kept":
                self.assertEqual(json.loads(self.ask("/say?q=one").body), [True, False])
                self.assertEqual(stream.chunk(), b"data: one\n\n")
            stream.close()
        server.wait_log(message="closed asleep")
        until(lambda: json.loads(self.ask("/say?q=two").body) == [False, True], "the stream to be gone")
        stream = self.stream("/writes").head()
        stream.close()
        server.wait_log(message="write told, gone true")
        server.wait_log(message="and could go on")
        stream = self.stream("/handler")
        server.wait_log(message="begun")
        stream.close()
        server.wait_log(message="handler finished")
        self.assertEqual(server.logs(message="never") + server.logs(level="error"), [])
        self.assertEqual(server.metric("moonline_tasks"), 0)

    def test_one_says_it_to_all(self):
        server = self.web("""
            local all = {}
            line.on("message.image", function(event)
              for stream in pairs(all) do stream:event{event = "picture", data = {id = event.message.id}} end
            end)
            web.get("/all", function() return function(stream)
              all[stream] = true
              local mark <close> = setmetatable({}, {__close = function() all[stream] = nil end})
              stream:event{}
              line.sleep(86400)
            end end)
            web.get("/count", function() local n = 0 for _ in pairs(all) do n = n + 1 end return {n = n} end)
        """)
        streams = [self.stream("/all").head() for _ in range(50)]
        for stream in streams:
            self.assertEqual(stream.chunk(), b":\n\n")
        posted = text("x")
        posted["message"] = {"id": "42", "type": "image", "quoteToken": "q", "contentProvider": {"type": "line"}}
        server.post(posted)
        for stream in streams:
            self.assertEqual(stream.chunk(), b'event: picture\ndata: {"id":"42"}\n\n')
        for stream in streams[:30]:
            stream.close()
        until(lambda: json.loads(self.ask("/count").body)["n"] == 20, "thirty to be forgotten")


class Limits(Base):
    def test_time_of_a_handler(self):
        server = self.web("""
            web.get("/slow", function() line.sleep(60) end)
            web.get("/spawns", function() line.spawn(function() line.sleep(60) end) return "at once" end)
            web.get("/stream", function() return function(stream)
              for i = 1, 4 do stream:write(tostring(i)) line.sleep(0.3) end
            end end)
        """, ["--handler-limit", "500ms"])
        self.assertEqual(self.ask("/spawns").body, b"at once")
        answer = self.ask("/slow")
        self.assertEqual((answer.status, json.loads(answer.body)), (503, {"message": "Service Unavailable"}))
        told = server.wait_log(level="error", message="handler stopped", request="GET /slow")
        self.assertIn("bot.lua:5: the handler was still waiting here after 500 ms (GET /slow, generation 1; --handler-limit)",
                      told["error"])
        self.assertEqual(self.stream("/stream").head().whole(), b"1234", "a stream lasts as long as it likes")
        server.wait_log(level="error", message="handler stopped", request="GET /spawns")

    def test_processor_time_and_memory(self):
        server = self.web("""
            web.get("/loop", function() while true do end end)
            web.get("/pcall", function() while true do pcall(function() while true do end end) end end)
            web.get("/grow", function() local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end end)
            web.get("/stream", function() return function(stream) stream:write("x") while true do end end end)
            web.get("/fine", function() return "fine" end)
        """, ["--cpu-limit", "100ms", "--memory-limit", "32M"])
        for path in "/loop", "/pcall", "/grow":
            answer = self.ask(path)
            self.assertEqual((answer.status, json.loads(answer.body)), (500, {"message": "Internal Server Error"}), path)
            self.assertIn(f"GET {path}, generation 1", server.wait_log(level="error", request=f"GET {path}")["error"])
        stream = self.stream("/stream").head()
        self.assertEqual(stream.chunk(), b"x")
        self.assertRaises(Closed, stream.chunk)
        self.assertEqual(self.ask("/fine").body, b"fine")
        self.echoes("still there")
        self.assertEqual(server.metric("moonline_worker_restarts_total"), 0)

    def test_how_many_at_a_time(self):
        server = self.web("""
            web.get("/stream", function() return function(stream) stream:write("x") line.sleep(3600) end end)
            web.get("/slow", function() line.sleep(3600) end)
            web.get("/fine", function() return "fine" end)
        """, ["--web-parallel", "3"])
        streams = [self.stream("/stream").head() for _ in range(2)]
        slow = self.stream("/slow")
        until(lambda: server.metric("moonline_tasks") == 3, "three to run")
        answer = self.ask("/fine")
        self.assertEqual((answer.status, answer.headers["retry-after"], json.loads(answer.body)),
                         (503, "1", {"message": "Service Unavailable"}))
        self.echoes("events are counted apart")
        self.assertIn("--web-parallel", server.wait_log(message="request refused")["reason"])
        slow.close()  # its handler runs on, and counts
        self.assertEqual(self.ask("/fine").status, 503)
        streams[0].close()
        until(lambda: self.ask("/fine").status == 200, "a place")

    def test_bodies_held_at_the_same_time(self):
        self.web('web.post("/", function() line.sleep(3600) end)', ["--web-body", "150M", "--read-timeout", "60s"])
        first = self.stream("/", method="POST", body=b"x" * (140 << 20))
        with self.server.connect() as second:
            try:
                second.send(request("POST", "/", b"x" * (140 << 20)))
            except ConnectionError:
                pass
            self.assertEqual(second.read().status, 503)
        first.close()
        self.echoes("fine")

    def test_many_uploads_to_a_worker_that_is_behind(self):
        server = self.web("""
            web.post("/", function(r) return tostring(#r.body) end)
            web.get("/spin", function() local t = os.clock() while os.clock() - t < 0.3 do end return "x" end)
        """, ["--web-parallel", "1000"])
        spinning = self.stream("/spin")
        uploads = [self.stream("/", method="POST", body=b"x" * 300000) for _ in range(60)]
        self.echoes("in between")
        self.assertEqual({upload.read().body for upload in uploads}, {b"300000"})
        self.assertEqual(spinning.read().status, 200)
        self.assertEqual(server.metric("moonline_worker_restarts_total"), 0)

    def test_connections_that_end_inside_a_body(self):
        server = self.web('web.post("/", function(r) return tostring(#r.body) end)', ["--read-timeout", "300ms"])
        for n in 0, 10, 200000:
            with server.connect() as connection:
                connection.send(request("POST", "/", b"x" * 300000)[:-300000 + n])
        self.assertEqual(self.ask("/", "POST", b"x" * 300000).body, b"300000")
        # Noticed by the close, or by the time the body takes.
        until(lambda: sum(server.metric("moonline_web_requests_total", status=s) for s in (0, 408)) == 3, "three to be over")
        self.assertEqual(server.metric("moonline_tasks"), 0)


class Changes(Base):
    SOURCE = """
        web.get("/who", function() return "%s" end)
        web.get("/slow", function() log.info("begun") line.sleep(%s) return "%s" end)
        web.get("/stream", function() return function(stream)
          stream:event{data = "%s"}
          local mark <close> = setmetatable({}, {__close = function() log.info("closed %s") end})
          line.sleep(3600)
        end end)
        web.get("/writes", function() return function(stream)
          while stream:write(("x"):rep(100000)) do end
          log.info("told")
        end end)
    """

    def source(self, word, seconds=1):
        return self.SOURCE % (word, seconds, word, word, word)

    def test_a_save(self):
        server = self.web(self.source("old", 1.5))
        slow, stream, writes = self.stream("/slow"), self.stream("/stream").head(), self.stream("/writes").head()
        self.assertEqual(stream.chunk(), b"data: old\n\n")
        server.wait_log(message="begun")
        self.bot.replace("bot.lua", HEAD + ECHO + self.source("new"))
        self.assertEqual(stream.whole(), b"", "ended as a browser expects it: it connects again")
        server.wait_generation(2)
        stream.send(request("GET", "/stream"))
        self.assertEqual(stream.head().chunk(), b"data: new\n\n")
        self.assertEqual(self.ask("/who").body, b"new")
        writes.whole()
        server.wait_log(message="told")
        self.assertEqual(slow.read().body, b"old", "what runs finishes in its generation")
        until(lambda: len(server.workers()) == 1, "the old worker to leave")
        self.assertEqual(server.logs(level="error"), [])

    def test_a_save_that_declares_no_routes(self):
        server = self.web(self.source("old"))
        self.bot.replace("bot.lua", HEAD + ECHO)
        server.wait_generation(2)
        self.assertEqual(self.ask("/who").status, 404)
        self.bot.replace("bot.lua", HEAD + ECHO + self.source("third"))
        server.wait_generation(3)
        self.assertEqual(self.ask("/who").body, b"third")

    def test_requests_without_a_pause_while_code_changes(self):
        server = self.web(self.source("0"))
        stop, statuses = threading.Event(), []

        def ask():
            with server.connect() as connection:
                while not stop.is_set():
                    connection.send(request("GET", "/who"))
                    statuses.append(connection.read().status)
        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        for n in range(2, 7):
            self.bot.replace("bot.lua", HEAD + ECHO + self.source(str(n)))
            server.wait_generation(n)
        stop.set()
        for thread in asking:
            thread.join()
        self.assertEqual(set(statuses), {200})
        self.assertGreater(len(statuses), 50)

    def test_the_end(self):
        server = self.web(self.source("old", 0.5), ["--drain", "8s"])
        slow, stream, writes = self.stream("/slow"), self.stream("/stream").head(), self.stream("/writes").head()
        idle = server.connect()
        idle.send(request("GET", "/who"))
        self.assertEqual(idle.read().status, 200)
        server.wait_log(message="begun")
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        self.assertEqual(stream.until(1), b"data: old\n\n")
        self.assertEqual(stream.chunk(), b"")
        idle.send(request("GET", "/who"))
        self.assertEqual(idle.read().status, 503)
        self.assertEqual(slow.read().body, b"old")
        writes.whole()
        self.assertEqual(server.wait_exit(), 0)
        self.assertLess(time.monotonic() - begun, 5 * SCALE)
        self.assertEqual(server.logs(level="error"), [])

    def test_a_killed_worker(self):
        server = self.web(self.source("old", 3600) + """
            local big = ("x"):rep(64 << 20)
            web.get("/big", function() return big end)
            web.post("/take", function(r) return tostring(#r.body) end)
        """)
        slow, stream, big = self.stream("/slow"), self.stream("/stream").head(), self.stream("/big").head()
        self.assertEqual(stream.chunk(), b"data: old\n\n")
        server.wait_log(message="begun")
        os.kill(server.workers()[0], signal.SIGKILL)
        answer = slow.read()
        self.assertEqual((answer.status, json.loads(answer.body)), (502, {"message": "Bad Gateway"}))
        self.assertRaises(Closed, stream.chunk)
        self.assertRaises(Closed, big._exactly, 64 << 20)
        until(lambda: self.ask("/take", "POST", b"x" * 100000).body == b"100000", "the next worker")
        self.assertEqual(server.wait_log(message="worker lost")["requests"], 3)
        self.assertEqual(server.logs(message="a web handler took its worker down"), [])

    def test_a_handler_that_hangs_takes_no_event_with_it(self):
        server = self.web("""
            web.get("/hang", function() return (("a"):rep(40)):match(("a?"):rep(40) .. ("a"):rep(40)) end)
            web.get("/slow", function() log.info("begun") line.sleep(3600) end)
            line.on("message.image", function(event)
              log.info("waits")
              line.sleep(1)
              event:reply("had to wait")
            end)
        """, ["--cpu-limit", "50ms", "--hang-timeout", "200ms", "--attempts", "1"])
        posted = text("x")
        posted["message"] = {"id": "42", "type": "image", "quoteToken": "q", "contentProvider": {"type": "line"}}
        server.post(posted)
        server.wait_log(message="waits")
        slow = self.stream("/slow")
        server.wait_log(message="begun")
        self.assertEqual(self.ask("/hang").status, 502)
        self.assertEqual(slow.read().status, 502)
        told = server.wait_log(message="a web handler took its worker down")
        self.assertEqual((told["request"], told["level"]), ("GET /hang", "error"))
        self.assertIn("--hang-timeout", told["reason"])
        self.standin.wait_text("had to wait")
        self.wait_events(0)
        self.assertEqual(server.metric("moonline_events_total", outcome="quarantined"), 0)

    def test_several_workers_share_the_requests(self):
        server = self.web("""
            local n = 0
            web.get("/count", function() n = n + 1 line.sleep(0.2) return {n = n} end)
        """, ["--workers", "2"])
        streams = [self.stream("/count") for _ in range(8)]
        self.assertEqual([json.loads(s.read().body)["n"] for s in streams], [4] * 8)
        os.kill(server.workers()[0], signal.SIGKILL)
        for _ in range(5):
            self.assertIn(self.ask("/count").status, (200, 502))


class SideBySide(Base):
    def quickest(self, n=12):
        """Seconds from a webhook to its 200: the median."""
        times = []
        with self.server.connect() as connection:
            for number in range(n):
                begun = time.monotonic()
                self.server.post(text(f"w{number}", f"user{number}"), connection=connection)
                times.append(time.monotonic() - begun)
        return sorted(times)[n // 2]

    def test_webhooks_while_the_web_is_busy(self):
        server = self.web("""
            web.get("/big", function() return ("x"):rep(16 << 20) end)
            web.post("/take", function(r) return tostring(#r.body) end)
            web.get("/spin", function() local t = os.clock() while os.clock() - t < 0.05 do end return "x" end)
            web.get("/flood", function() return function(stream) while stream:write(("x"):rep(65536)) do end end end)
        """)
        alone = self.quickest()
        stuck = [self.stream("/flood").head() for _ in range(20)]
        stop, done = threading.Event(), []

        def ask(*how):
            while not stop.is_set():
                try:
                    done.append(self.ask(*how).status)
                except (Closed, OSError) as error:
                    done.append(str(error))
        asking = [threading.Thread(target=ask, args=how) for how in (
            ("/big",), ("/take", "POST", b"x" * (8 << 20)), ("/spin",), ("/spin",))]
        for thread in asking:
            thread.start()
        try:
            until(lambda: len(done) > 5, "the web to be busy")
            busy = self.quickest()
        finally:
            stop.set()
            for thread in asking:
                thread.join()
        self.assertEqual(set(done), {200})
        # The host is never in Lua and never moves more than a piece at a time; the rest is the machine's.
        self.assertLess(busy, max(10 * alone, 0.15 * SCALE), f"{alone:.4f} s alone, {busy:.4f} s beside the web")
        for number in range(12):
            self.standin.wait_text(f"w{number}")
        del stuck
        self.assertEqual(server.logs(level="error"), [])

    def test_the_web_while_webhooks_pour_in(self):
        self.load_standin()
        self.web('web.get("/fine", function() return "fine" end)', env=self.load_env())
        hose = self.hose(self.server, "--seconds", "2", "--connections", "8")
        statuses = []
        while hose.running():
            statuses.append(self.ask("/fine").status)
        self.assertEqual(hose.wait_exit(), 0)
        self.assertEqual(set(statuses), {200})
        self.assertGreater(len(statuses), 10)
        self.wait_events(0)
        self.compare()


if __name__ == "__main__":
    main()
