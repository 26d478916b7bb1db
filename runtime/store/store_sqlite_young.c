/* Durability off: a new event is held in memory until it is YOUNG_NS old, over commits too, for most are finished by then
 * and need never be written into their table; only their ids are, in seen. The others are written a slice at a time with
 * the commits that follow, the oldest first, and likewise when more are held than the bounds allow; all of them when the
 * store stops or somebody looks or mends; and each that is kept aside. So each that is written is older than all that are
 * held.
 *
 * A transaction may be taken back. What it had put is gone then, held or not. What was held before stays, also if this
 * transaction had written it: so a written one is put aside and freed by the commit only. What this transaction had
 * finished does not come back, since whoever finished it does so again. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "store/store_sqlite.h"

/* One that is held; id and body of row are in bytes. */
struct held {
    struct store_row row;
    struct held *next;  /* of those put aside */
    int64_t born_ns;    /* when its transaction began: precise enough, and no clock is read for each */
    char bytes[];
};

static struct held *held_at(const struct young *y, uint64_t seq)
{
    struct held *h = y->at[seq % YOUNG_MOST];
    return h && h->row.seq == seq ? h : NULL;
}

static size_t cost(const struct held *h) { return sizeof *h + h->row.id.n + h->row.body.n; }

static void take_out(struct young *y, struct held *h)
{
    y->at[h->row.seq % YOUNG_MOST] = NULL;
    y->n--;
    y->bytes -= cost(h);
}

static void put_in(struct young *y, struct held *h)
{
    y->at[h->row.seq % YOUNG_MOST] = h;
    if (y->n == 0 || h->row.seq < y->first) y->first = h->row.seq;
    if (y->n == 0 || h->row.seq > y->last) y->last = h->row.seq;
    y->n++;
    y->bytes += cost(h);
}

static int write_out(struct lite *b, struct held *h)
{
    struct young *y = &b->young;
    int r = lite_insert(b, &h->row);
    if (r) return r;
    take_out(y, h);
    h->next = y->aside;
    y->aside = h;
    return 0;
}

/* The oldest one; there is one. first only grows, but for what is taken back, so all these steps together are one for
 * each event. */
static struct held *oldest(struct young *y)
{
    struct held *h;
    while (!(h = held_at(y, y->first))) y->first++;
    return h;
}

int lite_hold(struct lite *b, const struct store_row *row)
{
    struct young *y = &b->young;
    int r = 0;
    /* What stands in its place came YOUNG_MOST earlier: that one goes, after the ones before it, if any are left. */
    while (!r && y->at[row->seq % YOUNG_MOST]) r = write_out(b, oldest(y));
    if (r) return r;
    struct held *h = mem_alloc(sizeof *h + row->id.n + row->body.n);
    h->row = *row;
    h->row.id.p = h->bytes;
    h->row.body.p = h->bytes + row->id.n;
    h->born_ns = y->begun_ns;
    if (row->id.n) memcpy(h->bytes, row->id.p, row->id.n);
    if (row->body.n) memcpy(h->bytes + row->id.n, row->body.p, row->body.n);
    put_in(y, h);
    while (!r && y->bytes > YOUNG_BYTES) r = write_out(b, oldest(y));
    return r;
}

bool lite_held_finish(struct lite *b, uint64_t seq)
{
    struct held *h = held_at(&b->young, seq);
    if (!h) return false;
    take_out(&b->young, h);
    free(h);
    return true;
}

bool lite_held_attempts(struct lite *b, uint64_t seq, uint32_t attempts)
{
    struct held *h = held_at(&b->young, seq);
    if (h) h->row.attempts = attempts;
    return h != NULL;
}

int lite_held_write(struct lite *b, uint64_t seq)
{
    struct held *h = held_at(&b->young, seq);
    return h ? write_out(b, h) : 0;
}

bool lite_held_load(const struct lite *b, const struct store_load *l, struct store_rows *ret)
{
    const struct young *y = &b->young;
    if (!y->n || l->after >= y->last) return true;
    uint64_t seq = l->after < y->first ? y->first : l->after + 1, upto = l->upto < y->last ? l->upto : y->last;
    for (; seq <= upto; seq++) {
        const struct held *h = held_at(y, seq);
        if (!h || (l->one_order && h->row.order != l->order)) continue;
        if (!lite_load_add(l, &h->row, ret)) return false;
    }
    return true;
}

int64_t lite_held_received(struct lite *b) { return b->young.n ? oldest(&b->young)->row.received_ms : 0; }

bool lite_holds(void *p) { return ((struct lite *)p)->young.n > 0; }

int lite_settle(void *p, enum store_settle how)
{
    struct lite *b = p;
    struct young *y = &b->young;
    size_t n = 0, before = y->bytes;
    int64_t until = how == SETTLE_OLD ? clock_ns() - YOUNG_NS : INT64_MAX;
    while (y->n && (how == SETTLE_ALL || (n < YOUNG_SLICE && before - y->bytes < YOUNG_SLICE_BYTES))) {
        struct held *h = oldest(y);
        if (h->born_ns > until) break;
        int r = write_out(b, h);
        if (r) return r;
        n++;
    }
    return 0;
}

void lite_held_begun(struct lite *b)
{
    b->young.begun_ns = clock_ns();
    b->young.first_put = (uint64_t)b->next_seq;
}

void lite_held_committed(struct lite *b)
{
    for (struct held *h; (h = b->young.aside);) {
        b->young.aside = h->next;
        free(h);
    }
}

void lite_held_taken_back(struct lite *b)
{
    struct young *y = &b->young;
    /* First what came with the transaction: it may stand in the places of those that come back. */
    for (uint64_t seq = y->n ? (y->first > y->first_put ? y->first : y->first_put) : 1; y->n && seq <= y->last; seq++)
        lite_held_finish(b, seq);
    if (y->last >= y->first_put && y->first_put) y->last = y->first_put - 1;
    for (struct held *h; (h = y->aside);) {
        y->aside = h->next;
        if (h->row.seq < y->first_put) put_in(y, h);
        else free(h);
    }
}

void lite_held_free(struct lite *b)
{
    lite_held_committed(b);
    while (b->young.n) lite_held_finish(b, oldest(&b->young)->row.seq);
}
