#!/usr/bin/python3
"""The module `http`: what goes out, what comes back, what is refused, and that none of it holds anything up."""

import base64
import gzip
import json
import os
import re
import subprocess
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import PATIENCE, SANITIZED, SCALE, Scenario, event, main, text, until
from test_streams import Watch

MB = 1 << 20
# A handler for each text: Lua that returns the strings to tell.
ANY = """local line, http, json = require "line", require "http", require "json"
local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "no error" or tostring(e), type(e) == "table" and e.kind or type(e)
end
line.on("message.text", function(event)
  local run = assert(load("local http, U, json, line, try, event = ... " .. event.message.text, "=said"))
  local told = table.pack(run(http, "URL", json, line, try, event))
  for i = 1, told.n do told[i] = tostring(told[i]) end
  line.push("Utold", table.unpack(told))
end)
"""


class Service:
    """Another service than LINE. /echo tells what it was asked, as JSON; other paths misbehave each in its way."""

    def __init__(self, context=None):
        self.seen, self.counts, self.gate, self.sent = [], {}, threading.Event(), 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path, _, query = self.path.partition("?")
                service.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers.items()),
                                     "body": base64.b64encode(body).decode(), "port": self.client_address[1]})
                service.counts[path] = service.counts.get(path, 0) + 1
                name = urllib.parse.urlsplit(path).path.strip("/").partition(".")[0]  # a proxy is asked for a whole address
                getattr(service, "serve_" + name)(self, dict(urllib.parse.parse_qsl(query)))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

            def reply(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in [*headers, ("Content-Length", str(len(body)))]:
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def cut(self):
                self.close_connection = True
                self.connection.close()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close, request_queue_size = True, False, 512

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def serve_echo(self, h, _):
        h.reply(200, json.dumps(self.seen[-1]).encode(), [("Content-Type", "application/json")])

    def serve_status(self, h, query):
        h.reply(int(query["code"]), b'{"why":"because"}' if query["code"] != "204" else b"")

    def serve_to(self, h, query):
        h.reply(int(query.get("status", 302)), b"elsewhere", [("Location", query["where"])])

    def serve_loop(self, h, _):
        h.reply(302, b"", [("Location", "/loop")])

    def serve_many(self, h, _):
        h.reply(200, b"x", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Empty", ""), ("X-Ü", "é".encode().decode("latin-1"))])

    def serve_slow(self, h, _):
        self.gate.wait(60)
        h.reply(200, b"at last")

    def serve_none(self, h, _):
        h.cut()

    def serve_cutoff(self, h, _):
        h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        h.cut()

    def serve_garbage(self, h, _):
        h.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        h.cut()

    def serve_heads(self, h, _):
        h.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"x" * 30000 + b"\r\nX-B: " + b"y" * 40000 + b"\r\n\r\n")
        h.cut()

    def serve_bytes(self, h, query):
        """n bytes, in chunks of HTTP when asked."""
        n, piece = int(query["n"]), bytes(range(256)) * 256
        chunked = "chunked" in query
        h.send_response(200)
        h.send_header("Content-Type", "application/octet-stream")
        h.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(n))))
        h.end_headers()
        self.sent = 0 if h.command != "HEAD" else n
        while self.sent < n:
            part = piece[:n - self.sent]
            h.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            self.sent += len(part)
        if chunked:
            h.wfile.write(b"0\r\nX-Trailer: late\r\n\r\n")

    def serve_gzip(self, h, query):
        body = gzip.compress(b"0" * int(query["n"]), 9)
        h.reply(200, body, [("Content-Encoding", "gzip")])

    def serve_drip(self, h, _):
        h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for n in range(3):
            self.gate.wait(60)
            self.gate.clear()
            h.wfile.write(b"data: %d\n\n" % n)
        h.cut()

    def serve_flaky(self, h, query):
        n = self.counts["/flaky/" + query["id"]] = self.counts.get("/flaky/" + query["id"], 0) + 1
        if n > int(query["fails"]):
            h.reply(200, b"%d" % n)
        elif query["how"] == "cut":
            h.cut()
        else:
            h.reply(503, b"busy")


class Http(Scenario):
    def setUp(self):
        super().setUp()
        self.service = Service()
        self.addCleanup(self.service.close)

    def start(self, *, source=ANY, allow="private", options=(), url=None, **how):
        options = [*options, *(["--http-allow", allow] if allow else [])]
        return self.serve(self.folder(source.replace("URL", url or self.service.url)), options=options, **how)

    def tell(self, server, words, seconds=None, **more):
        """Run Lua in the bot; the strings it returns."""
        before = len(self.standin.find("push", status=200))
        server.post(text(" ".join(line.strip() for line in words.split("\n")), **more))
        self.standin.wait(lambda: len(self.standin.find("push", status=200)) > before, f"an answer to {words}\n{server.tail()}", seconds)
        return self.standin.find("push", status=200)[before].texts

    # ---- out and back ----
    def test_what_goes_out(self):
        server = self.start()
        crlf = "\r\n"
        cases = (
            ('http.get(U .. "/echo")', "GET", "/echo", {"User-Agent": "moonline", "Accept": "*/*", "Content-Type": None}, b""),
            ('http.get(U .. "/echo?a=1#part", {query = {b = "x y&=/", c = {1, 2.5, true}, ["ä"] = ""}})', "GET",
             "/echo?a=1&b=x%20y%26%3d%2f&c=1&c=2.5&c=true&%c3%a4=", {}, b""),
            ('http.post(U .. "/echo", {json = {text = "ä", list = json.array{}}, headers = {["X-One"] = "1", ["x-empty"] = " "}})', "POST",
             "/echo", {"Content-Type": "application/json", "X-One": "1", "x-empty": ""}, None),
            ('http.post(U .. "/echo", {json = false, headers = {["content-type"] = "application/problem+json"}})', "POST", "/echo",
             {"content-type": "application/problem+json"}, b"false"),
            ('http.put(U .. "/echo", {form = {a = "1 2", b = {"x", "&"}}})', "PUT", "/echo",
             {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1%202&b=x&b=%26"),
            ('http.patch(U .. "/echo", {body = "a\\0b"})', "PATCH", "/echo", {"Content-Length": "3", "Content-Type": None}, b"a\0b"),
            ('http.post(U .. "/echo")', "POST", "/echo", {"Content-Length": "0", "Content-Type": None}, b""),
            ('http.post(U .. "/echo", {body = ("0123456789"):rep(500000)})', "POST", "/echo", {"Content-Length": "5000000",
                "Expect": None},
             b"0123456789" * 500000),
            ('http.delete(U .. "/echo")', "DELETE", "/echo", {"Content-Length": None}, b""),
            ('http.request{url = U .. "/echo", method = "OPTIONS", body = "o"}', "OPTIONS", "/echo", {}, b"o"),
            ('http.request{url = U .. "/echo", basic = {"Ann", "p:w"}, headers = {["User-Agent"] = "mine"}}', "GET", "/echo",
             {"Authorization": "Basic " + base64.b64encode(b"Ann:p:w").decode(), "User-Agent": "mine"}, b""),
            ('http.get((U:gsub("//", "//us%%40er:s%%3Acret@") .. "/echo"))', "GET", "/echo",
             {"Authorization": "Basic " + base64.b64encode(b"us@er:s:cret").decode()}, b""),
        )
        for call, method, path, headers, body in cases:
            with self.subTest(call):
                if body and len(body) > MB:
                    call = "local r = " + call + " return r.status, #r:json().body"
                else:
                    call = f"local r = {call} return r.status, r.body"
                told = self.tell(server, call)
                self.assertEqual(told[0], "200")
                seen = self.service.seen[-1]
                self.assertEqual((seen["method"], seen["path"]), (method, path))
                for name, value in headers.items():
                    self.assertEqual(seen["headers"].get(name), value, name)
                if body is None:
                    self.assertEqual(json.loads(base64.b64decode(seen["body"])), {"text": "ä", "list": []})
                else:
                    self.assertEqual(base64.b64decode(seen["body"]), body)
        told = self.tell(server, r"""local r = http.post(U .. "/echo", {parts = {{name = "a", body = 7},
            {name = "f\"", body = "\0\r\n--x", filename = "q.txt", type = "text/plain"}}}) return r.status""")
        seen = self.service.seen[-1]
        boundary = re.fullmatch(r"multipart/form-data; boundary=(moonline-\w{32})", seen["headers"]["Content-Type"])[1]
        self.assertEqual(base64.b64decode(seen["body"]).decode(), crlf.join([
            f"--{boundary}", 'Content-Disposition: form-data; name="a"', "", "7", f"--{boundary}",
            'Content-Disposition: form-data; name="f%22"; filename="q.txt"', "Content-Type: text/plain", "", "\0\r\n--x",
            f"--{boundary}--", ""]))
        self.assertEqual(len({s["port"] for s in self.service.seen}), 1, "one connection, kept")

    def test_what_comes_back(self):
        server = self.start()
        told = self.tell(server, """
            local r = http.get(U .. "/many")
            local none, e = pcall(r.json, r)
            local gone = http.get(U .. "/status?code=404")
            return r.status .. " " .. tostring(r.ok) .. " " .. r.body .. " " .. r.url,
                r.headers["set-cookie"] .. "|" .. r.headers["x-empty"],
              gone.status .. " " .. tostring(gone.ok) .. " " .. gone:json().why, tostring(e),
                  e.kind .. " " .. e.status .. " " .. e.url""")
        self.assertEqual(told[:3], [f"200 true x {self.service.url}/many", "a=1, b=2|", "404 false because"])
        self.assertRegex(told[3], r"^said:1: http\.get: http://127\.0\.0\.1:\d+/many: the answer \(200\) is not JSON:")
        self.assertEqual(told[4], f"protocol 200 {self.service.url}/many")
        told = self.tell(server, """
            local r = http.head(U .. "/bytes?n=5000")
            local z = http.get(U .. "/gzip?n=100000")
            local c = http.get(U .. "/bytes?n=70000&chunked=1")
            return r.status .. #r.body .. r.headers["content-length"], #z.body .. z.body:sub(1, 2),
                #c.body .. tostring(c.headers["x-trailer"]),
              http.get(U .. "/status?code=204").status .. http.get(U .. "/status?code=500").status""")
        self.assertEqual(told, ["20005000", "10000000", "70000nil", "204500"])

    def test_redirects(self):
        server = self.start()
        other = Service()
        self.addCleanup(other.close)

        def go(where, status=302, call="http.get", options="", base=self.service):
            query = urllib.parse.urlencode({"where": where, "status": status})
            told = self.tell(server, f"""local r = {call}(U .. "/to?{query}", {{headers = {{Authorization = "a", ["X-Api-Key"] = "k",
                Cookie = "c", ["X-Plain"] = "p"}}{options}}}) return r.status, r.url, r.body or "" """)
            self.assertEqual(told[0], "200")
            return told[1], (other if base is not self.service else self.service).seen[-1]

        url, seen = go("/echo?x=1#y")
        self.assertEqual((url, seen["path"]), (f"{self.service.url}/echo?x=1", "/echo?x=1"))
        self.assertEqual([seen["headers"].get(n) for n in ("Authorization", "X-Api-Key", "Cookie", "X-Plain")], ["a", "k", "c", "p"])
        url, seen = go(f"{other.url}/echo", base=other)
        self.assertEqual([seen["headers"].get(n) for n in ("Authorization", "X-Api-Key", "Cookie", "X-Plain")], [None, None, None, "p"])
        self.assertEqual(url, f"{other.url}/echo")
        # What becomes of the method and the body.
        for status, call, method, body in ((302, "http.post", "GET", b""), (303, "http.put", "GET", b""),
        (307, "http.post", "POST", b"b"),
                                           (308, "http.patch", "PATCH", b"b"), (301, "http.put", "PUT", b"b")):
            _, seen = go("/echo", status, call, ', body = "b"')
            self.assertEqual((seen["method"], base64.b64decode(seen["body"])), (method, body), status)
            self.assertEqual("Content-Length" in seen["headers"], bool(body))
        _, seen = go("/echo", 307, "http.post", ', parts = {{name = "a", body = "again"}}')
        self.assertIn(b"\r\n\r\nagain\r\n--moonline", base64.b64decode(seen["body"]))
        told = self.tell(server, """
            local r = http.get(U .. "/loop", {redirects = 0})
            local s <close> = http.get(U .. "/to?where=/echo", {stream = true})
            return r.status .. r.headers.location, (try(http.get, U .. "/loop", {redirects = 3})),
            (try(http.get, U .. "/to?where=ftp://x/")),
              s.status .. s:json().path""")
        self.assertEqual((told[0], told[3]), ("302/loop", "200/echo"))
        self.assertRegex(told[1], r"^bot\.lua:3: http\.get: http://127\.0\.0\.1:\d+/loop: redirected more than 3 times$")
        self.assertRegex(told[2], r"redirects to what is no address: only http:// and https:// are spoken$")
        self.assertEqual(self.service.counts["/loop"], 5)

    # ---- what goes wrong ----
    def test_failures_have_kinds(self):
        server = self.start()
        gone = Service()
        gone.close()
        cases = (
            (f'"{gone.url}/?key=secret"', "", "connect", rf"{gone.url}/: Failed to connect"),
            ('"http://nowhere.invalid/"', "", "dns", "Could not resolve host: nowhere.invalid"),
            ('U .. "/none"', "", "connect", "Empty reply from server"),
            ('U .. "/cutoff"', "", "connect", "transfer closed with 500 bytes remaining"),
            ('U .. "/garbage"', "", "protocol", "HTTP/0.9"),
            ('U .. "/slow"', "{timeout = 0.2}", "timeout", "timed out after 2"),
            ('U .. "/to?where=/slow"', "{timeout = 0.2}", "timeout", "timed out after 1|timed out after 2"),
            ('U .. "/bytes?n=3000"', "{limit = 2999}", "too_large", r"larger than 2999 bytes \(limit\)"),
            ('U .. "/bytes?n=3000&chunked=1"', "{limit = 2999}", "too_large", "larger than 2999 bytes"),
            ('U .. "/bytes?n=99999999999"', "", "too_large", "larger than 10485760 bytes"),
            ('U .. "/gzip?n=20000000"', "", "too_large", "larger than 10485760 bytes"),
            ('U .. "/heads"', "", "too_large", "its headers"),
            ('(U:gsub("http:", "https:")) .. "/"', "", "tls", "SSL|TLS"),
        )
        for url, options, kind, words in cases:
            with self.subTest(url):
                told = self.tell(server, f"return try(http.get, {url}{', ' + options if options else ''})", PATIENCE * 3)
                self.assertEqual(told[1], kind, told)
                self.assertRegex(told[0], r"^bot\.lua:3: http\.get: https?://[^ ]+: ")
                self.assertRegex(told[0], words)
                self.assertNotIn("key=secret", told[0])
        told = self.tell(server, """local ok, e = pcall(http.post, U .. "/none?x=1", {body = "b"})
            return json.encode{e.kind, e.message, e.url, e.called, e.where, e.status or 0}""")
        kind, message, url, called, where, status = json.loads(told[0])
        self.assertEqual((kind, url, called, where, status), ("connect", f"{self.service.url}/none", "http.post", "said:1", 0))
        self.assertRegex(message, r"\(the request may have been carried out\)$")
        self.assertEqual(self.service.counts["/none"], 2, "a POST goes out once")
        self.assertEqual(server.workers() and self.tell(server, 'return http.get(U .. "/echo").status'), ["200"])

    def test_misuse_is_told_at_its_line(self):
        server = self.start(source=ANY.replace("said", "said"))
        cases = (
            ("http.get()", "the address must be a string, not nil"), ('http.get("example.com")', r"begin with http:// or https://"),
            ('http.get("file:///etc/passwd")', "only http:// and https://"), ('http.get("http://")', "this is no address"),
            ('http.get(U .. "/a\\0b")', "zero byte"), ("http.get(U, 5)", "options must be a table, not number"),
            ("http.get(U, {timeot = 1})", r"unknown option 'timeot' \(did you mean 'timeout'\?\)"),
            ("http.get(U, {timeout = 0})", "timeout is a number of seconds"),
            ('http.get(U, {timeout = "5"})', "timeout is a number of seconds"),
            ("http.get(U, {redirects = -1})", "redirects is an integer from 0"),
            ("http.get(U, {limit = 0})", "limit is an integer from 1"),
            ("http.get(U, {retries = 1.5})", "retries is an integer"), ("http.get(U, {stream = 1})", "stream is true or false"),
            ("http.get(U, {verify = false})", "no way to go unverified"), ('http.get(U, {verify = "../x"})', "may not climb"),
            ("http.get(U, {query = {1}})", "query takes values by name"), ("http.get(U, {query = {a = print}})", "query.a is a function"),
            ('http.get(U, {headers = {["a b"] = "x"}})', "'a b' is no name of a header"),
            ('http.get(U, {headers = {a = "x\\r\\nb: c"}})', "header a may hold no line ends"),
            ('http.get(U, {headers = {["Content-Length"] = "5"}})', "not for scripts to set"),
            ('http.get(U, {headers = {A = "1", a = "2"}})', "there twice"),
            ("http.get(U, {headers = {a = {}}})", "must be a string, not table"),
            ('http.get(U, {headers = {a = ("x"):rep(70000)}})', "1 headers of 70001 bytes; there may be 90 of 65536"),
            ("(function() local h = {} for i = 1, 91 do h['x' .. i] = 'y' end return http.get(U, {headers = h}) end)()", "91 headers"),
            ('http.post(U, {json = 1, body = "x"})', "json and body: there is one body"),
            ("http.post(U, {body = {}})", "tables go out as json or form"),
            ("http.post(U, {json = {f = print}})", "json: .*f: a function cannot be sent"),
            ('http.head(U, {body = "x"})', "HEAD has no body"),
            ("http.post(U, {parts = {}})", "parts must be a list"), ("http.post(U, {parts = {{body = 1}}})", r"parts\[1\].name must be"),
            ('http.post(U, {parts = {{name = "a"}}})', r"parts\[1\].body is a nil"),
            ('http.post(U, {parts = {{name = "a", bod = 1}}})', "'bod'"),
            ('http.get(U, {basic = {"a:b", "c"}})', "user without a colon"), ('http.request("x")', "takes a table"),
            ('http.request{url = U, method = "get"}', "a word in capitals"),
            ('http.request{url = U, method = "CONNECT"}', "a word in capitals"),
            ("http.fetch(U)", "fetch does not exist"), ('http.get(U .. "/echo"):read()', "asked for with stream = true"),
        )
        seen = len(self.service.seen)
        told = [self.tell(server, f"return try(function() return ({call}) end)") for call, _ in cases]
        for (call, words), (message, kind) in zip(cases, told):
            with self.subTest(call):
                self.assertRegex(message, rf"^said:1: (http\.|response:read: ).*{words}")
                self.assertEqual(kind, "string")
        self.assertEqual(len(self.service.seen), seen + 1)

    def test_repetitions(self):
        server = self.start()
        told = self.tell(server, """
            local function n(call, id, fails, how, options)
              local ok, r = pcall(call, U .. "/flaky?id=" .. id .. "&fails=" .. fails .. "&how=" .. how, options)
              return (ok and r.status .. r.body or r.kind)
            end
            return n(http.get, "a", 2, "cut", {retries = 2}), n(http.get, "b", 9, "cut", {retries = 1}), n(http.get, "c", 1, "503"),
              n(http.put, "d", 1, "503", {retries = 3, body = "x"}) .. " " .. n(http.get, "g", 1, "503", {retries = 1}),
              n(http.post, "e", 1, "503", {retries = 3}) .. " " .. n(http.post, "f", 1, "cut", {retries = 3})""", PATIENCE * 2)
        self.assertEqual(told, ["2003", "connect", "503busy", "2002 2002", "503busy connect"])

    # ---- addresses that are not public ----
    def test_private_addresses(self):
        server = self.start(allow=None)
        port = self.service.port
        for host, kind in (("127.0.0.1", "127.0.0.1 is a loopback address"), ("localhost", "is a loopback address"),
                           ("0x7f.1", "127.0.0.1 is a loopback"), ("2130706433", "127.0.0.1 is a loopback"),
                           ("0177.0.0.1", "127.0.0.1 is"),
                           ("[::1]", "::1 is a loopback"), ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 is a loopback"),
                           ("0", "0.0.0.0 is an unspec"),
                           ("[::]", ":: is an unspecified"), ("169.254.169.254", "169.254.169.254 is a link-local"),
                           ("10.1.2.3", "a private"),
                           ("192.168.0.1", "a private"), ("100.64.0.1", "provider"), ("224.0.0.1", "a multicast"),
                           ("[fd00::1]", "a private"), ("[64:ff9b::7f00:1]", "a loopback"), ("[2002:7f00:1::]", "a loopback")):
            with self.subTest(host):
                told = self.tell(server, f'return try(http.get, "http://{host}:{port}/echo", {{timeout = 5}})')
                self.assertEqual(told[1], "forbidden", told)
                self.assertRegex(told[0], re.escape(kind))
                self.assertRegex(told[0], r", which scripts may not reach; --http-allow \S+ permits it$")
        self.assertEqual(self.service.seen, [])

    def test_a_redirect_does_not_lead_around_it(self):
        """127.0.0.1 is allowed; it sends to 127.0.0.2, which is the same machine and is not."""
        server = self.start(allow="127.0.0.1")
        there = f"http://127.0.0.2:{self.service.port}/echo"
        told = self.tell(server, f"""return http.get(U .. "/echo").status, (try(http.get, U .. "/to?where={there}")),
            select(2, try(http.get, U .. "/to?where={there}", {{stream = true}}))""")
        self.assertEqual((told[0], told[2]), ("200", "forbidden"))
        self.assertRegex(told[1], r"http://127\.0\.0\.2:\d+/echo: 127\.0\.0\.2 is a loopback address.*--http-allow 127\.0\.0\.2 permits")
        self.assertEqual(self.service.counts["/echo"], 1)

    def test_what_is_allowed(self):
        for allow, good in (("127.0.0.0/8", True), ("10.0.0.0/8, ::1", False), ("example.com", False), ("localhost", False)):
            server = self.start(allow=allow)
            self.assertEqual(self.tell(server, 'local text, kind = try(http.get, U .. "/echo") return kind'),
                ["table" if good else "forbidden"], allow)
            if allow == "localhost":  # by name
                self.assertEqual(self.tell(server, f'return http.get("http://LOCALHOST:{self.service.port}/echo").status'), ["200"])
            server.stop()
        done = self.command("run", "--http-allow", "10.0.0.0/40", self.folder(ANY).path, status=2)
        self.assertRegex(done.stderr, '--http-allow: "10.0.0.0/40" is no host, address, network')

    def test_behind_a_proxy_the_proxy_is_what_is_connected_to(self):
        env = self.env(http_proxy=self.service.url, no_proxy="127.0.0.1")  # LINE is not behind it
        server = self.start(allow="127.0.0.1", env=env)
        self.assertEqual(self.tell(server, 'return http.get("http://nowhere.invalid/echo").status'), ["200"])
        self.assertEqual(self.service.seen[-1]["path"], "http://nowhere.invalid/echo")
        server.stop()
        server = self.start(allow=None, env=env)
        told = self.tell(server, 'return try(http.get, "http://nowhere.invalid/echo")')
        self.assertEqual(told[1], "forbidden")
        self.assertRegex(told[0], "127.0.0.1 is a loopback address")

    # ---- certificates ----
    def test_certificates(self):
        made = {}
        for name in ("one", "two"):
            made[name] = os.path.join(self.dir, f"{name}.pem"), os.path.join(self.dir, f"{name}.key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                "2",
                            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made[name][1], "-out",
                                made[name][0]],
                           check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*made["one"])
        safe = Service(context)
        self.addCleanup(safe.close)
        server = self.start(url=safe.url)
        one, two = made["one"][0], made["two"][0]
        told = self.tell(server, f"""return http.get(U .. "/echo", {{verify = "{one}"}}).status, select(2, try(http.get, U .. "/echo")),
            select(2, try(http.get, U .. "/echo", {{verify = "{two}"}})), http.get(U .. "/echo", {{verify = "{one}"}}).status,
            select(2, try(http.get, U .. "/echo", {{verify = "{one}.none"}}))""")
        self.assertEqual(told, ["200", "tls", "tls", "200", "tls"])

    # ---- streams ----
    def test_streams_stay_small(self):
        server = self.start()
        body = """local r = http.get(U .. "/bytes?n=%d&chunked=1", {stream = true})
            local n, wrong = 0, 0
            for piece in r:chunks() do
              if piece:byte(1) ~= n %% 256 or piece:byte(-1) ~= (n + #piece - 1) %% 256 then wrong = wrong + 1 end
              n = n + #piece
            end
            return n, wrong, tostring(r.body)"""
        self.assertEqual(self.tell(server, body % MB), [str(MB), "0", "nil"])
        with Watch(server.workers()[0]) as watch:
            told = self.tell(server, body % (100 * MB), 30 * SCALE)
        self.assertEqual(told, [str(100 * MB), "0", "nil"])
        if not SANITIZED:
            self.assertLess(watch.grown, 4 * 1024)

    def test_a_slow_reader_holds_the_sender(self):
        server = self.start()
        words = """local r <close> = http.get(U .. "/bytes?n=60000000", {stream = true, timeout = 1})
            local first = r:read(10)
            line.push("Uheld", "now") line.sleep(1.5)
            return #first + #r:all(100000000)"""
        server.post(text(" ".join(words.split("\n"))))
        self.standin.wait_text("now", to="Uheld")
        time.sleep(0.2)
        held = self.service.sent
        self.assertLess(held, 30 * MB, "only what buffers hold")
        self.standin.wait_text("60000000", to="Utold", seconds=30 * SCALE)

    def test_streams_read_saved_and_left(self):
        server = self.start()
        told = self.tell(server, """
            local u = U .. "/bytes?n=1000"
            local r = http.get(u, {stream = true})
            local parts = #r:read(10) .. " " .. #r:read(985) .. " " .. #r:read(100) .. " " .. tostring(r:read()) .. tostring(r:read())
            local saved = http.get(u, {stream = true}):save("got.bin")
            local some = #http.get(u, {stream = true}):all()
            local c = http.get(u, {stream = true}) c:close()
            return parts, saved .. " " .. some, try(function() return http.get(u, {stream = true}):all(999) end),
              (try(function() return c:read() end))""")
        self.assertEqual(told[:2], ["10 985 5 nilnil", "1000 1000"])
        self.assertRegex(told[2], r"^said:1: response:all: there are 1000 bytes, more than 999")
        self.assertRegex(told[-1], r"^said:1: response:read: this response was closed before its end")
        with open(os.path.join(self.dir, "bot", "got.bin"), "rb") as file:
            self.assertEqual(file.read(), (bytes(range(256)) * 4)[:1000])
        told = self.tell(server, """
            local e = http.get(U .. "/status?code=404", {stream = true})
            local text, kind = try(function() return http.get(U .. "/cutoff", {stream = true}):all() end)
            local late, what = try(function() return http.get(U .. "/slow", {stream = true, timeout = 1}) end)
            return e.status .. e:json().why .. tostring(e.ok), text, kind, late, what""")
        self.assertEqual((told[0], told[2], told[4]), ("404becausefalse", "connect", "timeout"))
        self.assertRegex(told[1], r"^said:1: response:read: http://127\.0\.0\.1:\d+/cutoff: transfer closed with 500 bytes")
        self.assertRegex(told[3], r"^said:1: http\.get: .*/slow: Operation too slow")

    def test_headers_come_before_the_body(self):
        """Server-sent events: each piece as it is sent."""
        server = self.start()
        server.post(text("""local r = http.get(U .. "/drip", {stream = true, timeout = 60}) line.push("Utold", r.headers["content-type"])
            for piece in r:chunks() do line.push("Utold", piece) end return "over" """.replace("\n", " ")))
        self.standin.wait_text("text/event-stream", to="Utold")
        for n in range(3):
            self.service.gate.set()
            self.standin.wait_text(f"data: {n}\n\n", to="Utold")
        self.standin.wait_text("over", to="Utold")

    # ---- beside others ----
    def test_waiting_holds_nobody_up(self):
        server = self.start(options=["--http-connections", "4"])
        for n in range(20):
            server.post(text('return http.get(U .. "/slow", {timeout = 60}).body', source=f"s{n}"))
        until(lambda: self.service.counts.get("/slow") == 4, "four connections")
        self.assertEqual(self.tell(server, "return 7", source="other"), ["7"])
        self.assertEqual(self.service.counts["/slow"], 4)
        until(lambda: server.metric("moonline_tasks") == 20, "nobody else to wait")
        self.service.gate.set()
        self.standin.wait(lambda: len(self.standin.find("push", status=200)) == 21, "all answers")
        self.assertEqual(server.metric("moonline_line_calls_total", operation="http", status="200"), 20)

    def test_the_end_of_a_handler_ends_its_calls(self):
        server = self.start(options=["--handler-limit", "300ms"])
        server.post(text('return http.get(U .. "/slow", {timeout = 60}).body'))
        why = self.wait_events(1, "failed")[0]["why"]
        self.assertRegex(why, "handler-limit|300")
        until(lambda: server.metric("moonline_tasks") == 0, "nobody to wait")
        server.post(text('local r = http.get(U .. "/drip", {stream = true, timeout = 60}) return r:read()', source="b"))
        self.wait_events(2, "failed")
        self.assertEqual(self.tell(server, 'return http.get(U .. "/echo").status', source="c"), ["200"])

    def test_a_reload_lets_it_end(self):
        server = self.start()
        server.post(text('return http.get(U .. "/slow", {timeout = 60}).body'))
        until(lambda: self.service.counts.get("/slow"), "the request")
        path = os.path.join(self.dir, "bot", "bot.lua")
        with open(path, encoding="utf-8") as file:
            source = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(source + "-- newer\n")
        server.wait_generation(2)
        self.assertEqual(self.tell(server, 'return http.get(U .. "/echo").status', source="b"), ["200"])
        self.service.gate.set()
        self.standin.wait_text("at last", to="Utold")
        self.wait_events(0)

    def test_no_credentials_in_logs(self):
        self.secrets += ["hush-password", "hush-key", "hush-header"]
        server = self.start(options=["--log-level", "debug"])
        self.tell(server, """
            local u = U:gsub("//", "//me:hush-password@")
            local options = {query = {key = "hush-key"}, headers = {Authorization = "hush-header"}}
            http.get(u .. "/echo", options)
            log.warn((try(http.get, u .. "/none", options)))
            return 1""")
        found = server.wait_log(message="http call", url=f"{self.service.url}/echo")
        self.assertEqual((found["method"], found["status"]), ("GET", 200))
        self.assertIsNot(server.wait_log(level="warn"), None)

    def test_while_the_bot_loads(self):
        source = 'local http = require "http"\nlocal r = http.get("URL/echo")\nprint("loaded with", r.status)'
        folder = self.folder(source.replace("URL", self.service.url))
        self.assertIn("loaded with\\t200", self.command("check", "--http-allow", "private", folder.path).stderr)
        done = self.command("check", folder.path, status=1)
        self.assertRegex(done.stdout + done.stderr, r"bot\.lua:2: http\.get: .*--http-allow 127\.0\.0\.1")


if __name__ == "__main__":
    main()
