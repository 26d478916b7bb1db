#include "cli/live.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/json_member.h"
#include "host/ask.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/token.h"

#define ANSWER_MOST 65536
#define INFO_MOST 16384
#define URL_MOST 500       /* LINE's own limit of a webhook address */
#define TRIES 3
#define PAUSE_MS 300
#define INFO "/v2/bot/info"
#define ENDPOINT "/v2/bot/channel/webhook/endpoint"
#define BY_HAND "LINE Developers Console, Messaging API tab, Webhook URL"

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
    va_list ap;
    printf("moonline: live: ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

/* ---- calls ---- */

static const struct bot *bot_of(const struct live *l) { return l->emulator->app.host->bots[0]; }

static void forget_token(struct live *l)
{
    free(l->token);
    l->token = NULL;
}

/* Of the kind the bot has; an issued one serves as long as it lives, for only so many of them may. NULL with an error. */
static const char *token_of(struct live *l, char *error, size_t n)
{
    const struct credentials *c = bot_of(l)->credentials;
    if (c->kind == TOKEN_STATIC) {
        if (*c->token) return c->token;
        snprintf(error, n, "there is no channel access token: set LINE_CHANNEL_ACCESS_TOKEN, or LINE_CHANNEL_ID");
        return NULL;
    }
    if (l->token && clock_wall_ms() < l->token_until_ms) return l->token;
    struct token_answer a = {0};
    forget_token(l);
    if (token_issue(c, &a, error, n) == 0) {
        l->token = mem_strdup(a.token);
        l->token_until_ms = clock_wall_ms() + a.expires_in * 900;
    }
    token_answer_free(&a);
    return l->token;
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* One call; all of ours may be repeated. 0, whatever the status, or ERR_… with an error. */
static int call(struct live *l, const char *method, const char *path, const struct buf *body, int *status, struct buf *answer,
                char *error, size_t n)
{
    auto_free char *url = mem_printf("%s%s", bot_of(l)->credentials->api_base, path);
    for (int i = 0;; i++) {
        const char *token = token_of(l, error, n);
        if (!token) return ERR_IO;
        auto_free char *bearer = mem_printf("Authorization: Bearer %s", token);
        const char *const headers[] = {bearer, body ? "Content-Type: application/json" : NULL, NULL};
        buf_clear(answer);
        int r = ask(&(struct ask){method, url, headers, body}, status, answer, error, n);
        bool stale = !r && *status == 401 && l->token, trouble = r || *status >= 500 || *status == 429;
        if (i + 1 == TRIES || !(stale || trouble)) return r;
        if (stale) forget_token(l);
        else pause_ms(PAUSE_MS << i);
    }
}

/* What LINE said against it. */
static int refused(int status, const struct buf *answer, char *error, size_t n)
{
    auto_free char *message = answer->len ? json_member(buf_str(answer), "message") : mem_strdup("");
    snprintf(error, n, "LINE answered %d%s%s", status, *message ? ": " : "", message);
    return ERR_IO;
}

/* The address LINE has; NULL when it has none. */
static int get_endpoint(struct live *l, char **ret, bool *ret_active, char *error, size_t n)
{
    struct buf answer = BUF(ANSWER_MOST);
    int status = 0, r = call(l, "GET", ENDPOINT, NULL, &status, &answer, error, n);
    *ret = NULL;
    if (!r && status != 200 && status != 404) r = refused(status, &answer, error, n);
    if (!r && status == 200) {
        auto_free char *active = json_member(buf_str(&answer), "active");
        *ret = json_member(buf_str(&answer), "endpoint");
        *ret_active = strcmp(active, "false") != 0;
        if (!**ret) {
            free(*ret);
            *ret = NULL;
        }
    }
    buf_free(&answer);
    return r;
}

/* ret_sure: LINE has answered, so that what stands there is known; else it may have been changed or not. */
static int put_endpoint(struct live *l, const char *url, bool *ret_sure, char *error, size_t n)
{
    struct buf body = BUF(ANSWER_MOST), answer = BUF(ANSWER_MOST);
    buf_puts(&body, "{\"endpoint\":");
    json_put(&body, str_of(url));
    buf_putc(&body, '}');
    int status = 0, r = call(l, "PUT", ENDPOINT, &body, &status, &answer, error, n);
    *ret_sure = !r && status < 500;
    if (!r && (status < 200 || status > 299)) r = refused(status, &answer, error, n);
    buf_free(&body);
    buf_free(&answer);
    return r;
}

/* ---- what is remembered on disk ---- */

static bool write_all(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "we");
    if (!f) return false;
    bool ok = fwrite(b->data, 1, b->len, f) == b->len && fflush(f) == 0 && fsync(fileno(f)) == 0;
    int why = errno;
    if (fclose(f) && ok) return false;
    errno = why;
    return ok;
}

static int remember(const struct live *l, char *error, size_t n)
{
    struct buf b = BUF(ANSWER_MOST);
    auto_free char *temporary = mem_printf("%s.new", l->file);
    buf_putc(&b, '{');
    json_put_key(&b, "ours");
    json_put(&b, str_of(l->ours));
    json_put_key(&b, "original");
    json_put(&b, str_of(l->original ? l->original : ""));
    buf_puts(&b, "}\n");
    bool ok = write_all(temporary, &b) && rename(temporary, l->file) == 0;
    if (!ok) snprintf(error, n, "%s: %s; without it the address could not be put back after a crash", l->file, strerror(errno));
    buf_free(&b);
    return ok ? 0 : ERR_IO;
}

static void forget(struct live *l)
{
    unlink(l->file);
    l->changed = false;
}

/* What a run that was killed has left: *ret_ours and l->original, or false. */
static bool recall(struct live *l, char **ret_ours)
{
    char text[4 * URL_MOST];
    FILE *f = fopen(l->file, "re");
    if (!f) return false;
    struct str all = {text, fread(text, 1, sizeof text, f)};
    fclose(f);
    *ret_ours = json_member(all, "ours");
    l->original = json_member(all, "original");
    if (*l->original) return **ret_ours != 0;
    free(l->original);
    l->original = NULL;
    return **ret_ours != 0;
}

/* ---- putting it back ---- */

static int cannot(const struct live *l, const char *why)
{
    fprintf(stderr, "moonline dev: the webhook address at LINE could not be put back: %s\n", why);
    fprintf(stderr, "moonline dev: set it by hand to %s (" BY_HAND "); the next moonline dev --live of this bot tries again\n",
            l->original);
    return EXIT_FAILED;
}

/* l->ours → l->original, unless somebody has set another one meanwhile. */
static int put_back(struct live *l)
{
    char error[1024];
    bool active, sure;
    auto_free char *now = NULL;
    if (!l->original) {
        say("LINE had no webhook address before and cannot be left without one: it stays %s", l->ours);
        forget(l);
        return EXIT_DONE;
    }
    if (get_endpoint(l, &now, &active, error, sizeof error)) return cannot(l, error);
    if (now && strcmp(now, l->ours) != 0 && strcmp(now, l->original) != 0) {
        say("the webhook address at LINE was changed meanwhile; it stays %s", now);
    } else {
        if ((!now || strcmp(now, l->original) != 0) && put_endpoint(l, l->original, &sure, error, sizeof error))
            return cannot(l, error);
        say("the webhook address at LINE is %s again", l->original);
    }
    forget(l);
    return EXIT_DONE;
}

static void set(char **text, const char *value)
{
    char *copy = value ? mem_strdup(value) : NULL;
    free(*text);
    *text = copy;
}

/* An earlier run was killed before it could put the address back. With the same address again it goes on being ours. */
static int make_good(struct live *l, const char *wanted, char *error, size_t n)
{
    auto_free char *ours = NULL;
    auto_free char *now = NULL;
    bool active;
    if (!recall(l, &ours)) return 0;
    int r = get_endpoint(l, &now, &active, error, n);
    if (r) return r;
    if (!now || strcmp(now, ours) != 0) { /* somebody has mended it */
        forget(l);
        return 0;
    }
    set(&l->ours, ours);
    if (wanted && strcmp(wanted, ours) == 0) {
        l->changed = true;
        return 0;
    }
    if (!l->original && wanted) return 0; /* the one to be set replaces it */
    say("an earlier moonline dev --live was ended before it could put the webhook address back");
    if (put_back(l) == 0) return 0;
    snprintf(error, n, "an earlier run's webhook address is still at LINE");
    return ERR_IO;
}

/* ---- setting it ---- */

static int set_endpoint(struct live *l, const char *wanted, char *error, size_t n)
{
    char why[800];
    bool active = true, sure = true;
    auto_free char *now = NULL;
    if (get_endpoint(l, &now, &active, error, n)) return ERR_IO;
    if (!l->changed && now && strcmp(now, wanted) == 0) {
        say("the webhook address at LINE is %s already; it stays", wanted);
    } else {
        if (!l->changed) {
            /* Of a run that had found none and was killed: still none. */
            bool stale = now && l->ours && strcmp(now, l->ours) == 0;
            set(&l->original, stale ? NULL : now);
            set(&l->ours, wanted);
            if (remember(l, error, n)) return ERR_IO;
        }
        if ((!now || strcmp(now, wanted) != 0) && put_endpoint(l, wanted, &sure, why, sizeof why)) {
            snprintf(error, n, "the webhook address %s could not be set: %s", wanted, why);
            if (sure) forget(l);
            else put_back(l);
            return ERR_IO;
        }
        l->changed = true;
        if (l->original) say("the webhook address at LINE is now %s; in the end it will be %s again", wanted, l->original);
        else say("the webhook address at LINE is now %s; there was none before", wanted);
    }
    if (!active) say("webhooks are switched off at LINE, so nothing will come (" BY_HAND ": Use webhook)");
    return 0;
}

/* ---- who the bot is ---- */

/* For the page: settings grow by what is known of the bot. */
static void put_setting(struct live *l, const char *key, const char *value)
{
    struct buf *b = &l->emulator->settings;
    buf_printf(b, ",\"%s\":", key);
    json_put(b, str_of(value));
    l->emulator->app.settings = b->data;
}

static void tell_page(struct live *l, struct str info)
{
    struct buf *b = &l->emulator->settings;
    const char *channel = bot_of(l)->credentials->channel_id;
    if (*channel) put_setting(l, "channel_id", channel);
    buf_puts(b, ",\"bot\":");
    if (info.n) buf_append(b, info.p, info.n);
    else buf_puts(b, "{}");
    l->emulator->app.settings = b->data;
}

/* A file is named after it. */
static bool is_id(const char *id)
{
    for (const char *p = id; *p; p++)
        if (!isalnum((unsigned char)*p)) return false;
    return *id && strlen(id) <= 80;
}

/* 0 and l->file when LINE has said who it is. */
static int ask_who(struct live *l, char *error, size_t n)
{
    struct buf answer = BUF(ANSWER_MOST);
    struct json j;
    int status = 0, r = call(l, "GET", INFO, NULL, &status, &answer, error, n);
    if (!r && status != 200) r = refused(status, &answer, error, n);
    if (!r) {
        json_begin(&j, answer.data ? answer.data : "", answer.len);
        bool good = answer.len <= INFO_MOST && json_peek(&j) == JSON_OBJECT && json_value(&j, NULL) == 0 && json_end(&j) == 0;
        auto_free char *id = good ? json_member(buf_str(&answer), "userId") : mem_strdup("");
        if (!is_id(id)) {
            snprintf(error, n, "LINE's answer to GET " INFO " tells no bot's id");
            r = ERR_IO;
        } else {
            auto_free char *name = json_member(buf_str(&answer), "displayName"), *basic = json_member(buf_str(&answer), "basicId");
            l->file = mem_printf("%s/live-webhook-%s.json", l->emulator->app.host->data, id);
            say("the bot talks to LINE as %s%s%s%s: real people, real quota", name, *basic ? " (" : "", basic, *basic ? ")" : "");
            tell_page(l, buf_str(&answer));
        }
    }
    if (r) tell_page(l, (struct str){0, 0});
    buf_free(&answer);
    return r;
}

/* ---- the hooks ---- */

static int before(struct app *a, char *error, size_t n)
{
    struct live *l = a->user;
    char why[800];
    auto_free char *wanted = NULL;
    if (*l->public_url) {
        size_t length = strlen(l->public_url);
        const char *route = bot_of(l)->route, *tail = length > strlen(route) ? l->public_url + length - strlen(route) : "";
        while (length && l->public_url[length - 1] == '/') length--;
        wanted = mem_printf("%.*s%s", (int)length, l->public_url, strcmp(tail, route) == 0 ? "" : route);
    }
    int r = ask_who(l, why, sizeof why);
    if (r && !wanted) { /* as with `run`, LINE may come back */
        say("the bot talks to LINE itself, which does not say who it is: %s", why);
        return 0;
    }
    if (!r) r = make_good(l, wanted, why, sizeof why);
    if (r && !wanted) { /* nothing depends on it: it can be made good later */
        fprintf(stderr, "moonline dev: %s\n", why);
        return 0;
    }
    if (r) snprintf(error, n, "the webhook address at LINE cannot be set: %s", why);
    else if (wanted) r = set_endpoint(l, wanted, error, n);
    if (!r && wanted) put_setting(l, "endpoint", wanted);
    return r;
}

static int after(struct app *a)
{
    struct live *l = a->user;
    return l->changed ? put_back(l) : EXIT_DONE;
}

static bool is_address(const char *url)
{
    if (strncmp(url, "https://", 8) != 0 || !url[8] || url[8] == '/') return false;
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p == 0x7f || strchr("?#\"<>\\", *p)) return false;
    return strlen(url) <= URL_MOST - strlen("/webhook");
}

int live_check(const struct options *o)
{
    static const char *const emulators[] = {"world", "fault", "rates"};
    if (!o->live && *o->public_url)
        return command_usage("dev", "--public-url goes with --live: the emulator reaches the bot by itself");
    for (size_t i = 0; o->live && i < sizeof emulators / sizeof *emulators; i++)
        if (options_given(o, emulators[i]))
            return command_usage("dev", "--%s is the emulator's, and with --live LINE itself answers; leave one of them out", emulators[i]);
    if (*o->public_url && !is_address(o->public_url))
        return command_usage("dev", "--public-url %s: LINE takes addresses such as https://bot.example.com, of %d characters at most "
                                    "with /webhook behind, without a query", o->public_url, URL_MOST);
    return EXIT_DONE;
}

void live_prepare(struct live *l, struct emulator *e, const struct options *o)
{
    *l = (struct live){.emulator = e, .public_url = o->public_url};
    e->app.before = before;
    e->app.after = after;
    e->app.user = l;
}

void live_done(struct live *l)
{
    forget_token(l);
    free(l->file);
    free(l->ours);
    free(l->original);
}
