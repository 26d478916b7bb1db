#!/usr/bin/python3
"""What a handler sends: replies gathered into one call, sends whose retry key survives the retry, the platform's refusals
as error objects that name the script's line, and nothing that could reach a user twice."""

import re

from harness import Scenario, event, group, main, text, user

HEAD = 'local line = require "line"\n'


class Sending(Scenario):
    def handle(self, body, source="somebody", **how):
        """A bot whose text handler is body (its first line is bot.lua:3), and one posted message."""
        server = self.serve(self.folder(f'{HEAD}line.on("message.text", function(event)\n{body}\nend)\n'), **how)
        return server, server.post(text("go", source=source))[0]

    def tell(self, body, **how):
        """The same; body may call tell(...). Returns what it told, as texts."""
        body = body.replace("tell(", 'line.push("Utold", ')
        before = len(self.standin.find("push", status=200))
        self.handle(body, **how)
        return self.standin.wait_calls(before + 1, "push", status=200)[-1].texts


class Reply(Sending):
    def test_queued_and_flushed_together(self):
        _, posted = self.handle("""
            event:reply("one")
            event:reply("two", { type = "sticker", packageId = "446", stickerId = "1988" })
            line.sleep(0.01)
            event:reply("four", line.text("five"))""")
        call = self.standin.wait_calls(1, "reply")[0]
        self.assertEqual(call.json, {"replyToken": posted["replyToken"], "messages": [
            {"type": "text", "text": "one"}, {"type": "text", "text": "two"},
            {"type": "sticker", "packageId": "446", "stickerId": "1988"},
            {"type": "text", "text": "four"}, {"type": "text", "text": "five"}]})
        self.assertIsNone(call.key, "replies take no retry key")
        self.assertEqual(call.headers["Content-Type"].split(";")[0], "application/json")
        self.wait_events(0)
        self.assertEqual(len(self.standin.find("reply")), 1)

    def test_sixth_raises_at_its_line(self):
        self.handle("""
            for i = 1, 5 do event:reply("reply " .. i) end
            local ok, err = pcall(function()
              event:reply("one too many")
            end)
            line.push("Utold", tostring(ok), tostring(err))""")
        told = self.standin.wait_calls(1, "push", status=200)[0].texts
        self.assertEqual(told[0], "false")
        self.assertRegex(told[1], r"bot\.lua:6:.*(5|five)")
        self.assertEqual(self.standin.wait_calls(1, "reply", status=200)[0].texts, [f"reply {i}" for i in range(1, 6)])

    def test_never_repeated_by_itself(self):
        """A reply that failed may have been shown all the same, so it is reported, not repeated."""
        for status in (500, 429, None):
            with self.subTest(status=status):
                if status:
                    self.standin.fault("reply", status=status, body={"message": "You have reached your monthly limit."})
                else:
                    self.standin.fault("reply", cut="after")
                server = self.serve(self.folder(HEAD + 'line.on("*", function(event) event:reply("once") end)'),
                                    options=["--data", f"{self.dir}/data-{status}"])
                before = len(self.standin.calls)
                server.post(text("x"))
                server.wait_metric("moonline_events_total", 1, outcome="failed")
                server.stop()
                self.assertEqual(len(self.standin.calls), before + 1)

    def test_a_kept_connection_that_dies_under_a_reply(self):
        """It goes out once more by itself, which is safe: a token works once, and one that is used up says it was sent."""
        server = self.serve(self.folder(HEAD + 'line.on("*", function(event) event:reply(event.message.text) end)'))
        for cut in ("after", "before"):
            server.post(text(f"first {cut}"))
            self.standin.wait_text(f"first {cut}")
            self.standin.fault("reply", cut=cut)
            server.post(text(f"second {cut}"))
            self.standin.wait_text(f"second {cut}")
        server.wait_metric("moonline_events_total", 4, outcome="done")
        self.assertEqual(self.standin.texts(), ["first after", "second after", "first before", "second before"])
        self.assertEqual([c.status for c in self.standin.find("reply")], [200, 0, 400, 200, 0, 200])

    def test_error_of_a_flush_is_kept_with_the_event(self):
        self.standin.fault("reply", status=400, body={"message": "Invalid reply token"})
        server, posted = self.handle('event:reply("too late")')
        kept = self.wait_events(1, "failed")[0]
        self.assertEqual(kept["id"], posted["webhookEventId"])
        self.assertIn("Invalid reply token", kept["why"])
        self.assertIn("bot.lua:3", kept["why"])


class Push(Sending):
    def test_same_key_and_bytes_after_500(self):
        self.standin.fault("push", times=2, status=500, body={"message": "busy"})
        self.handle('event:push("important")')
        self.standin.wait_text("important")
        calls = self.standin.find("push")
        self.assertEqual([c.status for c in calls], [500, 500, 200])
        self.assertEqual(len({(c.key, c.body) for c in calls}), 1)
        self.assertRegex(calls[0].key, r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(len({c.request_id for c in calls}), 3)

    def test_409_is_success(self):
        """The answer got lost after the platform had accepted: the retry is told so, and the script sees success."""
        self.standin.fault("push", cut="after")
        self.handle("""
            local answer = line.push(event.chat.id, "exactly once")
            line.push("Utold", type(answer))""")
        self.standin.wait_text("table")
        statuses = [c.status for c in self.standin.find("push")]
        self.assertEqual(statuses, [0, 409, 200])
        self.assertEqual(self.standin.texts(user("somebody")), ["exactly once"])
        self.wait_events(0)

    def test_connection_cut_before_is_repeated(self):
        self.standin.fault("push", cut="before", times=2)
        self.handle('event:push("through")')
        self.standin.wait_text("through")
        self.assertEqual(len({c.key for c in self.standin.find("push")}), 1)

    def test_every_call_has_its_own_key_and_all_sends_have_one(self):
        other = user("other")
        self.handle(f"""
            event:push("same")
            event:push("same")
            line.multicast({{ event.chat.id, "{other}" }}, "many")
            line.narrowcast("chosen")
            line.broadcast("all")
            line.push_message{{ to = event.chat.id, messages = {{ line.text("long form") }}, notificationDisabled = true }}""")
        self.standin.wait_text("long form")
        calls = self.standin.find("POST /v2/bot/message/")
        self.assertEqual([c.path.rpartition("/")[2] for c in calls],
                         ["push", "push", "multicast", "narrowcast", "broadcast", "push"])
        self.assertEqual(len({c.key for c in calls} - {None}), 6)
        self.assertEqual(calls[2].json["to"], [user("somebody"), other])
        self.assertEqual(calls[3].status, 202)
        self.assertIs(calls[5].json["notificationDisabled"], True)

    def test_push_goes_to_the_chat_not_to_the_sender(self):
        self.handle('event:push("to the group")', source=group("g", "member"))
        self.standin.wait_text("to the group", to=group("g")["groupId"])

    def test_429_of_the_rate_waits_and_of_the_quota_raises(self):
        self.standin.fault("push", status=429, body={"message": "The API rate limit has been exceeded. Try again later."})
        self.handle('event:push("patience")')
        self.standin.wait_text("patience")
        self.assertEqual([c.status for c in self.standin.find("push")], [429, 200])
        self.standin.fault("broadcast", status=429, body={"message": "You have reached your monthly limit."})
        told = self.tell('local _, err = pcall(line.broadcast, "no money") tell(tostring(err.status), err.message)',
                         options=["--data", f"{self.dir}/data2"])
        self.assertEqual(told, ["429", "You have reached your monthly limit."])
        self.assertEqual(len(self.standin.find("broadcast")), 1)

    def test_4xx_is_not_repeated(self):
        self.standin.fault("push", times=9, status=403, body={"message": "not yours"})
        server, _ = self.handle('event:push("no")')
        server.wait_metric("moonline_events_total", 1, outcome="failed")
        self.assertEqual(len(self.standin.find("push")), 1)


class Rates(Sending):
    """The four kinds of 429, the buckets, and the quota."""

    def test_the_kind_says_what_to_do(self):
        for words, kind, attempts in (("You have reached your monthly limit.", "quota", 1),
                                      ("Too many messages to the same user.", "user", 1),
                                      ("The API rate limit has been exceeded. Try again later.", "rate", 2)):
            with self.subTest(kind=kind):
                before = len(self.standin.find("push"))
                self.standin.fault("push", times=99, status=429, body={"message": words})
                server, _ = self.handle("""
                    local _, err = pcall(event.push, event, "x", { timeout = 1 })
                    require("log").info("told", { kind = err.kind, words = err.message, after = err.retry_after or 0 })""",
                    options=["--data", f"{self.dir}/data-{kind}", "--handler-limit", "2500ms"])
                told = server.wait_log(message="told")
                self.assertEqual((told["kind"], told["words"]), (kind, words))
                self.assertEqual(len(self.standin.find("push")) - before, attempts)
                self.assertEqual(float(told["after"]) > 0, kind == "rate")
                server.stop()
                self.standin.faults.clear()

    def test_more_than_a_second_holds_waits_its_turn_shared_by_two_workers(self):
        """chat/loading/start may be called 100 times a second; 150 chats of one bot want it at once."""
        server = self.serve(self.folder(HEAD + 'line.on("message.text", function(event) event:loading(5) end)'),
                            options=["--workers", "2"])
        server.post(*(text("x", source=f"u{n}") for n in range(150)))
        calls = self.standin.wait_calls(150, "loading")
        self.wait_events(0)
        times = sorted(c.at for c in calls)
        self.assertGreater(times[-1] - times[0], 0.4, "100 at once, the others one every 10 ms")
        self.assertLess(times[-1] - times[0], 10)
        self.assertEqual({c.status for c in calls}, {202})

    def test_a_wait_that_is_too_long_raises_at_once(self):
        """60 an hour: the 61st broadcast would wait a minute, which no handler has."""
        told = self.tell("""
            for i = 1, 60 do line.broadcast("news " .. i) end
            local ok, err = pcall(line.broadcast, "one too many")
            tell(tostring(ok), err.kind, tostring(err), err.retry_after > 50 and "later" or "soon")""",
            options=["--handler-limit", "20s"])
        self.assertEqual((told[0], told[1], told[3]), ("false", "rate", "later"))
        self.assertRegex(told[2], r"bot\.lua:\d+: line\.broadcast: .*60 calls in 3600 s.*try again in")
        self.assertEqual(len(self.standin.find("broadcast")), 60)

    def test_whoever_wants_meets_the_limit_at_line(self):
        told = self.tell("""
            for i = 1, 60 do line.broadcast("news " .. i) end
            local ok = pcall(line.broadcast, "one more")
            tell(tostring(ok))""", options=["--handler-limit", "20s", "--no-api-rates"])
        self.assertEqual(told, ["true"])
        self.assertEqual(len(self.standin.find("broadcast")), 61)

    def test_quota(self):
        self.standin.quota, self.standin.usage = 200, 150
        self.handle("""
            local function show()
              local q = line.quota()
              return table.concat({ q.type, q.limit, q.used, q.remaining }, " ")
            end
            local first = show()
            line.push("Uone", "one")
            local second = show()
            line.broadcast("all")
            line.push("Utold", first, second, show())""")
        self.assertEqual(self.standin.wait_calls(2, "push")[1].texts, ["limited 200 150 50", "limited 200 151 49", "limited 200 150 50"])
        self.assertEqual(len(self.standin.find("quota$")), 2)

    def test_silent_sends(self):
        self.handle("""
            event:reply("a", { notification_disabled = true })
            event:push("b", { notification_disabled = true, timeout = 5, retry_key = "123e4567-e89b-12d3-a456-426614174000" })""")
        reply, push = self.standin.wait_calls(1, "reply")[0], self.standin.find("push")[0]
        self.assertIs(reply.json["notificationDisabled"], True)
        self.assertIs(push.json["notificationDisabled"], True)
        self.assertEqual(push.key, "123e4567-e89b-12d3-a456-426614174000")


class Errors(Sending):
    def test_a_part_that_line_complains_about_has_its_line(self):
        self.standin.fault("push", status=400, body={"message": "The request body has 1 error(s)", "details": [
            {"message": "May not be empty", "property": "messages[1].text"}]})
        told = self.tell("""
            local first = line.text("one")
            local second =
              line.text("two")
            local _, err = pcall(line.push, event.chat.id, first, second)
            tell(tostring(err), tostring(err.details[1].where))""")
        self.assertIn("bot.lua:6", told[0])
        self.assertEqual(told[1], "bot.lua:6")

    def test_error_object(self):
        self.standin.fault("broadcast", status=400, body={"message": "The request body has 1 error(s)", "details": [
            {"message": "May not be empty", "property": "messages[0].text"}]})
        told = self.tell("""
            local ok, err = pcall(function()
              line.broadcast("refused")
            end)
            tell(table.concat({ tostring(ok), math.type(err.status), err.status, err.operation, err.where }, " "),
                 err.message, err.details[1].property .. ": " .. err.details[1].message, err.request_id, tostring(err))""")
        refused = self.standin.find("broadcast")[0]
        self.assertEqual(told[:4], ["false integer 400 broadcast bot.lua:5", "The request body has 1 error(s)",
                                    "messages[0].text: May not be empty", refused.request_id])
        for part in ("bot.lua:5", "line.broadcast", "400", "messages[1].text", "May not be empty", refused.request_id):
            self.assertIn(part, told[4])

    def test_uncaught_error_names_the_line_and_keeps_the_event(self):
        self.standin.missing.add("Ugone")
        server, posted = self.handle("""
            local profile = line.get_profile("Ugone")
            event:reply(profile.displayName)""")
        kept = self.wait_events(1, "failed")[0]
        self.assertRegex(kept["why"], r"bot\.lua:4")
        self.assertRegex(kept["why"], r"404.*Not found|Not found.*404")
        self.assertIn("Ugone", str(self.standin.calls[0].path))
        record = server.wait_log(level="error", event=posted["webhookEventId"])
        self.assertIn("bot.lua:4", str(record))
        self.assertNotRegex(kept["why"], r"@moonline|scripts/line|\[C\]: in \?", "only the script's own frames")
        self.assertEqual(str(record["generation"]), "1")

    def test_error_without_an_answer(self):
        """Nobody listens: after its own retries the call raises with status 0."""
        self.standin.fault("broadcast", times=99, cut="before")
        told = self.tell('local _, err = pcall(line.broadcast, "x") tell(tostring(err.status), err.message)')
        self.assertEqual(told[0], "0")
        self.assertRegex(told[1], "no answer")
        self.assertEqual(len(self.standin.calls), 1 + len(self.standin.find("broadcast")))
        self.assertGreaterEqual(len(self.standin.find("broadcast")), 2)

    def test_wrong_token_is_told_without_the_token(self):
        wrong = "this-token-is-wrong-but-still-nobodys-business"
        self.secrets.append(wrong)
        self.handle('event:reply("x")', env=self.env(token=wrong))
        self.assertIn("401", self.wait_events(1, "failed")[0]["why"])

    def test_misuse_raises_at_the_callers_line(self):
        told = self.tell(r"""
            local function try(f, ...) return (select(2, pcall(f, ...))) end
            local errors = {
              try(function() line.push_message{ too = "U", messages = {} } end),
              try(function() line.push_message{ messages = { "x" } } end),
              try(function() line.get_profile{ userId = 5, user = 1 } end),
              try(function() line.get_profil("U") end),
              try(function() undeclared_global = 1 end),
            }
            for i = 1, 5 do errors[i] = tostring(errors[i]) end
            tell(table.unpack(errors))""")
        for told_text, line, words in zip(told, (6, 7, 8, 9, 10), ("too.*to", "to", "userId|user", "get_profile", "undeclared_global")):
            self.assertRegex(told_text, rf"bot\.lua:{line}:.*({words})")
        self.assertEqual(len(self.standin.calls), 1, "nothing of this was sent")


class Getting(Sending):
    def test_profiles_of_three_kinds_of_chat(self):
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event) event:reply(event:profile().displayName) end)"""))
        room = {"type": "room", "roomId": "R" + user("r")[1:], "userId": user("c")}
        for source in ("a", group("g", "b"), room):
            posted = server.post(text("who", source=source))[0]
            self.standin.wait_text("name of " + posted["source"]["userId"])
        paths = [c.path for c in self.standin.find("GET")]
        self.assertEqual([p.split("/")[3] for p in paths], ["profile", "group", "room"])

    def test_request_is_the_way_out(self):
        told = self.tell("""
            local body, status, headers = line.request("POST", "/v2/bot/echo", { query = { q = "a b&c" }, body = { n = 7, list = { 1 } } })
            local ok, err = pcall(line.request, "GET", "/v2/bot/nothing")
            tell(body.method, body.query, body.body, math.type(status) .. status, tostring(ok) .. err.status)""")
        self.assertEqual(told[0], "POST")
        self.assertRegex(told[1], r"^q=a(%20|\+)b%26c$")
        self.assertRegex(told[2], r'^\{("n":7,"list":\[1\]|"list":\[1\],"n":7)\}$')
        self.assertEqual(told[3:], ["integer200", "false404"])

    def test_path_values_are_escaped(self):
        self.tell('pcall(line.get_profile, "U/../x?y z%") tell("done")')
        self.assertEqual(self.standin.find("GET")[0].path, "/v2/bot/profile/U%2F..%2Fx%3Fy%20z%25")

    def test_content_is_streamed_once_it_is_ready(self):
        data = bytes(range(256)) * 4096  # 1 MiB
        self.standin.contents["77"] = (data, "video/mp4")
        self.standin.not_ready["77"] = 2
        server = self.serve(self.folder(HEAD + """
            line.on("message.video", function(event)
              local content, n, sum, pieces = event:content(), 0, 0, 0
              for piece in content:chunks() do
                n, pieces = n + #piece, pieces + 1
                for i = 1, #piece, 997 do sum = sum + piece:byte(i) * 0 end
              end
              event:reply(n .. " bytes of " .. content:type(), pieces > 1 and "in pieces" or "in one")
            end)
            line.on("message.image", function(event)
              local bytes = line.get_message_content("78"):all()
              event:reply(#bytes .. " " .. bytes:byte(1) .. " " .. bytes:byte(-1))
            end)
            line.on("message.file", function(event) event:content() end)"""))
        server.post(event("message", message={"id": "77", "type": "video", "contentProvider": {"type": "line"}}))
        self.standin.wait_text(f"{len(data)} bytes of video/mp4")
        self.assertIn("in pieces", self.standin.texts())
        self.assertEqual([c.status for c in self.standin.find("content")], [202, 202, 200])
        self.standin.contents["78"] = (b"\x89\x00\n\xff", "image/png")
        server.post(event("message", message={"id": "78", "type": "image"}))
        self.standin.wait_text("4 137 255")
        server.post(event("message", message={"id": "79", "type": "file"}))
        why = self.wait_events(1, "failed")[0]["why"]
        self.assertRegex(why, r"(?s)bot\.lua:.*404")

    def test_other_methods_of_an_event(self):
        server = self.serve(self.folder(HEAD + """
            line.on("message.text", function(event)
              event:loading(20)
              event:mark_read()
              event:reply("read")
            end)
            line.on("join", function(event) event:leave() end)
            line.on("follow", function(event)
              local info = line.get_bot_info()
              event:reply(info.displayName, line.get_group_summary("Cx").groupName, tostring(line.get_group_member_count("Cx").count))
            end)"""))
        message = text("x")
        message["message"]["markAsReadToken"] = "mark-me"
        server.post(message)
        self.standin.wait_text("read")
        loading, mark = self.standin.find("/v2/bot/chat/")
        self.assertEqual(loading.json, {"chatId": user("somebody"), "loadingSeconds": 20})
        self.assertEqual(mark.json, {"markAsReadToken": "mark-me"})
        server.post(event("join", source=group("left")))
        self.assertEqual(self.standin.wait_calls(1, "leave")[0].path, f"/v2/bot/group/{group('left')['groupId']}/leave")
        server.post(event("follow", follow={"isUnblocked": False}))
        self.standin.wait_text("name of Cx")
        self.assertIn("3", self.standin.texts())


class Once(Sending):
    def test_what_could_be_done_twice_goes_out_once(self):
        """libcurl would send a POST again when a kept connection turns out dead; nobody could tell what that did."""
        self.standin.fault("POST /v2/bot/echo", cut="after")
        self.standin.fault("GET /v2/bot/echo", cut="after")
        told = self.tell("""
            line.request("GET", "/v2/bot/info")
            local ok, e = pcall(line.request, "POST", "/v2/bot/echo", {body = {}})
            line.request("GET", "/v2/bot/info")
            local again = line.request("GET", "/v2/bot/echo")
            tell(e.kind, e.message, again.method)""")
        self.assertEqual(told[0], "network")
        self.assertEqual(told[1], "no answer from LINE: the connection closed without an answer "
                                  "(the request may have been carried out)")
        self.assertEqual(told[2], "GET")
        self.assertEqual(len([c for c in self.standin.calls if c.method == "POST" and "echo" in c.path]), 1)


class Json(Sending):
    def test_what_is_sent_keeps_its_shape(self):
        """Empty arrays stay arrays where the platform wants them, integers stay integers, every character survives."""
        self.handle("""
            event:push({ type = "flex", altText = "é🍎 \\"q\\" \\n", contents = { type = "bubble", body = { type = "box",
              layout = "vertical", contents = {}, flex = 0, future = 1.5, big = 1625665242211 } } })""")
        call = self.standin.wait_calls(1, "push")[0]
        bubble = call.json["messages"][0]["contents"]["body"]
        self.assertEqual(bubble["contents"], [])
        self.assertEqual(call.json["messages"][0]["altText"], 'é🍎 "q" \n')
        self.assertTrue(re.search(rb'"flex":0[,}]', call.body) and re.search(rb'"big":1625665242211[,}]', call.body))
        self.assertEqual(bubble["future"], 1.5)


if __name__ == "__main__":
    main()
