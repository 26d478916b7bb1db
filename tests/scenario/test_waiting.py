#!/usr/bin/python3
"""Straight-line Lua: a call that waits suspends its own run and nobody else's, wherever the script makes it. Where Lua
itself cannot wait, the error says so in words. Every scenario here waits for real: for the stand-in's answer."""

from harness import PATIENCE, Scenario, event, main, text

HEAD = 'local line = require "line"\n'


class Waiting(Scenario):
    def run_handler(self, body, **files):
        """Run body as a text handler; it returns the strings it wants told."""
        server = self.serve(self.folder(f'{HEAD}line.on("message.text", function(event)\nlocal function told()\n{body}\nend\n'
                                        f'line.push("Utold", told())\nend)\n', **files))
        server.post(text("go"))
        return self.standin.wait_calls(1, "push", status=200)[0].texts

    def test_inside_pcall_and_error_handlers(self):
        told = self.run_handler("""
            local ok, name = pcall(function() return line.profile("Ua").displayName end)
            local ok2, err = xpcall(function() line.profile("Ub") error("after a wait") end, function(e) return "handled " .. e end)
            local ok3, e3 = pcall(pcall, function() line.sleep(0.001) error({ code = 7 }) end)
            return tostring(ok) .. name, tostring(ok2) .. err, tostring(ok3) .. tostring(e3)""")
        self.assertEqual(told[0], "truename of Ua")
        self.assertRegex(told[1], r"^falsehandled .*bot\.lua:\d+: after a wait")
        self.assertEqual(told[2], "truefalse")

    def test_inside_metamethods(self):
        told = self.run_handler("""
            local cache = setmetatable({}, {
              __index = function(t, id) local name = line.profile(id).displayName rawset(t, id, name) return name end,
              __newindex = function(t, k, v) line.sleep(0.001) rawset(t, k, v .. " late") end,
              __call = function(_, id) return line.profile(id).displayName end,
              __add = function(_, n) line.sleep(0.001) return n + 1 end,
              __eq = function() line.sleep(0.001) return true end,
              __lt = function() line.sleep(0.001) return true end,
              __concat = function(_, s) line.sleep(0.001) return "joined " .. s end,
              __len = function() line.sleep(0.001) return 42 end,
              __close = function() line.sleep(0.001) end,
            })
            cache.key = "value"
            local other = setmetatable({}, getmetatable(cache))
            do local closing <close> = cache end
            return cache.Ux .. "/" .. cache("Uy"), cache.key, tostring(cache + 1), tostring(cache == other) .. tostring(cache < other),
              (cache .. "x") .. #cache""")
        self.assertEqual(told, ["name of Ux/name of Uy", "value late", "2", "truetrue", "joined x42"])

    def test_inside_iterators(self):
        told = self.run_handler("""
            local function names(ids)
              local i = 0
              return function() i = i + 1 if ids[i] then return i, line.profile(ids[i]).displayName end end
            end
            local all = {}
            for i, name in names{ "U1", "U2", "U3" } do all[i] = name end
            return table.concat(all, ",")""")
        self.assertEqual(told, ["name of U1,name of U2,name of U3"])

    def test_inside_the_scripts_own_coroutines_three_deep(self):
        told = self.run_handler("""
            local inner = coroutine.wrap(function(a)
              local name = line.profile("Uinner").displayName
              local b = coroutine.yield(name .. a)
              line.sleep(0.001)
              return "inner end " .. b
            end)
            local middle = coroutine.create(function(x)
              coroutine.yield("first " .. inner(x))
              line.profile("Umiddle")
              coroutine.yield("second " .. inner("B"))
              error("middle broke")
            end)
            local outer = coroutine.wrap(function()
              local out = {}
              for _ = 1, 3 do
                local ok, value = coroutine.resume(middle, "A")
                out[#out + 1] = tostring(ok) .. " " .. tostring(value)
              end
              out[#out + 1] = coroutine.status(middle)
              line.sleep(0.001)
              coroutine.yield(table.concat(out, ";"))
              return "outer end"
            end)
            local a, b = outer(), outer()
            local closed = coroutine.wrap(function() line.sleep(0.001) end)
            closed()
            local can = coroutine.wrap(function() return tostring(coroutine.isyieldable()) end)()
            return a, b, can .. tostring(coroutine.isyieldable()), tostring(pcall(closed))""")
        parts = told[0].split(";")
        self.assertEqual(parts[:2], ["true first name of UinnerA", "true second inner end B"])
        self.assertRegex(parts[2], r"^false .*bot\.lua:\d+: middle broke$")
        self.assertEqual(parts[3:], ["dead"])
        self.assertEqual(told[1:], ["outer end", "truefalse", "false"])

    def test_where_lua_cannot_wait_the_error_says_so(self):
        told = self.run_handler("""
            local function try(f, ...) return tostring((select(2, pcall(f, ...)))) end
            local sorted = try(table.sort, { 3, 1, 2 }, function(a, b) line.sleep(0.001) return a < b end)
            local replaced = try(string.gsub, "abc", "b", function() return line.profile("Ux").displayName end)
            local shown = try(tostring, setmetatable({}, { __tostring = function() line.profile("Ux") return "x" end }))
            return sorted, replaced, shown""")
        self.assertRegex(told[0], r"bot\.lua:\d+: line\.sleep: cannot wait here.*sort")
        self.assertRegex(told[1], r"bot\.lua:\d+: line\.profile: cannot wait here.*gsub")
        self.assertRegex(told[2], r"bot\.lua:\d+: line\.profile: cannot wait here")
        self.assertEqual(self.standin.find("GET"), [], "nothing was sent")

    def test_own_yield_outside_a_coroutine_is_an_error_in_words(self):
        told = self.run_handler("""
            local ok, err = pcall(coroutine.yield, 1)
            return tostring(ok), tostring(err)""")
        self.assertEqual(told[0], "false")
        self.assertRegex(told[1], "yield")

    def test_loading_may_wait_and_require_too(self):
        """Even at the top level of a module that is required by a module."""
        bot = self.folder(HEAD + """
            local names = require "sub.names"
            line.sleep(0.001)
            line.on("message.text", function(event)
              local late = require "late"
              event:reply(names.first, names.own, late, tostring(require "sub.names" == names))
            end)""",
            sub__names=HEAD + 'local inner = require "sub.inner"\nreturn { first = inner.name, own = ... }\n',
            sub__inner=HEAD + 'return { name = line.get_profile("Uload").displayName }\n',
            late=HEAD + 'line.sleep(0.001)\nreturn "late " .. line.profile("Ulate").displayName\n')
        server = self.serve(bot)
        server.post(text("a"), text("b", source="another"))
        self.standin.wait(lambda: len(self.standin.find("reply")) == 2, "both replies")
        for call in self.standin.find("reply"):
            self.assertEqual(call.texts, ["name of Uload", "sub.names", "late name of Ulate", "true"])
        self.assertEqual(len(self.standin.find("Ulate")), 1, "two that require at once load it once")

    def test_require_errors(self):
        told = self.run_handler("""
            local function try(name) return (tostring((select(2, pcall(require, name))))) end
            return try("not.there"), try("broken"), try("raises"), try("ring_a")""",
            broken="local x =\nreturn }\n", raises='error("at load")', ring_a='require "ring_b"', ring_b='require "ring_a"')
        self.assertIn("not.there", told[0])
        self.assertRegex(told[1], r"broken\.lua:2:")
        self.assertRegex(told[2], r"raises\.lua:1: at load")
        self.assertRegex(told[3], "ring_a|loop")

    def test_lua_modules(self):
        """Trees as LuaRocks makes them, beside the bot."""
        bot = self.folder(HEAD + """
            local greet, deep = require "greet", require "pack.deep"
            line.on("message.text", function(event) event:reply(greet("you"), deep.name, require("json").encode({ 1 })) end)""")
        bot.write("lua_modules/share/lua/5.4/greet.lua", 'return function(who) return "hello " .. who end')
        bot.write("lua_modules/share/lua/5.4/pack/deep/init.lua", 'return { name = ... }')
        server = self.serve(bot)
        server.post(text("x"))
        self.standin.wait_text("hello you")
        self.assertEqual(self.standin.texts(), ["hello you", "pack.deep", "[1]"])


class Together(Scenario):
    def test_all_runs_side_by_side(self):
        """Three calls are under way at once: the gate opens only when it holds all of them."""
        gate = self.standin.gate("GET /v2/bot/profile/")
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              local function name(id) return function() return line.profile(id).displayName end end
              event:reply(table.unpack(line.all{ name "Ua", name "Ub", name "Uc" }))
            end)"""))
        server.post(text("x"))
        gate.wait(3, PATIENCE)
        gate.open()
        call = self.standin.wait_calls(1, "reply")[0]
        self.assertEqual(call.texts, ["name of Ua", "name of Ub", "name of Uc"])

    def test_an_error_in_all_is_raised(self):
        self.standin.missing.add("Ubad")
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              local ok, err = pcall(line.all, { function() return 1 end, function() return line.profile("Ubad") end })
              event:reply(tostring(ok), tostring(err.status))
            end)"""))
        server.post(text("x"))
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].texts, ["false", "404"])

    def test_spawn_goes_on_beside_the_handler(self):
        gate = self.standin.gate("GET /v2/bot/profile/Uslow")
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              line.spawn(function(id)
                line.push("Uspawned", line.profile(id).displayName)
              end, "Uslow")
              event:reply("at once")
            end)
            line.on("follow", function(event)
              line.spawn(function() error("in the background") end)
              event:reply("unharmed")
            end)"""))
        server.post(text("x"))
        self.standin.wait_text("at once")
        gate.open()
        self.standin.wait_text("name of Uslow", to="Uspawned")
        server.post(event("follow"))
        self.standin.wait_text("unharmed")
        self.assertIn("bot.lua:10", str(server.wait_log(level="error")))

    def test_a_waiting_handler_holds_up_nobody(self):
        gate = self.standin.gate("GET /v2/bot/profile/Uslow")
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              if event.message.text == "slow" then line.profile("Uslow") end
              event:reply(event.message.text)
            end)"""))
        server.post(text("slow", source="a"))
        gate.wait(1, PATIENCE)
        server.post(text("quick", source="b"))
        self.standin.wait_text("quick")
        self.assertNotIn("slow", self.standin.texts())
        gate.open()
        self.standin.wait_text("slow")

    def test_handler_limit_ends_a_handler_that_waits_too_long(self):
        """Its <close> variables run, its chat goes on, and the event is kept aside, not repeated."""
        self.standin.gate("GET /v2/bot/profile/Unever")
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              if event.message.text == "never" then
                local guard <close> = setmetatable({}, { __close = function() log.info("closed") end })
                line.profile("Unever")
              end
              event:reply(event.message.text)
            end)"""), options=["--handler-limit", "200ms"])
        never = server.post(text("never", source="a"))[0]
        server.post(text("next", source="a"))
        self.standin.wait_text("next")
        self.assertEqual(server.wait_log(message="closed")["event"], never["webhookEventId"])
        kept = self.wait_events(1, "failed")[0]
        self.assertEqual(kept["id"], never["webhookEventId"])
        self.assertRegex(kept["why"], r"200 ?ms")


if __name__ == "__main__":
    main()
