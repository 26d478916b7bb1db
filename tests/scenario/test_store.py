#!/usr/bin/python3
"""The module `store`: what a bot keeps outlives workers, generations and the process, and belongs to it alone."""

import json
import os
import signal

from harness import Scenario, event, main, text, until

HEAD = 'local line = require "line"\nlocal store = require "store"\n'
# A handler for each word: the text of the message is Lua that returns the strings to tell.
ANY = HEAD + """
local json = require "json"
line.on("message.text", function(event)
  local run = load("local store, line, json = ... " .. event.message.text, "=said")
  local told = table.pack(run(store, line, json))
  for i = 1, told.n do told[i] = tostring(told[i]) end
  line.push("Utold", table.unpack(told))
end)
"""


class Store(Scenario):
    def start(self, source=ANY, **options):
        return self.serve(self.folder(source), **options)

    def tell(self, server, words, **more):
        """Run Lua in the bot; the strings it returns."""
        before = len(self.standin.find("push", status=200))
        server.post(text(words, **more))
        return self.standin.wait_calls(before + 1, "push", status=200)[before].texts

    def test_hundreds_of_large_lists_at_once_are_an_error_and_no_end(self):
        server = self.start(options=["--memory-limit", "2G"])
        worker = server.workers()
        told = self.tell(server, """
            for i = 1, 4 do store.set("k" .. i, ("x"):rep(250000)) end
            local good, calls, why = 0, {}, nil
            for i = 1, 200 do
              calls[i] = function()
                local ok, rows = pcall(store.list, "k")
                if ok then good = good + #rows // 4 else why = rows end
              end
            end
            line.all(calls)
            return good >= 20, why, #store.list("k")""")
        self.assertEqual((told[0], told[2]), ("true", "4"))
        if told[1] != "nil":  # they came slowly enough for all
            self.assertRegex(told[1], r"^said:\d+: store\.list: too much is asked of the store at once")
        self.assertEqual(server.workers(), worker, "it was not ended")

    def test_values_come_back_as_what_they_were(self):
        server = self.start()
        told = self.tell(server, r"""
            local out = {}
            local function back(v) store.set("k", v) local b = store.get("k") return b, math.type(b) or type(b) end
            for _, v in ipairs{ "text", "", "\0\255", 7, -0x7fffffffffffffff, 1.5, 3.0, 1e308, true, false } do
              local b, kind = back(v)
              out[#out + 1] = tostring(b == v) .. " " .. kind
            end
            local t = back{ list = { 1, 2, { a = "b" } }, empty = json.array{}, none = json.null, n = 12345678901234567 }
            out[#out + 1] = json.encode(t.list) .. json.encode(t.empty) .. tostring(t.none == json.null) .. t.n
            return table.concat(out, "\n"), tostring(store.get("nothing")), tostring(store.delete("k")) .. tostring(store.delete("k"))""")
        kinds = ["string"] * 3 + ["integer"] * 2 + ["float"] * 3 + ["boolean"] * 2
        self.assertEqual(told[0].split("\n"), [f"true {k}" for k in kinds] + ['[1,2,{"a":"b"}][]true12345678901234567'])
        self.assertEqual(told[1:], ["nil", "truefalse"])

    def test_counting_adding_taking_listing(self):
        server = self.start()
        told = self.tell(server, """
            local a = { store.incr("n"), store.incr("n", 41), store.incr("n", -2, { ttl = 60 }), store.incr("m", { ttl = 60 }) }
            local b = { tostring(store.add("once", "x", { ttl = 60 })), tostring(store.add("once", "y")), store.take("once"),
              tostring(store.take("once")) }
            for i = 1, 5 do store.set("p:" .. i, i) end
            local page, after = store.list("p:", { limit = 3 })
            local rest, done = store.list("p:", { after = after })
            return table.concat(a, " "), table.concat(b, " "),
              #page .. page[3].key .. page[3].value .. after .. #rest .. rest[2].key .. tostring(done)""")
        self.assertEqual(told, ["1 42 40 1", "true false x nil", "3p:33p:32p:5nil"])

    def test_swap(self):
        server = self.start()
        told = self.tell(server, """
            local out = {}
            local function swap(...) local r = table.pack(store.swap("k", ...)) for i = 1, r.n do out[#out + 1] = tostring(r[i]) end end
            swap("nothing", 1) swap(nil, 1) swap(nil, 2) swap(1.0, "one") swap("one", nil) swap(nil, nil)
            return table.concat(out, " "), tostring(store.get("k"))""")
        self.assertEqual(told, ["false nil true false 1 true true true", "nil"])
        told = self.tell(server, """
            local t = { z = 1, list = { 1, 2.5, { x = "y", w = json.null } }, empty = json.array{}, big = 1e15 }
            for i = 1, 30 do t["key" .. i] = i end
            store.set("t", t)
            local same = {}
            for i = 30, 1, -1 do same["key" .. i] = i end
            same.big, same.empty, same.list, same.z = 1000000000000000, json.array{}, { 1, 2.5, { w = json.null, x = "y" } }, 1.0
            local a = store.swap("t", same, { n = 1 })
            local b, there = store.swap("t", { n = 2 }, { n = 3 })
            local c = store.swap("t", store.get("t"), { n = 4 }, { ttl = 0.02 })
            local d = store.swap("t", { n = 4 }, { n = 5 }, { ttl = 60 })
            return tostring(a), tostring(b), tostring(there.n), tostring(c), tostring(d)""")
        self.assertEqual(told, ["true", "false", "1", "true", "true"])
        told = self.tell(server, """
            store.swap("lock", nil, "me", { ttl = 0.02 })
            line.sleep(0.03)
            return tostring(store.swap("lock", "me", "me")), tostring(store.swap("lock", nil, "you"))""")
        self.assertEqual(told, ["false", "true"])

    def test_swap_misused(self):
        server = self.start()
        told = self.tell(server, """
            local function try(...) return tostring((select(2, pcall(store.swap, ...)))) end
            return try("k"), try("k", print, 1), try("k", 1, ("v"):rep(262145)), try("k", { f = print }, 1), try("k", 1, 2, { tll = 1 })""")
        for got, want in zip(told, ("takes the key, the value that is expected and the new one", "a function cannot be stored",
                                    "the value has 262145 bytes", "f: a function cannot be", "there is no option 'tll'")):
            self.assertRegex(got, f"^said:\\d+: store\\.swap: .*{want}")

    def test_workers_that_race_lose_no_update(self):
        """Each event puts itself into one table that all change; workers are killed meanwhile. Once handled it is there,
        and no other was overwritten."""
        server = self.start(HEAD + """
            line.on("message.text", function(event)
              local me = event.message.text
              while true do
                local old = store.get("all")
                local new = { n = 0 }
                for k, v in pairs(old or {}) do new[k] = v end
                if new[me] then break end
                new[me], new.n = 1, new.n + 1
                if store.swap("all", old, new) then store.incr("swapped") break end
                store.incr("lost the race")
              end
              line.push("Utold", "done", me)
            end)
            line.on("follow", function()
              local all = store.get("all")
              local names = 0
              for k in pairs(all) do if k ~= "n" then names = names + 1 end end
              line.push("Uall", tostring(all.n), tostring(names), tostring(store.get("lost the race") or 0))
            end)""", options=["--workers", "3"])
        for at in range(0, 120, 20):
            server.post(*[text(f"e{n}", source=f"u{n}") for n in range(at, at + 20)])
            if at in (40, 80):
                self.standin.wait_calls(at, "push", status=200)
                os.kill(server.workers()[0], signal.SIGKILL)
        until(lambda: len({c.texts[1] for c in self.standin.find("push", status=200)}) == 120, "all events")
        server.post(event("follow"))
        told = self.standin.wait(lambda: [c.texts for c in self.standin.find("push") if c.json["to"] == "Uall"], "the sum")[0]
        self.assertEqual(told[:2], ["120", "120"])
        self.assertGreater(int(told[2]), 0, "they did race")

    def test_it_expires(self):
        server = self.start()
        told = self.tell(server, """
            store.set("short", 1, { ttl = 0.02 })
            line.sleep(0.03)
            return tostring(store.get("short")), tostring(store.add("short", 2)), #store.list("")""")
        self.assertEqual(told, ["nil", "true", "1"])

    def test_misuse_names_the_scripts_line(self):
        server = self.start(HEAD + """
            local function try(f, ...) return tostring((select(2, pcall(f, ...)))) end
            line.on("message.text", function(event)
              line.push("Utold",
                try(store.get), try(store.get, 5), try(store.get, ""), try(store.get, ("k"):rep(513)), try(store.set, "k"))
              line.push("Utold",
                try(store.set, "k", print), try(store.set, "k", { f = print }), try(store.set, "k", ("v"):rep(262145)),
                try(store.set, "k", { ("v"):rep(262144) }), try(store.set, "k", 1, { tll = 5 }))
              line.push("Utold",
                try(store.set, "k", 1, { ttl = 0 }), try(store.incr, "k", 1.5), try(store.list, "", { limit = 0 }),
                tostring(store.set("s", "text")) .. try(store.incr, "s"),
                try(table.sort, { 2, 1 }, function(a, b) return store.get("k") end))
              store.set(nil, 1)
            end)""")
        server.post(text("go"))
        told = [t for call in self.standin.wait_calls(3, "push", status=200)[:3] for t in call.texts]
        wanted = [
            "store.get: the key must be a string, not a nil",
            "store.get: the key must be a string, not a number", "store.get: the key is empty",
            "store.get: the key has 513 bytes, and 512 are the most", "store.set: the value is nil",
            "store.set: a function cannot be stored", r"store.set: f: a function cannot be",
            "store.set: the value has 262145 bytes", "store.set: the value has more than 262144 bytes as JSON",
            r"store.set: there is no option 'tll' \(did you mean 'ttl'\?\)", "store.set: ttl must be", "store.incr: a counter grows by",
            "store.list: limit must be", "store.incr: the value that is there is not an integer",
            "store.get: cannot wait here: .*sort"]
        for got, want in zip(told, wanted):
            self.assertRegex(got, rf"bot\.lua:\d+: ({want})")
        server.wait_output(lambda: "bot.lua:15: store.set: the key must be a string, not a nil" in server.output(), "the error")

    def test_it_outlives_the_process_and_a_kill(self):
        bot = self.folder(ANY)
        server = self.serve(bot)
        self.tell(server, 'return tostring(store.swap("kept", nil, { n = 0 })), tostring(store.swap("kept", { n = 0 }, { n = 1 }))')
        server.child.kill()  # answered is on disk
        server.wait_exit()
        self.processes.remove(server)
        server = self.serve(bot)
        self.assertEqual(self.tell(server, 'return json.encode(store.get("kept"))'), ['{"n":1}'])
        server.stop()
        server = self.serve(bot)
        self.assertEqual(self.tell(server, 'return json.encode(store.take("kept"))'), ['{"n":1}'])

    def test_workers_share_it_and_counting_loses_nothing(self):
        server = self.start(HEAD + """
            line.on("message.text", function(event)
              local n = store.incr("n")
              if n == 200 then line.push("Utold", "all", tostring(store.get("n"))) end
            end)""", options=["--workers", "3"])
        for at in range(0, 200, 20):
            server.post(*[text("x", source=f"u{n}") for n in range(at, at + 20)])
        self.assertEqual(self.standin.wait_calls(1, "push", status=200)[0].texts, ["all", "200"])

    def test_a_worker_that_dies_leaves_nothing_behind(self):
        server = self.start(HEAD + """
            line.on("message.text", function(event)
              if event.message.text == "die" then
                for i = 1, 50 do line.spawn(function() store.set("k" .. i, ("v"):rep(200000)) end) end
                line.sleep(0)
                line.push("Utold", "flooding")
                line.sleep(30)
              end
              line.push("Utold", tostring(store.get("alive") or store.set("alive", 1)))
            end)""")
        server.post(text("die", source="a"))
        self.standin.wait_calls(1, "push", status=200)
        worker = server.workers()[0]
        os.kill(worker, signal.SIGKILL)
        server.wait_log(message="worker lost")
        server.post(text("go on", source="b"))
        calls = until(lambda: [c for c in self.standin.find("push") if c.texts in (["true"], ["1"])], "the new worker's call")
        self.assertTrue(calls)
        self.assertEqual(server.health()[0], 200)
        server.signal(signal.SIGKILL)
        server.wait_exit()
        self.processes.remove(server)

    def test_bots_do_not_see_each_other(self):
        one, two = self.folder(ANY, name="one"), self.folder(ANY, name="two")
        server = self.serve(one, two)
        def tell(bot, words):
            before = len(self.standin.find("push", status=200))
            server.post(text(words), path=f"/webhook/{bot}")
            return self.standin.wait_calls(before + 1, "push", status=200)[before].texts
        self.assertEqual(tell("one", 'store.set("k", "mine") return store.get("k")'), ["mine"])
        self.assertEqual(tell("two", 'return tostring(store.get("k")), #store.list("")'), ["nil", "0"])

    def test_check_says_that_it_has_none(self):
        bot = self.folder(HEAD + 'store.get("k")\n')
        done = self.command("check", bot.path, status=1)
        self.assertRegex(done.stderr, r"bot\.lua:3: store\.get: there is no store here: `moonline check` only loads the bot")
        good = self.folder(HEAD + 'line.on("follow", function() store.get("k") end)\n', name="good")
        done = self.command("check", "--json", good.path)
        self.assertEqual(json.loads(done.stdout)["problems"], [])


if __name__ == "__main__":
    main()
