/* Durability off: an event is held in memory until it is a second old, so that one finished by then is never written.
 * The backend by itself, step by step, so that no commit comes between; test_store_off.c has the public calls. */
#include <sys/stat.h>
#include "store/store_sqlite.h"
#include "store_kit.h"

static struct kit k;
static void *b;

static const struct young *young(void) { return &((struct lite *)b)->young; }

/* Rows in the table itself. */
static int64_t written(void)
{
    int64_t n = -1;
    CHECK_INT(lite_look(b, Q_COUNT, 0, &n, NULL), 0);
    return n;
}

static void open_again(void)
{
    if (b) store_sqlite.close(b);
    b = NULL;
    if (CHECK_INT(store_sqlite.open(&k.o, &b, k.error, sizeof k.error), 0)) return;
    printf("# %s\n", k.error);
    exit(2);
}

static void begin_at(int durability)
{
    kit_init(&k);
    k.o.durability = durability;
    mkdir(k.path, 0700);
    open_again();
    CHECK_INT(store_sqlite.begin(b, durability == DURABILITY_FSYNC), 0);
}

static void end_alone(void)
{
    store_sqlite.close(b);
    b = NULL;
    kit_remove(&k);
}

/* Its seq; 0 for a duplicate. */
static uint64_t put(const char *id, struct str body)
{
    struct store_event e = kit_event(id, 5, "");
    e.body = body;
    CHECK_INT(store_sqlite.put(b, &e), 0);
    return e.seq;
}

static void finish(uint64_t seq, enum store_outcome outcome, struct str why)
{
    CHECK_INT(store_sqlite.finish(b, seq, outcome, why), 0);
}

/* Everything is written, as at the end. */
static void commit(void)
{
    CHECK_INT(store_sqlite.settle(b, SETTLE_ALL), 0);
    CHECK_INT(store_sqlite.commit(b), 0);
    CHECK_INT(young()->n, 0);
    CHECK_INT(young()->bytes, 0);
    CHECK(!young()->aside);
}

static void commit_young(void) { CHECK_INT(store_sqlite.commit(b), 0); }

static void commit_and_begin(void)
{
    commit();
    CHECK_INT(store_sqlite.begin(b, false), 0);
}

static int64_t counted(void)
{
    struct store_admin a = {.kind = STORE_COUNTS};
    struct store_rows rows;
    store_rows_init(&rows);
    CHECK_INT(store_sqlite.settle(b, SETTLE_ALL), 0);
    CHECK_INT(store_sqlite.admin(b, &a, &rows), 0);
    store_rows_free(&rows);
    return (int64_t)a.counts.waiting;
}

/* The same, with nothing written for it. */
static int64_t counted_only(void)
{
    struct store_admin a = {.kind = STORE_COUNTS};
    struct store_rows rows;
    store_rows_init(&rows);
    CHECK_INT(store_sqlite.admin(b, &a, &rows), 0);
    store_rows_free(&rows);
    return (int64_t)a.counts.waiting;
}

static const struct store_load all = {.upto = UINT64_MAX, .limit = SIZE_MAX, .limit_bytes = SIZE_MAX};

/* The rows that wait; the caller frees them. */
static struct store_rows loaded(void)
{
    struct store_rows rows;
    bool more = true;
    store_rows_init(&rows);
    CHECK_INT(store_sqlite.load(b, &all, &rows, &more), 0);
    CHECK(!more);
    return rows;
}

TEST(finished_young_it_is_never_written)
{
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted(), 0); /* from here on the number is kept up */
    uint64_t done = put("01A", STR("{}")), dropped = put("01B", STR("{}"));
    CHECK(done > 0 && dropped == done + 1);
    CHECK_INT(young()->n, 2);
    finish(done, STORE_DONE, (struct str){0});
    finish(dropped, STORE_DROPPED, (struct str){0});
    finish(done, STORE_DONE, (struct str){0}); /* twice is once */
    CHECK_INT(young()->n, 0);
    CHECK_INT(written(), 0);
    CHECK_INT(counted(), 0);
    CHECK_INT(put("01A", STR("{}")), 0); /* its id came before: in this transaction, */
    commit_and_begin();
    CHECK_INT(written(), 0);
    CHECK_INT(put("01A", STR("{}")), 0); /* in the next, */
    commit();
    open_again();
    CHECK_INT(store_sqlite.begin(b, false), 0);
    CHECK_INT(put("01A", STR("{}")), 0); /* and after a restart */
    CHECK_INT(put("01B", STR("{}")), 0);
    CHECK(put("01C", STR("{}")) > dropped);
    commit();
    end_alone();
}

TEST(unfinished_it_is_written_with_all_that_belongs_to_it)
{
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted(), 0);
    struct store_event e[3] = {kit_event("01A", UINT64_MAX, "{\"a\":1}"), kit_event("", 6, ""),
                               kit_event("01C", 7, "{}")};
    e[1].bot = 3;
    e[1].received_ms = 1700000000123;
    for (int i = 0; i < 3; i++) CHECK_INT(store_sqlite.put(b, &e[i]), 0);
    CHECK_INT(store_sqlite.attempts(b, e[0].seq, 3), 0);
    finish(e[2].seq, STORE_DONE, (struct str){0});
    CHECK_INT(written(), 0);
    commit();
    for (int pass = 0; pass < 2; pass++) {
        struct store_rows rows = loaded();
        if (!CHECK_INT(rows.n, 2)) exit(1);
        for (int i = 0; i < 2; i++) {
            CHECK_INT(rows.rows[i].seq, e[i].seq);
            CHECK_INT(rows.rows[i].bot, e[i].bot);
            CHECK_INT(rows.rows[i].received_ms, e[i].received_ms);
            CHECK_INT(rows.rows[i].attempts, i ? 0 : 3);
            CHECK(rows.rows[i].order == e[i].order);
            CHECK(str_eq(rows.rows[i].id, e[i].id));
            CHECK(str_eq(rows.rows[i].body, e[i].body));
        }
        store_rows_free(&rows);
        CHECK_INT(counted(), 2);
        open_again();
    }
    end_alone();
}

TEST(settled_it_is_an_event_like_any_other)
{
    begin_at(DURABILITY_OFF);
    uint64_t a = put("01A", STR("a")), c = put("01B", STR("b"));
    CHECK_INT(store_sqlite.settle(b, SETTLE_ALL), 0);
    CHECK_INT(young()->n, 0);
    CHECK_INT(written(), 2);
    uint64_t d = put("01C", STR("c"));
    CHECK_INT(young()->n, 1);
    CHECK_INT(store_sqlite.attempts(b, c, 2), 0);
    finish(a, STORE_DONE, (struct str){0});
    CHECK_INT(written(), 1);
    commit();
    struct store_rows rows = loaded();
    CHECK_INT(rows.n, 2);
    CHECK_INT(rows.rows[0].seq, c);
    CHECK_INT(rows.rows[0].attempts, 2);
    CHECK_INT(rows.rows[1].seq, d);
    store_rows_free(&rows);
    end_alone();
}

/* What a load brings, as the last characters of its ids; "+" when there is more. */
static const char *brought(struct store_load l)
{
    static char text[32];
    struct store_rows rows;
    bool more = false;
    size_t n = 0;
    store_rows_init(&rows);
    CHECK_INT(store_sqlite.load(b, &l, &rows, &more), 0);
    for (; n < rows.n && n < sizeof text - 2; n++) text[n] = rows.rows[n].id.p[rows.rows[n].id.n - 1];
    if (more) text[n++] = '+';
    text[n] = '\0';
    store_rows_free(&rows);
    return text;
}

/* Each with every number of events that are written already: where an event is makes no difference. */
TEST(a_page_comes_from_the_table_and_from_memory)
{
    static const char *const ids[] = {"01A", "01B", "01C", "01D", "01E", "01F"};
    for (int written_n = 0; written_n <= 6; written_n++) {
        uint64_t seq[6];
        struct store_load l = all;
        begin_at(DURABILITY_OFF);
        for (int i = 0; i < 6; i++) {
            struct store_event e = kit_event(ids[i], i % 2 ? 8 : UINT64_MAX, "0123456789");
            CHECK_INT(store_sqlite.put(b, &e), 0);
            seq[i] = e.seq;
            if (i + 1 == written_n) CHECK_INT(store_sqlite.settle(b, SETTLE_ALL), 0);
        }
        CHECK_STR(brought(l), "ABCDEF");
        finish(seq[2], STORE_DONE, (struct str){0});
        CHECK_STR(brought(l), "ABDEF");
        l.limit = 5;
        CHECK_STR(brought(l), "ABDEF");
        l.limit = 4;
        CHECK_STR(brought(l), "ABDE+");
        l.after = seq[1];
        CHECK_STR(brought(l), "DEF");
        l.upto = seq[4];
        CHECK_STR(brought(l), "DE");
        l.limit_bytes = 1; /* at least one */
        CHECK_STR(brought(l), "D+");
        l.limit_bytes = 19;
        CHECK_STR(brought(l), "D+");
        l = all;
        l.one_order = true;
        l.order = 8;
        CHECK_STR(brought(l), "BDF");
        l.order = UINT64_MAX;
        l.after = seq[0];
        CHECK_STR(brought(l), "E");
        l.order = 9;
        CHECK_STR(brought(l), "");
        l = all;
        l.after = seq[5];
        CHECK_STR(brought(l), "");
        l.after = UINT64_MAX;
        CHECK_STR(brought(l), "");
        l = all;
        l.upto = seq[0] - 1;
        CHECK_STR(brought(l), "");
        CHECK_INT(written(), written_n - (written_n > 2)); /* looking at them writes nothing */
        commit();
        CHECK_STR(brought(all), "ABDEF");
        end_alone();
    }
}

TEST(kept_aside_young)
{
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted(), 0);
    uint64_t failed = put("01A", STR("{\"type\":\"follow\"}")), other = put("01B", STR("{}"));
    CHECK_INT(store_sqlite.attempts(b, failed, 4), 0);
    finish(failed, STORE_FAILED, STR("no"));
    CHECK_INT(young()->n, 1); /* the other one stays where it is */
    CHECK_INT(written(), 0);
    finish(other, STORE_QUARANTINED, (struct str){0});
    commit();
    CHECK_INT(counted(), 0);
    struct store_admin a = {.kind = STORE_LIST, .limit = 9, .out = BUF(4096)};
    struct store_rows rows;
    store_rows_init(&rows);
    CHECK_INT(store_sqlite.admin(b, &a, &rows), 0);
    CHECK_STRN(buf_str(&a.out),
               "[{\"id\":\"01B\",\"seq\":2,\"bot\":\"\",\"state\":\"quarantined\",\"attempts\":0,"
               "\"received\":1600000000000},"
               "{\"id\":\"01A\",\"seq\":1,\"bot\":\"\",\"state\":\"failed\",\"attempts\":4,\"received\":1600000000000,"
               "\"type\":\"follow\",\"why\":\"no\"}]");
    buf_free(&a.out);
    store_rows_free(&rows);
    end_alone();
}

TEST(taken_back_it_has_never_come)
{
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted(), 0);
    uint64_t stays = put("01A", STR("{}"));
    commit_and_begin();
    uint64_t lost = put("01B", STR("{}"));
    store_sqlite.rollback(b);
    CHECK_INT(young()->n, 0);
    CHECK_INT(young()->bytes, 0);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    finish(lost, STORE_FAILED, STR("of nothing")); /* its marks find nothing, whichever */
    CHECK_INT(store_sqlite.attempts(b, lost, 2), 0);
    finish(lost, STORE_DONE, (struct str){0});
    CHECK_INT(counted(), 1);
    CHECK_INT(put("01A", STR("{}")), 0);
    CHECK(put("01B", STR("{}")) > lost); /* no duplicate */
    commit();
    CHECK_INT(counted(), 2);
    struct store_rows rows = loaded();
    CHECK_INT(rows.n, 2);
    CHECK_INT(rows.rows[0].seq, stays);
    store_rows_free(&rows);
    end_alone();
}

TEST(more_than_are_held_go_to_the_table_oldest_first)
{
    enum { OVER = 100 };
    static uint64_t seq[YOUNG_MOST + OVER];
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted(), 0);
    for (int i = 0; i < YOUNG_MOST + OVER; i++) seq[i] = put("", STR("{}"));
    CHECK_INT(young()->n, YOUNG_MOST);
    CHECK_INT(written(), OVER);
    struct store_rows rows = loaded(); /* from the table and from memory, as one */
    CHECK_INT(rows.n, YOUNG_MOST + OVER);
    for (size_t i = 0; i < rows.n; i++) CHECK_INT(rows.rows[i].seq, seq[i]);
    store_rows_free(&rows);
    for (int i = 0; i < YOUNG_MOST + OVER; i += 2) finish(seq[i], STORE_DONE, (struct str){0});
    CHECK_INT(written(), OVER / 2);
    commit();
    CHECK_INT(counted(), (YOUNG_MOST + OVER) / 2);
    CHECK_INT(written(), (YOUNG_MOST + OVER) / 2);
    end_alone();
}

TEST(bodies_that_are_held_have_a_ceiling)
{
    enum { N = 80, LARGE = 300 << 10 };
    uint64_t seq[N];
    auto_free char *body = mem_alloc(YOUNG_BYTES + 1);
    memset(body, 'b', YOUNG_BYTES + 1);
    begin_at(DURABILITY_OFF);
    for (int i = 0; i < N; i++) {
        seq[i] = put("", (struct str){body, LARGE});
        CHECK(young()->bytes <= YOUNG_BYTES);
    }
    CHECK(young()->n > 0 && young()->n < N);
    CHECK_INT(written(), N - young()->n);
    uint64_t huge = put("", (struct str){body, YOUNG_BYTES + 1}); /* alone too large: not held at all */
    CHECK_INT(young()->n, 0);
    CHECK_INT(written(), N + 1);
    for (int i = 0; i < N; i++) finish(seq[i], STORE_DONE, (struct str){0});
    commit();
    struct store_rows rows = loaded();
    CHECK_INT(rows.n, 1);
    CHECK_INT(rows.rows[0].seq, huge);
    CHECK_INT(rows.rows[0].body.n, YOUNG_BYTES + 1);
    store_rows_free(&rows);
    end_alone();
}

TEST(held_over_commits_until_it_is_old)
{
    enum { N = 1300 };
    static uint64_t seq[N];
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted_only(), 0);
    ((struct lite *)b)->young.begun_ns -= YOUNG_NS; /* as if this transaction had begun a second ago */
    for (int i = 0; i < N; i++) seq[i] = put("", STR("{}"));
    CHECK_INT(counted_only(), N);
    commit_young();
    CHECK_INT(written(), YOUNG_SLICE); /* a slice with each commit, the oldest first */
    CHECK_INT(young()->n, N - YOUNG_SLICE);
    CHECK(!young()->aside);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    uint64_t late = put("01A", STR("{}"));
    finish(seq[0], STORE_DONE, (struct str){0});
    finish(seq[N - 1], STORE_DONE, (struct str){0});
    CHECK_INT(written(), YOUNG_SLICE - 1);
    commit_young();
    CHECK_INT(written(), 2 * YOUNG_SLICE - 1);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    commit_young();
    CHECK_INT(written(), N - 2); /* all but the late one, which is young */
    CHECK_INT(young()->n, 1);
    CHECK_INT(counted_only(), N - 1);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    finish(late, STORE_DONE, (struct str){0});
    commit_young();
    CHECK_INT(counted_only(), N - 2);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    CHECK_INT(put("01A", STR("{}")), 0); /* its id was committed all the same */
    commit();
    end_alone();
}

/* Failing, the transaction takes back what it wrote and what it put; what was held before is held again. */
TEST(taken_back_what_was_held_before_stays)
{
    begin_at(DURABILITY_OFF);
    CHECK_INT(counted_only(), 0);
    uint64_t a = put("01A", STR("a")), c = put("01B", STR("b")), d = put("01C", STR("c")), e = put("01D", STR("d"));
    commit_young();
    CHECK_INT(young()->n, 4);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    put("01X", STR("x"));
    finish(a, STORE_DONE, (struct str){0});
    finish(c, STORE_FAILED, STR("no"));
    CHECK_INT(store_sqlite.attempts(b, d, 2), 0);
    CHECK_INT(store_sqlite.settle(b, SETTLE_ALL), 0);
    CHECK_INT(young()->n, 0);
    store_sqlite.rollback(b);
    store_sqlite.rollback(b); /* twice is once */
    CHECK_INT(young()->n, 3); /* a was finished; who did so does it again */
    CHECK_INT(written(), 0);
    CHECK_INT(counted_only(), 3);
    CHECK_STR(brought(all), "BCD");
    CHECK_INT(store_sqlite.begin(b, false), 0);
    finish(a, STORE_DONE, (struct str){0});
    finish(c, STORE_FAILED, STR("no"));
    CHECK(put("01X", STR("x")) > e);
    CHECK_STR(brought(all), "CDX");
    CHECK_INT(counted_only(), 3);
    commit();
    open_again();
    CHECK_STR(brought(all), "CDX");
    struct store_rows rows = loaded();
    CHECK_INT(rows.rows[0].attempts, 2);
    store_rows_free(&rows);
    CHECK_INT(counted_only(), 3);
    end_alone();
}

/* The transaction wrote the oldest because the room was full, and is taken back: they find their places again. */
TEST(taken_back_the_ring_is_as_it_was)
{
    enum { OVER = 10 };
    begin_at(DURABILITY_OFF);
    uint64_t first = put("", STR("{}"));
    for (int i = 1; i < YOUNG_MOST; i++) put("", STR("{}"));
    commit_young();
    CHECK_INT(store_sqlite.begin(b, false), 0);
    for (int i = 0; i < OVER; i++) put("", STR("{}"));
    CHECK_INT(written(), OVER);
    store_sqlite.rollback(b);
    CHECK_INT(young()->n, YOUNG_MOST);
    CHECK_INT(young()->first, first);
    CHECK_INT(counted_only(), YOUNG_MOST);
    CHECK_INT(store_sqlite.begin(b, false), 0);
    CHECK(put("", STR("{}")) == first + YOUNG_MOST + OVER); /* the ten numbers are gone, */
    CHECK_INT(written(), OVER + 1);                           /* so those that share their places go first */
    struct store_rows rows = loaded();
    CHECK_INT(rows.n, YOUNG_MOST + 1);
    for (size_t i = 1; i < rows.n; i++) CHECK(rows.rows[i].seq > rows.rows[i - 1].seq);
    store_rows_free(&rows);
    commit();
    end_alone();
}

TEST(the_other_levels_hold_nothing)
{
    for (int level = DURABILITY_FSYNC; level <= DURABILITY_OS; level++) {
        begin_at(level);
        put("01A", STR("{}"));
        CHECK_INT(young()->n, 0);
        CHECK_INT(written(), 1);
        commit();
        end_alone();
    }
}

TEST_MAIN()
