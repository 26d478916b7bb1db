#!/usr/bin/python3
"""What a command written in Lua can rely on: its arguments and environment, output of any size, files, waiting, its exit
status, and an end with its terminal. `moonline call` stands for all of them, its Lua replaced by --scripts-dir."""

import os
import shutil
import signal
import subprocess

from harness import BINARY, PATIENCE, ROOT, Scenario, children, main, until


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


class Commands(Scenario):
    def script(self, body):
        """Arguments that make `moonline call` run this body, with args and out."""
        folder = os.path.join(self.dir, "scripts")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(os.path.join(ROOT, "scripts"), folder)
        with open(os.path.join(folder, "command", "call.lua"), "w", encoding="utf-8") as file:
            file.write('local line = require "line"\nreturn function(args, out)\n' + body + "\nend\n")
        return ["call", "--scripts-dir", folder]

    def run_script(self, body, *arguments, status=0, env=None):
        return self.command(*self.script(body), *arguments, status=status, env=env)

    def test_arguments_environment_and_streams(self):
        done = self.run_script("""
            for _, a in ipairs(args) do out.print("[" .. a .. "]") end
            out.write("no end")
            out.fail("that went wrong")
            out.print(" json " .. tostring(out.json) .. " terminal " .. tostring(out.terminal))
            out.print(out.env.LINE_EXTRA, out.env.PATH)
            return 3""", "one", "two words", "ünï", "--json", status=3, env=self.env(LINE_EXTRA="extra"))
        self.assertEqual(done.stdout, "[one]\n[two words]\n[ünï]\nno end json true terminal false\nextra\n")
        self.assertEqual(done.stderr, "moonline call: that went wrong\n")

    def test_waits_and_calls(self):
        done = self.run_script("""
            line.sleep(0.01)
            local names = line.all{function() return line.get_profile("U1") end, function() return line.get_bot_info() end}
            out.print(names[1].displayName, names[2].displayName)""")
        self.assertEqual(done.stdout, "name of U1\n")

    def test_an_error_is_one_line_and_status_1(self):
        done = self.run_script('error("the reason", 0)', status=1)
        self.assertEqual((done.stdout, done.stderr), ("", "moonline call: the reason\n"))
        done = self.run_script("local x = nil; return x.y", status=1)
        self.assertRegex(done.stderr, r"\Amoonline call: \S*command/call\.lua:3: attempt to index a nil value[^\n]*\n\Z")
        done = self.run_script("return (", status=1)
        self.assertIn("call.lua", done.stderr)

    def test_files_are_read(self):
        with open(f"{self.dir}/bytes", "wb") as file:
            file.write(bytes(range(256)) * 1000)
        done = self.run_script("""
            local bytes = out.read(args[1])
            out.print(#bytes .. " " .. bytes:byte(256))
            out.print(select(2, out.read("nobody")))""", "bytes")
        self.assertRegex(done.stdout, r"\A256000 255\n\S*/nobody: No such file or directory\n\Z")

    def test_a_slow_reader_gets_everything(self):
        """40 MB are more than the worker and the host keep between them."""
        command = self.script('local row = ("x"):rep(1023) .. "\\n" for i = 1, 40 * 1024 do out.write(row) end')
        with subprocess.Popen([BINARY, *command], env=self.env(), cwd=self.dir, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) as child:
            self.addCleanup(lambda: child.poll() is None and child.kill())
            total = len(child.stdout.read(65536))
            self.assertIsNone(child.poll())
            while piece := child.stdout.read(1 << 20):
                total += len(piece)
            self.assertEqual((child.wait(PATIENCE), total), (0, 40 << 20))

    def test_it_ends_with_its_terminal(self):
        process = self.spawn([BINARY, *self.script('out.print("here") line.sleep(60)')])
        process.wait_stdout("here")
        workers = children(process.pid)
        self.assertEqual(len(workers), 1)
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait_exit(), -signal.SIGINT)
        until(lambda: gone(workers[0]), "the worker's end")


if __name__ == "__main__":
    main()
