"""What tests of `moonline emulate` share: one emulator a class, plain http.client towards it, a bot that is a list of what
it received."""

import http.client
import http.server
import json
import os
import re
import shutil
import tempfile
import threading
import unittest

from harness import BINARY, PATIENCE, SANITIZER, Process, environment, sign, until

TOKEN = "emulated-token/of+the=tests"
SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHANNEL, BOT = "2000000001", "Ub0000000000000000000000000000001"
AIKO, SOMCHAI, ZOE = ("U0000000000000000000000000000a001", "U0000000000000000000000000000b002",
                      "U0000000000000000000000000000c003")
GROUP = "C0000000000000000000000000000d004"
CHAT = f"{CHANNEL}:{AIKO}"
HELLO = [{"type": "text", "text": "hello"}]


class Answer:
    def __init__(self, answer):
        self.status, self.reason, self.body = answer.status, answer.reason, answer.read()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json.get("message")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:500]!r}>"


class Emulator(Process):
    """`moonline emulate` on a free port, with a virtual clock."""

    def __init__(self, *options, clock="virtual", home=None, **env):
        self.home = home or tempfile.mkdtemp(prefix="moonline-emulate-")
        super().__init__([BINARY, "emulate", "--listen", "127.0.0.1:0", "--clock", clock, "--log", "json", *options],
                         environment(self.home, LINE_CHANNEL_SECRET=SECRET, LINE_CHANNEL_ACCESS_TOKEN=TOKEN, TMPDIR=self.home,
                                     **env), self.home)
        try:
            self.port = int(self.wait_stdout(r"emulating LINE on http://127\.0\.0\.1:(\d+)$")[1])
        except BaseException:
            self.kill()
            raise

    def connect(self, timeout=PATIENCE):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def raw(self, method, path, body=None, headers=(), connection=None, **how):
        """A request with just these headers; Answer."""
        owned = connection or self.connect()
        try:
            owned.request(method, path, body, dict(headers), **how)
            return Answer(owned.getresponse())
        finally:
            if not connection:
                owned.close()

    def api(self, method, path, body=None, token=TOKEN, connection=None, **headers):
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body).encode()
        if body is not None:
            fields["Content-Type"] = "application/json"
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.raw(method, path, body, {k: v for k, v in fields.items() if v is not None}, connection)

    def control(self, method, path, body=None, status=200, **headers):
        answer = self.raw(method, "/_/" + path, body if isinstance(body, (bytes, str)) or body is None else json.dumps(body),
                          {name.replace("_", "-"): value for name, value in headers.items()})
        if answer.status != status:
            raise AssertionError(f"{method} /_/{path}: {answer}\n{self.tail()}")
        return answer.json if answer.headers["content-type"].startswith("application/json") else answer.body.decode()

    def get(self, path, **how):
        return self.control("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.control("POST", path, {} if body is None else body, **how)

    def act(self, **deed):
        return self.post("act", {"as": AIKO, **{name.rstrip("_"): value for name, value in deed.items()}})

    def say(self, words="hi", **more):
        """The event of what Aiko says."""
        done = self.act(do="message", message={"type": "text", "text": words}, **more)
        return self.get(f"events/{done['events'][0]}")["event"]

    def advance(self, ms):
        return self.post("clock", {"advance": ms})["now"]

    def entries(self, key=CHAT):
        return self.get(f"chats/{key}/entries?limit=500")["entries"]

    def webhook(self, **what):
        return self.control("PATCH", f"channels/{CHANNEL}", {"webhook": what})

    def attempts(self, event, n=1, seconds=None):
        """The record of an event once it was tried n times."""
        return until(lambda: (r := self.get(f"events/{event}")) and len(r["attempts"]) >= n and r,
                     lambda: f"{n} attempts of {event}: {self.get(f'events/{event}')}\n{self.tail()}", seconds)

    def end(self):
        """SIGTERM; it must leave well, tell no secret, and leave nothing behind."""
        self.child.terminate()
        status = self.wait_exit()
        output = self.output()
        shutil.rmtree(self.home, ignore_errors=True)
        for bad, what in ((status, f"it ended with {status}"), (SANITIZER.search(output), "a sanitizer complained"),
                          (SECRET in output or TOKEN in output, "a secret was printed")):
            if bad:
                raise AssertionError(f"{what}\n{self.tail(200)}")


class Bot:
    """Takes webhooks. seen: (headers, body) of each. answer(n): what the n-th is answered, a status, or a function of the
    handler."""

    def __init__(self):
        self.seen, self.condition, self.answer = [], threading.Condition(), lambda n: 200
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with owner.condition:
                    owner.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    answer = owner.answer(len(owner.seen))
                    owner.condition.notify_all()
                if callable(answer):
                    return answer(self)
                self.send_response(answer)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def wait(self, n, seconds=None):
        """All that came, once there were n."""
        with self.condition:
            if not self.condition.wait_for(lambda: len(self.seen) >= n, seconds or PATIENCE):
                raise AssertionError(f"{n} webhooks were awaited, {len(self.seen)} came")
            return list(self.seen)

    def events(self, n=1):
        """The events of the first n webhooks, each of which must be signed well."""
        found = []
        for headers, body in self.wait(n)[:n]:
            if headers["x-line-signature"] != sign(body, SECRET):
                raise AssertionError(f"a wrong signature: {headers} {body}")
            found += json.loads(body)["events"]
        return found

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Emulated(unittest.TestCase):
    """One emulator for the class; each test begins with the world it started with."""

    OPTIONS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not os.access(BINARY, os.X_OK):
            raise AssertionError(f"{BINARY} is not built")
        cls.line = Emulator(*cls.OPTIONS)
        cls.addClassCleanup(cls.line.end)

    def setUp(self):
        self.line.post("reset")
        self.line.control("DELETE", "faults")

    def tearDown(self):
        if not self._outcome.success:
            print("".join(f"# {line}\n" for line in self.line.tail().split("\n")), flush=True)

    def bot(self, **webhook):
        bot = Bot()
        self.addCleanup(bot.close)
        self.line.webhook(endpoint=bot.url, **webhook)
        return bot

    def refused(self, answer, status, message=None, details=None):
        self.assertEqual(answer.status, status, answer)
        self.assertRegex(answer.headers["x-line-request-id"], REQUEST_ID)
        self.assertTrue(answer.headers["content-type"].startswith("application/json"), answer)
        if message is not None:
            self.assertEqual(answer.message, message)
        if details is not None:
            self.assertEqual(answer.json.get("details"), details)
        return answer

    def push(self, to=AIKO, messages=None, **headers):
        return self.line.api("POST", "/v2/bot/message/push", {"to": to, "messages": HELLO if messages is None else messages}, **headers)

    def reply(self, token, messages=None, **headers):
        body = {"replyToken": token, "messages": HELLO if messages is None else messages}
        return self.line.api("POST", "/v2/bot/message/reply", body, **headers)
