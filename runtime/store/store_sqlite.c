/* The embedded store: one SQLite file, DIR/store.db, in WAL mode, opened by this process alone (locking_mode EXCLUSIVE
 * keeps the index of the WAL on the heap and saves every lock call).
 *
 *     events         waiting; a finished one is deleted, or never comes here (store_sqlite_young.c)
 *     kept           failed and quarantined: a bounded number, the newest
 *     seen0, seen1   ids that came before, and the seq each was given: new ones go into the current table, both are
 *                    looked up. Once current holds dedupe_ids and is older than dedupe_ms, the other one is emptied, a
 *                    slice a transaction, and they change places. So at least that many ids and that much time are
 *                    remembered, over restarts too.
 *     bots, state    names to numbers; where seq and seen stand
 *     kv, kv_used    keys and values (store_sqlite_kv.c)
 *
 * seq never comes again: numbers are set aside in blocks, in the transaction that uses the first of them; a crash
 * leaves the rest of its block unused.
 *
 * synchronous is FULL for a commit that must last and NORMAL else. Never OFF: NORMAL syncs at checkpoints only, which
 * hardly costs anything, and the file then survives a power cut. */
#include "store/store_sqlite.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/options.h"

#define SCHEMA_VERSION 2
#define FIRST_WITH_KV 2            /* version 1 knew events only */
#define APPLICATION_ID 0x4d6f6f6e  /* "Moon": tells our file from anybody else's */
#define PAGE_BYTES "4096"
#define CACHE_KIB "1024"
#define WAL_MOST 1000              /* frames (4 MiB): then a checkpoint, busy or not; more make each one stall longer */
#define WAL_IDLE 64                /* frames worth a checkpoint when nobody waits */
#define TEND_AGAIN_NS NS_PER_S     /* after a checkpoint that failed */

static const char *const statements[Q_N] = {
#define SQL(name, text) [Q_##name] = text,
#include "store/store_sqlite.def"
#undef SQL
};

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one=1), next_seq INTEGER NOT NULL, current INTEGER NOT NULL,"
    " seen_n INTEGER NOT NULL, seen_since INTEGER NOT NULL, emptying INTEGER NOT NULL, forgot INTEGER NOT NULL);"
    "CREATE TABLE bots(number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, ord INTEGER NOT NULL, bot INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, received INTEGER NOT NULL, id BLOB, body BLOB NOT NULL);"
    "CREATE INDEX events_ord ON events(ord);" /* its entries end in seq, so one chat is read in order */
    "CREATE TABLE kept(n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ord INTEGER NOT NULL, bot INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, received INTEGER NOT NULL, id BLOB, state INTEGER NOT NULL, at INTEGER NOT NULL,"
    " size INTEGER NOT NULL, why BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX kept_seq ON kept(seq);"
    "CREATE INDEX kept_id ON kept(id);"
    "CREATE INDEX kept_state ON kept(state, size);"
    "CREATE TABLE seen0(bot INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(bot, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE seen1(bot INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(bot, id))"
    " WITHOUT ROWID;";

/* ---- statements ---- */

/* The errno of the last write or sync that failed: by the file it belongs to, because what SQLite remembers for the
 * connection may be of the clearing up that followed. */
static int last_errno(sqlite3 *db)
{
    sqlite3_file *wal = NULL;
    int of_wal = 0, of_file = 0;
    if (!db) return 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &of_wal);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &of_file);
    return of_wal ? of_wal : of_file ? of_file : sqlite3_system_errno(db);
}

/* Remember what went wrong, and say which kind of wrong it is. */
static int trouble(struct lite *b, int rc)
{
    int kind = rc & 0xff;
    bool io = kind == SQLITE_IOERR || kind == SQLITE_FULL || kind == SQLITE_CANTOPEN;
    int os = io ? last_errno(b->db) : 0;
    bool full = kind == SQLITE_FULL || (io && (os == ENOSPC || os == EDQUOT || os == EFBIG));
    bool damaged = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
    snprintf(b->why, sizeof b->why, "%s: %s%s%s%s", b->path, sqlite3_errstr(rc), os ? ": " : "",
             os ? strerror(os) : "", damaged ? ": stop moonline, then put back a copy or move the file away" : "");
    return full ? ERR_FULL : ERR_IO;
}

struct sqlite3_stmt *lite_query(struct lite *b, enum statement i)
{
    if (!b->q[i]) {
        int rc = sqlite3_prepare_v3(b->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &b->q[i], NULL);
        if (rc) trouble(b, rc);
    }
    return b->q[i];
}

void lite_bind_int(struct sqlite3_stmt *q, int at, int64_t v) { sqlite3_bind_int64(q, at, v); }
void lite_bind_str(struct sqlite3_stmt *q, int at, struct str s)
{
    sqlite3_bind_blob64(q, at, s.n ? s.p : "", s.n, SQLITE_STATIC);
}
void lite_bind_text(struct sqlite3_stmt *q, int at, const char *s) { sqlite3_bind_text(q, at, s, -1, SQLITE_STATIC); }

int lite_next(struct lite *b, struct sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) return 1;
    int r = rc == SQLITE_DONE ? 0 : trouble(b, rc);
    sqlite3_reset(q);
    return r;
}

void lite_reset(struct sqlite3_stmt *q) { sqlite3_reset(q); }
int64_t lite_int(struct sqlite3_stmt *q, int at) { return sqlite3_column_int64(q, at); }
int64_t lite_changes(const struct lite *b) { return sqlite3_changes64(b->db); }

struct str lite_str(struct sqlite3_stmt *q, int at)
{
    const char *p = sqlite3_column_blob(q, at); /* before _bytes, as SQLite asks */
    return (struct str){p, (size_t)sqlite3_column_bytes(q, at)};
}

struct store_row lite_row(struct sqlite3_stmt *q)
{
    return (struct store_row){
        .seq = (uint64_t)sqlite3_column_int64(q, 0),
        .order = (uint64_t)sqlite3_column_int64(q, 1),
        .bot = (uint32_t)sqlite3_column_int64(q, 2),
        .attempts = (uint32_t)sqlite3_column_int64(q, 3),
        .received_ms = sqlite3_column_int64(q, 4),
        .id = lite_str(q, 5),
        .body = lite_str(q, 6),
    };
}

int lite_run(struct lite *b, struct sqlite3_stmt *q, int64_t *ret, bool *ret_row)
{
    int r = lite_next(b, q);
    if (ret_row && r >= 0) *ret_row = r;
    if (r <= 0) return r;
    if (ret) *ret = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return 0;
}

int lite_look(struct lite *b, enum statement i, int64_t in, int64_t *ret, bool *ret_row)
{
    struct sqlite3_stmt *q = lite_query(b, i);
    if (!q) return ERR_IO;
    if (sqlite3_bind_parameter_count(q)) sqlite3_bind_int64(q, 1, in);
    return lite_run(b, q, ret, ret_row);
}

static int execute(struct lite *b, const char *sql)
{
    int rc = sqlite3_exec(b->db, sql, NULL, NULL, NULL);
    return rc ? trouble(b, rc) : 0;
}

/* ---- transactions ---- */

static int save_state(struct lite *b, int64_t next_seq)
{
    struct sqlite3_stmt *q = lite_query(b, Q_SAVE_STATE);
    if (!q) return ERR_IO;
    const int64_t values[] = {next_seq,       b->now.current,  b->now.seen_n, b->now.seen_since,
                              b->now.emptying, b->now.forgot};
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) sqlite3_bind_int64(q, i + 1, values[i]);
    int r = lite_run(b, q, NULL, NULL);
    if (!r) b->now.dirty = false;
    return r;
}

/* The pragma takes effect as it is parsed and is refused inside a transaction. */
static int lite_begin(void *p, bool durable)
{
    struct lite *b = p;
    int r = 0;
    if (durable != b->full_sync) r = execute(b, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (r) return r;
    b->full_sync = durable;
    b->new_ids = 0;
    lite_held_begun(b);
    return lite_look(b, Q_BEGIN, 0, NULL, NULL);
}

static void lite_rollback(void *p)
{
    struct lite *b = p;
    if (!sqlite3_get_autocommit(b->db)) lite_look(b, Q_ROLLBACK, 0, NULL, NULL);
    lite_held_taken_back(b);
    b->now = b->safe;
    if (b->holds) b->now.waiting = b->safe.waiting = -1; /* what was held and finished does not come back: count again */
}

static int lite_commit(void *p)
{
    struct lite *b = p;
    int r = lite_settle(b, SETTLE_OLD);
    if (!r && b->new_ids) r = lite_forget_some(b);
    if (!r && b->now.dirty) r = save_state(b, b->now.reserved);
    if (!r) r = lite_look(b, Q_COMMIT, 0, NULL, NULL);
    if (r) {
        lite_rollback(b);
        return r;
    }
    lite_held_committed(b);
    b->safe = b->now;
    return 0;
}

/* The row of state as it stands: a page of the WAL, as a real change would be. */
static int lite_probe(void *p)
{
    struct lite *b = p;
    b->now.dirty = true;
    return 0;
}

/* ---- checkpoints ---- */

static int wal_grew(void *p, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct lite *)p)->frames = frames;
    return SQLITE_OK;
}

static bool lite_untidy(void *p)
{
    struct lite *b = p;
    return b->frames >= WAL_IDLE && !b->read_only && clock_ns() >= b->tend_after_ns;
}

/* Nobody else reads the file, so a checkpoint always gets to the end, and the next commit starts at the front of the
 * WAL again. The WAL keeps its size: overwriting is cheaper to sync than growing. */
static void lite_tend(void *p, bool idle)
{
    struct lite *b = p;
    if (b->frames < (idle ? WAL_IDLE : WAL_MOST) || !lite_untidy(b)) return;
    if (sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK) b->frames = 0;
    else b->tend_after_ns = clock_ns() + TEND_AGAIN_NS; /* the disk is full: commits will tell */
}

static const char *lite_why(void *p) { return ((struct lite *)p)->why; }

/* ---- opening ---- */

/* Before the first connection of the process: counting every allocation under a lock is of no use here. */
static void library_setup(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_initialize();
}

static void lite_close(void *p)
{
    struct lite *b = p;
    if (!b) return;
    if (b->next_seq && !b->read_only) save_state(b, b->next_seq); /* exact now; if it fails a block is lost, no more */
    for (int i = 0; i < Q_N; i++) sqlite3_finalize(b->q[i]);
    sqlite3_close(b->db);
    lite_held_free(b);
    free(b->path);
    free(b);
}

static int no_store(const struct store_options *o, char *error, size_t n)
{
    snprintf(error, n, "there is no store in %s yet: `moonline run` makes it, --data names another place", o->dir);
    return ERR_NOTFOUND;
}

/* Make the file ourselves: SQLite would give it everybody's rights, and the WAL takes its rights from the file. The
 * new name must be on disk before anything in the file can be. */
static int file_make(const struct store_options *o, const char *path, char *error, size_t n)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && o->read_only) return no_store(o, error, n);
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int dir = fd < 0 ? -1 : open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0) {
            fsync(dir);
            close(dir);
        }
    }
    if (fd < 0) {
        snprintf(error, n, "cannot open %s: %s; --data names another place", path, strerror(errno));
        return ERR_IO;
    }
    close(fd);
    return 0;
}

static int pragma_int(struct lite *b, const char *sql, int64_t *ret)
{
    sqlite3_stmt *q;
    int rc = sqlite3_prepare_v2(b->db, sql, -1, &q, NULL);
    if (rc) return trouble(b, rc);
    int r = lite_run(b, q, ret, NULL);
    sqlite3_finalize(q);
    return r;
}

/* page_size must come before the first page is written, locking_mode before the WAL is looked at. secure_delete, which
 * Debian turns on, would write zeros over every finished event. */
static int configure(struct lite *b)
{
    return execute(b, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=" PAGE_BYTES "; PRAGMA auto_vacuum=0;"
                      "PRAGMA cache_size=-" CACHE_KIB "; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
                      "PRAGMA mmap_size=0; PRAGMA synchronous=NORMAL;");
}

/* An older file gets what it lacks, in one transaction with its new version. Its events stay as they are. */
static int migrate(struct lite *b, int64_t version)
{
    if (version >= FIRST_WITH_KV) return 0;
    auto_free char *make = mem_printf("BEGIN IMMEDIATE; %s PRAGMA user_version=%d; COMMIT;", lite_kv_schema, SCHEMA_VERSION);
    int r = execute(b, "PRAGMA synchronous=FULL");
    if (!r) r = execute(b, make);
    b->full_sync = true;
    return r;
}

/* A new file gets its tables; an older or foreign one is told apart here. */
static int recognise(struct lite *b, char *error, size_t n)
{
    int64_t version = 0, application = 0, pages = 0;
    int r = pragma_int(b, "PRAGMA user_version", &version);
    if (!r) r = pragma_int(b, "PRAGMA application_id", &application);
    if (!r) r = pragma_int(b, "SELECT count(*) FROM sqlite_schema", &pages);
    if (r) return r;
    if (pages == 0 && !b->read_only) {
        auto_free char *make = mem_printf("%s%s INSERT INTO state VALUES(1, 1, 0, 0, %lld, 0, 0);"
                                          "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
                                          schema, lite_kv_schema, (long long)clock_wall_ms(), APPLICATION_ID, SCHEMA_VERSION);
        r = execute(b, "PRAGMA synchronous=FULL");
        if (!r) r = execute(b, make);
        b->full_sync = true;
        return r;
    }
    if (application != APPLICATION_ID) {
        snprintf(error, n, "%s is not a moonline store: --data names another place", b->path);
        return ERR_IO;
    }
    if (version > SCHEMA_VERSION) {
        snprintf(error, n, "%s was written by a newer moonline (format %lld, this one knows %d): use that one", b->path,
                 (long long)version, SCHEMA_VERSION);
        return ERR_VERSION;
    }
    return b->read_only ? 0 : migrate(b, version);
}

static int read_state(struct lite *b)
{
    struct progress *w = &b->now;
    int64_t last = 0;
    struct sqlite3_stmt *q = lite_query(b, Q_STATE);
    int r = q ? lite_next(b, q) : ERR_IO;
    if (r <= 0) return r ? r : trouble(b, SQLITE_CORRUPT);
    *w = (struct progress){.waiting = -1, .kept = {[STORE_IS_FAILED] = -1}};
    b->next_seq = lite_int(q, 0);
    w->current = lite_int(q, 1) != 0;
    w->seen_n = lite_int(q, 2);
    w->seen_since = lite_int(q, 3);
    w->emptying = lite_int(q, 4) != 0;
    w->forgot = lite_int(q, 5) != 0;
    lite_reset(q);
    r = lite_look(b, w->current ? Q_HAVE_SEEN0 : Q_HAVE_SEEN1, 0, NULL, &w->filled);
    if (!r) r = lite_look(b, Q_LAST_SEQ, 0, &last, NULL);
    if (b->next_seq <= last) b->next_seq = last + 1; /* never so, unless the file was mended by hand */
    w->reserved = b->next_seq;
    b->safe = *w;
    return r;
}

static int lite_open(const struct store_options *o, void **ret, char *error, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_setup);
    struct lite *b = mem_zalloc(sizeof *b);
    b->path = mem_printf("%s/store.db", o->dir);
    b->dedupe_ms = o->dedupe_ms;
    b->dedupe_ids = o->dedupe_ids;
    b->kv_most = KV_BOT_MOST;
    b->read_only = o->read_only;
    b->holds = o->durability == DURABILITY_OFF;
    error[0] = '\0';
    int r = file_make(o, b->path, error, n);
    if (!r) {
        int rc = sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc) r = trouble(b, rc);
    }
    if (!r) {
        sqlite3_db_config(b->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, o->read_only, NULL);
        sqlite3_extended_result_codes(b->db, 1);
        r = configure(b);
    }
    if (!r && !o->read_only) r = execute(b, "PRAGMA journal_mode=WAL");
    if (!r) sqlite3_wal_hook(b->db, wal_grew, b); /* also ends SQLite's own checkpoints */
    if (!r) r = recognise(b, error, n);
    if (!r) r = read_state(b);
    if (!r) {
        *ret = b;
        return 0;
    }
    if (!error[0])
        snprintf(error, n, "cannot open the store: %s", b->why);
    b->next_seq = 0; /* nothing to save */
    lite_close(b);
    return r;
}

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .open = lite_open,
    .close = lite_close,
    .bot = lite_bot,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .put = lite_put,
    .finish = lite_finish,
    .attempts = lite_attempts,
    .kv = lite_kv,
    .probe = lite_probe,
    .settle = lite_settle,
    .holds = lite_holds,
    .load = lite_load,
    .admin = lite_admin,
    .tend = lite_tend,
    .untidy = lite_untidy,
    .why = lite_why,
};
