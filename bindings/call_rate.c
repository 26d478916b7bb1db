/* Whose turn it is. A call takes from the bucket of its operation, which all workers of the channel share; far from the
 * limit that is one compare-and-swap. When the bucket is empty, calls stand in line here, and only the first of the line
 * holds a place in the bucket's time: so workers take turns, whatever the length of their lines. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "bindings/call_private.h"
#include "host/page.h"
#include "line/rates.h"

static struct rates_page own, *page = &own; /* own: of a worker that shares with nobody */
static struct call_list lines[PAGE_OPERATIONS];
static struct rate rates[PAGE_OPERATIONS];
static bool known[PAGE_OPERATIONS];

void call_rates_open(int fd)
{
    struct stat st;
    if (fstat(fd, &st) || st.st_size != sizeof *page) return;
    void *p = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) page = p;
}

static struct rate rate_for(unsigned row)
{
    if (!known[row]) {
        const struct operation_limit *limit = &operations[row].limit;
        if (row < operations_n && worker_get()->options.api_rates) rates[row] = rate_of(limit->calls, limit->seconds);
        known[row] = true; /* line.request has no row, and no limit of ours; --no-api-rates: no operation has */
    }
    return rates[row];
}

/* The wait would outlast the call: better told at once, with how long it would be. */
static void refuse(struct api_call *c, int64_t wait_ns)
{
    char text[160];
    c->retry_after_ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
    snprintf(text, sizeof text, "the rate limit of this operation (%u calls in %u s) is used up; it may be called again in %.1f s",
             operations[c->row].limit.calls, operations[c->row].limit.seconds, (double)c->retry_after_ms / 1000);
    call_give_up(c, "rate", text);
}

static void turn_came(struct api_call *c);

/* ns until the call may go, reserved; negative: longer than its patience. */
static int64_t reserve(struct api_call *c)
{
    return rate_take(&page->buckets[c->row], rate_for(c->row), clock_ns(), call_patience_ms(c) * NS_PER_MS);
}

/* The first of the line gets its place in time; those whose time has come go. */
static void pump(unsigned row)
{
    for (struct api_call *c; (c = lines[row].first) && !c->reserved;) {
        int64_t wait = reserve(c);
        if (wait > 0) {
            c->reserved = true;
            call_later(c, (wait + NS_PER_MS - 1) / NS_PER_MS, turn_came);
            return;
        }
        call_list_remove(c);
        if (wait < 0) refuse(c, -wait);
        else call_attempt(c);
    }
}

static void turn_came(struct api_call *c)
{
    unsigned row = c->row;
    c->reserved = false;
    call_list_remove(c);
    call_attempt(c);
    pump(row);
}

void call_rate_left(unsigned row) { pump(row); }

bool call_rate_turn(struct api_call *c)
{
    struct rate r = rate_for(c->row);
    struct call_list *line = &lines[c->row];
    if (!r.interval_ns) return true;
    if (!line->first) {
        int64_t wait = reserve(c);
        if (wait == 0) return true;
        if (wait < 0) {
            refuse(c, -wait);
            return false;
        }
        call_list_add(line, c);
        c->reserved = true;
        call_later(c, (wait + NS_PER_MS - 1) / NS_PER_MS, turn_came);
        return false;
    }
    int64_t least = (int64_t)line->n * r.interval_ns;
    if (least > call_patience_ms(c) * NS_PER_MS) refuse(c, least);
    else call_list_add(line, c);
    return false;
}

void call_rate_exceeded(const struct api_call *c)
{
    if (rate_for(c->row).interval_ns) rate_drain(&page->buckets[c->row], rate_for(c->row), clock_ns());
}
