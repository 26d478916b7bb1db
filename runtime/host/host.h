/* What the parts of the host share: one loop, one store, the bots it serves. Everything here belongs to the loop's
 * thread. Reading order: host.c (start, stop), ingress.c (webhooks in), dispatch.c (who runs next), bot.c and
 * generation.c (whose code runs), admin.c (looking in). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/limits.h"
#include "base/map.h"
#include "base/options.h"
#include "host/metrics.h"
#include "line/signature.h"
#include "net/http_server.h"
#include "store/store.h"

struct app;
struct bot;
struct dispatch;

struct host {
    uv_loop_t *loop;
    const struct options *options;
    char *data;                    /* absolute path of the data directory */
    struct store *store;
    struct http_server *server;    /* webhooks */
    struct http_server *admin;     /* --admin; NULL when off */
    struct http_server *control;   /* DATA/admin.sock, for `moonline event`; NULL when it could not be made */
    struct dispatch *dispatch;
    struct app *app;               /* an application of moonline's own beside the bots; NULL: none */
    struct bot *bots[LIMIT_BOTS + 1]; /* the application's is the last */
    size_t n_bots;
    struct map web;                /* requests of routes that workers have: id → struct web_call; web.c's, as these */
    uint64_t web_last;             /* id */
    size_t web_held;               /* bytes of their bodies */
    struct metrics metrics;
    int64_t started_ms;            /* wall clock */
    bool stopping;
};

/* Serve these bots (files or folders) until a signal says stop. Returns the exit status of the process: 0,
 * 1 failed, 2 asked for what cannot be. */
int host_run(const struct options *o, const char *const *paths, size_t n_paths);
/* The same with an application of moonline's own; paths may then be none at all. command: for messages. */
int host_run_app(const struct options *o, const char *command, struct app *app, const char *const *paths, size_t n_paths);

/* How many of h->bots the user gave: all but the application, which has a listener of its own and is nothing to the public. */
size_t host_users_bots(const struct host *h);
/* Whether bot b is about to end. The application goes on until the others are gone, which have something to send. */
bool host_stopping(const struct host *h, const struct bot *b);

/* An application could not be loaded, so there is nothing to wait for: says why, and stops with status 1. */
void host_fail(struct host *h, struct str why);

/* The data directory: --data, else .moonline beside the bot's file. Owned by the caller. */
char *host_data_dir(const struct options *o, const char *bot_file);
