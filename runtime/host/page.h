/* The page of memory a worker shares with the host: whom to blame when the worker dies or hangs, and its counters.
 * Anonymous memory behind an inherited descriptor; the host keeps its view after the worker is gone. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include "line/rates.h"

#define PAGE_FD 4           /* where a worker finds it */
#define RATES_FD 5          /* and the page of buckets, which all workers of a channel share; may be missing */
#define PAGE_VERSION 2
#define PAGE_OPERATIONS 160 /* rows of operations.def, and room; the last is line.request */
#define PAGE_HTTP (PAGE_OPERATIONS - 2) /* calls to other services, all in one row */
#define PAGE_STATUSES 14
#define PAGE_LOADING UINT64_MAX
#define PAGE_TIMER (UINT64_MAX - 1) /* a timer's function: no event is to blame */
#define PAGE_WEB (1ull << 63) /* a request of a route, with its id in the other bits: no event is to blame */

/* Status classes of the LINE calls, in this order; page_status() maps. */
#define PAGE_STATUS_NAMES                                                                                              \
    {"200", "202", "2xx", "400", "401", "403", "404", "409", "413", "429", "4xx", "5xx", "other", "error"}

struct worker_page {
    uint32_t version;
    _Atomic uint64_t runs;      /* +1 whenever Lua is entered from the loop and when it returns: odd while Lua runs */
    _Atomic uint64_t seq;       /* the event whose Lua runs (or ran last); PAGE_LOADING while the bot loads; PAGE_TIMER; PAGE_WEB | id */
    char timer[160];            /* where the timer was made whose function runs (or ran last): "bot.lua:12" */
    _Atomic uint64_t lua_bytes; /* memory of the Lua side */
    _Atomic uint64_t tasks;     /* coroutines alive */
    _Atomic uint64_t timers;    /* of line.after and line.every, waiting or running */
    _Atomic uint64_t calls[PAGE_OPERATIONS][PAGE_STATUSES];
    _Atomic uint64_t call_ns[PAGE_OPERATIONS];
};

struct rates_page {
    struct rate_bucket buckets[PAGE_OPERATIONS]; /* by row of operations.def */
};

static inline int page_status(int status) /* 0: no answer */
{
    switch (status) {
    case 200: return 0;
    case 202: return 1;
    case 400: return 3;
    case 401: return 4;
    case 403: return 5;
    case 404: return 6;
    case 409: return 7;
    case 413: return 8;
    case 429: return 9;
    case 0: return 13;
    }
    if (status >= 200 && status < 300) return 2;
    if (status >= 400 && status < 500) return 10;
    if (status >= 500 && status < 600) return 11;
    return 12;
}
