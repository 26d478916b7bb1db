/* `moonline dev --live`: what is done at LINE before the bot serves and after it has ended. It asks who the bot is; with
 * --public-url it sets the webhook address, and puts the one before back. The one before is also on disk, in
 * DATA/live-webhook-BOT.json, until it is back: a run that was killed is made good by the next one. */
#pragma once
#include <stdint.h>
#include "base/options.h"
#include "cli/emulator.h"

struct live {
    struct emulator *emulator;
    const char *public_url;  /* "" without --public-url */
    char *token;             /* issued here; NULL: none yet */
    int64_t token_until_ms;
    char *file;              /* where the address is remembered; NULL until the bot is known */
    char *ours, *original;   /* what was set, and what was there before: NULL for nothing */
    bool changed;            /* ours stands at LINE because of us */
};

/* Whether the options fit together: 0, or EXIT_USAGE after a line on standard error. */
int live_check(const struct options *o);
/* Hook both into e->app. l must outlive it. */
void live_prepare(struct live *l, struct emulator *e, const struct options *o);
void live_done(struct live *l);
