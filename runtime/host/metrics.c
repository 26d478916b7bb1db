#include "host/metrics.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/bot.h"
#include "host/dispatch.h"
#include "host/host.h"
#include "line/operations.h"

void metrics_handler_time(struct metrics *m, uint64_t micros)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS - 1 && micros >= 100u << i) i++;
    m->handler_buckets[i]++;
    m->handler_count++;
    m->handler_us_sum += micros;
}

static void add_page(uint64_t calls[PAGE_OPERATIONS][PAGE_STATUSES], uint64_t *ns, const struct worker_page *page)
{
    for (size_t op = 0; op < PAGE_OPERATIONS; op++) {
        for (size_t s = 0; s < PAGE_STATUSES; s++) calls[op][s] += atomic_load(&page->calls[op][s]);
        ns[op] += atomic_load(&page->call_ns[op]);
    }
}

void metrics_take_page(struct metrics *m, const struct worker_page *page) { add_page(m->calls, m->call_ns, page); }

/* ---- the text ---- */
static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP moonline_%s %s\n# TYPE moonline_%s %s\n", name, help, name, type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    buf_printf(out, "moonline_%s %.15g\n", name, value);
}

static void histogram(struct buf *out, const char *name, const char *help, const uint64_t *buckets, size_t n, double first,
                      uint64_t count, double sum)
{
    uint64_t below = 0;
    head(out, name, "histogram", help);
    for (size_t i = 0; i + 1 < n; i++) {
        below += buckets[i];
        buf_printf(out, "moonline_%s_bucket{le=\"%g\"} %llu\n", name, first * (double)(1u << i), (unsigned long long)below);
    }
    buf_printf(out, "moonline_%s_bucket{le=\"+Inf\"} %llu\nmoonline_%s_sum %.9g\nmoonline_%s_count %llu\n", name,
               (unsigned long long)count, name, sum, name, (unsigned long long)count);
}

static void write_webhooks(const struct host *h, struct buf *out)
{
    const struct metrics *m = &h->metrics;
    head(out, "webhooks_total", "counter", "Requests to a bot's webhook by the status they were answered with; 0: the client left.");
    for (size_t i = 0; i < 600; i++)
        if (m->webhooks[i]) buf_printf(out, "moonline_webhooks_total{status=\"%zu\"} %llu\n", i, (unsigned long long)m->webhooks[i]);
    head(out, "web_requests_total", "counter", "Requests of the bots' own routes by status; 0: the client left.");
    for (size_t i = 0; i < 600; i++)
        if (m->web[i]) buf_printf(out, "moonline_web_requests_total{status=\"%zu\"} %llu\n", i, (unsigned long long)m->web[i]);
    one(out, "verify_total", "counter", "Webhooks without events, as the console's Verify button sends.", (double)m->verify);
    static const char *const names[] = {"done", "unhandled", "failed", "quarantined", "duplicate", "dropped", "retried"};
    const uint64_t values[] = {m->done, m->unhandled, m->failed, m->quarantined, m->duplicates, m->dropped, m->retried};
    head(out, "events_total", "counter", "Events by what became of them.");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        buf_printf(out, "moonline_events_total{outcome=\"%s\"} %llu\n", names[i], (unsigned long long)values[i]);
}

static void write_queue(const struct host *h, const struct store_counts *c, struct buf *out)
{
    double age = c->oldest_ms ? (double)(clock_wall_ms() - c->oldest_ms) / 1000 : 0;
    one(out, "events_waiting", "gauge", "Events accepted and not finished, running ones included.", (double)c->waiting);
    one(out, "oldest_event_seconds", "gauge", "Age of the oldest of them.", age > 0 ? age : 0);
    one(out, "events_in_memory", "gauge", "Those that are in memory.", (double)dispatch_loaded(h->dispatch));
    one(out, "events_running", "gauge", "Those that are being handled.", (double)dispatch_running(h->dispatch));
    head(out, "events_kept", "gauge", "Events set aside, for moonline event to look at.");
    buf_printf(out, "moonline_events_kept{state=\"failed\"} %llu\nmoonline_events_kept{state=\"quarantined\"} %llu\n",
               (unsigned long long)c->failed, (unsigned long long)c->quarantined);
}

static void write_times(const struct host *h, struct buf *out)
{
    const struct metrics *m = &h->metrics;
    struct store_health s;
    store_health(h->store, &s);
    histogram(out, "commit_seconds", "Time a commit of the store took.", s.commit_buckets,
              sizeof s.commit_buckets / sizeof *s.commit_buckets, 62.5e-6, s.commits, (double)s.commit_ns_sum / 1e9);
    histogram(out, "handler_seconds", "Time from the start of an event's handler to its end, waits included.", m->handler_buckets,
              METRICS_BUCKETS, 100e-6, m->handler_count, (double)m->handler_us_sum / 1e6);
}

/* What live workers contribute, by state. */
struct living {
    uint64_t calls[PAGE_OPERATIONS][PAGE_STATUSES], ns[PAGE_OPERATIONS];
    uint64_t lua_bytes, tasks, timers;
    int64_t resident;
};

static void look_at(struct living *l, const struct generation *g, unsigned states[4])
{
    for (uint32_t i = 0; g && i < g->n_slots; i++) {
        const struct slot *s = &g->slots[i];
        if (!s->process) continue;
        states[s->state]++;
        const struct worker_page *page = worker_process_page(s->process);
        add_page(l->calls, l->ns, page);
        l->lua_bytes += atomic_load(&page->lua_bytes);
        l->tasks += atomic_load(&page->tasks);
        l->timers += atomic_load(&page->timers);
        l->resident += worker_process_resident(s->process);
    }
}

static void write_bots(const struct host *h, struct living *l, struct buf *out)
{
    static const char *const state_names[] = {"", "loading", "ready", "leaving"};
    head(out, "workers", "gauge", "Worker processes by state.");
    for (size_t i = 0; i < h->n_bots; i++) {
        const struct bot *b = h->bots[i];
        unsigned states[4] = {0};
        look_at(l, b->current, states);
        look_at(l, b->next, states);
        for (const struct generation *g = b->leaving; g; g = g->next) look_at(l, g, states);
        for (size_t s = 1; s < 4; s++)
            buf_printf(out, "moonline_workers{bot=\"%s\",state=\"%s\"} %u\n", b->name, state_names[s], states[s]);
    }
    head(out, "generation", "gauge", "Number of the generation that serves; 0: none.");
    for (size_t i = 0; i < h->n_bots; i++)
        buf_printf(out, "moonline_generation{bot=\"%s\"} %u\n", h->bots[i]->name, h->bots[i]->current ? h->bots[i]->current->number : 0);
    head(out, "reloads_total", "counter", "Generations loaded after the first, and those that were refused.");
    for (size_t i = 0; i < h->n_bots; i++)
        for (int refused = 0; refused < 2; refused++)
            buf_printf(out, "moonline_reloads_total{bot=\"%s\",result=\"%s\"} %llu\n", h->bots[i]->name, refused ? "refused" : "ok",
                       (unsigned long long)(refused ? h->bots[i]->reloads_refused : h->bots[i]->reloads_ok));
    one(out, "worker_restarts_total", "counter", "Workers that ended without being asked to.", (double)h->metrics.restarts);
}

static const char *operation_name(size_t op)
{
    return op < operations_n ? operations[op].name : op == PAGE_HTTP ? "http" : "request";
}

static void write_calls(const struct metrics *m, const struct living *l, struct buf *out)
{
    static const char *const status[] = PAGE_STATUS_NAMES;
    head(out, "line_calls_total", "counter", "Calls of LINE by operation and status; error: there was no answer.");
    for (size_t op = 0; op < PAGE_OPERATIONS; op++)
        for (size_t s = 0; s < PAGE_STATUSES; s++) {
            uint64_t n = m->calls[op][s] + l->calls[op][s];
            if (!n) continue;
            buf_printf(out, "moonline_line_calls_total{operation=\"%s\",status=\"%s\"} %llu\n", operation_name(op), status[s],
                       (unsigned long long)n);
        }
    head(out, "line_call_seconds_total", "counter", "Time spent in them.");
    for (size_t op = 0; op < PAGE_OPERATIONS; op++) {
        uint64_t ns = m->call_ns[op] + l->ns[op];
        if (ns) buf_printf(out, "moonline_line_call_seconds_total{operation=\"%s\"} %.9g\n", operation_name(op), (double)ns / 1e9);
    }
}

static int64_t own_resident(void)
{
    long long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%lld %lld", &total, &resident) != 2) resident = 0;
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

void metrics_write(const struct host *h, const struct store_counts *counts, struct buf *out)
{
    struct living l = {0};
    write_webhooks(h, out);
    write_queue(h, counts, out);
    write_times(h, out);
    write_bots(h, &l, out);
    write_calls(&h->metrics, &l, out);
    one(out, "lua_memory_bytes", "gauge", "Memory of the Lua side of all workers.", (double)l.lua_bytes);
    one(out, "tasks", "gauge", "Lua coroutines alive in all workers.", (double)l.tasks);
    one(out, "timers", "gauge", "Timers that wait or run in all workers.", (double)l.timers);
    head(out, "resident_memory_bytes", "gauge", "Memory resident, shared pages counted in both.");
    buf_printf(out, "moonline_resident_memory_bytes{process=\"host\"} %lld\nmoonline_resident_memory_bytes{process=\"workers\"} %lld\n",
               (long long)own_resident(), (long long)l.resident);
    one(out, "connections", "gauge", "Connections to the webhook listener.", h->server ? (double)http_server_connections(h->server) : 0);
}
