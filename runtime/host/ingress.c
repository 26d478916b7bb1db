#include "host/ingress.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/admin.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/dispatch.h"
#include "host/host.h"
#include "host/news.h"
#include "host/web.h"
#include "line/webhook.h"

#define LOGGED_PER_SECOND 20 /* refusals written to the log in one second; the rest is only counted */

/* One webhook on its way into the store. Outlives its request if the client leaves meanwhile. */
struct delivery {
    enum public_kind kind;
    struct host *host;
    struct bot *bot;
    struct credentials *credentials;  /* those its signature is checked with */
    struct signature_check *check;    /* NULL once ended */
    struct http_request *request;     /* NULL once it is over */
    struct event **events;            /* owned until the store has them, then dispatch's */
    struct store_put put;             /* put.events: one for each of events */
    bool storing;
};

static const struct http_field allow_post[] = {{"Allow", "POST"}};

static void answer(struct http_request *r, int status, struct str body)
{
    http_respond(r, status, body.n ? "application/json" : NULL, body, NULL, 0);
}

static void delivery_free(struct delivery *v)
{
    if (v->check) signature_abandon(v->check);
    credentials_unref(v->credentials);
    free(v->events);
    free(v->put.events);
    free(v);
}

/* A flood of bad requests must not become a flood of log lines. */
static bool may_log_refusal(void)
{
    static int64_t second;
    static unsigned n;
    int64_t now = clock_ns() / NS_PER_S;
    if (now != second) {
        if (n > LOGGED_PER_SECOND) LOG(WARN, "more refusals, not logged one by one", F_INT("count", n - LOGGED_PER_SECOND));
        second = now;
        n = 0;
    }
    return ++n <= LOGGED_PER_SECOND;
}

static void refuse(struct delivery *v, int status, const char *reason)
{
    if (may_log_refusal())
        LOG(WARN, "webhook refused", F_STR("bot", v->bot->name), F_INT("status", status), F_STR("reason", reason),
            F_VIEW("client", http_client(v->request)), F_INT("bytes", http_body(v->request).n));
    static const char *const bodies[] = {[0] = "{\"message\":\"Bad Request\"}", [1] = "{\"message\":\"Unauthorized\"}"};
    answer(v->request, status, str_of(bodies[status == 401]));
}

/* ---- the steps ---- */
static struct bot *route(const struct host *h, struct str path)
{
    for (size_t i = 0; i < host_users_bots(h); i++)
        if (str_is(path, h->bots[i]->route)) return h->bots[i];
    return NULL;
}

/* Ours whatever a bot declares; a webhook that is no bot's is not found there. */
static bool is_reserved(struct str path)
{
    static const struct str webhook = {"/webhook", 8};
    if (path.n >= webhook.n && str_eq((struct str){path.p, webhook.n}, webhook) && (path.n == webhook.n || path.p[webhook.n] == '/'))
        return true;
    return str_is(path, "/healthz");
}

/* Whose routes a path belongs to, and how much of it only says so: with several bots, "/NAME". NULL: nobody's. */
static struct bot *whose(const struct host *h, struct str path, size_t *ret_base_n)
{
    *ret_base_n = 0;
    size_t n = host_users_bots(h); /* the application has a door of its own, and is nobody's here */
    if (n == 1) return h->bots[0];
    const char *end = path.n ? memchr(path.p + 1, '/', path.n - 1) : NULL;
    *ret_base_n = end ? (size_t)(end - path.p) : path.n;
    for (size_t i = 0; i < n; i++)
        if (path.n && path.p[0] == '/' && str_is((struct str){path.p + 1, *ret_base_n - 1}, h->bots[i]->name)) return h->bots[i];
    return NULL;
}

static bool is_web(struct http_request *r)
{
    const enum public_kind *kind = http_user(r);
    return kind && *kind == PUBLIC_WEB;
}

static int begin_cb(void *user, struct http_request *r)
{
    struct host *h = user;
    struct bot *b = route(h, http_path(r));
    http_set_user(r, NULL);
    if (!b && !is_reserved(http_path(r))) {
        size_t base_n;
        b = whose(h, http_path(r), &base_n);
        return web_begin(h, b, r, base_n, false);
    }
    if (!b) return admin_begin(h, r, ADMIN_PUBLIC);
    if (!str_is(http_method(r), "POST")) {
        http_respond(r, 405, NULL, (struct str){0, 0}, allow_post, 1);
        return 405;
    }
    struct delivery *v = mem_zalloc(sizeof *v);
    v->kind = PUBLIC_WEBHOOK;
    v->host = h;
    v->bot = b;
    v->credentials = credentials_ref(b->credentials);
    v->check = signature_begin(v->credentials->keys);
    v->request = r;
    http_set_user(r, v);
    return 0;
}

static void data_cb(void *user, struct http_request *r, const char *p, size_t n)
{
    (void)user;
    struct delivery *v = http_user(r);
    if (is_web(r)) return web_data(r, n);
    if (v && v->check) signature_update(v->check, p, n);
}

static void stored(struct store_put *put)
{
    struct delivery *v = put->user;
    struct host *h = v->host;
    v->storing = false;
    for (size_t i = 0; i < put->n; i++) {
        struct event *e = v->events[i];
        const struct store_event *s = &put->events[i];
        if (put->result == 0 && s->seq) {
            e->seq = s->seq;
            news_event(e);
            dispatch_committed(h->dispatch, e);
            continue;
        }
        if (put->result == 0) {
            h->metrics.duplicates++;
            LOG(INFO, "duplicate event dropped", F_STR("bot", v->bot->name), F_VIEW("event", e->id));
        }
        event_free(e);
    }
    if (v->request && put->result) {
        if (may_log_refusal())
            LOG(ERROR, "webhook not stored", F_STR("bot", v->bot->name), F_INT("status", 503), F_STR("reason", err_text(put->result)));
        answer(v->request, 503, STR("{\"message\":\"Service Unavailable\"}"));
    } else if (v->request) {
        answer(v->request, 200, STR("{}"));
    }
    if (!v->request) delivery_free(v);
    /* else end_cb frees it */
}

static void store_events(struct delivery *v, const struct webhook *w)
{
    int64_t now = clock_wall_ms();
    v->events = mem_alloc(w->n * sizeof *v->events);
    v->put = (struct store_put){.events = mem_zalloc(w->n * sizeof *v->put.events), .n = w->n, .done = stored, .user = v};
    for (size_t i = 0; i < w->n; i++) {
        const struct webhook_event *from = &w->events[i];
        struct event *e = event_new(v->bot, from->id, from->raw, from->type, from->chat);
        e->order = webhook_order(from, v->bot->id);
        e->received_ms = now;
        v->events[i] = e;
        v->put.events[i] = (struct store_event){
            .bot = v->bot->id, .order = e->order, .id = e->id, .body = e->body, .received_ms = now};
    }
    v->storing = true;
    store_put(v->host->store, &v->put);
}

static void complete_cb(void *user, struct http_request *r)
{
    struct host *h = user;
    struct delivery *v = http_user(r);
    if (is_web(r)) return web_complete(r);
    if (!v) return admin_complete(h, r, ADMIN_PUBLIC);
    enum signature_result s = signature_end(v->check, http_header(r, "x-line-signature"));
    v->check = NULL;
    if (s != SIGNATURE_OK) {
        h->metrics.rejected_signatures[s]++;
        return refuse(v, 401, signature_reason(s));
    }
    struct webhook w;
    const char *why = "";
    int e = webhook_split(http_body(r), &w, &why);
    if (e) return refuse(v, 400, e == ERR_TOOBIG ? "too many events" : why);
    if (w.n) {
        store_events(v, &w);
    } else {
        h->metrics.verify++;
        LOG(INFO, "verify", F_STR("bot", v->bot->name), F_VIEW("destination", w.destination));
        answer(r, 200, STR("{}"));
    }
    webhook_free(&w);
}

static void end_cb(void *user, struct http_request *r, int status)
{
    struct host *h = user;
    /* The public door has three kinds of request, and what hangs on one is told by its path alone. */
    if (!route(h, http_path(r))) return is_reserved(http_path(r)) ? admin_end(h, r) : web_end(r, status);
    struct delivery *v = http_user(r);
    if (!v) return; /* answered by begin_cb */
    if (status >= 0 && status < 600) h->metrics.webhooks[status]++;
    if ((status == 408 || status == 413) && may_log_refusal())
        LOG(WARN, "webhook refused", F_STR("bot", v->bot->name), F_INT("status", status),
            F_STR("reason", status == 408 ? "the body took too long" : "the body is too long"), F_VIEW("client", http_client(r)));
    v->request = NULL;
    if (!v->storing) delivery_free(v);
}

/* Only routes' answers come in pieces. */
static void taken_cb(void *user, struct http_request *r, size_t n)
{
    (void)user;
    web_taken(r, n);
}

const struct http_callbacks ingress_callbacks = {begin_cb, data_cb, complete_cb, end_cb, taken_cb};
