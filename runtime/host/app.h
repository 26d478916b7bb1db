/* An application of moonline's own, the emulator: Lua that is embedded in the binary, served like a bot with a listener
 * that is all its own. The bots beside it take it for LINE. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/options.h"
#include "base/str.h"
#include "net/http_server.h"

struct bot;
struct credentials;
struct host;

struct app {
    /* in; the command fills them */
    const char *module;           /* "emulator" */
    const char *option, *listen;  /* its address, and the option that gave it */
    bool next_ports;              /* a taken port, its own or the bots' usual one: try the next ones */
    bool lives;                   /* the bots talk to LINE itself, the application only looks on */
    const struct options *options; /* of its worker */
    const char *secret, *token;   /* of the channel that it plays, for the bots beside it */
    const char *settings;         /* members of a JSON object, without its braces: for the Lua side */
    bool opens;                   /* open its page in a browser once it listens */
    const char *ready;            /* "page on": what the line says once it serves */
    bool hints;                   /* and one more line: how to say something without a browser */
    /* NULL, or called once every door is open and nothing is served yet: 0, or ERR_… with one line in error, and nothing
     * will be. It may wait, and may change settings. */
    int (*before)(struct app *a, char *error, size_t n);
    /* NULL, or called in the end if before() returned 0, when no bot runs any more: the exit status, 0 if all is well. */
    int (*after)(struct app *a);
    void *user;                   /* of these two */
    /* private */
    struct host *host;
    struct bot *bot;
    struct http_server *server;
    bool left;                    /* it was told to leave */
    struct app_early *early, **early_end; /* news from before it could take any */
    size_t early_n;
};

/* Make its bot and open its listener. 0, ERR_USAGE, or another code, with one line in error. */
int app_open(struct app *a, struct host *h, char *error, size_t n);
/* It serves, for the first time: says so, and opens its page if that was asked for. */
void app_ready(struct app *a);
/* What its worker gets as settings: JSON, with the address of the bots' webhook. The caller frees. */
char *app_settings(const struct app *a);
/* Who the bots beside it are: the secret and token of the channel that it plays, and its address in place of LINE's.
 * NULL when they are who they say themselves. */
struct credentials *app_credentials(const struct app *a);
/* Something happened to a bot: JSON, one object. To whoever plays the application; nothing without one. */
void app_news(struct host *h, struct str json);
void app_close(struct app *a);
