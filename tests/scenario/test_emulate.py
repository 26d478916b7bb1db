#!/usr/bin/python3
"""The emulator's contract from outside, by plain HTTP as any SDK with another base address speaks it: what a call may look
like, what is answered, refused and counted. Webhooks and worlds are test_emulate_webhooks.py's, the Node SDK tests/sdk's."""
# runner: unsanitized

import json
import struct
import uuid
import zlib

from emulated import AIKO, CHAT, GROUP, HELLO, REQUEST_ID, SOMCHAI, TOKEN, ZOE, Emulated
from harness import main, user
from rawhttp import Connection, chunked, request

MINUTE, DAY = 60_000, 86_400_000


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows) +
            chunk(b"IEND", b""))


MENU = {"size": {"width": 2500, "height": 843}, "selected": True, "name": "n", "chatBarText": "c", "areas": []}


class Callers(Emulated):
    """How SDKs and other programs write their requests."""

    def test_one_connection_many_calls_as_requests_and_urllib3_do(self):
        connection = self.line.connect()
        self.addCleanup(connection.close)
        sdk = {"User-Agent": "line-bot-sdk-python/3.14.5", "Accept": "application/json", "Accept-Encoding": "identity"}
        ids = set()
        for n in range(20):
            body = {"to": AIKO, "messages": [{"type": "text", "text": f"n {n}"}], "notificationDisabled": False}
            answer = self.line.api("POST", "/v2/bot/message/push", body, connection=connection, **sdk)
            self.assertEqual(answer.status, 200, answer)
            ids.add(answer.headers["x-line-request-id"])
            profile = self.line.api("GET", f"/v2/bot/profile/{AIKO}", connection=connection, Content_Type="application/json", **sdk)
            self.assertEqual(profile.json["displayName"], "Aiko 愛子")
        self.assertEqual(len(ids), 20)
        self.assertEqual([e["message"]["text"] for e in self.line.entries()], [f"n {n}" for n in range(20)])

    def test_chunked_bodies_and_gzip_as_go_does(self):
        go = [("Authorization", f"Bearer {TOKEN}"), ("User-Agent", "LINE-BotSDK-Go/8.14.0"), ("Accept-Encoding", "gzip"),
              ("Transfer-Encoding", "chunked")]
        body = json.dumps({"to": AIKO, "messages": [{"type": "text", "text": "😀 in pieces"}]}, ensure_ascii=False).encode()
        pieces = [body[i:i + 7] for i in range(0, len(body), 7)]
        with Connection("127.0.0.1", self.line.port, 10) as connection:
            for _ in range(3):
                connection.send(request("POST", "/v2/bot/message/push", chunked(pieces),
                                        [*go, ("Content-Type", "application/json; charset=UTF-8")]))
                answer = connection.read()
                self.assertEqual(answer.status, 200, answer)
                self.assertNotIn("content-encoding", answer.headers)
            self.assertEqual(self.line.entries()[-1]["message"]["text"], "😀 in pieces")
            made = json.loads(self.line.api("POST", "/v2/bot/richmenu", MENU).body)
            image = png(2500, 843)
            connection.send(request("POST", f"/v2/bot/richmenu/{made['richMenuId']}/content", chunked([image[:100], image[100:]]),
                                    [*go, ("Content-Type", "image/png")]))
            self.assertEqual(connection.read().status, 200)
        back = self.line.api("GET", f"/v2/bot/richmenu/{made['richMenuId']}/content")
        self.assertEqual((back.body, back.headers["content-type"]), (image, "image/png"))

    def test_case_of_names_and_old_versions(self):
        body = json.dumps({"to": AIKO, "messages": HELLO}).encode()
        for spell in (str.lower, str.upper, str.title):
            fields = [(spell(n), v) for n, v in (("authorization", f"Bearer {TOKEN}"), ("content-type", "Application/JSON"))]
            for version in ("1.1", "1.0"):
                with Connection("127.0.0.1", self.line.port, 10) as connection:
                    connection.send(request("POST", "/v2/bot/message/push", body, fields, version=version))
                    self.assertEqual(connection.read().status, 200)
                    if version == "1.0":
                        self.assertTrue(connection.at_end())

    def test_bodiless_posts_and_100_continue(self):
        fields = [("Authorization", f"Bearer {TOKEN}"), ("Content-Length", "0")]
        with Connection("127.0.0.1", self.line.port, 10) as connection:
            connection.send(request("POST", f"/v2/bot/user/{AIKO}/linkToken", b"", fields))
            self.assertRegex(json.loads(connection.read().body)["linkToken"], "^[A-Za-z0-9]{32}$")
            body = json.dumps({"to": AIKO, "messages": HELLO}).encode()
            connection.send(request("POST", "/v2/bot/message/push", b"", [fields[0], ("Content-Type", "application/json"),
                            ("Content-Length", str(len(body))), ("Expect", "100-continue")]))
            self.assertEqual(connection.read().status, 100)
            connection.send(body)
            self.assertEqual(connection.read().status, 200)

    def test_a_file_of_ids_as_urllib3_writes_it(self):
        edge = "d74d4b3f0c4f4ae7a5c8c1d0"
        parts = [("description", None, None, b"from a file"), ("isIfaAudience", None, None, b"false"),
                 ("file", "ids.txt", "text/plain", f"{AIKO}\n{ZOE}\n".encode())]
        body = b""
        for name, file, kind, data in parts:
            body += f'--{edge}\r\nContent-Disposition: form-data; name="{name}"'.encode()
            body += (f'; filename="{file}"\r\nContent-Type: {kind}' if file else "").encode() + b"\r\n\r\n" + data + b"\r\n"
        body += f"--{edge}--\r\n".encode()
        answer = self.line.api("POST", "/v2/bot/audienceGroup/upload/byFile", body,
                               Content_Type=f"multipart/form-data; boundary={edge}")
        self.assertEqual(answer.status, 202, answer)
        self.line.advance(2000)
        told = self.line.api("GET", f"/v2/bot/audienceGroup/{answer.json['audienceGroupId']}").json
        self.assertEqual((told["audienceGroup"]["description"], told["audienceGroup"]["audienceCount"]), ("from a file", 2))
        mixed = self.line.api("POST", "/v2/bot/audienceGroup/upload/byFile", body, Content_Type="multipart/mixed")
        self.assertEqual(mixed.status, 415)

    def test_every_answer_has_its_request_id_and_headers(self):
        seen = set()
        for status, how in ((200, ("GET", "/v2/bot/info")), (400, ("POST", "/v2/bot/message/push", {"to": AIKO})),
                            (401, ("GET", "/v2/bot/info", None, "wrong")), (404, ("GET", "/v2/bot/nothing")),
                            (404, ("GET", "/v2/bot/richmenu/richmenu-0")), (405, ("PUT", "/v2/bot/info", {})),
                            (202, ("POST", "/v2/bot/chat/loading/start", {"chatId": AIKO}))):
            answer = self.line.api(*how)
            self.assertEqual(answer.status, status, how)
            self.assertRegex(answer.headers["x-line-request-id"], REQUEST_ID)
            seen.add(answer.headers["x-line-request-id"])
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertIn("no-store", answer.headers["cache-control"])
            self.assertEqual(self.line.get("calls/" + answer.headers["x-line-request-id"])["status"], status)
        self.assertEqual(len(seen), 7)


class Refusals(Emulated):
    """The layers of what a request may be: who asks, how it is written, what is in it."""

    def test_who_asks(self):
        invalid = ("Authentication failed due to the following reason: invalid token. "
                   "Confirm that the access token in the authorization header is valid.")
        self.refused(self.line.api("GET", "/v2/bot/info", token="wrong"), 401, invalid)
        none = self.refused(self.line.api("GET", "/v2/bot/info", token=None), 401)
        self.assertIn("Authorization", none.message)
        for value in ("", "Bearer", f"Basic {TOKEN}", f"Token {TOKEN}", TOKEN, f"Bearer {TOKEN} more", "Bearer " + "x" * 5000):
            self.refused(self.line.api("GET", "/v2/bot/info", token=None, Authorization=value), 401)

    def test_how_it_is_written(self):
        def push(body, **headers):
            return self.line.api("POST", "/v2/bot/message/push", body, **headers)

        for body, line, column in ((b"{", 1, 2), (b"", 1, 0), (b'{"to": "x",\n "messages": [}', 2, 15), (b"[1,2]", 1, 1), (b"\xff", 1, 1)):
            answer = self.refused(push(body), 400)
            self.assertRegex(answer.message, r"^The request body could not be parsed as JSON \(line: \d+, column: \d+\)$", body)
            found = [int(x) for x in answer.message.rstrip(")").replace("line: ", "").replace("column: ", "").split("(")[1].split(", ")]
            self.assertEqual(found[0], line, answer)
            self.assertLessEqual(abs(found[1] - column), 2, answer)
        answer = self.refused(push(b'{"to": 5, "messages": []}'), 400)
        self.assertRegex(answer.message, r"^The property, 'to', in the request body is invalid \(line: 1, column: \d+\)$")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
            self.refused(push(b"{}", Content_Type=kind), 415, f"The content type, {kind}, is not supported")
        self.refused(push(b'{"to":"' + b"x" * (2 << 20) + b'"}'), 413)
        most = {"to": AIKO, "messages": [{"type": "text", "text": "x"}], "more": "x" * ((2 << 20) - 200)}
        self.assertNotEqual(push(most).status, 413)

    def test_what_is_in_it(self):
        one = "The request body has 1 error(s)"
        long = [{"message": "Length must be between 0 and 5000", "property": "messages[0].text"}]
        for messages, details in (
                ([], [{"message": "Size must be between 1 and 5", "property": "messages"}]),
                (HELLO * 6, [{"message": "Size must be between 1 and 5", "property": "messages"}]),
                ([{"type": "text", "text": "x" * 5001}], long), ([{"type": "text", "text": "🦊" * 2501}], long),
                ([*HELLO, {"text": "x"}], [{"message": "May not be empty", "property": "messages[1].type"}])):
            body = {"to": AIKO, "messages": messages}
            self.refused(self.line.api("POST", "/v2/bot/message/push", body), 400, one, details)
        self.assertEqual(self.push(messages=[{"type": "text", "text": "🦊" * 2500}]).status, 200)
        two = self.line.api("POST", "/v2/bot/message/push", {"to": AIKO, "messages": [{"type": "text", "text": ""}, {"type": "x"}]})
        self.refused(two, 400, "The request body has 2 error(s)")
        box = {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "a", "margin": "huge"}]}
        flex = {"type": "flex", "altText": "a", "contents": {"type": "bubble", "body": box}}
        self.refused(self.push(messages=[*HELLO, flex]), 400, "A message (messages[1]) in the request body is invalid",
                     [{"message": "invalid property", "property": "/body/contents/0/margin"}])
        column = {"text": "t", "actions": [{"type": "message", "label": "l", "text": "t"}]}
        carousel = {"type": "template", "altText": "a", "template": {"type": "carousel", "columns": [column, {**column, "title": "x"}]}}
        uneven = self.refused(self.push(messages=[carousel]), 400, "A message (messages[0]) in the request body is invalid")
        self.assertRegex(uneven.json["details"][0]["property"], "^template/columns")
        self.assertEqual(self.line.entries()[-1]["message"]["text"], "🦊" * 2500)

    def test_a_fault_is_answered_and_not_carried_out(self):
        self.line.post("faults", {"fault": "push_message:2=503"})
        self.assertEqual([self.push().status for _ in range(3)], [200, 503, 200])
        self.assertEqual(len(self.line.entries()), 2)
        self.line.post("faults", {"operation": "*", "do": "status", "status": 418, "body": {"message": "teapot"}, "times": 0})
        self.refused(self.line.api("GET", "/v2/bot/info"), 418, "teapot")
        self.line.control("DELETE", "faults")
        self.assertEqual(self.line.api("GET", "/v2/bot/info").status, 200)


class Tokens(Emulated):
    """Reply tokens and retry keys on the emulator's clock."""

    def test_a_reply_token_is_for_one_use_within_a_minute(self):
        token = self.line.say()["replyToken"]
        self.refused(self.reply(token, []), 400)  # what is refused costs nothing
        self.line.advance(MINUTE)
        self.assertEqual(self.reply(token).status, 200)
        self.refused(self.reply(token), 400, "Invalid reply token")
        late = self.line.say()["replyToken"]
        self.line.advance(MINUTE + 1)
        self.refused(self.reply(late), 400, "Invalid reply token")
        self.refused(self.reply("0" * 32), 400, "Invalid reply token")

    def test_two_who_reply_at_once_have_one_success(self):
        token = self.line.say()["replyToken"]
        body = json.dumps({"replyToken": token, "messages": HELLO}).encode()
        raw = request("POST", "/v2/bot/message/reply", body, [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")])
        lines = [Connection("127.0.0.1", self.line.port, 10) for _ in range(8)]
        for connection in lines:
            connection.send(raw)
        statuses = sorted(connection.read().status for connection in lines)
        for connection in lines:
            connection.close()
        self.assertEqual(statuses, [200] + [400] * 7)

    def test_a_redelivery_gives_another_minute_for_twenty_minutes(self):
        bot = self.bot()
        event = self.line.say()
        bot.wait(1)
        self.line.advance(5 * MINUTE)
        self.refused(self.reply(event["replyToken"]), 400, "Invalid reply token")
        self.line.post(f"events/{event['webhookEventId']}/redeliver")
        bot.wait(2)
        self.line.advance(MINUTE)
        self.assertEqual(self.reply(event["replyToken"]).status, 200)
        self.line.post(f"events/{event['webhookEventId']}/redeliver")
        bot.wait(3)
        self.refused(self.reply(event["replyToken"]), 400, "Invalid reply token")
        old = self.line.say()
        bot.wait(4)
        self.line.advance(20 * MINUTE + 1)
        self.line.post(f"events/{old['webhookEventId']}/redeliver")
        bot.wait(5)
        self.refused(self.reply(old["replyToken"]), 400, "Invalid reply token")

    def test_a_retry_key_is_a_uuid_and_works_once_a_day(self):
        key = str(uuid.uuid4())
        first = self.push(X_Line_Retry_Key=key)
        again = self.push(X_Line_Retry_Key=key)
        self.refused(again, 409, "The retry key is already accepted")
        self.assertEqual(again.headers["x-line-accepted-request-id"], first.headers["x-line-request-id"])
        self.assertEqual(again.json["sentMessages"], first.json["sentMessages"])
        self.assertEqual(len(self.line.entries()), 1)
        self.refused(self.push(X_Line_Retry_Key="not-a-uuid"), 400)
        self.refused(self.reply(self.line.say()["replyToken"], X_Line_Retry_Key=key), 400)
        self.refused(self.line.api("GET", "/v2/bot/info", X_Line_Retry_Key=key), 400)
        other = str(uuid.uuid4())
        self.refused(self.push(messages=[{"type": "text", "text": ""}], X_Line_Retry_Key=other), 400)
        self.assertEqual(self.push(X_Line_Retry_Key=other).status, 200)  # what was refused was not accepted
        self.line.advance(DAY + 1)
        self.assertEqual(self.push(X_Line_Retry_Key=key).status, 200)


class Counting(Emulated):
    """Rates, the quota of a month, the counts of a day."""

    LIMIT = "The API rate limit has been exceeded. Try again later."

    def test_rates_are_of_channel_and_operation(self):
        batch = {"operations": [{"type": "unlinkAll"}]}
        statuses = [self.line.api("POST", "/v2/bot/richmenu/batch", batch) for _ in range(4)]
        self.assertEqual([a.status for a in statuses], [202, 202, 202, 429])
        self.refused(statuses[3], 429, self.LIMIT)
        self.assertNotIn("retry-after", statuses[3].headers)
        self.assertEqual(self.line.api("POST", "/v2/bot/richmenu/validate/batch", batch).status, 200)
        other = self.line.post("channels", {"name": "other", "token": "other-token"})
        self.assertEqual(self.line.api("POST", "/v2/bot/richmenu/batch", batch, token=other["token"]).status, 202)
        self.line.advance(3600_000)
        self.assertEqual(self.line.api("POST", "/v2/bot/richmenu/batch", batch).status, 202)

    def test_refused_calls_cost_rate_too(self):
        for _ in range(60):
            self.refused(self.line.api("POST", "/v2/bot/message/broadcast", {}), 400)
        self.refused(self.line.api("POST", "/v2/bot/message/broadcast", {"messages": HELLO}), 429, self.LIMIT)

    def test_the_quota_is_people_and_ends_with_the_month(self):
        self.line.control("PATCH", f"channels/{CHAT.split(':', 1)[0]}", {"quota": {"type": "limited", "value": 4}})
        self.line.act(do="join", chat=GROUP)
        self.assertEqual(self.push(GROUP, HELLO * 4).status, 200)  # three people, whatever the messages
        self.assertEqual(self.line.api("GET", "/v2/bot/message/quota/consumption").json, {"totalUsage": 3})
        self.refused(self.push(GROUP), 429, "You have reached your monthly limit.")
        self.assertEqual(self.push().status, 200)
        self.refused(self.push(), 429, "You have reached your monthly limit.")
        self.assertEqual(self.push(SOMCHAI).status, 200)  # not a friend: nobody is reached
        self.assertEqual(self.reply(self.line.say()["replyToken"]).status, 200)  # replies are free
        self.assertEqual(self.line.api("GET", "/v2/bot/message/quota").json, {"type": "limited", "value": 4})
        self.line.advance(31 * DAY)
        self.assertEqual(self.line.api("GET", "/v2/bot/message/quota/consumption").json, {"totalUsage": 0})
        self.assertEqual(self.push().status, 200)

    def test_non_friends_who_wrote_are_reached_for_a_week(self):
        self.line.act(as_=ZOE, do="message", message={"type": "text", "text": "hi"})
        chat = CHAT.replace(AIKO, ZOE)
        self.assertEqual(self.push(ZOE).status, 200)
        self.assertEqual(len(self.line.entries(chat)), 2)
        self.line.advance(7 * DAY + 1)
        self.assertEqual(self.push(ZOE).status, 200)
        self.assertEqual(len(self.line.entries(chat)), 2)
        self.refused(self.push(user("stranger")), 400, "Failed to send messages")

    def test_a_rich_menu_has_figures(self):
        """What the Node SDK has no methods for."""
        menu = self.line.api("POST", "/v2/bot/richmenu", MENU).json["richMenuId"]
        self.line.api("POST", f"/v2/bot/richmenu/{menu}/content", png(2500, 843), Content_Type="image/png")
        self.line.api("POST", f"/v2/bot/user/all/richmenu/{menu}")
        for kind in ("summary", "daily"):
            path = f"/v2/bot/insight/richmenu/{menu}/{kind}"
            answer = self.line.api("GET", f"{path}?from=20200101&to=20200102")
            self.assertIn(answer.status, (200, 400), answer)
            self.refused(self.line.api("GET", path), 400, "Bad Request")
        missing = self.line.api("GET", "/v2/bot/insight/richmenu/richmenu-0/daily?from=20260101&to=20260102")
        self.assertIn(missing.status, (400, 404))


class Unlimited(Emulated):
    OPTIONS = ("--no-rates",)

    def test_rates_can_be_left_out(self):
        for _ in range(70):
            self.assertEqual(self.line.api("POST", "/v2/bot/message/broadcast", {"messages": HELLO}).status, 200)


if __name__ == "__main__":
    main()
