/* Between store.c (the loop's side) and store_thread.c (the thread's side). Nobody else includes this.
 *
 * Who owns what: the members of struct store stand in three groups, one for the loop's thread, one for the store's
 * thread, and one that either touches only while it holds lock. A call, and what the caller passed with it, belongs to
 * the loop until it is handed over (store_hand_over), to the store's thread until it is posted, and to the loop again
 * after that; both hand-overs happen under lock. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/clock.h"
#include "store/store_backend.h"

/* Marks are what nobody waits for: they may gather, are kept over a failed transaction and are applied again. */
enum call_kind { CALL_PUT, CALL_LOAD, CALL_ADMIN, CALL_BOT, CALL_KV, CALL_FINISH, CALL_ATTEMPTS };

struct call {
    struct call *next;
    enum call_kind kind;
    int result;
    bool awaited;              /* the loop's thread sleeps until this one is answered */
    bool answered;             /* under lock */
    union {                    /* the caller's struct, by kind */
        struct store_put *put;
        struct store_load *load;
        struct store_admin *admin;
        struct store_kv *kv;
    } u;
    const char *bot_name;      /* BOT */
    uint32_t bot_number;
    struct store_rows rows;    /* LOAD, ADMIN: what the answer's views point at; more: LOAD */
    bool more;
    size_t out_before;         /* ADMIN: length of out when asked, to begin again from */
    uint64_t seq;              /* FINISH, ATTEMPTS */
    uint32_t value;            /* outcome or attempts */
    size_t why_n;
    char why[];
};

struct calls {
    struct call *head, **tail;
    size_t n;      /* calls */
    size_t urgent; /* of these, the ones somebody waits for */
};

static inline void calls_init(struct calls *c) { *c = (struct calls){NULL, &c->head, 0, 0}; }

static inline void calls_add(struct calls *c, struct call *call)
{
    call->next = NULL;
    *c->tail = call;
    c->tail = &call->next;
    c->n++;
    c->urgent += call->kind < CALL_FINISH;
}

static inline struct call *calls_take(struct calls *c)
{
    struct call *call = c->head;
    if (!call) return NULL;
    c->head = call->next;
    if (!c->head) c->tail = &c->head;
    c->n--;
    c->urgent -= call->kind < CALL_FINISH;
    return call;
}

/* All of from to the end of to. */
static inline void calls_move(struct calls *to, struct calls *from)
{
    if (!from->head) return;
    *to->tail = from->head;
    to->tail = from->tail;
    to->n += from->n;
    to->urgent += from->urgent;
    calls_init(from);
}

struct store {
    /* the loop's thread */
    uv_loop_t *loop;
    uv_async_t async;          /* something was posted */
    uv_check_t check;          /* both end a turn: check after polling, prepare for what timers and others asked */
    uv_prepare_t prepare;
    struct calls pending;      /* asked in this turn */
    bool closing;
    int handles;               /* still open */
    void (*closed)(void *user);
    void *closed_user;
    pthread_t thread;
    int lock_fd;

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t work;       /* for the store's thread */
    pthread_cond_t answer;     /* for a loop's thread that waits for an awaited call */
    struct calls ready;        /* handed over */
    struct calls posted;       /* carried out */
    bool sleeping;             /* the store's thread waits on work and was not signalled yet */
    bool stopping, ended;
    struct store_health health;

    /* the store's thread; set up before it starts */
    const struct store_backend *backend;
    void *b;
    int durability;
    bool read_only;
    struct calls marks;        /* not known to be committed, in order */
    struct call **unapplied;   /* the first of marks that is not in the open transaction */
    bool open;                 /* a transaction is open */
    bool durable;              /* it was begun for an answer that means "on disk" */
    uint32_t operations;       /* in it */
    int64_t begun_ns;          /* when it was opened */
    int64_t last_ns;           /* when the last batch that was not empty was carried out */
    int failing;               /* as health.failing */
    int64_t next_try_ns;       /* failing: when to try writing again */
    int64_t backoff_ns;
    struct store_health tally; /* the counters; copied to health with each post */
};

#define GATHER_NS (2 * NS_PER_MS)         /* marks alone: at most one transaction in this time */
#define GATHER_MARKS 256                  /* unless this many wait */
#define BATCH_EVENTS 2048                 /* events and marks of one transaction, give or take one call */
#define OFF_COMMIT_NS (100 * NS_PER_MS)   /* durability off: a transaction stays open this long, */
#define OFF_IDLE_NS (10 * NS_PER_MS)      /* or until nobody asked anything for this long, */
#define OFF_OPERATIONS 4000               /* or until it holds this many operations */
#define RETRY_FIRST_NS (100 * NS_PER_MS)  /* after a failure, doubling to */
#define RETRY_MOST_NS NS_PER_S
#define TIDY_NS (50 * NS_PER_MS)          /* quiet for this long: time for housekeeping */

void *store_thread(void *s);
