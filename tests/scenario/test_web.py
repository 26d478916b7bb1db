#!/usr/bin/python3
"""Routes of the bot's own: which handler, what it is given, what becomes of what it returns, and what is refused."""

import http.client
import json
import os
import re
import urllib.parse

from harness import PATIENCE, Scenario, main, text
from rawhttp import Connection, chunked, request

HEAD = 'local line = require "line"\nlocal web = require "web"\n'


class Web(Scenario):
    """Keeps one server for all questions of a method."""

    def web(self, source, options=(), **files):
        self.bot = self.folder(HEAD + source, **files)
        self.server = self.serve(self.bot, options=list(options))
        return self.server

    def ask(self, path, method="GET", body=b"", headers=(), connection=None):
        owned = connection or self.server.connect()
        try:
            owned.send(request(method, path, body, headers))
            return owned.read(method)
        finally:
            if not connection:
                owned.close()

    def expect(self, path, status, told=None, **how):
        """told: the body, as bytes or as what its JSON means."""
        answer = self.ask(path, **how)
        self.assertEqual(answer.status, status, f"{path}: {answer}\n{self.server.tail()}")
        if isinstance(told, bytes):
            self.assertEqual(answer.body, told, path)
        elif told is not None:
            self.assertEqual(json.loads(answer.body), told, path)
        return answer


class Routing(Web):
    def test_which_handler(self):
        self.web("""
            local function says(word) return function(r) return {word = word, params = r.params} end end
            web.get("/", says "root")
            web.get("/a/b", says "literal")
            web.get("/a/:x", says "one")
            web.get("/a/:x/c/:y", says "two")
            web.get("/late", says "first")
            web.get("/late", says "never")
            web.get("/files/*", says "rest")
            web.get("/files/known", says "never")
            web.any("/any", function(r) return r.method end)
            web.on("REPORT", "/odd", says "odd")
            for _, m in ipairs{"post", "put", "delete", "patch", "options"} do web[m]("/m", says(m)) end
            web.get("/get", function(r) return {method = r.method} end)
            web.head("/m", function() return 200, "not sent", {["x-head"] = "yes"} end)
        """)
        for path, word, params in (
                ("/", "root", {}), ("/a/b", "literal", {}), ("/a/z", "one", {"x": "z"}), ("/a/z/c/w", "two", {"x": "z", "y": "w"}),
                ("/late", "first", {}), ("/files/", "rest", {"*": ""}), ("/files/known", "rest", {"*": "known"}),
                ("/files/a//b/", "rest", {"*": "a//b/"}), ("/a/%62", "literal", {}), ("/a/%e3%81%82%2Fb?x=1", "one", {"x": "あ/b"}),
                ("/a/a+b%20c", "one", {"x": "a+b c"})):
            self.expect(path, 200, {"word": word, "params": params})
        for path in "/files", "/a", "/a/", "/a//c/x", "/A/b", "/a/b/", "//", "/late/":
            self.assertEqual(self.expect(path, 404, {"message": "Not Found"}).headers["content-type"], "application/json")
        for method in "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
            self.expect("/m", 200, {"word": method.lower(), "params": {}}, method=method)
            self.expect("/any", 200, method.encode(), method=method)
        self.expect("/odd", 200, {"word": "odd", "params": {}}, method="REPORT")
        answer = self.expect("/m", 405, {"message": "Method Not Allowed"})
        self.assertEqual(answer.headers["allow"], "DELETE, HEAD, OPTIONS, PATCH, POST, PUT")
        self.assertEqual(self.expect("/get", 405, method="POST").headers["allow"], "GET, HEAD")
        answer = self.expect("/get", 200, b"", method="HEAD")
        self.assertEqual(answer.headers["content-length"], str(len('{"method":"HEAD"}')))
        answer = self.expect("/m", 200, b"", method="HEAD")
        self.assertEqual((answer.headers["x-head"], answer.headers["content-length"]), ("yes", "8"))
        for path in "/%zz", "/a/%", "/a/%0", "/a/%00", "/a/b?x=%g1", "/a/b?%4=1":
            self.expect(path, 400, {"message": "Bad Request"})
        # What is moonline's own stays so.
        self.assertEqual(self.ask("/healthz").status, 200)
        self.assertEqual(self.ask("/webhook").status, 405)
        self.assertEqual(self.ask("/webhook/x").status, 404)
        told = self.server.metrics()
        self.assertGreater(told['moonline_web_requests_total{status="200"}'], 20)
        self.assertEqual(told['moonline_web_requests_total{status="400"}'], 6)

    def test_what_a_handler_is_given(self):
        self.web("""
            web.any("/x/*", function(r)
              return {method = r.method, path = r.path, raw_path = r.raw_path, query = r.query, query_string = r.query_string,
                headers = r.headers, body = r.body, client = r.client, scheme = r.scheme, base = r.base,
                cookie = r:cookie("b"), none = r:cookie("nil") == nil}
            end)
        """)
        got = json.loads(self.ask("/x/%41?a=1&a=2+3&b=%e3%81%82&c", "POST", b"bytes", [
            ("X-Two", "one"), ("x-two", "two"), ("Cookie", 'a=1; b="x y"; bb=3')]).body)
        self.assertEqual(got["headers"].pop("host"), "127.0.0.1")
        self.assertEqual(got, {
            "method": "POST", "path": "/x/A", "raw_path": "/x/%41", "query": {"a": "2 3", "b": "あ", "c": ""},
            "query_string": "a=1&a=2+3&b=%e3%81%82&c", "body": "bytes", "client": "127.0.0.1", "scheme": "http", "base": "",
            "headers": {"x-two": "one, two", "cookie": 'a=1; b="x y"; bb=3', "content-length": "5"}, "cookie": "x y",
            "none": True})
        got = json.loads(self.ask("/x/", "GET").body)
        self.assertEqual((got["query"], got["query_string"], got["body"]), ({}, "", ""))
        with self.server.connect() as connection:
            connection.send(request("POST", "/x/", chunked([b"ab", b"c" * 70000]), [("Transfer-Encoding", "chunked")]))
            self.assertEqual(json.loads(connection.read().body)["body"], "ab" + "c" * 70000)
            connection.send(request("PUT", "/x/2", b"again"))
            self.assertEqual(json.loads(connection.read().body)["body"], "again")

    def test_declared_while_loading_only(self):
        server = self.web("""
            web.get("/late", function() web.get("/more", function() end) end)
            web.get("/fine", function() return "fine" end)
        """)
        self.expect("/late", 500)
        self.assertIn("bot.lua:4: web.get: routes are declared while the bot loads", server.wait_log(level="error")["error"])
        self.expect("/fine", 200, b"fine")

    def test_what_is_no_route(self):
        for code, words in (
                ('web.get("x", print)', "a path begins with /"), ('web.get("/*/a", print)', "* may only be the last"),
                ('web.get("/:a/:a", print)', "the parameter :a comes twice"), ('web.get("/:1", print)', "no name of a parameter"),
                ('web.get("/a*", print)', "stands for the whole rest"), ('web.get("/a?b", print)', "a path has no ?"),
                ('web.get("/a")', "must be a function, not a nil"), ('web.get(1, print)', "must be a string, not a number"),
                ('web.on("get", "/", print)', "a word in capitals"), ('web.static("/a", "..")', "must be a folder below the bot's"),
                ('web.static("/a", ".")', "the bot's own code"), ('web.static("/a", "/etc")', "must be a folder below the bot's"),
                ('web.static("/a", "none")', "there is no folder 'none'"), ('web.static("/a", "f", {indx = 1})', "did you mean 'index'"),
                ('web.static("/a", "embedded:emulator/page")', "embedded folders are moonline's own"),
                ('web.static("/:a", "f")', "the prefix is a path"), ('web.static("/a", "f", {max_age = -1})', "max_age must be"),
                ('web.static("/a", ".hidden")', "names that begin with a dot"), ('web.html(1)', "takes a string"),
                ('web.redirect("/a\\r\\nb: c")', "without blanks and control characters"),
                ('web.redirect("/a", 200)', "the status is one of")):
            bot = self.folder(f"{HEAD}{code}\n")
            bot.write("f/x.txt", "x")
            bot.write(".hidden/x.txt", "x")
            told = self.command("check", bot.path, status=1).stderr
            self.assertIn("bot.lua:3: web.", told)
            self.assertIn(words, told)

    def test_check_lists_routes(self):
        bot = self.folder(HEAD + 'web.get("/a/:b", print)\nweb.any("/c", print)\n')
        told = self.command("check", bot.path).stdout
        self.assertIn("2 routes\n  GET       /a/:b                        bot.lua:3\n  *         /c ", told)
        self.assertEqual(json.loads(self.command("check", "--json", bot.path).stdout)["routes"], [
            {"method": "GET", "path": "/a/:b", "where": "bot.lua:3"}, {"method": "*", "path": "/c", "where": "bot.lua:4"}])
        bot = self.folder('local line = require "line"\nline.on("*", function() web.get("/", print) end)\n')
        told = self.command("check", bot.path, status=1).stdout
        self.assertIn("'web' is not declared: local web = require \"web\"", told)

    def test_without_routes_nothing_is_there(self):
        self.server = self.serve(self.folder('local line = require "line"\nline.on("message.text", function() end)'))
        for method in "GET", "POST":
            answer = self.ask("/", method)
            self.assertEqual((answer.status, answer.body), (404, b""))

    def test_several_bots_each_below_its_name(self):
        source = HEAD + """
            web.get("/", function(r) return "%s root " .. r.base end)
            web.get("/x", function(r) return "%s " .. r.base end)
            web.static("/f", "f")
        """
        one, two = (self.folder(source % (name, name), name) for name in ("one", "two"))
        one.write("f/index.html", "first"), two.write("f/index.html", "second")
        plain = self.folder('local line = require "line"\nline.on("*", function() end)', "plain")
        self.server = self.serve(one, two, plain)
        self.expect("/one/x", 200, b"one /one")
        self.expect("/two/x", 200, b"two /two")
        self.expect("/two", 200, b"two root /two")
        self.expect("/two/", 200, b"two root /two")
        self.expect("/one/f/", 200, b"first")
        self.assertEqual(self.expect("/two/f", 301).headers["location"], "/two/f/")
        for path in "/x", "/", "/three/x", "/plain/x", "/onex", "/%6fne/x":
            self.expect(path, 404)
        self.server.post(text("hi"), path="/webhook/two")


class Answers(Web):
    def test_what_a_handler_returns(self):
        self.web("""
            web.get("/string", function() return "text" end)
            web.get("/empty", function() return "" end)
            web.get("/table", function() return {a = {1, 2}, b = "ä"} end)
            web.get("/array", function() return json.array{} end)
            web.get("/nil", function() end)
            web.get("/status", function() return 418 end)
            web.get("/three", function() return 201, "made", {["Content-Type"] = "a/b", Location = "/x", ["X-N"] = 5} end)
            web.get("/headers", function() return 202, nil, {["set-cookie"] = {"a=1", "b=2"}, ["x-tab"] = "a\\tb"} end)
            web.get("/html", function() return web.html("<p>ü") end)
            web.get("/html404", function() return 404, web.html("<p>no"), {["x-a"] = "b"} end)
            web.get("/redirect", function() return web.redirect("/elsewhere?x=1") end)
            web.get("/moved", function() return web.redirect("https://example.com/", 308) end)
            web.get("/error", function() web.error(422, 'not "this"') end)
            web.get("/deep", function() pcall(error, "x"); local function f() web.error(400, "deep") end f() end)
            web.get("/204", function() return 204, "ignored" end)
            web.get("/binary", function() return "\\0\\255\\r\\n" end)
        """)
        for path, status, body, kind in (
                ("/string", 200, b"text", "text/plain; charset=utf-8"), ("/empty", 200, b"", "text/plain; charset=utf-8"),
                ("/table", 200, {"a": [1, 2], "b": "ä"}, "application/json"), ("/array", 200, b"[]", "application/json"),
                ("/nil", 204, b"", None), ("/status", 418, b"", None), ("/three", 201, b"made", "a/b"), ("/headers", 202, b"", None),
                ("/html", 200, "<p>ü".encode(), "text/html; charset=utf-8"), ("/html404", 404, b"<p>no", "text/html; charset=utf-8"),
                ("/redirect", 302, b"", None), ("/moved", 308, b"", None),
                ("/error", 422, {"message": 'not "this"'}, "application/json"), ("/deep", 400, {"message": "deep"}, "application/json"),
                ("/204", 204, b"", None), ("/binary", 200, b"\0\xff\r\n", "text/plain; charset=utf-8")):
            answer = self.expect(path, status, body)
            self.assertEqual(answer.headers.get("content-type"), kind, path)
            head = self.ask(path, "HEAD")
            self.assertEqual((head.status, head.headers.get("content-length")),
                             (status, answer.headers.get("content-length")), path)
        answer = self.ask("/three")
        self.assertEqual((answer.headers["location"], answer.headers["x-n"]), ("/x", "5"))
        self.assertEqual(self.ask("/redirect").headers["location"], "/elsewhere?x=1")
        with self.server.connect() as connection:
            connection.send(request("GET", "/headers"))
            connection.read()
            connection.send(request("GET", "/headers", headers=[("Connection", "close")]))
            self.assertTrue(connection.at_end())
            self.assertIn(b"set-cookie: a=1\r\n", connection.pending)
            self.assertIn(b"set-cookie: b=2\r\n", connection.pending)
            self.assertIn(b"x-tab: a\tb\r\n", connection.pending)
        self.assertEqual(self.server.logs(level="error"), [])

    def test_what_cannot_be_sent(self):
        cases = (
            ("200, 'x', {a = 'b\\r\\nset-cookie: c'}", "the header a: a value may hold no line ends"),
            ("200, 'x', {a = 'b\\0'}", "the header a: a value may hold no line ends"), ("200, 'x', {a = {'b', 'c\\n'}}", "the header a"),
            ("200, 'x', {['a\\r\\nb'] = 'c'}", "is no name of a header"), ("200, 'x', {[''] = 'c'}", "is no name of a header"),
            ("200, 'x', {['a: b'] = 'c'}", "is no name of a header"), ("200, 'x', {a = print}", "a function is no value"),
            ("200, 'x', {['Content-Length'] = '5'}", "is set by moonline itself"), ("200, 'x', 'y'", "the headers must be a table"),
            ("200, 'x', {['Transfer-Encoding'] = 'chunked'}", "is set by moonline itself"), ("99, 'x'", "99 is no status"),
            ("600", "600 is no status"), ("200.5", "200.5 is no status"), ("true", "a boolean is no body"),
            ("coroutine.create(print)", "is no body"),
            ("{f = print}", "a function cannot be"), ("200, 'x', {a = ('y'):rep(20000)}", "more than 16 KiB"),
            ("200, 'x', (function() local h = {} for i = 1, 61 do h['a' .. i] = 'b' end return h end)()", "more than 60 headers"),
        )
        server = self.web("".join(f'web.get("/{n}", function() return {code} end)\n' for n, (code, _) in enumerate(cases)))
        for n, (code, words) in enumerate(cases):
            answer = self.expect(f"/{n}", 500, {"message": "Internal Server Error"})
            self.assertNotIn("set-cookie", answer.headers)
            told = server.wait_log(n + 1, level="error")
            self.assertEqual((told["message"], told["request"]), ("web handler failed", f"GET /{n}"))
            self.assertIn(words, told["error"], code)
            self.assertIn(f"bot.lua:{n + 3}", told["error"], code)

    def test_headers_that_do_not_fit_together(self):
        server = self.web('web.get("/", function() return 200, "x", {a = ("y"):rep(9000)} end)')
        self.assertEqual(len(self.expect("/", 200).headers["a"]), 9000)
        self.expect("/", 500, headers=[("X-Long", "z" * 6000)])
        self.assertIn("longer than 14 KiB together", server.wait_log(message="answer not sent")["reason"])

    def test_errors_are_logged_without_what_is_secret(self):
        server = self.web("""
            web.post("/boom", function(r)
              local function inner() error("boom") end
              inner()
            end)
            web.get("/table", function() error{code = 7} end)
        """)
        self.expect("/boom?token=hidden", 500, {"message": "Internal Server Error"}, method="POST", body=b"secret-body",
                    headers=[("Authorization", "Bearer hidden"), ("Cookie", "session=hidden")])
        told = server.wait_log(level="error", message="web handler failed")
        self.assertEqual(told["request"], "POST /boom")
        self.assertTrue(told["error"].startswith("bot.lua:5: boom\n  bot.lua:5: in local 'inner'\n  bot.lua:6: in "), told)
        self.expect("/table", 500)
        self.assertIn("{code = 7}", server.wait_log(2, level="error", message="web handler failed")["error"])
        self.assertNotIn("hidden", server.output())
        self.assertNotIn("secret-body", server.output())

    def test_large_answers_and_bodies(self):
        self.web("""
            web.get("/big", function(r) return ("0123456789abcdef"):rep(tonumber(r.query.n) // 16) end)
            web.post("/echo", function(r) return 200, r.body, {["content-type"] = "application/octet-stream"} end)
        """, ["--web-body", "3M"])
        for n in 65520, 65536, 65552, 262144, 262160, 64 << 20:
            client = http.client.HTTPConnection("127.0.0.1", self.server.port, PATIENCE)
            client.request("GET", f"/big?n={n}")
            answer = client.getresponse()
            self.assertEqual(answer.getheader("content-length"), str(n))
            self.assertTrue(answer.read() == b"0123456789abcdef" * (n // 16), n)
            client.close()
            self.assertEqual(self.ask(f"/big?n={n}", "HEAD").headers["content-length"], str(n))
        for n in 0, 1, 65535, 65536, 65537, 3 << 20:
            body = os.urandom(n)
            self.assertEqual(self.ask("/echo", "POST", body).body, body)
        body = os.urandom((3 << 20) + 1)
        self.expect("/echo", 413, {"message": "Content Too Large"}, method="POST", body=body)
        for sent in request("POST", "/echo", body), request("POST", "/echo", chunked([body]), [("Transfer-Encoding", "chunked")]):
            with self.server.connect() as connection:
                try:
                    connection.send(sent)
                except ConnectionError:
                    pass  # it need not take what it has refused
                answer = connection.read()
                self.assertEqual((answer.status, json.loads(answer.body)), (413, {"message": "Content Too Large"}))
        # The webhook keeps its own limit.
        self.assertEqual(self.server.send_body(b"x" * ((1 << 20) + 1)).status, 413)

    def test_json_answers_may_be_large(self):
        self.web('web.get("/", function() local t = {} for i = 1, 400000 do t[i] = "0123456789" end return t end)',
                 ["--cpu-limit", "20s"])
        self.assertEqual(len(json.loads(self.ask("/").body)), 400000)


class Bodies(Web):
    SOURCE = """
        web.post("/json", function(r) return {got = r:json()} end)
        web.post("/form", function(r) return r:form() end)
        web.post("/parts", function(r)
          local list = {}
          for i, p in ipairs(r:parts()) do
            list[i] = {name = p.name, filename = p.filename, type = p.type, bytes = json.array{p.body:byte(1, -1)}}
          end
          return json.array(list)
        end)
    """

    def multipart(self, *parts, boundary="-x-"):
        return b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), body) for head, body in parts) + (
            b"--%s--\r\n" % boundary.encode())

    def test_json(self):
        self.web(self.SOURCE)
        self.expect("/json", 200, {"got": {"a": [1, 2.5, "あ"]}}, method="POST", body='{"a":[1,2.5,"あ"],"b":null}'.encode())
        self.expect("/json", 200, {"got": 7}, method="POST", body=b"7")
        for body in b"", b"{", b'{"a":}', b"\xff", b'"\xc3\x28"', b"[" * 200:
            answer = self.expect("/json", 400, method="POST", body=body)
            self.assertIn("the body is not JSON", json.loads(answer.body)["message"])
        self.assertEqual(self.server.logs(level="error"), [])

    def test_forms(self):
        self.web(self.SOURCE)
        coded = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
        fields = {"a": "1 + 1 = 2&", "b": "あ", "": "nameless", "empty": ""}
        self.expect("/form", 200, fields, method="POST", body=urllib.parse.urlencode(fields).encode(), headers=coded)
        self.expect("/form", 400, method="POST", body=b"a=%q", headers=coded)
        self.expect("/form", 415, method="POST", body=b"a=1", headers=[("Content-Type", "text/plain")])
        self.expect("/form", 415, method="POST", body=b"a=1")
        kind = [("Content-Type", "multipart/form-data; boundary=-x-")]
        self.expect("/form", 200, {"a": "2", "b": "line\r\n--x"}, method="POST", headers=kind, body=self.multipart(
            ('Content-Disposition: form-data; name="a"', b"1"), ('content-disposition: form-data; name="a"', b"2"),
            ('Content-Disposition: form-data; name="b"', b"line\r\n--x"),
            ('Content-Disposition: form-data; name="file"; filename="f.bin"', b"\0")))

    def test_parts(self):
        self.web(self.SOURCE)
        binary = bytes(range(256)) + b"\r\n-x-\r\n--x-\r\n--\r\n"
        body = b"preamble\r\n" + self.multipart(
            ('Content-Disposition: form-data; name="pic"; filename="a %22b%22.png"\r\nContent-Type: image/png', binary),
            ('Content-Disposition: form-data; filename="back\\"slash"; name=plain', b""),
            ("Content-Disposition: form-data; name=\"あ\"\r\nX-Other: 1", b"\r\n"))
        kind = [("Content-Type", 'multipart/form-data; charset=x; boundary="-x-"')]
        self.expect("/parts", 200, [
            {"name": "pic", "filename": 'a "b".png', "type": "image/png", "bytes": list(binary)},
            {"name": "plain", "filename": 'back"slash', "type": "application/octet-stream", "bytes": []},
            {"name": "あ", "type": "text/plain", "bytes": [13, 10]}], method="POST", body=body, headers=kind)
        self.expect("/parts", 200, b"[]", method="POST", body=b"---x---\r\n", headers=kind)
        bad = [b"", b"---x-", b"---x-\r\n", body[:-8], body.replace(b"form-data; name", b"attachment; name"),
               self.multipart(("Content-Disposition: form-data", b"1")), self.multipart(("X", b"1")),
               self.multipart(*[('Content-Disposition: form-data; name="a"', b"1")] * 1001)]
        for sent in bad:
            answer = self.expect("/parts", 400, method="POST", body=sent, headers=kind)
            self.assertIn("the multipart body is malformed", json.loads(answer.body)["message"])
        self.expect("/parts", 400, method="POST", body=body, headers=[("Content-Type", "multipart/form-data")])
        self.expect("/parts", 415, method="POST", body=body)
        self.assertEqual(self.server.logs(level="error"), [])

    def test_mutated_multipart_never_breaks_it(self):
        """Bytes changed, cut out and doubled: an answer is 200 or 400, nothing is logged."""
        self.web(self.SOURCE)
        body = self.multipart(('Content-Disposition: form-data; name="a"; filename="b"\r\nContent-Type: c/d', b"12345"),
                              ('Content-Disposition: form-data; name="e"', b"f"))
        with self.server.connect() as connection:
            for at in range(0, len(body), 3):
                for made in (body[:at] + b"\0" + body[at + 1:], body[:at] + body[at + 7:], body[:at] + body[at // 2:]):
                    answer = self.ask("/parts", "POST", made, [("Content-Type", "multipart/form-data; boundary=-x-")], connection)
                    self.assertIn(answer.status, (200, 400), made)
        self.assertEqual(self.server.logs(level="error"), [])


class Static(Web):
    def start(self, **options):
        bot = self.folder(HEAD + f'web.static("/files", "public", {{{", ".join(f"{k} = {v}" for k, v in options.items())}}})\n'
                          'web.static("/", "site")\n')
        self.big = os.urandom(1 << 20)
        for name, content in {"public/index.html": "<h1>", "public/a b.txt": "text", "public/sub/index.html": "sub",
                              "public/sub/x.svg": "<svg>", "public/film.mp4": self.big, "public/empty": "", "public/.hidden": "h",
                              "public/.dir/x": "h", "site/index.html": "home", "secret.txt": "outside", ".env": "TOKEN=x"}.items():
            bot.write(name, content)
        os.symlink("/etc/passwd", bot.file("public/link"))
        os.symlink("..", bot.file("public/up"))
        os.symlink("sub", bot.file("public/inside"))
        os.mkfifo(bot.file("public/pipe"))
        self.bot, self.server = bot, self.serve(bot)

    def test_files(self):
        self.start()
        for path, kind, body in (
                ("/files/", "text/html; charset=utf-8", b"<h1>"), ("/files/index.html", "text/html; charset=utf-8", b"<h1>"),
                ("/files/a%20b.txt", "text/plain; charset=utf-8", b"text"), ("/files/sub/", "text/html; charset=utf-8", b"sub"),
                ("/files/sub/x.svg", "image/svg+xml", b"<svg>"), ("/files/film.mp4", "video/mp4", self.big),
                ("/files/empty", "application/octet-stream", b""), ("/", "text/html; charset=utf-8", b"home")):
            answer = self.expect(path, 200, body)
            self.assertEqual((answer.headers["content-type"], answer.headers["content-length"]), (kind, str(len(body))), path)
            self.assertEqual(answer.headers["cache-control"], "no-cache")
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            head = self.expect(path, 200, b"", method="HEAD")
            self.assertEqual(head.headers, answer.headers, path)
        self.assertEqual(self.expect("/files", 301).headers["location"], "/files/")
        self.assertEqual(self.expect("/files/sub", 301).headers["location"], "/files/sub/")
        self.expect("/files/", 405, method="POST")

    def test_nothing_outside(self):
        self.start()
        for path in ("/files/../secret.txt", "/files/%2e%2e/secret.txt", "/files/..%2fsecret.txt", "/files/sub/../../secret.txt",
                     "/files//etc/passwd", "/files/%2fetc/passwd", "/files/link", "/files/up/secret.txt", "/files/inside/x.svg",
                     "/files/.hidden", "/files/%2ehidden", "/files/.dir/x", "/files/pipe", "/files/none", "/files/sub/none/",
                     "/files/sub//x.svg", "/files/./index.html", "/files/index.html/", "/files/" + "a/" * 3000, "/files/" + "a" * 5000,
                     "/../secret.txt", "/.env", "/bot.lua", "/files/..\\secret.txt", "/files/a%20b.txt%20"):
            self.expect(path, 404, {"message": "Not Found"})
        self.expect("/files/index.html%00.txt", 400)
        os.remove(self.bot.file("public/index.html"))
        self.expect("/files/", 404)

    def test_kept_by_browsers(self):
        self.start(max_age=60)
        answer = self.ask("/files/film.mp4")
        tag, modified = answer.headers["etag"], answer.headers["last-modified"]
        self.assertEqual(answer.headers["cache-control"], "max-age=60")
        for headers, status in (
                ([("If-None-Match", tag)], 304), ([("If-None-Match", f'"x", W/{tag}')], 304), ([("If-None-Match", "*")], 304),
                ([("If-None-Match", '"x"')], 200), ([("If-Modified-Since", modified)], 304),
                ([("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], 200), ([("If-Modified-Since", "soon")], 200),
                ([("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")], 304),
                ([("If-None-Match", '"x"'), ("If-Modified-Since", modified)], 200)):
            got = self.ask("/files/film.mp4", headers=headers)
            self.assertEqual((got.status, got.headers["etag"]), (status, tag), headers)
            self.assertEqual(got.body, b"" if status == 304 else self.big)
        os.utime(self.bot.file("public/film.mp4"), (1, 1))
        answer = self.ask("/files/film.mp4", headers=[("If-None-Match", tag)])
        self.assertEqual((answer.status, answer.headers["last-modified"]), (200, "Thu, 01 Jan 1970 00:00:01 GMT"))

    def test_ranges(self):
        self.start()
        size, tag = len(self.big), self.ask("/files/film.mp4", "HEAD").headers["etag"]
        for wanted, first, last in (("0-0", 0, 0), ("5-99999", 5, 99999), ("1000000-", 1000000, size - 1), ("-7", size - 7, size - 1),
                                    (f"{size - 1}-{size * 9}", size - 1, size - 1), ("-99999999", 0, size - 1)):
            answer = self.ask("/files/film.mp4", headers=[("Range", f"bytes={wanted}")])
            self.assertEqual((answer.status, answer.headers["content-range"]), (206, f"bytes {first}-{last}/{size}"), wanted)
            self.assertEqual(answer.body, self.big[first:last + 1])
        for wanted in f"bytes={size}-", "bytes=-0", "bytes=99999999-":
            answer = self.ask("/files/film.mp4", headers=[("Range", wanted)])
            self.assertEqual((answer.status, answer.headers["content-range"]), (416, f"bytes */{size}"), wanted)
        for wanted in "bytes=0-1,4-5", "bytes=a-b", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=1-2x":
            self.assertEqual(self.ask("/files/film.mp4", headers=[("Range", wanted)]).status, 200, wanted)
        for condition, status in (tag, 206), ('"x"', 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200):
            answer = self.ask("/files/film.mp4", headers=[("Range", "bytes=0-9"), ("If-Range", condition)])
            self.assertEqual(answer.status, status, condition)
        self.assertEqual(self.ask("/files/empty", headers=[("Range", "bytes=0-")]).status, 416)
        self.assertEqual(self.ask("/files/film.mp4", "HEAD", headers=[("Range", "bytes=0-9")]).status, 200)

    def test_a_file_that_shrinks_while_it_is_sent_cuts_the_answer(self):
        self.start()
        with open(self.bot.file("public/film.mp4"), "wb") as file:
            file.truncate(200 << 20)
        with Connection("127.0.0.1", self.server.port, 10) as connection:
            connection.send(request("GET", "/files/film.mp4"))
            while len(connection.pending) < 1000:
                connection._more()
            os.truncate(self.bot.file("public/film.mp4"), 10 << 20)
            self.assertTrue(connection.at_end())
            self.assertLess(len(connection.pending), 200 << 20)
        self.assertIn("/files/film.mp4", self.server.wait_log(message=re.compile("could not be read to its end"))["request"])


if __name__ == "__main__":
    main()
