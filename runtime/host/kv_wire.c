#include "host/kv_wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* Fixed parts of the payloads: id, verb, ttl, by, limit, lengths of key and old; id, result, outcome, more. */
#define ASK_FIXED (8 + 1 + 8 + 8 + 4 + 4 + 4)
#define ANSWER_FIXED (8 + 4 + 1 + 1)

static char *put(char *p, const void *v, size_t n)
{
    if (n) memcpy(p, v, n);
    return p + n;
}

static const char *take(const char *p, void *v, size_t n)
{
    memcpy(v, p, n);
    return p + n;
}

int wire_send_kv(struct wire *w, const struct wire_kv *k)
{
    size_t n = ASK_FIXED + k->key.n + k->old.n + k->value.n;
    auto_free char *payload = mem_alloc(n);
    uint8_t verb = (uint8_t)k->verb;
    uint32_t key_n = (uint32_t)k->key.n, old_n = (uint32_t)k->old.n;
    char *p = put(payload, &k->id, 8);
    p = put(p, &verb, 1);
    p = put(p, &k->ttl_ms, 8);
    p = put(p, &k->by, 8);
    p = put(p, &k->limit, 4);
    p = put(p, &key_n, 4);
    p = put(p, &old_n, 4);
    p = put(p, k->key.p, k->key.n);
    p = put(p, k->old.p, k->old.n);
    put(p, k->value.p, k->value.n); /* to the end of the payload */
    return wire_send(w, WIRE_KV, (struct str){payload, n});
}

int wire_read_kv(struct str payload, struct wire_kv *ret)
{
    struct wire_kv k = {0};
    uint8_t verb;
    uint32_t key_n, old_n;
    if (payload.n < ASK_FIXED) return ERR_SYNTAX;
    const char *p = take(payload.p, &k.id, 8);
    p = take(p, &verb, 1);
    p = take(p, &k.ttl_ms, 8);
    p = take(p, &k.by, 8);
    p = take(p, &k.limit, 4);
    p = take(p, &key_n, 4);
    p = take(p, &old_n, 4);
    size_t rest = payload.n - ASK_FIXED;
    if (verb >= KV_VERBS || key_n > KV_KEY_MOST || key_n > rest || k.ttl_ms < 0) return ERR_SYNTAX;
    rest -= key_n;
    if (old_n > rest || old_n > (verb == KV_SWAP ? KV_VALUE_MOST + 1 : 0)) return ERR_SYNTAX;
    k.verb = (enum kv_verb)verb;
    k.key = (struct str){p, key_n};
    k.old = (struct str){p + key_n, old_n};
    k.value = (struct str){p + key_n + old_n, rest - old_n};
    bool lists = k.verb == KV_LIST;
    if (!lists && !k.key.n) return ERR_SYNTAX;
    if (lists && (k.limit == 0 || k.limit > KV_LIST_MOST)) return ERR_SYNTAX;
    if (k.value.n > (lists ? KV_KEY_MOST : KV_VALUE_MOST + 1)) return ERR_SYNTAX;
    *ret = k;
    return 0;
}

int wire_send_kv_answer(struct wire *w, const struct wire_kv_answer *a)
{
    size_t n = ANSWER_FIXED + a->out.n;
    auto_free char *payload = mem_alloc(n);
    int32_t result = a->result;
    uint8_t outcome = (uint8_t)a->outcome, more = a->more;
    char *p = put(payload, &a->id, 8);
    p = put(p, &result, 4);
    p = put(p, &outcome, 1);
    p = put(p, &more, 1);
    put(p, a->out.p, a->out.n);
    return wire_send(w, WIRE_KV_ANSWER, (struct str){payload, n});
}

int wire_read_kv_answer(struct str payload, struct wire_kv_answer *ret)
{
    struct wire_kv_answer a = {0};
    int32_t result;
    uint8_t outcome, more;
    if (payload.n < ANSWER_FIXED) return ERR_SYNTAX;
    const char *p = take(payload.p, &a.id, 8);
    p = take(p, &result, 4);
    p = take(p, &outcome, 1);
    p = take(p, &more, 1);
    if (outcome >= KV_OUTCOMES || more > 1) return ERR_SYNTAX;
    a.result = result;
    a.outcome = (enum kv_outcome)outcome;
    a.more = more;
    a.out = (struct str){p, payload.n - ANSWER_FIXED};
    *ret = a;
    return 0;
}
