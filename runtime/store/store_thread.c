/* The thread's side of the store: one batch after the other, each one transaction.
 *
 * Marks (finish, attempts) come first in a transaction, then the other calls in the order they were made. A mark stays
 * in s->marks until a commit that holds it succeeded, so a transaction that fails loses none: the next one begins with
 * them. To the caller the order is as if calls ran one by one, except that a load may already miss an event that was
 * finished after the load was asked for, which is what the caller wants anyway.
 *
 * While writing fails, puts are refused at once with the error of the last try, and a try is made every 0.1 to 1 s.
 * Reads go on meanwhile, inside a transaction that holds the marks but is not committed, so that nothing finished is
 * handed out again. */
#include <stdio.h>
#include <stdlib.h>
#include "base/err.h"
#include "base/options.h"
#include "store/store_queue.h"

/* ---- the transaction ---- */

static int apply_mark(struct store *s, const struct call *m)
{
    if (m->kind == CALL_ATTEMPTS) return s->backend->attempts(s->b, m->seq, m->value);
    return s->backend->finish(s->b, m->seq, (enum store_outcome)m->value, (struct str){m->why, m->why_n});
}

/* Open the transaction unless it is, and bring it up to date with the marks. */
static int enter(struct store *s, int64_t now, bool durable)
{
    if (s->open && durable && !s->durable) { /* marks held open by a failing store; they are applied again */
        s->backend->rollback(s->b);
        s->open = false;
    }
    if (!s->open) {
        int r = s->backend->begin(s->b, durable);
        if (r) return r;
        s->open = true;
        s->durable = durable;
        s->operations = 0;
        s->begun_ns = now;
        s->unapplied = &s->marks.head;
    }
    for (struct call *m; (m = *s->unapplied); s->unapplied = &m->next) {
        int r = apply_mark(s, m);
        if (r) return r;
        s->operations++;
    }
    return 0;
}

static void count_commit(struct store_health *h, int64_t ns)
{
    unsigned i = 0;
    while (i < sizeof h->commit_buckets / sizeof h->commit_buckets[0] - 1 && ns >= (62500LL << i)) i++;
    h->commit_buckets[i]++;
    h->commits++;
    h->commit_ns_sum += (uint64_t)ns;
}

static void drop_marks(struct store *s)
{
    struct call *m;
    while ((m = calls_take(&s->marks))) free(m);
    s->unapplied = &s->marks.head;
}

static int commit(struct store *s)
{
    int64_t before = clock_ns();
    int r = s->backend->commit(s->b);
    s->open = false;
    if (r) return r;
    count_commit(&s->tally, clock_ns() - before);
    drop_marks(s);
    s->failing = 0;
    s->backoff_ns = 0;
    s->tally.failing = 0;
    s->tally.why[0] = '\0';
    return 0;
}

static void failed(struct store *s, int r)
{
    snprintf(s->tally.why, sizeof s->tally.why, "%s", s->backend->why(s->b));
    s->backend->rollback(s->b); /* harmless when the commit has already done so */
    s->open = false;
    s->unapplied = &s->marks.head;
    s->failing = s->tally.failing = r;
    s->backoff_ns = s->backoff_ns ? s->backoff_ns * 2 : RETRY_FIRST_NS;
    if (s->backoff_ns > RETRY_MOST_NS) s->backoff_ns = RETRY_MOST_NS;
    s->backend->tend(s->b, true); /* may find room: a WAL that was written back is used from its start again */
    s->next_try_ns = clock_ns() + s->backoff_ns;
}

/* Is it time to commit what is open? */
static bool due(const struct store *s, int64_t now, bool stopping)
{
    if (s->durability != DURABILITY_OFF || s->failing || stopping) return true;
    return s->operations >= OFF_OPERATIONS || now - s->begun_ns >= OFF_COMMIT_NS || now - s->last_ns >= OFF_IDLE_NS;
}

/* ---- calls ---- */

static bool writes(const struct call *c)
{
    if (c->kind == CALL_ADMIN) return c->u.admin->kind == STORE_RETRY || c->u.admin->kind == STORE_DROP;
    if (c->kind == CALL_KV) return c->u.kv->verb != KV_GET && c->u.kv->verb != KV_LIST;
    return c->kind == CALL_PUT || c->kind == CALL_BOT;
}

/* It must find in the tables what waits. */
static bool looks(const struct call *c) { return c->kind == CALL_ADMIN && c->u.admin->kind != STORE_COUNTS; }

static int put(struct store *s, struct store_put *p)
{
    for (size_t i = 0; i < p->n; i++) {
        int r = s->backend->put(s->b, &p->events[i]);
        if (r) return r;
        s->operations++;
    }
    return 0;
}

/* The call's own answer; it may be given again when the transaction failed. */
static int read_or_mend(struct store *s, struct call *c)
{
    store_rows_free(&c->rows);
    store_rows_init(&c->rows);
    if (c->kind == CALL_LOAD) return s->backend->load(s->b, c->u.load, &c->rows, &c->more);
    struct store_admin *a = c->u.admin;
    if (a->out.len > c->out_before) {
        a->out.len = c->out_before;
        a->out.data[a->out.len] = '\0';
    }
    return s->backend->admin(s->b, a, &c->rows);
}

/* 0, or the error that ends the transaction. */
static int carry_out(struct store *s, struct call *c)
{
    if (looks(c) && s->open && (!s->failing || writes(c))) {
        c->result = s->backend->settle(s->b, SETTLE_ALL);
        if (c->result) return c->result;
    }
    c->result = c->kind == CALL_PUT   ? put(s, c->u.put)
                : c->kind == CALL_BOT ? s->backend->bot(s->b, c->bot_name, &c->bot_number)
                : c->kind == CALL_KV  ? s->backend->kv(s->b, c->u.kv)
                                      : read_or_mend(s, c);
    if (!writes(c)) return 0; /* a failed read is its caller's affair */
    if (c->kind != CALL_PUT) s->operations++;
    return c->result == ERR_IO || c->result == ERR_FULL ? c->result : 0;
}

/* Answer for a call whose transaction failed, or is not even tried. */
static void refuse(struct call *c, int r)
{
    c->result = r;
    if (c->kind != CALL_PUT) return;
    for (size_t i = 0; i < c->u.put->n; i++) c->u.put->events[i].seq = 0;
}

static int batch_run(struct store *s, struct calls *batch, int64_t now, bool stopping)
{
    bool trying = !s->failing || now >= s->next_try_ns || stopping;
    bool enters = *s->unapplied || (s->failing && trying), durable = false, holds = s->backend->holds(s->b);
    bool quiet = holds && !batch->head && now - s->last_ns >= OFF_IDLE_NS;
    if ((stopping || quiet) && holds && trying) enters = true;
    for (struct call *c = batch->head; c; c = c->next) {
        if (writes(c) && trying && !s->read_only) enters = durable = true;
        if (looks(c) && holds && trying) enters = true;
    }
    int r = enters ? enter(s, now, durable && s->durability == DURABILITY_FSYNC) : 0;
    if (!r && s->failing && trying) r = s->backend->probe(s->b);
    for (struct call *c = batch->head; c && !r; c = c->next) {
        if (writes(c) && (s->read_only || !trying)) refuse(c, s->read_only ? ERR_USAGE : s->failing);
        else r = carry_out(s, c);
    }
    if (!r && s->open && trying && (stopping || quiet)) r = s->backend->settle(s->b, stopping ? SETTLE_ALL : SETTLE_SLICE);
    if (!r && s->open && trying && due(s, now, stopping)) r = commit(s);
    return r;
}

/* The batch's transaction failed: nothing was written, and what was read may have been of it. */
static void batch_again(struct store *s, struct calls *batch, int failure, int64_t now)
{
    int r = 0;
    for (struct call *c = batch->head; c; c = c->next) {
        if (writes(c)) {
            refuse(c, failure);
            continue;
        }
        if (!r && s->marks.head) r = enter(s, now, false); /* without the marks a read would show what is finished */
        if (r) refuse(c, r);
        else carry_out(s, c);
    }
    if (r) failed(s, r);
}

static void count_puts(struct store *s, const struct calls *batch)
{
    for (const struct call *c = batch->head; c; c = c->next) {
        if (c->kind != CALL_PUT || c->result) continue;
        for (size_t i = 0; i < c->u.put->n; i++) {
            if (c->u.put->events[i].seq) s->tally.events_in++;
            else s->tally.duplicates++;
        }
    }
}

/* ---- the thread ---- */

/* When there is something to do although nobody asked; INT64_MAX: never. Called with the lock held. */
static int64_t next_wake(const struct store *s)
{
    int64_t at = INT64_MAX;
    if (s->ready.n) at = s->last_ns + GATHER_NS;
    if (s->failing) return s->next_try_ns < at ? s->next_try_ns : at;
    if (s->open) {
        int64_t old = s->begun_ns + OFF_COMMIT_NS, idle = s->last_ns + OFF_IDLE_NS;
        if (old < at) at = old;
        if (idle < at) at = idle;
    } else if (s->backend->holds(s->b)) {
        at = s->last_ns + OFF_IDLE_NS < at ? s->last_ns + OFF_IDLE_NS : at;
    } else if (s->last_ns + TIDY_NS < at && s->backend->untidy(s->b)) {
        at = s->last_ns + TIDY_NS;
    }
    return at;
}

/* Sleep until there is work. Called with the lock held. */
static void wait_for_work(struct store *s)
{
    while (!s->stopping && !s->ready.urgent && s->ready.n < GATHER_MARKS) {
        int64_t at = next_wake(s);
        if (at <= clock_ns()) return;
        s->sleeping = true;
        if (at == INT64_MAX) {
            pthread_cond_wait(&s->work, &s->lock);
        } else {
            struct timespec t = {at / NS_PER_S, at % NS_PER_S};
            pthread_cond_timedwait(&s->work, &s->lock, &t);
        }
        s->sleeping = false;
    }
}

/* Take a batch from what is ready: marks go to s->marks, the rest stays in order. Called with the lock held. */
static void take_batch(struct store *s, struct calls *batch)
{
    size_t events = 0;
    struct call *c;
    while (events < BATCH_EVENTS && (c = calls_take(&s->ready))) {
        events += c->kind == CALL_PUT ? c->u.put->n : 1;
        calls_add(c->kind < CALL_FINISH ? batch : &s->marks, c);
    }
}

static void post(struct store *s, struct calls *batch)
{
    struct call *c;
    bool told = false;
    pthread_mutex_lock(&s->lock);
    while ((c = calls_take(batch))) {
        if (c->awaited) {
            c->answered = true; /* from here on it belongs to whom waits for it */
            pthread_cond_signal(&s->answer);
        } else {
            calls_add(&s->posted, c);
            told = true;
        }
    }
    s->health = s->tally;
    pthread_mutex_unlock(&s->lock);
    if (told) uv_async_send(&s->async);
}

void *store_thread(void *arg)
{
    struct store *s = arg;
    for (bool last = false; !last;) {
        struct calls batch;
        calls_init(&batch);
        pthread_mutex_lock(&s->lock);
        wait_for_work(s);
        take_batch(s, &batch);
        bool asked = batch.head || *s->unapplied, more = s->ready.urgent;
        last = s->stopping && !s->ready.head;
        pthread_mutex_unlock(&s->lock);

        int64_t now = clock_ns();
        if (asked) s->last_ns = now; /* a transaction that goes on is not idle, however long the pause before was */
        int r = batch_run(s, &batch, now, last);
        if (r) {
            failed(s, r);
            batch_again(s, &batch, r, now);
        }
        count_puts(s, &batch);
        post(s, &batch);
        if (!s->open) s->backend->tend(s->b, !more && now - s->last_ns >= TIDY_NS);
        if (asked) s->last_ns = clock_ns(); /* the pause begins now: a slow transaction is not one */
    }
    if (s->open) s->backend->rollback(s->b);
    drop_marks(s); /* what could not be written to the end: these events run again after the next start */
    s->backend->close(s->b);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_mutex_unlock(&s->lock);
    uv_async_send(&s->async);
    return NULL;
}
