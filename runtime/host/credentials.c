#include "host/credentials.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/dotenv.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

enum { SECRET, TOKEN, CHANNEL_ID, API_BASE, DATA_API_BASE, MANAGER_API_BASE, N_NAMES };
static const char *const names[N_NAMES] = {"LINE_CHANNEL_SECRET", "LINE_CHANNEL_ACCESS_TOKEN", "LINE_CHANNEL_ID",
                                           "LINE_API_BASE", "LINE_DATA_API_BASE", "LINE_MANAGER_API_BASE"};

static void take(void *user, const char *key, const char *value)
{
    char **values = user;
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcmp(key, names[i]) == 0) {
            free(values[i]);
            values[i] = mem_strdup(value);
        }
}

char *credentials_base(const char *own, const char *api, const char *usual)
{
    char *url = mem_strdup(own && *own ? own : api && *api ? api : usual);
    size_t n = strlen(url);
    while (n && url[n - 1] == '/') url[--n] = 0;
    return url;
}

/* "one, two": several secrets are accepted while one is being rotated. */
struct str credentials_next_secret(const char **at)
{
    const char *p = *at + strspn(*at, ", \t");
    size_t n = strcspn(p, ", \t");
    *at = p + n;
    return (struct str){n ? p : NULL, n};
}

static struct signature_keys *split_secrets(const char *list)
{
    struct str secrets[LIMIT_SECRETS];
    size_t n = 0;
    while (n < LIMIT_SECRETS && (secrets[n] = credentials_next_secret(&list)).p) log_secret(secrets[n++]);
    return n ? signature_keys_new(secrets, n) : NULL;
}

struct credentials *credentials_read(const char *dir, const char *name, char *error, size_t n)
{
    char *values[N_NAMES] = {0};
    auto_free char *file = mem_printf("%s/.env", dir);
    int r = dotenv_read(file, take, values, error, n);
    for (size_t i = 0; i < N_NAMES; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) take(values, names[i], value);
    }
    struct signature_keys *keys = NULL;
    if (r == 0 || r == ERR_NOTFOUND) {
        keys = values[SECRET] ? split_secrets(values[SECRET]) : NULL;
        if (!keys)
            snprintf(error, n, "no channel secret for bot %s: set LINE_CHANNEL_SECRET in the environment or in %s "
                               "(the secret is on the Basic settings tab of the channel in the LINE Developers Console)", name, file);
    }
    struct credentials *c = NULL;
    if (keys) {
        c = mem_zalloc(sizeof *c);
        c->refs = 1;
        c->keys = keys;
        c->secrets = mem_strdup(values[SECRET]);
        c->token = mem_strdup(values[TOKEN] ? values[TOKEN] : "");
        c->channel = mem_strdup(values[CHANNEL_ID] ? values[CHANNEL_ID] : name);
        c->api_base = credentials_base(values[API_BASE], NULL, "https://api.line.me");
        c->data_api_base = credentials_base(values[DATA_API_BASE], values[API_BASE], "https://api-data.line.me");
        c->manager_api_base = credentials_base(values[MANAGER_API_BASE], values[API_BASE], "https://manager.line.biz");
        log_secret(str_of(c->token));
    }
    for (size_t i = 0; i < N_NAMES; i++) free(values[i]);
    return c;
}

struct credentials *credentials_ref(struct credentials *c)
{
    c->refs++;
    return c;
}

struct credentials *credentials_unref(struct credentials *c)
{
    if (!c || --c->refs) return NULL;
    signature_keys_free(c->keys);
    free(c->secrets);
    free(c->token);
    free(c->channel);
    free(c->api_base);
    free(c->data_api_base);
    free(c->manager_api_base);
    free(c);
    return NULL;
}
