/* A bot: where it answers, its credentials, its code over time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "host/generation.h"
#include "host/host.h"

struct lane {                     /* chats ready to run, of one slot; dispatch.c's */
    struct chat *head, *tail;
};

struct bot {
    struct host *host;
    const struct options *options; /* the host's, or an application's own */
    const char *app;              /* module of moonline's own that is loaded in place of a file; NULL: a bot */
    bool fixed;                   /* the credentials are not read again */
    uint32_t id;                  /* in the store */
    char *name, *file, *dir;      /* absolute; file is the bot's first Lua file */
    char *route;                  /* "/webhook" or "/webhook/NAME" */
    struct credentials *credentials;
    int rates_fd;                 /* buckets of the channel; 0: not made yet. See rates.h */
    struct token_keeper *token;   /* from bot_start until nothing runs any more */
    struct generation *current;   /* serving; NULL until the first one is ready */
    struct generation *next;      /* loading */
    struct generation *leaving;   /* list */
    uint32_t generation;          /* the last number given */
    uint32_t web_turn;            /* whose turn it is among workers with equally many requests */
    struct file_watch *watch;     /* NULL with --no-reload */
    uv_timer_t settle;            /* gathers the changes of one save */
    bool settle_closed;
    bool announced;               /* the line on standard output was printed */
    bool again;                   /* something changed while next was loading */
    char *refused;                /* why the newest generation is not serving; NULL when it is */
    uint32_t refusals;            /* in a row with nothing serving: for the backoff */
    bool unasked;                 /* next is a retry of its own: nothing was saved */
    int64_t retry_at_ns;          /* load again at this time; 0: not by itself */
    uint64_t reloads_ok, reloads_refused;
    struct snapshot *refused_snapshot; /* of the refused generation: a change of these files is the mend */
    struct lane lanes[LIMIT_WORKERS + 1];
};

/* Look at a path, read credentials. NULL with one line in error. */
struct bot *bot_new(struct host *h, const char *path, char *error, size_t n);
/* An application of moonline's own: a module instead of a file, no webhook, options of its own. NULL with an error. */
struct bot *bot_new_app(struct host *h, const char *module, const struct options *o, char *error, size_t n);
/* Start the first generation and the watching. */
void bot_start(struct bot *b);
/* Start a new generation (a save, SIGHUP); why goes into the log. */
void bot_reload(struct bot *b, const char *why);
/* SIGHUP: credentials and code again. */
void bot_hup(struct bot *b);
void bot_leave(struct bot *b);             /* stopping: all generations finish */
void bot_kill(struct bot *b);              /* stopping: out of time */
void bot_close(struct bot *b);             /* all processes are gone: no token is needed any more */
bool bot_gone(const struct bot *b);        /* no process left */
void bot_free(struct bot *b);              /* its uv handles must be closed: bot_leave did that */
void bot_tick(struct bot *b, int64_t now_ns);
/* The slot of the serving generation, ready or not; NULL when there is none. */
struct slot *bot_slot(struct bot *b, uint32_t index);
/* From generation.c */
void bot_slot_ready(struct slot *s);
void bot_slot_gone(struct slot *s, const struct worker_end *end);
void bot_file_reported(struct generation *g, struct str path);
void bot_refused(struct generation *g, struct str why);
