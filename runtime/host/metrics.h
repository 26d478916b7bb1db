/* Counters of the host, and their Prometheus text form. Counters of workers that are gone are added up here; those of
 * live ones are read from their pages. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "host/page.h"

#define METRICS_BUCKETS 20 /* handler time: bucket i counts below 2^i * 100 µs; the last all above */

struct host;
struct metrics {
    uint64_t webhooks[600];  /* by HTTP status; [0]: the client left before an answer */
    uint64_t web[600];       /* requests of routes, likewise */
    uint64_t rejected_signatures[8]; /* by enum signature_result */
    uint64_t verify;
    uint64_t duplicates, done, unhandled, failed, quarantined, dropped, retried;
    uint64_t handler_count, handler_us_sum, handler_buckets[METRICS_BUCKETS];
    uint64_t restarts;       /* workers that ended without being asked to */
    uint64_t calls[PAGE_OPERATIONS][PAGE_STATUSES]; /* of workers that are gone */
    uint64_t call_ns[PAGE_OPERATIONS];
};

void metrics_handler_time(struct metrics *m, uint64_t micros);
/* Add up the page of a worker that is gone. */
void metrics_take_page(struct metrics *m, const struct worker_page *page);
/* The whole page; counts come from a store_admin call made just before. */
struct store_counts;
void metrics_write(const struct host *h, const struct store_counts *counts, struct buf *out);
