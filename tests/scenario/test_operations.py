#!/usr/bin/python3
"""Every operation of the platform, called from a bot: verb, host, path, query, headers and body as they arrive; and what
is refused before anything leaves, at the script's line."""

import base64
import email
import json
import re

from harness import PATIENCE, TOKEN, Late, Scenario, environment, main, text
from operations import FORM, JSON, OTHERS, PNG
from standin import Standin

KEYED = {"push_message", "multicast", "narrowcast", "broadcast"}
NO_TOKEN = {"issue_stateless_channel_token", "gets_all_valid_channel_access_token_key_ids", "issue_channel_token_by_jwt",
            "verify_channel_token_by_jwt", "revoke_channel_token_by_jwt", "issue_channel_token", "verify_channel_token",
            "revoke_channel_token"}

# The bot reads its list from a module, so that no value has to survive being written in Lua.
BOT = """
local line = require "line"
local calls = json.decode(require "calls")
line.on("message.text", function(event)
  for _, call in ipairs(calls) do
    local ok, why = pcall(line[call.name], call.fields)
    if not ok then log.error("call failed", {operation = call.name, why = tostring(why)}) end
  end
  line.push("Utold", "finished")
end)
"""


class Operations(Scenario):
    def setUp(self):
        super().setUp()
        self.hosts = {"api": self.standin}
        for name in ("data", "manager"):
            self.hosts[name] = Standin(TOKEN, Late, PATIENCE)
            self.addCleanup(self.hosts[name].close)
        for host in self.hosts.values():
            host.fault("", times=1 << 30, status=200, body={})

    def env(self, *args, **extra):
        made = super().env(*args, **extra)
        made.update(LINE_DATA_API_BASE=self.hosts["data"].url, LINE_MANAGER_API_BASE=self.hosts["manager"].url)
        return made

    def run_all(self, calls):
        """Calls [(operation, fields)] one after the other; returns {host: its requests}, the last push left out."""
        listed = json.dumps([{"name": name, "fields": fields} for name, fields in calls])
        bot = self.folder(BOT, calls="return [====[" + listed + "]====]")
        bot.write("ids.txt", "U1\nU2\n")
        bot.write("menu.png", PNG.encode("latin-1"))
        server = self.serve(bot)
        server.post(text("go"))
        self.standin.wait(lambda: self.standin.calls and b"finished" in self.standin.calls[-1].body, "the last call", 30)
        self.assertEqual(server.logs(message="call failed"), [])
        self.standin.calls.pop()
        return {name: host.calls for name, host in self.hosts.items()}

    def arrived(self, seen, name, target, host_calls):
        """The next request of the row's host; verb, path and query hold against the target."""
        verb, host, path = target.split(" ", 2)
        self.assertTrue(host_calls[host], f"{name}: nothing came to {host}")
        call = host_calls[host].pop(0)
        path, _, query = path.partition("?")
        self.assertEqual((call.method, call.path, sorted(call.query.split("&"))), (verb, path, sorted(query.split("&"))))
        token = call.headers.get("Authorization")
        if name == "attach_module":
            self.assertEqual(token, "Basic " + base64.b64encode(b"1:s:s").decode())
        else:
            self.assertEqual(token, None if name in NO_TOKEN else "Bearer " + TOKEN)
        self.assertEqual(call.key is not None, name in KEYED)
        if verb in ("POST", "PUT"):  # also without a body: some hosts insist
            self.assertEqual(int(call.headers["Content-Length"]), len(call.body))
        seen.add(name)
        return call

    def test_every_row(self):
        calls = [(name, {**given, **(body or {})}) for name, given, _, body in JSON]
        calls += [(name, fields) for name, fields, *_ in OTHERS]
        arrived, seen = self.run_all(calls), set()
        for name, given, target, body in JSON:
            with self.subTest(name):
                call = self.arrived(seen, name, target, arrived)
                self.assertEqual(call.headers.get("X-Line-Delivery-Tag"), given.get("deliveryTag"))
                if body is None:
                    self.assertEqual((call.body, call.headers.get("Content-Type")), (b"", None))
                else:
                    self.assertEqual(call.headers["Content-Type"], "application/json")
                    self.assertEqual(call.json, body)
        for name, _, target, kind, want in OTHERS:
            with self.subTest(name):
                getattr(self, "check_" + kind)(self.arrived(seen, name, target, arrived), want)
        self.assertEqual([c for calls in arrived.values() for c in calls], [], "nothing more was sent")
        listed = {row["name"] for row in json.loads(self.command("call", "--json").stdout)}
        self.assertEqual(seen, listed, "every row has its expectation here, and no other")

    def check_form(self, call, want):
        self.assertEqual(call.headers["Content-Type"], FORM)
        self.assertEqual(call.body.decode(), want)

    def check_bytes(self, call, want):
        self.assertEqual(call.headers["Content-Type"], "image/png")
        self.assertEqual(call.body, want.encode("latin-1"))

    def check_multipart(self, call, want):
        kind = call.headers["Content-Type"]
        self.assertRegex(kind, r"^multipart/form-data; boundary=\S+$")
        parts = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + call.body).get_payload()
        got = [(p.get_param("name", header="Content-Disposition"), p.get_filename(),
                p["Content-Type"], p.get_payload(decode=True).decode()) for p in parts]
        self.assertEqual(got, want)


class Refusals(Scenario):
    """What never leaves, and what the author reads."""

    CASES = (
        ("line.get_profile{userID = 'U1'}", "unknown field 'userID' (did you mean 'userId'?)"),
        ("line.get_profile()", "missing field 'userId'"),
        ("line.get_profile{userId = 7}", "field 'userId' must be a string, not number"),
        ("line.list_coupon{limit = 101}", "field 'limit' must be at most 100, not 101"),
        ("line.list_coupon{limit = 0}", "field 'limit' must be at least 1, not 0"),
        ("line.list_coupon{status = {'RUNING'}}", "field 'status' cannot be 'RUNING' (did you mean 'RUNNING'?)"),
        ("line.get_audience_groups{page = 1, status = 'x'}", "it is one of IN_PROGRESS|READY|FAILED"),
        ("line.link_rich_menu_id_to_users{richMenuId = 'r', userIds = {}}", "field 'userIds' must hold at least 1, not 0"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = 'no picture'}", "field 'image' looks like text/plain"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = '\\x89PNG\\r\\n\\x1a\\n' .. ('x'):rep(1048576)}",
         "field 'image' has 1048584 bytes; LINE takes 1048576 at most"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = {file = 'none.png'}}", "none.png: No such file or directory"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = {path = 'x'}}", "unknown key of a file 'path'"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = {}}", "must be a string of bytes, {file = \"path\"} or {data"),
        ("line.set_rich_menu_image{richMenuId = 'r', image = ''}", "field 'image'"),
        ("line.push_messages_by_phone{to = 'x', messages = {line.text 'x'}, deliveryTag = 'a\\nb'}", "no line ends"),
        ("line.get_profil{userId = 'U1'}", "did you mean 'get_profile'"),
    )

    def test_at_the_line_of_the_script(self):
        lines = "\n".join(f"told(pcall(function() {code} end))" for code, _ in self.CASES)
        bot = self.folder('local line = require "line"\nline.on("message.text", function()\n'
                          'local n = 0 local function told(ok, why) n = n + 1 log.info("told", {n = n, ok = ok, '
                          'why = tostring(why)}) end\n' + lines + "\nend)\n")
        server = self.serve(bot)
        server.post(text("go"))
        server.wait_log(len(self.CASES), message="told")
        for record, (i, (code, words)) in zip(server.logs(message="told"), enumerate(self.CASES)):
            with self.subTest(code):
                self.assertEqual(record["ok"], "false")
                self.assertIn(words, record["why"])
                self.assertTrue(record["why"].startswith(f"bot.lua:{i + 4}: "), record["why"])
        self.assertEqual(self.standin.calls, [])


class Pages(Scenario):
    def test_followers_page_by_page(self):
        self.standin.fault("followers/ids", status=200, body={"userIds": ["Ua", "Ub"], "next": "n 1"})
        self.standin.fault("followers/ids", status=200, body={"userIds": ["Uc"]})
        self.serve(self.folder("""
            local line = require "line"
            line.on("message.text", function()
              local all = {}
              for id in line.each_follower{limit = 2} do all[#all + 1] = id end
              line.push("Utold", table.concat(all, " "))
            end)""")).post(text("go"))
        self.standin.wait_text("Ua Ub Uc")
        self.assertEqual([c.query for c in self.standin.find("followers")], ["limit=2", "start=n%201&limit=2"])


class Call(Scenario):
    """`moonline call`."""

    def call(self, *arguments, status=0, **how):
        return self.command("call", *arguments, status=status, **how)

    def test_answers_are_readable_or_json(self):
        told = self.call("get_profile", "userId=U1").stdout
        self.assertEqual(told, "displayName: name of U1\nuserId: U1\n")
        self.assertEqual(self.call("get_profile", "U1").stdout, told, "the natural argument")
        answer = json.loads(self.call("get_profile", "U1", "--json").stdout)
        self.assertEqual(answer, {"userId": "U1", "displayName": "name of U1"})

    def test_values_become_what_the_field_is(self):
        messages = json.dumps([{"type": "text", "text": "a=b, ü"}])
        told = self.call("multicast", "to=U1,U2", "messages:=" + messages, "notificationDisabled=true").stdout
        self.assertRegex(told, r"\Adone \(request id \S+\)\n\Z")
        self.assertEqual(self.standin.calls[-1].json, {"to": ["U1", "U2"], "messages": json.loads(messages),
                                                      "notificationDisabled": True})
        self.assertIsNotNone(self.standin.calls[-1].key)
        with open(f"{self.dir}/hi.json", "w", encoding="utf-8") as file:
            file.write(messages)
        self.call("push_message", "to=U1", "messages=@hi.json")
        self.assertEqual(self.standin.calls[-1].json["messages"], json.loads(messages))

    def test_files_go_up_and_come_down(self):
        with open(f"{self.dir}/menu.png", "wb") as file:
            file.write(PNG.encode("latin-1"))
        self.standin.fault("content", status=200, body={})
        self.call("set_rich_menu_image", "richMenuId=r", "image=@menu.png")
        self.assertEqual(self.standin.calls[-1].body, PNG.encode("latin-1"))
        data = "".join(f"{i} lines of a large text\n" for i in range(100000))
        self.standin.contents["7"] = data.encode(), "text/plain"
        self.assertEqual(self.call("get_message_content", "messageId=7").stdout, data)

    def test_wrong_usage_and_refusals(self):
        for arguments, words in ((("get_profil", "U1"), "did you mean get_profile"), (("get_profile",), "missing field"),
                                 (("get_profile", "userid=U1"), "did you mean 'userId'"),
                                 (("get_bot_info", "a=b"), "takes no fields"), (("get_bot_info", "x"), "not FIELD=VALUE"),
                                 (("get_followers", "limit=many"), "is an integer"),
                                 (("push_message", "to=U1", "messages:=[{"), "is not JSON"),
                                 (("get_profile", "U1", "userId=U2"), "twice"),
                                 (("push_message", "to=U1", "messages=@none.json"), "No such file")):
            with self.subTest(arguments):
                done = self.call(*arguments, status=2)
                self.assertIn(words, done.stderr)
                self.assertRegex(done.stderr, r"\Amoonline call: [^\n]*\n\Z")
        self.assertEqual(self.standin.calls, [])
        self.standin.missing.add("U9")
        done = self.call("get_profile", "U9", status=1)
        self.assertRegex(done.stderr, r"\Amoonline call: get_profile: 404 Not found \(request id \S+\)\n\Z")
        told = json.loads(self.call("get_profile", "U9", "--json", status=1).stdout)
        self.assertEqual((told["status"], told["message"]), (404, "Not found"))

    def test_list_and_help_come_from_the_rows(self):
        lines = self.call().stdout.splitlines()
        self.assertEqual(len(lines), len(JSON) + len(OTHERS))
        self.assertRegex(self.call("list_coupon", "--help").stdout, r"limit +integer +1 to 100\n")
        self.assertIn("PATH", self.call("--help").stdout + self.command("help", "call").stdout)

    def test_credentials_from_dotenv_and_channel(self):
        with open(f"{self.dir}/.env", "w", encoding="ascii") as file:
            file.write(f"LINE_CHANNEL_ACCESS_TOKEN={TOKEN}\nLINE_CHANNEL_ID=42\nLINE_CHANNEL_SECRET=s3cr3t\n"
                       f"LINE_API_BASE={self.standin.url}\n")
        bare = environment(self.dir)
        self.assertIn("Ubot", self.call("get_bot_info", env=bare).stdout)
        self.standin.fault("oauth2", status=200, body={"access_token": "fresh"})
        self.assertEqual(self.call("issue_stateless_channel_token", env=bare).stdout, "access_token: fresh\n")
        call = self.standin.calls[-1]
        self.assertEqual(call.body, b"grant_type=client_credentials&client_id=42&client_secret=s3cr3t")
        self.assertIsNone(call.headers.get("Authorization"))
        with open(f"{self.dir}/.env", "w", encoding="ascii") as file:
            file.write(f"LINE_CHANNEL_ID=42\nLINE_CHANNEL_SECRET=s3cr3t\nLINE_API_BASE={self.standin.url}\n")
        before = len(self.standin.calls)
        self.standin.fault("oauth2", status=200, body={"access_token": TOKEN, "expires_in": 900, "token_type": "Bearer"})
        self.assertIn("Ubot", self.call("get_bot_info", env=bare).stdout)
        self.assertEqual([c.path for c in self.standin.calls[before:]], ["/oauth2/v3/token", "/v2/bot/info"], "issued for it")
        done = self.call("get_bot_info", env=environment(self.dir, LINE_API_BASE=self.standin.url), cwd="/", status=None)
        self.assertTrue(re.search("LINE_CHANNEL_ACCESS_TOKEN", done.stderr), done.stderr)


if __name__ == "__main__":
    main()
