"""A small stand-in for the platform's API, in the test's own process, so that a test can make it fail on purpose and
look at every call. It models what the bots here can notice: bearer tokens, reply tokens that work once, retry keys that
answer 409, request ids, profiles, content that is not ready at first. For load there is build/tools/standin instead."""

import json
import re
import socket
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Call:
    """One request the bot made. status is what was answered, 0 for a connection that was cut instead."""

    def __init__(self, n, method, target, headers, body):
        self.n, self.method, self.headers, self.body = n, method, headers, body
        self.path, _, self.query = target.partition("?")
        self.status, self.request_id, self.at = None, str(uuid.uuid4()), time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def key(self):
        return self.headers.get("X-Line-Retry-Key")

    @property
    def texts(self):
        return [m.get("text") for m in self.json.get("messages", [])]

    def __repr__(self):
        return f"#{self.n} {self.method} {self.path} → {self.status} {self.body[:200]!r}"


class Gate:
    """Holds calls until open(); wait(n) returns once n calls are held (or were)."""

    def __init__(self, late):
        self.condition, self.held, self.is_open, self.late = threading.Condition(), 0, False, late

    def hold(self, seconds):
        with self.condition:
            self.held += 1
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.is_open, seconds)

    def open(self):
        with self.condition:
            self.is_open = True
            self.condition.notify_all()

    def wait(self, n, seconds):
        with self.condition:
            if not self.condition.wait_for(lambda: self.held >= n, seconds):
                raise self.late(f"only {self.held} of {n} calls came to the gate")


class Fault:
    """What to do with the next calls whose "METHOD path" matches: answer something else, cut the connection before or
    after doing what was asked, wait at a gate first."""

    def __init__(self, pattern, times, status, body, headers, cut, gate):
        self.pattern, self.times = re.compile(pattern), times
        self.status, self.body, self.headers, self.cut, self.gate = status, body, headers, cut, gate


class Standin:
    def __init__(self, token, late, patience):
        """late: exception class for a wait that was in vain. patience: seconds a wait or a gate lasts by default."""
        self.token, self.late, self.patience = token, late, patience
        self.condition = threading.Condition()
        self.calls, self.accepted, self.faults, self.gates = [], [], [], []
        self.used_tokens, self.keys = set(), {}
        self.missing, self.contents, self.not_ready = set(), {}, {}
        self.issued, self.token_life, self.revoked, self.own_token = [], 900, set(), True  # own_token: self.token works
        self.quota, self.usage = 0, 0
        self.endpoint = None  # the webhook address
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def serve(self):
                standin.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = serve

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close, request_queue_size = True, False, 512

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        for gate in self.gates:
            gate.open()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    # ---- what tests set ----
    def fault(self, pattern, times=1, status=None, body=None, headers=(), cut=None, gate=None):
        """pattern: regular expression on "METHOD /path". cut: "before" or "after" the call was carried out."""
        with self.condition:
            self.faults.append(Fault(pattern, times, status, body, headers, cut, gate))

    def gate(self, pattern, times=1 << 30):
        gate = Gate(self.late)
        self.gates.append(gate)
        self.fault(pattern, times=times, gate=gate)
        return gate

    # ---- what tests look at ----
    def find(self, pattern="", **want):
        """Answered calls whose "METHOD /path" matches; status=, text= (one of its messages) narrow them."""
        found = []
        for call in list(self.calls):
            if call.status is None or not re.search(pattern, f"{call.method} {call.path}"):
                continue
            if "status" in want and call.status != want["status"]:
                continue
            if "text" in want and want["text"] not in (call.texts if call.body else ()):
                continue
            found.append(call)
        return found

    def texts(self, to=None):
        """Texts that arrived, in order of acceptance; to: only those of this user, group, room or reply token."""
        with self.condition:
            return [m.get("text") for target, messages in self.accepted if to in (None, target) for m in messages]

    def wait(self, predicate, what, seconds=None):
        """Until predicate() holds; looked at after every call. Returns its value."""
        with self.condition:
            if not self.condition.wait_for(predicate, seconds or self.patience):
                calls = "\n".join(map(repr, self.calls[-30:]))
                raise self.late(f"the stand-in waited in vain for {what}; its last calls:\n{calls}")
            return predicate()

    def wait_calls(self, n, pattern="", seconds=None, **want):
        self.wait(lambda: len(self.find(pattern, **want)) >= n, f"{n} calls {pattern} {want or ''}", seconds)
        return self.find(pattern, **want)

    def wait_text(self, text, to=None, seconds=None):
        self.wait(lambda: text in self.texts(to), f"the text {text!r} to {to or 'anybody'}", seconds)

    # ---- the platform ----
    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self.condition:
            call = Call(len(self.calls), handler.command, handler.path, handler.headers, body)
            self.calls.append(call)
            fault = next((f for f in self.faults if f.times > 0 and f.pattern.search(f"{call.method} {call.path}")), None)
            if fault:
                fault.times -= 1
        if fault and fault.gate:
            fault.gate.hold(self.patience)
        status, answer, headers = 0, b"", []
        with self.condition:
            if fault and fault.status:
                status, answer, headers = fault.status, fault.body, list(fault.headers)
            elif not fault or fault.cut != "before":
                status, answer, headers = self.perform(call)
            # Known before the bot knows: what it does next must not be seen earlier than this call.
            call.status = 0 if fault and fault.cut else status
            self.condition.notify_all()
        if fault and fault.cut:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.answer(handler, call, status, answer, headers)

    @staticmethod
    def answer(handler, call, status, answer, headers):
        kind = "application/octet-stream"
        if not isinstance(answer, bytes):
            kind, answer = "application/json", json.dumps({} if answer is None else answer).encode()
        for name, value in headers:
            if name.lower() == "content-type":
                kind = value
        lines = [f"HTTP/1.1 {status} x", f"Content-Type: {kind}", f"Content-Length: {len(answer)}",
                 f"X-Line-Request-Id: {call.request_id}"]
        lines += [f"{n}: {v}" for n, v in headers if n.lower() != "content-type"]
        handler.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + answer)

    def perform(self, call):
        """status, body (bytes or JSON value), extra headers. Called with the lock held."""
        if "/oauth" in call.path:
            return self.oauth(call)
        bearer = (call.headers.get("Authorization") or "").removeprefix("Bearer ")
        known = bearer == self.token if self.own_token else bearer in self.issued and bearer not in self.revoked
        if not known:
            return 401, {"message": "the stand-in does not know this token"}, []
        path = urllib.parse.unquote(call.path)
        if send := re.fullmatch(r"/v2/bot/message/(reply|push|multicast|narrowcast|broadcast)", path):
            return self.send(call, send[1])
        if found := re.fullmatch(r"/v2/bot/message/([^/]+)/content(/preview)?", path):
            return self.content(found[1])
        if found := re.fullmatch(r"/v2/bot/(?:profile|group/[^/]+/member|room/[^/]+/member)/([^/]+)", path):
            if found[1] in self.missing:
                return 404, {"message": "Not found"}, []
            return 200, {"userId": found[1], "displayName": "name of " + found[1]}, []
        if found := re.fullmatch(r"/v2/bot/group/([^/]+)/summary", path):
            return 200, {"groupId": found[1], "groupName": "name of " + found[1]}, []
        if re.fullmatch(r"/v2/bot/(group|room)/[^/]+/members/ids", path):  # two pages
            first = call.query != "start=page%202"
            return 200, {"memberIds": ["Ua", "Ub"], "next": "page 2"} if first else {"memberIds": ["Uc"]}, []
        if re.fullmatch(r"/v2/bot/membership/subscription/[^/]+", path):
            return 200, {"subscriptions": [{"membership": {"membershipId": 3189}, "user": {"membershipNo": 1}}]}, []
        if re.fullmatch(r"/v2/bot/(group|room)/[^/]+/members/count", path):
            return 200, {"count": 3}, []
        if path in ("/v2/bot/message/quota", "/v2/bot/message/quota/consumption"):
            return 200, {"totalUsage": self.usage} if path.endswith("consumption") else (
                {"type": "limited", "value": self.quota} if self.quota else {"type": "none"}), []
        if path == "/v2/bot/channel/webhook/endpoint":
            if call.method == "PUT":
                self.endpoint = call.json["endpoint"]
                return 200, {}, []
            return (200, {"endpoint": self.endpoint, "active": True}, []) if self.endpoint else (404, {"message": "Not found"}, [])
        if path == "/v2/bot/info":
            return 200, {"userId": "Ubot", "displayName": "a bot", "chatMode": "bot"}, []
        if re.fullmatch(r"/v2/bot/chat/(loading/start|markAsRead)|/v2/bot/(group|room)/[^/]+/leave", path):
            return 202 if "loading" in path else 200, {}, []
        if path == "/v2/bot/echo":  # for line.request: what came, told back
            return 200, {"method": call.method, "query": call.query, "body": call.body.decode()}, []
        return 404, {"message": "Not found"}, []

    def oauth(self, call):
        """Tokens: issued without a look at who asks (tests look at the forms), numbered, verified, revoked, listed."""
        form = dict(urllib.parse.parse_qsl(call.body.decode() or call.query))
        token = form.get("access_token")
        if call.path in ("/oauth2/v3/token", "/oauth2/v2.1/token"):
            self.issued.append(f"hush-issued-token-{len(self.issued) + 1}-of-the-stand-in")
            answer = {"token_type": "Bearer", "access_token": self.issued[-1], "expires_in": self.token_life}
            return 200, {**answer, **({"key_id": f"kid{len(self.issued)}"} if "v2.1" in call.path else {})}, []
        if call.path == "/oauth2/v2.1/tokens/kid":
            return 200, {"kids": [f"kid{n + 1}" for n, t in enumerate(self.issued) if t not in self.revoked]}, []
        if call.path in ("/oauth2/v2.1/verify", "/v2/oauth/verify"):
            mine = self.issued if "v2.1" in call.path else [self.token]
            if token in mine and token not in self.revoked:
                return 200, {"client_id": "1234567890", "expires_in": 4711, "scope": "profile chat_message.write"}, []
            return 400, {"error": "invalid_request", "error_description": "The access token expired"}, []
        if call.path in ("/oauth2/v2.1/revoke", "/v2/oauth/revoke"):
            self.revoked.add(token)
            return 200, b"", []
        return 404, {"message": "Not found"}, []

    def send(self, call, kind):
        data = call.json
        if not 1 <= len(data.get("messages", [])) <= 5:
            return 400, {"message": "not one to five messages"}, []
        sent = {"sentMessages": [{"id": f"{call.n}{i:03}", "quoteToken": "q"} for i in range(len(data["messages"]))]}
        if kind == "reply":
            if call.key:
                return 400, {"message": "a reply has no retry key"}, []
            if data["replyToken"] in self.used_tokens:
                return 400, {"message": "Invalid reply token"}, []
            self.used_tokens.add(data["replyToken"])
            self.accepted.append((data["replyToken"], data["messages"]))
            return 200, sent, []
        if call.key in self.keys:
            return 409, {"message": "The retry key is already accepted"}, [
                ("X-Line-Accepted-Request-Id", self.keys[call.key])]
        if call.key:
            self.keys[call.key] = call.request_id
        self.accepted.append((str(data.get("to", kind)), data["messages"]))
        return (202 if kind == "narrowcast" else 200), (sent if kind == "push" else {}), []

    def content(self, message):
        if self.not_ready.get(message, 0) > 0:
            self.not_ready[message] -= 1
            return 202, b"", []
        if message not in self.contents:
            return 404, {"message": "not found"}, []
        data, kind = self.contents[message]
        return 200, data, [("Content-Type", kind)]
