#include "bindings/trace_news.h"

#include <stdio.h>
#include "base/json.h"
#include "bindings/call.h"
#include "bindings/task_private.h"
#include "bindings/trace.h"

#define NEWS_MOST 8192

static void begin(struct buf *b, const char *what, const struct task *t)
{
    buf_printf(b, "{\"what\":\"%s\"", what);
    if (!t || !t->event) return;
    json_put_key(b, "event");
    json_put(b, str_of(t->event->id));
}

static void put_text(struct buf *b, const char *key, struct str text)
{
    if (!text.n) return;
    json_put_key(b, key);
    json_put(b, text);
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

void trace_call(const struct api_call *c)
{
    const struct http_call *h = &c->x.http;
    struct buf b = BUF(NEWS_MOST);
    begin(&b, "call", c->x.wait.task);
    put_text(&b, "operation", str_of(c->name));
    put_text(&b, "where", str_of(c->where));
    put_text(&b, "request_id", http_call_header(h, "x-line-request-id"));
    buf_printf(&b, ",\"status\":%d,\"ms\":%.2f", h->result ? 0 : h->status, (double)(h->ended_ns - h->started_ns) / 1e6);
    if (h->result) put_text(&b, "error", str_of(h->error));
    tell(&b);
}

void trace_where_of(lua_State *L, char *ret, size_t n)
{
    if (!*ret) trace_where(L, ret, n);
}
