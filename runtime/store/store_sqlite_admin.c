/* Looking at what the store holds, and mending it: what `moonline event` and /metrics ask for. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include "base/err.h"
#include "store/store_sqlite.h"

/* Names of bots become numbers that are stable over restarts; a number is never given to another name. */
int lite_bot(void *p, const char *name, uint32_t *ret)
{
    struct lite *b = p;
    int64_t number = 0;
    bool found = false;
    struct sqlite3_stmt *q = lite_query(b, Q_BOT), *add = lite_query(b, Q_BOT_NEW);
    if (!q || !add) return ERR_IO;
    lite_bind_text(q, 1, name);
    int r = lite_run(b, q, &number, &found);
    if (r) return r;
    if (!found) {
        lite_bind_text(add, 1, name);
        r = lite_run(b, add, &number, NULL); /* RETURNING number */
        if (r) return r;
    }
    *ret = (uint32_t)number;
    return 0;
}

/* Where an event is. */
struct place {
    bool kept;
    int64_t at; /* seq, or n of kept */
};

static int find_seq(struct lite *b, int64_t seq, struct place *ret)
{
    int64_t at = 0;
    bool found = false;
    int r = lite_look(b, Q_EVENT, seq, &at, &found);
    if (!r && found) {
        *ret = (struct place){false, at};
        return 0;
    }
    if (!r) r = lite_look(b, Q_KEPT_BY_SEQ, seq, &at, &found);
    if (r) return r;
    if (!found) return ERR_NOTFOUND;
    *ret = (struct place){true, at};
    return 0;
}

static int find_in(struct lite *b, enum statement i, struct str id, struct place *ret)
{
    int64_t at = 0;
    bool found = false;
    struct sqlite3_stmt *q = lite_query(b, i);
    if (!q) return ERR_IO;
    lite_bind_str(q, 1, id);
    int r = lite_run(b, q, &at, &found);
    if (r) return r;
    if (!found) return ERR_NOTFOUND;
    *ret = (struct place){i == Q_KEPT_BY_ID, at};
    return 0;
}

/* id is a seq when it is all digits, as people write numbers. Waiting events have no index by id: seen leads to them,
 * and only once ids have been forgotten the table itself has to be searched for those seen does not know. */
static int find(struct lite *b, const char *id, struct place *ret)
{
    char *end;
    struct str text = str_of(id);
    errno = 0;
    unsigned long long seq = isdigit((unsigned char)*id) && *id != '0' ? strtoull(id, &end, 10) : 0;
    if (seq && !*end && !errno) return seq > INT64_MAX ? ERR_NOTFOUND : find_seq(b, (int64_t)seq, ret);
    if (!text.n) return ERR_NOTFOUND;
    int r = find_in(b, Q_BY_ID, text, ret);
    if (r == ERR_NOTFOUND) r = find_in(b, Q_KEPT_BY_ID, text, ret);
    if (r == ERR_NOTFOUND && b->now.forgot) r = find_in(b, Q_BY_ID_SLOW, text, ret);
    return r;
}

static int bot_name(struct lite *b, uint32_t number, char *ret, size_t n)
{
    struct sqlite3_stmt *q = lite_query(b, Q_BOT_NAME);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, number);
    int r = lite_next(b, q);
    struct str name = r > 0 ? lite_str(q, 0) : (struct str){"", 0};
    if (name.n >= n) name.n = n - 1;
    if (name.n) memcpy(ret, name.p, name.n);
    ret[name.n] = '\0';
    if (r > 0) lite_reset(q);
    return r < 0 ? r : 0;
}

/* The row a statement over events (kept false) or kept stands on, as JSON. */
static int put_json(struct lite *b, struct buf *out, struct sqlite3_stmt *q, bool kept, bool whole)
{
    char name[256];
    struct store_row row = lite_row(q);
    enum store_state state = STORE_IS_WAITING;
    struct str why = {NULL, 0};
    if (kept) {
        state = lite_int(q, 7) == STORE_IS_QUARANTINED ? STORE_IS_QUARANTINED : STORE_IS_FAILED;
        why = lite_str(q, 8);
    }
    int r = bot_name(b, row.bot, name, sizeof name);
    return r ? r : store_row_json(out, &row, state, name, why, whole);
}

/* The statement stands on the event at place, or the answer is an error. */
static int at_place(struct lite *b, struct place place, struct sqlite3_stmt **ret)
{
    struct sqlite3_stmt *q = lite_query(b, place.kept ? Q_KEPT : Q_EVENT);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, place.at);
    int r = lite_next(b, q);
    if (r <= 0) return r ? r : ERR_NOTFOUND;
    *ret = q;
    return 0;
}

static int show(struct lite *b, struct store_admin *a)
{
    struct place place;
    struct sqlite3_stmt *q;
    int r = find(b, a->id, &place);
    if (!r) r = at_place(b, place, &q);
    if (r) return r;
    r = put_json(b, &a->out, q, place.kept, true);
    lite_reset(q);
    return r;
}

/* Rows of q into an array that is open, up to limit in all and as far as out has room. */
static int list_rows(struct lite *b, struct store_admin *a, struct sqlite3_stmt *q, bool kept, size_t *listed)
{
    int r;
    while ((r = lite_next(b, q)) > 0) {
        size_t before = a->out.len;
        if (*listed == a->limit) break;
        r = *listed ? buf_putc(&a->out, ',') : 0;
        if (!r) r = put_json(b, &a->out, q, kept, false);
        if (r) {
            a->out.len = before;
            break;
        }
        ++*listed;
    }
    lite_reset(q);
    return r > 0 ? 0 : r;
}

/* What was kept aside first, newest first: that is what somebody looks for. Then the waiting ones, oldest first. */
static int list(struct lite *b, struct store_admin *a)
{
    size_t listed = 0;
    int state = -1;
    for (int i = 0; a->state && i < STORE_IS_COUNT; i++) {
        if (strcmp(a->state, store_state_names[i]) == 0) state = i;
    }
    if (a->state && state < 0) return ERR_NOTFOUND;
    struct sqlite3_stmt *kept = lite_query(b, Q_KEPT_LIST), *waiting = lite_query(b, Q_LOAD);
    if (!kept || !waiting) return ERR_IO;
    int r = buf_putc(&a->out, '[');
    if (!r && state != STORE_IS_WAITING) {
        if (state < 0) lite_bind_text(kept, 1, NULL);
        else lite_bind_int(kept, 1, state);
        r = list_rows(b, a, kept, true, &listed);
    }
    if (!r && state <= STORE_IS_WAITING) {
        lite_bind_int(waiting, 1, 0);
        lite_bind_int(waiting, 2, INT64_MAX);
        r = list_rows(b, a, waiting, false, &listed);
    }
    if (r == ERR_TOOBIG && listed) r = 0; /* a shorter list is a list */
    return r ? r : buf_putc(&a->out, ']');
}

static int counts(struct lite *b, struct store_admin *a)
{
    struct progress *w = &b->now;
    int64_t oldest = 0, written = 0;
    int r = lite_count_kept(b);
    if (!r && w->waiting < 0) { /* once a run, and after a failure; kept up from then on */
        r = lite_look(b, Q_COUNT, 0, &written, NULL);
        if (!r) w->waiting = written + (int64_t)b->young.n;
    }
    if (!r) r = lite_look(b, Q_OLDEST, 0, &oldest, NULL);
    if (r) return r;
    if (!oldest) oldest = lite_held_received(b);
    a->counts = (struct store_counts){(uint64_t)w->waiting, (uint64_t)w->kept[STORE_IS_FAILED],
                                      (uint64_t)w->kept[STORE_IS_QUARANTINED], oldest};
    return 0;
}

/* seen must lead to where the event is now; an id that was forgotten stays so. */
static int moved(struct lite *b, const struct store_row *row, int64_t seq)
{
    const enum statement both[] = {Q_MOVED0, Q_MOVED1};
    for (int i = 0; i < 2 && row->id.n; i++) {
        struct sqlite3_stmt *q = lite_query(b, both[i]);
        if (!q) return ERR_IO;
        lite_bind_int(q, 1, row->bot);
        lite_bind_str(q, 2, row->id);
        lite_bind_int(q, 3, seq);
        int r = lite_run(b, q, NULL, NULL);
        if (r) return r;
    }
    return 0;
}

/* RETRY and DROP: the row of the event that is meant goes into rows, and from there into a->row. */
static int pick(struct lite *b, struct store_admin *a, struct store_rows *rows, struct place *ret, int64_t *ret_state,
                int64_t *ret_size)
{
    struct sqlite3_stmt *q;
    int r = find(b, a->id, ret);
    if (!r) r = at_place(b, *ret, &q);
    if (r) return r;
    struct store_row row = lite_row(q);
    store_rows_add(rows, &row);
    store_rows_finish(rows);
    *ret_state = ret->kept ? lite_int(q, 7) : 0;
    *ret_size = ret->kept ? lite_int(q, 10) : 0;
    lite_reset(q);
    return 0;
}

static int retry(struct lite *b, struct store_admin *a, struct store_rows *rows)
{
    struct place place;
    int64_t state, size;
    int r = pick(b, a, rows, &place, &state, &size);
    if (r) return r;
    if (!place.kept) return ERR_BUSY;
    struct store_row row = rows->rows[0];
    row.attempts = 0;
    row.seq = (uint64_t)lite_seq_next(b);
    struct sqlite3_stmt *q = lite_query(b, Q_RETRY);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, place.at);
    lite_bind_int(q, 2, (int64_t)row.seq);
    r = lite_run(b, q, NULL, NULL);
    if (!r) r = moved(b, &row, (int64_t)row.seq);
    if (!r) r = lite_delete_kept(b, place.at, state, size);
    if (r) return r;
    b->next_seq++;
    if (b->now.waiting >= 0) b->now.waiting++;
    a->row = row;
    return 0;
}

static int drop(struct lite *b, struct store_admin *a, struct store_rows *rows)
{
    struct place place;
    int64_t state, size;
    int r = pick(b, a, rows, &place, &state, &size);
    if (!r) r = place.kept ? lite_delete_kept(b, place.at, state, size) : lite_delete_event(b, place.at);
    if (!r) a->row = rows->rows[0];
    return r;
}

int lite_admin(void *p, struct store_admin *a, struct store_rows *rows)
{
    struct lite *b = p;
    switch (a->kind) {
    case STORE_COUNTS: return counts(b, a);
    case STORE_LIST: return list(b, a);
    case STORE_SHOW: return show(b, a);
    case STORE_RETRY: return retry(b, a, rows);
    case STORE_DROP: return drop(b, a, rows);
    }
    return ERR_USAGE;
}
