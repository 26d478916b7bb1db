/* What becomes of a finished call in Lua: its decoded answer, or an error object. See call.h. */
#include <stdarg.h>
#include <stdio.h>
#include "base/err.h"
#include "bindings/budget.h"
#include "bindings/call.h"
#include "bindings/check.h"
#include "bindings/json.h"
#include "line/refusal.h"

#define SHOWN 160 /* bytes of an answer that is not JSON which an error repeats */

static bool has_status(const struct api_call *c) { return c->x.http.result == 0 && c->x.http.status > 0; }

bool call_ok(const struct api_call *c)
{
    int status = c->x.http.status;
    if (!has_status(c)) return false;
    return (status >= 200 && status < 300) || (status == 409 && c->keyed) || c->counted_as_sent;
}

struct str call_request_id(const struct api_call *c)
{
    struct str id = {NULL, 0};
    if (!has_status(c)) return id;
    if (c->x.http.status == 409) id = http_call_header(&c->x.http, "x-line-accepted-request-id");
    return id.p ? id : http_call_header(&c->x.http, "x-line-request-id");
}

LJMP int call_misuse(lua_State *L, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    task_push_where(L);
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), text);
    return lua_error(L);
}

static int decode_protected(lua_State *L)
{
    struct api_call *c = lua_touserdata(L, 1);
    json_decode(L, buf_str(&c->x.http.answer));
    return 1;
}

/* Push the decoded answer, true; or the decoder's complaint, false. */
static bool decode(lua_State *L, struct api_call *c)
{
    if (c->x.http.answer.len == 0) {
        lua_newtable(L);
        return true;
    }
    lua_pushcfunction(L, decode_protected);
    lua_pushlightuserdata(L, c);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_ERRMEM) budget_out_of_memory(L);
    budget_check(L);
    return status == LUA_OK;
}

static int encode_protected(lua_State *L)
{
    struct api_call *c = lua_touserdata(L, 1);
    json_encode_with(L, 2, &c->body, lua_touserdata(L, 3));
    return 0;
}

LJMP void call_encode(lua_State *L, struct api_call *c, int idx, const char *what, const struct json_written *written)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 4, NULL);
    lua_pushcfunction(L, encode_protected);
    lua_pushlightuserdata(L, c);
    lua_pushvalue(L, idx);
    lua_pushlightuserdata(L, (void *)(uintptr_t)written);
    /* Protected only to put the script's line in front; the encoder says where in the value. */
    int status = lua_pcall(L, 3, 0, 0);
    if (status != LUA_OK) buf_free(&c->body); /* up to the ceiling; the box may be long in being collected */
    if (status == LUA_ERRMEM) budget_out_of_memory(L);
    budget_check(L);
    if (status != LUA_OK) call_misuse(L, "%s: %s", what, luaL_tolstring(L, -1, NULL));
    c->has_body = c->json = true;
}

/* ---- error objects ---- */

/* From the decoded error body (table at body) to the object (at object): message and details, in the three shapes that
 * LINE's hosts use. Returns whether there was a message. */
static bool take_message(lua_State *L, int object, int body)
{
    static const char *const names[] = {"message", "error_description", "error"};
    lua_getfield(L, body, "details");
    lua_setfield(L, object, "details");
    for (int i = 0; i < 3; i++) {
        if (lua_getfield(L, body, names[i]) == LUA_TSTRING) {
            lua_setfield(L, object, "message");
            return true;
        }
        lua_pop(L, 1);
    }
    return false;
}

/* What kind of failure it was, for scripts to branch on: refusal_kind's, or "timeout", "network" and "file" without an answer,
 * "token" and "rate" for what was given up before LINE was asked. */
static const char *kind_of(const struct api_call *c)
{
    if (c->gave_up) return c->gave_up;
    if (has_status(c)) return refusal_kind(c->x.http.status, c->name, buf_str(&c->x.http.answer));
    return c->x.http.result == ERR_TIMEOUT ? "timeout" : c->x.http.result == ERR_SOURCE ? "file" : "network";
}

/* Push the object with everything but its message. */
static void push_object(lua_State *L, struct api_call *c, int what, int where)
{
    struct str id = call_request_id(c);
    lua_createtable(L, 0, 10);
    luaL_setmetatable(L, ERROR_OBJECT);
    lua_pushstring(L, kind_of(c));
    lua_setfield(L, -2, "kind");
    if (c->retry_after_ms && (c->gave_up || c->x.http.status == 429)) {
        lua_pushnumber(L, (lua_Number)c->retry_after_ms / 1000);
        lua_setfield(L, -2, "retry_after");
    }
    struct str accepted = has_status(c) ? http_call_header(&c->x.http, "x-line-accepted-request-id") : (struct str){NULL, 0};
    if (accepted.p) {
        lua_pushlstring(L, accepted.p, accepted.n);
        lua_setfield(L, -2, "accepted_request_id");
    }
    lua_pushinteger(L, has_status(c) ? c->x.http.status : 0);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, c->name);
    lua_setfield(L, -2, "operation");
    lua_pushvalue(L, what);
    lua_setfield(L, -2, "called");
    if (lua_type(L, where) == LUA_TSTRING)
        lua_pushvalue(L, where);
    else
        task_push_where(L);
    lua_setfield(L, -2, "where");
    if (id.p) {
        lua_pushlstring(L, id.p, id.n);
        lua_setfield(L, -2, "request_id");
    }
}

LJMP int call_raise(lua_State *L, struct api_call *c, int what, int where)
{
    luaL_checkstack(L, 8, NULL);
    push_object(L, c, what, where);
    int object = lua_gettop(L);
    if (c->x.overflow) {
        lua_pushliteral(L, "more bytes came than were asked for");
    } else if (c->gave_up) {
        lua_pushstring(L, c->x.http.error_text);
    } else if (c->x.http.result == ERR_SOURCE) {
        lua_pushfstring(L, "not sent as a whole: %s", c->x.http.error);
    } else if (!has_status(c)) {
        lua_pushfstring(L, "no answer from LINE: %s%s",
                        c->x.http.result ? (c->x.http.error ? c->x.http.error : err_text(c->x.http.result)) : "stopped",
                        c->x.http.result && c->x.http.maybe_sent ? " (the request may have been carried out)" : "");
    } else if (c->x.streaming && c->x.http.status == 202) {
        lua_pushfstring(L, "LINE had not prepared this content after %d s: wait longer with ready_timeout, or try again later",
                        (int)((c->ready_limit_ms + 500) / 1000));
    } else if (c->x.streaming && call_ok(c)) {
        lua_pushliteral(L, "the connection broke, and on the next one the content was shorter than before");
    } else if (decode(L, c) && lua_istable(L, -1) && take_message(L, object, lua_gettop(L))) {
        lua_pop(L, 1); /* the body; message is in its place */
        lua_pushnil(L);
    } else {
        size_t n = c->x.http.answer.len < SHOWN ? c->x.http.answer.len : SHOWN;
        lua_pushliteral(L, "an answer without a message: ");
        lua_pushlstring(L, n ? c->x.http.answer.data : "", n);
        lua_concat(L, 2);
    }
    if (!lua_isnil(L, -1)) lua_setfield(L, object, "message");
    lua_settop(L, object);
    if (has_status(c) && c->x.http.status == 400 && lua_istable(L, 1)) message_explain(L, 1, object); /* 1: the fields */
    call_spent(c);
    return lua_error(L);
}

LJMP void call_push_json(lua_State *L, struct api_call *c, int what, int where)
{
    luaL_checkstack(L, 8, NULL);
    if (decode(L, c)) return;
    push_object(L, c, what, where); /* complaint object */
    lua_pushliteral(L, "the answer is not JSON: ");
    lua_pushvalue(L, -3);
    lua_concat(L, 2);
    lua_setfield(L, -2, "message");
    call_spent(c);
    lua_error(L);
}
