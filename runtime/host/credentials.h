/* Who a bot is towards LINE: from the environment, else from the .env beside it. Never from the command line. */
#pragma once
#include <stddef.h>
#include "line/signature.h"

struct credentials {
    int refs;
    struct signature_keys *keys;
    char *token, *channel, *api_base, *data_api_base; /* token may be ""; channel is what retry keys are derived from */
};

/* dir: where .env is looked for. name: the bot's, the channel of last resort. NULL with one line in error. Every secret
 * is registered with log_secret. */
struct credentials *credentials_read(const char *dir, const char *name, char *error, size_t n);
struct credentials *credentials_ref(struct credentials *c); /* a webhook being checked keeps them over a reload */
struct credentials *credentials_unref(struct credentials *c); /* NULL */
