#!/usr/bin/python3
"""Rich menus as code: `moonline richmenu plan` and `apply` against a LINE that keeps menus, images, aliases, the default
and users. Whatever stops an apply, the next one comes to the same end, and nobody ever sees half a menu."""
# runner: unsanitized

import json
import os
import re
import shutil
import signal
import struct
import threading
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import BINARY, PATIENCE, ROOT, TOKEN, Moonline, Scenario, event, main, until

EXAMPLE = os.path.join(ROOT, "examples", "richmenu-tabs")


def png(width, height, colour=0):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress((b"\0" + bytes([colour]) * width) * height)) + chunk(b"IEND", b""))


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Line:
    """What LINE knows of rich menus. Changing calls are noted in `calls`; from number `cut` on they are answered by
    closed connections, the first of them after it was done if `behind`. A call whose name is in `hold` waits."""

    def __init__(self):
        self.menus, self.images, self.aliases, self.users, self.default = {}, {}, {}, {}, None
        self.calls, self.cut, self.behind, self.hold, self.held = [], None, False, None, threading.Event()
        self.release, self.lock, self.reads, self.batches, self.batch_status = threading.Event(), threading.RLock(), 0, {}, 202
        self.phases = ("succeeded",)
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                line.serve(self)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    # -- HTTP --
    def serve(self, http):
        try:
            self.serve_one(http)
        except ConnectionError:  # the command was killed meanwhile
            self.drop(http)

    def serve_one(self, http):
        body = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        for verb, pattern, name in ROUTES:
            if verb == http.command and (match := re.fullmatch(pattern, http.path)):
                break
        else:
            return self.reply(http, 404, {"message": "Not found"})
        if http.headers.get("Authorization") != "Bearer " + TOKEN:
            return self.reply(http, 401, {"message": "Authentication failed"})
        with self.lock:
            cut = False
            if verb == "GET":
                self.reads += 1
            elif name != "validate":
                cut = self.cut is not None and len(self.calls) >= self.cut
                first = cut and len(self.calls) == self.cut
                self.calls.append(name)
                if cut and not (self.behind and first):
                    return self.drop(http)
        if name == self.hold:
            self.held.set()
            self.release.wait(PATIENCE)
        try:
            with self.lock:
                status, answer = getattr(self, name)(*match.groups(), *self.arguments(name, http, body))
        except Refusal as refusal:
            status, answer = refusal.status, {"message": refusal.message, "details": []}
        return self.drop(http) if cut else self.reply(http, status, answer)

    @staticmethod
    def arguments(name, http, body):
        if name == "upload":
            return http.headers.get("Content-Type"), body
        return (json.loads(body),) if body else ()

    def reply(self, http, status, answer):
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        http.send_response(status)
        http.send_header("Content-Length", str(len(data)))
        http.send_header("Content-Type", "image/png" if isinstance(answer, bytes) else "application/json")
        http.send_header("X-Line-Request-Id", self.request_id if status == 202 else str(uuid.uuid4()))
        http.end_headers()
        http.wfile.write(data)

    @staticmethod
    def drop(http):
        http.close_connection = True

    # -- the platform's rules --
    def need(self, menu):
        if menu not in self.menus:
            raise Refusal(404, "Not found")

    def shown(self, menu):
        self.need(menu)
        if menu not in self.images:
            raise Refusal(400, "must upload richmenu image before applying it to user")

    def validate(self, menu):
        if set(menu) != {"size", "selected", "name", "chatBarText", "areas"} or len(menu["name"]) > 300:
            raise Refusal(400, "The request body has 1 error(s)")
        for area in menu["areas"]:
            if "refused" in area["action"].get("uri", ""):  # stands for what only the platform knows
                raise Refusal(400, "invalid uri")
        return 200, {}

    def create(self, menu):
        self.validate(menu)
        made = "richmenu-" + uuid.uuid4().hex
        self.menus[made] = menu
        return 200, {"richMenuId": made}

    def upload(self, menu, kind, data):
        self.need(menu)
        if kind != ("image/png" if data[:4] == b"\x89PNG" else "image/jpeg"):
            raise Refusal(415, "Unsupported media type")
        if menu in self.images:
            raise Refusal(400, "An image has already been uploaded to the richmenu")
        self.images[menu] = data
        return 200, {}

    def image(self, menu):
        if menu not in self.images:
            raise Refusal(404, "Not found")
        return 200, self.images[menu]

    def delete(self, menu):
        self.need(menu)
        del self.menus[menu]
        self.images.pop(menu, None)
        return 200, {}

    def list(self):
        return 200, {"richmenus": [{"richMenuId": menu, **fields} for menu, fields in self.menus.items()]}

    def alias_list(self):
        return 200, {"aliases": [{"richMenuAliasId": a, "richMenuId": m} for a, m in self.aliases.items()]}

    def alias_create(self, body):
        if body["richMenuAliasId"] in self.aliases:
            raise Refusal(400, "conflict richmenu alias id")
        self.shown(body["richMenuId"])
        self.aliases[body["richMenuAliasId"]] = body["richMenuId"]
        return 200, {}

    def alias_update(self, alias, body):
        if alias not in self.aliases:
            raise Refusal(404, "richmenu alias not found")
        self.shown(body["richMenuId"])
        self.aliases[alias] = body["richMenuId"]
        return 200, {}

    def alias_delete(self, alias):
        if self.aliases.pop(alias, None) is None:
            raise Refusal(404, "richmenu alias not found")
        return 200, {}

    def default_get(self):
        if not self.default:
            raise Refusal(404, "no default richmenu")
        return 200, {"richMenuId": self.default}

    def default_set(self, menu):
        self.shown(menu)
        self.default = menu
        return 200, {}

    def default_clear(self):
        self.default = None
        return 200, {}

    def batch(self, body):
        if self.batch_status != 202:
            raise Refusal(self.batch_status, "The API rate limit has been exceeded. Try again later.")
        assert re.fullmatch(r"[0-9a-zA-Z_-]{1,100}", body["resumeRequestKey"])
        self.request_id = str(uuid.uuid4())
        self.batches[self.request_id] = iter(self.phases)
        before = dict(self.users)
        for operation in body["operations"]:
            self.need(operation["from"])
            self.shown(operation["to"])
            self.users.update({u: operation["to"] for u, m in before.items() if m == operation["from"]})
        return 202, {}

    def progress(self, request):
        if request not in self.batches:
            raise Refusal(404, "Not found")
        return 200, {"phase": next(self.batches[request]), "acceptedTime": "2024-01-01T00:00:00.000Z"}

    # -- for the tests --
    def state(self):
        return [dict(x) for x in (self.menus, self.images, self.aliases, self.users)], self.default

    def restore(self, state):
        (self.menus, self.images, self.aliases, self.users), self.default = [dict(x) for x in state[0]], state[1]

    def by_hand(self, name):
        menu = self.create({"size": {"width": 800, "height": 250}, "selected": True, "name": name, "chatBarText": "x",
                            "areas": []})[1]["richMenuId"]
        self.images[menu] = b"\x89PNG"
        return menu

    def names(self):
        """Names of all menus without moonline's end; sorted."""
        return sorted(re.sub(r" #moonline-[0-9a-f]{12}$", " #", m["name"]) for m in self.menus.values())

    def whole(self):
        """Everything that users can see has an image. A user's menu may be gone: the default is shown then."""
        seen = [*self.aliases.values(), *filter(None, [self.default]), *(m for m in self.users.values() if m in self.menus)]
        return all(menu in self.images for menu in seen)


MENU, ALIAS = "/v2/bot/richmenu", "/v2/bot/richmenu/alias"
ROUTES = [
    ("POST", MENU, "create"), ("POST", MENU + "/validate", "validate"), ("GET", MENU + "/list", "list"),
    ("GET", ALIAS + "/list", "alias_list"), ("POST", ALIAS, "alias_create"), ("POST", ALIAS + "/([a-z0-9_-]+)", "alias_update"),
    ("DELETE", ALIAS + "/([a-z0-9_-]+)", "alias_delete"), ("POST", MENU + "/batch", "batch"),
    ("GET", MENU + r"/progress/batch\?requestId=([0-9a-f-]+)", "progress"),
    ("POST", MENU + "/(richmenu-[0-9a-f]+)/content", "upload"), ("GET", MENU + "/(richmenu-[0-9a-f]+)/content", "image"),
    ("DELETE", MENU + "/(richmenu-[0-9a-f]+)", "delete"), ("GET", "/v2/bot/user/all/richmenu", "default_get"),
    ("DELETE", "/v2/bot/user/all/richmenu", "default_clear"),
    ("POST", "/v2/bot/user/all/richmenu/(richmenu-[0-9a-f]+)", "default_set"),
]

BOT = """local line = require "line"
line.richmenu{name = "home", alias = "home", image = "home.png", default = true, chatBarText = "Menu",
  rows = {{line.action.richmenu_switch("More", "more", "more"), line.action.message("Hi")}}}
line.richmenu{name = "more", alias = "more", image = "more.png",
  rows = {{line.action.richmenu_switch("Home", "home", "home"), line.action.uri("Web", "https://example.com/")}}}
"""
ONE = "\n".join(BOT.split("\n")[:3]) + "\n"


class Richmenu(Scenario):
    def setUp(self):
        super().setUp()
        self.line = self.new_line()
        self.bot = self.folder(BOT)
        self.bot.write("home.png", png(1000, 400, 1))
        self.bot.write("more.png", png(1000, 400, 2))

    def new_line(self):
        made = Line()
        self.addCleanup(made.close)
        return made

    def moonline(self, what, *options, status=0, bot=None):
        env = self.env()
        env.update(LINE_API_BASE=self.line.url, LINE_DATA_API_BASE=self.line.url)
        return self.command("richmenu", what, bot or self.bot.path, *options, env=env, status=status)

    def plan(self, **how):
        return json.loads(self.moonline("plan", "--json", **how).stdout)

    def apply(self, **how):
        self.line.calls = []
        return self.moonline("apply", **how)

    def test_plan_shows_apply_does_and_again_there_is_nothing_to_do(self):
        shown = self.moonline("plan").stdout
        self.assertEqual(shown.splitlines(), [
            "  + create 'home', 1000x400, 2 areas", "  + upload home.png (2 KB) for 'home'",
            "  + create 'more', 1000x400, 2 areas", "  + upload more.png (2 KB) for 'more'",
            "  + alias 'home' leads to 'home'", "  + alias 'more' leads to 'more'", "  + default is 'home'",
            "7 steps; `moonline richmenu apply` takes them"])
        self.assertEqual((self.line.menus, self.line.calls), ({}, []), "a plan changes nothing")
        plan = self.plan()
        self.assertEqual([s["op"] for s in plan["steps"]],
                         ["create", "upload", "create", "upload", "alias", "alias", "default"])
        self.assertEqual((plan["foreign"], plan["unchanged"], plan["warnings"]), (0, [], []))
        done = self.apply().stdout
        self.assertEqual(done.splitlines()[:-1], shown.splitlines()[:-1])
        self.assertEqual(done.splitlines()[-1], "7 steps done")
        self.assertEqual(self.line.calls, ["create", "upload", "create", "upload", "alias_create", "alias_create", "default_set"])
        home = self.line.menus[self.line.default]
        self.assertEqual((home["chatBarText"], home["selected"], home["size"]), ("Menu", True, {"width": 1000, "height": 400}))
        self.assertEqual(home["areas"][1], {"bounds": {"x": 500, "y": 0, "width": 500, "height": 400},
                                            "action": {"type": "message", "label": "Hi", "text": "Hi"}})
        self.assertEqual(self.line.images[self.line.aliases["more"]], png(1000, 400, 2))
        self.assertEqual(self.apply().stdout, "  = 2 menus are as declared\nnothing to do\n")
        self.assertEqual(self.line.calls, [])
        self.assertEqual(self.plan(), {"steps": [], "unchanged": ["home", "more"], "foreign": 0, "warnings": []})

    def test_a_changed_image_is_a_new_menu_and_users_go_over(self):
        self.apply()
        old, more = self.line.default, self.line.aliases["more"]
        self.line.users, self.line.phases = {"Ann": old, "Bob": more}, ("ongoing", "succeeded")
        self.bot.write("home.png", png(1000, 400, 3))
        result = json.loads(self.moonline("apply", "--json").stdout)
        self.assertEqual([s["op"] for s in result["steps"]], ["create", "upload", "alias", "default", "relink", "delete"])
        self.assertEqual(self.line.calls[-6:], ["create", "upload", "alias_update", "default_set", "batch", "delete"])
        new = self.line.default
        self.assertNotIn(old, self.line.menus)
        self.assertEqual((self.line.aliases["home"], self.line.users), (new, {"Ann": new, "Bob": more}))
        self.assertEqual(self.line.images[new], png(1000, 400, 3))
        self.assertEqual(self.plan()["steps"], [])

    def test_menus_of_others_are_never_touched(self):
        hand = self.line.by_hand("made by hand #a1b2c3d4")
        self.line.aliases["hand"] = self.line.default = hand
        before = dict(self.line.menus[hand])
        warned = self.apply().stderr
        self.assertIn(f"bot.lua:2: the default is {hand}, which moonline did not make", warned)
        self.bot.write("bot.lua", ONE.replace('richmenu_switch("More", "more", "more")', 'message("Ho")'))
        self.assertIn("1 menu not made by moonline left alone", self.apply().stdout)
        self.assertEqual(self.line.calls[-3:], ["alias_delete", "delete", "delete"])
        self.bot.write("bot.lua", 'local line = require "line"\n')
        self.apply()
        self.assertEqual((self.line.menus, self.line.aliases, self.line.default), ({hand: before}, {"hand": hand}, None))

    def cut_everywhere(self, behind):
        """Apply a change with the connection cut at its first call, its second … until it comes through."""
        line, cut, over = self.line, 0, False
        hand = line.by_hand("by hand")
        self.apply()
        line.users = {"Ann": line.default}
        start = line.state()
        self.bot.write("bot.lua", BOT.replace('"Hi"', '"Hello"').replace('name = "more", alias = "more"',
                                                                       'name = "extra", alias = "extra"'))
        while not over:
            with self.subTest(cut=cut, behind=behind):
                line.restore(start)
                line.calls, line.cut, line.behind = [], cut, behind
                done = self.moonline("apply", status=None)
                over, line.cut = done.returncode == 0, None
                self.assertTrue(line.whole(), f"{line.aliases} {line.default} {line.images.keys()}")
                if not over:
                    self.assertRegex(done.stderr, r"stopped with \d+ of \d+ steps done, at: \w+")
                    self.apply()
                self.assertEqual(line.names(), ["by hand", "extra #", "home #"])
                self.assertIn(hand, line.menus)
                self.assertEqual(set(line.aliases), {"home", "extra"})
                self.assertEqual((line.default, line.users["Ann"]), (line.aliases["home"],) * 2)
                self.assertTrue(line.whole())
                self.assertEqual(self.plan()["steps"], [])
            cut += 1
        self.assertEqual(cut, 12, "every one of 11 calls was cut")

    def test_cut_before_every_call_it_converges_without_orphans(self):
        self.cut_everywhere(behind=False)

    def test_cut_behind_every_call_it_converges_without_orphans(self):
        self.cut_everywhere(behind=True)

    def test_killed_in_the_middle_of_an_upload(self):
        self.line.hold = "upload"
        env = {**self.env(), "LINE_API_BASE": self.line.url, "LINE_DATA_API_BASE": self.line.url}
        process = self.spawn([BINARY, "richmenu", "apply", self.bot.path], env)
        self.assertTrue(self.line.held.wait(PATIENCE))
        process.signal(signal.SIGKILL)
        process.wait_exit()
        self.line.hold = None
        self.line.release.set()
        until(lambda: self.line.images, "the upload whose sender is gone")
        self.assertEqual(self.line.aliases, {})
        self.apply()
        self.assertEqual(self.line.calls, ["create", "upload", "alias_create", "alias_create", "default_set"])
        self.assertEqual(self.line.names(), ["home #", "more #"])

    def test_users_cannot_be_moved_now(self):
        self.apply()
        old = self.line.default
        self.line.users, self.line.batch_status = {"Ann": old}, 429
        self.bot.write("home.png", png(1000, 400, 3))
        self.assertIn("old menus stay for now", self.apply(status=1).stderr)
        self.assertIn(old, self.line.menus, "Ann still has it")
        self.assertNotEqual(self.line.default, old)
        self.line.batch_status = 202
        self.apply()
        self.assertEqual(self.line.calls, ["batch", "delete"])
        self.assertEqual(self.line.users["Ann"], self.line.default)

    def test_a_refusal_by_line_stops_before_anything_is_made(self):
        self.bot.write("bot.lua", BOT.replace("example.com", "refused.example"))
        done = self.apply(status=1)
        self.assertIn("invalid uri", done.stderr)
        self.assertEqual(self.line.calls, [])

    def test_what_is_wrong_is_said_with_its_line_and_nothing_is_asked(self):
        for name, content, words in (
                ("home.png", png(1000, 800), "bot.lua:2: line.richmenu 'home': image home.png is 1000x800; width / height"),
                ("home.png", png(700, 300), "image home.png is 700x300; the width must be 800 to 2500 pixels"),
                ("home.png", b"GIF89a", "this is a GIF"),
                ("home.png", png(1000, 400) + bytes(1 << 20), "bytes, and LINE takes 1048576"),
                ("bot.lua", BOT.replace("home.png", "nowhere.png"), "nowhere.png: No such file"),
                ("bot.lua", BOT.replace("default = true,", 'default = true, size = "large",'), "the menu's size 2500x1686"),
                ("bot.lua", ONE.replace("rows = {{", "areas = {{bounds = {x = 999, y = 0, width = 2, height = 9}, action = ")
                 .replace(', line.action.message("Hi")', ""), "bot.lua:3: line.richmenu 'home': areas[1]: bounds (x 999 to 1001"),
                ("bot.lua", BOT.replace('"Menu"', '"fifteen letters"'), "bot.lua:2: chatBarText: "),
                ("bot.lua", BOT.replace('message("Hi")', 'message("Hi", ("x"):rep(301))'), "bot.lua:3: areas[2].action.text: "),
                ("bot.lua", BOT.replace("richmenu{name", "richmenu{nam"), "bot.lua:2: line.richmenu: unknown field 'nam'")):
            with self.subTest(words):
                with open(self.bot.file(name), "rb") as file:
                    before = file.read()
                self.bot.write(name, content)
                for what in ("plan", "apply"):
                    self.assertIn(words, self.moonline(what, status=1).stderr)
                self.bot.write(name, before)
        self.assertEqual((self.line.calls, self.line.reads), ([], 0))

    def test_what_is_odd_is_a_warning(self):
        area = "{bounds = {x = %d, y = 0, width = 500, height = 400}, action = line.action.message('x')}"
        self.bot.write("bot.lua", 'local line = require "line"\nline.richmenu{name = "n", image = "home.png", areas = {\n'
                       + area % 0 + ",\n" + area % 499 + "}}\n")
        done = self.moonline("plan", "--json")
        self.assertIn("bot.lua:4: line.richmenu 'n': areas[2] (x 499 to 999", done.stderr)
        self.assertIn("overlaps areas[1]", json.loads(done.stdout)["warnings"][0])

    def test_wrong_usage(self):
        for arguments, words in ((("plan",), "usage: moonline richmenu plan|apply PATH"), (("aply", self.bot.path), "aply"),
                                 (("plan", self.dir + "/none"), "none")):
            self.assertIn(words, self.command("richmenu", *arguments, status=2).stderr)

    def test_declared_too_late(self):
        server = self.serve(self.folder('local line = require "line"\nline.on("follow", function()\n  line.richmenu{}\nend)\n', "late"))
        server.post(event("follow"))
        server.wait_log(error=re.compile(r"bot\.lua:3: line\.richmenu: menus are declared while the bot loads"))

    def test_the_example_with_tabs(self):
        self.command("check", EXAMPLE)
        home = os.path.join(self.dir, "tabs")
        shutil.copytree(EXAMPLE, home)
        self.apply(bot=home)
        order = self.line.menus[self.line.default]
        self.assertEqual(order["size"], {"width": 1200, "height": 810})
        self.assertEqual([a["bounds"]["height"] for a in order["areas"]], [135, 135, 675, 675, 675])
        self.assertEqual([a["action"].get("richMenuAliasId") for a in order["areas"][:2]], ["tab-order", "tab-help"])
        self.assertEqual(set(self.line.aliases), {"tab-order", "tab-help"})
        for name in ("order.png", "help.png"):
            os.remove(os.path.join(home, name))
        os.spawnv(os.P_WAIT, "/usr/bin/python3", ["python3", os.path.join(home, "images.py")])
        self.assertEqual(self.apply(bot=home).stdout.splitlines()[-1], "nothing to do", "images.py draws what is there")
        server = self.serve(home)
        self.assertIsInstance(server, Moonline)
        server.post(event("postback", "Ann", postback={"data": "order?drink=tea"}))
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].texts, ["One tea, coming up."])


if __name__ == "__main__":
    main()
