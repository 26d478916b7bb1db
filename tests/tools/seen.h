/* Have I seen this before? A set of 64-bit hashes that forgets the oldest half when it is full, so memory is bounded:
 * it remembers at least the last `limit` entries, at 16 to 32 bytes each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

struct seen {
    uint64_t *now, *before; /* open addressing, 0 is empty; `before` is the half that is forgotten next */
    size_t mask, n, limit;
};

static inline uint64_t seen_mix(uint64_t x) /* splitmix64's finisher: every input bit reaches every output bit */
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t seen_hash(struct str s, uint64_t kind) /* kind keeps reply tokens and retry keys apart */
{
    uint64_t h = seen_mix(kind + s.n + 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < s.n; i += 8) {
        uint64_t w = 0;
        memcpy(&w, s.p + i, s.n - i < 8 ? s.n - i : 8);
        h = seen_mix(h ^ w) + 0x9e3779b97f4a7c15u;
    }
    return h ? h : 1;
}

static inline void seen_init(struct seen *s, size_t limit)
{
    size_t size = 1024;
    while (size < limit * 2)
        size *= 2;
    *s = (struct seen){mem_zalloc(size * sizeof(uint64_t)), NULL, size - 1, 0, limit};
}

static inline bool seen_find(const uint64_t *table, size_t mask, uint64_t h, size_t *ret_place)
{
    size_t i = h & mask;
    while (table[i] && table[i] != h)
        i = (i + 1) & mask;
    *ret_place = i;
    return table[i] == h;
}

static inline bool seen_has(const struct seen *s, uint64_t h)
{
    size_t place;
    return seen_find(s->now, s->mask, h, &place) || (s->before && seen_find(s->before, s->mask, h, &place));
}

static inline void seen_add(struct seen *s, uint64_t h)
{
    size_t place;
    if (seen_find(s->now, s->mask, h, &place))
        return;
    if (s->n == s->limit) {
        uint64_t *old = s->before;
        s->before = s->now;
        if (old)
            memset(old, 0, (s->mask + 1) * sizeof *old);
        s->now = old ? old : mem_zalloc((s->mask + 1) * sizeof(uint64_t));
        s->n = 0;
        seen_find(s->now, s->mask, h, &place);
    }
    s->now[place] = h;
    s->n++;
}
