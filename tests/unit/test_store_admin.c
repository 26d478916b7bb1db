/* Looking at what the store holds, and mending it. */
#include "store_kit.h"

static struct kit k;
static uint64_t first;

static int ask(struct store_admin *a)
{
    buf_clear(&a->out);
    return kit_admin(&k, a);
}

/* bot "echo" with 01A waiting, 01B failed, 01C quarantined */
static void begin(void)
{
    uint32_t bot = 0;
    kit_init(&k);
    if (!CHECK_INT(kit_open(&k), 0)) exit(2);
    CHECK_INT(store_bot(k.s, "echo", &bot, k.error, sizeof k.error), 0);
    struct store_event e[3] = {kit_event("01A", 7, "{\"x\":{\"type\":\"no\"},\"type\":\"message\"}"),
                               kit_event("01B", 7, "{\"type\":\"follow\"}"), kit_event("01C", 8, "not \"JSON\"")};
    for (int i = 0; i < 3; i++) e[i].bot = bot;
    CHECK_INT(kit_put(&k, e, 3), 0);
    first = e[0].seq;
    store_attempts(k.s, e[2].seq, 3);
    store_finish(k.s, e[1].seq, STORE_FAILED, STR("bot.lua:3: \"oh\"\nstack"));
    store_finish(k.s, e[2].seq, STORE_QUARANTINED, (struct str){0});
}

static void end(void)
{
    kit_close(&k);
    kit_remove(&k);
}

#define A "{\"id\":\"01A\",\"seq\":1,\"bot\":\"echo\",\"state\":\"waiting\",\"attempts\":0,\"received\":1600000000000,"       \
          "\"type\":\"message\""
#define B "{\"id\":\"01B\",\"seq\":2,\"bot\":\"echo\",\"state\":\"failed\",\"attempts\":0,\"received\":1600000000000,"        \
          "\"type\":\"follow\",\"why\":\"bot.lua:3: \\\"oh\\\""
#define C "{\"id\":\"01C\",\"seq\":3,\"bot\":\"echo\",\"state\":\"quarantined\",\"attempts\":3,\"received\":1600000000000"

TEST(list)
{
    begin();
    CHECK_INT(first, 1);
    struct store_admin a = {.kind = STORE_LIST, .limit = 10};
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), "[" C "}," B "\"}," A "}]");
    a.limit = 2;
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), "[" C "}," B "\"}]");
    a.state = "waiting";
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), "[" A "}]");
    a.state = "failed";
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), "[" B "\"}]");
    a.state = "sleeping";
    CHECK_INT(ask(&a), ERR_NOTFOUND);
    buf_free(&a.out);

    /* out has room for one: the list is shorter and still whole */
    struct store_admin small = {.kind = STORE_LIST, .limit = 10, .out = BUF(sizeof C + 20)};
    CHECK_INT(ask(&small), 0);
    CHECK_STRN(buf_str(&small.out), "[" C "}]");
    buf_free(&small.out);
    end();
}

TEST(show)
{
    begin();
    struct store_admin a = {.kind = STORE_SHOW, .id = "01B"};
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), B "\\nstack\",\"event\":{\"type\":\"follow\"}}");
    a.id = "1"; /* by seq */
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), A ",\"event\":{\"x\":{\"type\":\"no\"},\"type\":\"message\"}}");
    a.id = "01C";
    CHECK_INT(ask(&a), 0);
    CHECK_STRN(buf_str(&a.out), C ",\"event\":\"not \\\"JSON\\\"\"}");
    const char *const nobody[] = {"", "0", "4", "99999999999999999999999", "18446744073709551615", "01", "01AA", "nope"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        a.id = nobody[i];
        if (!CHECK_INT(ask(&a), ERR_NOTFOUND)) printf("# %s\n", nobody[i]);
    }
    buf_free(&a.out);
    struct store_admin small = {.kind = STORE_SHOW, .id = "01B", .out = BUF(30)};
    CHECK_INT(ask(&small), ERR_TOOBIG);
    CHECK_INT(small.out.len, 0);
    buf_free(&small.out);
    end();
}

static void retried(struct store_admin *a)
{
    CHECK_STRN(a->row.id, "01B");
    CHECK_STRN(a->row.body, "{\"type\":\"follow\"}");
    *(bool *)a->user = true;
}

TEST(retry)
{
    begin();
    bool done = false;
    struct kit_rows rows;
    struct store_admin a = {.kind = STORE_RETRY, .id = "01B", .done = retried, .user = &done};
    store_admin(k.s, &a);
    while (!done) uv_run(&k.loop, UV_RUN_ONCE);
    CHECK_INT(a.result, 0);
    CHECK_INT(a.row.order, 7);
    CHECK(a.row.seq > 3);
    CHECK_INT(kit_counts(&k).waiting, 2);
    CHECK_INT(kit_counts(&k).failed, 0);
    kit_load(&k, (struct store_load){0}, &rows);
    CHECK_INT(rows.n, 2);
    CHECK_INT(rows.row[1].seq, a.row.seq); /* the newest */
    CHECK_STR(rows.id[1], "01B");

    struct store_admin again = {.kind = STORE_RETRY, .id = "01B"}; /* found by its id where it is now */
    CHECK_INT(ask(&again), ERR_BUSY);
    again.id = "01A";
    CHECK_INT(ask(&again), ERR_BUSY);
    again.id = "01D";
    CHECK_INT(ask(&again), ERR_NOTFOUND);
    again.id = "3"; /* a quarantined one, by seq */
    CHECK_INT(ask(&again), 0);
    kit_reopen(&k);
    kit_load(&k, (struct store_load){0}, &rows);
    CHECK_INT(rows.n, 3);
    CHECK_INT(rows.row[2].attempts, 0);
    CHECK_INT(kit_put1(&k, "01B", 1, "{}") == 0, 1); /* seen all the same */
    end();
}

TEST(drop)
{
    begin();
    struct store_admin a = {.kind = STORE_DROP, .id = "01A"};
    CHECK_INT(ask(&a), 0);
    CHECK_INT(a.row.seq, 1);
    CHECK_INT(a.row.order, 7);
    CHECK_INT(a.row.bot, 1);
    a.id = "01B";
    CHECK_INT(ask(&a), 0);
    CHECK_INT(ask(&a), ERR_NOTFOUND);
    struct store_counts c = kit_counts(&k);
    CHECK_INT(c.waiting, 0);
    CHECK_INT(c.failed, 0);
    CHECK_INT(c.quarantined, 1);
    end();
}

/* Once ids have been forgotten, a waiting event is still found by its id. */
TEST(an_event_is_found_after_its_id_was_forgotten)
{
    char id[16];
    kit_init(&k);
    k.o.dedupe_ids = 10;
    k.o.dedupe_ms = 0;
    CHECK_INT(kit_open(&k), 0);
    uint64_t seq = kit_put1(&k, "old", 1, "{}");
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "01%d", i);
        kit_put1(&k, id, 1, "{}");
    }
    struct store_admin a = {.kind = STORE_DROP, .id = "old"};
    CHECK_INT(ask(&a), 0);
    CHECK_INT(a.row.seq, seq);
    CHECK(kit_put1(&k, "old", 1, "{}") > 0); /* it was forgotten indeed */
    end();
}

TEST(at_once_means_after_what_was_asked)
{
    begin();
    struct store_event e = kit_event("01D", 1, "{}");
    bool done = false;
    struct store_put p = {.events = &e, .n = 1, .done = kit_put_done, .user = &done};
    struct store_admin a = {.kind = STORE_COUNTS};
    store_put(k.s, &p);
    store_finish(k.s, first, STORE_DONE, (struct str){0});
    CHECK_INT(store_admin_now(k.s, &a), 0);
    CHECK_INT(a.counts.waiting, 1);
    CHECK(!done); /* its answer comes from the loop, as always */
    while (!done) uv_run(&k.loop, UV_RUN_ONCE);
    CHECK(e.seq > 0);
    end();
}

TEST_MAIN()
