#!/usr/bin/python3
# runner: alone
"""Media both ways past the worker's memory: downloads at the script's pace and into files, with servers that are slow,
not ready, or die on the way; nothing of it may cost memory, nor pass for whole when it is not."""

import os
import re
import resource
import signal
import socket
import threading
import time

from harness import SCALE, Scenario, event, main, until

SANITIZED = os.environ.get("TEST_SANITIZED") == "1"
BLOCK = bytes(range(256)) * 256  # 64 KiB
MB = 1000 * 1000
HEAD = 'local line = require "line"\n'


def pattern(start, n):
    """The bytes [start, start + n) of every content: BLOCK again and again."""
    at = start % len(BLOCK)
    return (BLOCK[at:] + BLOCK * (n // len(BLOCK) + 1))[:n]


class Media:
    """The data host: contents of any length that are never held whole. What becomes of a request is said by its id:
    plans[id] is a list of steps, one a request, the last one for all further ones: ("send", length), ("break", length,
    after how many bytes), ("status", number, body)."""

    def __init__(self):
        self.plans, self.sent, self.requests, self.uploads, self.open = {}, {}, [], [], 0
        self.gate = threading.Event()  # uploads are read while it is set
        self.gate.set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with self.lock:
            self.open += 1
        try:
            with connection:
                while self.answer(connection):
                    pass
        except OSError:
            pass
        with self.lock:
            self.open -= 1

    def answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            if not more:
                return False
            head += more
        if head.startswith(b"POST"):
            return self.take(connection, *head.split(b"\r\n\r\n", 1))
        message = re.search(rb"/message/([^/]+)/content", head)[1].decode()
        with self.lock:
            self.requests.append((time.monotonic(), message))
            plan = self.plans[message]
            kind, *step = plan.pop(0) if len(plan) > 1 else plan[0]
        if kind == "status":
            connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (step[0], len(step[1]), step[1]))
            return True
        length, stop = step[0], step[1] if kind == "break" else step[0]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % length)
        self.sent[message] = 0
        while self.sent[message] < stop:
            at = self.sent[message]
            n = min(stop - at, 16 * len(BLOCK))
            connection.sendall(pattern(at, n))
            self.sent[message] = at + n
        return kind == "send"


    def take(self, connection, head, body):
        """An upload: what came is kept as its size, its lines and its two ends."""
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        upload = {"head": head.decode(), "length": length, "size": len(body), "lines": body.count(b"\n"), "front": body,
                  "back": body, "whole": False}
        self.uploads.append(upload)
        while upload["size"] < length:
            self.gate.wait(30)
            more = connection.recv(1 << 20)
            if not more:
                return False
            upload["size"] += len(more)
            upload["lines"] += more.count(b"\n")
            upload["front"] = (upload["front"] + more)[:2000]
            upload["back"] = (upload["back"] + more)[-2000:]
        upload["whole"] = True
        connection.sendall(b"HTTP/1.1 202 x\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
                           b'{"audienceGroupId":77}')
        return True


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Rss: +(\d+)", file.read(), re.M)[1])


class Watch:
    """The most resident memory (KiB) of a process while the block runs, beyond what it had before."""

    def __init__(self, pid):
        self.pid, self.over = pid, threading.Event()

    def __enter__(self):
        self.before = self.most = memory(self.pid)
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, memory(self.pid))

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.grown = self.most - self.before
        print(f"# memory grew by {self.grown} KiB from {self.before}", flush=True)


class Streams(Scenario):
    SECONDS = 240

    def setUp(self):
        super().setUp()
        self.media = Media()
        self.addCleanup(self.media.close)

    def start(self, body, **how):
        """A bot that runs body for a video message; body begins at bot.lua:3."""
        env = self.env()
        env["LINE_DATA_API_BASE"] = self.media.url
        self.bot = self.folder(f'{HEAD}line.on("message.video", function(event)\n{body}\nend)\n')
        return self.serve(self.bot, env=env, **how)

    @staticmethod
    def post(server, message, source="somebody"):
        return server.post(event("message", source=source, message={"id": message, "type": "video",
                                                                      "contentProvider": {"type": "line"}}))[0]

    def files(self):
        return sorted(set(os.listdir(self.bot.path)) - {"bot.lua"})

    def assert_whole(self, name, n):
        self.assertEqual(os.path.getsize(self.bot.file(name)), n)
        with open(self.bot.file(name), "rb") as file:
            at = 0
            while piece := file.read(len(BLOCK) * 64):
                self.assertTrue(piece == pattern(at, len(piece)), f"{name} differs after {at}")
                at += len(piece)

    def flat(self, body, n=200 * MB):
        """Runs it once small, to be warm, then for n bytes; the worker may not grow by more than 4 MiB."""
        server = self.start(body)
        self.media.plans.update(warm=[("send", 3 * MB)], big=[("send", n)])
        self.post(server, "warm")
        self.standin.wait_text(f"{3 * MB} bytes")
        begun = time.monotonic()
        with Watch(server.workers()[0]) as watch:
            self.post(server, "big")
            self.standin.wait_text(f"{n} bytes", seconds=60 * SCALE)
        print(f"# {n / MB / (time.monotonic() - begun):.0f} MB/s", flush=True)
        if not SANITIZED:
            self.assertLess(watch.grown, 4 * 1024)

    def test_200_mb_into_a_file(self):
        self.flat('event:reply(event:content():save("video-" .. event.message.id) .. " bytes")')
        self.assertEqual(self.files(), ["video-big", "video-warm"])
        self.assert_whole("video-big", 200 * MB)

    def test_200_mb_in_chunks(self):
        self.flat("""
            local content, n, wrong = event:content(), 0, 0
            assert(content:type() == "video/mp4")
            for piece in content:chunks() do
              if piece:byte(1) ~= n % 256 or piece:byte(-1) ~= (n + #piece - 1) % 256 then wrong = wrong + 1 end
              n = n + #piece
            end
            assert(n == content:length() and n == content:position() and wrong == 0)
            event:reply(n .. " bytes")""")

    def test_refused_uploads_hold_no_files_until_the_collector_comes(self):
        server = self.start("""
            for i = 1, 300 do
              local ok, e = pcall(line.set_rich_menu_image, {richMenuId = "gone", image = {file = "menu.png"}})
              assert(not ok and e.status == 404, tostring(e))
            end
            event:reply("refused")""", options=["--no-api-rates"])
        with open(self.bot.file("menu.png"), "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + bytes(1000))
        self.media.take = self.refuse
        self.post(server, "x")
        self.standin.wait_text("refused")
        self.assertLess(len(os.listdir(f"/proc/{server.workers()[0]}/fd")), 32)

    @staticmethod
    def refuse(connection, head, body):
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        while len(body) < length:
            body += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
        return True

    def upload(self, lines):
        """A bot that uploads ids.txt, of so many lines of 34 bytes, as an audience."""
        server = self.start("""
            local made = line.create_audience_for_uploading_user_ids{description = "May", file = {file = event.message.id}}
            event:reply("audience " .. made.audienceGroupId)""")
        row = b"U" + b"0123456789abcdef" * 2 + b"\n"
        with open(self.bot.file("ids.txt"), "wb") as file:
            for _ in range(lines // 10000):
                file.write(row * 10000)
        self.bot.write("few.txt", row * 3)
        self.post(server, "few.txt")
        self.standin.wait_text("audience 77")
        return server

    def test_200_mb_from_a_file(self):
        lines = 200 * MB // 34 // 10000 * 10000
        server = self.upload(lines)
        with Watch(server.workers()[0]) as watch:
            self.post(server, "ids.txt")
            self.standin.wait(lambda: self.standin.texts().count("audience 77") == 2, "a reply", 60 * SCALE)
        few, many = self.media.uploads
        self.assertTrue(few["whole"] and many["whole"])
        self.assertEqual(many["lines"] - few["lines"], lines - 3)
        self.assertEqual(many["size"], many["length"])
        boundary = re.search(r"(?i)content-type: multipart/form-data; boundary=(\S+)", many["head"])[1].encode()
        self.assertTrue(many["front"].startswith(b"--" + boundary + b"\r\nContent-Disposition: form-data; name=\"description\""))
        self.assertIn(b'name="file"; filename="ids.txt"\r\nContent-Type: text/plain\r\n\r\nU0123', many["front"])
        self.assertTrue(many["back"].endswith(b"\r\n--" + boundary + b"--\r\n"))
        if not SANITIZED:
            self.assertLess(watch.grown, 4 * 1024)

    def test_a_file_that_becomes_shorter_on_the_way(self):
        server = self.upload(50 * MB // 34 // 10000 * 10000)
        self.media.gate.clear()
        self.post(server, "ids.txt")
        self.standin.wait_text("audience 77")
        until(lambda: len(self.media.uploads) == 2, "the upload", 10 * SCALE)
        os.truncate(self.bot.file("ids.txt"), 40 * MB)
        self.media.gate.set()
        why = self.wait_events(1, "failed")[0]["why"]
        self.assertRegex(why, r"bot\.lua:4: line\.create_audience\S+: not sent as a whole: what was to be sent ended after "
                              r"40000000 of \d+ bytes: the file became shorter$")
        self.assertFalse(self.media.uploads[1]["whole"])
        self.assertEqual(len(self.media.uploads), 2, "sent again")

    def test_a_reader_slower_than_the_timeout(self):
        """Sleeping for longer than LINE may be silent is the script's right; meanwhile LINE keeps the rest."""
        server = self.start("""
            local content <close> = line.get_message_content(event.message.id, {timeout = 1})
            local first = content:read()
            line.sleep(2.5)
            line.push("Utold", "first")
            local n = #first
            while true do
              local piece = content:read(1000000)
              if not piece then break end
              n = n + #piece
            end
            event:reply(n .. " bytes")""")
        self.media.plans["slow"] = [("send", 60 * MB)]
        with Watch(server.workers()[0]) as watch:
            self.post(server, "slow")
            self.standin.wait_text("first", to="Utold")
            self.assertLess(self.media.sent["slow"], 30 * MB, "only what the kernel's buffers hold")
            self.standin.wait_text(f"{60 * MB} bytes", seconds=30 * SCALE)
        if not SANITIZED:
            self.assertLess(watch.grown, 12 * 1024)  # strings of a million bytes are the script's own wish

    def test_readers_that_stop(self):
        """100 handlers that look at the first piece and leave: connections must not stay until there are none for others."""
        server = self.start("""
            local content = event:content()
            local piece = content:read(1000)
            event:reply(event.message.id .. " " .. #piece)""")
        for i in range(100):
            self.media.plans[f"m{i}"] = [("send", 20 * MB)]
            self.post(server, f"m{i}", source=f"s{i % 10}")
        self.standin.wait(lambda: len(self.standin.texts()) == 100, "all replies", 60 * SCALE)
        self.assertLess(self.media.open, 64)
        self.wait_events(0)

    def test_a_connection_that_dies_on_the_way(self):
        server = self.start('event:reply(event:content():save("video-" .. event.message.id) .. " bytes")')
        self.media.plans.update(once=[("break", 9 * MB, 5 * MB), ("break", 9 * MB, 6 * MB), ("send", 9 * MB)],
                                early=[("break", 9 * MB, 5 * MB), ("break", 9 * MB, 100), ("send", 9 * MB)],
                                always=[("break", 9 * MB, 5 * MB)], gone=[("break", 9 * MB, 5 * MB), ("status", 404, b"{}")],
                                less=[("break", 9 * MB, 5 * MB), ("send", 4 * MB)])
        for message in ("once", "early"):
            self.post(server, message)
            self.standin.wait(lambda: len(self.standin.texts()) > (message == "early"), "a reply")
            self.assert_whole(f"video-{message}", 9 * MB)
        for n, (message, words) in enumerate({"always": "no answer from LINE", "gone": "404", "less": "shorter"}.items()):
            self.post(server, message)
            failed = self.wait_events(n + 1, "failed")
            self.assertTrue(any(re.search(rf"bot\.lua:3: content:save: .*{words}", e["why"]) for e in failed), failed)
        self.assertEqual(self.files(), ["video-early", "video-once"])

    def test_not_ready(self):
        server = self.start("""
            local begun = os.time()
            local ok, e = pcall(event.content, event, {ready_timeout = 2})
            if ok then return event:reply(#e:all() .. " bytes") end
            event:reply(tostring(e))""")
        self.media.plans.update(soon=[("status", 202, b"{}"), ("send", 100)], never=[("status", 202, b"")])
        self.post(server, "soon")
        self.standin.wait_text("100 bytes")
        self.post(server, "never")
        self.standin.wait(lambda: len(self.standin.texts()) == 2, "a reply")
        self.assertRegex(self.standin.texts()[1], r"^bot\.lua:5: event:content: 202 LINE had not prepared .* 2 s.*ready_timeout")

    def test_what_save_says(self):
        server = self.start("""
            local function try(path, options)
              local ok, e = pcall(function() return event:content():save(path, options) end)
              line.push("Utold", tostring(e))
            end
            try("a.mp4") try("a.mp4") try("a.mp4", {overwrite = true}) try("/no/folder.mp4") try("../a.mp4") try("")
            try("a.mp4", {overwrit = true}) try("sub") try("new/folder/a.mp4") try("a.mp4/b.mp4")
            local content = event:content()
            content:read(10)
            line.push("Utold", select(2, pcall(content.save, content, "b.mp4")), select(2, pcall(content.read, content)),
              select(2, pcall(function() return event:content():all(5) end)))""")
        os.mkdir(self.bot.file("sub"))
        self.bot.write("a.mp4.part", b"left behind by a crash" * 10000)
        self.media.plans["x"] = [("send", 100)]
        self.post(server, "x")
        self.standin.wait(lambda: len(self.standin.texts("Utold")) == 13, "all tries")
        want = ["100", r"bot\.lua:5: content:save: a\.mp4: it exists already; pass {overwrite = true}", "100",
                r"/no/folder\.mp4: the folder does not exist", r"\.\./a\.mp4: a path may not climb", "not an empty string",
                r"unknown option 'overwrit' \(did you mean 'overwrite'\?\)", "sub: Is a directory",
                "^100$", "b.mp4: Not a directory", "content:save: 10 bytes were read already", "this content was closed before its end",
                "content:all: there are 100 bytes, more than 5"]
        for told, words in zip(self.standin.texts("Utold"), want):
            self.assertRegex(told, words)
        self.assertEqual(self.files(), ["a.mp4", "new", "sub"])
        self.assert_whole("a.mp4", 100)
        self.assert_whole("new/folder/a.mp4", 100)

    def test_a_disk_that_is_full(self):
        """Played by the limit on the size of files, which makes write fail the same way."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MB, 5 * MB))

        server = self.start('event:reply(event:content():save("v.mp4") .. " bytes")', preexec=limit)
        self.media.plans.update(fits=[("send", 4 * MB)], big=[("send", 9 * MB)])
        self.post(server, "big")
        why = self.wait_events(1, "failed")[0]["why"]
        self.assertRegex(why, r"bot\.lua:3: content:save: v\.mp4: File too large \(after [1-9]\d+ bytes, which are removed\)")
        self.assertEqual(self.files(), [])
        self.post(server, "fits")
        self.standin.wait_text(f"{4 * MB} bytes")

    def test_two_into_one_file_and_one_that_is_killed(self):
        server = self.start("""
            local ok, e = pcall(function() return event:content():save("v.mp4") end)
            line.push("Utold", event.message.id .. " " .. tostring(e))""", options=["--handler-limit", "3s"])
        self.media.plans.update(hangs=[("break", 100 * MB, 1 * MB)], late=[("send", 100)])
        stuck = threading.Event()
        self.addCleanup(stuck.set)
        answer, self.media.answer = self.media.answer, None

        def hold(connection):
            going_on = answer(connection)
            if self.media.requests[-1][1] == "hangs":
                stuck.wait(60)
            return going_on

        self.media.answer = hold
        self.post(server, "hangs", source="a")
        until(lambda: os.path.exists(self.bot.file("v.mp4.part")), "the part", 10 * SCALE)
        self.post(server, "late", source="b")
        self.standin.wait(lambda: self.standin.texts("Utold"), "the second")
        self.assertRegex(self.standin.texts("Utold")[0], "late .*somebody else is saving")
        self.wait_events(1, "failed")
        self.assertEqual(self.files(), [])
        stuck.set()
        self.post(server, "late", source="c")
        self.standin.wait(lambda: len(self.standin.texts("Utold")) == 2, "the third")
        self.assertEqual(self.standin.texts("Utold")[1], "late 100")


if __name__ == "__main__":
    main()
