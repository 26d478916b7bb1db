#!/usr/bin/python3
"""The soak of `make soak`: load for minutes, and what happens in production now and then: a worker is killed, a file
is saved, a SIGHUP comes. Fails if an acknowledged event was not answered, or answered twice, or out of order within its
chat, or if the host's memory or its open files grow. SOAK_MINUTES (10) or SOAK_SECONDS says how long, SOAK_SEED repeats
the same choices."""

import collections
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source tree stays as it is

import rig  # noqa: E402
from rig import MIB, Bot, Broken, Process, Standin  # noqa: E402

RATE = 300  # events a second: far below what the machine can do, so that nothing is explained by being late
CHATS = 512
WORKERS = 2
SAMPLE_S = 2
MISCHIEF_S = (5, 20)
GROWTH_MIB = 4
GROWTH_FILES = 8

BOT = """local line = require "line"

-- save %d
line.on("message.text", function(event)
  if #event.message.text %% 5 == 0 then line.sleep(0.02) end -- so that a kill finds some of them half done
  event:reply("You said: " .. event.message.text)
end)
"""


def kill_worker(bot, chance):
    workers = bot.workers()
    if not workers:
        return "no worker to kill"
    pid = chance.choice(workers)
    os.kill(pid, signal.SIGKILL)
    return f"killed worker {pid}"


def save(bot, chance):
    number = chance.randrange(1 << 30)
    with open(bot.file, "w", encoding="utf-8") as f:
        f.write(BOT % number)
    return f"saved bot.lua ({number})"


def hang_up(bot, chance):
    del chance
    os.kill(bot.pid, signal.SIGHUP)
    return "sent SIGHUP"


def sample(bot):
    """The host only: workers come and go. Anonymous memory, because the share of file pages depends on who else maps
    them."""
    size = (rig.memory(bot.pid) or {}).get("Anonymous", 0) / MIB
    return size, len(os.listdir(f"/proc/{bot.pid}/fd")), len(bot.workers())


def run_load(bot, record, seconds, chance):
    """The hose at work and mischief meanwhile; the samples."""
    load = Process(rig.hose_argv(bot.url, connections=32, rate=RATE, seconds=seconds, chats=CHATS, retry=True,
                                 record=record))
    samples, began = [], time.monotonic()
    next_mischief = began + chance.uniform(*MISCHIEF_S)
    while load.child.poll() is None:
        time.sleep(SAMPLE_S)
        if bot.child.poll() is not None:
            raise Broken(f"moonline ended with {bot.child.returncode}\n{bot.error_tail()}")
        samples.append(sample(bot))
        if time.monotonic() >= next_mischief and time.monotonic() < began + seconds:
            next_mischief = time.monotonic() + chance.uniform(*MISCHIEF_S)
            did = chance.choice((kill_worker, save, hang_up))(bot, chance)
            size, files, workers = samples[-1]
            print(f"soak: {time.monotonic() - began:6.0f} s  host {size:.1f} MiB, {files} files, {workers} workers; "
                  f"{did}", flush=True)
        if time.monotonic() > began + seconds + 120:
            raise Broken("the hose could not get its last events acknowledged within 120 s")
    match, _ = load.wait_line(r"^\{.*\}$")
    print(f"soak: {match[0]}")
    load.end()
    return samples


def wait_settled(standin, acked, seconds=60):
    """Until as many replies were accepted as events acknowledged; what is missing then is told in detail."""
    deadline = time.monotonic() + seconds
    while standin.stats()["replies"] < acked and time.monotonic() < deadline:
        time.sleep(0.1)


def check_events(record, log):
    """What went wrong, as lines."""
    with open(record, encoding="ascii") as f:
        acked = {(int(c), int(n)) for _, c, n, *_ in (line.split() for line in f)}
    answered, last, faults = collections.Counter(), {}, []
    with open(log, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            match = re.match(r'"You said: c(\d+) n(\d+)', fields[6])
            if not match or fields[3] != "200":
                continue
            chat, n = int(match[1]), int(match[2])
            answered[chat, n] += 1
            if n < last.get(chat, 0):
                faults.append(f"out of order: chat {chat}: {n} answered after {last[chat]}")
            last[chat] = max(n, last.get(chat, 0))
    faults += [f"lost: chat {c}, event {n}" for c, n in sorted(acked - set(answered))]
    faults += [f"answered {times} times: chat {c}, event {n}"
               for (c, n), times in sorted(answered.items()) if times > 1]
    print(f"soak: {len(acked)} events acknowledged, {len(answered)} answered")
    if not acked:
        faults.append("nothing was acknowledged")
    return faults


def check_growth(samples):
    """The last fifth against the second: start-up is over by then. Medians, so that a peak is not growth."""
    fifth = len(samples) // 5
    if fifth < 3:
        print("soak: too short to judge growth")
        return []
    faults = []
    for i, (what, unit, allowed) in enumerate((("memory of the host", "MiB", GROWTH_MIB),
                                               ("open files of the host", "", GROWTH_FILES))):
        early = statistics.median(s[i] for s in samples[fifth:2 * fifth])
        late = statistics.median(s[i] for s in samples[-fifth:])
        print(f"soak: {what}: {early:.1f} then, {late:.1f} {unit} now")
        if late - early > allowed:
            faults.append(f"{what} grew from {early:.1f} to {late:.1f} {unit}")
    return faults


def main():
    seconds = float(os.environ.get("SOAK_SECONDS") or float(os.environ.get("SOAK_MINUTES") or 10) * 60)
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1 << 30))
    chance = random.Random(seed)
    rig.end_on_signal()
    print(f"soak: {seconds:.0f} s, seed {seed}, {rig.machine()}", flush=True)
    log, record = tempfile.mktemp(dir=rig.WORK), tempfile.mktemp(dir=rig.WORK)
    try:
        standin = Standin("--calls", "0", "--log", log)
        # A worker that is killed takes the blame for what it ran; a few unlucky kills in a row must not quarantine.
        bot = Bot(standin, BOT % 0, ["--workers", str(WORKERS), "--attempts", "20"])
        samples = run_load(bot, record, seconds, chance)
        with open(record, encoding="ascii") as f:
            wait_settled(standin, sum(1 for _ in f))
        bot.end()
        standin.end()
        faults = check_events(record, log) + check_growth(samples)
    except Broken as e:
        faults = [str(e)]
    for fault in faults[:20]:
        print(f"soak: FAULT {fault}")
    print(f"soak: {'failed, ' + str(len(faults)) + ' faults' if faults else 'passed'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
