#!/usr/bin/python3
"""Channel access tokens: issued by id and secret or by a signed assertion, renewed before their end and after a 401,
once for all workers, without a call that fails; and what a bot does while none is to be had."""

import base64
import hashlib
import json
import os
import signal
import time
import urllib.parse

from harness import PATIENCE, SECRET, TOKEN, Scenario, main, text, until, user

HEAD = 'local line = require "line"\n'
ECHO = HEAD + 'line.on("message.text", function(event) event:push(event.message.text) end)\n'
ID = "1234567890"


def unbase64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


# The key of RFC 7515, appendix A.2: everybody has its private half, so it protects nothing.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "assertion_key.json"), encoding="ascii") as _file:
    KEY = json.load(_file)


def rs256_holds(jwt):
    """RSASSA-PKCS1-v1_5 with SHA-256, by hand."""
    signed, _, signature = jwt.rpartition(".")
    n, e = (int.from_bytes(unbase64(KEY[k]), "big") for k in "ne")
    size = (n.bit_length() + 7) // 8
    found = pow(int.from_bytes(unbase64(signature), "big"), e, n).to_bytes(size, "big")
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(signed.encode()).digest()
    return found == b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest


class Tokens(Scenario):
    def setUp(self):
        super().setUp()
        self.standin.own_token = False
        self.secrets += [f"hush-issued-token-{n}-of-the-stand-in" for n in range(1, 200)]

    def by_id(self, **more):
        return self.env(token=None, LINE_CHANNEL_ID=ID, **more)

    def asked(self):
        return self.standin.find("POST /oauth2/.*/token")

    def bearer(self, call):
        return call.headers["Authorization"]

    def test_stateless_is_issued_and_used(self):
        server = self.serve(self.folder(ECHO), env=self.by_id())
        server.post(text("hello"))
        self.standin.wait_text("hello")
        asked = self.asked()
        self.assertEqual([c.path for c in asked], ["/oauth2/v3/token"])
        self.assertEqual(dict(urllib.parse.parse_qsl(asked[0].body.decode())),
                         {"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET})
        self.assertEqual(asked[0].headers["Content-Type"], "application/x-www-form-urlencoded")
        self.assertEqual(self.bearer(self.standin.find("push")[0]), "Bearer " + self.standin.issued[0])

    def test_assertion_is_signed(self):
        folder = self.folder(ECHO)
        folder.write("key.json", json.dumps(KEY))
        server = self.serve(folder, env=self.by_id(LINE_ASSERTION_KEY="key.json"))
        server.post(text("signed"))
        self.standin.wait_text("signed")
        form = dict(urllib.parse.parse_qsl(self.asked()[0].body.decode()))
        self.assertEqual(self.asked()[0].path, "/oauth2/v2.1/token")
        self.assertEqual(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        head, claims = (json.loads(unbase64(x)) for x in form["client_assertion"].split(".")[:2])
        self.assertEqual(head, {"alg": "RS256", "typ": "JWT", "kid": KEY["kid"]})
        self.assertEqual((claims["iss"], claims["sub"], claims["aud"]), (ID, ID, "https://api.line.me/"))
        self.assertLessEqual(claims["exp"], time.time() + 1800)
        self.assertLessEqual(claims["token_exp"], 30 * 86400)
        self.assertTrue(rs256_holds(form["client_assertion"]))

    def test_wrong_key_files_are_told_at_the_start(self):
        folder = self.folder(ECHO)
        for content, words in (("{}", "RSA"), (json.dumps({k: v for k, v in KEY.items() if k != "kid"}), "kid")):
            folder.write("key.json", content)
            done = self.command("run", folder.path, "--listen", "127.0.0.1:0", status=2,
                                env=self.by_id(LINE_ASSERTION_KEY="key.json"))
            self.assertIn("key.json", done.stderr)
            self.assertIn(words, done.stderr)

    def test_renewed_before_its_end(self):
        self.standin.token_life = 2
        server = self.serve(self.folder(ECHO), env=self.by_id())
        until(lambda: len(self.standin.issued) >= 3, "two renewals", 20)
        server.post(text("later"))
        self.standin.wait_text("later")
        took = [b.at - a.at for a, b in zip(self.asked(), self.asked()[1:])]
        self.assertGreater(took[0], 1.2)
        self.assertLess(took[0], 2.0 * max(1, PATIENCE / 10), "80 % of two seconds")
        self.assertNotEqual(self.bearer(self.standin.find("push")[0]), "Bearer " + self.standin.issued[0])

    def test_two_workers_one_renewal_no_failed_call(self):
        """Under load the token dies: every call is refused once at most, one request renews it, nothing fails."""
        server = self.serve(self.folder(ECHO), env=self.by_id(), options=["--workers", "2"])
        server.post(*(text(f"before {n}", source=f"u{n}") for n in range(20)))
        self.standin.wait_calls(20, "push", status=200)
        time.sleep(5.1)  # a token this young that LINE refuses would not be renewed: see token.c
        gate = self.standin.gate("oauth2/v3/token")
        with self.standin.condition:
            self.standin.revoked.add(self.standin.issued[0])
        server.post(*(text(f"after {n}", source=f"u{n}") for n in range(60)))
        self.standin.wait_calls(60, "push", status=401)
        gate.wait(1, PATIENCE)
        time.sleep(0.3)
        self.assertEqual(gate.held, 1, "one renewal is under way")
        gate.open()
        self.standin.wait_calls(80, "push", status=200)
        self.assertEqual(len(self.standin.issued), 2)
        self.assertEqual(len(self.standin.find("push", status=401)), 60)
        self.assertEqual(sorted(self.standin.texts()), sorted([f"before {n}" for n in range(20)] + [f"after {n}" for n in range(60)]))
        self.wait_events(0)
        keys = {}
        for call in self.standin.find("push"):
            keys.setdefault(call.texts[0], set()).add(call.key)
        self.assertTrue(all(len(k) == 1 for k in keys.values()), "the repetition is the same call")

    def test_load_over_many_renewals(self):
        """Tokens that live a second, two workers, and an end of each token that comes early now and then."""
        self.standin.token_life = 1
        server = self.serve(self.folder(ECHO), env=self.by_id(), options=["--workers", "2"])
        sent, end = 0, time.monotonic() + 6
        while time.monotonic() < end:
            server.post(*(text(f"n{sent + i}", source=f"u{i}") for i in range(20)))
            sent += 20
            time.sleep(0.05)
        self.standin.wait_calls(sent, "push", status=200)
        self.assertGreaterEqual(len(self.standin.issued), 5)
        self.assertEqual(len(self.standin.texts()), sent)
        self.wait_events(0)

    def test_without_token_endpoint_it_serves_and_goes_on_when_it_comes(self):
        self.standin.fault("oauth2/v3/token", times=3, status=503, body={"message": "not now"})
        server = self.serve(self.folder(ECHO), env=self.by_id())
        self.assertEqual(server.health()[0], 200)
        server.post(text("patient"))
        server.wait_log(message="no channel access token yet; calls of LINE wait for it", reason="503 not now")
        self.standin.wait_text("patient", seconds=20)
        self.assertEqual(len(self.asked()), 4)

    def test_a_call_that_waits_for_a_token_ends_in_time(self):
        self.standin.fault("oauth2/v3/token", times=99, cut="before")
        server = self.serve(self.folder(HEAD + """line.on("message.text", function(event)
              local ok, err = pcall(line.push, "Utold", "x", { timeout = 0.5 })
              require("log").info("told", { kind = err.kind, status = err.status, text = tostring(err) })
              error("as expected")
            end)"""), env=self.by_id())
        server.post(text("go"))
        kept = self.wait_events(1, "failed")
        self.assertIn("as expected", kept[0]["why"])
        told = server.wait_log(message="told")
        self.assertEqual((told["kind"], str(told["status"])), ("token", "0"))
        self.assertIn("no channel access token yet", told["text"])

    def test_a_token_refused_for_good_is_told(self):
        """LINE refuses fresh tokens, too: one renewal at most, then the call fails with LINE's words."""
        self.standin.fault("push", times=99, status=401, body={"message": "not you"})
        server = self.serve(self.folder(ECHO), env=self.by_id())
        server.post(text("x"))
        self.assertIn("not you", self.wait_events(1, "failed")[0]["why"])
        self.assertLessEqual(len(self.standin.find("push")), 2)
        self.assertLessEqual(len(self.asked()), 2)

    def test_a_given_token_is_not_renewed(self):
        server = self.serve(self.folder(ECHO), env=self.env(LINE_CHANNEL_ID=ID))
        server.post(text("x"))
        self.assertIn("401", self.wait_events(1, "failed")[0]["why"])
        self.assertEqual(self.asked(), [])

    def test_several_bots_each_with_its_own(self):
        bots = []
        for n, channel in enumerate(("111", "222")):
            bot = self.folder(HEAD + f'line.on("message.text", function() line.push("U{n}", "from {n}") end)\n', f"bot{n}")
            bot.write(".env", f"LINE_CHANNEL_SECRET={SECRET}\nLINE_CHANNEL_ID={channel}\n"
                              f"LINE_API_BASE={self.standin.url}\n")
            bots.append(bot)
        env = {k: v for k, v in self.env(token=None).items() if not k.startswith("LINE_")}
        server = self.serve(*bots, env=env)
        for n in range(2):
            server.post(text("go"), path=f"/webhook/bot{n}")
            self.standin.wait_text(f"from {n}")
        ids = [dict(urllib.parse.parse_qsl(c.body.decode()))["client_id"] for c in self.asked()]
        self.assertEqual(sorted(ids), ["111", "222"])
        used = {self.bearer(c).removeprefix("Bearer ") for c in self.standin.find("push")}
        self.assertEqual(used, set(self.standin.issued))


    def test_a_hangup_costs_no_further_token_of_the_same_key(self):
        folder = self.folder(ECHO)
        folder.write("key.json", json.dumps(KEY))
        server = self.serve(folder, env=self.by_id(LINE_ASSERTION_KEY="key.json"))
        self.standin.wait(self.asked, "the first token")
        for generation, kid, tokens in ((2, KEY["kid"], 1), (3, "another kid", 2)):
            folder.replace("key.json", json.dumps({**KEY, "kid": kid}))
            server.signal(signal.SIGHUP)
            server.wait_generation(generation)
            server.post(text(kid))
            self.standin.wait_text(kid)
            self.standin.wait(lambda n=tokens: len(self.asked()) >= n, "the token of another key")
            self.assertEqual(len(self.asked()), tokens)

    def test_another_channel_in_env_gets_its_own_token(self):
        bot = self.folder(ECHO)
        lines = f"LINE_CHANNEL_SECRET={SECRET}\nLINE_API_BASE={self.standin.url}\nLINE_CHANNEL_ID="
        bot.write(".env", lines + "111\n")
        env = {k: v for k, v in self.env(token=None).items() if not k.startswith("LINE_")}
        server = self.serve(bot, env=env)
        server.post(text("first"))
        self.standin.wait_text("first")
        bot.replace(".env", lines + "222\n")
        server.wait_generation(2)
        server.post(text("second"))
        self.standin.wait_text("second")
        ids = [dict(urllib.parse.parse_qsl(c.body.decode()))["client_id"] for c in self.asked()]
        self.assertEqual(ids, ["111", "222"])
        self.assertEqual([self.bearer(c) for c in self.standin.find("push")], [f"Bearer {t}" for t in self.standin.issued])
        before = len(self.asked())
        bot.write("bot.lua", ECHO.replace("event:push(", "event:push('again ' .. "))
        server.wait_generation(3)
        server.post(text("third"))
        self.standin.wait_text("again third")
        self.assertEqual(len(self.asked()), before, "a reload of the code keeps the token")

    def test_another_channel_in_env_has_rates_of_its_own(self):
        """Workers of one channel share their buckets over generations; a channel is told by its secret."""
        bot = self.folder(ECHO)
        lines = f"LINE_API_BASE={self.standin.url}\nLINE_CHANNEL_ACCESS_TOKEN={TOKEN}\nLINE_CHANNEL_SECRET="
        env = {k: v for k, v in self.env().items() if not k.startswith("LINE_")}
        pages = []
        bot.write(".env", lines + SECRET)
        server = self.serve(bot, env=env)
        for generation, secret in ((1, SECRET), (2, SECRET), (3, "of another channel"), (4, "of another channel")):
            if generation > 1:
                bot.replace(".env", f"{lines}{secret}\n# {generation}\n")
            server.wait_generation(generation)
            until(lambda: len(server.workers()) == 1, "the worker before to leave")
            pages.append(os.stat(f"/proc/{server.workers()[0]}/fd/5").st_ino)
        self.assertEqual([pages[0] == pages[1], pages[1] == pages[2], pages[2] == pages[3]], [True, False, True])


class Command(Scenario):
    """`moonline token`."""

    def by_key(self, **more):
        with open(os.path.join(self.dir, "key.json"), "w", encoding="ascii") as file:
            json.dump(KEY, file)
        return self.env(token=None, LINE_CHANNEL_ID=ID, LINE_ASSERTION_KEY=os.path.join(self.dir, "key.json"), **more)

    def test_issue_list_verify_revoke(self):
        done = self.command("token", "issue", env=self.by_key())
        token = done.stdout.strip()
        self.assertEqual(token, self.standin.issued[0])
        self.assertIn("key id kid1", done.stderr)
        self.assertNotIn(token, done.stderr)
        self.assertEqual(self.command("token", "list", env=self.by_key()).stdout, "kid1\n")
        listed = self.standin.find("tokens/kid")[0]
        query = dict(urllib.parse.parse_qsl(listed.query))
        self.assertTrue(rs256_holds(query["client_assertion"]))
        self.assertNotIn("token_exp", json.loads(unbase64(query["client_assertion"].split(".")[1])))
        env = {**self.by_key(), "LINE_CHANNEL_ACCESS_TOKEN": token}
        self.assertEqual(self.command("token", "verify", env=env).stdout, f"valid: channel {ID}, expires in 4711 s\n")
        self.assertEqual(self.command("token", "revoke", env=env).stdout, "revoked\n")
        self.assertEqual(dict(urllib.parse.parse_qsl(self.standin.find("v2.1/revoke")[0].body.decode())),
                         {"client_id": ID, "client_secret": SECRET, "access_token": token})
        refused = self.command("token", "verify", env=env, status=1)
        self.assertIn("The access token expired", refused.stderr)
        self.assertEqual(self.command("token", "list", env=self.by_key()).stdout, "")

    def test_a_long_lived_token_is_verified_by_the_older_door(self):
        self.assertIn("valid: channel", self.command("token", "verify").stdout)
        self.assertEqual([c.path for c in self.standin.find()], ["/oauth2/v2.1/verify", "/v2/oauth/verify"])

    def test_no_token_is_printed_when_line_cannot_be_reached(self):
        """v2.1 tokens and assertions are asked about in the query of an address, which errors name."""
        for env, what in ((self.env(), "verify"), (self.by_key(), "list")):
            told = self.command("token", what, env={**env, "LINE_API_BASE": "http://127.0.0.1:1"}, status=1).stderr
            self.assertRegex(told, r"^moonline token %s: http://127\.0\.0\.1:1/oauth2/v2\.1/[a-z/]+: \S" % what)

    def test_stateless_as_json(self):
        done = self.command("token", "issue", "--json", env=self.env(token=None, LINE_CHANNEL_ID=ID))
        self.assertEqual(json.loads(done.stdout), {"access_token": self.standin.issued[0], "expires_in": 900})

    def test_the_current_one_of_two_secrets_is_found(self):
        self.standin.fault("v3/token", status=400, body={"error": "invalid_client", "error_description": "invalid client_secret"})
        done = self.command("token", "issue", env=self.env(secret=f"{SECRET[::-1]},{SECRET}", token=None, LINE_CHANNEL_ID=ID))
        self.assertEqual(done.stdout.strip(), self.standin.issued[0])
        self.assertIn(SECRET, self.standin.find("v3/token")[1].body.decode())

    def test_no_secret_is_needed_to_look_at_a_token(self):
        env = self.env()
        del env["LINE_CHANNEL_SECRET"]
        self.assertIn("valid: channel", self.command("token", "verify", env=env).stdout)
        self.assertEqual(self.command("token", "revoke", env={**env, "LINE_CHANNEL_ID": ID}).stdout, "revoked\n")
        told = self.command("token", "issue", env={**env, "LINE_CHANNEL_ID": ID}, status=1).stderr
        self.assertIn("LINE_CHANNEL_SECRET is not set", told)

    def test_what_is_missing_is_told(self):
        self.assertIn("LINE_CHANNEL_ID", self.command("token", "issue", status=1).stderr)
        self.assertIn("LINE_ASSERTION_KEY", self.command("token", "list", status=1).stderr)
        self.assertIn("issue, verify", self.command("token", "isue", status=2).stderr)
        self.standin.fault("v3/token", times=9, status=400, body={"error": "invalid_client", "error_description": "invalid client_id"})
        self.assertIn("400 invalid client_id",
                      self.command("token", "issue", status=1, env=self.env(token=None, LINE_CHANNEL_ID=ID)).stderr)


if __name__ == "__main__":
    main()
