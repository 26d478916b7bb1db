"""The helpers of the build, on trees made for the purpose: a check that cannot fail is worth nothing."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
README = """
| folder | may include |
|---|---|
| base | base |
| net | net base |
| cli | cli net bindings/worker.h |
| bindings | bindings base net/wire.h |

Words between.

| header | where |
|---|---|
| curl/curl.h | net/client.c |
| openssl/ | net/digest.c |
| lua.h lauxlib.h | bindings/ |
"""


class Tree(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.write("runtime/README.md", README)
        for path in ("runtime/base/buf.h", "runtime/net/http.h", "runtime/net/wire.h", "bindings/worker.h",
                     "bindings/task.h"):
            self.write(path, "#pragma once\n")

    def write(self, path, text):
        full = os.path.join(self.dir.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def run_helper(self, name):
        done = subprocess.run([sys.executable, os.path.join(TOP, "build-aux", name), self.dir.name],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def breach(self, helper, path, text, expected):
        self.write(path, text)
        status, out = self.run_helper(helper)
        self.assertEqual((status, out.splitlines()[0] if out else ""), (1, expected))


class Floors(Tree):
    def test_what_the_tables_allow_passes(self):
        self.write("runtime/net/client.c", '#include <curl/curl.h>\n#include "base/buf.h"\n#include "http.h"\n')
        self.write("runtime/net/digest.c", "#include <openssl/evp.h>\n")
        self.write("runtime/cli/main.c", '#include <stdio.h>\n#include "bindings/worker.h"\n')
        self.write("bindings/task.c", '#include <lua.h>\n#include "net/wire.h"\n#include "bindings/task.h"\n')
        self.assertEqual(self.run_helper("floors"), (0, ""))

    def test_upward_include(self):
        self.breach("floors", "runtime/base/buf.c", '\n  # include "net/http.h"\n',
                    'runtime/base/buf.c:2: base may not include "net/http.h" (it may include base)')

    def test_a_single_file_of_a_folder(self):
        self.breach("floors", "bindings/task.c", '#include "net/http.h"\n',
                    'bindings/task.c:1: bindings may not include "net/http.h" (it may include bindings base net/wire.h)')
        self.breach("floors", "bindings/task.c", '#include "base/buf.h"\n' '#include "../runtime/net/wire.h"\n',
                    'bindings/task.c:2: "../runtime/net/wire.h": write it from runtime/ or the top, without ..')

    def test_library_in_the_wrong_place(self):
        self.breach("floors", "runtime/net/http.c", "#include <curl/curl.h>\n",
                    "runtime/net/http.c:1: curl/curl.h belongs in net/client.c only")

    def test_library_of_a_folder(self):
        self.breach("floors", "runtime/base/buf.h", "#include <lua.h>\n",
                    "runtime/base/buf.h:1: lua.h belongs in bindings/ only")

    def test_header_below_a_library_folder(self):
        self.breach("floors", "runtime/net/client.c", "#include <openssl/hmac.h>\n",
                    "runtime/net/client.c:1: openssl/hmac.h belongs in net/digest.c only")

    def test_folder_without_a_row(self):
        self.breach("floors", "runtime/attic/old.c", '#include "base/buf.h"\n',
                    "runtime/attic/old.c:1: runtime/README.md has no row for attic")

    def test_missing_tables(self):
        self.breach("floors", "runtime/README.md", "no tables\n",
                    "runtime/README.md: the tables of floors and of libraries are not there")


class Rules(Tree):
    def test_quiet_where_nothing_is_wrong(self):
        self.write("runtime/base/a.c", '/* sprintf( */ int f(void) { return a_system(1) + o->gets(2) + *"atoi(x)"; }\n')
        self.assertEqual(self.run_helper("rules"), (0, ""))

    def test_banned_call(self):
        self.breach("rules", "runtime/base/a.c", "/* two\n lines */ void f(char *p) { strcpy (p, p); }\n",
                    "runtime/base/a.c:2: strcpy() is banned: memcpy with a known length")

    def test_long_file(self):
        self.breach("rules", "scripts/a.lua", "x()\n" * 601,
                    "scripts/a.lua:601: 601 lines, the most is 600: split the file")

    def test_scripts_of_the_page(self):
        self.breach("rules", "scripts/page/a.js", "let a;\t\n", "scripts/page/a.js:1: blanks at the end of the line")

    def test_script_without_extension(self):
        self.breach("rules", "build-aux/a", "#!/bin/sh\necho   \n", "build-aux/a:2: blanks at the end of the line")


class Embed(Tree):
    def test_every_byte_comes_through(self):
        embed = os.path.join(os.environ.get("BUILD", os.path.join(TOP, "build")), "gen/embed")
        body = bytes(range(256)) + b'\n"??/\\\n' + "1 ü".encode() + b"\x01" + b"2"
        for path, text in (("scripts/line/init.lua", body), ("scripts/line/a/b.lua", b""), ("scripts/c.lua", b"\n"),
                           ("scripts/page/x.png", body)):
            self.write(path, "")
            with open(os.path.join(self.dir.name, path), "wb") as f:
                f.write(text)
        made = subprocess.run([embed, "scripts", "scripts/line/init.lua", "scripts/line/a/b.lua", "scripts/page/x.png",
                               "scripts/c.lua"], cwd=self.dir.name, capture_output=True, timeout=30, check=True).stdout
        main = (b'#include <stdio.h>\nint main(void) { for (size_t i = 0; i < embedded_scripts_n; i++) {\n'
                b'const struct embedded *e = &embedded_scripts[i]; printf("%s %s %zu:", e->module, e->file, e->n);\n'
                b'fwrite(e->bytes, 1, e->n, stdout); }\n'
                b'const struct embedded *e = embedded_files; printf("%zu %s %d:", embedded_files_n, e->file, !e->module);\n'
                b'fwrite(e->bytes, 1, e->n, stdout); return 0; }\n')
        source, program = os.path.join(self.dir.name, "x.c"), os.path.join(self.dir.name, "x")
        with open(source, "wb") as f:
            f.write(made + main)
        subprocess.run(["cc", "-Werror", "-I", TOP, "-o", program, source], timeout=60, check=True)
        out = subprocess.run([program], capture_output=True, timeout=30, check=True).stdout
        self.assertEqual(out, b"line line/init.lua %d:%sline.a.b line/a/b.lua 0:c c.lua 1:\n1 page/x.png 1:%s" % (len(body), body, body))


class Runner(Tree):
    def run_runner(self, *files, timeout="2", again="0"):
        done = subprocess.run([sys.executable, os.path.join(TOP, "build-aux/test-runner"), "--timeout", timeout, *files],
                              cwd=self.dir.name, capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "TALLY": os.path.join(self.dir.name, "tally"), "TEST_SANITIZED": "0",
                                   "TEST_AGAIN": again})
        return done.returncode, done.stdout.splitlines()

    def program(self, name, text):
        self.write(name, "#!/bin/sh\n" + text)
        os.chmod(os.path.join(self.dir.name, name), 0o755)
        return os.path.join(self.dir.name, name)

    def check_runner(self, text, status, last, note=""):
        got, lines = self.run_runner(self.program("t", text))
        self.assertEqual((got, lines[-1]), (status, last))
        self.assertIn(note, "\n".join(lines))

    def test_counts_and_tally(self):
        self.check_runner("echo 1..2; echo ok 1 - a; echo ok 2 - b", 0, "2 passed, 0 failed")
        with open(os.path.join(self.dir.name, "tally"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "2 0\n")

    def test_failure_is_shown(self):
        self.check_runner("echo 1..2; echo ok 1 - a; echo '# why'; echo not ok 2 - b; exit 1", 1,
                          "1 passed, 1 failed", "    | # why")

    def test_crash_counts_what_never_ran(self):
        self.check_runner("echo 1..3; echo ok 1 - a; kill -SEGV $$", 1, "1 passed, 2 failed", "ended by signal 11")

    def test_no_test_is_a_failure(self):
        self.check_runner("echo hello", 1, "0 passed, 1 failed", "printed no test")
        self.check_runner("echo 1..0", 1, "0 passed, 1 failed", "printed no test")

    def test_no_plan_is_a_failure(self):
        self.check_runner("echo ok 1 - a", 1, "1 passed, 1 failed", "printed no plan")

    def test_status_without_a_failed_test(self):
        self.check_runner("echo 1..1; echo ok 1 - a; exit 99", 1, "1 passed, 1 failed", "exit status 99")

    def test_hang_is_ended(self):
        self.check_runner("echo 1..2; echo ok 1 - a; sleep 60 & wait", 1, "1 passed, 1 failed", "killed after 2 s")

    def test_unittest_methods_are_counted(self):
        self.write("test_a.py", "import unittest\nclass A(unittest.TestCase):\n def test_x(self): pass\n"
                   " def test_y(self): self.fail('no')\n def test_z(self): self.skipTest('later')\n"
                   " def test_s(self):\n  with self.subTest(1): self.fail('inner')\n"
                   "class B(unittest.TestCase):\n @classmethod\n def setUpClass(cls): raise OSError('gone')\n"
                   " def test_b(self): pass\n")
        status, lines = self.run_runner("test_a.py")
        self.assertEqual((status, lines[-2:]), (1, ["(1 skipped)", "1 passed, 3 failed"]))

    @unittest.skipUnless(shutil.which("node"), "node is wanted by the browser's tests only")
    def test_tests_of_node_are_counted(self):
        self.write("a.test.mjs", "import { test } from 'node:test';\ntest('x', () => {});\n"
                   "test('y (1)', () => { throw new Error('no'); });\ntest('z', { skip: 'later' }, () => {});\n")
        self.assertEqual(self.run_runner("a.test.mjs", timeout="30")[1][-1], "1 passed, 1 failed")
        self.write("b.test.mjs", "import { after, test } from 'node:test';\ntest('x', () => {});\nafter(() => process.exit(0));\n")
        self.assertNotEqual(self.run_runner("b.test.mjs", timeout="30")[0], 0)
        os.environ["TEST_ONLY"] = "y (?)"
        self.addCleanup(os.environ.pop, "TEST_ONLY")
        self.assertEqual(self.run_runner("a.test.mjs", timeout="30")[1][-1], "0 passed, 1 failed")

    def test_a_method_that_hangs_fails_alone(self):
        self.write("test_a.py", "import time, unittest\nclass A(unittest.TestCase):\n SECONDS = 1\n"
                   " def test_x(self): time.sleep(60)\n def test_y(self): pass\n")
        status, lines = self.run_runner("test_a.py", timeout="20")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("in test_x", "\n".join(lines))

    def test_a_second_try_is_said_and_counts(self):
        source = ("import os, unittest\nclass A(unittest.TestCase):\n def test_x(self):\n  seen = os.path.exists('seen')\n"
                  "  open('seen', 'w').close()\n  self.assertTrue(seen)\n def test_y(self): self.assertTrue(%s)\n")
        for y, status, last in (("True", 0, "2 passed, 0 failed"), ("False", 1, "1 passed, 1 failed")):
            self.write("test_a.py", source % y)
            got, lines = self.run_runner("test_a.py", timeout="30", again="1")
            self.assertEqual((got, lines[-1]), (status, last))
            self.assertIn("test_a.py: a second try, alone", lines)
            os.remove(os.path.join(self.dir.name, "seen"))

    def test_broken_python_file_is_a_failure(self):
        self.write("test_a.py", "import nothing_of_this_name\n")
        status, lines = self.run_runner("test_a.py")
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
