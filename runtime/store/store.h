/* What must survive: waiting events, the ids already seen, events kept aside (failed, quarantined). Every call is
 * asynchronous with a completion from the loop, because a store may be far away or slow; nothing in host/ may assume
 * otherwise. Calls complete in the order they were made.
 *
 * store.c gathers the calls of a loop turn and carries them out as one transaction on the store's own thread (group
 * commit); store_sqlite.c is the backend. fsync: completions come after the commit reached the disk. os: after the
 * commit was handed to the system. off: as soon as the statements ran. The commit follows within 100 ms, but an event
 * itself is written only when it is a second old, or when nobody asks anything for 10 ms; of one that is finished by then
 * only the id is. So a kill may lose a second of acknowledged events; at most 16,384 of 16 MiB.
 *
 * While writing fails (a full disk), puts are refused with the error, reads go on, and writing is tried again by itself
 * every second, so that store_health() tells when it works again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/str.h"

struct store;

struct store_options {
    const char *dir;      /* made if missing, mode 0700; locked for this process */
    int durability;       /* DURABILITY_* */
    int64_t dedupe_ms, dedupe_ids;
    bool read_only;       /* for looking at a stopped store: nothing is made, RETRY and DROP answer ERR_USAGE; the lock is
                           * taken all the same, as the file is one process's alone (a live store is asked through its
                           * host) */
};

/* 0; ERR_BUSY (another process has it; error names its pid), ERR_IO, ERR_VERSION (written by a newer moonline),
 * ERR_NOTFOUND (read_only, and there is none), each with one line in error. */
int store_open(uv_loop_t *loop, const struct store_options *o, struct store **ret, char *error, size_t n);
/* Carries out what was asked, commits, then closed(user) (may be NULL) and s is freed. What is asked later, by answers
 * that still come, is answered with ERR_CLOSED. */
void store_close(struct store *s, void (*closed)(void *user), void *user);

/* A bot's number in this store, made at first use; stable over restarts. Synchronous, for start-up only. */
int store_bot(struct store *s, const char *name, uint32_t *ret, char *error, size_t n);

/* ---- taking events in ---- */
struct store_event {
    /* in, borrowed until done */
    uint32_t bot;
    uint64_t order;        /* webhook_order() */
    struct str id, body;   /* id: n 0 when the event has none: never a duplicate */
    int64_t received_ms;   /* wall clock */
    /* out */
    uint64_t seq;          /* its place in the order of arrival, growing; 0 for a duplicate */
};
struct store_put {
    struct store_event *events;
    size_t n;
    void (*done)(struct store_put *p);
    void *user;
    int result;            /* out: 0: all are in (or were duplicates); ERR_FULL, ERR_IO: none is in */
    struct store_put *next;
};
void store_put(struct store *s, struct store_put *p);

/* ---- finishing ---- */
enum store_outcome { STORE_DONE, STORE_FAILED, STORE_QUARANTINED, STORE_DROPPED };
#define STORE_OUTCOME_NAMES {"done", "failed", "quarantined", "dropped"}
/* Never waits and never fails from the caller's view: a finish that could not be written (disk full) is tried again
 * with the next transaction, in order. why: what is kept with a failed or quarantined event; copied. */
void store_finish(struct store *s, uint64_t seq, enum store_outcome outcome, struct str why);
void store_attempts(struct store *s, uint64_t seq, uint32_t attempts); /* remember how often it was tried */

/* ---- reading waiting events ---- */
struct store_row {
    uint64_t seq, order;
    uint32_t bot, attempts;
    int64_t received_ms;
    struct str id, body;   /* valid during done only */
};
struct store_load {
    uint64_t after;        /* seq greater than this */
    uint64_t upto;         /* and not greater than this; UINT64_MAX for no limit */
    bool one_order;        /* only events of this order key */
    uint64_t order;
    size_t limit, limit_bytes; /* rows, and bytes of bodies (at least one row comes) */
    void (*done)(struct store_load *l);
    void *user;
    int result;            /* out */
    struct store_row *rows;
    size_t n;
    bool more;             /* out: the limit was reached, there may be more */
    struct store_load *next;
};
void store_load(struct store *s, struct store_load *l);

/* ---- looking and mending: `moonline event`, /metrics ---- */
struct store_counts {
    uint64_t waiting, failed, quarantined; /* events */
    int64_t oldest_ms;                     /* when the oldest waiting one was received, wall clock; 0 for none */
};
enum store_admin_kind { STORE_COUNTS, STORE_LIST, STORE_SHOW, STORE_RETRY, STORE_DROP };
/* LIST and SHOW append JSON to out: LIST an array, SHOW one object with the raw body under "event", of
 * {"id","seq","bot","state":"waiting|failed|quarantined","attempts","received","type"?,"why"?}. RETRY moves a kept event
 * back among the waiting, as the newest, attempts 0, and returns it as a row so that it can be dispatched. DROP removes
 * a waiting or kept event. id is a webhookEventId or a decimal seq.
 * The order of LIST: kept events, newest first (with the first line of why), then waiting ones, oldest first; it ends
 * early when out has no more room. "received" is in ms since 1970. The newest 10,000 failed and quarantined events are
 * kept, 32 MiB of bodies and reasons at most. */
struct store_admin {
    enum store_admin_kind kind;
    const char *id;        /* SHOW, RETRY, DROP; borrowed */
    const char *state;     /* LIST: NULL for all, or one of the three */
    size_t limit;          /* LIST */
    void (*done)(struct store_admin *a);
    void *user;
    int result;            /* out: 0, ERR_NOTFOUND, ERR_BUSY (RETRY of a waiting one), ERR_FULL, ERR_IO,
                            * ERR_TOOBIG (SHOW: no room in out), ERR_CLOSED */
    struct store_counts counts;
    struct buf out;        /* owned by the caller */
    struct store_row row;  /* RETRY: valid during done only; DROP: seq, order and bot of what went */
    struct store_admin *next;
};
void store_admin(struct store *s, struct store_admin *a);
/* The same, at once, for a stopped store or a command: runs what is queued, then this, and returns its result. done may
 * be NULL; the views of row are valid in it only. */
int store_admin_now(struct store *s, struct store_admin *a);

/* ---- health, for /healthz and /metrics; read from the loop thread ---- */
struct store_health {
    int failing;           /* 0, or the ERR_ code of the last transaction if it failed */
    char why[256];
    uint64_t commits, events_in, duplicates;
    uint64_t commit_ns_sum;
    uint64_t commit_buckets[16]; /* bucket i: shorter than 2^i * 62.5 µs; the last: all longer */
};
void store_health(const struct store *s, struct store_health *ret);
