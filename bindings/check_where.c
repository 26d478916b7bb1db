/* From the places that LINE names in details[].property to the script's: see check.h. */
#include <stdlib.h>
#include <string.h>
#include "bindings/built.h"
#include "bindings/check.h"

#define PATH_SIZE 400

/* The way down from the body; the tables on it lie on the stack, innermost on top. */
struct way {
    lua_State *L;
    char path[PATH_SIZE]; /* in Lua's counting */
    size_t used;
    unsigned steps, found; /* steps of LINE's own path, and those of them that led to a value */
    bool whole;            /* every step so far did */
};

__attribute__((format(printf, 2, 3))) static void put(struct way *w, const char *fmt, ...)
{
    size_t room = w->used < sizeof w->path ? sizeof w->path - w->used : 0;
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(w->path + (sizeof w->path - room), room, fmt, ap);
    va_end(ap);
    if (m > 0) w->used += (size_t)m;
}

/* One step: a name, or a position from 0. The value found goes on the stack; nothing when there is none. */
LJMP static void step(struct way *w, const char *token, size_t n)
{
    bool digits = n > 0 && n < 10 && strspn(token, "0123456789") >= n;
    w->steps++;
    if (digits) put(w, "[%lld]", atoll(token) + 1);
    else put(w, "%s%.*s", w->used ? "." : "", (int)n, token);
    if (!w->whole) return;
    if (!lua_istable(w->L, -1)) {
        w->whole = false;
        return;
    }
    luaL_checkstack(w->L, 4, "details");
    if (digits) {
        lua_rawgeti(w->L, -1, (lua_Integer)atoll(token) + 1);
    } else {
        lua_pushlstring(w->L, token, n);
        lua_rawget(w->L, -2);
    }
    if (!lua_isnil(w->L, -1)) {
        w->found++;
        return;
    }
    lua_pop(w->L, 1);
    w->whole = false;
}

LJMP bool message_where_of(lua_State *L, int fields, int message, const char *property)
{
    struct way w = {.L = L, .whole = true};
    int top = lua_gettop(L);
    bool relative = message >= 0 && strncmp(property, "messages", 8) != 0;
    if (!lua_istable(L, fields)) return false;
    luaL_checkstack(L, 8, "details");
    lua_pushvalue(L, fields);
    if (relative) {
        char number[16];
        int n = snprintf(number, sizeof number, "%d", message);
        step(&w, "messages", 8);
        step(&w, number, (size_t)n);
        if (*property == '/') step(&w, "contents", 8); /* a pointer goes from a Flex message's contents */
        if (!w.whole) {
            lua_settop(L, top);
            return false;
        }
        w.steps = w.found = 0;
    }
    for (const char *p = property; *p;) {
        size_t n = strcspn(p, "./[]");
        if (n) step(&w, p, n);
        p += n;
        p += *p != 0;
    }
    /* The last name may be of a field that is missing, which is then the complaint. */
    if (w.steps ? !w.found && w.steps > 1 : !relative) {
        lua_settop(L, top);
        return false;
    }
    int from = lua_gettop(L);
    bool known = false;
    for (; from > top && !known; from--) known = built_where(L, from);
    if (!known) lua_pushnil(L);
    lua_replace(L, top + 1); /* the body's place */
    lua_settop(L, top + 1);
    lua_pushstring(L, w.path);
    lua_insert(L, -2); /* path where */
    return true;
}

/* The index of the message that an error's text names: "A message (messages[1]) in the request body is invalid". */
static int named_message(const char *text)
{
    const char *p = text ? strstr(text, "messages[") : NULL;
    return p && p[9] >= '0' && p[9] <= '9' ? (int)strtol(p + 9, NULL, 10) : -1;
}

LJMP void message_explain(lua_State *L, int fields, int object)
{
    int top = lua_gettop(L), message = -1;
    luaL_checkstack(L, 8, "details");
    if (lua_getfield(L, object, "message") == LUA_TSTRING) message = named_message(lua_tostring(L, -1));
    if (lua_getfield(L, object, "details") == LUA_TTABLE && lua_istable(L, fields)) {
        int details = lua_gettop(L);
        lua_Integer n = (lua_Integer)lua_rawlen(L, details);
        for (lua_Integer i = 1; i <= n && i <= 100; i++) {
            lua_settop(L, details);
            if (lua_rawgeti(L, details, i) != LUA_TTABLE) continue;
            if (lua_getfield(L, -1, "property") != LUA_TSTRING) continue;
            if (!message_where_of(L, fields, message, lua_tostring(L, -1))) continue; /* detail property path where */
            lua_setfield(L, details + 1, "where");
            lua_setfield(L, details + 1, "path");
        }
    }
    lua_settop(L, top);
}
