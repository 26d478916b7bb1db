/* line.request(method, path, options): the way out for what has no row. */
#include "bindings/operation.h"
#include <ctype.h>
#include <stdlib.h>
#include "base/near.h"

/* Stack: method path what nil box, options above; the same places as an operation's from `what` on. */
enum { ARG_METHOD = 1, ARG_PATH = 2, ARG_EXTRA = 6 };
#define WHAT "line.request"

static int request_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct api_call *c = call_at(L, ARG_BOX);
    if (!call_ok(c)) return call_raise(L, c, ARG_WHAT, ARG_WHERE);
    struct str type = http_call_header(&c->x.http, "content-type");
    if (type.n >= 16 && strncasecmp(type.p, "application/json", 16) == 0)
        call_push_json(L, c, ARG_WHAT, ARG_WHERE);
    else
        lua_pushlstring(L, c->x.http.answer.len ? c->x.http.answer.data : "", c->x.http.answer.len);
    lua_pushinteger(L, c->x.http.status);
    exchange_push_headers(L, &c->x);
    call_recycle(L, ARG_BOX);
    return 3;
}

static bool name_is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_') return false;
    return n > 0;
}

/* options.headers: name → value, on top of the stack. */
static void take_headers(lua_State *L, struct api_call *c)
{
    if (!lua_istable(L, -1)) call_misuse(L, WHAT ": headers must be a table");
    unsigned count = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t n, m;
        bool strings = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
        if (!strings) call_misuse(L, WHAT ": headers are strings by name");
        const char *name = lua_tolstring(L, -2, &n), *value = lua_tolstring(L, -1, &m);
        if (!name_is_token(name, n) || memchr(value, '\r', m) || memchr(value, '\n', m) || memchr(value, 0, m))
            call_misuse(L, WHAT ": header '%s' holds what a header cannot hold", name);
        if (++count > CALL_HEADERS - 3) call_misuse(L, WHAT ": more than %d headers", CALL_HEADERS - 3);
        if (strcasecmp(name, "authorization") == 0) c->own_authorization = true;
        if (strcasecmp(name, "content-type") == 0) c->json = false;
        if (strcasecmp(name, "x-line-retry-key") == 0) c->keyed = c->idempotent = true;
        if (buf_append(&c->extra, name, n) || buf_puts(&c->extra, ": ") || buf_append(&c->extra, value, m + 1))
            call_misuse(L, WHAT ": headers are too long");
        lua_pop(L, 1);
    }
}

static void take_query(lua_State *L, struct api_call *c)
{
    char mark = strchr(lua_tostring(L, ARG_PATH), '?') ? '&' : '?';
    if (!lua_istable(L, -1)) call_misuse(L, WHAT ": query must be a table");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t n, m;
        if (lua_type(L, -2) != LUA_TSTRING) call_misuse(L, WHAT ": query takes values by name");
        const char *name = lua_tolstring(L, -2, &n), *value = luaL_tolstring(L, -1, &m); /* key value text */
        if (buf_putc(&c->url, mark) || operation_escape(&c->url, (struct str){name, n}) || buf_putc(&c->url, '=') ||
            operation_escape(&c->url, (struct str){value, m}))
            call_misuse(L, WHAT ": the query is too long");
        mark = '&';
        lua_pop(L, 2);
    }
}

static void take_body(lua_State *L, struct api_call *c)
{
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t n;
        const char *p = lua_tolstring(L, -1, &n);
        if (buf_append(&c->body, p, n)) call_misuse(L, WHAT ": the body is longer than LINE takes");
    } else {
        call_encode(L, c, -1, WHAT, NULL);
    }
    c->has_body = true;
}

static const char *const option_names[] = {"query", "body", "headers", "host", "timeout"};

static void take_options(lua_State *L, struct api_call *c)
{
    if (lua_isnil(L, ARG_EXTRA)) return;
    if (!lua_istable(L, ARG_EXTRA)) call_misuse(L, WHAT ": options must be a table");
    lua_pushnil(L);
    while (lua_next(L, ARG_EXTRA)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        unsigned i = 0;
        while (i < 5 && strcmp(key, option_names[i]) != 0) i++;
        if (i == 5) operation_unknown(L, "option", key, option_names, 5);
        lua_pop(L, 1);
    }
    /* In this order: a Content-Type of the script's replaces ours. */
    if (lua_getfield(L, ARG_EXTRA, "query") != LUA_TNIL) take_query(L, c);
    if (lua_getfield(L, ARG_EXTRA, "body") != LUA_TNIL) take_body(L, c);
    if (lua_getfield(L, ARG_EXTRA, "headers") != LUA_TNIL) take_headers(L, c);
    if (lua_getfield(L, ARG_EXTRA, "timeout") != LUA_TNIL) {
        double s = lua_tonumber(L, -1);
        if (!(s > 0 && s <= 3600)) call_misuse(L, WHAT ": timeout must be a number of seconds above 0");
        c->timeout_ms = (int64_t)(s * 1000 + 0.5);
    }
    lua_settop(L, ARG_EXTRA);
}

static enum operation_host take_host(lua_State *L)
{
    enum operation_host host = HOST_API;
    if (lua_istable(L, ARG_EXTRA) && lua_getfield(L, ARG_EXTRA, "host") != LUA_TNIL) {
        const char *name = lua_tostring(L, -1);
        if (name && strcmp(name, "data") == 0) host = HOST_DATA;
        else if (name && strcmp(name, "manager") == 0) host = HOST_MANAGER;
        else if (!name || strcmp(name, "api") != 0) call_misuse(L, WHAT ": host is \"api\", \"data\" or \"manager\"");
    }
    lua_settop(L, ARG_EXTRA);
    return host;
}

/* line.request(method, path[, options]) → body, status, headers
 * options: query (table), body (table: JSON; string: as it is), headers (table), host ("api", "data" or "manager"), timeout (s).
 * body is decoded when the answer is JSON, else a string. Raises an error object for a status of 400 or more, and when
 * there is no answer. Waits. */
static int line_request(lua_State *L)
{
    static const char *const verbs[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"};
    const char *verb = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "", *path;
    unsigned v = 0;
    lua_settop(L, 3);
    lua_pushliteral(L, WHAT), lua_insert(L, 3); /* method path what options */
    lua_pushnil(L), lua_insert(L, 4);                             /* method path what nil options */
    while (v < 6 && strcmp(verb, verbs[v]) != 0) v++;
    if (v == 6) return call_misuse(L, WHAT ": the first argument is a method such as \"GET\"");
    path = lua_type(L, ARG_PATH) == LUA_TSTRING ? lua_tostring(L, ARG_PATH) : "";
    if (*path != '/' || strpbrk(path, " \r\n\t#"))
        return call_misuse(L, WHAT ": the second argument is a path such as \"/v2/bot/info\"");
    struct api_call *c = call_box(L); /* method path what nil options box */
    lua_insert(L, ARG_BOX);           /* … box options */
    c->row = CALL_REQUEST_ROW;
    c->name = "request";
    c->verb = verbs[v];
    c->idempotent = v == 0;
    call_put_base(L, c, take_host(L));
    if (buf_puts(&c->url, path)) return call_misuse(L, WHAT ": the path is too long");
    take_options(L, c);
    return call_start(L, c, WHAT, request_done, 0);
}

LJMP void request_push(lua_State *L) { lua_pushcfunction(L, line_request); }
