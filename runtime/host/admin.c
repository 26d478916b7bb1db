#include "host/admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/bot.h"
#include "host/dispatch.h"
#include "host/host.h"

#define ANSWER_MOST (64u << 20) /* a long list of events */
#define LIST_DEFAULT 100
#define LIST_MOST 10000

struct question;
/* To add a route: add a row; tests/scenario/test_ops.py walks over the doors. */
static void healthz(struct question *q);
static void metrics(struct question *q);
static void list(struct question *q);
static void show(struct question *q);
static void retry(struct question *q);
static void drop(struct question *q);

static const struct route {
    const char *method, *path; /* a * takes one segment: the event's id */
    int doors;
    void (*ask)(struct question *q);
} routes[] = {
    {"GET", "/healthz", ADMIN_PUBLIC | ADMIN_LISTENER | ADMIN_CONTROL, healthz},
    {"GET", "/metrics", ADMIN_LISTENER | ADMIN_CONTROL, metrics},
    {"GET", "/events", ADMIN_CONTROL, list},
    {"GET", "/events/*", ADMIN_CONTROL, show},
    {"POST", "/events/*/retry", ADMIN_CONTROL, retry},
    {"POST", "/events/*/drop", ADMIN_CONTROL, drop},
};

/* One request waiting for the store. Outlives its request if the client leaves meanwhile. */
struct question {
    struct host *host;
    struct http_request *request; /* NULL once it is over */
    enum admin_door door;
    struct store_admin call;
    bool asking;
    char id[128];
};

/* ---- routes ---- */
static bool matches(const char *pattern, struct str path, char *id, size_t n)
{
    size_t i = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (i >= path.n || path.p[i++] != *pattern) return false;
            continue;
        }
        size_t from = i;
        while (i < path.n && path.p[i] != '/') i++;
        if (i == from || i - from >= n) return false;
        memcpy(id, path.p + from, i - from);
        id[i - from] = 0;
    }
    return i == path.n;
}

static const struct route *find(struct http_request *r, enum admin_door door, char *id, size_t n, bool *ret_other_method)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!(routes[i].doors & (int)door) || !matches(routes[i].path, http_path(r), id, n)) continue;
        if (str_is(http_method(r), routes[i].method) || (str_is(http_method(r), "HEAD") && routes[i].method[0] == 'G'))
            return &routes[i];
        *ret_other_method = true;
    }
    return NULL;
}

int admin_begin(struct host *h, struct http_request *r, enum admin_door door)
{
    (void)h;
    char id[128];
    bool other = false;
    http_set_user(r, NULL);
    if (find(r, door, id, sizeof id, &other)) return 0;
    if (!other) return 404;
    const struct http_field allow = {"Allow", str_is(http_method(r), "POST") ? "GET" : "GET, POST"};
    http_respond(r, 405, NULL, (struct str){0, 0}, &allow, 1);
    return 405;
}

static void question_free(struct question *q)
{
    buf_free(&q->call.out);
    free(q);
}

void admin_complete(struct host *h, struct http_request *r, enum admin_door door)
{
    struct question *q = mem_zalloc(sizeof *q);
    bool other;
    q->host = h;
    q->request = r;
    q->door = door;
    buf_init(&q->call.out, ANSWER_MOST);
    const struct route *route = find(r, door, q->id, sizeof q->id, &other);
    http_set_user(r, q);
    route->ask(q);
}

void admin_end(struct host *h, struct http_request *r)
{
    (void)h;
    struct question *q = http_user(r);
    if (!q) return;
    q->request = NULL;
    if (!q->asking) question_free(q);
}

/* ---- answers ---- */
static void say(struct question *q, int status, const char *type, struct str body)
{
    if (q->request) http_respond(q->request, status, type, body, NULL, 0);
    else question_free(q);
}

static void answered(struct store_admin *call)
{
    struct question *q = call->user;
    struct host *h = q->host;
    q->asking = false;
    if (call->result) {
        char text[160];
        int n = snprintf(text, sizeof text, "{\"message\":\"%s\"}",
                         call->result == ERR_NOTFOUND ? "no such event"
                         : call->result == ERR_BUSY   ? "the event is waiting already"
                                                      : err_text(call->result));
        return say(q, call->result == ERR_NOTFOUND ? 404 : call->result == ERR_BUSY ? 409 : 503, "application/json",
                   (struct str){text, (size_t)n});
    }
    if (call->kind == STORE_RETRY) dispatch_restored(h->dispatch, &call->row);
    if (call->kind == STORE_DROP) {
        h->metrics.dropped++;
        dispatch_drop(h->dispatch, call->row.seq, call->row.order);
    }
    if (call->kind == STORE_COUNTS) {
        metrics_write(h, &call->counts, &call->out);
        return say(q, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&call->out));
    }
    say(q, 200, "application/json", call->out.len ? buf_str(&call->out) : STR("{}"));
}

static void ask_store(struct question *q, enum store_admin_kind kind)
{
    q->asking = true;
    q->call.kind = kind;
    q->call.id = q->id;
    q->call.done = answered;
    q->call.user = q;
    store_admin(q->host->store, &q->call);
}

static void metrics(struct question *q) { ask_store(q, STORE_COUNTS); }
static void show(struct question *q) { ask_store(q, STORE_SHOW); }
static void retry(struct question *q) { ask_store(q, STORE_RETRY); }
static void drop(struct question *q) { ask_store(q, STORE_DROP); }

static void list(struct question *q)
{
    static const char *const states[] = {"waiting", "failed", "quarantined"};
    struct str query = http_query_string(q->request);
    auto_free char *text = mem_strndup(query.p ? query.p : "", query.n);
    q->call.limit = LIST_DEFAULT;
    for (char *save = NULL, *part = strtok_r(text, "&", &save); part; part = strtok_r(NULL, "&", &save)) {
        if (strncmp(part, "limit=", 6) == 0) q->call.limit = strtoul(part + 6, NULL, 10);
        for (size_t i = 0; i < 3; i++)
            if (strncmp(part, "state=", 6) == 0 && strcmp(part + 6, states[i]) == 0) q->call.state = states[i];
    }
    if (q->call.limit > LIST_MOST) q->call.limit = LIST_MOST;
    ask_store(q, STORE_LIST);
}

/* ---- health ---- */
static bool bot_unhealthy(const struct bot *b, struct buf *out)
{
    const struct generation *g = b->current;
    if (!g) {
        buf_printf(out, "bot %s: no generation is ready", b->name);
        return true;
    }
    for (uint32_t i = 0; i + 1 < g->n_slots; i++) {
        if (g->slots[i].state == SLOT_READY || !g->slots[i].failures) continue;
        buf_printf(out, "bot %s: worker %u does not start (%u times)", b->name, i, g->slots[i].failures);
        return true;
    }
    return false;
}

bool admin_unhealthy(const struct host *h, struct buf *out)
{
    struct store_health s;
    store_health(h->store, &s);
    if (s.failing) {
        buf_printf(out, "store failing: %s", s.why[0] ? s.why : err_text(s.failing));
        return true;
    }
    if (h->stopping) {
        buf_puts(out, "stopping");
        return true;
    }
    for (size_t i = 0; i < h->n_bots; i++)
        if (bot_unhealthy(h->bots[i], out)) return true;
    return false;
}

/* An error of the bot's code shows lines of it: not for everybody who reaches the webhook. */
static void put_bots(const struct host *h, bool details, struct buf *out)
{
    json_put_key(out, "bots");
    buf_putc(out, '[');
    for (size_t i = 0; i < h->n_bots; i++) {
        const struct bot *b = h->bots[i];
        buf_puts(out, i ? ",{" : "{");
        json_put_key(out, "name");
        json_put(out, str_of(b->name));
        json_put_key(out, "generation");
        buf_printf(out, "%u", b->current ? b->current->number : 0);
        if (b->refused && details) {
            json_put_key(out, "refused");
            json_put(out, str_of(b->refused));
        }
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

static void healthz(struct question *q)
{
    struct buf why = BUF(LIMIT_ERROR_TEXT * 2), *out = &q->call.out;
    bool bad = admin_unhealthy(q->host, &why);
    buf_puts(out, bad ? "{\"status\":\"unavailable\"" : "{\"status\":\"ok\"");
    if (bad) {
        json_put_key(out, "reason");
        json_put(out, buf_str(&why));
    }
    put_bots(q->host, q->door != ADMIN_PUBLIC, out);
    buf_puts(out, "}\n");
    out->len = log_mask(out->data, out->len);
    buf_free(&why);
    say(q, bad ? 503 : 200, "application/json", buf_str(out));
}

/* ---- the two doors that are only for this ---- */
static int begin_listener(void *u, struct http_request *r) { return admin_begin(u, r, ADMIN_LISTENER); }
static void complete_listener(void *u, struct http_request *r) { admin_complete(u, r, ADMIN_LISTENER); }
static int begin_control(void *u, struct http_request *r) { return admin_begin(u, r, ADMIN_CONTROL); }
static void complete_control(void *u, struct http_request *r) { admin_complete(u, r, ADMIN_CONTROL); }
static void end_door(void *u, struct http_request *r, int status)
{
    (void)status;
    admin_end(u, r);
}

const struct http_callbacks admin_listener_callbacks = {begin_listener, NULL, complete_listener, end_door, NULL};
const struct http_callbacks admin_control_callbacks = {begin_control, NULL, complete_control, end_door, NULL};
