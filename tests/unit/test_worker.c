/* The worker from outside: load, events, outcomes, budgets, leaving. */
#include "worker_kit.h"

static int start_with(struct kit *k, const char *bot)
{
    kit_open(k);
    kit_file(k, "bot.lua", bot);
    return kit_start(k);
}

#define LINE "local line = require 'line'\n"

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
    CHECK(k.log && strstr(k.log, "bot.lua:2"));
    CHECK(kit_close(&k));
}
TEST_MAIN()
