/* Writing fails: a disk that is full, and a backend that fails when told to. Nothing is lost, nothing is there in part,
 * reads go on, and it mends itself when it can. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include "store_kit.h"

static struct kit k;

/* The store's thread mends itself: there is no event to wait for, only the state. The alarm of the test bounds it. */
static void wait_for_health(bool failing)
{
    struct store_health h;
    do {
        uv_run(&k.loop, UV_RUN_NOWAIT);
        usleep(2000);
        store_health(k.s, &h);
    } while ((h.failing != 0) != failing);
    CHECK(failing == (h.why[0] != '\0'));
}

/* ---- a full disk: a small tmpfs, else the limit of a file's size ---- */

static bool mounted;
static struct rlimit old_limit;

static void disk_small(void)
{
    /* In a world of mounts of its own, so that nothing stays mounted whatever becomes of this program. */
    mounted = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("store", k.dir, "tmpfs", 0, "size=1m,mode=0700") == 0;
    if (mounted) return;
    printf("# no mount here (%s): a limit of the file's size instead\n", strerror(errno));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, old_limit.rlim_max});
}

static void disk_larger(void)
{
    if (mounted) CHECK_INT(mount("store", k.dir, "tmpfs", MS_REMOUNT, "size=64m,mode=0700"), 0);
    else setrlimit(RLIMIT_FSIZE, &old_limit);
}

static void disk_gone(void)
{
    if (mounted) umount2(k.dir, MNT_DETACH);
}

/* The first refusal may pass by itself: what the WAL holds twice is put in order, and there is room again. */
static bool stays_full(void)
{
    struct store_health h;
    int64_t until = clock_ns() + 500 * NS_PER_MS; /* two tries or three */
    do {
        usleep(2000);
        store_health(k.s, &h);
    } while (h.failing && clock_ns() < until);
    return h.failing != 0;
}

static void full_then_room(int durability)
{
    enum { MOST = 1000 };
    uint64_t seq[MOST];
    struct kit_rows rows;
    size_t n = 0;
    char id[16], body[4001];
    memset(body, 'x', 4000);
    body[4000] = '\0';
    kit_init(&k);
    k.o.durability = durability;
    disk_small();
    if (!CHECK_INT(kit_open(&k), 0)) return;
    for (; n < MOST; n++) {
        snprintf(id, sizeof id, "01%zu", n);
        struct store_event e[2] = {kit_event(id, n, body), kit_event("", n, body)};
        int r = kit_put(&k, e, 2);
        if (r == 0) {
            seq[n] = e[0].seq;
            store_finish(k.s, e[1].seq, STORE_DONE, (struct str){0});
            continue;
        }
        CHECK_INT(r, ERR_FULL);
        CHECK_INT(e[0].seq, 0);
        if (stays_full()) break;
        n--;
    }
    CHECK(n > 10 && n < MOST);
    struct store_health h;
    store_health(k.s, &h);
    CHECK_INT(h.failing, ERR_FULL);
    CHECK(strstr(h.why, "store.db") != NULL);
    CHECK_INT(kit_put1(&k, "more", 1, body), UINT64_MAX);

    /* Reads go on; what is finished meanwhile does not come back. */
    store_finish(k.s, seq[0], STORE_DONE, (struct str){0});
    store_finish(k.s, seq[1], STORE_FAILED, STR("why"));
    kit_load(&k, (struct store_load){.upto = seq[3]}, &rows);
    CHECK_INT(rows.result, 0);
    CHECK_INT(rows.row[0].seq, seq[2]);

    disk_larger();
    wait_for_health(false);
    snprintf(id, sizeof id, "01%zu", n); /* the refused one comes again, and is no duplicate */
    CHECK(kit_put1(&k, id, n, body) > 0);
    kit_reopen(&k);
    struct store_counts c = kit_counts(&k);
    CHECK_INT(c.failed, 1);
    if (durability != DURABILITY_OFF) { /* else what was not committed when it failed is lost */
        CHECK_INT(c.waiting, n - 1);    /* n were in, two are finished, one came later */
        kit_load(&k, (struct store_load){.limit = 1}, &rows);
        CHECK_INT(rows.row[0].seq, seq[2]);
    }
    kit_close(&k);
    disk_gone();
    kit_remove(&k);
}

TEST(a_full_disk_with_fsync) { full_then_room(DURABILITY_FSYNC); }
TEST(a_full_disk_with_os) { full_then_room(DURABILITY_OS); }

/* With off the disk may only turn out to be full when the answers are given already: the events of that transaction are
 * lost, what was there before is not, and it goes on once there is room. */
TEST(a_full_disk_with_off)
{
    enum { EARLY = 10, MOST = 20000 }; /* far more than is held */
    struct kit_rows rows;
    struct store_health h = {0};
    char id[16], body[4001];
    memset(body, 'x', 4000);
    body[4000] = '\0';
    kit_init(&k);
    k.o.durability = DURABILITY_OFF;
    disk_small();
    if (!CHECK_INT(kit_open(&k), 0)) return;
    for (int i = 0; i < EARLY; i++) CHECK_INT(kit_put1(&k, "", 1, "early"), i + 1);
    kit_reopen(&k);
    CHECK_INT(kit_counts(&k).waiting, EARLY);
    size_t n = 0;
    for (; n < MOST && !h.failing; n++) {
        snprintf(id, sizeof id, "01%zu", n);
        uint64_t seq = kit_put1(&k, id, 1, body);
        if (n % 2) store_attempts(k.s, seq, 1);
        store_health(k.s, &h);
    }
    CHECK(n > EARLY && n < MOST);
    CHECK_INT(h.failing, ERR_FULL);
    store_finish(k.s, 1, STORE_DONE, (struct str){0});
    store_finish(k.s, 2, STORE_FAILED, STR("why"));
    kit_load(&k, (struct store_load){.upto = EARLY}, &rows);
    CHECK_INT(rows.n, EARLY - 2);
    CHECK_INT(rows.row[0].seq, 3);
    disk_larger();
    wait_for_health(false);
    CHECK(kit_put1(&k, id, 1, "late") > 0); /* was lost or refused, and comes again */
    size_t waiting = kit_counts(&k).waiting;
    CHECK(waiting > EARLY - 2);
    kit_reopen(&k);
    CHECK_INT(kit_counts(&k).waiting, waiting);
    CHECK_INT(kit_counts(&k).failed, 1);
    kit_load(&k, (struct store_load){.upto = EARLY}, &rows);
    CHECK_INT(rows.n, EARLY - 2);
    for (size_t i = 0; i < rows.n; i++) CHECK_STR(rows.body[i], "early");
    kit_close(&k);
    disk_gone();
    kit_remove(&k);
}

/* ---- a backend that fails when told to ---- */

static struct { /* written by the test while the store's thread waits for a call, or atomically */
    _Atomic bool commit, begin;
    _Atomic int commits;
} fault;

static int failing_commit(void *b)
{
    if (fault.commit) {
        store_sqlite.rollback(b);
        return ERR_IO;
    }
    fault.commits++;
    return store_sqlite.commit(b);
}

static int failing_begin(void *b, bool durable) { return fault.begin ? ERR_IO : store_sqlite.begin(b, durable); }

static const char *failing_why(void *b)
{
    (void)b;
    return "told to fail";
}

static struct store_backend failing;

static void begin(int durability)
{
    failing = store_sqlite;
    failing.commit = failing_commit;
    failing.begin = failing_begin;
    failing.why = failing_why;
    fault.commit = fault.begin = false;
    kit_init(&k);
    k.backend = &failing;
    k.o.durability = durability;
    if (!CHECK_INT(kit_open(&k), 0)) exit(2);
}

static void end(void)
{
    kit_close(&k);
    kit_remove(&k);
}

/* Finish marks are tried again: with the next transaction, or by themselves; and never applied to a lost event. */
static void marks_are_kept(int durability, bool at_begin)
{
    struct kit_rows rows;
    begin(durability);
    uint64_t a = kit_put1(&k, "01A", 1, "a"), b = kit_put1(&k, "01B", 1, "b"), c = kit_put1(&k, "01C", 1, "c");
    kit_reopen(&k); /* committed, whatever the level */
    if (at_begin) fault.begin = true;
    else fault.commit = true;
    store_finish(k.s, a, STORE_FAILED, STR("kept"));
    store_attempts(k.s, c, 2);
    wait_for_health(true);
    store_finish(k.s, b, STORE_DONE, (struct str){0});
    CHECK_INT(kit_put1(&k, "01D", 1, "d"), UINT64_MAX);
    kit_load(&k, (struct store_load){0}, &rows);
    if (at_begin) {
        CHECK_INT(rows.result, ERR_IO); /* better nothing than what is finished */
    } else {
        CHECK_INT(rows.n, 1);
        CHECK_INT(rows.row[0].seq, c);
        CHECK_INT(rows.row[0].attempts, 2);
    }
    fault.commit = fault.begin = false;
    wait_for_health(false);
    CHECK_INT(kit_waiting(&k), 1);
    CHECK(kit_put1(&k, "01D", 1, "d") > 0);
    kit_reopen(&k);
    kit_load(&k, (struct store_load){0}, &rows);
    CHECK_INT(rows.n, 2);
    CHECK_INT(rows.row[0].seq, c);
    CHECK_INT(rows.row[0].attempts, 2);
    CHECK_STR(rows.id[1], "01D");
    CHECK_INT(kit_counts(&k).failed, 1);
    end();
}

TEST(marks_are_kept_with_fsync) { marks_are_kept(DURABILITY_FSYNC, false); }
TEST(marks_are_kept_with_os) { marks_are_kept(DURABILITY_OS, false); }
TEST(marks_are_kept_with_off) { marks_are_kept(DURABILITY_OFF, false); }
TEST(marks_are_kept_when_nothing_can_begin) { marks_are_kept(DURABILITY_FSYNC, true); }

static char told[8];
static void tell(char c) { told[strlen(told)] = c; }
static void told_put(struct store_put *p)
{
    CHECK_INT(p->events[0].seq, 0);
    tell(p->result == ERR_IO ? 'f' : 'p');
}
static void told_load(struct store_load *l) { tell(l->result ? '!' : l->n == 1 ? '1' : '?'); }

/* A batch fails: its puts are refused, its reads are answered without them, in the order of the calls. */
TEST(reads_do_not_see_what_was_taken_back)
{
    begin(DURABILITY_FSYNC);
    uint64_t a = kit_put1(&k, "01A", 1, "a");
    uint64_t b = kit_put1(&k, "01B", 1, "b");
    struct store_event e[2] = {kit_event("01C", 1, "c"), kit_event("01D", 1, "d")};
    struct store_put p[2] = {{.events = &e[0], .n = 1, .done = told_put}, {.events = &e[1], .n = 1, .done = told_put}};
    struct store_load l[2];
    struct store_admin list = {.kind = STORE_LIST, .limit = 10, .out = BUF(4096)};
    for (int i = 0; i < 2; i++)
        l[i] = (struct store_load){.upto = UINT64_MAX, .limit = 9, .limit_bytes = 999, .done = told_load};
    fault.commit = true;
    memset(told, 0, sizeof told);
    store_put(k.s, &p[0]);
    store_load(k.s, &l[0]);
    store_put(k.s, &p[1]);
    store_load(k.s, &l[1]);
    store_finish(k.s, a, STORE_DONE, (struct str){0});
    CHECK_INT(store_admin_now(k.s, &list), 0);
    while (strlen(told) < 4) uv_run(&k.loop, UV_RUN_ONCE);
    CHECK_STR(told, "f1f1");
    auto_free char *want = mem_printf("[{\"id\":\"01B\",\"seq\":%d,\"bot\":\"\",\"state\":\"waiting\",\"attempts\":0,"
                                      "\"received\":1600000000000}]", (int)b);
    CHECK_STRN(buf_str(&list.out), want);
    buf_free(&list.out);
    fault.commit = false;
    wait_for_health(false);
    CHECK(kit_put1(&k, "01C", 1, "c") > 0); /* not remembered as seen */
    CHECK_INT(kit_counts(&k).waiting, 2);
    end();
}

/* Marks alone gather: a hundred of them, asked turn by turn, are a few transactions. */
TEST(marks_gather)
{
    enum { N = 100 };
    struct store_event e[N];
    begin(DURABILITY_OS);
    for (int i = 0; i < N; i++) e[i] = kit_event("", 1, "{}");
    CHECK_INT(kit_put(&k, e, N), 0);
    int before = fault.commits;
    int64_t began = clock_ns();
    for (int i = 0; i < N; i++) {
        store_finish(k.s, e[i].seq, STORE_DONE, (struct str){0});
        uv_run(&k.loop, UV_RUN_NOWAIT);
    }
    while (kit_waiting(&k)) {}
    int64_t windows = (clock_ns() - began) / (2 * NS_PER_MS);
    CHECK(fault.commits - before <= windows + 2);
    end();
}

/* A store that cannot write ends all the same; its marks are the next start's re-runs. */
TEST(closing_while_failing)
{
    begin(DURABILITY_FSYNC);
    uint64_t a = kit_put1(&k, "01A", 1, "a");
    fault.commit = true;
    store_finish(k.s, a, STORE_DONE, (struct str){0});
    kit_close(&k);
    fault.commit = false;
    CHECK_INT(kit_open(&k), 0);
    CHECK_INT(kit_waiting(&k), 1);
    end();
}

TEST_MAIN()
