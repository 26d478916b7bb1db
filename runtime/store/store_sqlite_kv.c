/* Keys and values in the SQLite file: store_kv.h says what they do. Everything runs on the store's thread; writes inside
 * a transaction, which a write that failed takes down with it.
 *
 *     kv        a row each key, with the time from which it counts as gone
 *     kv_used   bytes a bot, kept by triggers: so a transaction taken back takes this back too */
#include <string.h>
#include "base/clock.h"
#include "base/err.h"
#include "store/store_sqlite.h"

#define PURGE_SLICE 16      /* expired rows that go with each write: faster than writes bring new ones */
#define PURGE_FOR_ROOM 1000 /* at a time, when a bot's room is used up */
#define LIST_LOOKS 10000    /* rows a list looks at, expired ones included, before it answers with what it has */

const char lite_kv_schema[] =
    "CREATE TABLE kv(n INTEGER PRIMARY KEY, bot INTEGER NOT NULL, key BLOB NOT NULL, expires INTEGER,"
    " size INTEGER NOT NULL, value BLOB NOT NULL, UNIQUE(bot, key));"
    "CREATE INDEX kv_expires ON kv(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE kv_used(bot INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
    "CREATE TRIGGER kv_in AFTER INSERT ON kv BEGIN"
    " INSERT INTO kv_used VALUES(new.bot, new.size) ON CONFLICT(bot) DO UPDATE SET bytes=bytes+new.size; END;"
    "CREATE TRIGGER kv_changed AFTER UPDATE OF size ON kv WHEN new.size<>old.size BEGIN"
    " UPDATE kv_used SET bytes=bytes+new.size-old.size WHERE bot=new.bot; END;"
    "CREATE TRIGGER kv_out AFTER DELETE ON kv BEGIN"
    " UPDATE kv_used SET bytes=bytes-old.size WHERE bot=old.bot; END;";

/* What stands under a key. */
struct found {
    bool there;
    int64_t n, size, expires; /* expires: 0 for never */
};

static int64_t size_of(const struct store_kv *k, size_t value_n)
{
    return (int64_t)(k->key.n + value_n) + KV_ROW_COST;
}

static int put32(struct buf *out, size_t n)
{
    uint32_t v = (uint32_t)n;
    return buf_append(out, &v, sizeof v);
}

static int put_str(struct buf *out, struct str s)
{
    int r = put32(out, s.n);
    return r ? r : buf_append(out, s.p, s.n);
}

/* The row of the key, unless it has expired; its value goes into out when that is not NULL. */
static int find(struct lite *b, const struct store_kv *k, int64_t now, struct found *ret, struct buf *out)
{
    *ret = (struct found){0};
    struct sqlite3_stmt *q = lite_query(b, Q_KV_GET);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, k->bot);
    lite_bind_str(q, 2, k->key);
    int r = lite_next(b, q);
    if (r <= 0) return r;
    *ret = (struct found){.n = lite_int(q, 0), .expires = lite_int(q, 1), .size = lite_int(q, 2)};
    ret->there = !ret->expires || ret->expires > now;
    if (ret->there && out) {
        struct str value = lite_str(q, 3);
        r = buf_append(out, value.p, value.n);
    } else {
        r = 0;
    }
    lite_reset(q);
    return r;
}

static int erase(struct lite *b, const struct found *f)
{
    return f->n ? lite_look(b, Q_KV_DELETE, f->n, NULL, NULL) : 0;
}

static int purge(struct lite *b, int64_t now, int64_t slice, int64_t *ret_gone)
{
    struct sqlite3_stmt *q = lite_query(b, Q_KV_PURGE);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, now);
    lite_bind_int(q, 2, slice);
    int r = lite_run(b, q, NULL, NULL);
    *ret_gone = r ? 0 : lite_changes(b);
    return r;
}

/* Whether `more` bytes more fit. What has expired makes room first. */
static int has_room(struct lite *b, const struct store_kv *k, int64_t more, int64_t now, bool *ret)
{
    for (;;) {
        int64_t used = 0, gone = 0;
        int r = lite_look(b, Q_KV_USED, k->bot, &used, NULL);
        if (r) return r;
        *ret = more <= 0 || used + more <= b->kv_most;
        if (*ret) return 0;
        r = purge(b, now, PURGE_FOR_ROOM, &gone);
        if (r || !gone) return r;
    }
}

/* Write value under the key, where f stands now. */
static int write_value(struct lite *b, struct store_kv *k, const struct found *f, struct str value, int64_t expires,
                       int64_t now)
{
    bool room = false;
    int64_t size = size_of(k, value.n);
    int r = has_room(b, k, size - f->size, now, &room);
    if (r) return r;
    if (!room) {
        k->outcome = KV_NO_ROOM;
        return 0;
    }
    struct sqlite3_stmt *q = lite_query(b, Q_KV_PUT);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, k->bot);
    lite_bind_str(q, 2, k->key);
    if (expires) lite_bind_int(q, 3, expires);
    else lite_bind_text(q, 3, NULL);
    lite_bind_int(q, 4, size);
    lite_bind_str(q, 5, value);
    return lite_run(b, q, NULL, NULL);
}

static int64_t expiry(const struct store_kv *k, int64_t now) { return k->ttl_ms > 0 ? now + k->ttl_ms : 0; }

static int set(struct lite *b, struct store_kv *k, int64_t now)
{
    struct found f;
    int r = find(b, k, now, &f, NULL);
    if (r) return r;
    if (k->verb == KV_ADD && f.there) {
        k->outcome = KV_NO;
        return 0;
    }
    return write_value(b, k, &f, k->value, expiry(k, now), now);
}

static int incr(struct lite *b, struct store_kv *k, int64_t now)
{
    struct found f;
    int64_t value = 0;
    int r = find(b, k, now, &f, &k->out);
    if (r) return r;
    if (f.there) {
        bool integer = k->out.len == 1 + sizeof value && k->out.data[0] == KV_TAG_INTEGER;
        if (integer) memcpy(&value, k->out.data + 1, sizeof value);
        buf_clear(&k->out);
        if (!integer) {
            k->outcome = KV_NO_INTEGER;
            return 0;
        }
    }
    if (__builtin_add_overflow(value, k->by, &value)) {
        k->outcome = KV_OVERFLOW;
        return 0;
    }
    char bytes[1 + sizeof value] = {KV_TAG_INTEGER};
    memcpy(bytes + 1, &value, sizeof value);
    r = write_value(b, k, &f, (struct str){bytes, sizeof bytes}, f.there ? f.expires : expiry(k, now), now);
    return r || k->outcome != KV_YES ? r : buf_append(&k->out, bytes, sizeof bytes);
}

static int take(struct lite *b, struct store_kv *k, int64_t now)
{
    struct found f;
    int r = find(b, k, now, &f, k->verb == KV_TAKE ? &k->out : NULL);
    if (!f.there) k->outcome = KV_NO;
    return r ? r : erase(b, &f);
}

static int swap(struct lite *b, struct store_kv *k, int64_t now)
{
    struct found f;
    int r = find(b, k, now, &f, &k->out);
    if (r) return r;
    if (f.there ? !k->old.n || !kv_same(buf_str(&k->out), k->old) : k->old.n > 0) {
        k->outcome = KV_NO;
        return 0;
    }
    buf_clear(&k->out);
    return k->value.n ? write_value(b, k, &f, k->value, expiry(k, now), now) : erase(b, &f);
}

static int get(struct lite *b, struct store_kv *k, int64_t now)
{
    struct found f;
    int r = find(b, k, now, &f, &k->out);
    if (!f.there) k->outcome = KV_NO;
    return r;
}

static bool begins_with(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* false: the answer is full before this row. */
static bool add_row(struct store_kv *k, struct str key, struct str value, size_t rows)
{
    if (rows && (rows >= k->limit || k->out.len + key.n + value.n > KV_LIST_BYTES)) return false;
    return put_str(&k->out, key) == 0 && put_str(&k->out, value) == 0;
}

static bool before(struct str a, struct str b)
{
    int c = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n < b.n ? a.n : b.n);
    return c < 0 || (c == 0 && a.n < b.n);
}

/* The first key that may be in the list: the prefix, or what comes right after `after`. One bound, because of two the
 * planner would take the wrong one. bytes: KV_KEY_MOST + 1. */
static struct str list_from(const struct store_kv *k, char *bytes)
{
    if (before(k->value, k->key) || k->value.n > KV_KEY_MOST || !k->value.n) return k->key;
    memcpy(bytes, k->value.p, k->value.n);
    bytes[k->value.n] = '\0';
    return (struct str){bytes, k->value.n + 1};
}

/* The row after which the list ends early is remembered, because the next one of q may already be another. */
static int list(struct lite *b, struct store_kv *k, int64_t now)
{
    char from[KV_KEY_MOST + 1], last[KV_KEY_MOST];
    struct str prefix = k->key, at = {last, 0};
    struct sqlite3_stmt *q = lite_query(b, Q_KV_LIST);
    if (!q) return ERR_IO;
    lite_bind_int(q, 1, k->bot);
    lite_bind_str(q, 2, list_from(k, from));
    size_t rows = 0;
    int r, looks = 0;
    while ((r = lite_next(b, q)) > 0) {
        struct str key = lite_str(q, 0);
        int64_t expires = lite_int(q, 1);
        if (!begins_with(key, prefix)) break;
        bool gone = expires && expires <= now;
        if (looks++ == LIST_LOOKS || (!gone && !add_row(k, key, lite_str(q, 2), rows))) {
            k->more = true;
            break;
        }
        rows += !gone;
        if (key.n <= sizeof last) memcpy(last, key.p, key.n), at.n = key.n;
    }
    if (r < 0) return r;
    lite_reset(q);
    return k->more ? put_str(&k->out, at) : 0;
}

int lite_kv(void *p, struct store_kv *k)
{
    static int (*const verbs[KV_VERBS])(struct lite *, struct store_kv *, int64_t) = {
        [KV_GET] = get,     [KV_SET] = set,   [KV_ADD] = set,   [KV_INCR] = incr,
        [KV_DELETE] = take, [KV_TAKE] = take, [KV_LIST] = list,
        [KV_SWAP] = swap,
    };
    struct lite *b = p;
    int64_t now = clock_wall_ms(), gone;
    k->outcome = KV_YES;
    k->more = false;
    buf_clear(&k->out);
    int r = verbs[k->verb](b, k, now);
    if (!r && k->verb != KV_GET && k->verb != KV_LIST) r = purge(b, now, PURGE_SLICE, &gone);
    return r;
}
