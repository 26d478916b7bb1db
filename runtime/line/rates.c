#include "line/rates.h"

#define NS 1000000000LL

struct rate rate_of(uint32_t calls, uint32_t seconds)
{
    if (!calls || !seconds) return (struct rate){0, 0};
    return (struct rate){NS * seconds / calls, NS * seconds};
}

int64_t rate_take(struct rate_bucket *b, struct rate r, int64_t now_ns, int64_t patience_ns)
{
    int64_t full = atomic_load_explicit(&b->full_ns, memory_order_relaxed);
    if (!r.interval_ns) return 0;
    for (;;) {
        int64_t next = (full > now_ns ? full : now_ns) + r.interval_ns, wait = next - r.window_ns - now_ns;
        if (wait > patience_ns) return -wait;
        if (atomic_compare_exchange_weak_explicit(&b->full_ns, &full, next, memory_order_relaxed, memory_order_relaxed))
            return wait > 0 ? wait : 0;
    }
}

void rate_drain(struct rate_bucket *b, struct rate r, int64_t now_ns)
{
    int64_t full = atomic_load_explicit(&b->full_ns, memory_order_relaxed), empty = now_ns + r.window_ns;
    while (full < empty && !atomic_compare_exchange_weak_explicit(&b->full_ns, &full, empty, memory_order_relaxed,
                                                                  memory_order_relaxed))
        ;
}
