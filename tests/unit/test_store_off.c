/* Durability off by the public calls, with a backend that fails when told to. What is held, and when it is written, is
 * tried step by step in test_store_young.c. */
#include "store/store_sqlite.h"
#include "store_kit.h"

static struct kit k;

static _Atomic bool fail_commit, fail_settle;
static _Atomic int slices; /* written without being asked */

static int failing_commit(void *p)
{
    if (!fail_commit) return store_sqlite.commit(p);
    store_sqlite.rollback(p);
    return ERR_IO;
}

static int failing_settle(void *p, enum store_settle how)
{
    if (how == SETTLE_SLICE) slices++;
    return fail_settle ? ERR_FULL : store_sqlite.settle(p, how);
}

static const char *failing_why(void *p)
{
    (void)p;
    return "told to fail";
}

static struct store_backend failing;

static void begin(void)
{
    failing = store_sqlite;
    failing.commit = failing_commit;
    failing.settle = failing_settle;
    failing.why = failing_why;
    fail_commit = fail_settle = false;
    kit_init(&k);
    k.backend = &failing;
    k.o.durability = DURABILITY_OFF;
    if (!CHECK_INT(kit_open(&k), 0)) exit(2);
}

static void end(void)
{
    kit_close(&k);
    kit_remove(&k);
}

/* The store's thread mends itself: there is no event to wait for, only the state. The alarm of the test bounds it. */
static void wait_for_health(bool is_failing)
{
    struct store_health h;
    do {
        uv_run(&k.loop, UV_RUN_NOWAIT);
        usleep(2000);
        store_health(k.s, &h);
    } while ((h.failing != 0) != is_failing);
}

static char told[64];
static void tell(const char *what) { strncat(told, what, sizeof told - strlen(told) - 1); }
static void told_put(struct store_put *p) { tell(p->result ? "!" : "P"); }
static void told_load(struct store_load *l)
{
    char text[16];
    snprintf(text, sizeof text, "L%zu", l->n);
    tell(l->result ? "!" : text);
}
static void told_admin(struct store_admin *a)
{
    char text[16];
    snprintf(text, sizeof text, "A%d", (int)a->counts.waiting);
    tell(a->result ? "!" : text);
}

/* One turn, one batch, one transaction: each call sees what was put before it and not what came after. */
TEST(each_call_sees_what_came_before_it)
{
    begin();
    CHECK_INT(kit_counts(&k).waiting, 0);
    struct store_event e[2] = {kit_event("01A", 1, "{}"), kit_event("01B", 1, "{}")};
    struct store_put p[2] = {{.events = &e[0], .n = 1, .done = told_put}, {.events = &e[1], .n = 1, .done = told_put}};
    struct store_load l[2];
    struct store_admin a[2];
    for (int i = 0; i < 2; i++) {
        l[i] = (struct store_load){.upto = UINT64_MAX, .limit = 9, .limit_bytes = 999, .done = told_load};
        a[i] = (struct store_admin){.kind = STORE_COUNTS, .done = told_admin};
    }
    told[0] = '\0';
    store_put(k.s, &p[0]);
    store_load(k.s, &l[0]);
    store_admin(k.s, &a[0]);
    store_put(k.s, &p[1]);
    store_admin(k.s, &a[1]);
    store_load(k.s, &l[1]);
    while (strlen(told) < 10) uv_run(&k.loop, UV_RUN_ONCE);
    CHECK_STR(told, "PL1A1PA2L2");
    CHECK_INT(a[1].counts.oldest_ms, 1600000000000);
    end();
}

/* An answer to ask, without waiting for more than the put before it. */
static int mend(enum store_admin_kind kind, const char *id, struct store_admin *ret)
{
    *ret = (struct store_admin){.kind = kind, .id = id, .limit = 9};
    return kit_admin(&k, ret);
}

TEST(looking_and_mending_find_it_at_once)
{
    struct store_admin a;
    uint32_t bot = 0;
    begin();
    CHECK_INT(store_bot(k.s, "echo", &bot, k.error, sizeof k.error), 0); /* kit_event's: an id is one of a bot's */
    CHECK_INT(bot, 1);
    uint64_t seq = kit_put1(&k, "01A", 7, "{\"type\":\"message\"}");
    CHECK_INT(mend(STORE_LIST, NULL, &a), 0);
    CHECK(strstr(a.out.data, "\"01A\"") != NULL);
    buf_free(&a.out);
    kit_put1(&k, "01B", 7, "{\"b\":2}");
    CHECK_INT(mend(STORE_SHOW, "01B", &a), 0);
    CHECK(strstr(a.out.data, "\"event\":{\"b\":2}") != NULL);
    buf_free(&a.out);
    kit_put1(&k, "01C", 8, "{}");
    CHECK_INT(mend(STORE_RETRY, "01C", &a), ERR_BUSY); /* it waits */
    kit_put1(&k, "01D", 8, "{}");
    CHECK_INT(mend(STORE_DROP, "01D", &a), 0);
    CHECK_INT(a.row.order, 8);
    store_finish(k.s, kit_put1(&k, "01E", 9, "{\"e\":5}"), STORE_FAILED, STR("why"));
    CHECK_INT(mend(STORE_RETRY, "01E", &a), 0);
    CHECK_INT(a.row.order, 9);
    uint64_t newest = kit_put1(&k, "01F", 9, "{}");
    CHECK(newest > a.row.seq); /* the retried one took a number between */
    store_finish(k.s, newest, STORE_DONE, (struct str){0});
    CHECK_INT(kit_counts(&k).waiting, 4);
    store_attempts(k.s, seq, 2);
    for (int pass = 0; pass < 2; pass++) {
        static const char *const ids[] = {"01A", "01B", "01C", "01E"};
        struct kit_rows rows;
        kit_load(&k, (struct store_load){0}, &rows);
        CHECK_INT(rows.n, 4);
        for (int i = 0; i < 4; i++) CHECK_STR(rows.id[i], ids[i]);
        CHECK_INT(rows.row[0].attempts, 2);
        kit_reopen(&k);
    }
    end();
}

/* Nobody asks anything: what is held is written, a slice after the other, and then there is nothing more to do. */
TEST(quiet_it_is_written)
{
    enum { N = 2 * YOUNG_SLICE + 100 };
    begin();
    slices = 0;
    for (int i = 0; i < N; i++) kit_put1(&k, "", 1, "{}");
    for (int before = 0; slices == 0 || slices != before; usleep(50000)) before = slices;
    CHECK(slices < 10); /* it does not go on for ever */
    CHECK_INT(kit_counts(&k).waiting, N);
    end();
}

/* What is put while another event is worked on, and a clean end in the middle of it. */
TEST(a_clean_end_writes_what_is_unfinished)
{
    enum { N = 300 };
    struct kit_rows rows;
    begin();
    for (int i = 0; i < N; i++) {
        uint64_t seq = kit_put1(&k, "", 1, "{}");
        if (i % 10) store_finish(k.s, seq, STORE_DONE, (struct str){0});
        else store_attempts(k.s, seq, 1);
    }
    kit_reopen(&k);
    CHECK_INT(kit_counts(&k).waiting, N / 10);
    kit_load(&k, (struct store_load){0}, &rows);
    CHECK_INT(rows.n, N / 10);
    for (int i = 0; i < N / 10; i++) CHECK_INT(rows.row[i].attempts, 1);
    end();
}

/* The transaction fails at its commit: what it brought is lost, as off says, and comes in again; what was there before
 * is not, and neither are its marks. */
TEST(a_commit_that_fails_takes_no_more_than_its_own)
{
    struct kit_rows rows;
    begin();
    uint64_t a = kit_put1(&k, "01A", 1, "{}"), c = kit_put1(&k, "01B", 1, "{}"), d = kit_put1(&k, "01C", 1, "{}");
    kit_reopen(&k);
    CHECK_INT(kit_counts(&k).waiting, 3);
    fail_commit = true;
    uint64_t lost = kit_put1(&k, "01X", 1, "{}");
    store_finish(k.s, a, STORE_DONE, (struct str){0});
    store_finish(k.s, c, STORE_FAILED, STR("why"));
    store_attempts(k.s, d, 2);
    if (lost != UINT64_MAX) store_finish(k.s, lost, STORE_FAILED, STR("why"));
    wait_for_health(true);
    CHECK_INT(kit_put1(&k, "01Y", 1, "{}"), UINT64_MAX);
    CHECK_INT(kit_waiting(&k), 1);
    fail_commit = false;
    wait_for_health(false);
    CHECK(kit_put1(&k, "01X", 1, "{}") > 0);
    CHECK(kit_put1(&k, "01Y", 1, "{}") > 0);
    for (int pass = 0; pass < 2; pass++) {
        struct store_counts counts = kit_counts(&k);
        CHECK_INT(counts.waiting, 3);
        CHECK_INT(counts.failed, 1);
        kit_load(&k, (struct store_load){0}, &rows);
        CHECK_INT(rows.n, 3);
        CHECK_INT(rows.row[0].seq, d);
        CHECK_INT(rows.row[0].attempts, 2);
        CHECK_STR(rows.id[1], "01X");
        kit_reopen(&k);
    }
    end();
}

/* Writing what is to be looked at fails: that is the transaction's failure, and the answer comes without it. */
TEST(a_look_that_cannot_be_prepared_ends_the_transaction)
{
    begin();
    CHECK(kit_put1(&k, "01A", 1, "{}") > 0);
    kit_reopen(&k);
    struct store_event e = kit_event("01B", 1, "{}");
    struct store_put p = {.events = &e, .n = 1, .done = told_put};
    struct store_admin a = {.kind = STORE_LIST, .limit = 9, .out = BUF(4096), .done = told_admin};
    fail_settle = true;
    told[0] = '\0';
    store_put(k.s, &p);
    store_admin(k.s, &a);
    while (strlen(told) < 3) uv_run(&k.loop, UV_RUN_ONCE);
    fail_settle = false;
    CHECK_STR(told, "!A0"); /* the list came, and has one: */
    CHECK(strstr(a.out.data, "\"01A\"") && !strstr(a.out.data, "\"01B\""));
    buf_free(&a.out);
    CHECK_INT(p.result, ERR_FULL);
    CHECK_INT(e.seq, 0);
    wait_for_health(false);
    CHECK(kit_put1(&k, "01B", 1, "{}") > 0);
    kit_reopen(&k);
    CHECK_INT(kit_waiting(&k), 2);
    end();
}

TEST_MAIN()
