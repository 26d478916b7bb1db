/* The loop's side of the store: gather the calls of a turn, hand them over, bring the answers back. store_thread.c
 * carries them out; store_queue.h says who owns what. */
#include "store/store.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/options.h"
#include "store/store_queue.h"

#define STACK_BYTES (512u << 10) /* of the store's thread: SQLite needs a fraction of it */

/* ---- asking ---- */

/* Give what was asked so far to the thread. Wakes it only when it would not wake by itself in time: marks alone may
 * wait for company. */
static void store_hand_over(struct store *s)
{
    if (!s->pending.head || s->closing) return;
    uv_check_stop(&s->check);
    uv_prepare_stop(&s->prepare);
    pthread_mutex_lock(&s->lock);
    bool first = !s->ready.head;
    calls_move(&s->ready, &s->pending);
    bool wake = s->sleeping && (s->ready.urgent || s->ready.n >= GATHER_MARKS || first);
    if (wake) s->sleeping = false; /* one signal is enough */
    pthread_mutex_unlock(&s->lock);
    if (wake) pthread_cond_signal(&s->work);
}

static void turn_checked(uv_check_t *h) { store_hand_over(h->data); }
static void turn_prepared(uv_prepare_t *h) { store_hand_over(h->data); }

static void ask(struct store *s, struct call *call)
{
    if (!s->pending.head && !s->closing) {
        uv_check_start(&s->check, turn_checked);
        uv_prepare_start(&s->prepare, turn_prepared);
    }
    calls_add(&s->pending, call);
    if (s->closing) uv_async_send(&s->async); /* too late: answered with ERR_CLOSED */
}

static struct call *call_new(enum call_kind kind, struct str why)
{
    struct call *call = mem_zalloc(sizeof *call + why.n);
    call->kind = kind;
    call->why_n = why.n;
    if (why.n) memcpy(call->why, why.p, why.n);
    return call;
}

static void call_free(struct call *call)
{
    store_rows_free(&call->rows);
    free(call);
}

void store_put(struct store *s, struct store_put *p)
{
    struct call *call = call_new(CALL_PUT, (struct str){0});
    call->u.put = p;
    ask(s, call);
}

void store_load(struct store *s, struct store_load *l)
{
    struct call *call = call_new(CALL_LOAD, (struct str){0});
    call->u.load = l;
    ask(s, call);
}

void store_kv(struct store *s, struct store_kv *k)
{
    struct call *call = call_new(CALL_KV, (struct str){0});
    buf_init(&k->out, KV_LIST_BYTES + KV_VALUE_MOST + 4 * KV_KEY_MOST);
    call->u.kv = k;
    ask(s, call);
}

static void mark(struct store *s, enum call_kind kind, uint64_t seq, uint32_t value, struct str why)
{
    if (why.n > LIMIT_ERROR_TEXT) why.n = LIMIT_ERROR_TEXT;
    struct call *call = call_new(kind, why);
    call->seq = seq;
    call->value = value;
    ask(s, call);
}

void store_finish(struct store *s, uint64_t seq, enum store_outcome outcome, struct str why)
{
    bool kept = outcome == STORE_FAILED || outcome == STORE_QUARANTINED;
    mark(s, CALL_FINISH, seq, outcome, kept ? why : (struct str){0});
}

void store_attempts(struct store *s, uint64_t seq, uint32_t attempts)
{
    mark(s, CALL_ATTEMPTS, seq, attempts, (struct str){0});
}

static struct call *admin_call(struct store_admin *a)
{
    struct call *call = call_new(CALL_ADMIN, (struct str){0});
    call->u.admin = a;
    call->out_before = a->out.len;
    return call;
}

void store_admin(struct store *s, struct store_admin *a) { ask(s, admin_call(a)); }

/* ---- answers ---- */

/* Tell the caller, and let go of what the answer's views pointed at. */
static void answer(struct call *call)
{
    switch (call->kind) {
    case CALL_PUT:
        call->u.put->result = call->result;
        call->u.put->done(call->u.put);
        break;
    case CALL_LOAD: {
        struct store_load *l = call->u.load;
        l->result = call->result;
        l->rows = call->rows.rows;
        l->n = call->rows.n;
        l->more = call->more;
        l->done(l);
        break;
    }
    case CALL_ADMIN:
        call->u.admin->result = call->result;
        if (call->u.admin->done) call->u.admin->done(call->u.admin);
        break;
    case CALL_KV: {
        struct buf out = call->u.kv->out; /* k may be gone after done */
        call->u.kv->result = call->result;
        call->u.kv->done(call->u.kv);
        buf_free(&out);
        break;
    }
    case CALL_BOT:
    case CALL_FINISH:
    case CALL_ATTEMPTS:
        break;
    }
    call_free(call);
}

static void handle_closed(uv_handle_t *h)
{
    struct store *s = h->data;
    if (--s->handles > 0) return;
    close(s->lock_fd); /* only now: a next open must not meet a thread that still commits */
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->answer);
    void (*closed)(void *) = s->closed;
    void *user = s->closed_user;
    free(s);
    if (closed) closed(user);
}

/* What was asked after store_close: nothing is carried out any more, but everybody hears of it. */
static void answer_late(struct store *s)
{
    struct call *call;
    while ((call = calls_take(&s->pending))) {
        call->result = ERR_CLOSED;
        answer(call);
    }
}

static void posted(uv_async_t *h)
{
    struct store *s = h->data;
    struct calls done;
    calls_init(&done);
    pthread_mutex_lock(&s->lock);
    calls_move(&done, &s->posted);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    struct call *call;
    while ((call = calls_take(&done))) answer(call);
    if (!ended || uv_is_closing((uv_handle_t *)h)) return;
    pthread_join(s->thread, NULL);
    answer_late(s);
    uv_close((uv_handle_t *)&s->async, handle_closed);
    uv_close((uv_handle_t *)&s->check, handle_closed);
    uv_close((uv_handle_t *)&s->prepare, handle_closed);
}

/* Ask, hand over and wait. What was asked before is carried out first; its answers still come from the loop. */
static int call_now(struct store *s, struct call *call)
{
    if (s->closing) return ERR_CLOSED;
    call->awaited = true;
    ask(s, call);
    store_hand_over(s);
    pthread_mutex_lock(&s->lock);
    while (!call->answered) pthread_cond_wait(&s->answer, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return call->result;
}

int store_admin_now(struct store *s, struct store_admin *a)
{
    struct call *call = admin_call(a);
    a->result = call_now(s, call);
    if (a->done) a->done(a);
    if (call->rows.n) a->row.id = a->row.body = (struct str){0}; /* they go with the call */
    call_free(call);
    return a->result;
}

int store_bot(struct store *s, const char *name, uint32_t *ret, char *error, size_t n)
{
    struct call *call = call_new(CALL_BOT, (struct str){0});
    call->bot_name = name;
    int r = call_now(s, call);
    if (r == 0) {
        *ret = call->bot_number;
    } else {
        struct store_health h;
        store_health(s, &h);
        snprintf(error, n, "cannot write bot %s into the store: %s", name, h.why[0] ? h.why : err_text(r));
    }
    call_free(call);
    return r;
}

void store_health(const struct store *s, struct store_health *ret)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock; /* the counters are copied, nothing is changed */
    pthread_mutex_lock(lock);
    *ret = s->health;
    pthread_mutex_unlock(lock);
}

/* ---- opening and closing ---- */

static void store_init(struct store *s, uv_loop_t *loop, const struct store_options *o)
{
    pthread_condattr_t monotonic;
    s->loop = loop;
    s->durability = o->durability;
    s->read_only = o->read_only;
    calls_init(&s->pending);
    calls_init(&s->ready);
    calls_init(&s->posted);
    calls_init(&s->marks);
    s->unapplied = &s->marks.head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&s->answer, NULL);
}

/* Signals stay with the loop's thread, which has the handlers' pipes. */
static int thread_start(struct store *s)
{
    pthread_attr_t attr;
    sigset_t all, old;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&s->thread, &attr, store_thread, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return r;
}

static void unstarted(uv_handle_t *h) { free(h->data); }

int store_open_with(const struct store_backend *backend, uv_loop_t *loop, const struct store_options *o,
                    struct store **ret, char *error, size_t n)
{
    int lock_fd = -1;
    void *b = NULL;
    int r = store_dir_lock(o->dir, !o->read_only, &lock_fd, error, n);
    if (r) return r;
    r = backend->open(o, &b, error, n);
    if (r) {
        close(lock_fd);
        return r;
    }
    struct store *s = mem_zalloc(sizeof *s);
    store_init(s, loop, o);
    s->lock_fd = lock_fd;
    s->backend = backend;
    s->b = b;
    /* check and prepare take part in the loop only while something is asked; async keeps it alive until the close. */
    s->async.data = s->check.data = s->prepare.data = s;
    r = uv_async_init(loop, &s->async, posted);
    if (r == 0 && (r = -thread_start(s)) != 0) uv_close((uv_handle_t *)&s->async, unstarted);
    else if (r) free(s);
    if (r) {
        snprintf(error, n, "cannot start the store's thread: %s", uv_strerror(r));
        backend->close(b);
        close(lock_fd);
        return ERR_IO;
    }
    uv_check_init(loop, &s->check);
    uv_prepare_init(loop, &s->prepare);
    s->handles = 3;
    *ret = s;
    return 0;
}

int store_open(uv_loop_t *loop, const struct store_options *o, struct store **ret, char *error, size_t n)
{
    return store_open_with(&store_sqlite, loop, o, ret, error, n);
}

void store_close(struct store *s, void (*closed)(void *user), void *user)
{
    store_hand_over(s);
    s->closing = true;
    s->closed = closed;
    s->closed_user = user;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->work);
}
