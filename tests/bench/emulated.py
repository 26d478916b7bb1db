"""The figures of the emulator and of `moonline dev`: replies and webhooks a second, a large world, start to ready."""

import http.client
import json
import os
import statistics
import tempfile
import time

import rig
from rig import MIB, MOONLINE, Broken, Process, Standin, memory_of, tool

TOKEN = "bench-token-0123456789"
CONNECTIONS = 16

TEXT = {"type": "text", "text": "hello"}


def flex_message():
    """A Flex bubble of 2 KB, of what shops send."""
    def row(i):
        return {"type": "box", "layout": "baseline", "margin": "md", "spacing": "sm", "contents": [
            {"type": "icon", "url": "https://example.com/star.png", "size": "sm"},
            {"type": "text", "text": f"Line {i} of the order", "size": "sm", "color": "#999999", "flex": 3},
            {"type": "text", "text": f"{i * 120} yen", "size": "sm", "align": "end", "weight": "bold", "flex": 2}]}
    return {"type": "flex", "altText": "Your order", "contents": {
        "type": "bubble",
        "hero": {"type": "image", "url": "https://example.com/shop.png", "size": "full", "aspectRatio": "20:13",
                 "aspectMode": "cover", "action": {"type": "uri", "uri": "https://example.com/shop"}},
        "body": {"type": "box", "layout": "vertical", "contents": [
            {"type": "text", "text": "Brown Store", "weight": "bold", "size": "xl", "wrap": True},
            *[row(i) for i in range(1, 6)]]},
        "footer": {"type": "box", "layout": "vertical", "spacing": "sm", "contents": [
            {"type": "button", "style": "link", "height": "sm",
             "action": {"type": "postback", "label": "Again", "data": "action=again&order=1"}},
            {"type": "button", "style": "primary", "action": {"type": "uri", "label": "Open",
                                                              "uri": "https://example.com/orders/1"}}]}}}


class Emulator(Process):
    """moonline emulate, ready when the constructor returns. core: the one its processes run on."""

    def __init__(self, *options, core=None, seconds=20):
        self.folder = tempfile.mkdtemp(dir=rig.WORK, prefix="emulator-")
        argv = [MOONLINE, "emulate", "--listen", "127.0.0.1:0", "--no-rates", *options]
        super().__init__(on_core(core) + argv, {"TMPDIR": self.folder, "LINE_CHANNEL_SECRET": rig.SECRET,
                                                "LINE_CHANNEL_ACCESS_TOKEN": TOKEN})
        match, self.ready_ns = self.wait_line(r"on (http://127\.0\.0\.1:(\d+))", seconds)
        self.url, self.port = match[1], int(match[2])
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def all(self):
        return [self.pid, *rig.children(self.pid)]

    def cpu_us(self):
        return sum(rig.cpu_us(pid) for pid in self.all())

    def ask(self, method, path, body=None):
        """A control's answer, decoded."""
        self.http.request(method, path, None if body is None else json.dumps(body))
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Broken(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)


def on_core(core):
    """What stands in front of a command line to keep it on one core."""
    return [] if core is None or os.cpu_count() < 2 else ["taskset", "-c", str(core)]


# ---- requests, written before they are sent ----

def request(path, body, port):
    body = json.dumps(body, separators=(",", ":")).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def volley(port, requests, connections=CONNECTIONS, core=None):
    """Sends them; the seconds it took. All must be answered 200."""
    path = tempfile.mktemp(dir=rig.WORK)
    with open(path, "wb") as f:
        for r in requests:
            f.write(b"%d\n%b" % (len(r), r))
    run = Process(on_core(core) + [tool("volley", "bench"), f"127.0.0.1:{port}", str(connections), path])
    match, _ = run.wait_line(r"^(\S+) (\d+) (\d+)$", 120)
    errors = run.error_tail()
    run.end()
    os.unlink(path)
    if int(match[2]) != len(requests) or int(match[3]):
        raise Broken(f"{match[3]} of {match[2]} requests were not answered 200: {errors}")
    return float(match[1])


# ---- replies ----

def people(emulator, n):
    return [emulator.ask("POST", "/_/users", {"name": f"Guest {i}"})["id"] for i in range(n)]


def act(user, text, port):
    return request("/_/act", {"as": user, "do": "message", "message": {"type": "text", "text": text}}, port)


def reply_tokens(emulator, users, n):
    """Fresh ones, of messages that people send; the account has no webhook URL."""
    tokens = []
    while len(tokens) < n:
        some = min(1000, n - len(tokens))
        volley(emulator.port, [act(users[i % len(users)], "hi", emulator.port) for i in range(some)])
        for event in emulator.ask("GET", f"/_/events?limit={some}")["events"]:
            tokens.append(emulator.ask("GET", "/_/events/" + event["id"])["event"]["replyToken"])
    return tokens


def replies_of(emulator, users, message, n):
    """Replies a second, CPU µs of each."""
    tokens = reply_tokens(emulator, users, n)
    requests = [request("/v2/bot/message/reply", {"replyToken": t, "messages": [message]}, emulator.port) for t in tokens]
    before = emulator.cpu_us()
    seconds = volley(emulator.port, requests, core=1)
    return n / seconds, (emulator.cpu_us() - before) / n
