"""What every scenario test stands on: a folder with a bot, a moonline process around it, signed webhooks in, the
stand-in's calls out. Everything waits on something that happens, with a deadline whose message shows the logs.

    MOONLINE        the binary, default build/moonline
    TIME_SCALE      multiplies every deadline (sanitizers, slow machines), default 1
    LOAD_SECONDS    length of the load scenarios, CRASH_ROUNDS kills, QUEUE_EVENTS waiting events: small by default, so
                    that a run while working is short; CI sets 30, 50 and 100000
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

# Whoever starts the tests in the background may have them ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

from rawhttp import Connection, request
from standin import Standin

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.abspath(os.environ.get("MOONLINE", os.path.join(ROOT, "build", "moonline")))
TOOLS = os.environ.get("MOONLINE_TOOLS", os.path.join(os.path.dirname(BINARY), "tools"))
SCALE = float(os.environ.get("TIME_SCALE", "1"))
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "5"))
CRASH_ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
QUEUE_EVENTS = int(os.environ.get("QUEUE_EVENTS", "10000"))
with open(BINARY, "rb") if os.access(BINARY, os.R_OK) else open(os.devnull, "rb") as _file:
    SANITIZED = b"__asan_init" in _file.read()  # memory figures mean nothing then
PATIENCE = 10 * SCALE  # seconds a wait lasts before the test fails

SECRET = "7f5dbd1c0b1f4c1b8f2a6d0e9c3b7a51"
TOKEN = "hush/TokenOfTheScenarioTests+0123456789=="
BOT_USER = "U00000000000000000000000000000b07"


class Late(AssertionError):
    """A wait was in vain."""


def until(predicate, what, seconds=None, every=0.01):
    """For conditions nobody announces: look until it holds. Returns the predicate's value. what: words, or a function
    that finds them when it is too late."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while True:
        if value := predicate():
            return value
        if time.monotonic() > deadline:
            raise Late(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(every)


# ---- events and webhooks ----
_numbers = itertools.count(1)
_run = "%08X" % (int(time.time()) & 0xFFFFFFFF)


def user(name):
    """A user id that looks like one, the same for the same name."""
    return "U" + hashlib.md5(str(name).encode()).hexdigest()


def event(kind="message", source=None, **fields):
    """A well-formed event with ids of its own. source: a dict, or a name for a user."""
    n = next(_numbers)
    if not isinstance(source, dict):
        source = {"type": "user", "userId": user(source or "somebody")}
    made = {"type": kind, "webhookEventId": f"01{_run}{n:016X}", "deliveryContext": {"isRedelivery": False},
            "timestamp": 1700000000000 + n, "source": source, "replyToken": f"r{_run}{n:023}", "mode": "active"}
    made.update(fields)
    return {k: v for k, v in made.items() if v is not None}


def text(words, source=None, **fields):
    return event("message", source, message={"id": str(next(_numbers)), "type": "text", "quoteToken": "q", "text": words},
                 **fields)


def group(name, member=None):
    source = {"type": "group", "groupId": "C" + user(name)[1:]}
    return {**source, "userId": user(member)} if member else source


def webhook(*events):
    return json.dumps({"destination": BOT_USER, "events": list(events)}).encode()


def sign(body, secret=SECRET):
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


# ---- processes ----
def children(pid):
    """Process ids whose parent is pid and that still run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(name))
    return sorted(found)


def resident(pid):
    """Resident memory in bytes."""
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024


def environment(home, **extra):
    """What a child sees: nothing of the developer's own set-up but the sanitizers' options."""
    keep = ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD")
    made = {k: v for k, v in os.environ.items() if k in keep}
    made.update(HOME=str(home), **{k: v for k, v in extra.items() if v is not None})
    return made


class Process:
    """A child whose two outputs are gathered line by line."""

    def __init__(self, argv, env, cwd, preexec=None):
        self.argv, self.condition = argv, threading.Condition()
        self.stdout, self.stderr = [], []
        self.child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, preexec_fn=preexec)
        self.pid = self.child.pid
        self.readers = [threading.Thread(target=self._gather, args=pair, daemon=True) for pair in
                        ((self.child.stdout, self.stdout), (self.child.stderr, self.stderr))]
        for reader in self.readers:
            reader.start()

    def _gather(self, pipe, lines):
        for line in pipe:
            with self.condition:
                lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.condition.notify_all()
        pipe.close()

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait_exit(self, seconds=None):
        try:
            status = self.child.wait(seconds or PATIENCE)
        except subprocess.TimeoutExpired:
            raise Late(f"{os.path.basename(self.argv[0])} does not end\n{self.tail()}") from None
        for reader in self.readers:
            reader.join(PATIENCE)
        return status

    def kill(self):
        if self.running():
            self.child.kill()
        self.wait_exit()

    def output(self):
        return "\n".join(self.stdout + self.stderr)

    def tail(self, n=40):
        return "\n".join([f"--- {' '.join(self.argv)}", "--- stdout", *self.stdout[-n:], "--- stderr",
                          *(line[:1500] for line in self.stderr[-n:])])

    def wait_output(self, find, what, seconds=None):
        """Until find() gives something; asked after every line. Fails at once when the process has ended."""
        deadline = time.monotonic() + (seconds or PATIENCE)
        with self.condition:
            while not (value := find()):
                ended = not self.running() and not any(r.is_alive() for r in self.readers)
                if ended or time.monotonic() > deadline:
                    why = f"it ended with {self.child.returncode}" if ended else "too late"
                    raise Late(f"waited in vain for {what} ({why})\n{self.tail()}")
                self.condition.wait(0.05)
            return value

    def wait_stdout(self, pattern, seconds=None):
        return self.wait_output(lambda: next(filter(None, (re.search(pattern, x) for x in list(self.stdout))), None),
                                f"a line like {pattern!r} on stdout", seconds)


class Moonline(Process):
    """`moonline run`. url and admin are known once it listens."""

    def __init__(self, paths, options, env, cwd, preexec=None, secret=SECRET, port=0):
        listen = [] if "--listen" in options else ["--listen", f"127.0.0.1:{port}"]
        admin = [] if "--admin" in options else ["--admin", "127.0.0.1:0"]
        super().__init__([BINARY, "run", *listen, *admin, *options, *paths], env, cwd, preexec)
        self.secret, self.port, self.admin_port = secret, None, None

    def wait_listening(self):
        self.port = int(self.wait_stdout(r"^moonline: listening on https?://127\.0\.0\.1:(\d+)$")[1])
        self.admin_port = int(self.wait_stdout(r"^moonline: admin on http://127\.0\.0\.1:(\d+)$")[1])
        return self

    def wait_ready(self, bots=1):
        pattern = re.compile(r"^moonline: bot (\S+) at (\S+), generation (\d+), (\d+) handlers?$")
        self.wait_output(lambda: sum(bool(pattern.match(x)) for x in list(self.stdout)) >= bots, f"{bots} ready bots")
        return self

    # -- webhooks --
    def connect(self, context=None):
        return Connection("127.0.0.1", self.port, PATIENCE, context)

    def send_body(self, body, path="/webhook", headers=(), signature=None, connection=None):
        """POST a body, signed unless a signature is given; "" sends none. Returns the answer."""
        if signature is None:
            signature = sign(body, self.secret)
        fields = [("Content-Type", "application/json; charset=utf-8"), *headers]
        if signature:
            fields.append(("x-line-signature", signature))
        owned = connection or self.connect()
        try:
            owned.send(request("POST", path, body, fields))
            return owned.read()
        finally:
            if not connection:
                owned.close()

    def post(self, *events, path="/webhook", connection=None):
        """Deliver events as LINE does and insist on 200. Returns the events."""
        answer = self.send_body(webhook(*events), path, connection=connection)
        if answer.status != 200:
            raise AssertionError(f"the webhook was answered {answer}\n{self.tail()}")
        return events

    # -- logs --
    def logs(self, **want):
        """Log records (dicts) whose fields equal, or as text match the pattern of, what is wanted."""
        found = []
        for line in list(self.stderr):
            if not line.startswith("{"):
                continue
            record = json.loads(line)
            if all(key in record and (value.search(str(record[key])) if isinstance(value, re.Pattern)
                                      else str(record[key]) == str(value)) for key, value in want.items()):
                found.append(record)
        return found

    def wait_log(self, n=1, seconds=None, **want):
        self.wait_output(lambda: len(self.logs(**want)) >= n, f"{n} log lines with {want}", seconds)
        return self.logs(**want)[n - 1]

    # -- admin --
    def admin(self, path):
        with Connection("127.0.0.1", self.admin_port, PATIENCE) as connection:
            connection.send(request("GET", path))
            return connection.read()

    def health(self):
        answer = self.admin("/healthz")
        return answer.status, json.loads(answer.body)

    def metrics(self):
        """{'name{label="value"}': number}"""
        answer = self.admin("/metrics")
        assert answer.status == 200, answer
        values = {}
        for line in answer.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry these labels; 0 when there is none."""
        total = 0
        for sample, value in self.metrics().items():
            if sample.partition("{")[0] == name and all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total += value
        return total

    def wait_metric(self, name, least, seconds=None, **labels):
        return until(lambda: self.metric(name, **labels) >= least,
                     lambda: f"{name}{labels} to reach {least}, now {self.metric(name, **labels)}\n{self.tail()}", seconds, 0.02)

    def wait_generation(self, n, seconds=None):
        """Until generation n (or a later one) serves."""
        self.wait_output(lambda: any(int(r["generation"]) >= n for r in self.logs(message="serving")),
                         f"generation {n} to serve", seconds)

    def workers(self):
        return children(self.pid)

    def stop(self, seconds=None):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait_exit(seconds or PATIENCE + 8 * SCALE)


class Folder:
    """A bot's folder, written the ways people and editors write."""

    def __init__(self, path, files):
        self.path = path
        os.makedirs(path, exist_ok=True)
        for name, content in files.items():
            self.write(name, content)

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
        with open(self.file(name), "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content)

    def replace(self, name, content):
        """Write beside it and rename, as most editors do."""
        self.write(name + ".tmp~", content)
        os.rename(self.file(name + ".tmp~"), self.file(name))

    def remove(self, name):
        os.remove(self.file(name))


SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:")


class Scenario(unittest.TestCase):
    """Base of all scenario tests: what a test starts ends with it, and nothing it printed may hold a secret."""

    maxDiff = None
    expect_exit = 0  # what `moonline run` must end with when the test stops it

    def setUp(self):
        if not os.access(BINARY, os.X_OK):
            self.fail(f"{BINARY} is not built")
        self.dir = tempfile.mkdtemp(prefix="moonline-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.standin = Standin(TOKEN, Late, PATIENCE)
        self.addCleanup(self.standin.close)
        self.processes, self.secrets = [], [SECRET, TOKEN]

    def tearDown(self):
        ends = [(p, p.stop() if isinstance(p, Moonline) else p.kill()) if p.running() else (p, None)
                for p in self.processes]
        self.show_on_failure()
        for process, status in ends:
            output = process.output()
            self.assertIsNone(SANITIZER.search(output), process.tail(200))
            for secret in self.secrets:
                self.assertNotIn(secret, output, "a secret was printed")
            if status is not None and isinstance(process, Moonline):
                self.assertEqual(status, self.expect_exit, process.tail())

    def doCleanups(self):
        for process in getattr(self, "processes", ()):  # when setUp or tearDown did not get that far
            if process.running():
                process.child.kill()
        return super().doCleanups()

    def show_on_failure(self):
        if not self._outcome.success:
            print("".join(f"# {line}\n" for p in self.processes for line in p.tail().split("\n")), flush=True)

    # ---- building blocks ----
    def folder(self, source, name="bot", **files):
        """A bot's folder. source becomes bot.lua; more files by keyword, dots of module names as __."""
        content = {key.replace("__", "/") + ".lua": value for key, value in files.items()}
        return Folder(os.path.join(self.dir, name), {"bot.lua": source, **content})

    def env(self, secret=SECRET, token=TOKEN, **extra):
        return environment(self.dir, LINE_CHANNEL_SECRET=secret, LINE_CHANNEL_ACCESS_TOKEN=token,
                           LINE_API_BASE=self.standin.url, LINE_DATA_API_BASE=self.standin.url, **extra)

    def spawn(self, argv, env=None):
        process = Process(argv, env or self.env(), self.dir)
        self.processes.append(process)
        return process

    def launch(self, *bots, options=(), env=None, secret=SECRET, preexec=None, port=0):
        """Start `moonline run` and return as soon as it listens."""
        paths = [bot.path if isinstance(bot, Folder) else bot for bot in bots]
        if "--data" not in options:
            options = [*options, "--data", os.path.join(self.dir, "data")]
        process = Moonline(paths, list(options), env or self.env(secret), self.dir, preexec, secret.split(",")[0], port)
        self.processes.append(process)
        return process.wait_listening()

    def serve(self, *bots, **how):
        """Start `moonline run` and return once every bot is ready."""
        return self.launch(*bots, **how).wait_ready(len(bots))

    def command(self, *arguments, env=None, status=0, cwd=None):
        """Run a command to its end; insists on the exit status (None: any). Returns the completed process."""
        done = subprocess.run([BINARY, *arguments], env=env or self.env(), cwd=cwd or self.dir, text=True,
                              capture_output=True, timeout=PATIENCE + 5 * SCALE, stdin=subprocess.DEVNULL, check=False)
        told = f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        if status is not None:
            self.assertEqual(done.returncode, status, told)
        self.assertIsNone(SANITIZER.search(told), told)
        for secret in self.secrets:
            self.assertNotIn(secret, done.stdout + done.stderr, "a secret was printed")
        return done

    def events(self, state=None, data=None):
        """What the store holds, by `moonline event list --json`."""
        where = ["--data", data or os.path.join(self.dir, "data"), "--json"]
        listed = json.loads(self.command("event", "list", *where, *(["--state", state] if state else [])).stdout)
        return listed

    def wait_events(self, n, state=None, seconds=None):
        """Until the store holds exactly n events (in that state)."""
        return until(lambda: len(found := self.events(state)) == n and (found or [None]),
                     lambda: f"{n} events in the store {state or ''}; there are {self.events(state)}", seconds, 0.05)

    # ---- load: the C tools ----
    def tool(self, name, *arguments):
        """Start one of build/tools."""
        path = os.path.join(TOOLS, name)
        if not os.access(path, os.X_OK):
            self.fail(f"{path} is not built")
        return self.spawn([path, *arguments], environment(self.dir, LINE_CHANNEL_SECRET=SECRET))

    def load_standin(self, *options):
        """A stand-in that bears load and writes what it saw; self.env() then points there."""
        self.calls_file = os.path.join(self.dir, "calls.log")
        process = self.tool("standin", "--log", self.calls_file, "--calls", "0", "--token", TOKEN, *options)
        self.load_url = process.wait_stdout(r"listening on (http://\S+)")[1]
        return process

    def load_env(self):
        return {**self.env(), "LINE_API_BASE": self.load_url, "LINE_DATA_API_BASE": self.load_url}

    def hose(self, server, *options):
        self.record_file = os.path.join(self.dir, "record.log")
        return self.tool("hose", "--url", f"http://127.0.0.1:{server.port}/webhook", "--record", self.record_file, *options)

    def acknowledged(self):
        """[(chat, n)] of every event that was answered 200, as the hose recorded them."""
        with open(self.record_file, encoding="ascii") as file:
            return [(int(chat), int(n)) for _, chat, n, *_ in map(str.split, file)]

    def answered(self, kind):
        """{chat: [n, …]} of the sends of a kind ("reply", "push") that were accepted, in order of acceptance."""
        found = {}
        with open(self.calls_file, encoding="utf-8") as file:
            for line in file:
                _, _, path, status, _, _, words = line.rstrip("\n").split("\t")
                if path.endswith("/" + kind) and status == "200":
                    chat, n = re.match(r'"c(\d+) n(\d+)', words).groups()
                    found.setdefault(int(chat), []).append(int(n))
        return found

    def compare(self, kind="reply", ordered=True):
        """Every acknowledged event answered exactly once, in order within its chat."""
        wanted, got = {}, self.answered(kind)
        for chat, n in self.acknowledged():
            wanted.setdefault(chat, []).append(n)
        self.assertTrue(wanted, "nothing was acknowledged")
        for chat, numbers in wanted.items():
            have, lost = got.get(chat, []), []
            if sorted(have) != sorted(numbers):
                lost = sorted(set(numbers) - set(have))
                doubled = sorted({n for n in have if have.count(n) > 1})
                self.fail(f"{kind}, chat {chat}: lost {lost[:20]}, doubled {doubled[:20]}, not acknowledged but answered "
                          f"{sorted(set(have) - set(numbers))[:20]}")
            if ordered:
                self.assertEqual(have, sorted(have), f"{kind}: order within chat {chat}")
        return sum(map(len, wanted.values()))


main = unittest.main
