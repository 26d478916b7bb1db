"""What the benches and the soak share: starting the stand-in, the bot and the hose, and reading /proc.

Everything listens on 127.0.0.1 on a free port, keeps its files in one temporary folder, and is ended by its own process
id, also when the run breaks off."""

import atexit
import http.client
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ.get("BUILD", "build")
MOONLINE = os.environ.get("MOONLINE", os.path.join(BUILD, "moonline"))
SECRET = "bench-channel-secret"
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
MIB = 1024  # KiB, which is what smaps_rollup counts in

WORK = tempfile.mkdtemp(prefix="moonline-bench-")
_running = []


class Broken(Exception):
    """The run cannot go on; the text says why."""


def tool(name, folder="tools"):
    return os.path.join(BUILD, folder, name)


@atexit.register
def _end_all():
    for proc in list(_running):
        proc.end(signal.SIGKILL)
    shutil.rmtree(WORK, ignore_errors=True)


def end_on_signal():
    """SIGTERM then ends as Ctrl-C does, so that what was started is ended too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Process:
    """A child whose standard output is read line by line; standard error goes to a file."""

    def __init__(self, argv, env=None):
        self.errors = tempfile.NamedTemporaryFile(dir=WORK, prefix=os.path.basename(argv[0]) + "-", delete=False)
        self.lines = queue.Queue()
        self.started_ns = time.monotonic_ns()
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                      env=dict(os.environ, **(env or {})))
        self.pid = self.child.pid
        _running.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put((time.monotonic_ns(), line.rstrip("\n")))
        self.lines.put((time.monotonic_ns(), None))

    def wait_line(self, pattern, seconds=20):
        """The match of the next line that has the pattern, and the ns it came."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                ns, line = self.lines.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                raise Broken(f"{self.child.args[0]}: no line like {pattern} in {seconds} s\n"
                             f"{self.error_tail()}") from None
            if line is None:
                raise Broken(f"{self.child.args[0]} ended with {self.child.wait()}\n{self.error_tail()}")
            match = re.search(pattern, line)
            if match:
                return match, ns

    def error_tail(self):
        with open(self.errors.name, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def end(self, sig=signal.SIGTERM, seconds=20):
        if self in _running:
            _running.remove(self)
        if self.child.poll() is None:
            self.child.send_signal(sig)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Broken(f"{self.child.args[0]} did not end within {seconds} s of signal {sig}") from None
        finally:
            self.errors.close()


class Standin(Process):
    def __init__(self, *options):
        super().__init__([tool("standin"), "--with-parent", *options])
        match, _ = self.wait_line(r"listening on (http://127\.0\.0\.1:(\d+))")
        self.url, self.port = match[1], int(match[2])
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def stats(self):
        self.http.request("GET", "/_/stats")
        return json.loads(self.http.getresponse().read())

    def wait_replies(self, count, seconds=120):
        """Until so many replies were accepted in all."""
        deadline = time.monotonic() + seconds
        while True:
            replies = self.stats()["replies"]
            if replies >= count:
                return
            if time.monotonic() > deadline:
                raise Broken(f"only {replies} of {count} replies arrived within {seconds} s")
            time.sleep(0.005)


ECHO = """local line = require "line"

line.on("message.text", function(event)
  event:reply("You said: " .. event.message.text)
end)
"""


class Bot(Process):
    """moonline serving one bot from a folder of its own; ready when the constructor returns."""

    def __init__(self, standin, source=ECHO, options=(), durability="fsync", log_level="warn"):
        self.folder = tempfile.mkdtemp(dir=WORK, prefix="bot-")
        self.file = os.path.join(self.folder, "bot.lua")
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(source)
        self.argv = [MOONLINE, "run", self.file, "--listen", "127.0.0.1:0", "--data", os.path.join(self.folder, "data"),
                     "--durability", durability, "--log", "json", "--log-level", log_level,
                     # one sender plays a whole platform here
                     "--max-connections", "2000", "--max-per-client", "2000",
                     "--no-api-rates", *options]
        super().__init__(self.argv, {
            "LINE_CHANNEL_SECRET": SECRET, "LINE_CHANNEL_ACCESS_TOKEN": "bench-token-0123456789",
            "LINE_API_BASE": standin.url, "LINE_DATA_API_BASE": standin.url})
        match, _ = self.wait_line(r"listening on (http://127\.0\.0\.1:(\d+))")
        self.url, self.port = match[1] + "/webhook", int(match[2])
        _, self.ready_ns = self.wait_line(r"generation 1\b")

    def workers(self):
        return children(self.pid)

    def all(self):
        return [self.pid, *self.workers()]

    def cpu_us(self):
        return sum(cpu_us(pid) for pid in self.all())


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(p) for p in f.read().split()]
        except FileNotFoundError:  # the thread ended meanwhile
            pass
    return found


def cpu_us(pid):
    """User and system time of all threads, in µs; the kernel counts in ticks of 10 ms."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_US


def memory(pid):
    """KiB by smaps_rollup's names: Rss, Pss, Anonymous …; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+):\s+(\d+) kB", f.read(), re.M)}
    except (FileNotFoundError, ProcessLookupError):
        return None


def memory_of(pids, name):
    return sum((memory(pid) or {}).get(name, 0) for pid in pids)


def hose_argv(url, **options):
    argv = [tool("hose"), "--url", url, "--secret", SECRET, "--with-parent"]
    for name, value in options.items():
        argv.append("--" + name.replace("_", "-"))
        if value is not True:
            argv.append(str(value))
    return argv


def hose(url, **options):
    """Run the hose to its end; its report. Every event must be acknowledged."""
    done = subprocess.run(hose_argv(url, **options), capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise Broken(f"hose: not every event was acknowledged: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    u = os.uname()
    return (f"{os.cpu_count()} cores, {model}, {u.sysname} {u.release} {u.machine}, load {os.getloadavg()[0]:.1f}, "
            f"files in {WORK}")
