/* kill -9 at random moments, and a WAL that ends in the middle: what was reported is there, nothing is there in part. */
#include <fcntl.h>
#include <sys/wait.h>
#include "store_kit.h"

#define ROUNDS 30
#define EVENTS 3   /* of one webhook */
#define WEBHOOKS 8 /* under way at a time */
#define MOST 200000

/* The child reports each step through a pipe, after the store has reported it. */
struct report {
    char what;        /* 'P': the webhook is in; 'F': a call after its first event's finish was answered */
    uint32_t webhook;
    uint64_t seq[EVENTS];
};

struct webhook {
    struct store *s;
    struct store_put put;
    struct store_admin after;
    struct store_event events[EVENTS];
    char ids[EVENTS][24];
    struct report report;
};
static uint32_t next_webhook;
static int report_fd;

static void put_next(struct webhook *w);

static void report(struct webhook *w, char what)
{
    w->report.what = what;
    const struct report r = w->report;
    if (write(report_fd, &r, sizeof r) != sizeof r) _exit(1);
}

static void finished(struct store_admin *a)
{
    struct webhook *w = a->user;
    if (a->result) _exit(3);
    report(w, 'F');
    put_next(w);
}

static void in(struct store_put *p)
{
    struct webhook *w = p->user;
    if (p->result) _exit(4);
    for (int i = 0; i < EVENTS; i++) w->report.seq[i] = w->events[i].seq;
    report(w, 'P');
    store_finish(w->s, w->events[0].seq, STORE_DONE, (struct str){0});
    w->after = (struct store_admin){.kind = STORE_COUNTS, .done = finished, .user = w};
    store_admin(w->s, &w->after);
}

static void put_next(struct webhook *w)
{
    w->report.webhook = next_webhook++;
    for (int i = 0; i < EVENTS; i++) {
        snprintf(w->ids[i], sizeof w->ids[i], "%u-%d", w->report.webhook, i);
        w->events[i] = kit_event(w->ids[i], w->report.webhook, "{\"type\":\"message\",\"text\":\"and so on\"}");
    }
    w->put = (struct store_put){.events = w->events, .n = EVENTS, .done = in, .user = w};
    store_put(w->s, &w->put);
}

/* Put and finish until killed. */
static void child(struct kit *k, uint32_t first)
{
    static struct webhook webhooks[WEBHOOKS];
    next_webhook = first;
    if (kit_open(k)) _exit(2);
    for (int i = 0; i < WEBHOOKS; i++) {
        webhooks[i].s = k->s;
        put_next(&webhooks[i]);
    }
    uv_run(&k->loop, UV_RUN_DEFAULT);
    _exit(5);
}

/* What the parent knows: per webhook, whether it was reported, and the events' fate. */
static struct { bool in, finished, counted; unsigned char waiting; uint64_t seq[EVENTS]; } known[MOST];

static void look(struct store_load *l)
{
    for (size_t i = 0; i < l->n; i++) {
        uint64_t w = l->rows[i].order;
        if (w < MOST) known[w].waiting++;
        if (w < MOST && known[w].finished && l->rows[i].seq == known[w].seq[0]) FAIL("finished event %zu is back", (size_t)w);
    }
    CHECK_INT(l->result, 0);
    *(uint64_t *)l->user = l->n ? l->rows[l->n - 1].seq : UINT64_MAX;
}

/* Count every waiting event by webhook, page by page. */
static void scan(struct kit *k)
{
    uint64_t after = 0;
    for (uint32_t w = 0; w < MOST; w++) known[w].waiting = 0;
    while (after != UINT64_MAX) {
        uint64_t last = 0;
        struct store_load l = {
            .after = after, .upto = UINT64_MAX, .limit = 500, .limit_bytes = 1 << 20, .done = look, .user = &last};
        store_load(k->s, &l);
        while (!last) uv_run(&k->loop, UV_RUN_ONCE);
        after = last;
    }
}

/* Start the child and kill it once it has reported so many steps. Returns a number above all webhooks it may have put. */
static uint32_t round_of(struct kit *k, uint32_t first, int steps)
{
    int fds[2];
    struct report r;
    uint32_t most = first;
    if (pipe2(fds, O_CLOEXEC) != 0) exit(2);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        report_fd = fds[1];
        child(k, first);
    }
    close(fds[1]);
    for (int n = 0; read(fds[0], &r, sizeof r) == sizeof r; n++) { /* to the end: what lies in the pipe was reported */
        if (n == steps) kill(pid, SIGKILL);
        if (r.webhook >= MOST) {
            FAIL("too many webhooks");
            kill(pid, SIGKILL);
            break;
        }
        known[r.webhook].in = true;
        known[r.webhook].finished |= r.what == 'F';
        memcpy(known[r.webhook].seq, r.seq, sizeof r.seq);
        if (r.webhook > most) most = r.webhook;
    }
    close(fds[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return most + WEBHOOKS + 1;
}

static void rounds(int durability)
{
    struct kit k;
    uint32_t next = 0;
    uint64_t last_seq = 0;
    kit_init(&k);
    k.o.durability = durability;
    memset(known, 0, sizeof known);
    srand(durability + 1);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t first = next;
        next = round_of(&k, first, rand() % 120);
        if (!CHECK_INT(kit_open(&k), 0)) return;
        scan(&k);
        for (uint32_t w = 0; w < next; w++) {
            unsigned n = known[w].waiting;
            bool ok = known[w].in ? n == EVENTS - 1 || (n == EVENTS && !known[w].finished) : n == 0 || n >= EVENTS - 1;
            if (!ok) FAIL("round %d: of webhook %u (in %d, finished %d) %u events wait", round, w, known[w].in,
                          known[w].finished, n);
            for (int i = 0; known[w].in && w >= first && i < EVENTS; i++)
                if (known[w].seq[i] <= last_seq) FAIL("seq %llu came again", (unsigned long long)known[w].seq[i]);
        }
        for (uint32_t w = first; w < next; w++)
            for (int i = 0; known[w].in && i < EVENTS; i++)
                if (known[w].seq[i] > last_seq) last_seq = known[w].seq[i];
        char id[24]; /* and it is remembered that they came */
        for (uint32_t w = first; w < next && known[w].in; w++) {
            snprintf(id, sizeof id, "%u-0", w);
            CHECK_INT(kit_put1(&k, id, MOST, "{}"), 0);
        }
        kit_close(&k);
    }
    kit_remove(&k);
}

TEST(kill_with_fsync) { rounds(DURABILITY_FSYNC); }
TEST(kill_with_os) { rounds(DURABILITY_OS); }

/* With off the last moments may be lost, but nothing is there in part and the store opens. */
TEST(kill_with_off)
{
    struct kit k;
    uint32_t next = 0;
    kit_init(&k);
    k.o.durability = DURABILITY_OFF;
    memset(known, 0, sizeof known);
    for (int round = 0; round < 8; round++) {
        next = round_of(&k, next, 500 + 100 * round);
        for (uint32_t w = 0; w < next; w++) known[w].finished = false; /* marks may be lost */
        if (!CHECK_INT(kit_open(&k), 0)) return;
        scan(&k);
        for (uint32_t w = 0; w < next; w++)
            if (known[w].waiting && known[w].waiting < EVENTS - 1) FAIL("webhook %u is there in part", w);
        kit_close(&k);
    }
    kit_remove(&k);
}

/* ---- a torn WAL ---- */

static size_t slurp(const char *dir, const char *name, char **ret)
{
    auto_free char *path = mem_printf("%s/%s", dir, name);
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) exit(2);
    *ret = mem_alloc((size_t)st.st_size + 1);
    size_t n = 0;
    for (ssize_t got; (got = read(fd, *ret + n, (size_t)st.st_size - n)) > 0;) n += (size_t)got;
    close(fd);
    return n;
}

static void spill(const char *dir, const char *name, const char *p, size_t n)
{
    auto_free char *path = mem_printf("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) exit(2);
    close(fd);
}

TEST(a_torn_wal_gives_a_prefix)
{
    struct kit k;
    char *db, *wal;
    kit_init(&k);
    memset(known, 0, sizeof known);
    uint32_t next = round_of(&k, 0, 60);
    size_t db_n = slurp(k.path, "store.db", &db), wal_n = slurp(k.path, "store.db-wal", &wal);
    if (!CHECK(next < 2000 && wal_n > 4096)) return;
    for (uint32_t w = 0; w < next; w++) known[w].finished = false;
    srand(7);
    for (int cut = 0; cut < 25; cut++) {
        size_t n = (size_t)rand() % wal_n;
        auto_free char *torn = mem_alloc(wal_n);
        memcpy(torn, wal, wal_n);
        if (cut & 1) torn[n] ^= 0x40; /* or a byte that went bad; what follows it does not count either */
        spill(k.path, "store.db", db, db_n);
        spill(k.path, "store.db-wal", torn, cut & 1 ? wal_n : n);
        int r = kit_open(&k);
        if (r) { /* it was torn before the tables were there: a new store begins, or it says what is wrong */
            CHECK(r == ERR_IO && k.error[0]);
            continue;
        }
        scan(&k);
        bool gap = false;
        for (uint32_t w = 0; w < next; w++) {
            unsigned have = known[w].waiting;
            if (have && have < EVENTS - 1) FAIL("cut at %zu: webhook %u is there in part", n, w);
            if (have && gap) FAIL("cut at %zu: webhook %u is there, one before it is not", n, w);
            gap |= !have;
        }
        kit_close(&k);
    }
    free(db);
    free(wal);
    kit_remove(&k);
}

TEST_MAIN()
