-- `make check` runs luacheck over scripts/, examples/ and tests/.
std = "lua54"
max_line_length = 120
exclude_files = { "**/lua_modules", "scripts/types", "tests/**/broken_*", "tests/**/fixtures/broken" }

-- 212: an unused argument documents the interface a function has. 542: an empty branch may carry its comment.
ignore = { "212", "542" }

-- What the runtime puts into every script's world beside Lua's own.
read_globals = { "line", "json", "log", "cjson" }

-- Bots of tests/ misbehave on purpose.
files["tests/"] = { ignore = { "111", "112", "113", "211", "212", "213", "511", "542" } }
