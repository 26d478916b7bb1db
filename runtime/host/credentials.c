#include "host/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dotenv.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define KEY_FILE_MAX 16384 /* a JWK of 8192 bits is under 8 KiB */

enum { SECRET, TOKEN, CHANNEL_ID, API_BASE, DATA_API_BASE, MANAGER_API_BASE, ASSERTION_KEY, N_NAMES };
static const char *const names[N_NAMES] = {"LINE_CHANNEL_SECRET", "LINE_CHANNEL_ACCESS_TOKEN", "LINE_CHANNEL_ID",
                                           "LINE_API_BASE", "LINE_DATA_API_BASE", "LINE_MANAGER_API_BASE",
                                           "LINE_ASSERTION_KEY"};

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

/* The whole file; NULL with errno. */
static char *read_key(const char *path)
{
    char text[KEY_FILE_MAX + 1];
    FILE *f = fopen(path, "re");
    if (!f) return NULL;
    size_t n = fread(text, 1, sizeof text, f);
    bool failed = ferror(f) || n > KEY_FILE_MAX;
    if (n > KEY_FILE_MAX) errno = EFBIG;
    fclose(f);
    char *r = failed ? NULL : mem_strndup(text, n);
    explicit_bzero(text, sizeof text);
    return r;
}

/* The key at path, as it stands or beside the bot, with what else it needs. NULL with one line in error. */
static struct jwt_key *assertion_key(const char *dir, const char *path, const char *channel_id, char *error, size_t n)
{
    char why[160];
    if (!*channel_id) {
        snprintf(error, n, "LINE_ASSERTION_KEY goes with LINE_CHANNEL_ID, the id of the channel; set both");
        return NULL;
    }
    auto_free char *file = *path == '/' ? mem_strdup(path) : mem_printf("%s/%s", dir, path);
    auto_free char *text = read_key(file);
    struct jwt_key *key = NULL;
    if (!text) snprintf(why, sizeof why, "%s", strerror(errno));
    else key = jwt_key_read(str_of(text), why, sizeof why);
    if (text) explicit_bzero(text, strlen(text));
    if (key && !*jwt_key_id(key)) {
        key = jwt_key_free(key);
        snprintf(why, sizeof why, "it has no kid: add \"kid\" with the id that the console showed for this key");
    }
    if (!key) snprintf(error, n, "LINE_ASSERTION_KEY, %s: %s", file, why);
    return key;
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
    bool ok = r == 0 || r == ERR_NOTFOUND;
    if (ok) {
        keys = values[SECRET] ? split_secrets(values[SECRET]) : NULL;
        ok = keys || !name;
        if (!ok)
            snprintf(error, n, "no channel secret for bot %s: set LINE_CHANNEL_SECRET in the environment or in %s "
                               "(the secret is on the Basic settings tab of the channel in the LINE Developers Console)", name, file);
    }
    const char *id = values[CHANNEL_ID] ? values[CHANNEL_ID] : "", *given = values[TOKEN] ? values[TOKEN] : "";
    struct jwt_key *key = NULL;
    if (ok && values[ASSERTION_KEY] && *values[ASSERTION_KEY]) {
        key = assertion_key(dir, values[ASSERTION_KEY], id, error, n);
        if (!key && !*given) ok = false, signature_keys_free(keys); /* with a token it is needed by commands only */
    }
    struct credentials *c = NULL;
    if (ok) {
        c = mem_zalloc(sizeof *c);
        c->refs = 1;
        c->keys = keys;
        c->secrets = mem_strdup(keys ? values[SECRET] : "");
        c->token = mem_strdup(given);
        c->kind = *given ? TOKEN_STATIC : key ? TOKEN_ASSERTED : *id ? TOKEN_STATELESS : TOKEN_STATIC;
        c->assertion_key = key;
        c->channel_id = mem_strdup(id);
        c->channel = mem_strdup(values[CHANNEL_ID] ? values[CHANNEL_ID] : name ? name : "");
        c->api_base = credentials_base(values[API_BASE], NULL, "https://api.line.me");
        c->data_api_base = credentials_base(values[DATA_API_BASE], values[API_BASE], "https://api-data.line.me");
        c->manager_api_base = credentials_base(values[MANAGER_API_BASE], values[API_BASE], "https://manager.line.biz");
        log_secret(str_of(c->token));
    }
    for (size_t i = 0; i < N_NAMES; i++) free(values[i]);
    return c;
}

struct credentials *credentials_fixed(const char *secret, const char *token, const char *base)
{
    struct credentials *c = mem_zalloc(sizeof *c);
    c->refs = 1;
    c->keys = split_secrets(secret);
    c->secrets = mem_strdup(secret);
    c->token = mem_strdup(token);
    c->kind = TOKEN_STATIC;
    c->channel_id = mem_strdup("");
    c->channel = mem_strdup("emulator");
    c->api_base = mem_strdup(base);
    c->data_api_base = mem_strdup(base);
    c->manager_api_base = mem_strdup(base);
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
    free(c->channel_id);
    jwt_key_free(c->assertion_key);
    free(c->channel);
    free(c->api_base);
    free(c->data_api_base);
    free(c->manager_api_base);
    free(c);
    return NULL;
}
