"""The figures of the emulator and of `moonline dev`: replies and webhooks a second, a large world, start to ready."""

import http.client
import json
import os
import queue
import re
import statistics
import tempfile
import threading
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


def replies_of(target, port, requests):
    """Replies a second, and CPU µs of each; target: what answers them."""
    before = target.cpu_us()
    seconds = volley(port, requests, core=1)
    return len(requests) / seconds, (target.cpu_us() - before) / len(requests)


class Peer(Standin):
    """The stand-in on one core, as what could be reached at most."""

    def __init__(self):
        super().__init__("--calls", "0")
        if os.cpu_count() > 1:
            os.sched_setaffinity(self.pid, {0})

    def cpu_us(self):
        return rig.cpu_us(self.pid)


def reply_requests(tokens, message, port):
    return [request("/v2/bot/message/reply", {"replyToken": t, "messages": [message]}, port) for t in tokens]


def webhooks(emulator, users, n):
    """Webhooks a second out of the emulator, each of a message that somebody sends, and CPU µs of both."""
    bot = Process(on_core(1) + [tool("bare_server", "bench")])
    url = bot.wait_line(r"listening on (http://\S+)")[0][1] + "/webhook"
    channel = emulator.ask("GET", "/_/world")["channels"][0]["id"]
    emulator.ask("PATCH", f"/_/channels/{channel}", {"webhook": {"endpoint": url}})
    before, began = emulator.cpu_us(), time.monotonic()
    volley(emulator.port, [act(users[i % len(users)], "hi", emulator.port) for i in range(n)], core=1)
    while emulator.ask("GET", "/_/statistics")["channels"][channel]["delivered"] < n:
        if time.monotonic() - began > 120:
            raise Broken(f"{n} webhooks were not delivered within 120 s")
        time.sleep(0.01)
    seconds = time.monotonic() - began
    used = emulator.cpu_us() - before
    bot.end()
    return n / seconds, used / n


def replies(figures, options):
    n, rounds = (2000, 1) if options.quick else (6000, 3)
    messages = {"text": TEXT, "Flex of 2 KB": flex_message()}
    ours = {name: [] for name in messages}
    theirs = {name: [] for name in messages}
    there = Emulator(core=0)
    peer = Peer()
    users = people(there, 50)
    for i in range(rounds):
        for name, message in messages.items():
            tokens = reply_tokens(there, users, n)
            ours[name].append(replies_of(there, there.port, reply_requests(tokens, message, there.port)))
            invented = [f"{i:04x}{len(name):04x}{k:024x}" for k in range(n)]
            theirs[name].append(replies_of(peer, peer.port, reply_requests(invented, message, peer.port)))
    figures.head(f"moonline emulate on one core, {CONNECTIONS} connections, {n} replies, median of {rounds}")
    for name in messages:
        figures.add(f"replies, {name}", statistics.median(r[0] for r in ours[name]), "/s", digits=0,
                    least=2000 if name == "text" else None,
                    note=f"CPU {statistics.median(r[1] for r in ours[name]):.0f} µs each, host and worker")
        figures.add(f"the stand-in in C, {name}", statistics.median(r[0] for r in theirs[name]), "/s", digits=0,
                    note=f"CPU {statistics.median(r[1] for r in theirs[name]):.0f} µs each")
    rate, used = webhooks(there, users, n)
    figures.add("a person's message to webhook answered 200", rate, "/s", digits=0, note=f"CPU {used:.0f} µs each")
    there.end()
    peer.end()


# ---- a large world ----

WORLD = """local users, history = {{}}, {{}}
for i = 1, {users} do
  users[i] = {{id = ("U%032x"):format(i), name = "Guest " .. i, language = "ja", friend = true}}
end
for i = 1, {messages} do
  history[i] = {{chat = users[i % {users} + 1].id, from = i % 2 == 0 and "bot" or nil,
    text = "a message of some forty letters, nr " .. i}}
end
return {{users = users, history = history}}
"""


def peak(pids):
    """KiB that were resident at most."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            total += int(re.search(r"^VmHWM:\s+(\d+)", f.read(), re.M)[1])
    return total


def timed(fn):
    began = time.monotonic()
    result = fn()
    return result, (time.monotonic() - began) * 1000


def save_world(there, path):
    there.http.request("GET", "/_/save")
    answer = there.http.getresponse()
    with open(path, "wb") as f:
        while piece := answer.read(1 << 20):
            f.write(piece)
    return os.path.getsize(path) / 1e6


def broadcast(there):
    there.http.request("POST", "/v2/bot/message/broadcast", json.dumps({"messages": [TEXT]}),
                       {"authorization": "Bearer " + TOKEN, "content-type": "application/json"})
    answer = there.http.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise Broken(f"a broadcast was answered {answer.status} {text[:200]!r}")


def world(figures, options):
    users, messages = (10_000, 100_000) if options.quick else (100_000, 1_000_000)
    large = 1024 if not options.quick else None
    source, saved = tempfile.mktemp(".lua", dir=rig.WORK), tempfile.mktemp(".json", dir=rig.WORK)
    with open(source, "w", encoding="utf-8") as f:
        f.write(WORLD.format(users=users, messages=messages))
    figures.head(f"the emulator with {users} friends and {messages} messages, host and worker")
    there = Emulator("--world", source, seconds=240)
    figures.add("a world file in Lua: start to ready", (there.ready_ns - there.started_ns) / 1e9, "s")
    figures.add("memory then (PSS)", memory_of(there.all(), "Pss") / MIB, "MiB", large,
                note=f"at most resident: {peak(there.all()) / MIB:.0f}")
    overview, first = timed(lambda: there.ask("GET", "/_/world"))
    looks = [timed(lambda: there.ask("GET", "/_/world"))[1] for _ in range(5)]
    figures.add("what a page loads (GET /_/world)", statistics.median(looks), "ms", 100, note=f"the first time {first:.0f}")
    chat = f"{overview['channels'][0]['id']}:U{17:032x}"
    looks = [timed(lambda: there.ask("GET", f"/_/chats/{chat}/entries"))[1] for _ in range(5)]
    figures.add("a chat's history", statistics.median(looks), "ms", 100, 2)
    figures.add("a broadcast to all", timed(lambda: broadcast(there))[1], "ms")
    size, took = timed(lambda: save_world(there, saved))
    figures.add("saved", took / 1000, "s", note=f"{size:.0f} MB")
    figures.add("memory then (PSS)", memory_of(there.all(), "Pss") / MIB, "MiB", large,
                note=f"at most resident: {peak(there.all()) / MIB:.0f}")
    there.end()
    there = Emulator("--world", saved, seconds=240)
    figures.add("what was saved: start to ready", (there.ready_ns - there.started_ns) / 1e9, "s")
    figures.add("memory then (PSS)", memory_of(there.all(), "Pss") / MIB, "MiB", large,
                note=f"at most resident: {peak(there.all()) / MIB:.0f}")
    if there.ask("GET", "/_/world")["usersTotal"] != users:
        raise Broken("a saved world has other people")
    there.end()


# ---- moonline dev ----

class Dev(Process):
    """moonline dev with the echo bot, ready when the constructor returns: the bot's line is there, the page answers."""

    def __init__(self):
        folder = tempfile.mkdtemp(dir=rig.WORK, prefix="dev-")
        path = os.path.join(folder, "bot.lua")
        with open(path, "w", encoding="utf-8") as f:
            f.write(rig.ECHO)
        super().__init__([MOONLINE, "dev", path, "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"], {"TMPDIR": folder})
        self.port, bot = None, False
        while not (self.port and bot):
            match, _ = self.wait_line(r"page on http://127\.0\.0\.1:(\d+)|generation 1\b")
            bot = bot or not match[1]
            self.port = self.port or match[1] and int(match[1])
        page = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        page.request("GET", "/")
        answer = page.getresponse()
        answer.read()
        if answer.status != 200:
            raise Broken(f"the page was answered {answer.status}")
        self.ready_ns = time.monotonic_ns()

    def all(self):
        return [self.pid, *rig.children(self.pid)]


def answers_on_stream(port, n):
    """ms from a person's message to the bot's answer on the page's stream."""
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    stream.request("GET", "/_/feed")
    lines, came = stream.getresponse(), queue.Queue()

    def read():
        for line in lines:
            if b'"kind":"message"' in line and b'"from":"bot"' in line:
                came.put(time.monotonic())
    threading.Thread(target=read, daemon=True).start()
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    page.request("GET", "/_/world")
    user = json.loads(page.getresponse().read())["users"][0]["id"]
    took = []
    for i in range(n):
        began = time.monotonic()
        page.request("POST", "/_/act", json.dumps({"as": user, "do": "message", "message": {"type": "text", "text": f"{i}"}}))
        page.getresponse().read()
        try:
            took.append((came.get(timeout=20) - began) * 1000)
        except queue.Empty:
            raise Broken("the bot's answer did not come on the page's stream") from None
    return took


def dev(figures, options):
    starts, took = 5 if options.quick else 20, []
    for i in range(starts):
        there = Dev()
        took.append((there.ready_ns - there.started_ns) / 1e6)
        if i < starts - 1:
            there.end()
    time.sleep(0.5)  # start-up has settled
    figures.head(f"moonline dev with an echo bot, {starts} starts")
    figures.add("start to the page answering 200, the bot ready", statistics.median(took), "ms", 300,
                note=f"{min(took):.0f} … {max(took):.0f}")
    figures.add("idle, shared pages counted once (PSS)", memory_of(there.all(), "Pss") / MIB, "MiB")
    figures.add("idle, shared pages counted for each (RSS)", memory_of(there.all(), "Rss") / MIB, "MiB",
                note=f"{len(there.all())} processes")
    answers = answers_on_stream(there.port, 20 if options.quick else 100)
    figures.add("a message sent to the bot's answer on the stream", statistics.median(answers), "ms", 50, 2,
                note=f"{min(answers):.1f} … {max(answers):.1f}")
    there.end()
