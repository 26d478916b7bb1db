/* A store in a folder of its own, and its asynchronous calls made synchronous: each runs the loop until its answer
 * comes. The tests of the store are written with these, so that they can run over any backend. */
#pragma once
#include <dirent.h>
#include <sys/stat.h>
#include <uv.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/options.h"
#include "store/store_backend.h"
#include "test.h"

struct kit {
    uv_loop_t loop;
    struct store *s;
    const struct store_backend *backend;
    struct store_options o;
    char dir[64], path[80], error[512];
    bool closed;
};

/* A folder in /tmp; the store's own folder is inside it, so that the store makes it. */
__attribute__((unused)) static void kit_init(struct kit *k)
{
    *k = (struct kit){.backend = &store_sqlite};
    snprintf(k->dir, sizeof k->dir, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(k->dir)) exit(2);
    snprintf(k->path, sizeof k->path, "%s/data", k->dir);
    k->o = (struct store_options){
        .dir = k->path, .durability = DURABILITY_OS, .dedupe_ms = 86400000, .dedupe_ids = 1000000};
}

__attribute__((unused)) static void kit_remove(const struct kit *k)
{
    const char *const both[] = {k->path, k->dir};
    for (int i = 0; i < 2; i++) {
        DIR *d = opendir(both[i]);
        for (struct dirent *e; d && (e = readdir(d));) {
            auto_free char *file = mem_printf("%s/%s", both[i], e->d_name);
            unlink(file);
        }
        if (d) closedir(d);
        rmdir(both[i]);
    }
}

__attribute__((unused)) static int kit_open(struct kit *k)
{
    k->closed = false;
    k->error[0] = '\0';
    uv_loop_init(&k->loop);
    int r = store_open_with(k->backend, &k->loop, &k->o, &k->s, k->error, sizeof k->error);
    if (r) uv_loop_close(&k->loop);
    return r;
}

static void kit_closed(void *user) { ((struct kit *)user)->closed = true; }

__attribute__((unused)) static void kit_close(struct kit *k)
{
    store_close(k->s, kit_closed, k);
    uv_run(&k->loop, UV_RUN_DEFAULT);
    CHECK(k->closed);
    CHECK_INT(uv_loop_close(&k->loop), 0);
}

__attribute__((unused)) static void kit_reopen(struct kit *k)
{
    kit_close(k);
    if (!CHECK_INT(kit_open(k), 0)) {
        printf("# %s\n", k->error);
        exit(2);
    }
}

static void kit_put_done(struct store_put *p) { *(bool *)p->user = true; }

__attribute__((unused)) static int kit_put(struct kit *k, struct store_event *events, size_t n)
{
    bool done = false;
    struct store_put p = {.events = events, .n = n, .done = kit_put_done, .user = &done};
    store_put(k->s, &p);
    while (!done) uv_run(&k->loop, UV_RUN_ONCE);
    return p.result;
}

static inline struct store_event kit_event(const char *id, uint64_t order, const char *body)
{
    return (struct store_event){
        .bot = 1, .order = order, .id = str_of(id), .body = str_of(body), .received_ms = 1600000000000, .seq = 77};
}

/* One event; its seq, 0 for a duplicate, UINT64_MAX when the put failed. */
__attribute__((unused)) static uint64_t kit_put1(struct kit *k, const char *id, uint64_t order, const char *body)
{
    struct store_event e = kit_event(id, order, body);
    return kit_put(k, &e, 1) == 0 ? e.seq : UINT64_MAX;
}

/* What a load brought, copied; at most KIT_ROWS are looked at. */
#define KIT_ROWS 64
struct kit_rows {
    bool done, more;
    int result;
    size_t n;
    struct store_row row[KIT_ROWS];
    char id[KIT_ROWS][40], body[KIT_ROWS][64];
};

static void kit_load_done(struct store_load *l)
{
    struct kit_rows *r = l->user;
    r->done = true;
    r->more = l->more;
    r->result = l->result;
    r->n = l->n;
    for (size_t i = 0; i < l->n && i < KIT_ROWS; i++) {
        r->row[i] = l->rows[i];
        snprintf(r->id[i], sizeof r->id[i], STR_FMT, STR_ARG(l->rows[i].id));
        snprintf(r->body[i], sizeof r->body[i], STR_FMT, STR_ARG(l->rows[i].body));
    }
}

/* l without done and user; limits of 0 mean many. */
__attribute__((unused)) static void kit_load(struct kit *k, struct store_load l, struct kit_rows *ret)
{
    *ret = (struct kit_rows){0};
    l.done = kit_load_done;
    l.user = ret;
    if (!l.limit) l.limit = SIZE_MAX;
    if (!l.limit_bytes) l.limit_bytes = SIZE_MAX;
    if (!l.upto) l.upto = UINT64_MAX;
    store_load(k->s, &l);
    while (!ret->done) uv_run(&k->loop, UV_RUN_ONCE);
}

__attribute__((unused)) static size_t kit_waiting(struct kit *k)
{
    struct kit_rows rows;
    kit_load(k, (struct store_load){0}, &rows);
    return rows.result ? SIZE_MAX : rows.n;
}

static void kit_admin_done(struct store_admin *a) { *(bool *)a->user = true; }

/* Through the loop for every other call, at once for the rest: both ways must be the same. */
__attribute__((unused)) static int kit_admin(struct kit *k, struct store_admin *a)
{
    static unsigned calls;
    bool done = false;
    if (a->out.max == 0) a->out.max = 1 << 20;
    a->done = NULL; /* of an earlier call with the same struct */
    if (calls++ & 1) return store_admin_now(k->s, a);
    a->done = kit_admin_done;
    a->user = &done;
    store_admin(k->s, a);
    while (!done) uv_run(&k->loop, UV_RUN_ONCE);
    return a->result;
}

__attribute__((unused)) static struct store_counts kit_counts(struct kit *k)
{
    struct store_admin a = {.kind = STORE_COUNTS};
    CHECK_INT(kit_admin(k, &a), 0);
    return a.counts;
}
