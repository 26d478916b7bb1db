/* The worker from outside: loading, events and their outcomes, waiting, leaving. Budgets are in test_budget.c. */
#include "worker_kit.h"

#define LINE "local line = require 'line'\n"
/* A bot whose handlers all run the function body given; what it returns comes back as the error's text. */
#define HANDLER(body) LINE "line.on('message.text', function(event)\n" body "\nend)"
#define SAY(value) "error(tostring(" value "), 0)"

static int start_with(struct kit *k, const char *bot)
{
    kit_open(k);
    kit_file(k, "bot.lua", bot);
    return kit_start(k);
}

/* Start, run one event, leave. The handler's error text is checked; "" for none. */
static void expect(const char *bot, const char *why)
{
    struct kit k;
    if (!CHECK_INT(start_with(&k, bot), WIRE_READY)) printf("#   %s\n", k.why);
    int outcome = kit_run(&k, 1, "hello");
    if (*why) CHECK_INT(outcome, WIRE_DONE_FAILED);
    else CHECK_INT(outcome, WIRE_DONE_OK);
    if (*why ? !strstr(k.why, why) : *k.why) FAIL("got\n#     %s\n# not %s", k.why, why);
    CHECK(kit_close(&k));
}

static void refused(const char *bot, const char *why)
{
    struct kit k;
    CHECK_INT(start_with(&k, bot), WIRE_REFUSED);
    if (!strstr(k.why, why)) FAIL("refused with\n#     %s\n# not %s", k.why, why);
    CHECK(kit_close(&k));
}

TEST(an_event_is_handled)
{
    struct kit k;
    CHECK_INT(start_with(&k, LINE "line.on('message.text', function(event) log.info(event.message.text) end)"), WIRE_READY);
    CHECK_INT(k.handlers, 1);
    CHECK_INT(kit_run(&k, 7, "hello"), WIRE_DONE_OK);
    CHECK_INT(kit_run(&k, 8, "there"), WIRE_DONE_OK);
    kit_event_raw(&k, 9, "{\"type\":\"follow\"}");
    CHECK_INT(kit_next(&k), WIRE_DONE);
    CHECK_INT(k.done.outcome, WIRE_DONE_UNHANDLED);
    CHECK_INT(atomic_load(&k.page->runs) % 2, 0);
    CHECK_INT(atomic_load(&k.page->seq), 9);
    kit_read_log(&k);
    CHECK(k.log && strstr(k.log, "\"hello\""));
    CHECK(k.log && strstr(k.log, "\"at\":\"bot.lua:2\""));
    CHECK(k.log && strstr(k.log, "\"chat\":\"U0123456789abcdef0123456789abcdef\""));
    CHECK(kit_close(&k));
}

TEST(values_of_an_event)
{
    expect(HANDLER("local seen = {}\n"
                   "seen[1] = math.type(event.timestamp)\n"
                   "seen[2] = event.message.id\n"
                   "seen[3] = tostring(event.deliveryContext.isRedelivery)\n"
                   "error(table.concat(seen, ' '), 0)"),
           "integer 468789577898262530 false");
}

TEST(an_error_shows_the_scripts_frames_only)
{
    struct kit k;
    CHECK_INT(start_with(&k, LINE "local function inner(t)\n  return t.a.b\nend\nlocal function outer(t)\n  inner(t)\n"
                                  "  return 1\nend\nline.on('message.text', function(event)\n  outer(event)\n  return\nend)"),
              WIRE_READY);
    CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_FAILED);
    CHECK(strstr(k.why, "bot.lua:3: attempt to index a nil value (field 'a')\n  bot.lua:3: in upvalue 'inner'\n"
                        "  bot.lua:6: in upvalue 'outer'\n  bot.lua:10: in ") != NULL);
    if (strstr(k.why, "moonline") || strstr(k.why, "[C]")) FAIL("%s", k.why);
    CHECK_INT(kit_run(&k, 2, "x"), WIRE_DONE_FAILED);
    kit_read_log(&k);
    CHECK(k.log && strstr(k.log, "\"handler failed\"") && strstr(k.log, "\"event\":\"01H00000000000000000000001\""));
    CHECK(kit_close(&k));
}

TEST(error_values_have_a_text)
{
    expect(HANDLER("error(setmetatable({}, {__tostring = function() return 'own text' end}))"), "own text");
    expect(HANDLER("error({})"), "table");
    expect(HANDLER("error()"), "nil");
    expect(HANDLER("error(setmetatable({}, {__tostring = function() while true do end end}))"), "the error is a table");
    expect(HANDLER("error(setmetatable({}, {__tostring = function() line.sleep(0) end}))"), "the error is a table");
}

/* ---- waiting ---- */
TEST(waits_pass_through_everything_that_can_be_suspended)
{
    expect(HANDLER("line.sleep(0.001)\n"
                   "local ok, value = pcall(function() line.sleep(0.001) error('caught', 0) end)\n"
                   "assert(not ok and value == 'caught')\n"
                   "local ok2, value2 = xpcall(function() line.sleep(0.001) error('x', 0) end, function(m) return m .. 'y' end)\n"
                   "assert(not ok2 and value2 == 'xy')\n"
                   "assert(select('#', xpcall(function(...) line.sleep(0) return ... end, print, 1, nil, 3)) == 4)\n"
                   "local t = setmetatable({}, {__index = function(_, k) line.sleep(0.001) return k .. '!' end})\n"
                   "assert(t.a == 'a!')\n"
                   "local function items() local n = 0 return function() line.sleep(0) n = n + 1 if n < 4 then return n end end end\n"
                   "local sum = 0 for n in items() do sum = sum + n end assert(sum == 6)\n"
                   "do local c <close> = setmetatable({}, {__close = function() line.sleep(0) sum = 7 end}) end assert(sum == 7)"),
           "");
}

TEST(waits_pass_through_the_scripts_own_coroutines)
{
    expect(HANDLER("local trace = {}\n"
                   "local function deep(n)\n"
                   "  local co = coroutine.wrap(function(a)\n"
                   "    line.sleep(0.001)\n"
                   "    if n > 0 then deep(n - 1) end\n"
                   "    trace[#trace + 1] = 'y' .. n\n"
                   "    local b = coroutine.yield(a + 1)\n"
                   "    line.sleep(0.001)\n"
                   "    return b * 2\n"
                   "  end)\n"
                   "  assert(co(n) == n + 1)\n"
                   "  line.sleep(0)\n"
                   "  assert(co(21) == 42)\n"
                   "end\n"
                   "deep(3)\n"
                   "assert(table.concat(trace, ' ') == 'y0 y1 y2 y3', table.concat(trace, ' '))\n"
                   "local co = coroutine.create(function() line.sleep(0) error({code = 5}) end)\n"
                   "local ok, e = coroutine.resume(co)\n"
                   "assert(not ok and e.code == 5 and coroutine.status(co) == 'dead')\n"
                   "local seen = 0\n"
                   "for i in coroutine.wrap(function() for i = 1, 3 do line.sleep(0) coroutine.yield(i) end end) do\n"
                   "  seen = seen + i line.sleep(0)\n"
                   "end\n"
                   "assert(seen == 6)"),
           "");
}

TEST(a_waiting_coroutine_is_nobody_elses)
{
    expect(HANDLER("local co = coroutine.create(function() line.sleep(0.05) return 'done' end)\n"
                   "local first = line.spawn(function() return coroutine.resume(co) end)\n"
                   "line.sleep(0.01)\n"
                   "assert(coroutine.status(co) == 'normal')\n"
                   "local ok, why = coroutine.resume(co)\n"
                   "assert(not ok and why:find('waits'), why)\n"
                   "ok, why = pcall(coroutine.close, co)\n"
                   "assert(not ok and why:find('cannot close a normal coroutine'), why)\n"
                   "local a, b = first:wait()\n"
                   "assert(a == true and b == 'done')\n"
                   "local me = coroutine.running()\n"
                   "ok, why = pcall(coroutine.yield)\n"
                   "assert(not ok and why:find('outside of a coroutine'), why)\n"
                   "assert(coroutine.isyieldable() == false)\n"
                   "assert(coroutine.wrap(function() return coroutine.isyieldable() end)() == true)\n"
                   "assert(coroutine.wrap(function() return coroutine.resume(me) end)() == false)\n"
                   "local closed\n"
                   "local c2 = coroutine.create(function()\n"
                   "  local x <close> = setmetatable({}, {__close = function() closed = pcall(line.sleep, 0) end})\n"
                   "  coroutine.yield()\n"
                   "end)\n"
                   "coroutine.resume(c2)\n"
                   "assert(coroutine.close(c2) and closed == false)"),
           "");
}

TEST(where_lua_cannot_wait_it_says_so)
{
    expect(HANDLER("table.sort({3, 2, 1}, function(a, b) line.sleep(0) return a < b end)"),
           "bot.lua:3: line.sleep: cannot wait here: inside 'table.sort'");
    expect(HANDLER("return (('abc'):gsub('.', function() line.sleep(0) end))"), "cannot wait here: inside 'string.gsub'");
    expect(HANDLER("table.sort({3, 2, 1}, function(a, b)\n"
                   "  return coroutine.wrap(function() line.sleep(0) return a < b end)()\n"
                   "end)"),
           "cannot wait here");
    expect(HANDLER("tostring(setmetatable({}, {__tostring = function() line.sleep(0) return '' end}))"),
           "cannot wait here: inside 'tostring'");
    /* pcall calls it without a name; and the position comes once. */
    expect(HANDLER("local _, e = pcall(table.sort, {3, 2, 1}, function(a, b) line.sleep(0) return a < b end)\n"
                   "assert(not e:find('bot.lua.*bot.lua'), e)\n"
                   "error(e, 0)"),
           "bot.lua:3: line.sleep: cannot wait here: inside 'table.sort'");
    expect(HANDLER("line.sleep(-1)"), "seconds from 0");
}

TEST(events_run_side_by_side)
{
    struct kit k;
    CHECK_INT(start_with(&k, HANDLER("if event.message.text == 'slow' then line.sleep(0.2) end")), WIRE_READY);
    kit_event(&k, 1, "slow");
    kit_event(&k, 2, "fast");
    CHECK_INT(kit_next(&k), WIRE_DONE);
    CHECK_INT(k.done.seq, 2);
    CHECK_INT(kit_next(&k), WIRE_DONE);
    CHECK_INT(k.done.seq, 1);
    CHECK(k.done.micros >= 200000);
    for (uint64_t i = 10; i < 500; i++) kit_event(&k, i, i % 2 ? "slow" : "fast");
    for (uint64_t i = 10; i < 500; i++)
        if (!CHECK_INT(kit_next(&k), WIRE_DONE)) break;
    CHECK(kit_close(&k));
}

/* ---- spawn and all ---- */
TEST(spawn_and_wait)
{
    expect(HANDLER("local h = line.spawn(function(a, b) line.sleep(0.001) return a + b, 'x' end, 1, 2)\n"
                   "local sum, x = h:wait()\n"
                   "assert(sum == 3 and x == 'x')\n"
                   "assert(select('#', h:wait()) == 2)\n"
                   "local bad = line.spawn(function() line.sleep(0.001) error('expected', 0) end)\n"
                   "local ok, why = pcall(bad.wait, bad)\n"
                   "assert(not ok and why == 'expected')"),
           "");
    expect(HANDLER("line.spawn(function() line.sleep(0.01) error('nobody waits', 0) end)"), "nobody waits");
    /* The event ends with what it spawned, not before. */
    struct kit k;
    CHECK_INT(start_with(&k, HANDLER("line.spawn(function() line.sleep(0.1) line.spawn(line.sleep, 0.1) end)")), WIRE_READY);
    CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_OK);
    CHECK(k.done.micros >= 200000);
    CHECK(kit_close(&k));
}

TEST(all_of_them)
{
    expect(HANDLER("local r = line.all{\n"
                   "  function() line.sleep(0.03) return 'a' end,\n"
                   "  function() return 'b', 'second' end,\n"
                   "  function() line.sleep(0.01) return line.all{function() return 'c' end} end,\n"
                   "}\n"
                   "assert(r[1] == 'a' and r[2] == 'b' and r[3][1] == 'c')\n"
                   "assert(#line.all{} == 0)"),
           "");
    expect(HANDLER("local closed = 0\n"
                   "local ok, why = pcall(line.all, {\n"
                   "  function() local x <close> = setmetatable({}, {__close = function() closed = closed + 1 end}) line.sleep(60) end,\n"
                   "  function() line.all{function()\n"
                   "    local x <close> = setmetatable({}, {__close = function() closed = closed + 1 end}) line.sleep(60) end} end,\n"
                   "  function() line.sleep(0.01) error({mine = true}) end,\n"
                   "})\n"
                   "assert(not ok and why.mine)\n"
                   "assert(closed == 2, closed)"),
           "");
    expect(HANDLER("line.all{function() end, 5}"), "position 2 is a number");
}

/* ---- loading ---- */
TEST(a_bot_that_cannot_be_loaded_says_where)
{
    refused("local a = 1\nlocal b = 2\nlocal c = = 3\nlocal d = 4\nlocal e = 5\nlocal f = 6",
            "bot.lua:3: unexpected symbol near '='\n     1 | local a = 1\n     2 | local b = 2\n>    3 | local c = = 3\n"
            "     4 | local d = 4\n     5 | local e = 5");
    refused("local t\n\nreturn t.x", "bot.lua:3: attempt to index a nil value (local 't')\n     1 | local t\n     2 | \n"
                                     ">    3 | return t.x");
    refused("\x1bLua", "bot.lua:1: this is bytecode");
    refused("count = 1", "bot.lua:1: assignment to undeclared global 'count'; write 'local count'");
    refused(LINE "line.sleep(0.001) error('after a wait')", "bot.lua:2: after a wait");
    refused("error({code = 1})", "{code = 1}");
}

TEST(a_bot_that_does_not_come_to_an_end_is_refused)
{
    struct kit k;
    kit_open(&k);
    kit_strings(&k, WIRE_SETTING, "load-timeout", "100ms");
    kit_file(&k, "bot.lua", "local n = 0\nwhile true do\n  n = n + 1\nend");
    CHECK_INT(kit_start(&k), WIRE_REFUSED);
    CHECK(strstr(k.why, "used more than 100 ms of processor time without waiting (while loading, generation 3; --load-timeout)"));
    CHECK(strstr(k.why, ">    3 |   n = n + 1") || strstr(k.why, ">    2 | while"));
    CHECK_INT(atomic_load(&k.page->seq), PAGE_LOADING);
    CHECK(kit_close(&k));

    kit_open(&k);
    kit_strings(&k, WIRE_SETTING, "load-timeout", "50ms");
    kit_file(&k, "bot.lua", LINE "line.sleep(60)");
    CHECK_INT(kit_start(&k), WIRE_REFUSED);
    CHECK(strstr(k.why, "bot.lua:2: the bot was still waiting here after 50 ms of loading"));
    CHECK(kit_close(&k));
}

TEST(a_bot_may_wait_while_it_loads)
{
    expect(LINE "local greeting = line.all{function() line.sleep(0.001) return 'hi' end}[1]\n"
                "line.on('message.text', function() error(greeting, 0) end)", "hi");
}

TEST(check_mode_reports_and_leaves)
{
    struct kit k;
    kit_open(&k);
    kit_strings(&k, WIRE_SETTING, SETTING_MODE, "check");
    kit_file(&k, "bot.lua", LINE "line.on('message.text', function() end)\nline.on('follow', function() end)");
    CHECK_INT(kit_start(&k), WIRE_REPORT);
    CHECK(strstr(k.why, "\"follow\"") && strstr(k.why, "bot.lua:3"));
    CHECK(kit_close(&k));
}

/* ---- leaving ---- */
TEST(leaving_waits_for_what_runs)
{
    struct kit k;
    int status;
    CHECK_INT(start_with(&k, HANDLER("line.sleep(0.2) error('finished', 0)")), WIRE_READY);
    kit_event(&k, 5, "x");
    kit_leave(&k);
    CHECK_INT(kit_next(&k), WIRE_DONE);
    CHECK(strstr(k.why, "finished"));
    CHECK(kit_close(&k));

    /* What belongs to no event does not hold it up; its <close> variables run. */
    CHECK_INT(start_with(&k, LINE "line.spawn(function()\n"
                                  "  local x <close> = setmetatable({}, {__close = function() log.info('closed here') end})\n"
                                  "  line.sleep(1000)\nend)"),
              WIRE_READY);
    kit_leave(&k);
    CHECK_INT(kit_next(&k), WIRE_BYE);
    while (kit_next(&k) > 0) {}
    kit_read_log(&k);
    CHECK(k.log && strstr(k.log, "closed here"));
    waitpid(k.pid, &status, 0);
    CHECK_INT(status, 0);
    kit_free(&k);
}

/* To the end of a worker that was told to leave; its log is in k->log then, and kit_free(k) is to come. */
static void wait_bye(struct kit *k)
{
    int status = -1;
    CHECK_INT(kit_next(k), WIRE_BYE);
    CHECK_INT(kit_next(k), 0);
    waitpid(k->pid, &status, 0);
    CHECK_INT(status, 0);
    kit_read_log(k);
}

TEST(leaving_waits_for_timers_that_are_due_soon)
{
    struct kit k;
    CHECK_INT(start_with(&k, LINE "line.after(0.1, function() line.sleep(0.01) log.info('due soon') end)\n"
                                  "line.after(3000, print)\nline.every(0.05, function() log.info('a tick') end)"), WIRE_READY);
    kit_leave_within(&k, 20000);
    wait_bye(&k);
    CHECK(strstr(k.log, "due soon"));
    CHECK(strstr(k.log, "timer dropped") && strstr(k.log, "\"timer\":\"bot.lua:3\""));
    CHECK(strstr(k.log, "\"left_s\":2999.") || strstr(k.log, "\"left_s\":3000"));
    CHECK(!strstr(k.log, "bot.lua:4"));
    kit_free(&k);

    /* Told once more, it has less time; never more. */
    CHECK_INT(start_with(&k, LINE "line.after(40, print)\nline.after(80, print)"), WIRE_READY);
    kit_leave_within(&k, 60000);
    kit_leave_within(&k, 100000);
    kit_leave_within(&k, 1000);
    wait_bye(&k);
    const char *first = strstr(k.log, "\"timer\":\"bot.lua:3\""), *second = strstr(k.log, "\"timer\":\"bot.lua:2\"");
    CHECK(first && second && first < second);
    kit_free(&k);
}

TEST(timers_may_be_made_and_cancelled_to_the_very_end)
{
    struct kit k;
    CHECK_INT(start_with(&k, LINE "line.spawn(function()\n"
                                  "  local x <close> = setmetatable({}, {__close = function()\n"
                                  "    local late = line.after(0.001, print)\n"
                                  "    local last = setmetatable({late}, {__gc = function()\n"
                                  "      log.info('cancelled: ' .. tostring(late:cancel()) .. tostring(line.after(1, print):cancel()))\n"
                                  "    end})\n"
                                  "    package.loaded.kept = last\n"
                                  "  end})\n"
                                  "  line.sleep(1000)\nend)"), WIRE_READY);
    kit_leave_within(&k, 20000);
    wait_bye(&k);
    CHECK(strstr(k.log, "cancelled: true"));
    kit_free(&k);
}

TEST(a_timer_that_runs_is_on_the_page)
{
    struct kit k;
    CHECK_INT(start_with(&k, LINE "line.after(0.001, function() log.info('stuck') "
                                  "string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40)) end)"), WIRE_READY);
    CHECK_INT(atomic_load(&k.page->timers), 1);
    while (!k.log || !strstr(k.log, "stuck")) kit_read_log(&k); /* the alarm ends it otherwise */
    CHECK(atomic_load(&k.page->seq) == PAGE_TIMER);
    CHECK_INT(atomic_load(&k.page->runs) % 2, 1);
    CHECK_STR(k.page->timer, "bot.lua:2");
    kill(k.pid, SIGKILL);
    waitpid(k.pid, NULL, 0);
    kit_free(&k);
}

TEST(leaving_does_not_wait_for_a_load)
{
    struct kit k;
    char path[128];
    kit_open(&k);
    kit_file(&k, "bot.lua", LINE "log.info('begun') line.sleep(1000)");
    snprintf(path, sizeof path, "%s/bot.lua", k.dir);
    kit_strings(&k, WIRE_SETTING, SETTING_PATH, path);
    kit_send(&k, WIRE_START, "", 0);
    while (!k.log || !strstr(k.log, "begun")) kit_read_log(&k); /* the alarm ends it otherwise */
    kit_leave(&k);
    CHECK_INT(kit_next(&k), WIRE_BYE);
    CHECK_INT(kit_next(&k), 0);
    int status = -1;
    waitpid(k.pid, &status, 0);
    CHECK_INT(status, 0);
    kit_free(&k);
}

TEST(without_a_host_it_ends)
{
    struct kit k;
    int status;
    CHECK_INT(start_with(&k, HANDLER("line.sleep(1000)")), WIRE_READY);
    kit_event(&k, 5, "x");
    shutdown(k.fd, SHUT_RDWR);
    waitpid(k.pid, &status, 0);
    CHECK_INT(status, 0);
    kit_free(&k);
}

TEST(nonsense_from_the_host_ends_it)
{
    static const struct {
        enum wire_type type;
        const char *payload;
        size_t n;
    } rows[] = {{WIRE_EVENT, "", 0}, {WIRE_BYE, "", 0}, {WIRE_START, "x", 1}, {WIRE_SETTING, "\1\0\0\0a", 5}, {77, "", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit k;
        int status;
        CHECK_INT(start_with(&k, HANDLER("")), WIRE_READY);
        kit_send(&k, rows[i].type, rows[i].payload, rows[i].n);
        while (kit_next(&k) > 0) {}
        waitpid(k.pid, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        kit_free(&k);
    }
}
TEST_MAIN()
