/* The module "http.core": one request to another service. What is pleasant about it (options, redirects, retries) is in
 * scripts/http/.
 *
 *   exchange(spec, what) → status, headers, body | stream      waits; nil, error object when there is no answer
 *     spec: method, url, shown, lines (list of "Name: value"), body (string) or parts (list of {name=, body=, filename=,
 *     type=}), timeout and connect_timeout (ms), limit (bytes), stream (boolean), ca (path), once (boolean)
 *   url(text[, base[, query]]) → {url=, shown=, origin=, user=, password=}, or nil, why     see net/http_url.h
 *   escape(text)   for queries and forms
 *   now()              milliseconds, for differences
 *   path(text, what)   the file that a script means
 *   error_meta     metatable of error objects
 *   stream         method table of streams */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/call.h"
#include "bindings/exchange.h"
#include "bindings/files.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "net/http_url.h"

#define BOX "http.call"
#define ERROR_META "http.error"
#define LINES_MOST 100       /* headers of one request */

/* Where exchange keeps its parts on its stack across the wait. */
enum { ARG_SPEC = 1, ARG_WHAT, ARG_BOX };

struct web_call {
    struct exchange x;           /* first */
    struct http_upload upload;
    bool uploading, waits_for_head;
    const char *lines[LINES_MOST + 1]; /* these, like all texts, are the spec's, which the box keeps */
    const char *method, *shown;
    size_t limit;
};

/* ---- life ---- */

static void web_stop(struct exchange *x)
{
    if (x->running && worker_get()->web_client) http_client_cancel(worker_get()->web_client, &x->http);
    x->stopped = x->stopped || !x->finished;
    x->running = x->pending = false;
    x->finished = true;
}

/* What is large, or a descriptor, goes now: the collector, which sees 8 bytes of it, may be long in coming. */
static void web_spent(struct exchange *x)
{
    struct web_call *c = (struct web_call *)x;
    http_upload_free(&c->upload);
    if (!x->streaming) http_call_free(&x->http);
}

static void web_cancelled(struct exchange *x)
{
    web_stop(x);
    web_spent(x);
}

static void web_free(struct exchange *x)
{
    struct web_call *c = (struct web_call *)x;
    web_stop(x);
    http_upload_free(&c->upload);
    http_call_free(&x->http);
    buf_free(&x->stream);
    free(c);
}

static int box_gc(lua_State *L)
{
    struct exchange **x = lua_touserdata(L, 1);
    if (*x) web_free(*x);
    *x = NULL;
    return 0;
}

/* ---- errors ---- */

static const char *kind_name(enum http_trouble trouble)
{
    static const char *const names[] = {
        [HTTP_FINE] = "connect", [HTTP_CONNECT] = "connect", [HTTP_TIMEOUT] = "timeout", [HTTP_DNS] = "dns", [HTTP_TLS] = "tls",
        [HTTP_TOO_LARGE] = "too_large", [HTTP_FORBIDDEN] = "forbidden", [HTTP_PROTOCOL] = "protocol", [HTTP_LOCAL] = "protocol",
    };
    return names[trouble];
}

/* Push the error object of a call without a whole answer. what: index of "http.get"; where: of "bot.lua:12", or of nil. */
static LJMP void push_error(lua_State *L, const struct web_call *c, int what, int where)
{
    const struct http_call *h = &c->x.http;
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 6);
    luaL_setmetatable(L, ERROR_META);
    lua_pushstring(L, c->x.overflow ? "too_large" : kind_name(h->trouble));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, c->shown);
    lua_setfield(L, -2, "url");
    lua_pushvalue(L, what);
    lua_setfield(L, -2, "called");
    if (where && lua_type(L, where) == LUA_TSTRING) lua_pushvalue(L, where);
    else task_push_where(L);
    lua_setfield(L, -2, "where");
    if (c->x.overflow) {
        lua_pushliteral(L, "more bytes came than were asked for");
    } else if (h->trouble == HTTP_FORBIDDEN) {
        char address[64]; /* the first word */
        snprintf(address, sizeof address, "%.*s", (int)strcspn(h->error, " "), h->error);
        lua_pushfstring(L, "%s, which scripts may not reach; --http-allow %s permits it", h->error, address);
    } else if (h->trouble == HTTP_TOO_LARGE) {
        lua_pushfstring(L, "the answer is larger than %I bytes (limit), or its headers than 65536", (LUAI_UACINT)c->limit);
    } else {
        lua_pushfstring(L, "%s%s", h->error ? h->error : h->result ? err_text(h->result) : "stopped",
                        h->maybe_sent && strcmp(c->method, "GET") != 0 && strcmp(c->method, "HEAD") != 0
                            ? " (the request may have been carried out)" : "");
    }
    lua_setfield(L, -2, "message");
}

static LJMP int web_raise(lua_State *L, struct exchange *x, int what, int where)
{
    push_error(L, (struct web_call *)x, what, where);
    return lua_error(L);
}

static bool web_broken(const struct exchange *x) { return x->finished && (x->overflow || x->http.result); }

static const struct exchange_kind web_kind = {
    .shown = "response", .broken = web_broken, .raise = web_raise, .stop = web_stop, .cancelled = web_cancelled, .free = web_free,
};

/* ---- the client's callbacks ---- */

static void web_head(struct http_call *h)
{
    struct web_call *c = h->user;
    if (!c->waits_for_head) return;
    c->waits_for_head = false;
    exchange_news(&c->x);
}

static void web_done(struct http_call *h)
{
    struct web_call *c = h->user;
    int64_t ns = h->ended_ns - h->started_ns;
    int status = h->result == 0 ? h->status : 0;
    c->x.running = false;
    c->x.finished = true;
    worker_count_call(PAGE_HTTP, status, ns);
    LOG(DEBUG, "http call", F_STR("method", c->method), F_STR("url", c->shown), F_INT("status", status),
        F_NUM("ms", (double)ns / NS_PER_MS), F_STR("error", h->result ? h->error : NULL));
    exchange_news(&c->x);
}

/* ---- what is asked for ---- */

/* Push the userdata of a new call, with the spec in its care. */
static LJMP struct web_call *push_box(lua_State *L, bool streaming)
{
    struct exchange **box;
    if (streaming) stream_collect(L);
    luaL_getmetatable(L, streaming ? STREAM_HTTP : BOX);
    box = lua_newuserdatauv(L, sizeof *box, 1); /* metatable box */
    *box = NULL;
    lua_pushvalue(L, ARG_SPEC);
    lua_setiuservalue(L, -2, 1);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    struct web_call *c = mem_zalloc(sizeof *c);
    *box = &c->x;
    if (streaming) stream_made();
    c->x.kind = &web_kind;
    c->x.streaming = streaming;
    buf_init(&c->x.stream, STREAM_ROOM);
    return c;
}

/* A string of the table at idx, NULL when it is not there. It stays the table's. */
static LJMP struct str text_of(lua_State *L, int idx, const char *name)
{
    struct str s = {NULL, 0};
    if (lua_getfield(L, idx, name) == LUA_TSTRING) s.p = lua_tolstring(L, -1, &s.n);
    lua_pop(L, 1);
    return s;
}

static LJMP int64_t number_of(lua_State *L, const char *name)
{
    lua_getfield(L, ARG_SPEC, name);
    int64_t n = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return n;
}

static LJMP bool switch_of(lua_State *L, const char *name)
{
    lua_getfield(L, ARG_SPEC, name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

static LJMP void take_lines(lua_State *L, struct web_call *c)
{
    lua_getfield(L, ARG_SPEC, "lines");
    lua_Unsigned n = lua_rawlen(L, -1);
    if (n > LINES_MOST) luaL_error(L, "more than %d headers", LINES_MOST);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        c->lines[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static LJMP void take_parts(lua_State *L, struct web_call *c)
{
    if (lua_getfield(L, ARG_SPEC, "parts") == LUA_TTABLE) {
        http_upload_init(&c->upload);
        http_upload_form(&c->upload);
        c->uploading = true;
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
            struct str body = text_of(L, -1, "body");
            http_upload_part(&c->upload, text_of(L, -1, "name").p, text_of(L, -1, "filename").p, text_of(L, -1, "type").p);
            http_upload_bytes(&c->upload, body.p, body.n);
            lua_pop(L, 1);
        }
        lua_pop(L, 1); /* what is no part */
        http_upload_form_end(&c->upload);
        size_t n = 0;
        while (c->lines[n]) n++;
        if (n == LINES_MOST) luaL_error(L, "more than %d headers", LINES_MOST);
        c->lines[n] = http_upload_type(&c->upload);
    }
    lua_pop(L, 1);
}

static int exchange_done(lua_State *L, int status, lua_KContext ctx)
{
    struct web_call *c = (struct web_call *)exchange_at(L, ARG_BOX);
    (void)status, (void)ctx;
    if (c->x.finished && (c->x.http.result || c->x.overflow) && (!c->x.streaming || c->waits_for_head)) {
        lua_pushnil(L);
        push_error(L, c, ARG_WHAT, 0);
        web_spent(&c->x);
        return 2;
    }
    c->waits_for_head = false;
    lua_pushinteger(L, c->x.http.status);
    exchange_push_headers(L, &c->x);
    if (c->x.streaming) {
        lua_pushvalue(L, ARG_BOX);
    } else {
        lua_pushlstring(L, c->x.http.answer.len ? c->x.http.answer.data : "", c->x.http.answer.len);
        web_spent(&c->x);
    }
    return 3;
}

static int http_exchange(lua_State *L)
{
    luaL_checktype(L, ARG_SPEC, LUA_TTABLE);
    const char *what = luaL_checkstring(L, ARG_WHAT);
    lua_settop(L, ARG_WHAT);
    struct web_call *c = push_box(L, switch_of(L, "stream")); /* ARG_BOX */
    struct str body = text_of(L, ARG_SPEC, "body");
    c->method = text_of(L, ARG_SPEC, "method").p;
    c->shown = text_of(L, ARG_SPEC, "shown").p;
    c->limit = (size_t)number_of(L, "limit");
    c->waits_for_head = c->x.streaming;
    take_lines(L, c);
    take_parts(L, c);
    c->x.http = (struct http_call){
        .method = c->method,
        .url = text_of(L, ARG_SPEC, "url").p,
        .headers = c->lines,
        .body = body.p,
        .body_len = body.n,
        .upload = c->uploading ? &c->upload : NULL,
        .connect_timeout_ms = number_of(L, "connect_timeout"),
        .timeout_ms = number_of(L, "timeout"),
        .stall_timeout_ms = c->x.streaming ? number_of(L, "timeout") : 0,
        .max_answer = c->limit,
        .ca_file = text_of(L, ARG_SPEC, "ca").p,
        .decode = !c->x.streaming,
        .once = switch_of(L, "once"),
        .sink = c->x.streaming ? stream_sink : NULL,
        .sink_any = true,
        .head = c->x.streaming ? web_head : NULL,
        .done = web_done,
        .user = c,
    };
    task_check_can_wait(L, what);
    c->x.running = true;
    http_client_start(worker_get()->web_client, &c->x.http);
    return exchange_wait(L, &c->x, exchange_done, 0);
}

/* ---- addresses and texts ---- */

static int url_gc(lua_State *L)
{
    http_url_free(lua_touserdata(L, 1));
    return 0;
}

static int http_url(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1), *base = luaL_optstring(L, 2, NULL), *query = luaL_optstring(L, 3, NULL), *why;
    struct http_url *u = lua_newuserdatauv(L, sizeof *u, 0);
    *u = (struct http_url){0};
    luaL_setmetatable(L, "http.url");
    if (strlen(text) != lua_rawlen(L, 1)) why = "it holds a zero byte";
    else http_url_read(text, base, query, u, &why);
    if (why) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    const char *const fields[][2] = {{"url", u->url}, {"shown", u->shown}, {"origin", u->origin}, {"user", u->user},
                                     {"password", u->password}};
    lua_createtable(L, 0, 5);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushstring(L, fields[i][1]); /* NULL is nil */
        lua_setfield(L, -2, fields[i][0]);
    }
    return 1;
}

static int http_escape(lua_State *L)
{
    struct str s;
    s.p = luaL_checklstring(L, 1, &s.n);
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, 3 * s.n), *from = to;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", ch)) {
            *to++ = (char)ch;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[ch >> 4];
            *to++ = "0123456789ABCDEF"[ch & 15];
        }
    }
    luaL_pushresultsize(&b, (size_t)(to - from));
    return 1;
}

static int http_now(lua_State *L)
{
    lua_pushinteger(L, clock_ns() / NS_PER_MS);
    return 1;
}

static int http_path(lua_State *L)
{
    file_path(L, 1, luaL_checkstring(L, 2));
    return 1;
}

static LJMP void make_meta(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int luaopen_http_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"exchange", http_exchange}, {"url", http_url}, {"escape", http_escape}, {"path", http_path}, {"now", http_now},
        {NULL, NULL},
    };
    make_meta(L, BOX, box_gc);
    make_meta(L, "http.url", url_gc);
    stream_open(L, STREAM_HTTP, "response");
    luaL_newlib(L, functions);
    luaL_newmetatable(L, ERROR_META);
    lua_setfield(L, -2, "error_meta");
    luaL_getmetatable(L, STREAM_HTTP);
    lua_getfield(L, -1, "__index");
    lua_remove(L, -2);
    lua_setfield(L, -2, "stream");
    return 1;
}
