/* Events in, out, and what is remembered of them. Everything runs on the store's thread, inside a transaction unless
 * it only reads. */
#include <string.h>
#include "base/clock.h"
#include "base/err.h"
#include "store/store_sqlite.h"

#define KEPT_EVENTS 10000  /* failed and quarantined events that are kept, the newest ones */
#define KEPT_BYTES (32 << 20) /* bodies and reasons of these, in all */
#define SEQ_BLOCK 4096     /* seq set aside at a time: only every so many events write state */
#define SEEN_SAVE 1024     /* seen_n is written every so many ids: after a crash it is too low by less, so that more is
                            * remembered, not less */
#define FORGET_LEAST 64    /* rows forgotten in a slice, beside two for each new id */

/* ---- taking in ---- */

/* 0: new, and now remembered as seq; 1: seen before; or an error. */
static int remember(struct lite *b, uint32_t bot, struct str id, int64_t seq)
{
    if (b->now.filled) {
        bool known = false;
        struct sqlite3_stmt *q = lite_query(b, b->now.current ? Q_SEEN0 : Q_SEEN1);
        if (!q) return ERR_IO;
        lite_bind_int(q, 1, bot);
        lite_bind_str(q, 2, id);
        int r = lite_run(b, q, NULL, &known);
        if (r || known) return r ? r : 1;
    }
    struct sqlite3_stmt *q = lite_query(b, b->now.current ? Q_SEE1 : Q_SEE0);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, bot);
    lite_bind_str(q, 2, id);
    lite_bind_int(q, 3, seq);
    int r = lite_run(b, q, NULL, NULL);
    if (r) return r;
    if (!lite_changes(b)) return 1;
    b->new_ids++;
    if (++b->now.seen_n % SEEN_SAVE == 0) b->now.dirty = true;
    return 0;
}

/* Make room in seen, a slice a transaction so that no commit stalls; twice as fast as ids come in. */
int lite_forget_some(struct lite *b)
{
    struct progress *w = &b->now;
    int64_t wall = clock_wall_ms();
    if (!w->emptying) {
        if (w->seen_n < b->dedupe_ids || wall - w->seen_since < b->dedupe_ms) return 0;
        w->emptying = w->dirty = true;
    }
    if (w->filled) {
        int64_t slice = FORGET_LEAST + 2 * b->new_ids;
        int r = lite_look(b, w->current ? Q_FORGET0 : Q_FORGET1, slice, NULL, NULL);
        if (r) return r;
        w->forgot = w->dirty = true;
        w->filled = lite_changes(b) == slice;
    }
    if (w->filled) return 0;
    w->current = !w->current;
    w->seen_n = 0;
    w->seen_since = wall;
    w->emptying = false;
    w->filled = w->dirty = true;
    return 0;
}

/* The next seq; the block it is in is set aside by this very transaction. */
int64_t lite_seq_next(struct lite *b)
{
    if (b->next_seq >= b->now.reserved) {
        b->now.reserved = b->next_seq + SEQ_BLOCK;
        b->now.dirty = true;
    }
    return b->next_seq;
}

int lite_insert(struct lite *b, const struct store_row *row)
{
    struct sqlite3_stmt *q = lite_query(b, Q_PUT);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, (int64_t)row->seq);
    lite_bind_int(q, 2, (int64_t)row->order);
    lite_bind_int(q, 3, row->bot);
    lite_bind_int(q, 4, row->attempts);
    lite_bind_int(q, 5, row->received_ms);
    if (row->id.n) lite_bind_str(q, 6, row->id);
    else lite_bind_text(q, 6, NULL);
    lite_bind_str(q, 7, row->body);
    return lite_run(b, q, NULL, NULL);
}

int lite_put(void *p, struct store_event *e)
{
    struct lite *b = p;
    int64_t seq = lite_seq_next(b);
    e->seq = 0;
    if (e->id.n) {
        int r = remember(b, e->bot, e->id, seq);
        if (r) return r > 0 ? 0 : r;
    }
    const struct store_row row = {.seq = (uint64_t)seq, .order = e->order, .bot = e->bot,
                                  .received_ms = e->received_ms, .id = e->id, .body = e->body};
    int r = b->holds ? lite_hold(b, &row) : lite_insert(b, &row);
    if (r) return r;
    b->next_seq++;
    if (b->now.waiting >= 0) b->now.waiting++;
    e->seq = (uint64_t)seq;
    return 0;
}

/* ---- finishing ---- */

int lite_delete_event(struct lite *b, int64_t seq)
{
    int r = lite_look(b, Q_DELETE, seq, NULL, NULL);
    if (!r && b->now.waiting > 0) b->now.waiting -= lite_changes(b);
    return r;
}

/* Count kept once a run: an index holds what is needed. */
int lite_count_kept(struct lite *b)
{
    struct progress *w = &b->now;
    if (w->kept[STORE_IS_FAILED] >= 0) return 0;
    struct sqlite3_stmt *q = lite_query(b, Q_KEPT_TOTAL);
    if (!q) return ERR_IO;
    memset(w->kept, 0, sizeof w->kept);
    w->kept_bytes = 0;
    int r;
    while ((r = lite_next(b, q)) > 0) {
        int64_t state = lite_int(q, 0);
        if (state > 0 && state < STORE_IS_COUNT) w->kept[state] = lite_int(q, 1);
        w->kept_bytes += lite_int(q, 2);
    }
    if (r) w->kept[STORE_IS_FAILED] = -1;
    return r;
}

int lite_delete_kept(struct lite *b, int64_t n, int64_t state, int64_t size)
{
    int r = lite_look(b, Q_KEPT_DELETE, n, NULL, NULL);
    if (r) return r;
    if (state > 0 && state < STORE_IS_COUNT) b->now.kept[state]--;
    b->now.kept_bytes -= size;
    return 0;
}

/* Oldest first, until what is kept is within its bounds; the newest one stays however large it is. */
static int trim_kept(struct lite *b)
{
    struct progress *w = &b->now;
    for (;;) {
        int64_t kept = w->kept[STORE_IS_FAILED] + w->kept[STORE_IS_QUARANTINED];
        if (kept <= 1 || (kept <= KEPT_EVENTS && w->kept_bytes <= KEPT_BYTES)) return 0;
        struct sqlite3_stmt *q = lite_query(b, Q_KEPT_OLDEST);
        if (!q) return ERR_IO;
        int r = lite_next(b, q);
        if (r <= 0) return r;
        int64_t n = lite_int(q, 0), state = lite_int(q, 1), size = lite_int(q, 2);
        lite_reset(q);
        r = lite_delete_kept(b, n, state, size);
        if (r) return r;
    }
}

static int keep(struct lite *b, int64_t seq, enum store_state state, struct str why)
{
    int r = lite_count_kept(b);
    struct sqlite3_stmt *q = r ? NULL : lite_query(b, Q_KEEP);
    if (!q) return r ? r : ERR_IO;
    lite_bind_int(q, 1, seq);
    lite_bind_int(q, 2, state);
    lite_bind_int(q, 3, clock_wall_ms());
    lite_bind_str(q, 4, why);
    bool kept = false;
    int64_t size = 0;
    r = lite_run(b, q, &size, &kept); /* RETURNING size */
    if (r || !kept) return r;          /* not kept: it is no longer waiting */
    b->now.kept[state]++;
    b->now.kept_bytes += size;
    return trim_kept(b);
}

int lite_finish(void *p, uint64_t seq, enum store_outcome outcome, struct str why)
{
    struct lite *b = p;
    if (outcome == STORE_FAILED || outcome == STORE_QUARANTINED) {
        int r = lite_held_write(b, seq);
        if (!r) r = keep(b, (int64_t)seq, outcome == STORE_FAILED ? STORE_IS_FAILED : STORE_IS_QUARANTINED, why);
        if (r) return r;
    } else if (lite_held_finish(b, seq)) {
        if (b->now.waiting > 0) b->now.waiting--;
        return 0;
    }
    return lite_delete_event(b, (int64_t)seq);
}

int lite_attempts(void *p, uint64_t seq, uint32_t attempts)
{
    struct lite *b = p;
    if (lite_held_attempts(b, seq, attempts)) return 0;
    struct sqlite3_stmt *q = lite_query(b, Q_ATTEMPTS);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, (int64_t)seq);
    lite_bind_int(q, 2, attempts);
    return lite_run(b, q, NULL, NULL);
}

/* ---- reading ---- */

bool lite_load_add(const struct store_load *l, const struct store_row *row, struct store_rows *ret)
{
    if (ret->n && (ret->n >= l->limit || ret->bodies + row->body.n > l->limit_bytes)) return false;
    store_rows_add(ret, row);
    return true;
}

int lite_load(void *p, const struct store_load *l, struct store_rows *ret, bool *more)
{
    struct lite *b = p;
    struct sqlite3_stmt *q = lite_query(b, l->one_order ? Q_LOAD_ORDER : Q_LOAD);
    if (!q) return ERR_IO;
    /* seq is below 2^63 here: greater limits mean "none". */
    lite_bind_int(q, 1, l->after > INT64_MAX ? INT64_MAX : (int64_t)l->after);
    lite_bind_int(q, 2, l->upto > INT64_MAX ? INT64_MAX : (int64_t)l->upto);
    if (l->one_order) lite_bind_int(q, 3, (int64_t)l->order);
    int r = 0;
    *more = false;
    while (!*more && (r = lite_next(b, q)) > 0) {
        struct store_row row = lite_row(q);
        *more = !lite_load_add(l, &row, ret);
    }
    if (r < 0) return r;
    lite_reset(q);
    if (!*more) *more = !lite_held_load(b, l, ret); /* all of them are newer than what is written */
    store_rows_finish(ret);
    return 0;
}
