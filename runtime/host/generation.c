#include "host/generation.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/app.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/dispatch.h"
#include "host/kv.h"
#include "host/news.h"
#include "host/rates.h"
#include "host/snapshot.h"
#include "host/token.h"
#include "host/web.h"

#define NOT_NEEDED "no longer needed"  /* why a process that still loads is killed */
#define SUSPECTS_IDLE (2 * NS_PER_S)   /* the suspects' process leaves when it had nothing to do this long */
#define BACKOFF_FIRST (100 * NS_PER_MS)
#define BACKOFF_MOST (30 * NS_PER_S)
#define LOAD_GRACE (2 * NS_PER_S)      /* beyond --load-timeout, which the worker itself keeps, before it is killed */
#define CPU_GRACE (20 * NS_PER_MS)     /* beyond --cpu-limit: the worker notices within a tick of its timer */
#define LEAVE_GRACE (5 * NS_PER_S)     /* beyond twice --handler-limit, likewise: a timer may be due at its end */

static const struct options *options_of(const struct generation *g) { return g->bot->options; }

/* Doubles with every failure in a row. */
static int64_t backoff(uint32_t failures)
{
    int64_t ns = BACKOFF_FIRST << (failures > 9 ? 9 : failures);
    return ns < BACKOFF_MOST ? ns : BACKOFF_MOST;
}

/* ---- what a worker is told before START ---- */
struct setting_target {
    struct wire *wire;
};

static void send_setting(void *user, const char *name, const char *value)
{
    struct setting_target *t = user;
    wire_send_strings(t->wire, WIRE_SETTING, str_of(name), str_of(value));
}

static void send_source(void *user, struct str path, struct str bytes)
{
    struct setting_target *t = user;
    wire_send_strings(t->wire, WIRE_SOURCE, path, bytes.p ? bytes : STR(""));
}

static void send_start(struct slot *s)
{
    struct generation *g = s->generation;
    const struct bot *b = g->bot;
    struct setting_target t = {worker_process_wire(s->process)};
    char number[16], slot[16];
    snprintf(number, sizeof number, "%u", g->number);
    snprintf(slot, sizeof slot, "%u", s->index);
    options_each(options_of(g), send_setting, &t);
    const char *const settings[][2] = {
        {SETTING_BOT, b->name},         {SETTING_PATH, b->file},
        {SETTING_GENERATION, number},   {SETTING_SLOT, slot},
        {SETTING_MODE, "run"},          {SETTING_TOKEN, token_keeper_token(b->token)},
        {SETTING_RENEWS, token_keeper_renews(b->token) ? "yes" : "no"},
        {SETTING_CHANNEL, b->credentials->channel},
        {SETTING_API_BASE, b->credentials->api_base},
        {SETTING_DATA_API_BASE, b->credentials->data_api_base},
        {SETTING_MANAGER_API_BASE, b->credentials->manager_api_base},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) send_setting(&t, settings[i][0], settings[i][1]);
    if (b->app) {
        auto_free char *own = app_settings(b->host->app);
        send_setting(&t, SETTING_APP, b->app);
        send_setting(&t, SETTING_APP_SETTINGS, own);
    } else if (b->host->app) {
        send_setting(&t, SETTING_TRACE, b->host->app->lives ? "bodies" : "yes");
    }
    const char *at = b->credentials->secrets;
    for (struct str secret; (secret = credentials_next_secret(&at)).p;)
        wire_send_strings(t.wire, WIRE_SETTING, STR(SETTING_SECRET), secret);
    snapshot_each(g->snapshot, send_source, &t);
    wire_send(t.wire, WIRE_START, (struct str){"", 0});
}

/* ---- what a worker says ---- */
static void set_state(struct slot *s, enum slot_state state)
{
    s->state = state;
    s->since_ns = clock_ns();
}

static void ready(struct slot *s, uint32_t handlers)
{
    struct generation *g = s->generation;
    if (s->state != SLOT_LOADING) return;
    set_state(s, SLOT_READY);
    s->failures = 0;
    g->handlers = handlers;
    /* The first process has read the files; the others get its bytes. */
    if (s->index == 0 && g->state == GENERATION_LOADING)
        for (uint32_t i = 1; i + 1 < g->n_slots; i++) generation_start_slot(g, i);
    bot_slot_ready(s);
}

static void malformed(struct slot *s) { worker_process_kill(s->process, "malformed frame from the worker"); }

static void output(FILE *to, struct str bytes)
{
    fwrite(bytes.p, 1, bytes.n, to);
    fflush(to);
}

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct slot *s = user;
    struct generation *g = s->generation;
    struct wire_done done;
    struct str a, b;
    uint32_t n;
    switch (type) {
    case WIRE_DONE:
        if (wire_read_done(payload, &done)) return malformed(s);
        dispatch_done(g->bot->host->dispatch, s, &done);
        return;
    case WIRE_LOADED:
        if (wire_read_strings(payload, &a, &b)) return malformed(s);
        if (snapshot_add(g->snapshot, a, b)) LOG(WARN, "more Lua than a generation may hold; restarts read the disk", F_VIEW("file", a));
        bot_file_reported(g, a);
        return;
    case WIRE_PROBED:
        if (wire_read_strings(payload, &a, NULL)) return malformed(s);
        snapshot_probe(g->snapshot, a);
        bot_file_reported(g, a);
        return;
    case WIRE_READY:
        if (wire_read_u32(payload, &n)) return malformed(s);
        return ready(s, n);
    case WIRE_KV:
        if (!kv_frame(s, payload)) malformed(s);
        return;
    case WIRE_WEB_ROUTES:
        if (wire_read_u32(payload, &n)) return malformed(s);
        g->web_routes = n;
        return;
    case WIRE_WEB_ANSWER:
    case WIRE_WEB_DATA:
    case WIRE_WEB_CUT:
        if (!web_frame(s, type, payload)) malformed(s);
        return;
    case WIRE_REFUSED:
        if (wire_read_strings(payload, &a, NULL)) return malformed(s);
        return bot_refused(g, a);
    case WIRE_RENEW:
        if (wire_read_strings(payload, &a, NULL)) return malformed(s);
        return token_keeper_refused(g->bot->token, a);
    case WIRE_TRACE:
        if (wire_read_strings(payload, &a, NULL)) return malformed(s);
        return app_news(g->bot->host, a);
    case WIRE_OUTPUT:
        if (!g->bot->app || wire_read_strings(payload, &a, &b)) return malformed(s);
        return output(str_is(a, "err") ? stderr : stdout, b);
    case WIRE_REPORT:
    case WIRE_BYE:
        return;
    default:
        return malformed(s);
    }
}

/* It was leaving, and did not get to its end. Its events begin anew, but what timers and spawned functions were about ends
 * here. */
static void tell_cut_off(const struct slot *s, const struct worker_end *end)
{
    const struct generation *g = s->generation;
    const struct worker_page *page = worker_process_page(s->process);
    uint64_t tasks = atomic_load(&page->tasks), n_timers = atomic_load(&page->timers);
    if (strcmp(end->why, NOT_NEEDED) == 0 || g->bot->app || (!tasks && !n_timers)) return;
    LOG(WARN, "worker ended with what still ran", F_STR("bot", g->bot->name), F_INT("generation", g->number),
        F_INT("worker", s->index), F_STR("reason", end->why), F_INT("events", s->n_running), F_INT("functions", tasks),
        F_INT("timers", n_timers), F_STR("timer", *end->timer ? end->timer : NULL));
}

static void gone_cb(void *user, const struct worker_end *end)
{
    struct slot *s = user;
    struct generation *g = s->generation;
    struct host *h = g->bot->host;
    bool was_ready = s->state == SLOT_READY, asked = s->state == SLOT_LEAVING;
    metrics_take_page(&h->metrics, worker_process_page(s->process));
    if (!asked) {
        h->metrics.restarts++;
        LOG(ERROR, "worker lost", F_STR("bot", g->bot->name), F_INT("generation", g->number), F_INT("worker", s->index),
            F_INT("pid", worker_process_pid(s->process)), F_STR("reason", end->why), F_INT("events", s->n_running),
            F_INT("requests", s->web_n), F_STR("timer", *end->timer ? end->timer : NULL));
    } else if (!end->clean) {
        tell_cut_off(s, end);
    }
    s->process = NULL;
    kv_orphan(s);
    web_slot_lost(s, end);
    set_state(s, SLOT_EMPTY);
    if (!was_ready && !asked) s->failures++;
    s->retry_at_ns = asked || was_ready ? 0 : clock_ns() + backoff(s->failures - 1);
    dispatch_lost(h->dispatch, s, end);
    bot_slot_gone(s, end); /* may free g */
}

/* ---- life ---- */
bool generation_start_slot(struct generation *g, uint32_t index)
{
    struct slot *s = &g->slots[index];
    char label[160], error[256];
    snprintf(label, sizeof label, "%s generation %u", g->bot->name, g->number);
    s->retry_at_ns = 0;
    s->idle_since_ns = 0;
    const struct worker_process_callbacks cb = {frame_cb, gone_cb, rates_fd(g->bot)};
    if (worker_process_start(g->bot->host->loop, label, &cb, s, &s->process, error, sizeof error)) {
        LOG(ERROR, error, F_STR("bot", g->bot->name), F_INT("generation", g->number));
        s->retry_at_ns = clock_ns() + backoff(s->failures++);
        return false;
    }
    set_state(s, SLOT_LOADING);
    web_slot_started(s);
    send_start(s);
    return true;
}

struct generation *generation_start(struct bot *bot, uint32_t number)
{
    struct generation *g = mem_zalloc(sizeof *g);
    g->bot = bot;
    g->number = number;
    g->snapshot = snapshot_new();
    g->n_slots = (uint32_t)bot->options->workers + 1;
    g->slots = mem_zalloc(g->n_slots * sizeof *g->slots);
    g->started_ns = clock_ns();
    for (uint32_t i = 0; i < g->n_slots; i++) g->slots[i] = (struct slot){.generation = g, .index = i};
    generation_start_slot(g, 0);
    return g;
}

void generation_tell(struct generation *g, enum wire_type type, struct str a, struct str b)
{
    struct str none = {"", 0};
    for (uint32_t i = 0; i < g->n_slots; i++)
        if (g->slots[i].process) wire_send_strings(worker_process_wire(g->slots[i].process), type, a.p ? a : none, b.p ? b : none);
}

bool generation_idle(const struct generation *g)
{
    for (uint32_t i = 0; i < g->n_slots; i++)
        if (g->slots[i].process) return false;
    return true;
}

static void leave_slot(struct slot *s, int64_t patience_ms)
{
    if (s->state == SLOT_READY || s->state == SLOT_LEAVING) {
        if (s->state == SLOT_READY) set_state(s, SLOT_LEAVING);
        wire_send_u32(worker_process_wire(s->process), WIRE_LEAVE, (uint32_t)patience_ms);
    } else if (s->state == SLOT_LOADING) {
        set_state(s, SLOT_LEAVING);
        worker_process_kill(s->process, NOT_NEEDED);
    }
    s->retry_at_ns = 0;
}

void generation_leave(struct generation *g, int64_t patience_ms)
{
    g->state = GENERATION_LEAVING;
    for (uint32_t i = 0; i < g->n_slots; i++) leave_slot(&g->slots[i], patience_ms);
}

void generation_kill(struct generation *g, const char *why)
{
    g->state = GENERATION_LEAVING;
    for (uint32_t i = 0; i < g->n_slots; i++) {
        g->slots[i].retry_at_ns = 0;
        if (!g->slots[i].process) continue;
        set_state(&g->slots[i], SLOT_LEAVING);
        worker_process_kill(g->slots[i].process, why);
    }
}

static bool is_suspects(const struct slot *s) { return s->index + 1 == s->generation->n_slots; }

/* The extra process costs memory; it goes when nobody is under suspicion any more, and no timer of theirs is pending. */
static void tick_suspects(struct slot *s, int64_t now)
{
    bool timed = s->state == SLOT_READY && atomic_load(&worker_process_page(s->process)->timers);
    bool busy = timed || s->n_running || dispatch_wants(s->generation->bot, s->index);
    if (busy || s->state != SLOT_READY) s->idle_since_ns = 0;
    else if (!s->idle_since_ns) s->idle_since_ns = now;
    else if (now - s->idle_since_ns > SUSPECTS_IDLE) leave_slot(s, options_of(s->generation)->handler_limit);
}

/* A worker ends endless Lua by itself once it has used --cpu-limit. One that has used clearly more is stuck where it
 * cannot: it need not use all of --hang-timeout as well, which takes long on a busy machine while others wait. */
static bool watch(struct slot *s, const struct options *o)
{
    int64_t hang = o->hang_timeout * NS_PER_MS, cpu = o->cpu_limit * NS_PER_MS, busy = cpu + cpu / 10 + CPU_GRACE;
    return worker_process_watch(s->process, hang, busy < hang ? busy : hang);
}

static void tick_slot(struct slot *s, int64_t now)
{
    const struct options *o = options_of(s->generation);
    switch (s->state) {
    case SLOT_EMPTY:
        if (s->retry_at_ns && now >= s->retry_at_ns && s->generation->state != GENERATION_LEAVING &&
            (!is_suspects(s) || dispatch_wants(s->generation->bot, s->index)))
            generation_start_slot(s->generation, s->index);
        return;
    case SLOT_LOADING:
        if (now - s->since_ns > o->load_timeout * NS_PER_MS * 2 + LOAD_GRACE)
            worker_process_kill(s->process, "took too long to load (--load-timeout)");
        return;
    case SLOT_READY:
        watch(s, o);
        if (is_suspects(s)) tick_suspects(s, now);
        return;
    case SLOT_LEAVING:
        if (watch(s, o)) return;
        if (now - s->since_ns > o->handler_limit * NS_PER_MS * 2 + LEAVE_GRACE)
            worker_process_kill(s->process, "did not leave in time (--handler-limit)");
        return;
    }
}

void generation_tick(struct generation *g, int64_t now_ns)
{
    for (uint32_t i = 0; i < g->n_slots; i++) tick_slot(&g->slots[i], now_ns);
}
