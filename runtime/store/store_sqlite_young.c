/* Durability off: events of the open transaction are held in memory, for nearly all of them are finished before it ends,
 * unless more come in than can be worked off. Such an event is never written into its table; only its id is, in seen.
 * The others are written when the transaction ends, before somebody looks or mends, when one is kept aside, or, the
 * oldest first, when more are held than the bounds allow. So each that is written is older than all that are held.
 *
 * To the callers nothing changes: an event in an open transaction is gone when that is rolled back, whether it was
 * written or held. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "store/store_sqlite.h"

/* One that is held; id and body of row are in bytes. */
struct held {
    struct store_row row;
    char bytes[];
};

static struct held *held_at(const struct young *y, uint64_t seq)
{
    struct held *h = y->at[seq % YOUNG_MOST];
    return h && h->row.seq == seq ? h : NULL;
}

static size_t cost(const struct held *h) { return sizeof *h + h->row.id.n + h->row.body.n; }

static void let_go(struct young *y, struct held *h)
{
    y->at[h->row.seq % YOUNG_MOST] = NULL;
    y->n--;
    y->bytes -= cost(h);
    free(h);
}

static int write_out(struct lite *b, struct held *h)
{
    int r = lite_insert(b, &h->row);
    if (!r) let_go(&b->young, h);
    return r;
}

/* The oldest one; there is one. first only grows, so all these steps together are one for each event. */
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
    struct held *before = y->at[row->seq % YOUNG_MOST]; /* YOUNG_MOST earlier: the oldest */
    if (before) r = write_out(b, before);
    if (r) return r;
    struct held *h = mem_alloc(sizeof *h + row->id.n + row->body.n);
    h->row = *row;
    h->row.id.p = h->bytes;
    h->row.body.p = h->bytes + row->id.n;
    if (row->id.n) memcpy(h->bytes, row->id.p, row->id.n);
    if (row->body.n) memcpy(h->bytes + row->id.n, row->body.p, row->body.n);
    y->at[row->seq % YOUNG_MOST] = h;
    if (y->n++ == 0) y->first = row->seq;
    y->last = row->seq;
    y->bytes += cost(h);
    while (!r && y->bytes > YOUNG_BYTES) r = write_out(b, oldest(y));
    return r;
}

bool lite_held_finish(struct lite *b, uint64_t seq)
{
    struct held *h = held_at(&b->young, seq);
    if (h) let_go(&b->young, h);
    return h != NULL;
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

int lite_settle(void *p)
{
    struct lite *b = p;
    int r = 0;
    while (!r && b->young.n) r = write_out(b, oldest(&b->young));
    return r;
}

void lite_held_drop(struct lite *b)
{
    while (b->young.n) let_go(&b->young, oldest(&b->young));
}
