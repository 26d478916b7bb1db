#include "host/app.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/door.h"
#include "host/web.h"

#define SETTINGS_MOST (LIMIT_FRAME / 2)
#define NEWS_MOST (LIMIT_FRAME / 2)
#define EARLY_MOST 256

struct app_early {
    struct app_early *next;
    size_t n;
    char json[];
};

static int start_server(struct app *a, char *error, size_t n)
{
    static struct web_door bots; /* one application a process; the server keeps the pointer */
    const struct options *o = a->options;
    bots = (struct web_door){a->host, a->bot};
    struct http_server_options so = {
        .listen = a->listen, .max_connections = (int)o->max_connections, .max_per_client = (int)o->max_connections,
        .max_body = (size_t)o->web_body, .read_timeout_ms = o->read_timeout, .idle_timeout_ms = o->idle_timeout};
    struct door door = {a->option, a->next_ports};
    return door_open(&door, a->host->loop, &so, &web_callbacks, &bots, &a->server, error, n);
}

int app_open(struct app *a, struct host *h, char *error, size_t n)
{
    a->host = h;
    a->bot = bot_new_app(h, a->module, a->options, error, n);
    if (!a->bot) return ERR_USAGE;
    h->app = a;
    return start_server(a, error, n);
}

/* Of a session of its own and silent: Ctrl-C here must not end it, and what it writes is not for this terminal. */
static void browse(const struct app *a)
{
    auto_free char *url = mem_printf("http://%s/", http_server_address(a->server));
    const char *browser = getenv("BROWSER"), *const programs[] = {browser && *browser ? browser : "xdg-open", "open"};
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t usual;
    pid_t pid;
    bool found = false;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    for (int fd = 1; fd <= 2; fd++) posix_spawn_file_actions_adddup2(&files, 0, fd);
    for (size_t i = 0; i < 2 && !found; i++) {
        char *const args[] = {(char *)(uintptr_t)programs[i], url, NULL};
        found = posix_spawnp(&pid, programs[i], &files, &attributes, args, environ) == 0;
    }
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (!found) LOG(WARN, "no browser was found; open the page by hand", F_STR("page", url));
}

/* ---- news ---- */

static void send_news(const struct app *a, struct str json)
{
    const struct generation *g = a->bot->current ? a->bot->current : a->bot->next;
    if (g && g->slots[0].process) wire_send_strings(worker_process_wire(g->slots[0].process), WIRE_NEWS, json, (struct str){0, 0});
}

/* It is loading still: bots may be quicker, and have events of a run before. */
static void keep_news(struct app *a, struct str json)
{
    if (a->early_n == EARLY_MOST) return;
    struct app_early *e = mem_alloc(sizeof *e + json.n);
    e->next = NULL;
    e->n = json.n;
    memcpy(e->json, json.p, json.n);
    *(a->early ? a->early_end : &a->early) = e;
    a->early_end = &e->next;
    a->early_n++;
}

static struct app_early *take_early(struct app *a)
{
    struct app_early *e = a->early;
    if (e) a->early = e->next;
    return e;
}

void app_news(struct host *h, struct str json)
{
    if (!h->app || json.n > NEWS_MOST) return;
    if (h->app->bot->announced) send_news(h->app, json);
    else keep_news(h->app, json);
}

void app_close(struct app *a)
{
    for (struct app_early *e; (e = take_early(a));) free(e);
}

void app_ready(struct app *a)
{
    printf("moonline: %s http://%s\n", a->ready, http_server_address(a->server));
    if (a->hints) printf("moonline: or write from a terminal: curl -d hello http://%s/_/say\n", http_server_address(a->server));
    fflush(stdout);
    for (struct app_early *e; (e = take_early(a));) {
        send_news(a, (struct str){e->json, e->n});
        free(e);
    }
    if (a->opens) browse(a);
}

char *app_settings(const struct app *a)
{
    struct buf b = BUF(SETTINGS_MOST);
    const struct host *h = a->host;
    const char *colon = strrchr(a->listen, ':');
    bool bracketed = *a->listen == '[';
    size_t host_n = colon ? (size_t)(colon - a->listen) : strlen(a->listen);
    buf_printf(&b, "{\"address\":\"http://%s\",\"listen_host\":", http_server_address(a->server));
    json_put(&b, bracketed && host_n >= 2 ? (struct str){a->listen + 1, host_n - 2} : (struct str){a->listen, host_n});
    if (h->server) {
        const char *scheme = *h->options->tls_cert ? "https" : "http";
        buf_printf(&b, ",\"webhook\":\"%s://%s%s\"", scheme, http_server_address(h->server), h->bots[0]->route);
        json_put_key(&b, "bot_name");
        json_put(&b, str_of(h->bots[0]->name));
        json_put_key(&b, "path");
        json_put(&b, str_of(h->bots[0]->file));
    }
    buf_puts(&b, a->settings);
    buf_putc(&b, '}');
    return b.data; /* the buffer's memory goes to the caller */
}

struct credentials *app_credentials(const struct app *a)
{
    if (a->lives) return NULL;
    auto_free char *base = mem_printf("http://%s", http_server_address(a->server));
    return credentials_fixed(a->secret, a->token, base);
}
