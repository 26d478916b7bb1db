/* Frames of the module `store`: what a worker asks and what it is answered. See wire.h for the rules of payloads. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "host/wire.h"
#include "store/store_kv.h"

struct wire_kv {
    uint64_t id;           /* the worker's; the answer carries it */
    enum kv_verb verb;
    int64_t ttl_ms, by;
    uint32_t limit;
    struct str key, value, old;
};
struct wire_kv_answer {
    uint64_t id;
    int result;            /* 0, or an ERR_ code: nothing happened */
    enum kv_outcome outcome;
    bool more;
    struct str out;
};

/* As wire_send. */
int wire_send_kv(struct wire *w, const struct wire_kv *k);
int wire_send_kv_answer(struct wire *w, const struct wire_kv_answer *a);
/* 0, or ERR_SYNTAX: does not fit, or is over a limit of store_kv.h. */
int wire_read_kv(struct str payload, struct wire_kv *ret);
int wire_read_kv_answer(struct str payload, struct wire_kv_answer *ret);
