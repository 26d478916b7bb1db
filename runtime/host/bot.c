#include "host/bot.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/app.h"
#include "host/credentials.h"
#include "host/dispatch.h"
#include "host/news.h"
#include "host/rates.h"
#include "host/snapshot.h"
#include "host/token.h"
#include "net/file_watch.h"

#define SETTLE_MS 5                      /* a save is often several changes; gather them this long */
#define LOADING_PATIENCE (1 * NS_PER_S)  /* a newer save replaces a load that takes longer */
#define RETRY_FIRST (500 * NS_PER_MS)    /* loading again while nothing serves */
#define RETRY_MOST (30 * NS_PER_S)

/* ---- finding out what a path means ---- */
static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *stem(const char *path) /* "a/echo.lua" -> "echo" */
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t n = strlen(base);
    if (n > 4 && strcmp(base + n - 4, ".lua") == 0) n -= 4;
    return mem_strndup(base, n);
}

struct bot *bot_new(struct host *h, const char *path, char *error, size_t n)
{
    auto_free char *real = realpath(path, NULL);
    if (!real) {
        snprintf(error, n, "%s: %s", path, strerror(errno));
        return NULL;
    }
    auto_free char *file = is_dir(real) ? mem_printf("%s/bot.lua", real) : mem_strdup(real);
    if (access(file, R_OK)) {
        snprintf(error, n, "%s: %s; a bot is a Lua file, or a folder with bot.lua", file, strerror(errno));
        return NULL;
    }
    struct bot *b = mem_zalloc(sizeof *b);
    b->host = h;
    b->options = h->options;
    b->name = stem(real);
    b->file = mem_strdup(file);
    auto_free char *copy = mem_strdup(file);
    b->dir = mem_strdup(dirname(copy));
    b->credentials = h->app ? app_credentials(h->app) : NULL;
    b->fixed = b->credentials != NULL;
    if (!b->fixed) b->credentials = credentials_read(b->dir, b->name, error, n);
    b->settle_closed = true;
    if (b->credentials) return b;
    bot_free(b);
    return NULL;
}

struct bot *bot_new_app(struct host *h, const char *module, const struct options *o, char *error, size_t n)
{
    auto_free char *here = realpath(".", NULL);
    if (!here) {
        snprintf(error, n, "the current folder: %s", strerror(errno));
        return NULL;
    }
    struct bot *b = mem_zalloc(sizeof *b);
    b->host = h;
    b->options = o;
    b->app = module;
    b->name = mem_strdup(module);
    b->file = mem_printf("%s/", here);
    b->dir = mem_strdup(here);
    b->route = mem_strdup(""); /* no path is that one */
    b->credentials = credentials_fixed("", "", "");
    b->fixed = b->settle_closed = true;
    return b;
}

void bot_free(struct bot *b)
{
    credentials_unref(b->credentials);
    snapshot_free(b->refused_snapshot);
    rates_close(b);
    free(b->name);
    free(b->file);
    free(b->dir);
    free(b->route);
    free(b->refused);
    free(b);
}

/* ---- generations over time ---- */
struct slot *bot_slot(struct bot *b, uint32_t index) { return b->current ? &b->current->slots[index] : NULL; }

static void generation_free(struct generation *g)
{
    snapshot_free(g->snapshot);
    free(g->slots);
    free(g);
}

static void start_next(struct bot *b)
{
    b->again = false;
    b->retry_at_ns = 0;
    b->unasked = false;
    b->next = generation_start(b, ++b->generation);
}

/* When it stops, ms: an application's timers have nobody left to be for. */
static int64_t patience(const struct bot *b) { return b->app ? 0 : b->host->options->drain; }

/* What timers of it bring soon is still done by it: later than a handler may take nobody waits. */
static void retire(struct bot *b, struct generation *g)
{
    if (!g) return;
    g->next = b->leaving;
    b->leaving = g;
    generation_leave(g, b->host->stopping ? patience(b) : b->host->options->handler_limit);
}

/* Generations that have left. Not called from within their own callbacks' frames: bot_slot_gone is the last thing. */
static void bury(struct bot *b)
{
    for (struct generation **at = &b->leaving; *at;) {
        struct generation *g = *at;
        if (!generation_idle(g)) {
            at = &g->next;
            continue;
        }
        *at = g->next;
        generation_free(g);
    }
}

void bot_reload(struct bot *b, const char *why)
{
    if (b->host->stopping) return;
    if (b->next) {
        b->again = true; /* what it reads may be old or new; so once more when it is through, or now if that takes long */
        if (clock_ns() - b->next->started_ns < LOADING_PATIENCE) return;
        struct generation *slow = b->next;
        b->next = NULL;
        retire(b, slow);
    }
    LOG(INFO, "loading", F_STR("bot", b->name), F_INT("generation", b->generation + 1), F_STR("reason", why));
    start_next(b);
}

static bool all_ready(const struct generation *g)
{
    for (uint32_t i = 0; i + 1 < g->n_slots; i++)
        if (g->slots[i].state != SLOT_READY) return false;
    return true;
}

/* The moment of change: new events go to g from here on; the old generation finishes what it has. */
static void take_over(struct bot *b, struct generation *g)
{
    struct generation *old = b->current;
    bool first = !old;
    b->next = NULL;
    b->current = g;
    g->state = GENERATION_SERVING;
    free(b->refused);
    b->refused = NULL;
    b->refused_snapshot = snapshot_free(b->refused_snapshot);
    b->refusals = 0;
    b->retry_at_ns = 0;
    if (g->number > 1) b->reloads_ok++;
    if (b->app && !b->announced) app_ready(b->host->app);
    if (!b->app && (g->number == 1 || (first && !b->announced))) {
        printf("moonline: bot %s at %s, generation %u, %u handler%s\n", b->name, b->route, g->number, g->handlers,
               g->handlers == 1 ? "" : "s");
        fflush(stdout);
    }
    b->announced = true;
    LOG(INFO, "serving", F_STR("bot", b->name), F_INT("generation", g->number), F_INT("handlers", g->handlers),
        F_NUM("ms", (double)(clock_ns() - g->started_ns) / NS_PER_MS));
    news_generation(g);
    if (!g->handlers && !g->web_routes)
        LOG(WARN, "no handlers: every event is finished unanswered; line.on, line.hear and line.postback make one",
            F_STR("bot", b->name), F_INT("generation", g->number));
    retire(b, old);
    for (uint32_t i = 0; i < g->n_slots; i++) dispatch_pump(b->host->dispatch, b, i);
    if (b->again) bot_reload(b, "changed again while it was loading");
}

void bot_slot_ready(struct slot *s)
{
    struct generation *g = s->generation;
    struct bot *b = g->bot;
    if (g == b->next && all_ready(g)) take_over(b, g);
    else if (g == b->current) dispatch_pump(b->host->dispatch, b, s->index);
}

static int64_t retry_delay(uint32_t refusals)
{
    int64_t ns = RETRY_FIRST << (refusals > 6 ? 6 : refusals);
    return ns < RETRY_MOST ? ns : RETRY_MOST;
}

void bot_refused(struct generation *g, struct str why)
{
    struct bot *b = g->bot;
    if (g != b->next) {
        /* A replacement of a lost worker that cannot load the code it once loaded: its process ends, then backoff. */
        LOG(ERROR, "worker could not load the bot", F_STR("bot", b->name), F_INT("generation", g->number), F_VIEW("error", why));
        return;
    }
    b->next = NULL;
    b->reloads_refused++;
    /* Who waits for a mend has been told once; a retry with the same outcome is no news. */
    bool told = b->unasked && b->refused && str_is(why, b->refused);
    if (!told) news_refused(g, why);
    free(b->refused);
    b->refused = mem_strndup(why.p, why.n);
    snapshot_free(b->refused_snapshot);
    b->refused_snapshot = g->snapshot;
    g->snapshot = snapshot_new();
    if (b->app && !b->current) {
        host_fail(b->host, why);
    } else if (b->current) {
        LOG(ERROR, "not loaded; the generation before keeps serving", F_STR("bot", b->name), F_INT("generation", g->number),
            F_INT("serving", b->current->number), F_VIEW("error", why));
    } else {
        int64_t delay = retry_delay(b->refusals++);
        b->retry_at_ns = clock_ns() + delay;
        if (told)
            LOG(INFO, "still not loaded", F_STR("bot", b->name), F_INT("generation", g->number), F_INT("retry_ms", delay / NS_PER_MS));
        else
            LOG(ERROR, "not loaded; nothing serves, events are kept", F_STR("bot", b->name), F_INT("generation", g->number),
                F_INT("retry_ms", delay / NS_PER_MS), F_VIEW("error", why));
    }
    retire(b, g);
    if (b->again) bot_reload(b, "changed again while it was loading");
}

void bot_slot_gone(struct slot *s, const struct worker_end *end)
{
    struct generation *g = s->generation;
    struct bot *b = g->bot;
    if (g == b->next) { /* died while loading, without a word of its own */
        char why[256];
        int n = snprintf(why, sizeof why, "the worker was lost while the bot was loading: %s", end->why);
        bot_refused(g, (struct str){why, (size_t)n});
    } else if (g == b->current && !s->failures && g->state == GENERATION_SERVING && s->index + 1 < g->n_slots) {
        if (b->app) LOG(WARN, "it begins anew: all that it knew is lost", F_STR("bot", b->name));
        generation_start_slot(g, s->index); /* it had been serving: no backoff, others wait for it */
    } else if (g == b->current && s->index + 1 == g->n_slots) {
        dispatch_pump(b->host->dispatch, b, s->index); /* the suspects' slot comes back only when it is wanted */
    }
    bury(b);
}

void bot_tick(struct bot *b, int64_t now_ns)
{
    if (b->current) generation_tick(b->current, now_ns);
    if (b->next) generation_tick(b->next, now_ns);
    for (struct generation *g = b->leaving; g; g = g->next) generation_tick(g, now_ns);
    if (b->retry_at_ns && now_ns >= b->retry_at_ns && !b->next && !b->current) {
        bot_reload(b, "trying again");
        b->unasked = true;
    }
}

/* ---- watching the files ---- */
static void settled(uv_timer_t *t) { bot_reload(t->data, "saved"); }

static bool concerns(const struct bot *b, const char *path)
{
    if (!path) return true; /* changes were lost: look at everything */
    const struct snapshot *serving = b->current ? b->current->snapshot : NULL;
    const struct snapshot *newest = b->next ? b->next->snapshot : b->refused_snapshot ? b->refused_snapshot : serving;
    /* The very bytes that were read last time, written once more: editors do that when they only close a file. */
    if (newest && snapshot_holds(newest, path) && !snapshot_differ(newest, path)) return false;
    return snapshot_concern(newest, path) || snapshot_concern(serving, path) || strcmp(path, b->file) == 0;
}

/* To whoever calls LINE for this bot: also processes that only finish what they have. */
static void token_changed(void *user, struct str token, struct str why)
{
    struct bot *b = user;
    if (b->current) generation_tell(b->current, WIRE_TOKEN, token, why);
    if (b->next) generation_tell(b->next, WIRE_TOKEN, token, why);
    for (struct generation *g = b->leaving; g; g = g->next) generation_tell(g, WIRE_TOKEN, token, why);
}

static void reread_credentials(struct bot *b)
{
    char error[256];
    if (b->fixed) return;
    struct credentials *c = credentials_read(b->dir, b->name, error, sizeof error);
    if (!c) {
        LOG(ERROR, "credentials not read again; the ones before stay", F_STR("bot", b->name), F_STR("error", error));
        return;
    }
    rates_follow(b, c);
    credentials_unref(b->credentials);
    b->credentials = c;
    token_keeper_use(b->token, c);
}

static void changed(void *user, const char *path)
{
    struct bot *b = user;
    bool env = path && strncmp(path, b->dir, strlen(b->dir)) == 0 && strcmp(path + strlen(b->dir), "/.env") == 0;
    if (env) reread_credentials(b);
    else if (!concerns(b, path)) return;
    if (!uv_is_active((uv_handle_t *)&b->settle)) uv_timer_start(&b->settle, settled, SETTLE_MS, 0);
}

/* Watch the folder of a path, or the nearest one above it that exists. */
static void watch_folder(struct bot *b, const char *path)
{
    auto_free char *folder = mem_strdup(path);
    for (char *slash; (slash = strrchr(folder, '/')) && slash != folder;) {
        *slash = 0;
        if (!is_dir(folder)) continue;
        int r = file_watch_add(b->watch, folder);
        if (r) LOG(WARN, "folder not watched", F_STR("bot", b->name), F_STR("folder", folder), F_STR("reason", err_text(r)));
        return;
    }
}

/* A worker read or looked for this path. A save between its reading and our watching must not be missed. */
void bot_file_reported(struct generation *g, struct str path)
{
    struct bot *b = g->bot;
    if (!b->watch) return;
    auto_free char *p = mem_strndup(path.p, path.n);
    size_t before = file_watch_count(b->watch);
    watch_folder(b, p);
    if (file_watch_count(b->watch) != before && (snapshot_holds(g->snapshot, p) ? snapshot_differ(g->snapshot, p) : access(p, R_OK) == 0))
        changed(b, p);
}

void bot_start(struct bot *b)
{
    b->token = token_keeper_new(b->host->loop, b->name, token_changed, b);
    token_keeper_use(b->token, b->credentials);
    uv_timer_init(b->host->loop, &b->settle);
    b->settle.data = b;
    b->settle_closed = false;
    if (b->options->reload) {
        b->watch = file_watch_new(b->host->loop, changed, b);
        watch_folder(b, b->file);
    }
    start_next(b);
}

/* ---- SIGHUP and the end ---- */
void bot_hup(struct bot *b)
{
    reread_credentials(b);
    bot_reload(b, "asked to");
}

static void settle_gone(uv_handle_t *h) { ((struct bot *)h->data)->settle_closed = true; }

void bot_leave(struct bot *b)
{
    struct generation *current = b->current, *next = b->next;
    b->current = b->next = NULL;
    for (struct generation *g = b->leaving; g; g = g->next) generation_leave(g, patience(b));
    retire(b, next);
    retire(b, current);
    if (b->watch) file_watch_close(b->watch);
    b->watch = NULL;
    if (!b->settle_closed) uv_close((uv_handle_t *)&b->settle, settle_gone);
    bury(b);
}

void bot_kill(struct bot *b)
{
    for (struct generation *g = b->leaving; g; g = g->next) generation_kill(g, "out of time (--drain)");
}

void bot_close(struct bot *b)
{
    token_keeper_close(b->token);
    b->token = NULL;
}

bool bot_gone(const struct bot *b) { return !b->leaving && b->settle_closed; }
