/* What every store must do, by its public calls alone. */
#include <fcntl.h>
#include "base/limits.h"
#include "store_kit.h"

static struct kit k;

static void begin(void)
{
    kit_init(&k);
    if (!CHECK_INT(kit_open(&k), 0)) {
        printf("# %s\n", k.error);
        exit(2);
    }
}

static void end(void)
{
    kit_close(&k);
    kit_remove(&k);
}

TEST(an_event_comes_back_as_it_went_in)
{
    struct kit_rows rows;
    struct store_health h;
    begin();
    struct store_event e[3] = {kit_event("01A", 5, "{\"a\":1}"), kit_event("01B", UINT64_MAX, "{}"),
                               kit_event("01C", 5, "{\"type\":\"\\u0000\"}")};
    e[1].bot = 3;
    e[1].received_ms = 1700000000123;
    CHECK_INT(kit_put(&k, e, 3), 0);
    CHECK(e[0].seq > 0 && e[1].seq > e[0].seq && e[2].seq > e[1].seq);
    for (int pass = 0; pass < 2; pass++) {
        kit_load(&k, (struct store_load){0}, &rows);
        CHECK_INT(rows.result, 0);
        CHECK_INT(rows.n, 3);
        CHECK(!rows.more);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(rows.row[i].seq, e[i].seq);
            CHECK_INT(rows.row[i].bot, e[i].bot);
            CHECK_INT(rows.row[i].received_ms, e[i].received_ms);
            CHECK_INT(rows.row[i].attempts, 0);
            CHECK(rows.row[i].order == e[i].order);
            CHECK_STRN(e[i].id, rows.id[i]);
            CHECK_STRN(e[i].body, rows.body[i]);
        }
        if (pass == 0) {
            store_health(k.s, &h);
            CHECK_INT(h.events_in, 3);
            CHECK_INT(h.duplicates, 0);
            CHECK(h.commits >= 1);
            kit_reopen(&k);
        }
    }
    end();
}

TEST(an_id_comes_once)
{
    struct store_health h;
    begin();
    struct store_event e[3] = {kit_event("01A", 1, "{}"), kit_event("01A", 1, "{}"), kit_event("01B", 1, "{}")};
    CHECK_INT(kit_put(&k, e, 3), 0);
    CHECK(e[0].seq > 0);
    CHECK_INT(e[1].seq, 0); /* within one webhook */
    CHECK(e[2].seq > 0);
    CHECK_INT(kit_put1(&k, "01A", 9, "{}"), 0);
    store_health(k.s, &h);
    CHECK_INT(h.events_in, 2);
    CHECK_INT(h.duplicates, 2);
    store_finish(k.s, e[0].seq, STORE_DONE, (struct str){0});
    CHECK_INT(kit_put1(&k, "01A", 1, "{}"), 0); /* finished */
    kit_reopen(&k);
    CHECK_INT(kit_put1(&k, "01A", 1, "{}"), 0); /* another day */
    CHECK_INT(kit_put1(&k, "01B", 1, "{}"), 0);
    e[0].bot = 2; /* another channel's */
    CHECK_INT(kit_put(&k, e, 1), 0);
    CHECK(e[0].seq > 0);
    CHECK(kit_put1(&k, "", 1, "{}") > 0); /* no id: never a duplicate */
    CHECK(kit_put1(&k, "", 1, "{}") > 0);
    end();
}

TEST(seq_never_comes_again)
{
    uint64_t last = 0;
    begin();
    for (int i = 0; i < 4; i++) {
        uint64_t seq = kit_put1(&k, "", 1, "{}");
        CHECK(seq > last);
        last = seq;
        store_finish(k.s, seq, STORE_DONE, (struct str){0});
        CHECK_INT(kit_waiting(&k), 0);
        kit_reopen(&k);
    }
    CHECK(last < 100); /* a clean end wastes none */
    end();
}

TEST(outcomes)
{
    uint64_t seq[5];
    struct kit_rows rows;
    char id[16];
    begin();
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "01%d", i);
        seq[i] = kit_put1(&k, id, 1, "{}");
    }
    CHECK_INT(kit_counts(&k).waiting, 5);
    store_attempts(k.s, seq[4], 2);
    store_finish(k.s, seq[0], STORE_DONE, STR("not kept"));
    store_finish(k.s, seq[1], STORE_FAILED, STR("bot.lua:3: no"));
    store_finish(k.s, seq[2], STORE_QUARANTINED, (struct str){0});
    store_finish(k.s, seq[3], STORE_DROPPED, (struct str){0});
    store_finish(k.s, 123456789, STORE_FAILED, STR("nobody"));
    store_finish(k.s, seq[1], STORE_FAILED, STR("twice"));
    for (int pass = 0; pass < 2; pass++) {
        kit_load(&k, (struct store_load){0}, &rows);
        CHECK_INT(rows.n, 1);
        CHECK_INT(rows.row[0].seq, seq[4]);
        CHECK_INT(rows.row[0].attempts, 2);
        struct store_counts c = kit_counts(&k);
        CHECK_INT(c.waiting, 1);
        CHECK_INT(c.failed, 1);
        CHECK_INT(c.quarantined, 1);
        CHECK_INT(c.oldest_ms, 1600000000000);
        kit_reopen(&k);
    }
    store_finish(k.s, seq[4], STORE_DONE, (struct str){0});
    CHECK_INT(kit_counts(&k).oldest_ms, 0);
    end();
}

/* ---- order ---- */

static char told[64];
static void tell(const char *what) { strncat(told, what, sizeof told - strlen(told) - 1); }
static void told_put(struct store_put *p) { tell(p->result ? "!" : "P"); }
static void told_admin(struct store_admin *a) { tell(a->result ? "!" : "A"); }
static void told_load(struct store_load *l)
{
    char text[16];
    snprintf(text, sizeof text, "L%zu", l->n);
    tell(l->result ? "!" : text);
}

TEST(calls_complete_in_the_order_they_were_made)
{
    begin();
    struct store_event e[2] = {kit_event("01A", 1, "{}"), kit_event("01B", 1, "{}")};
    struct store_put p[2] = {{.events = &e[0], .n = 1, .done = told_put}, {.events = &e[1], .n = 1, .done = told_put}};
    struct store_load l[3];
    struct store_admin a = {.kind = STORE_COUNTS, .done = told_admin};
    for (int i = 0; i < 3; i++)
        l[i] = (struct store_load){.upto = UINT64_MAX, .limit = 9, .limit_bytes = 999, .done = told_load};
    told[0] = '\0';
    store_load(k.s, &l[0]);
    store_put(k.s, &p[0]);
    store_load(k.s, &l[1]);
    store_put(k.s, &p[1]);
    store_admin(k.s, &a);
    store_load(k.s, &l[2]);
    while (strlen(told) < 9) uv_run(&k.loop, UV_RUN_ONCE);
    CHECK_STR(told, "L0PL1PAL2");
    CHECK_INT(a.counts.waiting, 2);
    end();
}

/* ---- paging ---- */

TEST(pages)
{
    struct kit_rows rows;
    uint64_t seq[20];
    begin();
    for (int i = 0; i < 20; i++) seq[i] = kit_put1(&k, "", i % 4 ? 1 : (uint64_t)-3, "0123456789");

    kit_load(&k, (struct store_load){.limit = 7}, &rows);
    CHECK_INT(rows.n, 7);
    CHECK(rows.more);
    kit_load(&k, (struct store_load){.after = seq[6], .limit = 13}, &rows);
    CHECK_INT(rows.n, 13);
    CHECK(!rows.more);
    CHECK_INT(rows.row[0].seq, seq[7]);
    kit_load(&k, (struct store_load){.after = seq[19]}, &rows);
    CHECK_INT(rows.n, 0);
    CHECK(!rows.more);

    kit_load(&k, (struct store_load){.limit_bytes = 35}, &rows); /* three bodies of ten */
    CHECK_INT(rows.n, 3);
    CHECK(rows.more);
    kit_load(&k, (struct store_load){.limit_bytes = 1}, &rows); /* at least one row comes */
    CHECK_INT(rows.n, 1);
    CHECK(rows.more);

    kit_load(&k, (struct store_load){.after = seq[2], .upto = seq[5]}, &rows);
    CHECK_INT(rows.n, 3);
    CHECK_INT(rows.row[2].seq, seq[5]);
    CHECK(!rows.more);

    kit_load(&k, (struct store_load){.one_order = true, .order = (uint64_t)-3, .after = seq[0], .limit = 3}, &rows);
    CHECK_INT(rows.n, 3);
    CHECK(rows.more);
    for (int i = 0; i < 3; i++) CHECK_INT(rows.row[i].seq, seq[4 * (i + 1)]);
    kit_load(&k, (struct store_load){.one_order = true, .order = (uint64_t)-3, .after = seq[12]}, &rows);
    CHECK_INT(rows.n, 1);
    CHECK(!rows.more);
    kit_load(&k, (struct store_load){.one_order = true, .order = 1, .upto = seq[6]}, &rows);
    CHECK_INT(rows.n, 5);
    kit_load(&k, (struct store_load){.one_order = true, .order = 44}, &rows);
    CHECK_INT(rows.n, 0);
    end();
}

/* ---- bounds ---- */

static bool seen(int i)
{
    char id[16];
    snprintf(id, sizeof id, "01%06d", i);
    uint64_t seq = kit_put1(&k, id, 1, "{}");
    if (seq) store_finish(k.s, seq, STORE_DONE, (struct str){0});
    return seq == 0;
}

TEST(old_ids_are_forgotten_by_number_and_time)
{
    kit_init(&k);
    k.o.dedupe_ids = 100;
    k.o.dedupe_ms = 0;
    CHECK_INT(kit_open(&k), 0);
    for (int i = 0; i < 1000; i++) {
        if (!CHECK(!seen(i))) break;
        if (i % 7 == 0 && i >= 100 && !CHECK(seen(i - 99))) break; /* the last hundred, at any time */
        if (i % 137 == 0) kit_reopen(&k);
    }
    for (int i = 900; i < 1000; i++) CHECK(seen(i));
    CHECK(!seen(0)); /* and not everything */
    kit_close(&k);

    k.o.dedupe_ms = 86400000; /* not before its time, however many */
    CHECK_INT(kit_open(&k), 0);
    for (int i = 2000; i < 3000; i++) CHECK(!seen(i));
    for (int i = 2000; i < 3000; i++) CHECK(seen(i));
    end();
}

TEST(the_newest_failed_events_are_kept)
{
    enum { N = 10050 };
    struct store_event *e = mem_zalloc(N * sizeof *e);
    begin();
    for (int i = 0; i < N; i++) e[i] = kit_event("", 1, "{}");
    CHECK_INT(kit_put(&k, e, N), 0);
    for (int i = 0; i < N; i++)
        store_finish(k.s, e[i].seq, i % 2 ? STORE_FAILED : STORE_QUARANTINED, STR("why"));
    struct store_counts c = kit_counts(&k);
    CHECK_INT(c.waiting, 0);
    CHECK_INT(c.failed, 5000);
    CHECK_INT(c.quarantined, 5000);
    auto_free char *oldest = mem_printf("%llu", (unsigned long long)e[49].seq);
    auto_free char *kept = mem_printf("%llu", (unsigned long long)e[50].seq);
    struct store_admin gone = {.kind = STORE_SHOW, .id = oldest}, there = {.kind = STORE_SHOW, .id = kept};
    CHECK_INT(kit_admin(&k, &gone), ERR_NOTFOUND);
    CHECK_INT(kit_admin(&k, &there), 0);
    buf_free(&there.out);
    free(e);

    auto_free char *big = mem_alloc((1 << 20) + 1);
    memset(big, 'b', 1 << 20);
    big[1 << 20] = '\0';
    for (int i = 0; i < 40; i++) store_finish(k.s, kit_put1(&k, "", 1, big), STORE_FAILED, (struct str){0});
    c = kit_counts(&k);
    CHECK_INT(c.failed, 32);
    CHECK_INT(c.quarantined, 0);
    kit_reopen(&k);
    CHECK_INT(kit_counts(&k).failed, 32);
    end();
}

TEST(a_reason_has_a_ceiling)
{
    begin();
    auto_free char *why = mem_alloc(LIMIT_ERROR_TEXT * 2 + 1);
    memset(why, 'w', LIMIT_ERROR_TEXT * 2);
    why[LIMIT_ERROR_TEXT * 2] = '\0';
    store_finish(k.s, kit_put1(&k, "01A", 1, "{}"), STORE_FAILED, str_of(why));
    struct store_admin a = {.kind = STORE_SHOW, .id = "01A"};
    CHECK_INT(kit_admin(&k, &a), 0);
    CHECK(a.out.len > LIMIT_ERROR_TEXT && a.out.len < LIMIT_ERROR_TEXT + 300);
    buf_free(&a.out);
    end();
}

/* ---- opening and closing ---- */

TEST(rights_are_the_owners)
{
    struct stat st;
    begin();
    kit_put1(&k, "01A", 1, "{}");
    CHECK(stat(k.path, &st) == 0 && (st.st_mode & 0777) == 0700);
    DIR *d = opendir(k.path);
    int files = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        auto_free char *file = mem_printf("%s/%s", k.path, e->d_name);
        files++;
        if (!CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600)) printf("# %s\n", file);
    }
    closedir(d);
    CHECK(files >= 3); /* the lock, the file, its WAL */
    end();
}

TEST(one_process_at_a_time)
{
    begin();
    struct kit other = k;
    auto_free char *pid = mem_printf("process %d", (int)getpid());
    CHECK_INT(kit_open(&other), ERR_BUSY);
    CHECK(strstr(other.error, pid) != NULL);
    other.o.read_only = true;
    CHECK_INT(kit_open(&other), ERR_BUSY);
    kit_reopen(&k);
    end();
}

static void poke(const char *file, off_t at, const void *p, size_t n)
{
    int fd = open(file, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, p, n, at) == (ssize_t)n);
    close(fd);
}

TEST(a_file_that_cannot_be_used_says_so)
{
    begin();
    kit_put1(&k, "01A", 1, "{}");
    kit_close(&k);
    auto_free char *file = mem_printf("%s/store.db", k.path);
    poke(file, 60, "\0\0\0\x63", 4); /* where SQLite keeps user_version */
    CHECK_INT(kit_open(&k), ERR_VERSION);
    CHECK(strstr(k.error, "newer moonline") != NULL);
    poke(file, 60, "\0\0\0\x01", 4);
    poke(file, 68, "else", 4); /* application_id */
    CHECK_INT(kit_open(&k), ERR_IO);
    CHECK(strstr(k.error, "not a moonline store") != NULL);
    poke(file, 0, "garbage!", 8);
    CHECK_INT(kit_open(&k), ERR_IO);
    CHECK(strstr(k.error, "store.db") != NULL && strstr(k.error, "move the file away") != NULL);
    kit_remove(&k);
}

TEST(looking_makes_nothing)
{
    struct stat st;
    kit_init(&k);
    k.o.read_only = true;
    CHECK_INT(kit_open(&k), ERR_NOTFOUND);
    CHECK(stat(k.path, &st) != 0);
    k.o.read_only = false;
    CHECK_INT(kit_open(&k), 0);
    store_finish(k.s, kit_put1(&k, "01A", 1, "{}"), STORE_FAILED, (struct str){0});
    kit_close(&k);
    k.o.read_only = true;
    CHECK_INT(kit_open(&k), 0);
    CHECK_INT(kit_counts(&k).failed, 1);
    struct store_admin a = {.kind = STORE_RETRY, .id = "01A"};
    CHECK_INT(kit_admin(&k, &a), ERR_USAGE);
    CHECK_INT(kit_put1(&k, "01B", 1, "{}"), UINT64_MAX);
    end();
}

static void put_again(struct store_put *p)
{
    tell(p->result == ERR_CLOSED ? "C" : p->result ? "!" : "P");
    if (p->result == 0) store_put(k.s, p); /* too late */
}

TEST(closing_carries_out_what_was_asked)
{
    begin();
    struct store_event e = kit_event("01A", 1, "{}");
    struct store_put p = {.events = &e, .n = 1, .done = put_again};
    uint64_t old = kit_put1(&k, "01B", 1, "{}");
    told[0] = '\0';
    store_put(k.s, &p);
    store_finish(k.s, old, STORE_DONE, (struct str){0});
    kit_close(&k);
    CHECK_STR(told, "PC");
    CHECK_INT(kit_open(&k), 0);
    CHECK_INT(kit_waiting(&k), 1);
    end();
}

TEST(every_level_keeps_over_a_clean_end)
{
    for (int level = DURABILITY_FSYNC; level <= DURABILITY_OFF; level++) {
        struct store_event e[50];
        kit_init(&k);
        k.o.durability = level;
        CHECK_INT(kit_open(&k), 0);
        for (int i = 0; i < 50; i++) e[i] = kit_event("", 1, "{}");
        CHECK_INT(kit_put(&k, e, 50), 0);
        for (int i = 0; i < 20; i++) store_finish(k.s, e[i].seq, STORE_DONE, (struct str){0});
        kit_reopen(&k);
        CHECK_INT(kit_waiting(&k), 30);
        for (int i = 20; i < 49; i++) store_finish(k.s, e[i].seq, STORE_DONE, (struct str){0});
        CHECK_INT(kit_waiting(&k), 1);
        end();
    }
}

TEST(bots_keep_their_numbers)
{
    uint32_t a = 0, b = 0, again = 0;
    begin();
    CHECK_INT(store_bot(k.s, "echo", &a, k.error, sizeof k.error), 0);
    CHECK_INT(store_bot(k.s, "shop", &b, k.error, sizeof k.error), 0);
    CHECK(a != b);
    kit_reopen(&k);
    CHECK_INT(store_bot(k.s, "shop", &again, k.error, sizeof k.error), 0);
    CHECK_INT(again, b);
    end();
}

TEST_MAIN()
