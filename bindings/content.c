/* Media of a message as a stream: what line.get_message_content returns. The reader sets the pace: what it has not read
 * yet waits here up to a mark, then at LINE's end of the connection. The pleasant methods (chunks, all, save) are in
 * scripts/line/content.lua, files in content_save.c. */
#include "bindings/operation.h"
#include <stdlib.h>
#include "base/limits.h"
#include "bindings/files.h"

#define CONTENT "line.content"
#define READY_LIMIT_MS 30000 /* a video that LINE still prepares; well inside a handler's default 60 s */
#define PIECE (64u << 10)    /* most that read() without a number hands over at once, however much has come */
#define HIGH (256u << 10)    /* bytes waiting at which LINE is asked for no more … */
#define LOW (64u << 10)      /* … until fewer than these wait */
#define ALIVE 32             /* objects, before those that scripts dropped are looked for: each may hold a connection */

static unsigned alive, collect_at = ALIVE;

struct str content_waiting(const struct api_call *c)
{
    return (struct str){c->stream.data + c->taken, c->stream.len - c->taken};
}

LJMP struct api_call *content_box(lua_State *L)
{
    if (alive >= collect_at) {
        lua_gc(L, LUA_GCCOLLECT);
        collect_at = alive * 2 > ALIVE ? alive * 2 : ALIVE;
    }
    luaL_getmetatable(L, CONTENT);
    struct api_call *c = call_object(L);
    alive++;
    c->streaming = true;
    c->stream.max = LIMIT_CONTENT_READ + HIGH;
    c->ready_limit_ms = READY_LIMIT_MS;
    return c;
}

/* ---- bytes come ---- */

bool content_sink(struct http_call *h, const char *p, size_t n)
{
    struct api_call *c = h->user;
    if (h->status == 202) return true; /* not ready: whatever stands there is not the content */
    if (c->skip) { /* an attempt after the connection died in the middle: what had come before */
        size_t known = c->skip < (int64_t)n ? (size_t)c->skip : n;
        c->skip -= (int64_t)known;
        p += known, n -= known;
    }
    if (c->taken && c->taken >= c->stream.len - c->taken) { /* the front is free, and larger than the rest */
        buf_consume(&c->stream, c->taken);
        c->taken = 0;
    }
    if (buf_append(&c->stream, p, n)) return c->overflow = true, false;
    c->came += (int64_t)n;
    size_t have = c->stream.len - c->taken;
    if (have >= HIGH && have >= c->wanted) {
        http_client_pause(h);
        c->paused = true;
    }
    if (have && have >= c->wanted) call_news(c);
    return true;
}

void content_take(struct api_call *c, size_t n)
{
    c->taken += n;
    if (c->taken == c->stream.len) {
        buf_clear(&c->stream);
        c->taken = 0;
    }
    if (c->paused && c->stream.len - c->taken < LOW) {
        c->paused = false;
        http_client_resume(&c->http);
    }
}

/* ---- the reader ---- */

static bool is_broken(const struct api_call *c)
{
    return c->finished && (c->overflow || !call_ok(c) || c->http.status == 202 || c->skip);
}

LJMP int content_opened(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct api_call *c = call_at(L, ARG_BOX);
    if (is_broken(c)) return call_raise(L, c, ARG_WHAT, ARG_WHERE);
    lua_settop(L, ARG_BOX);
    return 1;
}

LJMP struct api_call *content_check(lua_State *L, int idx)
{
    luaL_checkudata(L, idx, CONTENT);
    return call_at(L, idx);
}

LJMP bool content_over(lua_State *L, struct api_call *c, int what, int where)
{
    if (c->stopped) call_misuse(L, "%s: this content was closed before its end", lua_tostring(L, what));
    if (is_broken(c)) call_raise(L, c, what, where);
    return c->finished;
}

LJMP int content_wait(lua_State *L, struct api_call *c, size_t wanted, lua_KFunction k, lua_KContext ctx)
{
    if (c->pending) return call_misuse(L, "%s: somebody else is reading this content already", lua_tostring(L, 3));
    task_check_can_wait(L, lua_tostring(L, 3));
    c->wanted = wanted;
    if (c->paused) {
        c->paused = false;
        http_client_resume(&c->http);
    }
    return call_wait(L, c, k, ctx);
}

/* Stack: object n what nil. n 0: what there is, up to a piece, so that a stream stays a stream when LINE is quick. */
static int read_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct api_call *c = call_at(L, 1);
    struct str have = content_waiting(c);
    size_t wanted = (size_t)lua_tointeger(L, 2), most = wanted ? wanted : PIECE;
    if (have.n > 0 && (have.n >= wanted || c->finished) && !(have.n < wanted && is_broken(c))) {
        size_t n = most < have.n ? most : have.n;
        lua_pushlstring(L, have.p, n);
        content_take(c, n);
        return 1;
    }
    if (content_over(L, c, 3, 4)) {
        lua_pushnil(L);
        return 1;
    }
    return content_wait(L, c, wanted ? wanted : 1, read_more, ctx);
}

/* content:read([n]): n bytes, fewer at the end, nil after it; without n the next piece. Waits. */
static int content_read(lua_State *L)
{
    content_check(L, 1);
    lua_Integer n = luaL_optinteger(L, 2, 0);
    if (n < 0 || n > LIMIT_CONTENT_READ || (n == 0 && !lua_isnoneornil(L, 2)))
        return call_misuse(L, "content:read: can read 1 to %u bytes at once", LIMIT_CONTENT_READ);
    lua_settop(L, 1);
    lua_pushinteger(L, n);
    lua_pushliteral(L, "content:read");
    lua_pushnil(L);
    return read_more(L, LUA_OK, 0);
}

/* content:type(): the media type LINE gave, such as "image/jpeg", or nil. */
static int content_type(lua_State *L)
{
    struct str v = http_call_header(&content_check(L, 1)->http, "content-type");
    if (v.p) lua_pushlstring(L, v.p, v.n);
    else lua_pushnil(L);
    return 1;
}

/* content:length(): bytes in all, or nil when LINE did not say. */
static int content_length(lua_State *L)
{
    struct str v = http_call_header(&content_check(L, 1)->http, "content-length");
    if (v.p) lua_pushinteger(L, (lua_Integer)strtoll(v.p, NULL, 10)); /* ends at the line's end */
    else lua_pushnil(L);
    return 1;
}

/* content:position(): bytes that were read so far. */
static int content_position(lua_State *L)
{
    struct api_call *c = content_check(L, 1);
    lua_pushinteger(L, c->came - (lua_Integer)(c->stream.len - c->taken));
    return 1;
}

/* content:close(): stop the download and drop what waits; also at the end of `local c <close>`. */
static int content_close(lua_State *L)
{
    struct api_call *c = content_check(L, 1);
    if (c->pending) return 0; /* somebody else waits for it */
    call_stop(c);
    c->stopped = c->stopped || c->taken < c->stream.len;
    c->came -= (int64_t)(c->stream.len - c->taken);
    buf_free(&c->stream);
    c->taken = 0;
    return 0;
}

static int content_gc(lua_State *L)
{
    struct api_call **c = luaL_checkudata(L, 1, CONTENT);
    if (*c) alive--;
    call_free(*c);
    *c = NULL;
    return 0;
}

LJMP void content_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", content_read}, {"type", content_type}, {"length", content_length}, {"position", content_position},
        {"close", content_close}, {NULL, NULL},
    };
    luaL_newmetatable(L, CONTENT);
    lua_pushcfunction(L, content_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, content_close);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, 0); /* a script that called __gc itself would leave a box without its call */
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "content");
    lua_setfield(L, -2, "__name");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
