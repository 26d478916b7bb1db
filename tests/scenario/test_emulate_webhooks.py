#!/usr/bin/python3
"""Webhooks of the emulator from outside, and its worlds: signing, order, silence, statistics, redelivery, faults; snapshots,
saved worlds, a hundred thousand people; who may use the controls, and what hostile callers get."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import threading
import time

from emulated import (AIKO, BOT, CHANNEL, CHAT, GROUP, HELLO, REQUEST_ID, SECRET, SOMCHAI, TOKEN, ZOE, Bot, Emulated, Emulator)
from harness import BINARY, PATIENCE, SCALE, environment, main, resident, sign, until
from rawhttp import Closed, Connection, request

MINUTE = 60_000


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


class Webhooks(Emulated):
    def heard(self, bot, n):
        return [e["message"]["text"] for e in bot.events(n)]

    def test_signed_as_in_the_vectors(self):
        bot = Bot()
        self.addCleanup(bot.close)
        world = ('return {channels = {{secret = "8c570fa6dd201bb328f1c1eac23a96d8", bot = "U8e742f61d673b39c7fff3cecb7536ef0", '
                 'webhook = "%s"}}}' % bot.url)
        self.line.control("POST", "load", world, content_type="text/x-lua")
        (channel,) = self.line.get("world")["channels"]
        self.assertTrue(self.line.post(f"channels/{channel['id']}/verify")["success"])
        (headers, body), = bot.wait(1)
        self.assertEqual(body, b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}')
        self.assertEqual(headers["x-line-signature"], "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=")
        self.assertEqual(headers["content-type"], "application/json; charset=utf-8")
        self.assertEqual(headers["user-agent"], "LineBotWebhook/2.0")

    def test_members_and_their_order(self):
        bot = self.bot()
        self.line.control("PATCH", f"channels/{CHANNEL}", {"chatMode": "chat"})
        self.line.say('q"\\\n🦊\u2028')
        (headers, body), = bot.wait(1)
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
        self.assertEqual(headers["x-line-signature"], base64.b64encode(digest).decode())
        told = json.loads(body)
        self.assertEqual(told["destination"], BOT)
        (event,) = told["events"]
        self.assertEqual(list(event), ["type", "message", "webhookEventId", "deliveryContext", "timestamp", "source", "replyToken",
                                       "mode"])
        self.assertEqual(list(event["message"]), ["type", "id", "quoteToken", "markAsReadToken", "text"])
        self.assertRegex(event["webhookEventId"], "^[0-9A-HJKMNP-TV-Z]{26}$")
        self.assertNotIn(b"null", body)

    def test_escapes_alternate_and_are_signed_as_sent(self):
        bot = self.bot(escapes="alternate")
        for _ in range(2):
            self.line.say("🦊")
        self.assertEqual(self.heard(bot, 2), ["🦊", "🦊"])
        escaped = [rb"\ud83e\udd8a" in body.lower() for _, body in bot.seen]
        self.assertEqual(sorted(escaped), [False, True])

    def test_a_chat_keeps_its_order_and_holds_up_no_other(self):
        bot, let_go = self.bot(), threading.Event()

        def first_waits(handler):
            let_go.wait(1.5)
            handler.send_response(200)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        bot.answer = lambda n: first_waits if n == 1 else 200
        for n in range(5):
            self.line.say(f"a{n}")
        self.line.act(as_=SOMCHAI, do="message", message={"type": "text", "text": "b"})
        bot.wait(2)
        self.assertEqual(self.heard(bot, 2), ["a0", "b"])
        let_go.set()
        self.assertEqual(self.heard(bot, 6)[2:], ["a1", "a2", "a3", "a4"])

    def test_events_together_in_one_request(self):
        bot = self.bot(together=True)
        gate = threading.Event()

        def wait(handler):
            gate.wait(1.5)
            handler.send_response(200)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        bot.answer = lambda n: wait if n == 1 else 200
        self.line.say("0")
        bot.wait(1)
        for n in range(1, 6):
            self.line.say(str(n))
        gate.set()
        bot.wait(2)
        self.assertEqual([len(json.loads(body)["events"]) for _, body in bot.seen], [1, 5])
        self.assertEqual(self.heard(bot, 2), ["0", "1", "2", "3", "4", "5"])

    def test_statistics_say_why_in_the_consoles_words(self):
        bot = self.bot()
        with socket.create_server(("127.0.0.1", 0)) as free:
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
        for answer, url, reason, detail, status in (
                (500, bot.url, "error_status_code", "500", 500), (302, bot.url, "error_status_code", "302", 302),
                (200, nobody, "could_not_connect", "Connection failed", None),
                (200, bot.url.replace("http:", "https:"), "could_not_connect", "TLS handshake failure", None),
                (hang_up, bot.url, "unclassified", "Session closed unexpectedly", None),
                (lambda _: time.sleep(2.6), bot.url, "request_timeout", "Request timeout", None)):
            self.line.webhook(endpoint=url)
            bot.answer = lambda _, answer=answer: answer
            record = self.line.attempts(self.line.say()["webhookEventId"], 1, 2 + PATIENCE)
            (attempt,) = record["attempts"]
            self.assertEqual((record["state"], attempt["ok"], attempt.get("status")), ("failed", False, status), attempt)
            if reason == "request_timeout":
                self.assertTrue(1900 <= attempt["ms"] <= 2500 * SCALE, attempt)
            told = self.line.get("statistics")["channels"][CHANNEL]["reasons"]
            self.assertEqual(told[reason][detail], 1, told)
        self.line.webhook(endpoint=bot.url)
        bot.answer = lambda _: 204
        self.assertEqual(self.line.attempts(self.line.say()["webhookEventId"])["state"], "delivered")
        self.assertEqual(self.line.get("statistics")["channels"][CHANNEL]["delivered"], 1)

    def test_redelivery_is_off_unless_it_is_on(self):
        bot = self.bot()
        bot.answer = lambda n: 500 if n < 3 else 200
        event = self.line.say()["webhookEventId"]
        self.line.attempts(event)
        self.line.advance(60 * MINUTE)
        self.line.webhook(redelivery=True)
        second = self.line.say()["webhookEventId"]
        record = self.line.attempts(second)
        self.assertGreater(record["nextTry"], self.line.get("clock")["now"])
        self.line.advance(record["nextTry"] - self.line.get("clock")["now"])
        self.line.attempts(second, 2)
        self.assertEqual(len(self.line.get(f"events/{event}")["attempts"]), 1)
        sent = bot.events(3)
        self.assertEqual([e["webhookEventId"] for e in sent], [event, second, second])
        self.assertEqual([e["deliveryContext"]["isRedelivery"] for e in sent], [False, False, True])
        self.assertEqual({**sent[2], "deliveryContext": 0}, {**sent[1], "deliveryContext": 0})
        self.assertEqual(self.line.get(f"events/{second}")["state"], "delivered")

    def test_again_is_new_and_redeliver_is_not(self):
        bot = self.bot()
        event = self.line.say("twice")
        bot.wait(1)
        made = self.line.post(f"events/{event['webhookEventId']}/again")
        self.line.post(f"events/{event['webhookEventId']}/redeliver")
        first, *rest = bot.events(3)
        again = next(e for e in rest if e["webhookEventId"] == made["id"])
        self.assertNotEqual(again["replyToken"], first["replyToken"])
        self.assertFalse(again["deliveryContext"]["isRedelivery"])
        self.assertEqual(self.reply(again["replyToken"]).status, 200)
        self.assertEqual(self.reply(first["replyToken"]).status, 200)

    def test_faults_of_webhooks(self):
        bot = self.bot()
        for fault, wanted in (("webhook:1=duplicate", ["a", "a", "b"]), ("webhook:1=reorder", ["b", "a"]), ("webhook:1=drop", ["b"])):
            bot.seen.clear()
            self.line.post("faults", {"fault": fault})
            self.line.say("a")
            self.line.say("b")
            self.assertEqual(self.heard(bot, len(wanted)), wanted, fault)
        bot.seen.clear()
        self.line.post("faults", {"fault": "webhook:1=delay:5000"})
        late = self.line.say("late")
        self.line.act(as_=SOMCHAI, do="message", message={"type": "text", "text": "other"})
        self.assertEqual(self.heard(bot, 1), ["other"])
        self.assertEqual(self.line.get(f"events/{late['webhookEventId']}")["attempts"], [])
        self.line.advance(5000)
        self.assertEqual(self.heard(bot, 2), ["other", "late"])
        bot.seen.clear()
        self.line.post("faults", {"fault": "webhook:1=garble"})
        self.line.say("wrong")
        (headers, body), = bot.wait(1)
        self.assertNotEqual(headers["x-line-signature"], sign(body, SECRET))
        self.assertEqual(len(headers["x-line-signature"]), 44)

    def test_switched_off_or_nowhere_is_told(self):
        bot = self.bot(active=False)
        record = self.line.attempts(self.line.say()["webhookEventId"])
        self.assertEqual(record["state"], "undelivered")
        self.assertIn("active is false", record["attempts"][0]["error"])
        self.assertFalse(self.line.api("GET", "/v2/bot/channel/webhook/endpoint").json["active"])
        self.assertEqual(bot.seen, [])
        self.line.post("reset")
        record = self.line.attempts(self.line.say()["webhookEventId"])
        self.assertIn("no webhook URL is set", record["attempts"][0]["error"])
        self.refused(self.line.api("POST", "/v2/bot/channel/webhook/test", {}), 404, "Webhook endpoint not found")

    def test_the_test_of_an_endpoint(self):
        bot = self.bot()
        ask = lambda **body: self.line.api("POST", "/v2/bot/channel/webhook/test", body).json
        told = ask()
        self.assertEqual({k: told[k] for k in ("success", "statusCode", "reason", "detail")},
                         {"success": True, "statusCode": 200, "reason": "OK", "detail": "200"})
        self.assertRegex(told["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$")
        bot.answer = lambda _: 401
        self.assertEqual((ask()["reason"], ask()["statusCode"]), ("ERROR_STATUS_CODE", 401))
        failed = ask(endpoint=bot.url.replace("http:", "https:").replace("127.0.0.1", "localhost"))
        self.assertEqual((failed["success"], failed["reason"]), (False, "COULD_NOT_CONNECT"))
        self.assertLessEqual(failed["statusCode"], 0)
        self.assertEqual(self.line.get("statistics")["channels"][CHANNEL]["failed"], 0)  # tests do not count


class Worlds(Emulated):
    def words(self, line=None):
        return [e["message"]["text"] for e in (line or self.line).entries()]

    def test_snapshots_and_going_back(self):
        self.line.say("one")
        token = self.line.say("two")["replyToken"]
        now = self.line.get("clock")["now"]
        kept = self.line.post("snapshot")["id"]
        self.assertEqual(self.reply(token).status, 200)
        self.line.control("DELETE", f"users/{ZOE}")
        self.line.advance(MINUTE * 3)
        for _ in range(2):
            self.line.post("restore", {"id": kept})
            self.assertEqual(self.words(), ["one", "two"])
            self.assertEqual(self.line.get("clock")["now"], now)
            self.assertEqual(self.reply(token).status, 200)
        self.assertEqual(len(self.line.get("world")["users"]), 3)
        self.assertIn("no snapshot", self.line.post("restore", {"id": "77"}, status=404)["message"])
        self.line.post("reset")
        self.assertEqual(self.line.entries(), [])

    def test_a_saved_world_goes_on_elsewhere(self):
        self.line.say("before 🦊")
        media = self.line.control("POST", "media", bytes(range(256)), content_type="image/png")["mediaId"]
        picture = self.line.act(do="message", message={"type": "image", "mediaId": media})["entry"]["id"]
        menu = self.line.api("POST", "/v2/bot/richmenu", {"size": {"width": 2500, "height": 843}, "selected": True, "name": "n",
                                                          "chatBarText": "c", "areas": []}).json["richMenuId"]
        self.push()
        saved = self.line.raw("GET", "/_/save").body
        again = Emulator("--world", self.file(saved))
        self.addCleanup(again.end)
        self.assertEqual(again.entries()[0]["message"]["text"], "before 🦊")
        content = again.api("GET", f"/v2/bot/message/{picture}/content")
        self.assertEqual((content.body, content.headers["content-type"]), (bytes(range(256)), "image/png"))
        self.assertEqual(again.api("GET", f"/v2/bot/richmenu/{menu}").json["name"], "n")
        self.line.post("reset")
        self.line.control("POST", "load", saved)
        self.assertEqual(len(self.line.entries()), 3)
        self.assertEqual(parts(self.line.raw("GET", "/_/save").body), parts(saved))
        for bad in ("{", "[]", "{}", '{"format":"moonline world 1"}', '{"format":"moonline world 9","state":{"format":9}}'):
            self.line.control("POST", "load", bad, status=400)
        self.assertEqual(len(self.line.entries()), 3)

    def test_a_saved_world_is_read_from_a_file_in_pieces(self):
        film = bytes(range(256)) * 12000  # 3 MB: more than is read at once
        media = self.line.control("POST", "media", film, content_type="video/mp4")["mediaId"]
        message = self.line.act(do="message", message={"type": "video", "mediaId": media})["entry"]["id"]
        for i in range(60):
            self.line.say(f"{i} " + "x" * 4000)
        path = self.file(self.line.raw("GET", "/_/save").body)
        self.assertGreater(os.path.getsize(path), 4 << 20)
        self.line.post("reset")
        self.line.control("POST", f"load?file={path}", b"")
        self.assertEqual(self.line.entries()[-1]["message"]["text"][:3], "59 ")
        self.assertEqual(self.line.api("GET", f"/v2/bot/message/{message}/content").body, film)
        self.line.control("POST", f"load?file={path}.none", b"", status=400)
        with open(path, "r+b") as file:
            file.truncate(3 << 20)
        self.assertIn("not", self.line.control("POST", f"load?file={path}", b"", status=400)["message"])
        self.assertEqual(self.line.entries()[-1]["message"]["text"][:3], "59 ")

    def file(self, content, name="world.json"):
        path = os.path.join(self.line.home, name)
        with open(path, "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content)
        return path

    def test_a_world_file_that_is_wrong_names_the_place(self):
        for text, part in (("return {users = {{nam = 'x'}}}", "did you mean 'name'"), ("return 5", "it returns number, not a table"),
                           ("return {", "expected"), ("os.exit()", "os"), ("error('mine')", "mine"),
                           ("return {groups = {{name = 'g', members = {'Nobody'}}}}", "there is nobody called 'Nobody'")):
            path = self.file(text, "w.lua")
            done = subprocess.run([BINARY, "emulate", "--listen", "127.0.0.1:0", "--world", path], capture_output=True, text=True,
                                  timeout=PATIENCE * 2, env=environment(self.line.home), check=False)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(part, done.stderr, text)
            self.assertIn("w.lua", done.stderr)
            refusal = self.line.control("POST", "load", text, status=400, content_type="text/x-lua")["message"]
            self.assertIn(part, refusal)
        self.assertEqual(len(self.line.get("world")["users"]), 3)

    def test_a_hundred_thousand_people(self):
        world = """
local users = {}
for i = 1, 100000 do users[i] = {id = ("U%032x"):format(i), name = "Person " .. i, friend = true} end
return {channels = {{id = "2000000001", name = "Big", class = "verified"}}, users = users}
"""
        begun = time.monotonic()
        line = Emulator("--world", self.file(world, "big.lua"))
        self.addCleanup(line.end)
        self.assertLess(time.monotonic() - begun, 6 * SCALE)
        told = line.get("world")
        self.assertEqual((told["usersTotal"], len(told["users"])), (100000, 200))
        self.assertEqual(line.get("users?search=Person+99999")["users"][0]["name"], "Person 99999")
        page = line.api("GET", "/v2/bot/followers/ids?limit=1000").json
        self.assertEqual(len(page["userIds"]), 1000)
        begun = time.monotonic()
        self.assertEqual(line.api("POST", "/v2/bot/message/broadcast", {"messages": HELLO}).status, 200)
        self.assertEqual(line.entries(f"{CHANNEL}:U{'%032x' % 100000}")[0]["message"]["text"], "hello")
        self.assertLess(time.monotonic() - begun, 6 * SCALE)
        self.assertEqual(line.api("GET", "/v2/bot/message/quota/consumption").json, {"totalUsage": 100000})
        if SCALE == 1:
            (worker,) = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == line.pid]
            self.assertLess(resident(worker), 400 << 20)


def parts(saved):
    """What a saved world holds, whatever the order it was written in: [path, member, value] as sorted texts."""
    def same(value):  # tables with other keys than texts are lists of pairs, in no order
        if isinstance(value, dict) and "$pairs" in value:
            return {json.dumps(key): same(part) for key, part in value["$pairs"]}
        if isinstance(value, dict):
            return {key: same(part) for key, part in value.items()}
        return [same(part) for part in value] if isinstance(value, list) else value
    found = []
    for path, members in json.loads(saved)["state"]:
        members = same(members)
        pairs = members.items() if isinstance(members, dict) else enumerate(members)
        found += [json.dumps([path, key, value], sort_keys=True) for key, value in pairs]
    return sorted(found)


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Doors(Emulated):
    """Who may use the controls and the page, and what callers get who mean no good."""

    def test_controls_are_for_this_machines_programs(self):
        for headers, status in (({}, 200), ({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403),
                                ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                                ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200)):
            for path in ("/_/world", "/_/", "/"):
                self.assertEqual(self.line.raw("GET", path, headers=headers).status, status, (path, headers))
            self.assertEqual(self.line.raw("POST", "/_/reset", "{}", headers).status, status, headers)
            # The platform's own paths are for whoever holds a token.
            answer = self.line.raw("GET", "/v2/bot/info", headers={**headers, "Authorization": f"Bearer {TOKEN}"})
            self.assertEqual(answer.status, 200, headers)
        page = self.line.raw("GET", "/")
        self.assertIn("default-src 'self'", page.headers["content-security-policy"])
        self.assertIn("<title>moonline</title>", page.body.decode())

    def test_no_path_leads_out(self):
        for path in ("/../init.lua", "/..%2finit.lua", "/%2e%2e/init.lua", "/page/../../init.lua", "/....//init.lua", "/init.lua",
                     "/../../../../etc/passwd", "/%00", "//etc/passwd", "/draw/..%5c..%5cinit.lua", "/_/../v2", "/index.html%00.js"):
            with Connection("127.0.0.1", self.line.port, PATIENCE) as connection:
                connection.send(request("GET", path))
                answer = connection.read()
                self.assertIn(answer.status, (400, 404), (path, answer))
                self.assertNotIn(b"local ", answer.body)

    def test_hostile_json(self):
        deep = b"[" * 100_000
        for body in (deep, b'{"a":' * 50_000, b'{"to":"' + b"\\u0000" * 1000 + b'","messages":[{"type":"text","text":"a"}]}',
                     b'{"to":"\\ud800","messages":[{"type":"text","text":"\\udfff"}]}', b'{"to":1e999,"messages":[]}',
                     b"\xef\xbb\xbf{}", b'{"messages":{}}', b'{"messages":[null]}', b'{"messages":[[]]}', b'{"messages":"x"}',
                     b'{"to":null,"messages":null}', b'{"__proto__":{},"messages":[{"type":"__index"}]}', b"null", b'"x"', b"\x00"):
            answer = self.line.api("POST", "/v2/bot/message/push", body)
            self.assertEqual(answer.status, 400, (body[:60], answer))
            self.assertRegex(answer.headers["x-line-request-id"], REQUEST_ID)
            for control in ("act", "users", "clock", "faults", "restore"):
                answer = self.line.raw("POST", "/_/" + control, body)
                wanted = (200, 400) if b":null" in body and control == "clock" else (400,)  # null is nothing, and nothing asks the time
                self.assertIn(answer.status, wanted, (control, body[:60]))
        nested = {"type": "text", "text": "t"}
        for _ in range(60):
            nested = {"type": "box", "layout": "vertical", "contents": [nested]}
        flex = {"type": "flex", "altText": "a", "contents": {"type": "bubble", "body": nested}}
        self.assertIn(self.push(messages=[flex]).status, (200, 400))
        self.assertEqual(self.push().status, 200)

    def test_wrong_methods_and_headers(self):
        for method, path in (("DELETE", "/v2/bot/info"), ("GET", "/v2/bot/message/push"), ("PATCH", "/v2/bot/info"), ("PUT", "/_/world"),
                             ("DELETE", "/_/clock"), ("POST", "/_/nothing"), ("BREW", "/v2/bot/info"), ("OPTIONS", "/v2/bot/info")):
            answer = self.line.api(method, path)
            self.assertIn(answer.status, (404, 405, 501), (method, path, answer))
        with Connection("127.0.0.1", self.line.port, PATIENCE) as connection:
            connection.send(request("GET", "/v2/bot/info", headers=[("X-Big", "x" * 200_000)]))
            try:
                self.assertIn(connection.read().status, (413, 431, 400))
            except (Closed, ConnectionError):
                pass
        for junk in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\r\n" * 1000, b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                     b"POST /v2/bot/message/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            with Connection("127.0.0.1", self.line.port, 1) as connection:
                connection.send(junk)
        self.assertEqual(self.line.api("GET", "/v2/bot/info").status, 200)

    def test_many_at_once(self):
        problems, n, threads = [], 40, 24

        def work(number):
            try:
                connection = self.line.connect()
                for i in range(n):
                    body = {"to": AIKO, "messages": [{"type": "text", "text": f"{number}.{i}"}]}
                    answer = self.line.api("POST", "/v2/bot/message/push", body, connection=connection)
                    if answer.status != 200:
                        problems.append(answer)
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                problems.append(error)

        crew = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        half = [Connection("127.0.0.1", self.line.port, PATIENCE) for _ in range(40)]  # these begin and never end
        for connection in half:
            connection.send(b"POST /v2/bot/message/push HTTP/1.1\r\nHost: x\r\nContent-Le")
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        for connection in half:
            connection.close()
        self.assertEqual(problems, [])
        self.assertEqual(self.line.get("world")["chats"][0]["n"], n * threads)

    def test_waiting_and_the_stream(self):
        seq = self.line.get("world")["feed"]
        done = threading.Thread(target=lambda: (time.sleep(0.05), self.line.say("now")))
        done.start()
        item = self.line.get(f"wait?kind=message&from=user&chat={CHAT}&since={seq}&timeout={int(PATIENCE)}")
        done.join()
        self.assertEqual(item["item"]["entry"]["message"]["text"], "now")
        self.assertIn("nothing like that", self.line.get(f"wait?kind=loading&since={item['seq']}&timeout=0.05", status=408)["message"])
        connection = self.line.connect()
        self.addCleanup(connection.close)
        connection.request("GET", f"/_/feed?since={seq}")
        stream = connection.getresponse()
        self.assertTrue(stream.getheader("content-type").startswith("text/event-stream"))
        while not (row := stream.readline()).startswith(b"data: "):
            self.assertTrue(row, "the stream ended")
        self.assertGreater(json.loads(row[6:])["seq"], seq)

    def test_ends_while_somebody_listens(self):
        line = Emulator(clock="real")
        connection = line.connect()
        connection.request("GET", "/_/feed?since=0")
        connection.getresponse().readline()
        begun = time.monotonic()
        line.end()
        self.assertLess(time.monotonic() - begun, 3 * SCALE)
        connection.close()

    def test_groups_have_one_account_and_consent_counts(self):
        bot = self.bot()
        self.line.act(do="join", chat=GROUP)
        self.line.control("PATCH", f"users/{ZOE}", {"consent": False})
        self.line.act(as_=ZOE, do="message", chat=GROUP, message={"type": "text", "text": "x"})
        events = bot.events(2)
        self.assertEqual(events[1]["source"], {"type": "group", "groupId": GROUP})
        self.assertIn("already", self.line.post("act", {"as": AIKO, "do": "join", "chat": GROUP}, status=400)["message"])
        members = self.line.api("GET", f"/v2/bot/group/{GROUP}/members/ids").json["memberIds"]
        self.assertEqual(sorted(members), [AIKO, SOMCHAI])
        self.line.api("POST", f"/v2/bot/group/{GROUP}/leave")
        until(lambda: len(bot.seen) == 3, "the leave event")
        self.assertEqual(bot.events(3)[2]["type"], "leave")


if __name__ == "__main__":
    main()
