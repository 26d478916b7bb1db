#include "host/kv.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/bot.h"
#include "host/kv_wire.h"

#define WAITING_MOST 4096u         /* calls of one worker that the store has not answered yet, */
#define WAITING_BYTES (32u << 20)  /* and their keys and values: a slow disk must not fill the memory */
#define BACKLOG_MOST (LIMIT_WIRE_BACKLOG / 2) /* bytes on their way to the worker; over it, what only reads is refused */

/* A call under way. On the list of its slot until the worker is gone. */
struct kv_call {
    struct store_kv kv;
    struct slot *slot;             /* NULL: nobody waits for it any more */
    struct kv_call *next, *prev;
    uint64_t id;
    char bytes[];                  /* key, old and value */
};

static size_t cost(const struct kv_call *c) { return c->kv.key.n + c->kv.old.n + c->kv.value.n; }

static void answer(struct slot *s, const struct wire_kv_answer *a)
{
    if (!s->process || !wire_send_kv_answer(worker_process_wire(s->process), a)) return;
    worker_process_kill(s->process, "it does not read what the store answers");
}

static void unlist(struct kv_call *c)
{
    struct slot *s = c->slot;
    if (c->prev) c->prev->next = c->next;
    else s->kv = c->next;
    if (c->next) c->next->prev = c->prev;
    s->kv_n--;
    s->kv_bytes -= cost(c);
}

/* Hundreds of lists at once fill the wire in one turn of the loop, before the worker can read any: a script's slip, for
 * which it gets an error and its worker is not ended. What a write has done must be told. */
static bool too_much(const struct slot *s, const struct store_kv *kv)
{
    bool nothing_done = kv->verb == KV_LIST || kv->verb == KV_GET || (kv->verb == KV_SWAP && kv->outcome == KV_NO);
    return nothing_done && s->process && wire_backlog(worker_process_wire(s->process)) > BACKLOG_MOST;
}

static void done(struct store_kv *kv)
{
    struct kv_call *c = kv->user;
    if (c->slot) {
        struct slot *s = c->slot;
        unlist(c);
        if (!kv->result && too_much(s, kv)) kv->result = ERR_BUSY;
        answer(s, &(struct wire_kv_answer){c->id, kv->result, kv->outcome, kv->more,
                                           kv->result ? (struct str){0, 0} : buf_str(&kv->out)});
    }
    free(c);
}

bool kv_frame(struct slot *s, struct str payload)
{
    struct wire_kv k;
    if (wire_read_kv(payload, &k)) return false;
    if (s->kv_n >= WAITING_MOST || s->kv_bytes >= WAITING_BYTES) {
        answer(s, &(struct wire_kv_answer){.id = k.id, .result = ERR_BUSY});
        return true;
    }
    struct bot *b = s->generation->bot;
    size_t n = k.key.n + k.old.n + k.value.n;
    struct kv_call *c = mem_zalloc(sizeof *c + n);
    memcpy(c->bytes, k.key.p, n); /* they stand side by side in the frame */
    c->kv = (struct store_kv){.verb = k.verb, .bot = b->id, .key = {c->bytes, k.key.n},
                              .old = {c->bytes + k.key.n, k.old.n},
                              .value = {c->bytes + k.key.n + k.old.n, k.value.n}, .ttl_ms = k.ttl_ms, .by = k.by,
                              .limit = k.limit, .done = done, .user = c};
    c->id = k.id;
    c->slot = s;
    c->next = s->kv;
    if (s->kv) s->kv->prev = c;
    s->kv = c;
    s->kv_n++;
    s->kv_bytes += cost(c);
    store_kv(b->host->store, &c->kv);
    return true;
}

void kv_orphan(struct slot *s)
{
    for (struct kv_call *c = s->kv; c; c = c->next) c->slot = NULL;
    s->kv = NULL;
    s->kv_n = 0;
    s->kv_bytes = 0;
}
