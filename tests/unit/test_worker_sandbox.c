/* What a bot has of Lua: libraries, globals, require. */
#include "worker_kit.h"

#define LINE "local line = require 'line'\n"
#define HANDLER(body) LINE "line.on('message.text', function(event)\n" body "\nend)"

/* The handler's body must raise an error that contains why, or end well if why is "". */
static void expect(const char *body, const char *why)
{
    struct kit k;
    char bot[8192];
    snprintf(bot, sizeof bot, HANDLER("%s"), body);
    kit_open(&k);
    kit_file(&k, "bot.lua", bot);
    if (!CHECK_INT(kit_start(&k), WIRE_READY)) printf("#   %s\n", k.why);
    int outcome = kit_run(&k, 1, "hello");
    CHECK_INT(outcome, *why ? WIRE_DONE_FAILED : WIRE_DONE_OK);
    if (*why ? !strstr(k.why, why) : *k.why) FAIL("got\n#     %s\n# not %s", k.why, why);
    CHECK(kit_close(&k));
}

TEST(what_is_gone_says_why)
{
    static const char *const rows[][2] = {
        {"os.exit()", "bot.lua:3: os.exit is not available in a bot: a handler ends by returning"},
        {"os.execute('ls')", "os.execute is not available in a bot: "},
        {"io.open('x')", "io.open is not available in a bot: "},
        {"io.write('x')", "io.write is not available in a bot: "},
        {"dofile('x')", "dofile is not available in a bot: use require"},
        {"loadfile('x')", "loadfile is not available in a bot: use require"},
        {"debug.sethook()", "debug.sethook is not available in a bot: "},
        {"string.dump(print)", "string.dump is not available in a bot: "},
        {"package.loadlib('x', 'y')", "package.loadlib is not available in a bot: "},
        {"collectgarbage()", "collectgarbage(\"collect\") is not available in a bot"},
        {"load('return 1', 'x', 'b')", "only text is loaded"},
        {"os.getenv('LINE_CHANNEL_SECRET')", "os.getenv: LINE_CHANNEL_SECRET is not shown to a bot"},
        {"os.getenv('MOONLINE_DATA')", "is not shown to a bot"},
        {"local type = 5 type()", "attempt to call a number value (local 'type')"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect(rows[i][0], rows[i][1]);
}

TEST(what_is_there_works)
{
    expect("assert(os.time() > 0 and os.date('%Y') and os.clock() >= 0 and os.getenv('PATH') and os.getenv('NOT_THERE') == nil)\n"
           "assert(collectgarbage('count') > 0)\n"
           "assert(load('return 1 + 1')() == 2 and load('return x', 'c', 't', {x = 5})() == 5)\n"
           "assert(load('return x', 'c', nil, {x = 6})() == 6)\n"
           "local pieces = {'return ', '7'}\n"
           "assert(load(function() return table.remove(pieces, 1) end)() == 7)\n"
           "assert(not load('\\27Lua') and select(2, load('x x')):find('syntax'))\n"
           "assert(debug.traceback('x'):find('x') and utf8.char(228) == 'ä' and math.type(1) == 'integer')\n"
           "assert(string.foo == nil and os.foo == nil and ('x'):upper() == 'X')\n"
           "assert(next({}) == nil and rawequal(1, 1) and select('#', table.unpack({1, 2})) == 2)\n"
           "assert(_VERSION == 'Lua 5.4' and _G._G == _G and _G.print == print)\n"
           "local n = 0 for k in pairs(_G) do n = n + 1 end assert(n > 20)\n"
           "assert(unpack == nil and jit == nil and setfenv == nil)\n"
           "assert(require 'string' == string and require 'json' == json and require 'log' == log)\n"
           "assert(package.loaded.line == require 'line' and require('cjson').encode({1}) == '[1]')\n"
           "warn('hello', ' there') print('a', 1, nil, {} ~= nil)",
           "");
}

TEST(globals_are_strict)
{
    static const char *const rows[][2] = {
        {"local count = 0\ncuont = count + 1", "bot.lua:4: assignment to undeclared global 'cuont'; write 'local cuont' where it "
                                               "belongs; did you mean 'count'?"},
        {"local count = 0\nreturn cuont + 1", "bot.lua:4: undeclared variable 'cuont'; did you mean 'count'?"},
        {"prnt('x')", "bot.lua:3: undeclared variable 'prnt'; did you mean 'print'?"},
        {"tosting(1)", "did you mean 'tostring'?"},
        {"return zzzzzzzzzzz", "bot.lua:3: undeclared variable 'zzzzzzzzzzz'"},
        {"store.get('x')", "bot.lua:3: undeclared variable 'store'; write 'local store = require \"store\"' above"},
        {"function helper() end", "write 'local function helper'"},
        {"type = event.type", "bot.lua:3: assignment to 'type', which is built in"},
        {"json = nil", "assignment to 'json', which is built in"},
        {"setmetatable(_G, nil)", "cannot change a protected metatable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect(rows[i][0], rows[i][1]);
    expect("rawset(_G, 'meant', 5)\nassert(meant == 5)\nmeant = 6\nassert(meant == 6)", "");
}

TEST(log_lines)
{
    struct kit k;
    kit_open(&k);
    kit_file(&k, "bot.lua", HANDLER("log.warn('order', {total = 12, price = 1.5, who = 'me', list = {1, 2}, ok = true})\n"
                                    "local ok, why = pcall(log.info, 'x', {event = 1}) assert(not ok and why:find('event'), why)\n"
                                    "ok = pcall(log.info, 'x', 5) assert(not ok)\n"
                                    "log.debug('quiet') log.info({a = 1}) log.error(nil)"));
    CHECK_INT(kit_start(&k), WIRE_READY);
    if (!CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_OK)) printf("# %s\n", k.why);
    kit_read_log(&k);
    static const char *const have[] = {"\"order\"", "\"total\":12", "\"price\":1.500", "\"who\":\"me\"", "\"list\":\"[1,2]\"",
                                       "\"ok\":\"true\"", "\"at\":\"bot.lua:3\"", "\"event\":\"01H00000000000000000000001\"",
                                       "\"warn\"", "{\\\"a\\\":1}"};
    for (size_t i = 0; k.log && i < sizeof have / sizeof *have; i++)
        if (!strstr(k.log, have[i])) FAIL("no %s in\n# %s", have[i], k.log);
    CHECK(k.log && !strstr(k.log, "quiet"));
    CHECK(kit_close(&k));
}

/* ---- require ---- */
TEST(require_finds_the_bots_files)
{
    struct kit k;
    kit_open(&k);
    kit_file(&k, "bot.lua", LINE "local a = require 'a'\nlocal b = require 'lib.b'\nlocal c = require 'c'\nlocal d = require 'd'\n"
                                 "assert(require 'a' == a and package.loaded['lib.b'] == b)\n"
                                 "assert(select(2, require 'fresh'):find('/fresh.lua$'))\n"
                                 "assert(require 'nothing' == true)\n"
                                 "line.on('message.text', function() error(a .. b .. c .. d, 0) end)");
    kit_file(&k, "a.lua", "#!/usr/bin/env lua\nlocal line = require 'line'\nline.sleep(0.001)\nreturn 'A'");
    kit_file(&k, "lib/b.lua", "local name, path = ...\nassert(name == 'lib.b' and path:find('/lib/b.lua$'))\nreturn 'B'");
    kit_file(&k, "c/init.lua", "return 'C'");
    kit_file(&k, "lua_modules/share/lua/5.4/d.lua", "return 'D'");
    kit_file(&k, "fresh.lua", "return {}");
    kit_file(&k, "nothing.lua", "");
    if (!CHECK_INT(kit_start(&k), WIRE_READY)) printf("# %s\n", k.why);
    CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_FAILED);
    CHECK(strstr(k.why, "ABCD"));
    static const char *const said[] = {"L %s/bot.lua\n", "L %s/a.lua\n", "L %s/lib/b.lua\n", "P %s/c.lua\n", "L %s/c/init.lua\n",
                                       "P %s/d.lua\n", "P %s/d/init.lua\n", "L %s/lua_modules/share/lua/5.4/d.lua\n"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char want[256];
        snprintf(want, sizeof want, "%.*s%s%s", 2, said[i], k.dir, said[i] + 4);
        char *at = strstr(k.probed, want);
        if (!at) FAIL("no %s in\n# %s", want, k.probed);
        else CHECK(!strstr(at + 1, want)); /* once */
    }
    CHECK(!strstr(k.probed, "moonline/") && !strstr(k.probed, "cjson"));
    CHECK(kit_close(&k));
}

TEST(a_snapshot_comes_before_the_disk)
{
    struct kit k;
    char path[128];
    kit_open(&k);
    kit_file(&k, "bot.lua", "error('the disk')");
    kit_file(&k, "a.lua", "return 'disk'");
    snprintf(path, sizeof path, "%s/bot.lua", k.dir);
    kit_strings(&k, WIRE_SOURCE, path, LINE "line.on('message.text', function() error(require 'a', 0) end)");
    CHECK_INT(kit_start(&k), WIRE_READY);
    CHECK(!strstr(k.probed, "L "));
    CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_FAILED);
    CHECK(strncmp(k.why, "disk", 4) == 0);
    CHECK(strstr(k.probed, "/a.lua"));
    CHECK(kit_close(&k));
}

static void refused(const char *a, const char *b, const char *why)
{
    struct kit k;
    kit_open(&k);
    kit_file(&k, "bot.lua", "local x = require 'a'\n");
    if (a) kit_file(&k, "a.lua", a);
    if (b) kit_file(&k, "b.lua", b);
    CHECK_INT(kit_start(&k), WIRE_REFUSED);
    if (!strstr(k.why, why)) FAIL("refused with\n#     %s\n# not %s", k.why, why);
    CHECK(kit_close(&k));
}

TEST(require_says_what_is_wrong)
{
    refused(NULL, NULL, "bot.lua:1: there is no module 'a'; looked for, beside the bot:\n  a.lua\n  a/init.lua\n"
                        "  lua_modules/share/lua/5.4/a.lua");
    refused("return require 'b'", "return require 'a'", "b.lua:1: modules require each other in a circle: a → b → a");
    refused("return require 'b'", "local a = = 1", "b.lua:1: unexpected symbol near '='\n>    1 | local a = = 1");
    refused("return require 'b'", "\nerror 'deep'", "b.lua:2: deep\n     1 | \n>    2 | error 'deep'\n  b.lua:2: in ");
    refused("return (pcall(require, 'b')) or pcall(require, 'b') or require 'b'", "error('each time', 0)", "each time");
}

TEST(two_tasks_may_need_one_module)
{
    struct kit k;
    kit_open(&k);
    kit_file(&k, "bot.lua", LINE "local n = 0\nline.on('message.text', function()\n"
                                 "  local r = line.all{function() return require 'slow' end, function() return require 'slow' end}\n"
                                 "  assert(r[1] == r[2] and r[1].loads == 1)\n"
                                 "  local function try() return pcall(require, 'bad') end\n  r = line.all{try, try}\n"
                                 "  assert(r[1] == false and r[2] == false)\nend)");
    kit_file(&k, "slow.lua", "require 'line'.sleep(0.02)\nreturn {loads = 1}");
    kit_file(&k, "bad.lua", "require 'line'.sleep(0.02)\nerror 'bad'");
    CHECK_INT(kit_start(&k), WIRE_READY);
    if (!CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_OK)) printf("# %s\n", k.why);
    CHECK(kit_close(&k));
}
TEST_MAIN()
