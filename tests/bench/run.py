#!/usr/bin/python3
"""The figures of `make bench`: moonline beside bare libmicrohttpd and bare libcurl, in the same run.

Ratios are what counts: they compare on any machine, while microseconds belong to the machine that is named on top. The
parts to be compared take turns, and medians are taken over the rounds, so that a busy moment hits all of them.

`make bench BENCH="--quick"` passes options on; --help lists them."""

import argparse
import base64
import hashlib
import hmac
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source tree stays as it is

import emulated  # noqa: E402
import rig  # noqa: E402
from rig import MIB, Bot, Broken, Process, Standin, hose, memory_of, tool  # noqa: E402

LEVELS = ("off", "os", "fsync")


class Figures:
    """Lines of: what, value, target, verdict."""

    def __init__(self):
        self.over = 0

    def head(self, text):
        print(f"\n{text}")

    def add(self, what, value, unit, target=None, digits=1, note="", least=None):
        """target: at most; least: at least."""
        verdict = ""
        if target is not None:
            self.over += value > target
            verdict = f"target {target:g}".ljust(14) + ("over" if value > target else "ok").ljust(5)
        elif least is not None:
            self.over += value < least
            verdict = f"least {least:g}".ljust(14) + ("under" if value < least else "ok").ljust(5)
        print(f"  {what:<46} {value:>10.{digits}f} {unit:<8} {verdict:<19}{note}".rstrip(), flush=True)


def spread(values):
    return f"{min(values):.1f} … {max(values):.1f}" if len(values) > 1 else ""


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


# ---- CPU an event ----

def bare_server(events):
    server = Process([tool("bare_server", "bench")])
    url = server.wait_line(r"listening on (http://\S+)")[0][1] + "/webhook"
    hose(url, connections=64, count=events // 10)
    before = rig.cpu_us(server.pid)
    hose(url, connections=64, count=events)
    used = rig.cpu_us(server.pid) - before
    server.end()
    return used / events


def bare_client(standin, events):
    done = subprocess.run([tool("bare_client", "bench"), standin.url + "/v2/bot/message/reply", str(events), "64"],
                          capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise Broken("bare_client: " + done.stderr)
    return float(done.stdout)


def echo_cpu(standin, durability, events, profile=False):
    """CPU µs an event of host and worker together, from the first webhook to the last accepted reply."""
    bot = Bot(standin, durability=durability)
    replies = standin.stats()["replies"]
    hose(bot.url, connections=64, count=events // 10)
    standin.wait_replies(replies + events // 10)
    recorder = start_profile(bot) if profile else None
    host, both, began = rig.cpu_us(bot.pid), bot.cpu_us(), time.monotonic()
    report = hose(bot.url, connections=64, count=events)
    standin.wait_replies(replies + events // 10 + events)
    used = bot.cpu_us() - both
    result = {"us": used / events, "host": (rig.cpu_us(bot.pid) - host) / events, "ack": report["ack_ms"],
              "webhooks": report["per_second"], "answers": events / (time.monotonic() - began)}
    if recorder:
        show_profile(*recorder)
    bot.end()
    return result


def cpu(figures, options):
    events = 10_000 if options.quick else 60_000
    rounds = options.rounds or (1 if options.quick else 3)
    standin = Standin("--calls", "0")
    servers, clients, levels = [], [], {level: [] for level in LEVELS}
    for _ in range(rounds):
        servers.append(bare_server(events))
        clients.append(bare_client(standin, events))
        for level in LEVELS:
            levels[level].append(echo_cpu(standin, level, events))
    standin.end()
    figures.head(f"CPU per echo event, host and worker, 64 connections, {events} events, median of {rounds}")
    bare = statistics.median(s + c for s, c in zip(servers, clients))
    figures.add("bare libmicrohttpd, 200 to a POST", statistics.median(servers), "µs", note=spread(servers))
    figures.add("bare libcurl, one POST", statistics.median(clients), "µs", note=spread(clients))
    medians = {}
    for level in LEVELS:
        used = [r["us"] for r in levels[level]]
        medians[level] = statistics.median(used)
        host = statistics.median(r["host"] for r in levels[level])
        figures.add(f"moonline, durability {level}", medians[level], "µs",
                    note=f"{spread(used)}  host {host:.1f}, worker {medians[level] - host:.1f}".strip())
    figures.add("off to the bare sum", medians["off"] / bare, "×", 1.8, 2)
    # What others do on the machine only ever adds: the least of each is the nearest to the truth.
    figures.add("the same of each one's best round", min(r["us"] for r in levels["off"]) / (min(servers) + min(clients)),
                "×", None, 2)
    figures.add("fsync to off", medians["fsync"] / medians["off"], "×", 1.35, 2)
    for level in LEVELS:
        figures.add(f"webhooks acknowledged, {level}", statistics.median(r["webhooks"] for r in levels[level]), "/s",
                    digits=0)
    for level in LEVELS:
        figures.add(f"answers sent, {level}", statistics.median(r["answers"] for r in levels[level]), "/s", digits=0)


# ---- acknowledgement and answer ----

def latency(figures, options):
    figures.head("acknowledgement, closed loop")
    scale = 5 if options.quick else 1
    targets = {("off", 1): 5, ("fsync", 64): 20}
    standin = Standin("--calls", "0")
    for level in ("off", "fsync"):
        bot = Bot(standin, durability=level)
        for connections, events in ((1, 3000), (64, 30_000), (256, 30_000)):
            replies = standin.stats()["replies"]
            ack = hose(bot.url, connections=connections, count=events // scale)["ack_ms"]
            standin.wait_replies(replies + events // scale)
            name = f"{level}, {connections} connection{'s' * (connections > 1)}"
            figures.add(f"{name}: p50", ack["p50"], "ms", digits=2)
            figures.add(f"{name}: p99", ack["p99"], "ms", targets.get((level, connections)), 2)
            # A stall is a connection that is forgotten, not a busy machine: those of libmicrohttpd last for seconds.
            figures.add(f"{name}: longest", ack["max"], "ms", 1000 if connections == 256 else None, 2)
        bot.end()
    standin.end()
    for level in ("off", "fsync"):
        answers(figures, level, 2 if options.quick else 6)


def answers(figures, level, seconds):
    """Webhook sent to reply received, at a rate that leaves the machine room."""
    rate = 500
    log, record = tempfile.mktemp(dir=rig.WORK), tempfile.mktemp(dir=rig.WORK)
    standin = Standin("--calls", "0", "--log", log)
    bot = Bot(standin, durability=level)
    sent = hose(bot.url, connections=16, rate=rate, seconds=seconds, record=record)["acked"]
    standin.wait_replies(sent)
    bot.end()
    standin.end()
    received = {}
    with open(log, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            numbers = fields[6].partition("You said: ")[2].strip('"').split(" ")
            received[numbers[0], numbers[1]] = int(fields[0])
    with open(record, encoding="ascii") as f:
        rows = [line.split() for line in f]
    took = [(received["c" + r[1], "n" + r[2]] - int(r[5])) / 1e6 for r in rows]
    figures.head(f"webhook sent to reply received, {level}, {rate} events/s")
    figures.add("p50", percentile(took, 0.5), "ms", digits=2)
    figures.add("p99", percentile(took, 0.99), "ms", digits=2)


# ---- save to live ----

VERSIONED = """local line = require "line"

line.on("message.text", function(event)
  event:reply("version %d of the bot")
end)
"""


def save(path, source, by_rename):
    """As editors do: in place, or beside and renamed. The ns it was finished."""
    target = path + ".tmp" if by_rename else path
    with open(target, "w", encoding="utf-8") as f:
        f.write(source)
    if by_rename:
        os.rename(target, path)
    return time.monotonic_ns()


def first_answer(log, version, seconds=10):
    """Follow the stand-in's log to the first reply of this version; its ns."""
    deadline, wanted = time.monotonic() + seconds, f'"version {version} of'.encode()
    while time.monotonic() < deadline:
        line = log.readline()
        if line.endswith(b"\n"):
            if wanted in line:
                return int(line.partition(b"\t")[0])
        else:
            log.seek(-len(line), os.SEEK_CUR)  # half a line: again when it is whole
            time.sleep(0.001)
    raise Broken(f"version {version} did not answer within {seconds} s of its save")


def save_to_live(figures, options):
    saves = 10 if options.quick else 100
    path = tempfile.mktemp(dir=rig.WORK)
    standin = Standin("--calls", "0", "--log", path)
    bot = Bot(standin, VERSIONED % 0)
    # Answers say when new code runs, so there must always be one soon: 1,000 a second limit the error to 1 ms.
    load = Process(rig.hose_argv(bot.url, connections=16, rate=1000, seconds=3600, chats=256))
    took = []
    with open(path, "rb") as log:
        first_answer(log, 0)
        for version in range(1, saves + 1):
            saved = save(bot.file, VERSIONED % version, version % 2 == 0)
            took.append((first_answer(log, version) - saved) / 1e6)
            time.sleep(0.05 + version % 7 * 0.01)  # an old generation may still be leaving, or not
    load.end()
    bot.end()
    standin.end()
    figures.head(f"file saved to first reply of the new code, {saves} saves under 1,000 events/s")
    figures.add("median", statistics.median(took), "ms", 50)
    figures.add("p99", percentile(took, 0.99), "ms", 150)


# ---- start to ready ----

def first_200(port):
    """A signed webhook without events, as the console's Verify button sends it, until it is answered 200; the ns."""
    body = b'{"destination":"Ub0700000000000000000000000000000","events":[]}'
    signature = base64.b64encode(hmac.new(rig.SECRET.encode(), body, hashlib.sha256).digest()).decode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(f"POST /webhook HTTP/1.1\r\nHost: localhost\r\nx-line-signature: {signature}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = s.recv(4096)
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise Broken(f"a signed webhook without events was answered {answer[:100]!r}")
    return time.monotonic_ns()


def start(figures, options):
    starts = 5 if options.quick else 20
    standin = Standin("--calls", "0")
    lines, answered = [], []
    for _ in range(starts):
        bot = Bot(standin)
        answered.append((first_200(bot.port) - bot.started_ns) / 1e6)
        lines.append((bot.ready_ns - bot.started_ns) / 1e6)
        bot.end()
    standin.end()
    figures.head(f"start to ready, median of {starts}")
    figures.add("both lines on standard output", statistics.median(lines), "ms", note=spread(lines))
    figures.add("first 200", statistics.median(answered), "ms", 60, note=spread(answered))


# ---- memory ----

SLEEPER = """local line = require "line"

line.on("message.text", function(event)
  line.sleep(86400)
end)
"""


def memory(figures, options):
    standin = Standin("--calls", "0")
    bot = Bot(standin)
    first_200(bot.port)
    time.sleep(0.5)  # start-up has settled
    figures.head("memory, host and one worker")
    idle = memory_of(bot.all(), "Pss") / MIB
    figures.add("idle, shared pages counted once (PSS)", idle, "MiB", 16,
                note=f"host {memory_of([bot.pid], 'Pss') / MIB:.1f}, "
                     f"worker {memory_of(bot.workers(), 'Pss') / MIB:.1f}")
    figures.add("idle, shared pages counted twice (RSS)", memory_of(bot.all(), "Rss") / MIB, "MiB")
    events = 1_000_000 if options.long else 20_000 if options.quick else 200_000
    sizes = []
    for part in range(1, 5):
        hose(bot.url, connections=64, count=events // 4)
        standin.wait_replies(events // 4 * part, 600)
        time.sleep(0.5)
        sizes.append(memory_of(bot.all(), "Pss") / MIB)
    figures.add(f"after {events} events", sizes[-1], "MiB", note="quarters: " + ", ".join(f"{s:.1f}" for s in sizes))
    figures.add("growth from the first quarter to the last", sizes[-1] - sizes[0], "MiB", 2)
    bot.end()
    if options.long:
        waiting(figures, standin, idle)
    standin.end()


def waiting(figures, standin, idle):
    """A million events that cannot be handled yet: nearly all of them must wait on disk."""
    bot = Bot(standin, SLEEPER, ["--handler-limit", "24h", "--drain", "0s"])
    hose(bot.url, connections=16, count=1_000_000, per_webhook=100, chats=10_000)
    time.sleep(1)
    size = memory_of(bot.all(), "Pss") / MIB
    figures.add("with 1000000 waiting events", size, "MiB", idle + 32, note="target: 32 above idle")
    bot.end()


# ---- profile ----

def start_profile(bot):
    data = tempfile.mktemp(dir=rig.WORK)
    try:
        recorder = Process(["perf", "record", "-q", "-g", "-F", "999", "-o", data, "-p",
                            ",".join(str(pid) for pid in bot.all())])
    except FileNotFoundError:
        print("\nno profile: perf is not installed")
        return None
    time.sleep(0.5)
    return recorder, data


def show_profile(recorder, data):
    recorder.end(2)
    for what, sort in (("by library", "comm,dso"), ("by function", "comm,dso,symbol")):
        report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none",
                                 "--percent-limit", "0.7", "--sort", sort], capture_output=True, text=True, check=False)
        print(f"\nprofile {what}")
        for line in report.stdout.splitlines():
            if line and not line.startswith("#"):
                print("  " + line.strip())
        if report.returncode:
            print("  " + report.stderr.strip()[-300:])


# ---- many pushes at once ----

PUSHER = """local line = require "line"

line.on("message.text", function(event)
  for round = 1, %d do
    local pushes = {}
    for i = 1, 1000 do
      pushes[i] = function() line.push(("U%%032x"):format(i), "news " .. i) end
    end
    line.all(pushes)
    line.sleep(0.6) -- LINE's limit is 2,000 a second, and calls beyond it would wait
  end
  event:reply("done")
end)
"""

CONNECTIONS = 16


def bare_push(standin, pushes):
    done = subprocess.run([tool("bare_client", "bench"), standin.url + "/v2/bot/message/push", str(pushes), str(CONNECTIONS)],
                          capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise Broken("bare_client: " + done.stderr)
    return float(done.stdout)


def bot_push(standin, thousands):
    """CPU µs a push of the worker."""
    bot = Bot(standin, PUSHER % thousands, ["--api-connections", str(CONNECTIONS), "--handler-limit", "10m"])
    used = []
    for _ in range(2):  # the first one warms up
        replies, before = standin.stats()["replies"], sum(map(rig.cpu_us, bot.workers()))
        hose(bot.url, connections=1, count=1)
        standin.wait_replies(replies + 1, 300)
        used.append((sum(map(rig.cpu_us, bot.workers())) - before) / thousands / 1000)
    bot.end()
    return used[1]


def push(figures, options):
    thousands = 5 if options.quick else 20
    rounds = options.rounds or (1 if options.quick else 3)
    standin = Standin("--calls", "0")
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(bare_push(standin, thousands * 1000))
        ours.append(bot_push(standin, thousands))
    standin.end()
    figures.head(f"1,000 pushes at once from one worker over {CONNECTIONS} connections, {thousands} times, median of {rounds}")
    figures.add("bare libcurl multi, one push", statistics.median(bare), "µs", note=spread(bare))
    figures.add("moonline, one line.push of 1,000 in line.all", statistics.median(ours), "µs", note=spread(ours))
    figures.add("moonline to bare", statistics.median(ours) / statistics.median(bare), "×", 1.25, 2)


# ---- checks before sending ----

def throw_away_certificate():
    """Paths of a certificate for 127.0.0.1 and of its key."""
    certificate, key = tempfile.mktemp(".pem", dir=rig.WORK), tempfile.mktemp(".key", dir=rig.WORK)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


def flex(figures, options):
    """What a message costs before libcurl has it. Sending is to this machine: distance adds to it."""
    certificate, key = throw_away_certificate()
    servers = [Process([tool("bare_server", "bench")]), Process([tool("bare_server", "bench"), certificate, key])]
    urls = [server.wait_line(r"listening on (https?://\S+)")[0][1] + "/v2/bot/message/push" for server in servers]
    done = subprocess.run([tool("bench_check", "bench"), "50" if options.quick else "500", *urls, certificate],
                          capture_output=True, text=True, check=False, timeout=600)
    for server in servers:
        server.end()
    if done.returncode:
        raise Broken("bench_check: " + done.stderr)
    size, walk, cjson, checking, encoding, both, plain, tls = map(float, done.stdout.split())
    figures.head(f"a Flex carousel of {size / 1000:.1f} KB, CPU a message")
    figures.add("bare walk: lua_next and lua_type, nothing else", walk, "µs")
    figures.add("lua-cjson, encoding", cjson, "µs")
    figures.add("checking alone (line.check)", checking, "µs")
    figures.add("encoding alone (json.encode)", encoding, "µs")
    figures.add("checking and encoding, one walk (line.push)", both, "µs")
    figures.add("bare libcurl, sending the bytes", plain, "µs")
    figures.add("bare libcurl, sending them over TLS, as to LINE", tls, "µs")
    for what, sending in (("sending", plain), ("sending over TLS", tls)):
        figures.add(f"bare walk to {what}", 100 * walk / sending, "%")
        figures.add(f"lua-cjson to {what}", 100 * cjson / sending, "%")
        figures.add(f"checking and encoding to {what}", 100 * both / sending, "%", 10)


def emulator(figures, options):
    """Lua alone, under the plain interpreter: what a call of the emulator costs beside the runtime's own work."""
    size = ("100000", "10000") if options.quick else ("1000000", "100000")
    done = subprocess.run(["lua5.4", "tests/bench/emulator.lua", *size], capture_output=True, text=True, check=False, timeout=900,
                          env={**os.environ, "MOONLINE_TOOLS": os.path.dirname(tool("rows"))})
    if done.returncode:
        raise Broken("emulator.lua: " + done.stderr)
    figures.head("the emulator: Lua alone")
    for line in done.stdout.splitlines():
        what, value, unit, target = line.split("\t")
        figures.add(what, float(value), unit, float(target) or None)


def page(figures, options):
    """What a person waits for, in Chromium: the figures are made by tests/bench/page.mjs."""
    done = subprocess.run(["node", "tests/bench/page.mjs", "20" if options.quick else "50"], capture_output=True, text=True, check=False,
                          timeout=300, env={**os.environ, "BUILD": os.environ.get("BUILD", "build")})
    if done.returncode:
        raise Broken("page.mjs: " + done.stderr[-2000:] + " (what it needs is brought by make browser)")
    took = [float(ms) for ms in done.stdout.split()]
    figures.head(f"the page in Chromium, {len(took)} messages to an echo bot")
    figures.add("key press to the bot's answer drawn, median", statistics.median(took), "ms", 50, note=spread(took))


def profile(figures, options):
    """Not a figure: where the time goes. Only with --profile."""
    del figures
    standin = Standin("--calls", "0")
    for level in ("off", "fsync"):
        print(f"\nprofile of echo events, durability {level}")
        echo_cpu(standin, level, 20_000 if options.quick else 100_000, profile=True)
    standin.end()


PARTS = {"cpu": cpu, "latency": latency, "save": save_to_live, "start": start, "memory": memory,
         "push": push, "flex": flex, "emulator": emulator,
         "replies": emulated.replies, "world": emulated.world, "dev": emulated.dev, "page": page, "profile": profile}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, rougher")
    parser.add_argument("--long", action="store_true", help="memory over 1,000,000 events, and with as many waiting")
    parser.add_argument("--profile", action="store_true", help="also: where the CPU time goes (perf)")
    parser.add_argument("--rounds", type=int, help="rounds of the CPU comparison (3)")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be repeated")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a figure is over its target")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("BENCH", "")))
    rig.end_on_signal()
    figures = Figures()
    print(f"moonline bench: {rig.machine()}")
    parts = options.only or [name for name in PARTS if name != "profile" or options.profile]
    broken = 0
    for name in parts:
        try:
            PARTS[name](figures, options)
        except Broken as e:
            broken += 1
            print(f"\n{name}: broke off: {e}")
    print(f"\n{figures.over} over target, {broken} broke off")
    return 1 if broken or (options.strict and figures.over) else 0


if __name__ == "__main__":
    sys.exit(main())
