/* See exchange.h. The reader of a stream sets the pace: what it has not read yet waits here up to a mark, then at the other
 * end of the connection. The pleasant methods (chunks, all, save) are in scripts/line/stream.lua, files in content_save.c. */
#include "bindings/exchange.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "bindings/call.h"

#define PIECE (64u << 10)    /* most that read() without a number hands over at once, however much has come */
#define LOW (64u << 10)      /* from STREAM_HIGH on no more is asked for, until fewer than these wait */
#define ALIVE 32             /* objects, before those that scripts dropped are looked for */

static unsigned alive, collect_at = ALIVE;

struct exchange *exchange_at(lua_State *L, int idx) { return *(struct exchange **)lua_touserdata(L, idx); }

/* ---- waiting ---- */

void exchange_news(struct exchange *x)
{
    if (!x->pending) return;
    x->pending = false;
    task_wake(&x->wait);
}

static void wait_cancelled(struct wait *w)
{
    struct exchange *x = (struct exchange *)((char *)w - offsetof(struct exchange, wait));
    x->kind->cancelled(x);
}

LJMP int exchange_wait(lua_State *L, struct exchange *x, lua_KFunction k, lua_KContext ctx)
{
    x->wait.cancel = wait_cancelled;
    x->pending = true;
    return task_wait(L, &x->wait, k, ctx);
}

/* ---- headers ---- */

static LJMP void push_small(lua_State *L, const char *p, size_t n)
{
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, n);
    for (size_t i = 0; i < n; i++) to[i] = (char)tolower((unsigned char)p[i]);
    luaL_pushresultsize(&b, n);
}

/* One line into the table on top of the stack. */
static LJMP void put_header(lua_State *L, const char *p, const char *end)
{
    const char *colon = memchr(p, ':', (size_t)(end - p));
    if (!colon || *p == ' ' || *p == '\t') return; /* the status line; a second line of a value, which HTTP gave up */
    push_small(L, p, (size_t)(colon - p));
    for (p = colon + 1; p < end && (*p == ' ' || *p == '\t');) p++;
    while (end > p && isspace((unsigned char)end[-1])) end--;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushlstring(L, p, (size_t)(end - p));
    } else {
        lua_pushliteral(L, ", ");
        lua_pushlstring(L, p, (size_t)(end - p));
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

LJMP void exchange_push_headers(lua_State *L, const struct exchange *x)
{
    const char *p = x->http.header_bytes.data, *end = p + x->http.header_bytes.len;
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    while (p && p < end && *p != '\r' && *p != '\n') { /* behind the empty line are trailers */
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
        put_header(L, p, stop);
        p = stop + 1;
    }
}

/* ---- bytes come ---- */

struct str stream_waiting(const struct exchange *x)
{
    return (struct str){x->stream.data + x->taken, x->stream.len - x->taken};
}

bool stream_sink(struct http_call *h, const char *p, size_t n)
{
    struct exchange *x = h->user;
    if (x->skip) { /* an attempt after the connection died in the middle: what had come before */
        size_t known = x->skip < (int64_t)n ? (size_t)x->skip : n;
        x->skip -= (int64_t)known;
        p += known, n -= known;
    }
    if (x->taken && x->taken >= x->stream.len - x->taken) { /* the front is free, and larger than the rest */
        buf_consume(&x->stream, x->taken);
        x->taken = 0;
    }
    if (buf_append(&x->stream, p, n)) return x->overflow = true, false;
    x->came += (int64_t)n;
    size_t have = x->stream.len - x->taken;
    if (have >= STREAM_HIGH && have >= x->wanted) {
        http_client_pause(h);
        x->paused = true;
    }
    if (have && have >= x->wanted) exchange_news(x);
    return true;
}

void stream_take(struct exchange *x, size_t n)
{
    x->taken += n;
    if (x->taken == x->stream.len) {
        buf_clear(&x->stream);
        x->taken = 0;
    }
    if (x->paused && x->stream.len - x->taken < LOW) {
        x->paused = false;
        http_client_resume(&x->http);
    }
}

/* ---- the reader ---- */

LJMP struct exchange *stream_check(lua_State *L, int idx)
{
    if (!luaL_testudata(L, idx, STREAM_HTTP)) luaL_checkudata(L, idx, STREAM_LINE);
    return exchange_at(L, idx);
}

LJMP bool stream_over(lua_State *L, struct exchange *x, int what, int where)
{
    if (x->stopped) call_misuse(L, "%s: this %s was closed before its end", lua_tostring(L, what), x->kind->shown);
    if (x->kind->broken(x)) x->kind->raise(L, x, what, where);
    return x->finished;
}

LJMP int stream_wait(lua_State *L, struct exchange *x, size_t wanted, lua_KFunction k, lua_KContext ctx)
{
    if (x->pending) return call_misuse(L, "%s: somebody else is reading this %s already", lua_tostring(L, 3), x->kind->shown);
    task_check_can_wait(L, lua_tostring(L, 3));
    x->wanted = wanted;
    if (x->paused) {
        x->paused = false;
        http_client_resume(&x->http);
    }
    return exchange_wait(L, x, k, ctx);
}

/* Stack: object n what nil. n 0: what there is, up to a piece, so that a stream stays a stream when the other side is quick. */
static int read_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct exchange *x = exchange_at(L, 1);
    struct str have = stream_waiting(x);
    size_t wanted = (size_t)lua_tointeger(L, 2), most = wanted ? wanted : PIECE;
    if (have.n > 0 && (have.n >= wanted || x->finished) && !(have.n < wanted && x->kind->broken(x))) {
        size_t n = most < have.n ? most : have.n;
        lua_pushlstring(L, have.p, n);
        stream_take(x, n);
        return 1;
    }
    if (stream_over(L, x, 3, 4)) {
        lua_pushnil(L);
        return 1;
    }
    return stream_wait(L, x, wanted ? wanted : 1, read_more, ctx);
}

/* content:read([n]): n bytes, fewer at the end, nil after it; without n the next piece. Waits. */
static int stream_read(lua_State *L)
{
    const char *shown = stream_check(L, 1)->kind->shown;
    lua_Integer n = luaL_optinteger(L, 2, 0);
    if (n < 0 || n > LIMIT_CONTENT_READ || (n == 0 && !lua_isnoneornil(L, 2)))
        return call_misuse(L, "%s:read: can read 1 to %u bytes at once", shown, LIMIT_CONTENT_READ);
    lua_settop(L, 1);
    lua_pushinteger(L, n);
    lua_pushfstring(L, "%s:read", shown);
    lua_pushnil(L);
    return read_more(L, LUA_OK, 0);
}

/* content:type(): the media type that was given, such as "image/jpeg", or nil. */
static int stream_type(lua_State *L)
{
    struct str v = http_call_header(&stream_check(L, 1)->http, "content-type");
    if (v.p) lua_pushlstring(L, v.p, v.n);
    else lua_pushnil(L);
    return 1;
}

/* content:length(): bytes in all, or nil when it was not said. */
static int stream_length(lua_State *L)
{
    struct str v = http_call_header(&stream_check(L, 1)->http, "content-length");
    if (v.p) lua_pushinteger(L, (lua_Integer)strtoll(v.p, NULL, 10)); /* ends at the line's end */
    else lua_pushnil(L);
    return 1;
}

/* content:position(): bytes that were read so far. */
static int stream_position(lua_State *L)
{
    struct exchange *x = stream_check(L, 1);
    lua_pushinteger(L, x->came - (lua_Integer)(x->stream.len - x->taken));
    return 1;
}

/* content:close(): stop the download and drop what waits; also at the end of `local c <close>`. */
static int stream_close(lua_State *L)
{
    struct exchange *x = stream_check(L, 1);
    if (x->pending) return 0; /* somebody else waits for it */
    x->kind->stop(x);
    x->stopped = x->stopped || x->taken < x->stream.len;
    x->came -= (int64_t)(x->stream.len - x->taken);
    buf_free(&x->stream);
    x->taken = 0;
    return 0;
}

static int stream_gc(lua_State *L)
{
    struct exchange **x = lua_touserdata(L, 1);
    if (!*x) return 0;
    alive--;
    (*x)->kind->free(*x);
    *x = NULL;
    return 0;
}

LJMP void stream_collect(lua_State *L)
{
    if (alive < collect_at) return;
    lua_gc(L, LUA_GCCOLLECT);
    collect_at = alive * 2 > ALIVE ? alive * 2 : ALIVE;
}

void stream_made(void) { alive++; }

LJMP void stream_open(lua_State *L, const char *name, const char *shown)
{
    static const luaL_Reg methods[] = {
        {"read", stream_read}, {"type", stream_type}, {"length", stream_length}, {"position", stream_position},
        {"close", stream_close}, {NULL, NULL},
    };
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, stream_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, stream_close);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, 0); /* a script that called __gc itself would leave a box without its call */
    lua_setfield(L, -2, "__metatable");
    lua_pushstring(L, shown);
    lua_setfield(L, -2, "__name");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
