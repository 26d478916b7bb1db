#!/usr/bin/python3
"""docs/reference and scripts/types are what the tables give, and what the tables give is what a bot finds at run time."""
# runner: unsanitized

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BINARY, ROOT, TOOLS, Scenario, main, text

REFERENCE = os.path.join(ROOT, "build-aux", "reference")
ROWS = os.path.join(TOOLS, "rows")
# What the generator reads and writes, to be copied for a change.
READ = ("build-aux", "scripts", "bindings", "runtime", "docs")
SERVER = shutil.which("lua-language-server")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def types():
    return {os.path.basename(path): read(path) for path in glob.glob(os.path.join(ROOT, "scripts/types/*.lua"))}


def defined():
    """The names of all functions that the types define: line.push, line.action.uri, store.get …"""
    found = set()
    for source in types().values():
        for holder, name in re.findall(r"^function (\w+)\.(\w+)\(", source, re.M):
            in_group = holder not in ("line", "store", "web", "json", "log") and re.search(
                rf"---@class line\.group\.{holder}\n(?:---.*\n)*local {holder} ", source)
            found.add(f"line.{holder}.{name}" if in_group else f"{holder}.{name}")
        found |= {f"json.{name}" for name in re.findall(r"^---@field (null) ", source, re.M)}
    return found


class Generated(Scenario):
    def generate(self, *arguments, rows=ROWS, root=ROOT, seed="0"):
        return subprocess.run([sys.executable, REFERENCE, *arguments, rows, BINARY, root], text=True, capture_output=True,
                              env={**os.environ, "PYTHONHASHSEED": seed})

    def copy(self):
        root = self.folder("").path + "-tree"
        for top in READ:
            shutil.copytree(os.path.join(ROOT, top), os.path.join(root, top),
                            ignore=shutil.ignore_patterns("*.c" if top == "runtime" else "__pycache__"))
        return root

    def rows(self, change):
        """A program that prints the tables with a change of their text."""
        folder = self.folder("", name="rows").path
        path = os.path.join(folder, "rows")
        before = subprocess.run([ROWS], capture_output=True, text=True, check=True).stdout
        after = change(before)
        self.assertNotEqual(before, after)
        with open(path + ".json", "w", encoding="utf-8") as f:
            f.write(after)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\nexec cat "{path}.json"\n')
        os.chmod(path, 0o755)
        return path

    def test_what_is_checked_in_is_what_the_tables_give(self):
        result = self.generate("--check")
        self.assertEqual((result.stdout, result.stderr, result.returncode), ("", "", 0))

    def test_a_changed_row_is_noticed_in_the_pages_and_types_it_is_on(self):
        root = self.copy()
        rows = self.rows(lambda t: t.replace('"name":"replyToken"', '"name":"answerToken"', 1))
        result = self.generate("--check", rows=rows, root=root)
        self.assertEqual(result.returncode, 1)
        self.assertEqual([line.split(":")[0] for line in result.stdout.splitlines()],
                         ["docs/reference/operations-sending.md", "scripts/types/operations.lua"])
        self.assertEqual(self.generate("--check", root=root).returncode, 0, "--check wrote something")
        self.assertEqual(self.generate(rows=rows, root=root).returncode, 0)
        with open(f"{root}/scripts/types/operations.lua", encoding="utf-8") as f:
            self.assertIn("---@field answerToken string\n", f.read())

    def test_a_page_that_was_edited_or_is_no_longer_made_is_noticed(self):
        root = self.copy()
        with open(f"{root}/docs/reference/events.md", "a", encoding="utf-8") as f:
            f.write("By hand.\n")
        with open(f"{root}/docs/reference/old.md", "w", encoding="utf-8") as f:
            f.write("Of a row that is gone.\n")
        result = self.generate("--check", root=root)
        self.assertEqual([line.split(":")[0] for line in result.stdout.splitlines()],
                         ["docs/reference/events.md", "docs/reference/old.md"])
        self.generate(root=root)
        self.assertEqual(self.generate("--check", root=root).stdout, "")

    def test_what_is_missing_is_named(self):
        for change, complaint in (
                (lambda t: re.sub(r'\n\{"what":"answer","name":"get_profile"[^}]*\},', "", t), "ANSWER(get_profile"),
                (lambda t: t.replace('"name":"previewUrl"', '"name":"preview"'), "line.flex.video: 'previewUrl'"),
                (lambda t: t.replace('"name":"get_bot_info"', '"name":"get_bot"'), "get_bot")):
            result = self.generate("--check", rows=self.rows(change))
            self.assertEqual(result.returncode, 1)
            self.assertIn(complaint, result.stderr)
        root = self.copy()
        path = f"{root}/scripts/line/quota.lua"
        with open(path, encoding="utf-8") as f:
            source = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(source.replace("-- line.quota([options])", "-- line.quota([options[, other]])"))
        self.assertIn("line.quota takes options, other", self.generate("--check", root=root).stderr)

    def test_twice_the_same_bytes(self):
        roots = [self.folder("", name=f"fresh{n}").path for n in range(2)]
        for n, root in enumerate(roots):
            for top in READ:
                os.path.exists(os.path.join(root, top)) or os.symlink(os.path.join(ROOT, top), os.path.join(root, top))
            for made in ("docs", "scripts"):
                os.remove(os.path.join(root, made))
            for part in ("line", "http", "web"):
                shutil.copytree(os.path.join(ROOT, "scripts", part), os.path.join(root, "scripts", part))
            self.assertEqual(self.generate(root=root, seed=str(n)).returncode, 0)
        made = [sorted(os.path.relpath(p, root) for folder in ("scripts/types", "docs/reference")
                       for p in glob.glob(f"{root}/{folder}/*")) for root in roots]
        self.assertGreater(len(made[0]), 30)
        self.assertEqual(*made)
        for name in made[0]:
            self.assertEqual(*(read(os.path.join(root, name)) for root in roots), name)


class Pages(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        pages = {os.path.basename(p): read(p) for p in glob.glob(os.path.join(ROOT, "docs/reference/*.md"))}
        headings = {name: {re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", page, re.M)}
                    for name, page in pages.items()}
        dead = []
        for name, page in pages.items():
            self.assertRegex(page, r"\A<!-- Generated by `make reference` from ")
            for target, at in re.findall(r"\]\((?!https:)([^)#]*)(?:#([^)]*))?\)", page):
                if (target or name) not in pages or at and at not in headings[target or name]:
                    dead.append(f"{name}: {target}#{at}")
        self.assertEqual(dead, [])


LIST = """
local function names(prefix, t, seen)
  for name, value in pairs(t) do
    if type(value) == "table" and getmetatable(value) then
      if getmetatable(value).__call then print("member " .. prefix .. name) end
      names(prefix .. name .. ".", value)
    elseif type(name) == "string" then
      print("member " .. prefix .. name)
    end
  end
end
for _, module in ipairs{"line", "store", "web", "http", "json", "crypto", "log"} do names(module .. ".", require(module)) end
"""


class Live(Scenario):
    def test_types_and_reference_have_what_the_modules_have_and_nothing_else(self):
        told = self.command("check", self.folder(LIST).path)
        live = set(re.findall(r"member ([\w.]+)", told if isinstance(told, str) else told.stdout + told.stderr))
        self.assertGreater(len(live), 200)
        typed = defined()
        groups = {f"line.{g}" for source in types().values() for g in re.findall(
            r"---@class line\.group\.(\w+)\n(?=---@overload)", source)}
        self.assertEqual(live - typed - groups, set(), "at run time, and without a type")
        self.assertEqual(typed - live, set(), "with a type, and not there")
        pages = "".join(read(p) for p in glob.glob(os.path.join(ROOT, "docs/reference/*.md")))
        self.assertEqual({n for n in live if f"## {n}\n" not in pages and f"`{n}`" not in pages}, set(), "on no page")

    def test_fields_that_the_help_shows_exist(self):
        fields = {o["name"]: {f["name"] for f in o["fields"]} for o in json.loads(
            subprocess.run([ROWS], capture_output=True, text=True, check=True).stdout)["operations"]}
        shown = re.findall(r"moonline call (\w+) (.*=.*)", read("docs/reference/command-line.md"))
        self.assertGreater(len(shown), 2)
        for operation, words in shown:
            self.assertEqual(set(re.findall(r"(?:^| )(\w+):?=", words)) - fields[operation], set(), operation)

    def test_the_bot_that_the_types_are_tried_on_loads(self):
        self.command("check", self.folder(read("tests/scenario/bots/day.lua")).path)

    def test_methods_of_the_types_are_those_of_events_and_contents(self):
        typed = set(re.findall(r"^function has_\w+:(\w+)\(", types()["events.lua"], re.M))
        sources = "".join(read(p) for p in glob.glob(os.path.join(ROOT, "scripts/line/*.lua")))
        written = set(re.findall(r"^-- event:(\w+)\(", sources, re.M))
        self.assertEqual(typed, written)
        server = self.serve(self.folder("""
            local line = require "line"
            line.on("message", function(event)
              local there = {}
              for _, name in ipairs{%s} do there[#there + 1] = type(event[name]) == "function" and name or nil end
              event:reply(table.concat(there, " "))
            end)""" % ", ".join(f'"{name}"' for name in sorted(typed))))
        server.post(text("which?"))
        self.assertEqual(self.standin.wait_calls(1, "reply")[0].texts, [" ".join(sorted(typed))])


class Server(unittest.TestCase):
    """The Lua language server, where there is one: what an editor underlines."""

    def test_types_are_lua(self):
        for path in glob.glob(os.path.join(ROOT, "scripts/types/*.lua")):
            subprocess.run(["lua5.4", "-e", f"assert(loadfile({json.dumps(path)}))"], check=True)

    @unittest.skipUnless(SERVER, "lua-language-server is not installed")
    def test_it_finds_nothing_in_types_and_examples(self):
        for folder in ("scripts/types", "examples"):
            self.assertEqual(self.problems(os.path.join(ROOT, folder)), {})

    @unittest.skipUnless(SERVER, "lua-language-server is not installed")
    def test_it_finds_nothing_in_what_bots_write_in_a_day(self):
        self.assertEqual(self.problems(self.folder(read("tests/scenario/bots/day.lua"))), {})

    @unittest.skipUnless(SERVER, "lua-language-server is not installed")
    def test_it_finds_mistakes(self):
        found = self.problems(self.folder('local line = require "line"\n'
                    'line.on("follow", function(event) event:content() end)\n'
                    'line.on("message.sticker@group", function(event) print(event.message.stickerid) end)\n'
                    'line.sticker("1", true)\n'
                    'line.get_profile()\n'
                    'line.replie("token", "hello")\n'))
        self.assertEqual([(p["range"]["start"]["line"] + 1, p["code"]) for p in sorted(
            found[next(iter(found))], key=lambda p: p["range"]["start"]["line"])],
            [(2, "undefined-field"), (3, "undefined-field"), (4, "param-type-mismatch"), (5, "missing-parameter"),
             (6, "undefined-field")])

    def folder(self, source):
        """A folder with a bot and the way to the types."""
        scratch = self.enterContext(tempfile.TemporaryDirectory())
        settings = {**json.loads(read("examples/.luarc.json")), "workspace.library": [f"{ROOT}/scripts/types"]}
        for name, text_of_file in ((".luarc.json", json.dumps(settings)), ("bot.lua", source)):
            with open(f"{scratch}/{name}", "w", encoding="utf-8") as f:
                f.write(text_of_file)
        return scratch

    def problems(self, folder):
        """{uri: problems} of a folder."""
        logs = self.enterContext(tempfile.TemporaryDirectory())
        subprocess.run([SERVER, f"--check={folder}", "--checklevel=Warning", "--check_format=json", f"--logpath={logs}",
                        f"--metapath={logs}/meta"], stdout=subprocess.DEVNULL, check=False, timeout=100)
        path = os.path.join(logs, "check.json")
        with open(path, encoding="utf-8") as f:
            return json.load(f) or {}


if __name__ == "__main__":
    main()
