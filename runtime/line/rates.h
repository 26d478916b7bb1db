/* Token buckets that several processes take from at once, without locks and without a word between them: a bucket is
 * one number in shared memory, the time at which it would be full again (the generic cell rate algorithm). Taking is one
 * compare-and-swap. Whoever finds the bucket empty reserves its place in time and waits for it.
 *
 * LINE publishes limits, not the size of its buckets. Ours hold as much as the limit's own time brings: 2,000 calls of a
 * limit of 2,000 a second may go at once, and then they go evenly. Where LINE is stricter its 429 empties the bucket. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

struct rate_bucket {
    _Atomic int64_t full_ns; /* monotonic clock, the same for all processes of a machine; 0: full */
};

struct rate {
    int64_t interval_ns; /* between two calls, once the bucket is empty */
    int64_t window_ns;   /* what a full bucket holds, as time: calls at once × interval */
};

/* calls in that many seconds; 0 calls: no limit. */
struct rate rate_of(uint32_t calls, uint32_t seconds);

/* Take one. Returns ns to wait until it may be used, 0: at once. If that were longer than patience_ns nothing is taken
 * and the wait comes back negative. */
int64_t rate_take(struct rate_bucket *b, struct rate r, int64_t now_ns, int64_t patience_ns);

/* LINE has refused a call for its rate: whatever we counted, the bucket is empty now. */
void rate_drain(struct rate_bucket *b, struct rate r, int64_t now_ns);
