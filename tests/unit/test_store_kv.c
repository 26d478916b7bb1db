/* Keys and values of the bots, by the public calls; and a file from before there were any. */
#include <fcntl.h>
#include <sqlite3.h>
#include "store/store_sqlite.h"
#include "store_kit.h"

static struct kit k;

struct answer {
    bool done, more;
    int result;
    enum kv_outcome outcome;
    char out[4096];
    size_t n;
};

static void begin_at(int durability)
{
    kit_init(&k);
    k.o.durability = durability;
    if (CHECK_INT(kit_open(&k), 0)) return;
    printf("# %s\n", k.error);
    exit(2);
}

static void end(void)
{
    kit_close(&k);
    kit_remove(&k);
}

static void answered(struct store_kv *kv)
{
    struct answer *a = kv->user;
    a->done = true;
    a->result = kv->result;
    a->outcome = kv->outcome;
    a->more = kv->more;
    a->n = kv->out.len < sizeof a->out ? kv->out.len : sizeof a->out;
    if (a->n) memcpy(a->out, kv->out.data, a->n);
}

static struct answer ask(struct store_kv kv)
{
    struct answer a = {0};
    kv.done = answered;
    kv.user = &a;
    if (!kv.bot) kv.bot = 1;
    store_kv(k.s, &kv);
    while (!a.done) uv_run(&k.loop, UV_RUN_ONCE);
    return a;
}

static int set(const char *key, const char *value)
{
    struct answer a = ask((struct store_kv){.verb = KV_SET, .key = str_of(key), .value = str_of(value)});
    return a.result ? a.result : (int)a.outcome;
}

/* The value, "-" when there is none. */
static const char *get(uint32_t bot, const char *key)
{
    static struct answer a;
    a = ask((struct store_kv){.verb = KV_GET, .bot = bot, .key = str_of(key)});
    CHECK_INT(a.result, 0);
    a.out[a.n] = '\0';
    return a.outcome == KV_YES ? a.out : "-";
}

static int64_t integer_of(const struct answer *a)
{
    int64_t v = -1;
    CHECK_INT(a->n, 9);
    CHECK_INT(a->out[0], KV_TAG_INTEGER);
    memcpy(&v, a->out + 1, 8);
    return v;
}

static struct answer incr(const char *key, int64_t by, int64_t ttl)
{
    return ask((struct store_kv){.verb = KV_INCR, .key = str_of(key), .by = by, .ttl_ms = ttl});
}

/* "a=1 b=2", then " >key" to go on from. */
static const char *list(const char *prefix, const char *after, uint32_t limit)
{
    static char text[512];
    struct answer a = ask((struct store_kv){.verb = KV_LIST, .key = str_of(prefix), .value = str_of(after), .limit = limit});
    CHECK_INT(a.result, 0);
    size_t at = 0, n = 0;
    text[0] = '\0';
    while (at < a.n) {
        uint32_t part[2] = {0};
        memcpy(&part[0], a.out + at, 4);
        const char *key = a.out + at + 4;
        at += 4 + part[0];
        if (at == a.n) {
            n += (size_t)snprintf(text + n, sizeof text - n, " >%.*s", (int)part[0], key);
            break;
        }
        memcpy(&part[1], a.out + at, 4);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s=%.*s", n ? " " : "", (int)part[0], key, (int)part[1], a.out + at + 4);
        at += 4 + part[1];
    }
    CHECK_INT(a.more, strchr(text, '>') != NULL);
    return text;
}

TEST(what_was_set_is_there_at_every_durability_and_after_a_restart)
{
    static const int all[] = {DURABILITY_FSYNC, DURABILITY_OS, DURABILITY_OFF};
    for (int i = 0; i < 3; i++) {
        begin_at(all[i]);
        CHECK_STR(get(1, "a"), "-");
        CHECK_INT(set("a", "sone"), KV_YES);
        CHECK_INT(set("a", "stwo"), KV_YES);
        CHECK_INT(set("empty", ""), KV_YES);
        CHECK_STR(get(1, "a"), "stwo");
        CHECK_STR(get(2, "a"), "-"); /* another bot's world */
        kit_reopen(&k);
        CHECK_STR(get(1, "a"), "stwo");
        CHECK_STR(get(1, "empty"), "");
        CHECK_INT(ask((struct store_kv){.verb = KV_DELETE, .bot = 2, .key = STR("a")}).outcome, KV_NO);
        CHECK_INT(ask((struct store_kv){.verb = KV_DELETE, .key = STR("a")}).outcome, KV_YES);
        CHECK_STR(get(1, "a"), "-");
        kit_reopen(&k);
        CHECK_STR(get(1, "a"), "-");
        end();
    }
}

TEST(add_and_take_happen_once)
{
    begin_at(DURABILITY_FSYNC);
    struct store_kv add = {.verb = KV_ADD, .key = STR("nonce"), .value = STR("sU1")};
    struct store_kv take = {.verb = KV_TAKE, .key = STR("nonce")};
    CHECK_INT(ask(take).outcome, KV_NO);
    CHECK_INT(ask(add).outcome, KV_YES);
    add.value = STR("sU2");
    CHECK_INT(ask(add).outcome, KV_NO);
    struct answer a = ask(take);
    CHECK_INT(a.outcome, KV_YES);
    CHECK_STRN(((struct str){a.out, a.n}), "sU1");
    CHECK_INT(ask(take).outcome, KV_NO);
    CHECK_INT(ask(add).outcome, KV_YES);
    end();
}

static struct answer swap(const char *key, const char *old, const char *value, int64_t ttl)
{
    return ask((struct store_kv){.verb = KV_SWAP, .key = str_of(key), .old = str_of(old), .value = str_of(value), .ttl_ms = ttl});
}

TEST(swap_changes_only_what_was_expected_at_every_durability)
{
    static const int all[] = {DURABILITY_FSYNC, DURABILITY_OS, DURABILITY_OFF};
    for (int i = 0; i < 3; i++) {
        begin_at(all[i]);
        CHECK_INT(swap("a", "", "", 0).outcome, KV_YES); /* not there, and stays so */
        struct answer a = swap("a", "s0", "s1", 0);
        CHECK_INT(a.outcome, KV_NO);
        CHECK_INT(a.n, 0); /* there is none */
        CHECK_STR(get(1, "a"), "-");
        a = swap("a", "", "s1", 0);
        CHECK_INT(a.outcome, KV_YES);
        CHECK_INT(a.n, 0);
        a = swap("a", "", "s2", 0);
        CHECK_INT(a.outcome, KV_NO);
        CHECK_STRN(((struct str){a.out, a.n}), "s1");
        CHECK_INT(swap("a", "s0", "s2", 0).outcome, KV_NO);
        CHECK_INT(swap("a", "s1", "s2", 0).outcome, KV_YES);
        kit_reopen(&k);
        CHECK_STR(get(1, "a"), "s2");
        CHECK_STR(get(2, "a"), "-"); /* another bot's world */
        CHECK_INT(swap("a", "s1", "", 0).outcome, KV_NO);
        CHECK_INT(swap("a", "s2", "", 0).outcome, KV_YES);
        CHECK_STR(get(1, "a"), "-");
        kit_reopen(&k);
        CHECK_STR(get(1, "a"), "-");
        end();
    }
}

TEST(what_expired_is_not_there_for_swap)
{
    begin_at(DURABILITY_OS);
    CHECK_INT(swap("lock", "", "sme", 1).outcome, KV_YES);
    int64_t first = clock_ns();
    while (clock_ns() - first < 5 * NS_PER_MS) uv_run(&k.loop, UV_RUN_NOWAIT);
    CHECK_INT(swap("lock", "sme", "sme", 0).outcome, KV_NO);
    CHECK_INT(swap("lock", "", "syou", 60000).outcome, KV_YES);
    CHECK_STR(get(1, "lock"), "syou");
    CHECK_INT(swap("lock", "syou", "sme", 0).outcome, KV_YES);
    CHECK_STR(get(1, "lock"), "sme");
    end();
}

/* Both directions, and what each is the same as is itself. */
static bool same(struct str a, struct str b)
{
    bool r = kv_same(a, b);
    CHECK_INT(kv_same(b, a), r);
    CHECK(kv_same(a, a) && kv_same(b, b));
    return r;
}

#define SAME(a, b) CHECK(same(STR("j" a), STR("j" b)))
#define OTHER(a, b) CHECK(!same(STR("j" a), STR("j" b)))

TEST(json_is_the_same_by_its_content)
{
    SAME("{\"a\":1,\"b\":[1,2,{\"c\":null,\"d\":\"x\"}]}", "{\"b\":[1,2,{\"d\":\"x\",\"c\":null}],\"a\":1}");
    SAME("{\"b\":1,\"ab\":2,\"a\":3}", "{\"a\":3,\"ab\":2,\"b\":1}");
    SAME("[1e15,1.0,0.1,-0.0]", "[1000000000000000,1,1e-1,0]");
    SAME("[1e300]", "[1E+300]");
    SAME("[\"\\u0041\\/\\n\"]", "[\"A/\\u000a\"]");
    SAME("{\"\\u0061\":1}", " { \"a\" : 1 } ");
    SAME("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"); /* the last of two counts, as in decoding */
    OTHER("{\"a\":1}", "{\"a\":2}");
    OTHER("{\"a\":1}", "{\"b\":1}");
    OTHER("{\"a\":1}", "{\"a\":1,\"b\":1}");
    OTHER("{\"a\":null}", "{}");
    OTHER("[]", "{}");
    OTHER("[1,2]", "[2,1]");
    OTHER("[1,[2]]", "[1,2]");
    OTHER("[[1],2]", "[[1,2]]");
    OTHER("[\"1\"]", "[1]");
    OTHER("[true]", "[\"true\"]");
    OTHER("[9007199254740993]", "[9007199254740992]");
    OTHER("[9223372036854775807]", "[9223372036854775808]");
    OTHER("[1]", "[1");
}

static struct str number(char *bytes, char tag, const void *value)
{
    bytes[0] = tag;
    memcpy(bytes + 1, value, 8);
    return (struct str){bytes, 9};
}

TEST(values_of_different_kinds_are_the_same_only_as_numbers)
{
    char x[9], y[9];
    int64_t one = 1, large = INT64_MAX, zero = 0;
    double float_one = 1, half = 0.5, top = 0x1p63, minus_zero = -0.0, nan = __builtin_nan(""), minus_nan = -nan;
    CHECK(same(number(x, KV_TAG_INTEGER, &one), number(y, KV_TAG_FLOAT, &float_one)));
    CHECK(same(number(x, KV_TAG_INTEGER, &zero), number(y, KV_TAG_FLOAT, &minus_zero)));
    CHECK(same(number(x, KV_TAG_FLOAT, &minus_nan), number(y, KV_TAG_FLOAT, &nan)));
    CHECK(!same(number(x, KV_TAG_INTEGER, &one), number(y, KV_TAG_FLOAT, &half)));
    CHECK(!same(number(x, KV_TAG_INTEGER, &large), number(y, KV_TAG_FLOAT, &top)));
    CHECK(!same(STR("s1"), STR("j1")));
    CHECK(!same(STR("b\1"), STR("s\1")));
    CHECK(!same(STR("s"), STR("")));
    CHECK(!same(STR("sA"), STR("sa")));
}

TEST(counting)
{
    begin_at(DURABILITY_OS);
    struct answer a = incr("n", 1, 0);
    CHECK_INT(integer_of(&a), 1);
    a = incr("n", INT64_MAX - 1, 0);
    CHECK(integer_of(&a) == INT64_MAX);
    CHECK_INT(incr("n", 1, 0).outcome, KV_OVERFLOW);
    a = incr("n", INT64_MIN, 0);
    CHECK_INT(integer_of(&a), -1);
    CHECK_INT(set("text", "s12"), KV_YES);
    CHECK_INT(incr("text", 1, 0).outcome, KV_NO_INTEGER);
    CHECK_STR(get(1, "text"), "s12");
    end();
}

TEST(what_expired_is_not_found_and_goes_away)
{
    begin_at(DURABILITY_OS);
    struct store_kv put = {.verb = KV_SET, .key = STR("short"), .value = STR("s1"), .ttl_ms = 1};
    CHECK_INT(ask(put).outcome, KV_YES);
    int64_t first = clock_ns();
    while (clock_ns() - first < 5 * NS_PER_MS) uv_run(&k.loop, UV_RUN_NOWAIT);
    CHECK_STR(get(1, "short"), "-");
    CHECK_STR(list("", "", 9), "");
    CHECK_INT(ask((struct store_kv){.verb = KV_TAKE, .key = STR("short")}).outcome, KV_NO);
    put.verb = KV_ADD;
    CHECK_INT(ask(put).outcome, KV_YES);
    put.ttl_ms = 60000;
    put.key = STR("long");
    CHECK_INT(ask(put).outcome, KV_YES);
    CHECK_STR(get(1, "long"), "s1");
    /* a counter's life is counted from its first step, and not prolonged by the next ones */
    struct answer a = incr("n", 1, 200);
    first = clock_ns();
    a = incr("n", 1, 60000);
    CHECK_INT(integer_of(&a), 2);
    while (clock_ns() - first < 250 * NS_PER_MS) uv_run(&k.loop, UV_RUN_NOWAIT);
    a = incr("n", 1, 0);
    CHECK_INT(integer_of(&a), 1);
    CHECK_INT(set("long", "s2"), KV_YES); /* set anew, it has no end */
    end();
}

TEST(a_list_comes_in_order_and_in_pages)
{
    static const char *const keys[] = {"b", "a:2", "a:10", "a", "a:1", "c", "\xff"};
    begin_at(DURABILITY_OS);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) CHECK_INT(set(keys[i], "s"), KV_YES);
    CHECK_STR(list("a", "", 9), "a=s a:1=s a:10=s a:2=s");
    CHECK_STR(list("a:", "", 3), "a:1=s a:10=s a:2=s");
    CHECK_STR(list("a:", "", 2), "a:1=s a:10=s >a:10");
    CHECK_STR(list("a:", "a:10", 2), "a:2=s");
    CHECK_STR(list("a:", "Z", 1), "a:1=s >a:1");
    CHECK_STR(list("", "b", 9), "c=s \xff=s");
    CHECK_STR(list("", "\xff", 9), "");
    CHECK_STR(list("d", "", 9), "");
    end();
}

/* Asked in one go they are carried out in the order they were asked. */
static int order_n;
static void in_order(struct store_kv *kv)
{
    CHECK_INT((intptr_t)kv->user, order_n++);
    CHECK_INT(kv->result, 0);
    if (order_n == 2) CHECK_STRN(buf_str(&kv->out), "s1");
    if (order_n == 4) CHECK_STRN(buf_str(&kv->out), "s2");
}

TEST(a_read_sees_the_writes_before_it)
{
    begin_at(DURABILITY_FSYNC);
    struct store_kv kv[4] = {
        {.verb = KV_SET, .value = STR("s1")}, {.verb = KV_GET}, {.verb = KV_SET, .value = STR("s2")}, {.verb = KV_GET}};
    order_n = 0;
    for (intptr_t i = 0; i < 4; i++) {
        kv[i].bot = 1, kv[i].key = STR("k"), kv[i].done = in_order, kv[i].user = (void *)i;
        store_kv(k.s, &kv[i]);
    }
    struct store_event e = kit_event("01A", 5, "{}"); /* an event of the same turn shares their commit */
    CHECK_INT(kit_put(&k, &e, 1), 0);
    CHECK_INT(order_n, 4);
    struct store_health h;
    store_health(k.s, &h);
    CHECK(h.commits <= 2);
    CHECK_INT(kit_waiting(&k), 1);
    end();
}

/* The room of one bot, over the backend itself, so that 256 MiB need not be written. */
TEST(a_bots_room_has_an_end)
{
    void *p;
    kit_init(&k);
    mkdir(k.path, 0700);
    CHECK_INT(store_sqlite.open(&k.o, &p, k.error, sizeof k.error), 0);
    struct lite *b = p;
    b->kv_most = 3 * (KV_ROW_COST + 11);
    struct store_kv kv = {.verb = KV_SET, .bot = 1, .value = STR("s123456789"), .out = BUF(1 << 20)};
    static const char *const keys[] = {"a", "b", "c", "d"};
    CHECK_INT(store_sqlite.begin(p, false), 0);
    for (int i = 0; i < 4; i++) {
        kv.key = str_of(keys[i]);
        kv.ttl_ms = i == 1 ? 300 : 0; /* not while the next three steps run, however slow the machine */
        CHECK_INT(store_sqlite.kv(p, &kv), 0);
        if (i < 3) CHECK_INT(kv.outcome, KV_YES);
        if (i == 2) CHECK_INT(store_sqlite.commit(p), 0), CHECK_INT(store_sqlite.begin(p, false), 0);
    }
    int64_t first = clock_ns();
    while (clock_ns() - first < 310 * NS_PER_MS) usleep(1000);
    CHECK_INT(store_sqlite.kv(p, &kv), 0); /* b has expired by now and makes room for d */
    CHECK_INT(kv.outcome, KV_YES);
    kv.key = STR("e");
    CHECK_INT(store_sqlite.kv(p, &kv), 0);
    CHECK_INT(kv.outcome, KV_NO_ROOM);
    kv.bot = 2; /* another bot has its own */
    CHECK_INT(store_sqlite.kv(p, &kv), 0);
    CHECK_INT(kv.outcome, KV_YES);
    kv.bot = 1;
    kv.key = STR("a"); /* shorter is always possible */
    kv.value = STR("s1");
    CHECK_INT(store_sqlite.kv(p, &kv), 0);
    CHECK_INT(kv.outcome, KV_YES);
    store_sqlite.rollback(p); /* and what was taken back takes no room */
    CHECK_INT(store_sqlite.begin(p, false), 0);
    int64_t used = 0, sum = 0;
    CHECK_INT(lite_look(b, Q_KV_USED, 1, &used, NULL), 0);
    sqlite3_stmt *q;
    CHECK_INT(sqlite3_prepare_v2(b->db, "SELECT sum(size) FROM kv WHERE bot=1", -1, &q, NULL), 0);
    CHECK_INT(lite_run(b, q, &sum, NULL), 0);
    sqlite3_finalize(q);
    CHECK_INT(used, sum);
    CHECK_INT(used, 3 * (KV_ROW_COST + 11));
    CHECK_INT(store_sqlite.commit(p), 0);
    buf_free(&kv.out);
    store_sqlite.close(p);
    kit_remove(&k);
}

/* The planner must use the indexes: no walk over all keys with every write. */
TEST(nothing_walks_the_whole_table)
{
    void *p;
    kit_init(&k);
    mkdir(k.path, 0700);
    CHECK_INT(store_sqlite.open(&k.o, &p, k.error, sizeof k.error), 0);
    struct lite *b = p;
    static const enum statement all[] = {Q_KV_GET, Q_KV_PURGE, Q_KV_LIST, Q_KV_DELETE, Q_KV_USED};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sqlite3_stmt *q;
        auto_free char *explain = mem_printf("EXPLAIN QUERY PLAN %s", sqlite3_sql(lite_query(b, all[i])));
        CHECK_INT(sqlite3_prepare_v2(b->db, explain, -1, &q, NULL), 0);
        while (sqlite3_step(q) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(q, 3);
            if (!CHECK(strncmp(step, "SCAN kv", 7) != 0 && !strstr(step, "TEMP B-TREE"))) printf("# %s\n", step);
        }
        sqlite3_finalize(q);
    }
    store_sqlite.close(p);
    kit_remove(&k);
}

/* A file as version 1 made it, with an event that waits, one kept aside and ids that came. */
TEST(a_file_of_version_1_is_taken_over)
{
    struct kit_rows rows;
    sqlite3 *db;
    begin_at(DURABILITY_FSYNC);
    uint64_t waits = kit_put1(&k, "01A", 5, "{}"), failed = kit_put1(&k, "01B", 6, "{}");
    store_finish(k.s, failed, STORE_FAILED, STR("no"));
    kit_close(&k);
    auto_free char *path = mem_printf("%s/store.db", k.path);
    CHECK_INT(sqlite3_open(path, &db), 0);
    CHECK_INT(sqlite3_exec(db, "DROP TABLE kv; DROP TABLE kv_used; PRAGMA user_version=1", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    CHECK_INT(kit_open(&k), 0);
    kit_load(&k, (struct store_load){0}, &rows);
    CHECK_INT(rows.n, 1);
    CHECK_INT(rows.row[0].seq, waits);
    CHECK_INT(kit_counts(&k).failed, 1);
    CHECK_INT(kit_put1(&k, "01A", 5, "{}"), 0);
    CHECK(kit_put1(&k, "01C", 5, "{}") > failed);
    CHECK_INT(set("a", "s1"), KV_YES);
    kit_reopen(&k);
    CHECK_STR(get(1, "a"), "s1");
    CHECK_INT(kit_waiting(&k), 2);
    end();
}

/* Looked at only, it stays what it is. */
TEST(a_stopped_store_of_version_1_can_be_looked_at)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    begin_at(DURABILITY_FSYNC);
    kit_put1(&k, "01A", 5, "{}");
    kit_close(&k);
    auto_free char *path = mem_printf("%s/store.db", k.path);
    CHECK_INT(sqlite3_open(path, &db), 0);
    CHECK_INT(sqlite3_exec(db, "DROP TABLE kv; DROP TABLE kv_used; PRAGMA user_version=1", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    k.o.read_only = true;
    CHECK_INT(kit_open(&k), 0);
    CHECK_INT(kit_counts(&k).waiting, 1);
    kit_close(&k);
    CHECK_INT(sqlite3_open(path, &db), 0);
    CHECK_INT(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL), 0);
    CHECK_INT(sqlite3_step(q), SQLITE_ROW);
    CHECK_INT(sqlite3_column_int(q, 0), 1);
    sqlite3_finalize(q);
    sqlite3_close(db);
    kit_remove(&k);
}

/* What is asked after the close is told so. */
TEST(a_closed_store_says_so)
{
    begin_at(DURABILITY_OS);
    struct answer a = {0};
    struct store_kv kv = {.verb = KV_SET, .bot = 1, .key = STR("a"), .value = STR("s1"), .done = answered, .user = &a};
    store_close(k.s, kit_closed, &k);
    store_kv(k.s, &kv);
    uv_run(&k.loop, UV_RUN_DEFAULT);
    CHECK(a.done);
    CHECK_INT(a.result, ERR_CLOSED);
    CHECK_INT(uv_loop_close(&k.loop), 0);
    kit_remove(&k);
}

TEST_MAIN()
