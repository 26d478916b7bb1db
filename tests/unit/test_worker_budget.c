/* What a script may use up, and that it cannot talk its way out of it. */
#include "worker_kit.h"

#define LINE "local line = require 'line'\n"
#define HANDLER(body) LINE "line.on('message.text', function(event)\n" body "\nend)"

static int start_with(struct kit *k, const char *bot, const char *name, const char *value)
{
    kit_open(k);
    kit_strings(k, WIRE_SETTING, "cpu-limit", "60ms");
    if (name) kit_strings(k, WIRE_SETTING, name, value);
    kit_file(k, "bot.lua", bot);
    return kit_start(k);
}

/* The event "bad" breaks a limit: in the words given, with script, event and generation; the worker goes on. */
static void breaks_with(const char *cpu_limit, const char *body, const char *where, const char *words)
{
    struct kit k;
    char bot[4096];
    snprintf(bot, sizeof bot, LINE "line.on('message.text', function(event)\n  if event.message.text ~= 'bad' then return end\n%s\nend)",
             body);
    kit_open(&k);
    kit_strings(&k, WIRE_SETTING, "memory-limit", "16M");
    kit_strings(&k, WIRE_SETTING, "cpu-limit", cpu_limit);
    kit_file(&k, "bot.lua", bot);
    if (!CHECK_INT(kit_start(&k), WIRE_READY)) printf("# %s\n", k.why);
    CHECK_INT(kit_run(&k, 1, "good"), WIRE_DONE_OK);
    if (!CHECK_INT(kit_run(&k, 2, "bad"), WIRE_DONE_BROKE)) printf("# %s\n# in %s\n", k.why, body);
    if (strncmp(k.why, where, strlen(where)) || !strstr(k.why, words) ||
        !strstr(k.why, "(event 01H00000000000000000000002, generation 3; --"))
        FAIL("got\n#     %s\n# not %s … %s", k.why, where, words);
    CHECK(k.done.micros < 5000000);
    CHECK_INT(kit_run(&k, 3, "good"), WIRE_DONE_OK);
    CHECK(kit_close(&k));
}

static void breaks(const char *body, const char *where, const char *words) { breaks_with("60ms", body, where, words); }

#define CPU "used more than 60 ms of processor time without waiting"
#define MEMORY "used more than 16 MiB of memory"

TEST(an_endless_loop) { breaks("while true do end", "bot.lua:4: ", CPU); }

TEST(pcall_does_not_swallow_it)
{
    breaks("while true do\npcall(function() while true do end end)\nend", "bot.lua:5: ", CPU);
    breaks("local function f() while true do end end\nwhile true do xpcall(f, function(m) while true do end end) end",
           "bot.lua:4: ", CPU);
    breaks("while true do pcall(error, 'x') end", "bot.lua:4: ", CPU);
}

TEST(coroutines_do_not_swallow_it)
{
    breaks("while true do\ncoroutine.wrap(function() while true do end end)()\nend", "bot.lua:5: ", CPU);
    breaks("local co = coroutine.create(function() while true do coroutine.yield() end end)\n"
           "while true do coroutine.resume(co) end", "bot.lua:", CPU);
    breaks("while true do pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) end", "bot.lua:4: ", CPU);
    breaks("while true do coroutine.resume(coroutine.create(function() while true do end end)) end", "bot.lua:4: ", CPU);
    breaks("local co = coroutine.create(function()\n"
           "local x <close> = setmetatable({}, {__close = function() while true do end end})\ncoroutine.yield() end)\n"
           "coroutine.resume(co)\nwhile true do coroutine.close(co) end", "bot.lua:5: ", CPU);
}

TEST(close_variables_have_a_budget_of_their_own)
{
    breaks("local x <close> = setmetatable({}, {__close = function() while true do end end})\nwhile true do end",
           "bot.lua:5: ", CPU);
    breaks("while true do local x <close> = setmetatable({}, {__close = function() while true do end end}) end",
           "bot.lua:4: ", CPU);
}

TEST(a_wait_begins_a_new_budget)
{
    struct kit k;
    CHECK_INT(start_with(&k, HANDLER("for _ = 1, 6 do\n  local t = os.clock() + 0.03\n  while os.clock() < t do end\n"
                                     "  line.sleep(0.001)\nend"), NULL, NULL), WIRE_READY);
    if (!CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_OK)) printf("# %s\n", k.why);
    CHECK(kit_close(&k));
}

TEST(what_was_spawned_breaks_its_event)
{
    breaks("line.spawn(function() line.sleep(0.001)\nwhile true do end end)\nlocal ok = pcall(line.sleep, 100)\nline.sleep(100)",
           "bot.lua:5: ", CPU);
    breaks("pcall(line.all, {function() line.sleep(0)\nwhile true do end end, function() line.sleep(100) end})", "bot.lua:5: ", CPU);
}

/* Filling memory takes longer than the other tests allow, under a sanitizer above all. */
TEST(memory_runs_out)
{
    breaks_with("10s", "local t = {}\nfor i = 1, math.huge do t[i] = {i} end", "bot.lua:5: ", MEMORY);
    breaks_with("10s", "local s = ('x'):rep(1 << 30)", "bot.lua:4: ", MEMORY);
    breaks_with("10s", "while true do pcall(string.rep, 'x', 1 << 30) end", "bot.lua:4: ", MEMORY);
    breaks_with("10s", "local co = coroutine.wrap(function() local s = ('x'):rep(1 << 30) end)\nwhile true do pcall(co) end", "bot.lua:4: ",
           MEMORY);
    breaks_with("10s", "local s = 'x'\nwhile true do s = s .. s end", "bot.lua:5: ", MEMORY);
}

TEST(a_worker_full_of_globals_ends_itself)
{
    struct kit k;
    int status;
    kit_open(&k);
    kit_strings(&k, WIRE_SETTING, "memory-limit", "16M"); /* and the usual processor time: filling memory takes a while */
    kit_file(&k, "bot.lua", LINE "local kept = {}\nline.on('message.text', function(event)\n"
                                  "  for i = 1, math.huge do kept[#kept + 1] = ('x'):rep(1 << 20) .. i end\nend)");
    CHECK_INT(kit_start(&k), WIRE_READY);
    CHECK_INT(kit_run(&k, 1, "x"), WIRE_DONE_BROKE);
    CHECK_INT(kit_next(&k), 0);
    waitpid(k.pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    CHECK_INT(atomic_load(&k.page->runs) % 2, 0); /* so that nobody is blamed for the end */
    kit_free(&k);
}

TEST(the_time_of_a_handler)
{
    struct kit k;
    CHECK_INT(start_with(&k, HANDLER("local x <close> = setmetatable({}, {__close = function() log.info('closed') end})\n"
                                     "while true do\n  pcall(function()\n    line.sleep(60)\n  end)\nend"),
                         "handler-limit", "100ms"), WIRE_READY);
    CHECK_INT(kit_run(&k, 2, "x"), WIRE_DONE_FAILED);
    CHECK(strstr(k.why, "bot.lua:6: the handler was still waiting here after 100 ms (event 01H00000000000000000000002, "
                        "generation 3; --handler-limit)\n  bot.lua:6: in "));
    CHECK(k.done.micros >= 100000 && k.done.micros < 5000000);
    kit_read_log(&k);
    CHECK(k.log && strstr(k.log, "closed"));
    CHECK(kit_close(&k));

    CHECK_INT(start_with(&k, HANDLER("line.spawn(function() line.sleep(60) end)\n"
                                     "coroutine.wrap(function()\n  line.all{function() line.sleep(50) end}\nend)()"),
                         "handler-limit", "100ms"), WIRE_READY);
    CHECK_INT(kit_run(&k, 2, "x"), WIRE_DONE_FAILED);
    CHECK_INT(kit_run(&k, 3, "x"), WIRE_DONE_FAILED);
    CHECK_INT(atomic_load(&k.page->tasks), 0);
    CHECK(kit_close(&k));
}

TEST(finalizers_that_fail_are_heard)
{
    struct kit k;
    CHECK_INT(start_with(&k, HANDLER("do setmetatable({}, {__gc = function() error('in a finalizer') end}) end\n"
                                     "for i = 1, 20000 do local t = {} end"), NULL, NULL), WIRE_READY);
    CHECK_INT(kit_run(&k, 2, "x"), WIRE_DONE_OK);
    kit_read_log(&k);
    CHECK(k.log && strstr(k.log, "in a finalizer"));
    CHECK(kit_close(&k));
}
TEST_MAIN()
