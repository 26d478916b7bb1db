/* What every event does, in C because every event pays for it: becoming an event with methods, finding a method, and
 * event:reply with one string. Everything else about events is in scripts/line/event.lua, which also says what a queue is. */
#include "bindings/built.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"

/* __index of events. Upvalues: methods, chat(event). */
static int event_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    lua_pushliteral(L, "chat");
    if (!lua_rawequal(L, 2, -1)) return 0;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1); /* ours, which never waits */
    return 1;
}

/* enter(event, outer, inner): gives the decoded object its metatable (upvalue 1) and returns what handlers are chosen by,
 * its subtype event[outer][inner] and the type of its source; nil for what is not there. */
static int event_enter(lua_State *L)
{
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 1) == LUA_TTABLE) { /* 4 */
        lua_pushvalue(L, 3);
        lua_rawget(L, 4);
        lua_replace(L, 4);
    } else {
        lua_pushnil(L);
        lua_replace(L, 4);
    }
    lua_pushliteral(L, "source");
    if (lua_rawget(L, 1) == LUA_TTABLE) { /* 5 */
        lua_pushliteral(L, "type");
        lua_rawget(L, 5);
        lua_replace(L, 5);
    } else {
        lua_pushnil(L);
        lua_replace(L, 5);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, 1);
    return 2;
}

static int slow_returned(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

enum { REPLY_SLOW = 1, REPLY_META, REPLY_INDEX, REPLY_NAME };

/* Is this the first reply of an event that has a reply token, and a string alone? */
static bool is_plain(lua_State *L)
{
    if (lua_gettop(L) != 2 || lua_type(L, 2) != LUA_TSTRING || !lua_istable(L, 1) || !lua_getmetatable(L, 1)) return false;
    bool plain = lua_rawequal(L, -1, lua_upvalueindex(REPLY_META));
    if (plain) {
        lua_pushliteral(L, "replyToken");
        plain = lua_rawget(L, 1) == LUA_TSTRING;
    }
    lua_settop(L, 2);
    return plain;
}

/* event:reply. Upvalues: reply in Lua for all other cases, the metatable of events without replies, and what a queue
 * takes over from it: __index, __name. */
static int event_reply(lua_State *L)
{
    if (!is_plain(L)) {
        int n = lua_gettop(L);
        luaL_checkstack(L, 1, NULL);
        lua_pushvalue(L, lua_upvalueindex(REPLY_SLOW));
        lua_insert(L, 1);
        lua_callk(L, n, LUA_MULTRET, 0, slow_returned);
        return slow_returned(L, LUA_OK, 0);
    }
    lua_createtable(L, 0, 4); /* the queue; its fourth field is set when it is sent */
    lua_pushvalue(L, lua_upvalueindex(REPLY_INDEX));
    lua_setfield(L, 3, "__index");
    lua_pushvalue(L, lua_upvalueindex(REPLY_NAME));
    lua_setfield(L, 3, "__name");
    lua_createtable(L, 1, 0);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "text");
    lua_setfield(L, 5, "type");
    lua_pushvalue(L, 2);
    lua_setfield(L, 5, "text");
    built_note(L, 5);
    lua_rawseti(L, 4, 1);
    lua_setfield(L, 3, "list");
    lua_setmetatable(L, 1);
    return 0;
}

int lua_event_functions(lua_State *L)
{
    lua_settop(L, 4);
    luaL_checktype(L, 1, LUA_TTABLE);
    for (int i = 2; i <= 3; i++) luaL_checktype(L, i, LUA_TFUNCTION);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 3);
    lua_pushcclosure(L, event_index, 2); /* 5 */
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 4);
    lua_pushvalue(L, 5);
    lua_getfield(L, 4, "__name");
    lua_pushcclosure(L, event_reply, 4);
    lua_pushvalue(L, 4);
    lua_pushcclosure(L, event_enter, 1);
    return 3;
}
