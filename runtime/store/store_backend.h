/* What stands behind store.h: the seam between the queue of calls (store.c, store_thread.c) and one database.
 *
 * A backend is used by one thread at a time and never by two at once: store_open's caller opens it, from then on it
 * belongs to the store's thread until close. It may block; nothing here runs on the loop's thread after store_open.
 *
 * To add a backend: one file that fills a struct store_backend, and a test program that runs tests/unit/store_kit.h
 * over it by store_open_with(). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "store/store.h"
#include "store/store_kv.h"

/* Rows that outlive the statement they came from. bytes holds id and body of each row, one after the other; the rows'
 * views are set by store_rows_finish(), because bytes moves while it grows. */
struct store_rows {
    struct store_row *rows;
    size_t n, cap;
    size_t bodies;      /* bytes of bodies alone, for limit_bytes */
    struct buf bytes;
};
void store_rows_init(struct store_rows *r);
void store_rows_add(struct store_rows *r, const struct store_row *row); /* copies id and body */
void store_rows_finish(struct store_rows *r);
void store_rows_free(struct store_rows *r);                             /* safe twice */

enum store_state { STORE_IS_WAITING, STORE_IS_FAILED, STORE_IS_QUARANTINED, STORE_IS_COUNT };
extern const char *const store_state_names[STORE_IS_COUNT];

/* One event of a LIST or SHOW as JSON. whole: with the raw body under "event" and all of why; else the first line of
 * why. ERR_TOOBIG: did not fit, and out is as it was, with its last byte free for a closing bracket. */
int store_row_json(struct buf *out, const struct store_row *row, enum store_state state, const char *bot,
                   struct str why, bool whole);

/* store_kv_same.c: whether two values count as the same for KV_SWAP: as bytes, as numbers (1 and 1.0), or as JSON with the
 * same content, whatever the order of its members. */
bool kv_same(struct str a, struct str b);

enum store_settle { SETTLE_OLD, SETTLE_SLICE, SETTLE_ALL };

struct store_backend {
    const char *name;
    /* As store_open, for one backend. The directory exists and is locked (not with read_only). */
    int (*open)(const struct store_options *o, void **ret, char *error, size_t n);
    void (*close)(void *b); /* no transaction is open; NULL is fine */
    int (*bot)(void *b, const char *name, uint32_t *ret);

    /* Transactions. After commit failed, and after rollback, nothing since begin has happened. durable: on disk when
     * commit returns; else it may be lost by a power cut, though never by the end of this process. */
    int (*begin)(void *b, bool durable);
    int (*commit)(void *b);
    void (*rollback)(void *b);

    /* Inside a transaction. 0, ERR_FULL or ERR_IO; after an error the caller rolls back. */
    int (*put)(void *b, struct store_event *e); /* sets e->seq, 0 for a duplicate */
    int (*finish)(void *b, uint64_t seq, enum store_outcome outcome, struct str why); /* no such event: 0, no effect */
    int (*attempts)(void *b, uint64_t seq, uint32_t attempts);
    /* Sets outcome, more and out of k, from scratch: it may be asked again. GET and LIST also outside a transaction. */
    int (*kv)(void *b, struct store_kv *k);
    int (*probe)(void *b); /* writes something that changes nothing, so that commit shows whether writing works */

    /* Write what put held back in memory: all, before admin looks at more than counts and before the end; a slice, while
     * nobody asks anything; what is old and no more than a slice, which commit does by itself. */
    int (*settle)(void *b, enum store_settle how);
    bool (*holds)(void *b);        /* there is something to settle */

    /* Reading: inside a transaction or not. load sets *more; rows go into ret. */
    int (*load)(void *b, const struct store_load *l, struct store_rows *ret, bool *more);
    /* RETRY and DROP inside a transaction. Fills counts, out and row of a; what row's views point at goes into ret. */
    int (*admin)(void *b, struct store_admin *a, struct store_rows *ret);

    /* Outside a transaction: housekeeping (checkpoints). idle: nobody waits, so it may take its time. */
    void (*tend)(void *b, bool idle);
    bool (*untidy)(void *b);       /* tend(idle) would do something */
    const char *(*why)(void *b);   /* of the last error: one line, valid until the next call */
};

extern const struct store_backend store_sqlite;

int store_open_with(const struct store_backend *backend, uv_loop_t *loop, const struct store_options *o,
                    struct store **ret, char *error, size_t n);

/* store_dir.c: make the directory and take its lock. 0, ERR_BUSY, ERR_IO, ERR_NOTFOUND (make is false and there is
 * none); ret_fd holds the lock until it is closed. */
int store_dir_lock(const char *dir, bool make, int *ret_fd, char *error, size_t n);
