#include "host/token.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "line/digest.h"
#include "net/http_client.h"

#define FORM_MAX 16384
#define RETRY_FIRST_MS 500
#define RETRY_MOST_MS 60000
#define REFUSED_AGAIN (5 * NS_PER_S) /* a token this young that LINE refuses will not get better by another one */
#define LIFE_LEAST_S 1               /* an answer without a sensible expires_in must not make us ask without pause */
#define LIFE_MOST_S (30 * 86400)

struct token_keeper {
    uv_loop_t *loop;
    uv_timer_t timer;             /* to the next request: renewal, or another try */
    struct http_client *client;   /* made when the first token is to be issued; most bots need none */
    struct http_call call;
    const char *headers[2];
    char *url;
    struct buf form;
    bool running;
    struct credentials *credentials;
    char *token, *trouble;
    int64_t issued_ns;
    unsigned failures;            /* in a row */
    size_t secret;                /* which of several secrets to issue with, while one is being rotated */
    const char *bot;
    token_news *news;
    void *user;
};

static void issue(struct token_keeper *k);
static void timer_cb(uv_timer_t *t) { issue(t->data); }

struct token_keeper *token_keeper_new(uv_loop_t *loop, const char *bot, token_news *news, void *user)
{
    struct token_keeper *k = mem_zalloc(sizeof *k);
    k->loop = loop;
    k->bot = bot;
    k->news = news;
    k->user = user;
    k->token = mem_strdup("");
    k->trouble = mem_strdup("");
    buf_init(&k->form, FORM_MAX);
    uv_timer_init(loop, &k->timer);
    uv_unref((uv_handle_t *)&k->timer);
    k->timer.data = k;
    return k;
}

const char *token_keeper_token(const struct token_keeper *k) { return k->token; }
bool token_keeper_renews(const struct token_keeper *k) { return k->credentials && k->credentials->kind != TOKEN_STATIC; }

static void set(char **text, const char *value)
{
    free(*text);
    *text = mem_strdup(value);
}

/* ---- one request ---- */

static void fill(struct http_call *call, const char *url, const char *const *headers, const struct buf *form)
{
    *call = (struct http_call){.answer = call->answer, .header_bytes = call->header_bytes, .method = "POST", .url = url,
                               .headers = headers, .body = form->data, .body_len = form->len,
                               .max_answer = FORM_MAX};
}

static void failed(struct token_keeper *k, const char *why)
{
    unsigned doublings = k->failures < 7 ? k->failures : 7;
    int64_t ms = (int64_t)RETRY_FIRST_MS << doublings;
    uint32_t r;
    digest_random(&r, sizeof r);
    if (ms > RETRY_MOST_MS) ms = RETRY_MOST_MS;
    ms = ms * 3 / 4 + (int64_t)(r % (uint32_t)(ms / 2)); /* apart from others that failed at the same moment */
    k->failures++;
    k->secret++;
    set(&k->trouble, why);
    if (*k->token)
        LOG(WARN, "channel access token not renewed; the one before stays while it lasts", F_STR("bot", k->bot),
            F_STR("reason", why), F_INT("retry_ms", ms));
    else
        LOG(WARN, "no channel access token yet; calls of LINE wait for it", F_STR("bot", k->bot), F_STR("reason", why),
            F_INT("retry_ms", ms));
    uv_timer_start(&k->timer, timer_cb, (uint64_t)ms, 0);
    k->news(k->user, (struct str){"", 0}, str_of(why));
}

static void issued(struct token_keeper *k, const struct token_answer *a)
{
    int64_t life = a->expires_in < LIFE_LEAST_S ? LIFE_LEAST_S : a->expires_in > LIFE_MOST_S ? LIFE_MOST_S : a->expires_in;
    log_secret(str_of(a->token));
    set(&k->token, a->token);
    set(&k->trouble, "");
    k->failures = 0;
    k->issued_ns = clock_ns();
    uv_timer_start(&k->timer, timer_cb, (uint64_t)life * 800, 0); /* 80 % */
    LOG(INFO, "channel access token issued", F_STR("bot", k->bot), F_INT("expires_in_s", life), F_STR("key_id", a->key_id));
    k->news(k->user, str_of(k->token), (struct str){"", 0});
}

static void done(struct http_call *call)
{
    struct token_keeper *k = call->user;
    struct token_answer a = {0};
    k->running = false;
    if (call->result == 0) token_answer_read(call->status, buf_str(&call->answer), &a);
    if (a.token) issued(k, &a);
    else failed(k, a.why ? a.why : call->error ? call->error : err_text(call->result));
    token_answer_free(&a);
}

static void issue(struct token_keeper *k)
{
    if (k->running || !token_keeper_renews(k)) return;
    if (!k->client) k->client = http_client_new(k->loop, &(struct http_client_options){.user_agent = "moonline", .max_idle = 1});
    buf_clear(&k->form);
    free(k->url);
    k->url = NULL;
    uv_timer_stop(&k->timer);
    if (token_request(k->credentials, k->secret, &k->form, &k->url))
        return failed(k, "the assertion could not be signed with LINE_ASSERTION_KEY");
    k->headers[0] = TOKEN_FORM;
    fill(&k->call, k->url, k->headers, &k->form);
    k->call.user = k;
    k->call.done = done;
    k->running = true;
    http_client_start(k->client, &k->call);
}

/* ---- what others ask ---- */

static bool same_origin(const struct credentials *a, const struct credentials *b)
{
    if (a->kind != b->kind || strcmp(a->api_base, b->api_base) != 0) return false;
    if (a->kind == TOKEN_STATIC) return strcmp(a->token, b->token) == 0;
    if (strcmp(a->channel_id, b->channel_id) != 0) return false;
    /* Each SIGHUP would cost one of the 30 tokens that may live. A key file may have other contents under the same name. */
    return a->kind == TOKEN_ASSERTED ? jwt_key_same(a->assertion_key, b->assertion_key) : strcmp(a->secrets, b->secrets) == 0;
}

void token_keeper_use(struct token_keeper *k, struct credentials *c)
{
    struct credentials *before = k->credentials;
    bool same = before && same_origin(before, c), had = before != NULL;
    bool same_channel = before && strcmp(before->channel_id, c->channel_id) == 0 && strcmp(before->api_base, c->api_base) == 0;
    k->credentials = credentials_ref(c);
    credentials_unref(before);
    if (same) return;
    if (k->running) http_client_cancel(k->client, &k->call);
    k->running = false;
    k->failures = 0;
    k->secret = 0;
    uv_timer_stop(&k->timer);
    set(&k->trouble, "");
    /* The token before serves until there is a new one, unless it was another channel's. */
    if (c->kind == TOKEN_STATIC || !same_channel) set(&k->token, c->token);
    issue(k);
    if (c->kind == TOKEN_STATIC && had) k->news(k->user, str_of(k->token), (struct str){"", 0});
}

void token_keeper_refused(struct token_keeper *k, struct str token)
{
    bool current = str_eq(token, str_of(k->token));
    if (k->running) return; /* news will follow */
    if (!current || !token_keeper_renews(k) || (k->issued_ns && clock_ns() - k->issued_ns < REFUSED_AGAIN))
        return k->news(k->user, str_of(k->token), str_of(k->trouble));
    if (k->failures) return k->news(k->user, (struct str){"", 0}, str_of(k->trouble)); /* another try is due soon */
    LOG(INFO, "LINE refused the channel access token; it is renewed", F_STR("bot", k->bot));
    issue(k);
}

/* ---- the end ---- */

static void timer_closed(uv_handle_t *h)
{
    struct token_keeper *k = h->data;
    http_call_free(&k->call);
    buf_free(&k->form);
    credentials_unref(k->credentials);
    free(k->url);
    free(k->token);
    free(k->trouble);
    free(k);
}

static void client_closed(void *user)
{
    struct token_keeper *k = user;
    uv_close((uv_handle_t *)&k->timer, timer_closed);
}

void token_keeper_close(struct token_keeper *k)
{
    if (!k) return;
    if (k->running) http_client_cancel(k->client, &k->call);
    k->running = false;
    uv_timer_stop(&k->timer);
    if (k->client) http_client_close(k->client, client_closed, k);
    else client_closed(k);
}
