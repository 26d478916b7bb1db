/* Keys and values of the bots' own, in the same file and the same transactions as the events: what is answered is as
 * durable as an event that was acknowledged, and calls of both kinds are committed together. Keys of one bot are no
 * other bot's. A value is opaque here, but for KV_INCR, which reads and writes integers.
 *
 * What expired is no longer found; it goes away a slice at a time, with later writes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

struct store;

#define KV_KEY_MOST 512              /* bytes of a key; at least 1 */
#define KV_VALUE_MOST (256u << 10)   /* bytes of a value, its tag apart */
#define KV_LIST_MOST 1000            /* rows of one list */
#define KV_LIST_BYTES (1u << 20)     /* of one list, in all; at least one row comes */
#define KV_BOT_MOST (256ll << 20)    /* bytes of all keys and values of one bot, KV_ROW_COST for each added */
#define KV_ROW_COST 64

/* A value begins with one byte that says what it is; numbers are 8 bytes, little-endian. */
#define KV_TAG_STRING 's'
#define KV_TAG_INTEGER 'i'
#define KV_TAG_FLOAT 'f'
#define KV_TAG_BOOLEAN 'b' /* one byte, 0 or 1 */
#define KV_TAG_JSON 'j'

enum kv_verb {
    KV_GET,
    KV_SET,    /* replaces; expires after ttl_ms, 0: never */
    KV_ADD,    /* as SET, unless the key is there */
    KV_INCR,   /* add `by` to an integer; one that is not there counts from 0 and lives for ttl_ms (0: for ever) */
    KV_DELETE,
    KV_TAKE,   /* GET and DELETE in one step */
    KV_SWAP,   /* SET if the value there is the same as `old`, which is empty for none; an empty value deletes */
    KV_LIST,   /* keys that begin with `key` and come after `value`, in the order of bytes */
    KV_VERBS
};

enum kv_outcome {
    KV_YES,         /* done; GET, TAKE, INCR: out holds the value; LIST: the rows */
    KV_NO,          /* GET, DELETE, TAKE: not there; ADD: there already; SWAP: another value, out holds it, or none */
    KV_NO_INTEGER,  /* INCR: something else stands there */
    KV_OVERFLOW,    /* INCR: the sum is no 64-bit integer */
    KV_NO_ROOM,     /* KV_BOT_MOST would be passed */
    KV_OUTCOMES
};

struct store_kv {
    /* in, borrowed until done */
    enum kv_verb verb;
    uint32_t bot;
    struct str key, value, old;
    int64_t ttl_ms, by;
    uint32_t limit;        /* LIST: rows */
    void (*done)(struct store_kv *k);
    void *user;
    /* out */
    int result;            /* 0, or ERR_FULL, ERR_IO, ERR_CLOSED: nothing happened */
    enum kv_outcome outcome;
    bool more;             /* LIST: there are rows after the last one, or there may be */
    struct buf out;        /* valid during done only, the store's own. LIST: u32 length + key, u32 length + value, each row;
                            * after the last one u32 length + the key to go on from when there is more */
};
/* Asynchronous as all calls of store.h, and in order with them. The caller keeps keys and values within their limits. */
void store_kv(struct store *s, struct store_kv *k);
