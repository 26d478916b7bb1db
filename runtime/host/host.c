#include "host/host.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/admin.h"
#include "host/app.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/dispatch.h"
#include "host/door.h"
#include "host/ingress.h"

#define TICK_MS 50 /* hangs are noticed within this much of --hang-timeout */
#define CONTROL_CONNECTIONS 16
#define APP_PATIENCE NS_PER_S /* for what an application still does when it is all that is left */

enum stage { RUNNING, DRAINING, STORING, CLOSING };

struct process {
    struct host host;
    uv_signal_t signals[3];
    uv_timer_t tick;
    enum stage stage;
    int64_t deadline_ns;   /* of DRAINING */
    int servers_open;
    bool began;            /* the application's before() has done its part */
    int status;
    const char *command;   /* for messages */
};

static const int watched_signals[] = {SIGINT, SIGTERM, SIGHUP};

/* ---- start ---- */
static int make_dir(const char *path)
{
    auto_free char *copy = mem_strdup(path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(copy, 0755) && errno != EEXIST) return -1;
        *p = '/';
    }
    return mkdir(copy, 0700) && errno != EEXIST ? -1 : 0;
}

char *host_data_dir(const struct options *o, const char *bot_file)
{
    if (*o->data) {
        make_dir(o->data);
        char *real = realpath(o->data, NULL);
        return real ? real : mem_strdup(o->data);
    }
    auto_free char *copy = mem_strdup(bot_file);
    return mem_printf("%s/.moonline", dirname(copy));
}

static bool name_is_taken(const struct host *h, const char *name)
{
    for (size_t i = 0; i < h->n_bots; i++)
        if (strcmp(h->bots[i]->name, name) == 0) return true;
    return false;
}

static bool find_bots(struct host *h, const char *const *paths, size_t n, char *error, size_t size)
{
    if (n > LIMIT_BOTS) {
        snprintf(error, size, "%zu bots given; one moonline serves up to %d", n, LIMIT_BOTS);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct bot *b = bot_new(h, paths[i], error, size);
        if (!b) return false;
        bool taken = name_is_taken(h, b->name);
        h->bots[h->n_bots++] = b;
        b->route = n == 1 ? mem_strdup("/webhook") : mem_printf("/webhook/%s", b->name);
        if (!taken) continue;
        snprintf(error, size, "two bots are called %s; rename one of the files, since the name is the address", b->name);
        return false;
    }
    return true;
}

static bool open_store(struct host *h, char *error, size_t n)
{
    const struct options *o = h->options;
    if (h->app && name_is_taken(h, h->app->bot->name)) { /* names are what the store and the metrics tell bots by */
        char *other = mem_printf("moonline %s", h->app->bot->name);
        free(h->app->bot->name);
        h->app->bot->name = other;
    }
    if (h->app) h->bots[h->n_bots++] = h->app->bot; /* the last: bots[0] is the user's, if there is one */
    if (!h->n_bots) return false;
    h->data = host_data_dir(o, h->bots[0]->file);
    if (make_dir(h->data)) {
        snprintf(error, n, "%s: %s; give --data another folder", h->data, strerror(errno));
        return false;
    }
    struct store_options so = {h->data, o->durability, o->dedupe_time, o->dedupe_ids, false};
    if (store_open(h->loop, &so, &h->store, error, n)) return false;
    for (size_t i = 0; i < h->n_bots; i++)
        if (store_bot(h->store, h->bots[i]->name, &h->bots[i]->id, error, n)) return false;
    return true;
}

/* 0, ERR_USAGE for what nobody can listen on as it was asked for, or another code. */
static int listen_all(struct host *h, char *error, size_t n)
{
    const struct options *o = h->options;
    if (!*o->tls_cert != !*o->tls_key) {
        snprintf(error, n, "--tls-cert and --tls-key go together; give both");
        return ERR_USAGE;
    }
    struct http_server_options public = {
        .listen = o->listen, .max_connections = (int)o->max_connections, .max_per_client = (int)o->max_per_client,
        .max_body = LIMIT_WEBHOOK_BODY, .read_timeout_ms = o->read_timeout, .idle_timeout_ms = o->idle_timeout,
        .tls_cert = *o->tls_cert ? o->tls_cert : NULL, .tls_key = *o->tls_key ? o->tls_key : NULL,
    };
    struct door door = {"--listen", h->app && h->app->next_ports && !h->app->lives && !options_given(o, "listen")};
    int r = door_open(&door, h->loop, &public, &ingress_callbacks, h, &h->server, error, n);
    if (r) return r;
    door = (struct door){"--admin", false};
    struct http_server_options inside = {.max_connections = CONTROL_CONNECTIONS, .max_per_client = CONTROL_CONNECTIONS,
                                         .max_body = 4096, .read_timeout_ms = o->read_timeout, .idle_timeout_ms = o->idle_timeout};
    inside.listen = o->admin;
    if (*o->admin) r = door_open(&door, h->loop, &inside, &admin_listener_callbacks, h, &h->admin, error, n);
    if (r) return r;
    auto_free char *socket = mem_printf("unix:%s/admin.sock", h->data);
    inside.listen = socket;
    char why[256];
    if (http_server_start(h->loop, &inside, &admin_control_callbacks, h, &h->control, why, sizeof why))
        LOG(WARN, "moonline event cannot reach this process while it runs", F_STR("reason", why));
    return 0;
}

static void banner(const struct host *h)
{
    static const char *const durability[] = {
        "fsync: an event is on disk before it is acknowledged",
        "os: an event is with the operating system before it is acknowledged; a power cut may lose the last ones",
        "off: an event is acknowledged at once; a crash may lose the last ones",
    };
    if (!h->server) return;
    printf("moonline: listening on %s://%s\n", *h->options->tls_cert ? "https" : "http", http_server_address(h->server));
    if (h->admin) printf("moonline: admin on http://%s\n", http_server_address(h->admin));
    fflush(stdout);
    LOG(INFO, "events are kept", F_STR("data", h->data), F_STR("durability", durability[h->options->durability]));
    for (size_t i = 0; i < h->n_bots; i++)
        if (!h->bots[i]->fixed && h->bots[i]->credentials->kind == TOKEN_STATIC && !*h->bots[i]->credentials->token)
            LOG(WARN, "no channel access token: calls of LINE will be refused; set LINE_CHANNEL_ACCESS_TOKEN, or LINE_CHANNEL_ID",
                F_STR("bot", h->bots[i]->name));
}

/* Connections, workers and their pipes need descriptors; take what the system allows. */
static void raise_file_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= l.rlim_max) return;
    l.rlim_cur = l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
}

/* ---- stop: accept no more → finish what runs → write it down → close ---- */
static void server_closed(void *user) { ((struct process *)user)->servers_open--; }

static void close_server(struct process *p, struct http_server **s)
{
    if (!*s) return;
    p->servers_open++;
    http_server_close(*s, server_closed, p);
    *s = NULL;
}

/* What is done after this must not be ended by another Ctrl-C. */
static void be_deaf(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < 3; i++) sigaddset(&set, watched_signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void store_closed(void *user)
{
    struct process *p = user;
    p->stage = CLOSING;
    if (p->host.app && p->host.app->after) be_deaf();
    for (size_t i = 0; i < 3; i++) uv_close((uv_handle_t *)&p->signals[i], NULL);
    uv_close((uv_handle_t *)&p->tick, NULL);
}

size_t host_users_bots(const struct host *h)
{
    return h->n_bots - (h->app && h->n_bots && h->bots[h->n_bots - 1] == h->app->bot);
}

bool host_stopping(const struct host *h, const struct bot *b) { return h->stopping && !(b->app && !h->app->left); }

/* The application leaves last: until then the bots may have something to send. Then nobody waits for it for long: what it
 * still does is for them, or waits for what will not come. */
static bool bots_gone(struct process *p)
{
    struct host *h = &p->host;
    for (size_t i = 0; i < host_users_bots(h); i++)
        if (!bot_gone(h->bots[i])) return false;
    if (!h->app) return true;
    int64_t soon = clock_ns() + APP_PATIENCE;
    if (!h->app->left) {
        bot_leave(h->app->bot);
        if (p->deadline_ns > soon) p->deadline_ns = soon;
    }
    h->app->left = true;
    return bot_gone(h->app->bot);
}

static void begin_stop(struct process *p)
{
    struct host *h = &p->host;
    h->stopping = true;
    p->stage = DRAINING;
    p->deadline_ns = clock_ns() + h->options->drain * NS_PER_MS;
    LOG(INFO, "stopping", F_INT("running", dispatch_running(h->dispatch)), F_INT("drain_ms", h->options->drain));
    if (h->server) http_server_quiesce(h->server);
    for (size_t i = 0; i < host_users_bots(h); i++) bot_leave(h->bots[i]);
}

static void go_on_stopping(struct process *p)
{
    struct host *h = &p->host;
    if (p->stage != DRAINING) return;
    bool late = clock_ns() >= p->deadline_ns;
    if (late)
        for (size_t i = 0; i < h->n_bots; i++) bot_kill(h->bots[i]);
    if (!bots_gone(p) || (h->server && http_server_requests(h->server) && !late)) return;
    p->stage = STORING;
    for (size_t i = 0; i < h->n_bots; i++) bot_close(h->bots[i]);
    close_server(p, &h->server);
    close_server(p, &h->admin);
    close_server(p, &h->control);
    if (h->app) close_server(p, &h->app->server);
    store_close(h->store, store_closed, p);
}

void host_fail(struct host *h, struct str why)
{
    struct process *p = (struct process *)h; /* its first member */
    fprintf(stderr, "moonline %s: " STR_FMT "\n", p->command, STR_ARG(why));
    p->status = 1;
    if (p->stage == RUNNING) begin_stop(p);
}

static void signal_cb(uv_signal_t *s, int number)
{
    struct process *p = s->data;
    struct host *h = &p->host;
    char error[512];
    if (number == SIGHUP) {
        if (*h->options->tls_cert && h->server && http_server_reload_tls(h->server, error, sizeof error))
            LOG(ERROR, "certificate not read again; the one before stays", F_STR("error", error));
        for (size_t i = 0; i < host_users_bots(h) && !h->stopping; i++) bot_hup(h->bots[i]); /* an application would forget all */
        return;
    }
    if (p->stage == RUNNING) begin_stop(p);
    else p->deadline_ns = 0; /* asked twice: do not wait */
    go_on_stopping(p);
}

static void tick_cb(uv_timer_t *t)
{
    struct process *p = t->data;
    struct host *h = &p->host;
    int64_t now = clock_ns();
    for (size_t i = 0; i < h->n_bots; i++) bot_tick(h->bots[i], now);
    dispatch_tick(h->dispatch);
    go_on_stopping(p);
}

/* usage: what was asked for cannot be right, whatever the machine's state. */
static void fail_early(struct process *p, bool usage, const char *error)
{
    fprintf(stderr, "moonline %s: %s\n", p->command, error);
    p->status = usage ? 2 : 1;
    struct host *h = &p->host;
    close_server(p, &h->server);
    close_server(p, &h->admin);
    close_server(p, &h->control);
    if (h->app) close_server(p, &h->app->server);
    if (h->store) store_close(h->store, NULL, NULL);
}

static void watch_signals(struct process *p)
{
    struct host *h = &p->host;
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(h->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], signal_cb, watched_signals[i]);
    }
    uv_timer_init(h->loop, &p->tick);
    p->tick.data = p;
    uv_timer_start(&p->tick, tick_cb, TICK_MS, TICK_MS);
}

/* Signals are taken from here on, also while before() waits: it is to be undone. */
static void start(struct process *p)
{
    struct host *h = &p->host;
    char error[1024] = "";
    h->dispatch = dispatch_new(h);
    watch_signals(p);
    int r = h->app && h->app->before ? h->app->before(h->app, error, sizeof error) : 0;
    if (r) {
        for (size_t i = 0; i < 3; i++) uv_close((uv_handle_t *)&p->signals[i], NULL);
        uv_close((uv_handle_t *)&p->tick, NULL);
        return fail_early(p, r == ERR_USAGE, error);
    }
    p->began = true;
    banner(h);
    for (size_t i = 0; i < h->n_bots; i++) bot_start(h->bots[i]);
    dispatch_start(h->dispatch);
}

int host_run(const struct options *o, const char *const *paths, size_t n_paths)
{
    return host_run_app(o, "run", NULL, paths, n_paths);
}

int host_run_app(const struct options *o, const char *command, struct app *app, const char *const *paths, size_t n_paths)
{
    uv_loop_t loop;
    struct process p = {.command = command};
    struct host *h = &p.host;
    char error[512] = "";
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    uv_loop_init(&loop);
    h->loop = &loop;
    h->options = o;
    h->started_ms = clock_wall_ms();
    int opened = app ? app_open(app, h, error, sizeof error) : 0;
    if (opened) {
        fail_early(&p, opened == ERR_USAGE, error);
    } else if (!find_bots(h, paths, n_paths, error, sizeof error)) {
        fail_early(&p, true, error);
    } else if (!open_store(h, error, sizeof error)) {
        fail_early(&p, false, error);
    } else {
        int r = n_paths ? listen_all(h, error, sizeof error) : 0;
        if (r) fail_early(&p, r == ERR_USAGE, error);
        else start(&p);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    if (p.began && app && app->after && app->after(app)) p.status = 1;
    if (app) app_close(app);
    if (h->dispatch) dispatch_free(h->dispatch);
    map_free(&h->web);
    for (size_t i = 0; i < h->n_bots; i++) bot_free(h->bots[i]);
    free(h->data);
    uv_loop_close(&loop);
    return p.status;
}
