#!/usr/bin/python3
"""What arrives at the door. A webhook is taken only when its signature is right, is answered with exactly the status its
fault deserves, and says in the log (never in the answer) which fault it was. Everything that LINE may do differently
tomorrow, header spelling, content type, new event types, white space, is taken as it comes."""

import os
import re
import time

from harness import BOT_USER, PATIENCE, SCALE, SECRET, Scenario, main, sign, text, until, webhook
from rawhttp import Closed, chunked, request

ECHO = """
local line = require "line"
line.on("message.text", function(event) event:reply(event.message.text) end)
"""
VECTORS = [  # secret, body, signature: computed with openssl
    ("8c570fa6dd201bb328f1c1eac23a96d8", b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}',
     "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=", 200),
    ("channel_secret", b"bodybodybodybody", "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", 400),
    ("test_secret", b'{"hello":"world"}', "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM=", 400),
]


class Signature(Scenario):
    def test_known_vectors_with_several_secrets(self):
        """One bot accepts several secrets while one is rotated; 400 means that the signature was found right."""
        self.secrets += [vector[0] for vector in VECTORS if "_" not in vector[0]]
        server = self.serve(self.folder(ECHO), secret=",".join([SECRET, *(vector[0] for vector in VECTORS)]))
        for secret, body, signature, status in VECTORS:
            self.assertEqual(sign(body, secret), signature)
            self.assertEqual(server.send_body(body, signature=signature).status, status, body)
        self.assertEqual(server.send_body(VECTORS[0][1]).status, 200, "the first secret of the list")

    def test_every_changed_byte_is_refused(self):
        secret, body, signature, _ = VECTORS[0]
        server = self.serve(self.folder(ECHO), secret=secret)
        with server.connect() as connection:
            for i in range(len(body)):
                changed = body[:i] + bytes([body[i] ^ 1]) + body[i + 1:]
                answer = server.send_body(changed, signature=signature, connection=connection)
                self.assertEqual(answer.status, 401, changed)
            for i, letter in enumerate(signature):
                changed = signature[:i] + ("B" if letter == "A" else "A") + signature[i + 1:]
                answer = server.send_body(body, signature=changed, connection=connection)
                self.assertEqual(answer.status, 401, changed)
            self.assertEqual(server.send_body(body, signature=signature, connection=connection).status, 200)

    def test_refusals_say_why_in_the_log_only(self):
        server = self.serve(self.folder(ECHO))
        body = webhook(text("not for you"))
        for signature, reason in (("", "no x-line-signature"), ("not*base64!", "not base64"), ("c2hvcnQ=", "32 bytes"),
                                  (sign(body, "another secret"), "none of the channel secrets")):
            answer = server.send_body(body, signature=signature)
            self.assertEqual(answer.status, 401)
            self.assertNotIn(reason.encode(), answer.body)
            server.wait_log(reason=re.compile(re.escape(reason)))
        self.assertEqual(server.metric("moonline_webhooks_total", status="401"), 4)
        self.assertEqual(self.standin.calls, [])
        self.assertEqual(self.events(), [], "nothing of a refused webhook is kept")

    def test_header_name_in_any_case(self):
        server = self.serve(self.folder(ECHO))
        for name in ("X-Line-Signature", "x-line-signature", "X-LINE-SIGNATURE", "x-LiNe-SiGnAtUrE"):
            body = webhook(text(name))
            self.assertEqual(server.send_body(body, signature="", headers=[(name, sign(body))]).status, 200)
            self.standin.wait_text(name)


class Status(Scenario):
    def setUp(self):
        super().setUp()
        self.server = self.serve(self.folder(ECHO), options=["--read-timeout", f"{int(300 * SCALE)}ms"])

    def raw(self, data, method="POST"):
        with self.server.connect() as connection:
            connection.send(data)
            return connection.read(method)

    def test_200_for_an_empty_list_which_is_the_verify_button(self):
        answer = self.server.send_body(webhook())
        self.assertEqual((answer.status, answer.body.strip()), (200, b"{}"))
        self.server.wait_log(message=re.compile("verify"))
        self.assertEqual(self.server.send_body(b'{"events":[]}').status, 200, "old verify calls had no destination")

    def test_400_signed_but_not_a_webhook(self):
        for body in (b"", b"{", b"[]", b"null", b'"events"', b'{"destination":"x"}', b'{"events":{}}', b'{"events":[1]}',
                     b'{"events":[null]}', b'{"events":[{}]', b'{"events":[]}x', b'\xff\xfe{"events":[]}',
                     b'{"events":[{"type":tru}]}', b'{"events":' + b"[" * 200 + b"]" * 200 + b"}"):
            self.assertEqual(self.server.send_body(body).status, 400, body)
        self.assertEqual(self.events(), [])

    def test_404_and_405(self):
        for path in ("/", "/webhook/nobody", "/webhookx", "/metrics", "/webhook%2F"):
            self.assertEqual(self.server.send_body(webhook(), path).status, 404, path)
        for method in ("GET", "PUT", "DELETE", "HEAD", "PATCH"):
            answer = self.raw(request(method, "/webhook"), method)
            self.assertEqual((answer.status, answer.headers.get("allow")), (405, "POST"), method)

    def test_408_slow_body(self):
        """The clock runs from the first byte of the body to its last, trickling does not help."""
        with self.server.connect() as connection:
            connection.send(request("POST", "/webhook", b'{"ev', [("Content-Length", "400"), ("x-line-signature", "x")]))
            self.assertEqual(connection.read().status, 408)
            self.assertTrue(connection.at_end(), "the connection cannot be used again")
        self.server.post(text("the next one is served"))
        self.standin.wait_text("the next one is served")

    def test_413_by_length_and_by_counting(self):
        limit = 1 << 20
        # Announced: refused before the body is sent.
        declared = [("Content-Length", str(limit + 1)), ("x-line-signature", "x")]
        self.assertEqual(self.raw(request("POST", "/webhook", b"", declared)).status, 413)
        # Not announced: refused once too much has come.
        with self.server.connect() as connection:
            try:
                connection.send(request("POST", "/webhook", b"", [("Transfer-Encoding", "chunked"), ("x-line-signature", "x")])
                                + chunked([b"x" * 65536] * 17))
            except ConnectionError:
                pass  # it stopped reading; the answer is there all the same
            self.assertEqual(connection.read().status, 413)

    def test_one_mebibyte_is_taken(self):
        filler = text("filled up")
        filler["filler"] = ""
        filler["filler"] = "x" * ((1 << 20) - len(webhook(filler)))
        body = webhook(filler)
        self.assertEqual(len(body), 1 << 20)
        self.assertEqual(self.server.send_body(body).status, 200)
        self.standin.wait_text("filled up")

    def test_any_content_type_and_chunks_and_expect(self):
        kinds = ("application/json", "text/plain; charset=latin1", "application/x-www-form-urlencoded", "multipart/form-data", None)
        for kind in kinds:
            body = webhook(text(f"as {kind}"))
            fields = [("x-line-signature", sign(body))] + ([("Content-Type", kind)] if kind else [])
            self.assertEqual(self.raw(request("POST", "/webhook", body, fields)).status, 200, kind)
            self.standin.wait_text(f"as {kind}")
        body = webhook(text("in chunks"))
        pieces = [body[i:i + 7] for i in range(0, len(body), 7)]
        fields = [("x-line-signature", sign(body)), ("Transfer-Encoding", "chunked")]
        self.assertEqual(self.raw(request("POST", "/webhook", b"", fields) + chunked(pieces)).status, 200)
        self.standin.wait_text("in chunks")
        body = webhook(text("expected"))
        with self.server.connect() as connection:
            head = request("POST", "/webhook", b"", [("x-line-signature", sign(body)), ("Expect", "100-continue"),
                                                     ("Content-Length", str(len(body)))])
            connection.send(head)
            self.assertEqual(connection.read().status, 100)
            connection.send(body)
            self.assertEqual(connection.read().status, 200)
        body = webhook(text("over 1.0"))
        fields = [("x-line-signature", sign(body))]
        self.assertEqual(self.raw(request("POST", "/webhook", body, fields, version="1.0")).status, 200)
        self.assertEqual(self.raw(request("POST", "/webhook?proxy=1", body, fields)).status, 200)

    def test_rubbish_does_no_harm(self):
        for junk in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /webhook HTTP/9.9\r\n\r\n", b"\x00" * 100,
                     b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                     b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
                     b"POST /webhook HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100000):
            with self.server.connect() as connection:
                try:
                    connection.send(junk)
                    self.assertGreaterEqual(connection.read().status, 400, junk[:60])
                except (Closed, ConnectionError, TimeoutError):
                    pass  # closing without a word is an answer too
        self.server.post(text("still here"))
        self.standin.wait_text("still here")


class Connections(Scenario):
    def test_keep_alive_and_fifty_pipelined(self):
        server = self.serve(self.folder(ECHO))
        with server.connect() as connection:
            for i in range(3):
                server.post(text(f"kept {i}"), connection=connection)
            batch = b""
            for i in range(50):
                body = webhook(text(f"piped {i}", source=f"user {i % 5}"))
                batch += request("POST", "/webhook", body, [("x-line-signature", sign(body))])
            connection.send(batch)
            self.assertEqual([connection.read().status for _ in range(50)], [200] * 50)
        self.standin.wait(lambda: len(self.standin.texts()) == 53, "53 replies")
        for chat in range(5):
            answered = [int(t.split()[1]) for t in self.standin.texts() if t.startswith("piped") and int(t.split()[1]) % 5 == chat]
            self.assertEqual(answered, sorted(answered))

    def test_at_most_so_many_of_one_client_and_in_all(self):
        for option in ("--max-per-client", "--max-connections"):
            with self.subTest(option):
                server = self.serve(self.folder(ECHO), options=[option, "4", "--data", f"{self.dir}/data{option}"])
                kept = [server.connect() for _ in range(4)]
                for connection in kept:
                    server.post(text("one of four"), connection=connection)
                with self.assertRaises((Closed, ConnectionError), msg="a fifth is turned away"):
                    with server.connect() as fifth:
                        fifth.sock.settimeout(PATIENCE)
                        fifth.send(request("POST", "/webhook", b"{}", [("x-line-signature", "x")]))
                        fifth.read()
                for connection in kept[1:]:
                    server.post(text("still served"), connection=connection)
                kept[0].close()

                def free():
                    try:
                        return server.send_body(webhook(text("room again"))).status == 200
                    except (Closed, ConnectionError):
                        return False
                until(free, "the place of the closed connection")
                for connection in kept:
                    connection.close()
                server.stop()

    def test_idle_connections_are_closed(self):
        server = self.serve(self.folder(ECHO), options=["--idle-timeout", f"{int(200 * SCALE)}ms"])
        with server.connect() as connection:
            server.post(text("then silence"), connection=connection)
            self.assertTrue(connection.at_end())
        with server.connect() as connection:
            connection.send(b"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Half-a-he")
            self.assertTrue(connection.at_end(), "half a header is idle too")


class Duplicates(Scenario):
    def test_redelivered_events_are_handled_once_even_across_a_restart(self):
        bot = self.folder(ECHO)
        server = self.serve(bot)
        first = text("only once")
        server.post(first, first)
        self.standin.wait_text("only once")
        again = {**first, "deliveryContext": {"isRedelivery": True}}
        server.post(again, text("between"))
        self.standin.wait_text("between")
        self.assertEqual(server.metric("moonline_events_total", outcome="duplicate"), 2)
        server.stop()
        server = self.serve(bot)
        server.post(again, text("after"))
        self.standin.wait_text("after")
        self.assertEqual(self.standin.texts(), ["only once", "between", "after"])

    def test_events_without_an_id_are_never_duplicates(self):
        server = self.serve(self.folder(ECHO))
        for i in range(2):
            server.post(text("nameless", webhookEventId=None))
        self.standin.wait(lambda: self.standin.texts() == ["nameless"] * 2, "both")

    def test_remembered_ids_are_bounded(self):
        """With room for few ids and no time, old ones are forgotten; what is forgotten is taken again."""
        server = self.serve(self.folder(ECHO), options=["--dedupe-ids", "10", "--dedupe-time", "1ms"])
        first = text("forgotten")
        server.post(first)
        for i in range(40):
            server.post(*(text(f"{i}.{j}", source=f"u{j}") for j in range(25)))
        self.standin.wait(lambda: len(self.standin.texts()) >= 1001, "all of them")
        def again():
            server.post({**first, "replyToken": "r" + os.urandom(15).hex()})
            return server.metric("moonline_events_total", outcome="done") > 1001
        until(again, "the first id to be forgotten", every=0.1)


class SeveralBots(Scenario):
    def test_each_at_its_own_path_with_its_own_secret(self):
        secrets = {"left": "a-secret-for-the-left-bot", "right": "a-secret-for-the-right-bot"}
        self.secrets += secrets.values()
        bots = []
        for name, secret in secrets.items():
            source = ECHO.replace("event.message.text)", f'"{name}: " .. event.message.text)')
            bots.append(self.folder(source, name))
            bots[-1].write(".env", f"# who we are\nLINE_CHANNEL_SECRET={secret}\n")
        server = self.serve(*bots, env=self.env(secret=None))
        self.assertEqual(sorted(re.findall(r"bot (\S+) at (\S+),", "\n".join(server.stdout))),
                         [("left", "/webhook/left"), ("right", "/webhook/right")])
        for name, secret in secrets.items():
            body = webhook(text("hi"))
            self.assertEqual(server.send_body(body, f"/webhook/{name}", signature=sign(body, secret)).status, 200)
            self.standin.wait_text(f"{name}: hi")
            other = secrets["right" if name == "left" else "left"]
            self.assertEqual(server.send_body(body, f"/webhook/{name}", signature=sign(body, other)).status, 401)
        self.assertEqual(server.send_body(webhook(), "/webhook").status, 404)

    def test_the_same_id_for_two_bots_is_two_events(self):
        bots = [self.folder(ECHO, name) for name in ("one", "two")]
        server = self.serve(*bots)
        event = text("for both")
        server.post(event, path="/webhook/one")
        server.post({**event, "replyToken": "another"}, path="/webhook/two")
        self.standin.wait(lambda: self.standin.texts() == ["for both"] * 2, "both bots")


class Passing(Scenario):
    def test_bytes_are_kept_as_they_came(self):
        """What nobody knows yet reaches the store byte for byte: white space, order, escapes, numbers, nulls."""
        raw = ('{ "type":"somethingNew" ,\n\t"webhookEventId":"01RAWRAWRAWRAWRAWRAWRAWRAW", "big": 12345678901234567890,'
               '"float":1.50e+0, "esc":"\\u00e9\\ud83c\\udf4e\\/", "raw":"é🍎","nothing":null, "n":[ ],"twice":1,"twice":2,'
               '"source":{"type":"user","userId":"Uraw"} }')
        server = self.serve(self.folder('require("line").on("somethingNew", function() error("keep it") end)'))
        body = f'{{"later":[{{}}],"events" : [\n{raw} ] ,"destination":"{BOT_USER}"}}'.encode()
        self.assertEqual(server.send_body(body).status, 200)
        self.wait_events(1, "failed")
        shown = self.command("event", "show", "01RAWRAWRAWRAWRAWRAWRAWRAW", "--json", "--data", f"{self.dir}/data").stdout
        self.assertIn(raw, shown)

    def test_siblings_of_an_unknown_event_are_handled(self):
        server = self.serve(self.folder(ECHO))
        server.post({"type": "neverHeardOf"}, text("sibling"), {"no": "type"})
        self.standin.wait_text("sibling")
        server.wait_metric("moonline_events_total", 2, outcome="unhandled")

    def test_200_means_kept(self):
        """The answer comes before the handler has run, and does not wait for it."""
        gate = self.standin.gate("POST /v2/bot/message/reply")
        server = self.serve(self.folder(ECHO))
        begin = time.monotonic()
        server.post(text("slow answer"))
        self.assertLess(time.monotonic() - begin, 2 * SCALE, "LINE waits two seconds")
        gate.wait(1, PATIENCE)
        self.assertEqual(len(self.events("waiting")), 1)
        gate.open()
        self.standin.wait_text("slow answer")
        self.wait_events(0)


if __name__ == "__main__":
    main()
