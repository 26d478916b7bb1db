#include "host/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/bot.h"
#include "host/host.h"
#include "host/web_wire.h"

#define HELD_MOST (256u << 20)     /* bodies of all requests under way, which the host and a worker hold */
#define FIELDS_MOST 64             /* headers of an answer */
#define HEADS_MOST (LIMIT_REQUEST_MEMORY - 1536u) /* headers of a request and its answer: they share the library's memory */
#define TELL_AT (WEB_WINDOW / 4)   /* bytes taken before the worker is told, unless nothing waits any more */

/* One request. Lives until its client has its answer or is gone, and the worker has ended it. */
struct web_call {
    enum public_kind kind;
    bool answered;                 /* the head of the answer is out */
    struct host *host;
    struct bot *bot;
    struct http_request *request;  /* NULL once it is over */
    struct slot *slot;             /* whose worker has it; NULL: nobody (yet, or any more) */
    struct web_call *next, *prev;  /* of the slot */
    uint64_t id;
    size_t base_n;                 /* bytes of the path in front of the bot's own */
    size_t held;                   /* bytes of body counted in host->web_held */
    size_t body_sent;
    size_t heads_n;                /* bytes of the request's line and headers */
    size_t waiting;                /* bytes of the answer that the client has not taken */
    size_t taken;                  /* and that it has taken, and the worker does not know */
};

static const struct http_field retry_after[] = {{"Retry-After", "1"}};

/* A flood of requests must not become a flood of log lines. */
static void log_refusal(const struct web_call *c, int status, const char *why)
{
    static int64_t last;
    int64_t now = clock_ns();
    if (last && now - last < NS_PER_S) return;
    last = now;
    LOG(WARN, "request refused", F_STR("bot", c->bot->name), F_INT("status", status), F_STR("reason", why),
        F_VIEW("client", http_client(c->request)));
}

static void refuse(struct http_request *r, int status, const char *message)
{
    char body[128];
    int n = snprintf(body, sizeof body, "{\"message\":\"%s\"}", message);
    http_respond(r, status, "application/json", (struct str){body, (size_t)n}, retry_after, status == 503);
}

/* ---- its place with a worker ---- */
static void enlist(struct web_call *c, struct slot *s)
{
    c->slot = s;
    c->prev = NULL;
    c->next = s->web;
    if (s->web) s->web->prev = c;
    s->web = c;
    s->web_n++;
    map_put(&c->host->web, c->id, c);
}

/* The worker has no part in it any more. */
static void let_go(struct web_call *c)
{
    c->slot = NULL;
    map_take(&c->host->web, c->id);
    if (!c->request) free(c);
}

/* It has ended it. */
static void unlist(struct web_call *c, struct slot *s)
{
    if (c->prev) c->prev->next = c->next;
    else s->web = c->next;
    if (c->next) c->next->prev = c->prev;
    s->web_n--;
    let_go(c);
}

/* The ready worker with the fewest requests, one after the other while they are even. */
static struct slot *choose(struct bot *b)
{
    struct generation *g = b->current;
    struct slot *best = NULL;
    uint32_t workers = g->n_slots - 1, from = b->web_turn++;
    for (uint32_t i = 0; i < workers; i++) {
        struct slot *s = &g->slots[(from + i) % workers];
        if (s->state != SLOT_READY || s->web_n >= (uint64_t)b->options->web_parallel) continue;
        if (wire_is_lost(worker_process_wire(s->process))) continue; /* its end is about to be noticed */
        if (!best || s->web_n < best->web_n) best = s;
    }
    return best;
}

/* ---- towards the worker ---- */
static void note(struct web_call *c, enum wire_type type, uint64_t n)
{
    if (!c->slot || !c->slot->process || !wire_send_web_note(worker_process_wire(c->slot->process), type, c->id, n)) return;
    worker_process_kill(c->slot->process, "it does not read what it is sent about requests");
}

/* What of the body the wire takes now. */
static void send_body(struct web_call *c)
{
    struct wire *w = worker_process_wire(c->slot->process);
    struct str body = http_body(c->request);
    while (c->body_sent < body.n && wire_backlog(w) < WIRE_BUSY) {
        size_t n = body.n - c->body_sent < WEB_PIECE ? body.n - c->body_sent : WEB_PIECE;
        struct wire_web_piece p = {c->id, c->body_sent + n == body.n, {body.p + c->body_sent, n}};
        if (wire_send_web_piece(w, WIRE_WEB_BODY, &p)) return;
        c->body_sent += n;
    }
}

static void drained(void *user)
{
    struct slot *s = user;
    for (struct web_call *c = s->web; c; c = c->next)
        if (c->request) send_body(c);
}

void web_slot_started(struct slot *s) { wire_watch_backlog(worker_process_wire(s->process), drained, s); }

static void put_header(void *user, struct str name, struct str value)
{
    struct buf *out = user;
    buf_append(out, name.p, name.n);
    buf_putc(out, 0);
    buf_append(out, value.p, value.n);
    buf_putc(out, 0);
}

static int send_request(struct web_call *c, struct slot *s)
{
    struct http_request *r = c->request;
    struct str body = http_body(r), path = http_path(r), query = http_query_string(r);
    struct buf headers = BUF(LIMIT_REQUEST_MEMORY * 2);
    http_each_header(r, put_header, &headers);
    /* To a worker that is behind only the head goes, so that many uploads at once leave the wire to events. */
    size_t first = wire_backlog(worker_process_wire(s->process)) < WIRE_BUSY ? WEB_PIECE : 0;
    c->body_sent = body.n < first ? body.n : first;
    struct wire_web_request w = {
        .id = c->id, .body_n = body.n, .secure = http_secure(r), .method = http_method(r), .client = http_client(r),
        .target = {path.p + c->base_n, path.n - c->base_n + (query.p ? query.n + 1 : 0)}, /* side by side, with the '?' */
        .base = {path.p, c->base_n}, .headers = buf_str(&headers), .body = {body.p, c->body_sent},
    };
    if (path.n == c->base_n) w.target = STR("/"); /* "/shop" itself */
    c->heads_n = path.n + query.n + headers.len;
    int result = wire_send_web_request(worker_process_wire(s->process), &w);
    buf_free(&headers);
    return result;
}

/* ---- requests in ---- */
int web_begin(struct host *h, struct bot *b, struct http_request *r, size_t base_n, bool door)
{
    http_set_user(r, NULL);
    if (!b) return 404;
    bool stopping = host_stopping(h, b), ready = b->current && !stopping;
    if (!ready && (door || stopping)) {
        refuse(r, 503, "Service Unavailable");
        return 503;
    }
    if (!ready || !b->current->web_routes) return 404;
    struct str path = http_path(r), length = http_header(r, "content-length");
    if (!path.n || path.p[0] != '/') {
        refuse(r, 400, "Bad Request");
        return 400;
    }
    struct web_call *c = mem_zalloc(sizeof *c);
    *c = (struct web_call){.kind = PUBLIC_WEB, .host = h, .bot = b, .request = r, .base_n = base_n};
    http_set_user(r, c);
    size_t most = (size_t)b->options->web_body;
    http_limit_body(r, most + LIMIT_REQUEST_MEMORY); /* by a read more: beyond the limit it is us who answers */
    if (length.p && strtoull(length.p, NULL, 10) > most) {
        log_refusal(c, 413, "the body is too long (--web-body)");
        refuse(r, 413, "Content Too Large");
        return 413;
    }
    return 0;
}

void web_data(struct http_request *r, size_t n)
{
    struct web_call *c = http_user(r);
    c->held += n;
    c->host->web_held += n;
    if (http_body(r).n > (size_t)c->bot->options->web_body) {
        log_refusal(c, 413, "the body is too long (--web-body)");
        refuse(r, 413, "Content Too Large");
    } else if (c->host->web_held > HELD_MOST) {
        log_refusal(c, 503, "the bodies of all requests together have more than 256 MiB");
        refuse(r, 503, "Service Unavailable");
    }
}

void web_complete(struct http_request *r)
{
    struct web_call *c = http_user(r);
    struct bot *b = c->bot;
    bool ready = b->current && !host_stopping(c->host, b);
    if (ready && !b->current->web_routes) return refuse(r, 404, "Not Found");
    struct slot *s = ready ? choose(b) : NULL;
    c->id = ++c->host->web_last;
    if (!s || send_request(c, s)) {
        log_refusal(c, 503, "no worker takes it: each is starting, or has as many as it may (--web-parallel)");
        return refuse(r, 503, "Service Unavailable");
    }
    enlist(c, s);
    send_body(c);
}

void web_end(struct http_request *r, int status)
{
    struct web_call *c = http_user(r);
    if (!c) return; /* answered by web_begin before there was one */
    c->host->metrics.web[status >= 0 && status < 600 ? status : 0]++;
    c->host->web_held -= c->held;
    c->request = NULL;
    if (c->slot) note(c, WIRE_WEB_GONE, 0);
    else free(c);
}

void web_taken(struct http_request *r, size_t n)
{
    struct web_call *c = http_user(r);
    c->waiting -= n < c->waiting ? n : c->waiting;
    c->taken += n;
    if (c->waiting && c->taken < TELL_AT) return;
    note(c, WIRE_WEB_TAKEN, c->taken);
    c->taken = 0;
}

/* ---- answers out ---- */
static void log_answer(const struct web_call *c, const struct slot *s, const char *message, const char *why)
{
    struct str path = http_path(c->request), method = http_method(c->request);
    auto_free char *line = mem_printf(STR_FMT " " STR_FMT, STR_ARG(method), STR_ARG(path));
    LOG(ERROR, message, F_STR("bot", c->bot->name), F_INT("generation", s->generation->number), F_STR("request", line),
        F_STR("reason", why));
}

static void answer(struct web_call *c, const struct slot *s, const struct wire_web_answer *a)
{
    struct http_request *r = c->request;
    struct http_field fields[FIELDS_MOST];
    struct str list = a->headers;
    size_t n = 0;
    c->answered = true;
    if (!r) return;
    while (n < FIELDS_MOST && web_next_header(&list, &fields[n].name, &fields[n].value)) n++;
    if (c->heads_n + a->headers.n > HEADS_MOST) {
        log_answer(c, s, "answer not sent", "the headers of the request and of its answer are longer than 14 KiB together");
        return refuse(r, 500, "Internal Server Error");
    }
    bool head_only = str_is(http_method(r), "HEAD") && !a->sized && a->status != 204 && a->status != 304; /* of a stream */
    if (a->last && (a->sized ? a->length == a->body.n : !head_only)) return http_respond(r, a->status, NULL, a->body, fields, n);
    http_respond_begin(r, a->status, a->sized ? a->length : HTTP_LENGTH_UNKNOWN, fields, n);
    c->waiting += a->body.n;
    http_respond_data(r, a->body.p, a->body.n);
    if (a->last) http_respond_end(r);
}

static bool more(struct web_call *c, const struct wire_web_piece *p)
{
    if (!c->answered) return false;
    if (!c->request) return true;
    if (c->waiting + p->bytes.n > WEB_WINDOW) return false;
    c->waiting += p->bytes.n;
    http_respond_data(c->request, p->bytes.p, p->bytes.n);
    if (p->last) http_respond_end(c->request);
    return true;
}

static void cut(struct web_call *c)
{
    if (!c->request) return;
    if (c->answered) http_respond_cut(c->request);
    else refuse(c->request, 502, "Bad Gateway");
}

static struct web_call *call_of(const struct slot *s, uint64_t id)
{
    struct web_call *c = map_get(&s->generation->bot->host->web, id);
    return c && c->slot == s ? c : NULL;
}

static bool answer_frame(struct slot *s, struct str payload)
{
    struct wire_web_answer a;
    if (wire_read_web_answer(payload, &a)) return false;
    struct web_call *c = call_of(s, a.id);
    if (!c || c->answered) return false;
    answer(c, s, &a);
    if (a.last) unlist(c, s);
    return true;
}

static bool data_frame(struct slot *s, struct str payload)
{
    struct wire_web_piece p;
    if (wire_read_web_piece(payload, &p)) return false;
    struct web_call *c = call_of(s, p.id);
    if (!c || !more(c, &p)) return false;
    if (p.last) unlist(c, s);
    return true;
}

static bool cut_frame(struct slot *s, struct str payload)
{
    uint64_t id, n;
    if (wire_read_web_note(payload, &id, &n)) return false;
    struct web_call *c = call_of(s, id);
    if (!c) return false;
    cut(c);
    unlist(c, s);
    return true;
}

bool web_frame(struct slot *s, enum wire_type type, struct str payload)
{
    return type == WIRE_WEB_ANSWER ? answer_frame(s, payload)
           : type == WIRE_WEB_DATA ? data_frame(s, payload)
                                   : cut_frame(s, payload);
}

void web_slot_lost(struct slot *s, const struct worker_end *end)
{
    struct web_call *next;
    for (struct web_call *c = s->web; c; c = next) {
        next = c->next;
        if (c->request && end->blame == (PAGE_WEB | c->id)) log_answer(c, s, "a web handler took its worker down", end->why);
        cut(c);
        let_go(c);
    }
    s->web = NULL;
    s->web_n = 0;
}

/* ---- a listener of one bot ---- */
static int door_begin(void *user, struct http_request *r)
{
    const struct web_door *d = user;
    return web_begin(d->host, d->bot, r, 0, true);
}

static void door_data(void *user, struct http_request *r, const char *p, size_t n)
{
    (void)user, (void)p;
    if (http_user(r)) web_data(r, n);
}

static void door_complete(void *user, struct http_request *r)
{
    (void)user;
    web_complete(r);
}

static void door_end(void *user, struct http_request *r, int status)
{
    (void)user;
    web_end(r, status);
}

static void door_taken(void *user, struct http_request *r, size_t n)
{
    (void)user;
    web_taken(r, n);
}

const struct http_callbacks web_callbacks = {door_begin, door_data, door_complete, door_end, door_taken};
