/* Media of a message as a stream: what line.get_message_content returns. Bytes are kept as they come, up to a ceiling;
 * the script takes them with read(). The pleasant methods (chunks, all) are in scripts/line/content.lua. */
#include "bindings/operation.h"
#include <stdlib.h>
#include "base/limits.h"

#define CONTENT "line.content"
#define READY_LIMIT_MS 30000 /* a video that LINE still prepares; well inside a handler's default 60 s */
#define PIECE (64u << 10)        /* most that read() without a number hands over at once, however much has come */
#define COMPACT (1u << 20)   /* bytes already read that may lie in front of the rest before it is moved */

static size_t waiting_bytes(const struct api_call *c) { return c->stream.len - c->taken; }

LJMP struct api_call *content_box(lua_State *L)
{
    luaL_getmetatable(L, CONTENT);
    struct api_call *c = call_object(L);
    c->streaming = true;
    c->stream.max = LIMIT_CONTENT_WAITING;
    c->ready_limit_ms = READY_LIMIT_MS;
    return c;
}

static bool is_broken(const struct api_call *c)
{
    return c->finished && (c->overflow || !call_ok(c) || c->http.status == 202);
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

static struct api_call *check_content(lua_State *L)
{
    luaL_checkudata(L, 1, CONTENT);
    return call_at(L, 1);
}

/* Move n bytes of the stream to Lua. */
static int push_bytes(lua_State *L, struct api_call *c, size_t n)
{
    lua_pushlstring(L, c->stream.data + c->taken, n);
    c->taken += n;
    if (c->taken == c->stream.len) {
        buf_clear(&c->stream);
        c->taken = 0;
    } else if (c->taken >= COMPACT) {
        buf_consume(&c->stream, c->taken);
        c->taken = 0;
    }
    return 1;
}

/* Stack: object n what nil. n 0: what there is, up to a piece, so that a stream stays a stream when LINE is quick. */
static int read_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct api_call *c = call_at(L, 1);
    size_t wanted = (size_t)lua_tointeger(L, 2), have = waiting_bytes(c);
    if (have > 0 && (have >= wanted || c->finished)) {
        size_t most = wanted ? wanted : PIECE;
        return push_bytes(L, c, most < have ? most : have);
    }
    if (is_broken(c)) return call_raise(L, c, 3, 4);
    if (c->finished) {
        lua_pushnil(L);
        return 1;
    }
    if (c->pending) return call_misuse(L, "content:read: somebody else is reading this content already");
    return call_wait(L, c, read_more, ctx);
}

/* content:read([n]): n bytes, fewer at the end, nil after it; without n the next piece. Waits. */
static int content_read(lua_State *L)
{
    struct api_call *c = check_content(L);
    lua_Integer n = luaL_optinteger(L, 2, 0);
    if (n < 0 || (size_t)n > c->stream.max)
        return call_misuse(L, "content:read: can read 1 to %zu bytes at once", c->stream.max);
    lua_settop(L, 1);
    lua_pushinteger(L, n);
    lua_pushliteral(L, "content:read");
    lua_pushnil(L);
    if (waiting_bytes(c) == 0 && !c->finished) task_check_can_wait(L, "content:read");
    return read_more(L, LUA_OK, 0);
}

/* content:type(): the media type LINE gave, such as "image/jpeg", or nil. */
static int content_type(lua_State *L)
{
    struct str v = http_call_header(&check_content(L)->http, "content-type");
    if (v.p) lua_pushlstring(L, v.p, v.n);
    else lua_pushnil(L);
    return 1;
}

/* content:size(): bytes in all, or nil when LINE did not say. */
static int content_size(lua_State *L)
{
    struct str v = http_call_header(&check_content(L)->http, "content-length");
    if (v.p) lua_pushinteger(L, (lua_Integer)strtoll(v.p, NULL, 10)); /* ends at the line's end */
    else lua_pushnil(L);
    return 1;
}

/* content:close(): stop the download; also at the end of `local c <close>`. */
static int content_close(lua_State *L)
{
    struct api_call *c = check_content(L);
    if (!c->pending) call_stop(c);
    return 0;
}

static int content_gc(lua_State *L)
{
    struct api_call **c = luaL_checkudata(L, 1, CONTENT);
    call_free(*c);
    *c = NULL;
    return 0;
}

LJMP void content_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", content_read}, {"type", content_type}, {"size", content_size}, {"close", content_close}, {NULL, NULL},
    };
    luaL_newmetatable(L, CONTENT);
    lua_pushcfunction(L, content_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, content_close);
    lua_setfield(L, -2, "__close");
    lua_pushliteral(L, "content");
    lua_setfield(L, -2, "__name");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
