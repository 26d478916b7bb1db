/* See builder.h. In C because a menu calls a hundred of them, and because a frame of C stays below the script's own in
 * `return line.text(…)`, where a Lua function would replace it. */
#include "bindings/builder.h"

#include "bindings/built.h"
#include "bindings/call.h"

#define NAMES_MOST 8
enum { UP_WHAT = 1, UP_TYPE, UP_FINISH, UP_N, UP_NAMES };

/* ", "-joined natural arguments, for messages. */
LJMP static const char *push_names(lua_State *L, int n)
{
    lua_pushstring(L, n ? "" : "nothing");
    for (int i = 0; i < n; i++) {
        lua_pushfstring(L, "%s%s%s", lua_tostring(L, -1), i ? ", " : "", lua_tostring(L, lua_upvalueindex(UP_NAMES + i)));
        lua_remove(L, -2);
    }
    return lua_tostring(L, -1);
}

/* One table as the only argument is the form with names, unless it is the value of the first argument itself: a list, or
 * an object with a type of its own. */
static bool is_named_form(lua_State *L, int n)
{
    if (!lua_istable(L, 1)) return false;
    int first = lua_rawgeti(L, 1, 1), type = LUA_TNIL;
    if (n) {
        lua_pushliteral(L, "type");
        type = lua_rawget(L, 1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return first == LUA_TNIL && type == LUA_TNIL;
}

/* Copy the fields of the table at from into the one on top. */
LJMP static void copy_fields(lua_State *L, int from)
{
    int to = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
}

static int count_fields(lua_State *L, int idx)
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) n++;
    return n;
}

static int built(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lua_istable(L, -1)) built_note(L, -1);
    return 1;
}

static int build(lua_State *L)
{
    int n = (int)lua_tointeger(L, lua_upvalueindex(UP_N)), count = lua_gettop(L);
    const char *what = lua_tostring(L, lua_upvalueindex(UP_WHAT));
    if (count > n + 1) return call_misuse(L, "%s: takes %d arguments and a table of more fields, not %d", what, n, count);
    bool named = count == 1 && is_named_form(L, n);
    int more = named ? 1 : n + 1;
    lua_settop(L, n + 1);
    int type = lua_type(L, more);
    if (type != LUA_TNIL && type != LUA_TTABLE)
        return call_misuse(L, "%s: after %s comes a table of more fields, not a %s", what, push_names(L, n),
                           lua_typename(L, type));
    lua_createtable(L, 0, 1 + (named ? 0 : n) + (type == LUA_TTABLE ? count_fields(L, more) : 0));
    if (!lua_isnil(L, lua_upvalueindex(UP_TYPE))) {
        lua_pushvalue(L, lua_upvalueindex(UP_TYPE));
        lua_setfield(L, -2, "type");
    }
    for (int i = 0; i < n && !named; i++) {
        if (lua_isnil(L, i + 1)) continue;
        lua_pushvalue(L, lua_upvalueindex(UP_NAMES + i));
        lua_pushvalue(L, i + 1);
        lua_rawset(L, -3);
    }
    if (type == LUA_TTABLE) copy_fields(L, more);
    if (lua_isnil(L, lua_upvalueindex(UP_FINISH))) return built(L, LUA_OK, 0);
    lua_pushvalue(L, lua_upvalueindex(UP_FINISH));
    lua_insert(L, -2);
    lua_callk(L, 1, 1, 0, built);
    return built(L, LUA_OK, 0);
}

int builder_new(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 4);
    int n = (int)lua_rawlen(L, 3);
    luaL_argcheck(L, n <= NAMES_MOST, 3, "too many natural arguments");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 4);
    lua_pushinteger(L, n);
    for (int i = 1; i <= n; i++) lua_rawgeti(L, 3, i);
    lua_pushcclosure(L, build, UP_NAMES - 1 + n);
    return 1;
}

static int called(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

static int call_without_self(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_replace(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, called);
    return lua_gettop(L);
}

int builder_callable(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    lua_pushcclosure(L, call_without_self, 1);
    return 1;
}
