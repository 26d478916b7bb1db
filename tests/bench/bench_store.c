/* What the store costs: CPU and time of an event that is put and, once that is answered, finished, by durability and by
 * the number of events a loop turn brings. Everything is counted: the loop's side, the store's thread, the checkpoints.
 *
 *     bench_store [EVENTS [DIR]]     default 40000 events a row, a folder in /tmp that is removed again */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/options.h"
#include "store/store.h"

#define BODY_BYTES 500
#define MOST 256

struct one {
    struct store_put put;
    struct store_event event;
    char id[27];
};

struct run {
    struct store *store;
    size_t batch, left, waiting; /* events: of a turn, still to come, asked and not answered */
    uint64_t turn_ns, worst_ns;  /* when the turn was asked; the longest answer */
    uint64_t next_id;
    struct one ones[MOST];
};

static char body[BODY_BYTES];

static uint64_t cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

static void turn(struct run *r);

static void put_done(struct store_put *p)
{
    struct run *r = p->user;
    if (p->result != 0 || p->events[0].seq == 0) {
        fprintf(stderr, "bench_store: a put failed (%d)\n", p->result);
        exit(1);
    }
    store_finish(r->store, p->events[0].seq, STORE_DONE, (struct str){0});
    if (--r->waiting > 0) return;
    uint64_t took = (uint64_t)clock_ns() - r->turn_ns;
    if (took > r->worst_ns) r->worst_ns = took;
    turn(r);
}

/* Ids as LINE makes them: 26 characters, the first ten a time that grows, the others random. */
static void turn(struct run *r)
{
    if (r->left == 0) {
        store_close(r->store, NULL, NULL);
        return;
    }
    size_t n = r->left < r->batch ? r->left : r->batch;
    r->left -= n;
    r->waiting = n;
    r->turn_ns = (uint64_t)clock_ns();
    for (size_t i = 0; i < n; i++) {
        struct one *o = &r->ones[i];
        uint64_t random = ++r->next_id * 0x9E3779B97F4A7C15u;
        snprintf(o->id, sizeof o->id, "01%08X%016llX", (unsigned)(r->next_id / 16), (unsigned long long)random);
        o->event = (struct store_event){.bot = 1,
                                        .order = random >> 40,
                                        .id = {o->id, 26},
                                        .body = {body, sizeof body},
                                        .received_ms = 1700000000000};
        o->put = (struct store_put){.events = &o->event, .n = 1, .done = put_done, .user = r};
        store_put(r->store, &o->put);
    }
}

static void row(const char *dir, int durability, size_t batch, size_t events)
{
    static const char *const names[] = {"fsync", "os", "off"};
    struct run *r = mem_zalloc(sizeof *r);
    char error[512];
    uv_loop_t loop;
    struct store_health h;
    const struct store_options o = {.dir = dir, .durability = durability, .dedupe_ms = 86400000, .dedupe_ids = 1000000};
    uv_loop_init(&loop);
    if (store_open(&loop, &o, &r->store, error, sizeof error) != 0) {
        fprintf(stderr, "bench_store: %s\n", error);
        exit(1);
    }
    r->batch = batch;
    r->left = events;
    uint64_t cpu = cpu_ns(), began = (uint64_t)clock_ns();
    turn(r);
    while (r->left || r->waiting) uv_run(&loop, UV_RUN_ONCE);
    store_health(r->store, &h);
    uint64_t took = (uint64_t)clock_ns() - began;
    cpu = cpu_ns() - cpu;
    printf("%-6s %6zu %12.1f %12.0f %9llu %12.3f %10.1f\n", names[durability], batch, (double)cpu / 1e3 / (double)events,
           (double)events * 1e9 / (double)took, (unsigned long long)h.commits,
           (double)h.commit_ns_sum / 1e6 / (double)(h.commits ? h.commits : 1), (double)r->worst_ns / 1e6);
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(r);
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 16, 64, 256};
    size_t events = argc > 1 ? strtoul(argv[1], NULL, 10) : 40000;
    char made[] = "/tmp/bench_store.XXXXXX";
    const char *parent = argc > 2 ? argv[2] : mkdtemp(made);
    if (!parent || events == 0) return 1;
    memset(body, 'x', sizeof body);
    printf("%-6s %6s %12s %12s %9s %12s %10s\n", "level", "batch", "CPU us/event", "events/s", "commits", "ms/commit",
           "worst ms");
    for (int level = DURABILITY_FSYNC; level <= DURABILITY_OFF; level++) {
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            auto_free char *dir = mem_printf("%s/%d-%zu", parent, level, batches[i]);
            row(dir, level, batches[i], batches[i] == 1 ? events / 8 + 1 : events);
            static const char *const files[] = {"lock", "store.db", "store.db-wal"};
            for (size_t f = 0; f < 3; f++) {
                auto_free char *path = mem_printf("%s/%s", dir, files[f]);
                unlink(path);
            }
            rmdir(dir);
        }
    }
    if (argc <= 2) rmdir(parent);
    return 0;
}
