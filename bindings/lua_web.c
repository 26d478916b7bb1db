/* The module web.core: what scripts/web is made of. A box stands for a request; everything of it is nothing once the
 * request has ended. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "bindings/call.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/web.h"

#define CALL_META "web.call"
#define JSON_MOST (64u << 20) /* an answer that is written as JSON */
#define JSON_KEPT 65536u

/* Filled and used without anything in between. */
static struct buf head = BUF(WEB_HEAD_MOST), text = BUF(JSON_MOST);

static struct web_request *request_at(lua_State *L)
{
    struct web_request **box = luaL_checkudata(L, 1, CALL_META);
    return *box;
}

/* A list {name, value, …} into head. scripts/web has told the script what is wrong with it before. */
LJMP static struct str take_headers(lua_State *L, int idx)
{
    buf_clear(&head);
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    for (lua_Integer i = 1; i <= n; i++) {
        size_t len;
        lua_rawgeti(L, idx, i);
        const char *s = luaL_checklstring(L, -1, &len);
        if (strlen(s) != len || strpbrk(s, "\r\n")) luaL_error(L, "web: a header may hold no line ends");
        if (buf_append(&head, s, len) || buf_putc(&head, 0)) luaL_error(L, "web: the headers of an answer have more than 16 KiB");
        lua_pop(L, 1);
    }
    return buf_str(&head);
}

LJMP static unsigned take_status(lua_State *L, int idx)
{
    lua_Integer status = luaL_checkinteger(L, idx);
    luaL_argcheck(L, status >= 200 && status <= 599, idx, "a status is 200 to 599");
    return (unsigned)status;
}

/* core.answer(box, status, headers[, text | file, offset, length]): without a body of any kind nothing is said of its
 * length. */
static int answer(lua_State *L)
{
    struct web_request *r = request_at(L);
    unsigned status = take_status(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 6);
    struct web_file *f = luaL_testudata(L, 4, WEB_FILE);
    int64_t offset = f ? luaL_checkinteger(L, 5) : 0, length = f ? luaL_checkinteger(L, 6) : 0;
    struct str body = {NULL, 0};
    if (!f && !lua_isnil(L, 4)) body.p = luaL_checklstring(L, 4, &body.n);
    struct str headers = take_headers(L, 3);
    if (!r || r->answered) return 0;
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, 1, 1); /* what body looks into lives as long as the box, and the box as the request */
    r->bytes = body.p;
    if (f) {
        r->fd = f->fd;
        r->offset = offset;
        f->fd = -1;
    }
    web_answer(r, status, headers, f || body.p, f ? (uint64_t)length : body.n);
    return 0;
}

/* core.stream(box, status, headers): the body follows by core.write. */
static int stream(lua_State *L)
{
    struct web_request *r = request_at(L);
    unsigned status = take_status(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct str headers = take_headers(L, 3);
    if (r && !r->answered) web_stream(r, status, headers);
    return 0;
}

static bool is_open(const struct web_request *r) { return r && r->streaming && !r->gone && !r->ended; }

static void cancel(struct wait *w)
{
    struct web_writer *v = (struct web_writer *)w; /* its first member */
    struct web_request *r = v->r;
    web_writer_leave(v);
    if (r && r->writers) task_wake(&r->writers->wait);
}

/* Stack: 1 box, 2 bytes, 3 writer. */
static int write_on(lua_State *L, int status, lua_KContext ctx)
{
    struct web_request *r = request_at(L);
    struct web_writer *v = lua_touserdata(L, 3);
    struct str s = {NULL, 0};
    (void)status, (void)ctx;
    lua_settop(L, 3);
    s.p = lua_tolstring(L, 2, &s.n);
    bool turn = r && (!r->writers || r->writers == v);
    bool all = is_open(r) && turn && web_stream_put(r, s, &v->done);
    if (all || !is_open(r)) {
        web_writer_leave(v);
        if (r && r->writers) task_wake(&r->writers->wait);
        lua_pushboolean(L, all);
        return 1;
    }
    task_check_can_wait(L, "stream:write");
    if (!v->r) web_writer_wait(r, v);
    return task_wait(L, &v->wait, write_on, 0);
}

/* core.write(box, bytes): true; false once nobody takes any more. Waits while the client is slow. */
static int stream_write(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_settop(L, 2);
    struct web_request *r = request_at(L);
    if (!is_open(r) || lua_rawlen(L, 2) == 0) {
        lua_pushboolean(L, is_open(r));
        return 1;
    }
    struct web_writer *v = lua_newuserdatauv(L, sizeof *v, 0);
    *v = (struct web_writer){.wait.cancel = cancel};
    return write_on(L, LUA_OK, 0);
}

/* core.finish(box) */
static int finish(lua_State *L)
{
    struct web_request *r = request_at(L);
    if (r && r->streaming && !r->ended) web_stream_end(r);
    return 0;
}

/* core.gone(box) */
static int gone(lua_State *L)
{
    struct web_request *r = request_at(L);
    lua_pushboolean(L, !r || r->gone || r->ended);
    return 1;
}

/* core.encode(value): JSON */
static int encode(lua_State *L)
{
    luaL_checkany(L, 1);
    buf_clear(&text);
    json_encode(L, 1, &text);
    lua_pushlstring(L, text.data, text.len);
    buf_clear(&text);
    buf_trim(&text, JSON_KEPT);
    return 1;
}

/* core.serve(function(request, box)) */
static int serve(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    web_set_handle(luaL_ref(L, LUA_REGISTRYINDEX));
    return 0;
}

/* core.declared(): one route more */
static int declared(lua_State *L)
{
    (void)L;
    web_routes_add();
    return 0;
}

/* core.where(): "bot.lua:12" */
static int where(lua_State *L)
{
    task_push_where(L);
    return 1;
}

/* core.is_ours(level): whether the function at that level (1: the caller) is moonline's own */
static int is_ours(lua_State *L)
{
    lua_Debug ar;
    bool ours = lua_getstack(L, (int)luaL_checkinteger(L, 1), &ar) && lua_getinfo(L, "S", &ar) && chunk_is_ours(ar.source);
    lua_pushboolean(L, ours);
    return 1;
}

static const luaL_Reg functions[] = {
    {"answer", answer}, {"stream", stream},   {"write", stream_write}, {"finish", finish}, {"gone", gone},
    {"encode", encode}, {"serve", serve},     {"declared", declared},  {"where", where},   {"is_ours", is_ours},
    {"open", web_file_open}, {"close", web_file_close}, {"embedded", web_file_embedded}, {NULL, NULL},
};

int luaopen_moonline_web(lua_State *L)
{
    luaL_newmetatable(L, CALL_META);
    web_file_open_meta(L);
    luaL_newlib(L, functions);
    luaL_newmetatable(L, "web.error"); /* of what web.error raises; scripts/web gives it its __tostring */
    lua_setfield(L, -2, "error_meta");
    return 1;
}

void lua_web_free(void)
{
    buf_free(&head);
    buf_free(&text);
}
