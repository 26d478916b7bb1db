/* What `moonline emulate` and `moonline dev` share: the emulator as an application beside the bots. */
#pragma once
#include "base/buf.h"
#include "base/options.h"
#include "host/app.h"

/* Of the channel that an emulator alone has, unless the environment says others. */
#define EMULATOR_SECRET "emulator-channel-secret"
#define EMULATOR_TOKEN "emulator-channel-access-token"

struct emulator {
    struct app app;
    struct options host;    /* of the bots and of the host; strings are the command's */
    struct options options; /* of its own worker */
    struct buf settings;
    char *secret, *token;
    char *folder;           /* throw-away data, removed in the end; NULL when --data was given */
};

/* Prepare e->app for host_run_app; the caller may change it before. 0, or EXIT_… after a line on standard error. */
int emulator_prepare(struct emulator *e, const char *command, const struct options *o);
void emulator_done(struct emulator *e);
