#include "bindings/trace_news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "bindings/call.h"
#include "bindings/task_private.h"
#include "bindings/trace.h"

#define NEWS_MOST 8192
#define BODY_MOST 65536u              /* bytes of a body that are told */
#define SECRET_MOST 8192u             /* no secret is longer */
#define BODIES_MOST (LIMIT_FRAME / 2) /* both bodies and the address, written as JSON at its longest */

static void put_text(struct buf *b, const char *key, struct str text)
{
    if (!text.n) return;
    json_put_key(b, key);
    json_put(b, text);
}

/* For whom: an event, or else a timer (of the event in which it was made), or a request of a route. */
static void begin(struct buf *b, const char *what, const struct task *t)
{
    buf_printf(b, "{\"what\":\"%s\"", what);
    if (!t || !t->event) return;
    put_text(b, "event", task_event_id(t));
    put_text(b, "timer", str_of(task_timer(t)));
    put_text(b, "origin", task_origin(t));
    if (t->event->web) put_text(b, "route", str_of(t->event->id));
}

static void tell(struct buf *b)
{
    buf_putc(b, '}');
    if (worker_wire()) wire_send_strings(worker_wire(), WIRE_TRACE, buf_str(b), (struct str){0, 0});
    buf_free(b);
}

int trace_handler(lua_State *L)
{
    const char *where = luaL_checkstring(L, 1), *selector = luaL_checkstring(L, 2);
    struct buf b = BUF(NEWS_MOST); /* nothing below raises */
    begin(&b, "handler", task_current());
    buf_printf(&b, ",\"generation\":%u", worker_get()->generation);
    put_text(&b, "where", str_of(where));
    put_text(&b, "selector", str_of(selector));
    tell(&b);
    return 0;
}

/* ---- what went out and came back ---- */

/* Mostly characters: what a person can look at. Its end may be cut. */
static bool is_text(const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned length = p[i] ? utf8_length((const unsigned char *)p + i, n - i) : 0;
        if (!length) return n - i < 4 && p[i];
        i += length;
    }
    return true;
}

/* Secrets are taken out before it is cut: half of one would not be known again. Of other bytes than text the size is told. */
static void put_body(struct buf *b, const char *key, const char *p, size_t n)
{
    if (!n) return;
    size_t taken = n < BODY_MOST + SECRET_MOST ? n : BODY_MOST + SECRET_MOST;
    char *copy = mem_strndup(p, taken);
    bool text = is_text(copy, taken);
    size_t shown = text ? log_mask(copy, taken) : 0;
    if (shown > BODY_MOST) shown = BODY_MOST;
    put_text(b, key, (struct str){copy, shown});
    if (!text || n > BODY_MOST) buf_printf(b, ",\"%s_size\":%zu", key, n);
    free(copy);
}

static void put_place(struct buf *b, const char *url, bool hidden)
{
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
    if (!path) return;
    size_t n = strcspn(path, "?");
    put_text(b, "path", (struct str){path, n});
    if (path[n] && !hidden) put_text(b, "query", str_of(path + n + 1));
}

/* Calls about tokens are made of secrets, those of others, too: of these nothing is told but that they were made. */
static bool is_secret(const char *url) { return strstr(url, "/oauth") || strstr(url, "/module/auth") || strstr(url, "/linkToken"); }

static void put_bodies(struct buf *b, const struct api_call *c)
{
    const struct http_call *h = &c->x.http;
    const char *url = c->fixed_url ? c->fixed_url : c->url.data;
    bool hidden = is_secret(url);
    put_text(b, "method", str_of(c->verb));
    put_place(b, url, hidden);
    if (c->keyed) put_text(b, "retry_key", str_of(strchr(c->retry_line, ' ') + 1));
    if (!h->result) put_text(b, "type", http_call_header(h, "content-type"));
    if (!hidden && c->has_body) put_body(b, "request", c->body.data, c->body.len);
    if (!hidden && !h->result) put_body(b, "answer", h->answer.data, h->answer.len);
    if (hidden) buf_puts(b, ",\"hidden\":true");
}

void trace_call(const struct api_call *c)
{
    const struct http_call *h = &c->x.http;
    bool bodies = worker_get()->trace_bodies;
    struct buf b = BUF(bodies ? BODIES_MOST : NEWS_MOST);
    begin(&b, "call", c->x.wait.task);
    put_text(&b, "operation", str_of(c->name));
    put_text(&b, "where", str_of(c->where));
    put_text(&b, "request_id", http_call_header(h, "x-line-request-id"));
    buf_printf(&b, ",\"status\":%d,\"ms\":%.2f", h->result ? 0 : h->status, (double)(h->ended_ns - h->started_ns) / 1e6);
    if (h->result) put_text(&b, "error", str_of(h->error));
    if (bodies) {
        put_bodies(&b, c);
        b.len = log_mask(b.data, b.len);
    }
    tell(&b);
}

void trace_where_of(lua_State *L, char *ret, size_t n)
{
    if (!*ret) trace_where(L, ret, n);
}
