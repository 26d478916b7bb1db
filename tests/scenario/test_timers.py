#!/usr/bin/python3
"""Timers: functions that run later and belong to no event. They fire in order and once, an error ends one run and not the
timer, a hang ends the worker and no event, a save or a stop loses none without a word."""

import os
import re
import signal

from harness import SCALE, Scenario, main, text, until

HEAD = 'local line = require "line"\n'


class Timers(Scenario):
    def pushes(self, first=None):
        """Texts of the pushes so far; first: only those that begin with it."""
        texts = [call.texts for call in self.standin.find("push", status=200)]
        return [t for t in texts if first is None or t[0] == first]

    def wait_push(self, *texts):
        self.standin.wait(lambda: list(texts) in self.pushes(), f"a push of {texts}")

    # ---- what they do ----
    def test_after_and_every(self):
        server = self.serve(self.folder(HEAD + """
            local function loaded(a, b, ...) line.push("Utold", "loaded", a, tostring(b), tostring(select("#", ...))) end
            line.after(0.001, loaded, "x", nil, nil)
            line.on("message.text", function(event)
              local n, tick = 0, nil
              tick = line.every(0.01, function(word)
                n = n + 1
                line.push("Utold", word .. n)
                if n == 3 then line.push("Utold", tostring(tick:cancel()), tostring(tick:cancel()), tick.where) end
              end, "tick")
              line.after(0.005, function() line.sleep(0.001) event:push("late") log.info("in the timer", { x = 1 }) end)
              event:reply("at once")
            end)"""))
        self.wait_push("loaded", "x", "nil", "1")
        posted = server.post(text("go"))[0]
        self.wait_push("true", "false", "bot.lua:7")
        self.wait_push("late")
        self.assertEqual([t for t in self.pushes() if t[0].startswith("tick")], [["tick1"], ["tick2"], ["tick3"]])
        record = server.wait_log(message="in the timer")
        self.assertEqual(record["origin"], posted["webhookEventId"])
        self.assertEqual((record["timer"], record["at"], record["x"]), ("bot.lua:12", "bot.lua:12", 1))
        self.assertNotIn("event", record)

    def test_an_event_does_not_wait_for_its_timers(self):
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              line.after(20, function() end)
              local hang = line.every(0.001, function() line.sleep(15) end)
              event:reply("done")
            end)"""), options=["--drain", "0"])
        server.post(text("go"))
        server.wait_log(message="event done")
        self.wait_events(0)

    def test_ten_thousand_in_order_and_no_more(self):
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              local seen, out, ran, made, begun = 0, 0, 0, {}, line.now()
              for i = 1, 9999 do
                local group = i * 7919 % 5
                made[i] = line.after(0.3 + group * 0.3, function(place)
                  if place < seen then out = out + 1 end
                  seen, ran = place, ran + 1
                end, group * 10000 + i)
              end
              local quick = line.now() - begun < 300 -- else the groups may well overlap
              local ok = pcall(line.after, 1, print)
              local no, why = pcall(line.after, 1, print)
              line.push("Utold", tostring(ok), tostring(no), why)
              for i = 1, 9999 do
                if i % 2 == 0 then made[i]:cancel() end
              end
              line.after(1.8, function() line.push("Utold", "out of order", tostring(quick and out or 0), tostring(ran)) end)
            end)"""), options=["--cpu-limit", "10s"])
        server.post(text("go"))
        self.standin.wait(lambda: len(self.pushes()) == 2, "both")
        self.assertEqual(self.pushes()[0][:2], ["true", "false"])
        self.assertRegex(self.pushes()[0][2], r"^bot\.lua:14: line\.after: this worker has 10000 timers already")
        self.assertEqual(self.pushes()[1], ["out of order", "0", "5000"])

    def test_cancel(self):
        self.serve(self.folder(HEAD + """
            local due_too
            line.after(0.001, function() assert(due_too:cancel()) assert(not due_too:cancel()) end)
            due_too = line.after(0.001, function() line.push("Utold", "should not", "at once") end)
            local from = line.now()
            while line.now() - from < 5 do end -- both are due by now
            local others = {}
            local function no(i) line.push("Utold", "should not", tostring(i)) end
            for i = 1, 50 do others[i] = line.after(i == 50 and 0.05 or 0.02, no, i) end
            local mine
            mine = line.after(0.01, function()
              local last = others[50]
              for _, timer in ipairs(others) do assert(timer:cancel()) assert(not timer:cancel()) end
              others = nil
              assert(not last:cancel())
              assert(not mine:cancel(), "it runs already")
              line.after(0.06, function() assert(not mine:cancel()) line.push("Utold", "end") end)
            end)"""))
        self.wait_push("end")
        self.assertEqual(self.pushes(), [["end"]])

    def test_every_never_overlaps_and_keeps_its_beat(self):
        self.serve(self.folder(HEAD + """
            local running, starts, tick = 0, {}, nil
            local first = line.now()
            tick = line.every(0.05, function()
              assert(running == 0, "it overlaps")
              running = 1
              starts[#starts + 1] = line.now() - first
              line.sleep(#starts == 1 and 0.12 or 0)
              line.spawn(function() line.sleep(0.001) end)
              running = 0
              if #starts < 6 then return end
              tick:cancel()
              line.push("Utold", table.concat(starts, " "))
            end)"""))
        self.standin.wait(lambda: self.pushes(), "the starts")
        starts = [int(n) for n in self.pushes()[0][0].split()]
        beats = [start // 50 for start in starts]
        self.assertEqual(beats, sorted(set(beats)), f"missed starts are not made up for: {starts}")
        self.assertGreaterEqual(beats[0], 1)
        self.assertGreaterEqual(starts[1] - starts[0], 120)

    def test_misuse_names_the_scripts_line(self):
        self.serve(self.folder(HEAD + """
            local function try(f, ...) return tostring((select(2, pcall(f, ...)))) end
            local why = {
              try(line.after), try(line.after, "1", print), try(line.after, 0, print), try(line.every, -1, print),
              try(line.every, 0 / 0, print), try(line.after, 30 * 86400 + 1, print), try(line.every, 1),
              try(line.after, 1, { print }), try(line.after(60, print).cancel), try(line.after, 1, print, table.unpack({}, 1, 201)),
            }
            line.after(0.001, function()
              for _, w in ipairs(why) do line.push("Utold", w) end
              line.push("Utold", type(line.now()), tostring(math.type(line.now())), tostring(line.now() > 1600000000000))
            end)"""))
        self.standin.wait(lambda: len(self.pushes()) == 11, "all")
        wanted = ["line.after: the first argument is a number of seconds, not nothing",
                  "line.after: the first argument is a number of seconds, not a string",
                  r"line.after: seconds are from 0.001 to 2592000 \(30 days\), not 0", "line.every: seconds are .*, not -1",
                  "line.every: seconds are .*nan", "line.after: seconds are .*, not 2592001",
                  "line.every: the second argument is the function to run, not nothing",
                  "line.after: the second argument is the function to run, not a table", "timer:cancel: this is not a timer",
                  "line.after: 201 arguments"]
        for (got,), want in zip(self.pushes(), wanted):
            self.assertRegex(got, rf"^bot\.lua:\d+: {want}")
        self.assertEqual(self.pushes()[10], ["number", "integer", "true"])

    # ---- what goes wrong ----
    def test_an_error_is_logged_and_every_goes_on(self):
        server = self.serve(self.folder(HEAD + """
            local n = 0
            local function deep() error("boom " .. n) end
            local function outer() n = n + 1 if n < 3 then deep() end line.push("Utold", "went on") end
            line.every(0.01, outer)
            line.on("message.text", function(event) line.after(0.001, function() line.spawn(error, "in a spawn") end) end)"""))
        self.wait_push("went on")
        for n in (1, 2):
            record = server.wait_log(message="timer failed", error=re.compile(f"boom {n}"))
            self.assertEqual(record["timer"], "bot.lua:6")
            self.assertRegex(record["error"], r"^bot\.lua:4: boom \d\n  bot\.lua:4: in .*\n  bot\.lua:5: in ")
        posted = server.post(text("go"))[0]
        record = server.wait_log(message="spawned function failed")
        self.assertEqual((record["timer"], record["origin"]), ("bot.lua:7", posted["webhookEventId"]))
        self.assertEqual(len(server.logs(message="worker lost")), 0)

    def test_budgets_end_a_run_and_not_the_timer(self):
        server = self.serve(self.folder(HEAD + """
            local n = 0
            line.every(0.01, function()
              n = n + 1
              if n == 1 then while true do pcall(function() while true do end end) end end
              if n == 2 then return { ("x"):rep(20 << 20), ("y"):rep(20 << 20) } end
              if n == 3 then line.sleep(30) end
              line.push("Utold", "went on")
            end)"""), options=["--cpu-limit", "400ms", "--memory-limit", "32M", "--handler-limit", "200ms"])
        self.wait_push("went on")
        errors = [r["error"] for r in server.logs(message="timer stopped")]
        self.assertRegex(errors[0], r"^bot\.lua:6: used more than 400 ms of processor time .*timer of bot\.lua:4, "
                         "generation 1; --cpu-limit")
        self.assertRegex(errors[1], r"^bot\.lua:7: used more than 32 MiB of memory .*timer of bot\.lua:4")
        self.assertRegex(errors[2], r"^bot\.lua:8: the timer's function was still waiting here after 200 ms \(timer of bot\.lua:4")
        self.assertEqual(len(server.logs(message="worker lost")), 0)

    def test_a_hang_ends_the_worker_and_blames_no_event(self):
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              if event.message.text == "hang" then
                line.after(0.05, function() string.find(("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(40)) end)
                return event:reply("armed")
              end
              line.sleep(0.4) -- runs while the other one's timer hangs
              event:reply("not lost")
            end)"""), options=["--cpu-limit", "100ms", "--hang-timeout", "200ms"])
        server.post(text("wait", source="a"))
        server.post(text("hang", source="b"))
        lost = server.wait_log(message="worker lost")
        self.assertRegex(lost["reason"], "hang-timeout")
        self.assertEqual((lost["timer"], lost["events"]), ("bot.lua:5", 1))
        self.standin.wait_text("not lost")
        self.wait_events(0)
        self.assertEqual(server.logs(message="event will be tried again"), [])
        self.assertEqual(server.logs(message="event quarantined"), [])

    def test_a_killed_worker_loads_its_timers_anew(self):
        server = self.serve(self.folder(HEAD + """
            line.every(0.02, function() line.push("Utold", "tick") end)
            line.on("message.text", function(event) line.after(0.5, line.push, "Utold", "gone with it") end)"""))
        server.post(text("go"))
        server.wait_log(message="event done")
        worker = server.workers()[0]
        os.kill(worker, signal.SIGKILL)
        server.wait_log(message="worker lost")
        until(lambda: server.workers() and server.workers() != [worker], "a new one")
        before = len(self.pushes("tick"))
        self.standin.wait(lambda: len(self.pushes("tick")) > before + 30, "the new one's ticks")
        self.assertEqual(self.pushes("gone with it"), [])

    def test_suspects_run_beside_no_second_set_of_timers(self):
        """An event that takes its worker down is tried again in a process of its own, which loads the bot too."""
        server = self.serve(self.folder(HEAD + """
            local ours = {}
            line.every(0.02, function() ours.ran = true end)
            line.on("message.text", function(event)
              local attempt = require("store").incr("attempt")
              if attempt == 1 then string.find(("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(40)) end
              line.sleep(0.1)
              line.after(0.01, function() line.push("Utold", "attempt " .. attempt, tostring(ours.ran)) end)
            end)"""), options=["--cpu-limit", "100ms", "--hang-timeout", "200ms"])
        server.post(text("go"))
        self.wait_push("attempt 2", "nil")

    # ---- reload and stop ----
    def test_a_save_keeps_what_is_due_soon_and_tells_what_it_drops(self):
        bot = self.folder(HEAD + """
            line.every(0.02, function() line.push("Utold", "tick of 1") end)
            line.on("message.text", function(event)
              line.after(0.4, function() line.push("Utold", "due soon") end)
              for i = 30, 1, -1 do line.after(100 + i, print) end
              line.every(0.02, function() line.push("Utold", "tick of a handler") end)
              event:reply("armed")
            end)""")
        server = self.serve(bot, options=["--handler-limit", "3s"])
        posted = server.post(text("go"))[0]
        self.standin.wait_text("armed")
        self.wait_push("tick of 1")
        self.wait_push("tick of a handler")
        old = server.workers()
        bot.replace("bot.lua", HEAD + 'line.every(0.02, function() line.push("Utold", "tick of 2") end)\nline.on("follow", print)\n')
        server.wait_generation(2)
        drops = [server.wait_log(n, message=re.compile("^timer dropped")) for n in range(1, 21)]
        self.assertEqual(server.wait_log(message="more timers dropped")["timers"], 10)
        for n, record in enumerate(drops, 1):
            self.assertEqual((record["timer"], record["origin"], record["level"]), ("bot.lua:6", posted["webhookEventId"], "warn"))
            self.assertTrue(95 + n < record["left_s"] <= 100 + n, record)
        self.wait_push("tick of 2")
        ended = len(self.pushes("tick of 1")), len(self.pushes("tick of a handler"))
        self.wait_push("due soon")
        until(lambda: not set(old) & set(server.workers()), "the old worker's end")
        self.assertLessEqual(len(self.pushes("tick of 1")), ended[0] + 1)
        self.assertLessEqual(len(self.pushes("tick of a handler")), ended[1] + 1)
        self.assertEqual(len(server.logs(message=re.compile("^timer dropped"))), 20)

    def test_a_run_under_way_finishes_over_a_save(self):
        gate = self.standin.gate("profile/Uslow")
        bot = self.folder(HEAD + """
            line.every(0.01, function()
              line.push("Utold", "began")
              line.profile("Uslow")
              line.after(0.01, function() line.push("Utold", "its own timer") end)
              line.after(60, function() end)
              line.every(1, function() end)
              line.push("Utold", "finished")
            end)
            line.on("follow", print)""")
        server = self.serve(bot, options=["--handler-limit", "20s"])
        gate.wait(1, 10 * SCALE)
        bot.replace("bot.lua", HEAD + 'line.on("follow", print)\n')
        server.wait_generation(2)
        gate.open()
        self.wait_push("finished")
        self.wait_push("its own timer")
        self.assertEqual(server.wait_log(message=re.compile("^timer dropped"))["timer"], "bot.lua:7")
        self.assertEqual(server.wait_log(2, message=re.compile("^timer dropped"))["timer"], "bot.lua:8")
        until(lambda: len(server.workers()) == 1, "the old worker's end")
        self.assertEqual(len(self.pushes("began")), 1)

    def test_a_stop_waits_for_what_is_due_within_drain(self):
        server = self.serve(self.folder(HEAD + """
            line.after(100, print)
            line.every(0.01, function() line.push("Utold", "tick") end)
            line.on("message.text", function(event)
              line.after(0.3, function() line.push("Utold", "before the end") end)
              event:reply("armed")
            end)"""), options=["--drain", f"{int(5 * SCALE)}s"])
        server.post(text("go"))
        self.standin.wait_text("armed")
        self.wait_push("tick")
        self.assertEqual(server.stop(), 0)
        self.wait_push("before the end")
        drop = server.logs(message=re.compile("^timer dropped"))
        self.assertEqual([r["timer"] for r in drop], ["bot.lua:3"])
        self.assertNotIn("origin", drop[0])

    def test_a_stop_shortens_the_time_of_those_that_leave(self):
        """A generation that stays for a timer within --handler-limit is told again when all stops."""
        bot = self.folder(HEAD + 'line.after(30, print)\nline.on("follow", print)\n')
        server = self.serve(bot, options=["--drain", "5s"])
        bot.replace("bot.lua", HEAD + 'line.on("follow", print)\n')
        server.wait_generation(2)
        self.assertEqual(len(server.workers()), 2)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.logs(message=re.compile("^timer dropped"))[0]["timer"], "bot.lua:2")

    def test_what_does_not_end_within_drain_is_told(self):
        server = self.serve(self.folder(HEAD + """
            line.after(0.01, function() line.push("Utold", "began") line.sleep(50) end)
            line.on("follow", print)"""), options=["--drain", "100ms"])
        self.wait_push("began")
        self.assertEqual(server.stop(), 0)
        record = server.wait_log(message=re.compile("^worker ended"))
        self.assertEqual((record["level"], record["functions"]), ("warn", 1))

    def test_a_hang_while_leaving_is_told(self):
        bot = self.folder(HEAD + """
            line.on("message.text", function(event)
              line.after(0.3, function() string.find(("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(40)) end)
              line.after(20, print)
            end)""")
        server = self.serve(bot, options=["--cpu-limit", "100ms", "--hang-timeout", "200ms"])
        server.post(text("go"))
        server.wait_log(message="event done")
        bot.replace("bot.lua", HEAD + 'line.on("follow", print)\n')
        server.wait_generation(2)
        record = server.wait_log(message=re.compile("^worker (ended|lost)"))
        self.assertRegex(record["reason"], "hang-timeout")
        self.assertEqual(record["timer"], "bot.lua:4")
        if record["message"] != "worker lost":  # it hung only after the save
            self.assertEqual((record["message"], record["functions"], record["timers"]), ("worker ended with what still ran", 1, 2))

    # ---- workers and commands ----
    def test_each_worker_has_its_own_and_swap_is_a_lock(self):
        self.serve(self.folder(HEAD + """
            local store = require "store"
            local me = tostring(math.random(2 ^ 53))
            local runs = 0
            line.every(0.01, function()
              runs = runs + 1
              store.set("asked:" .. me, runs)
              local held = store.get("lock")
              if not store.swap("lock", held == me and me or nil, me, { ttl = 60 }) then return end
              store.set("held:" .. me, true)
              local asked = store.list("asked:")
              for _, each in ipairs(asked) do if each.value < 3 then return end end
              if #asked == 3 then line.push("Utold", "of three", tostring(#store.list("held:"))) end
            end)
            line.on("follow", print)"""), options=["--workers", "3"])
        self.wait_push("of three", "1")

    def test_commands_fire_none(self):
        bot = self.folder(HEAD + """
            local timer = line.every(0.001, function() error("it ran") end)
            line.after(0.001, function() error("it ran") end)
            line.sleep(0.05)
            assert(timer:cancel())
            line.on("follow", print)""")
        done = self.command("check", bot.path)
        self.assertNotIn("it ran", done.stdout + done.stderr)

    def test_a_bot_that_is_refused_fires_none(self):
        bot = self.folder(HEAD + 'line.on("follow", print)\n')
        server = self.serve(bot)
        bot.replace("bot.lua", HEAD + 'line.after(0.001, error, "it ran")\nline.every(0.001, error, "it ran")\n'
                    'line.sleep(0.05)\nerror("no")\n')
        server.wait_log(message=re.compile("^not loaded"))
        until(lambda: len(server.workers()) == 1, "the refused one's end")
        self.assertEqual(server.logs(message="timer failed"), [])
        self.assertNotIn("timer dropped", server.output())


if __name__ == "__main__":
    main()
