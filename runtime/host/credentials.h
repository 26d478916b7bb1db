/* Who a bot is towards LINE: from the environment, else from the .env beside it. Never from the command line. */
#pragma once
#include <stddef.h>
#include "base/str.h"
#include "line/signature.h"
#include "line/token.h"

struct credentials {
    int refs;
    struct signature_keys *keys; /* NULL without a secret */
    char *secrets;            /* as they were given, comma-separated; "" without one */
    char *token, *channel, *api_base, *data_api_base; /* token may be ""; channel is what retry keys are derived from */
    enum token_kind kind;     /* where access tokens come from: LINE_CHANNEL_ACCESS_TOKEN, else the key file, else id and secret */
    char *channel_id;         /* "" when it was not given; then kind is TOKEN_STATIC */
    struct jwt_key *assertion_key; /* with its kid; NULL when there is none */
    char *manager_api_base;
};

/* dir: where .env is looked for. name: the bot's, the channel of last resort; NULL: no bot, which may do without the
 * channel secret. NULL with one line in error. Every secret
 * is registered with log_secret. */
struct credentials *credentials_read(const char *dir, const char *name, char *error, size_t n);
/* A channel that is played on this machine: its secret and token, and one address for all of LINE's hosts. Not read
 * again: what the environment and .env say does not count. */
struct credentials *credentials_fixed(const char *secret, const char *token, const char *base);
/* One secret after the other: *at begins with c->secrets; NULL in the end. */
struct str credentials_next_secret(const char **at);
/* Where calls to one of LINE's hosts go: to its own variable, else to LINE_API_BASE (one stand-in plays all hosts), else
 * to LINE. No slash at the end. The caller frees. */
char *credentials_base(const char *own, const char *api, const char *usual);
struct credentials *credentials_ref(struct credentials *c); /* a webhook being checked keeps them over a reload */
struct credentials *credentials_unref(struct credentials *c); /* NULL */
