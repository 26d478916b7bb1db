#!/usr/bin/python3
"""The tables that the emulator works by are those of the C code: what Lua sees of kinds and operations is what
build/tools/rows prints, field by field, and by which the Lua tests of the emulator go."""
# runner: unsanitized

import json
import os
import subprocess

from harness import TOOLS, Scenario, main

BOT = """
local core = require "line.core"

local function number(n) return n and ("%.17g"):format(n) or "" end

for _, kind in ipairs(core.schema()) do
  local out = {"kind", kind.name, number(kind.least), number(kind.most)}
  for _, variant in ipairs(kind.variants) do
    out[#out + 1] = variant.type .. "=" .. variant.kind .. "@" .. number(variant.places)
  end
  for _, f in ipairs(kind.fields) do
    out[#out + 1] = table.concat({f.name, f.type, f.rule or "", tostring(f.graphemes), tostring(f.required),
      tostring(f.limited), number(f.min), number(f.max), number(f.units), number(f.place), f.words or "", f.kind or ""}, "/")
  end
  print(table.concat(out, " "))
end
for _, row in ipairs(core.rows()) do
  local out = {"row", row.name, row.verb, row.path, row.body, row.auth, tostring(row.retry_key), number(row.calls),
    number(row.seconds), row.kind or ""}
  for _, f in ipairs(row.fields) do
    out[#out + 1] = table.concat({f.name, f.place, f.type, f.kind or "", tostring(f.required), number(f.least),
      number(f.most), f.words or "", f.header or ""}, "/")
  end
  print(table.concat(out, " "))
end
"""


def number(n):
    return "" if n is None else "%.17g" % n


def flag(row, name):
    return "true" if row.get(name) else "false"


def kind_line(kind):
    out = ["kind", kind["name"], number(kind.get("least")), number(kind.get("most"))]
    out += [f"{v['type']}={v['kind']}@{number(v['places'])}" for v in kind["variants"]]
    for f in kind["fields"]:
        out.append("/".join([f["name"], f["type"], f["rule"], flag(f, "graphemes"), flag(f, "required"), flag(f, "limited"),
                             number(f["min"]), number(f["max"]), number(f["units"]), number(f["place"]),
                             f.get("words", ""), f.get("kind", "")]))
    return " ".join(out)


def row_line(row):
    out = ["row", row["name"], row["verb"], row["path"], row["body"].lower(), row["auth"], flag(row, "retry_key"),
           number(row["calls"]), number(row["seconds"]), row.get("kind", "")]
    for f in row["fields"]:
        out.append("/".join([f["name"], f["place"], f["type"], f.get("kind", ""), flag(f, "required"), number(f.get("least")),
                             number(f.get("most")), f.get("words", ""), f.get("header", "")]))
    return " ".join(out)


class Tables(Scenario):
    def test_what_lua_sees_is_what_there_is(self):
        tables = json.loads(subprocess.run([os.path.join(TOOLS, "rows")], stdout=subprocess.PIPE, check=True).stdout)
        done = self.command("check", self.folder(BOT).path)
        told = [json.loads(line)["message"] for line in done.stderr.splitlines() + done.stdout.splitlines()
                if line.startswith("{")]
        self.assertEqual([line for line in told if line.startswith("kind ")], [kind_line(k) for k in tables["kinds"]])
        self.assertEqual([line for line in told if line.startswith("row ")], [row_line(r) for r in tables["operations"]])


if __name__ == "__main__":
    main()
