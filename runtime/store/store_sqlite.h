/* The parts of the SQLite backend: store_sqlite.c (the file, statements, transactions, checkpoints; the only one that
 * knows sqlite3.h), store_sqlite_events.c (in, out, seen), store_sqlite_young.c (events that may be finished before they
 * are written), store_sqlite_admin.c (looking and mending) and store_sqlite_kv.c (keys and values). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/str.h"
#include "store/store_backend.h"

struct sqlite3;
struct sqlite3_stmt;

#define ROW_COLUMNS "seq, ord, bot, attempts, received, id, body"
enum statement {
#define SQL(name, text) Q_##name,
#include "store/store_sqlite.def"
#undef SQL
    Q_N
};
/* What changes with a transaction and must change back when it fails. */
struct progress {
    int64_t waiting;                 /* -1: not counted yet */
    int64_t kept[STORE_IS_COUNT];    /* by state; kept[STORE_IS_FAILED] < 0: not counted yet */
    int64_t kept_bytes;
    int64_t reserved;                /* seq below this are set aside */
    int64_t seen_n, seen_since;      /* of the current table: rows, and when it became current, wall ms */
    int current;                     /* 0 or 1 */
    bool emptying;                   /* the other table is being emptied */
    bool filled;                     /* the other table may have rows */
    bool forgot;                     /* ids have been forgotten: seen no longer knows every waiting event */
    bool dirty;                      /* state must be written with this transaction */
};

/* Durability off: events that are not in their table yet; store_sqlite_young.c. */
#define YOUNG_NS NS_PER_S        /* so old an event is written with the next commit */
#define YOUNG_MOST 16384         /* events; seq % YOUNG_MOST is the place of one */
#define YOUNG_BYTES (16u << 20)  /* with ids and bodies */
#define YOUNG_SLICE 512          /* events that one commit writes, and bytes: a few ms, for which others wait */
#define YOUNG_SLICE_BYTES (2u << 20)
struct held;
struct young {
    struct held *at[YOUNG_MOST]; /* NULL: none */
    size_t n, bytes;
    uint64_t first, last;        /* n > 0: none has a smaller or a greater seq; all that is written has a smaller one */
    struct held *aside;          /* list: written by the open transaction */
    int64_t begun_ns;            /* the open transaction: when it began, */
    uint64_t first_put;          /* and the first seq it may give */
};

struct lite {
    struct sqlite3 *db;
    struct sqlite3_stmt *q[Q_N];    /* prepared at first use */
    char *path;
    int64_t dedupe_ms, dedupe_ids;
    int64_t next_seq;
    struct progress now, safe;       /* safe: as of the last commit */
    bool full_sync;                  /* what PRAGMA synchronous stands at */
    bool read_only;
    bool holds;                      /* durability off: transactions stay open, new events are held in young */
    struct young young;
    int64_t new_ids;                 /* of this transaction */
    int64_t kv_most;                 /* KV_BOT_MOST; smaller in tests */
    int frames;                      /* in the WAL and not yet in the file */
    int64_t tend_after_ns;           /* a checkpoint failed: not before this */
    char why[256];
};

/* ---- store_sqlite.c: statements ---- */
/* The statement, ready to be bound; NULL, and why, when it cannot be prepared: ERR_IO then. */
struct sqlite3_stmt *lite_query(struct lite *b, enum statement i);
void lite_bind_int(struct sqlite3_stmt *q, int at, int64_t v);        /* parameters count from 1 */
void lite_bind_str(struct sqlite3_stmt *q, int at, struct str s);     /* a blob; borrowed until the next binding */
void lite_bind_text(struct sqlite3_stmt *q, int at, const char *s);   /* likewise; NULL is SQL's NULL */
int lite_next(struct lite *b, struct sqlite3_stmt *q);                /* 1: a row; 0: no more, and reset; or an error, and reset */
void lite_reset(struct sqlite3_stmt *q);                              /* to leave before the last row */
int64_t lite_int(struct sqlite3_stmt *q, int at);                     /* columns count from 0 */
struct str lite_str(struct sqlite3_stmt *q, int at);                  /* valid until the next row or reset */
struct store_row lite_row(struct sqlite3_stmt *q);                    /* ROW_COLUMNS; views as lite_str */
int64_t lite_changes(const struct lite *b);                           /* rows of the last insert, update or delete */
/* Run to the end. The first row's first column, if there is a row, goes into ret. Both may be NULL. */
int lite_run(struct lite *b, struct sqlite3_stmt *q, int64_t *ret, bool *ret_row);
/* The same for a statement whose only parameter, if any, is a number. */
int lite_look(struct lite *b, enum statement i, int64_t in, int64_t *ret, bool *ret_row);

/* ---- store_sqlite_events.c ---- */
int lite_put(void *b, struct store_event *e);
int lite_finish(void *b, uint64_t seq, enum store_outcome outcome, struct str why);
int lite_attempts(void *b, uint64_t seq, uint32_t attempts);
int lite_load(void *b, const struct store_load *l, struct store_rows *ret, bool *more);
/* false: l's limit is reached */
bool lite_load_add(const struct store_load *l, const struct store_row *row, struct store_rows *ret);
int lite_forget_some(struct lite *b);                                 /* before a commit that brought new ids */
int lite_insert(struct lite *b, const struct store_row *row);         /* into events */
int64_t lite_seq_next(struct lite *b);                                /* look, do not take: taken by next_seq++ */
int lite_delete_event(struct lite *b, int64_t seq);
int lite_delete_kept(struct lite *b, int64_t n, int64_t state, int64_t size);
int lite_count_kept(struct lite *b);                                  /* once a run */

/* ---- store_sqlite_young.c: inside a transaction ---- */
int lite_hold(struct lite *b, const struct store_row *row);           /* copies id and body; may write older ones */
bool lite_held_finish(struct lite *b, uint64_t seq);                  /* it was held, and is gone; else false */
bool lite_held_attempts(struct lite *b, uint64_t seq, uint32_t attempts); /* likewise */
int lite_held_write(struct lite *b, uint64_t seq);                    /* into events, if it is held */
bool lite_held_load(const struct lite *b, const struct store_load *l, struct store_rows *ret); /* as lite_load_add */
int64_t lite_held_received(struct lite *b);                           /* received_ms of the oldest; 0 for none */
bool lite_holds(void *b);                                             /* there are some */
int lite_settle(void *b, enum store_settle how);                      /* into events */
void lite_held_begun(struct lite *b);                                 /* the transaction begins, */
void lite_held_committed(struct lite *b);                             /* it is through, */
void lite_held_taken_back(struct lite *b);                            /* or never was */
void lite_held_free(struct lite *b);                                  /* at the end */

/* ---- store_sqlite_admin.c ---- */
int lite_bot(void *b, const char *name, uint32_t *ret);
int lite_admin(void *b, struct store_admin *a, struct store_rows *ret);

/* ---- store_sqlite_kv.c ---- */
extern const char lite_kv_schema[];                                   /* tables, for a new file or one without them */
int lite_kv(void *b, struct store_kv *k);
