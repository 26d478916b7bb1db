/* The modules json (ours) and cjson (lua-cjson itself, for existing code; nothing else uses it). */
#include <string.h>

#include "base/limits.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "lua-cjson.h"

#define KEEP 65536 /* bytes of the buffer kept between calls */

/* One buffer for all calls: encoding cannot be interrupted, and its text is copied out before anything else runs. An
 * encoding that raised leaves it filled; the next one clears it. */
static struct buf out = BUF(LIMIT_API_REQUEST);

static bool switch_of(lua_State *L, const char *name)
{
    int type = lua_getfield(L, 2, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN) luaL_error(L, "json.encode: %s is true or false", name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

LJMP static struct json_style take_style(lua_State *L)
{
    if (lua_isnoneornil(L, 2)) return (struct json_style){0};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(key, "pretty") != 0 && strcmp(key, "ascii") != 0)
            luaL_error(L, "json.encode: unknown option '%s'; there are pretty and ascii", key);
        lua_pop(L, 1);
    }
    return (struct json_style){.pretty = switch_of(L, "pretty"), .ascii = switch_of(L, "ascii")};
}

/* json.encode(value [, options]): text. Options: {pretty = true} a member a line, for people; {ascii = true} what is not ASCII
 * as \uXXXX */
int lua_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct json_style how = take_style(L);
    buf_clear(&out);
    json_encode_as(L, 1, &out, how);
    lua_pushlstring(L, out.data, out.len);
    buf_clear(&out);
    buf_trim(&out, KEEP);
    return 1;
}

static struct str check_text(lua_State *L)
{
    struct str text;
    text.p = luaL_checklstring(L, 1, &text.n);
    return text;
}

/* json.decode(text [, keep_null]): members that are null are left out, unless keep_null */
static int decode(lua_State *L)
{
    struct str text = check_text(L);
    if (lua_toboolean(L, 2)) json_decode_keep_null(L, text);
    else json_decode(L, text);
    return 1;
}

static int put_mark(lua_State *L, void (*push)(lua_State *L))
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push(L);
    lua_setmetatable(L, 1);
    return 1;
}

/* json.array([table]), json.object([table]): the same table, which is then written as [] or {} even when it is empty */
static int array(lua_State *L) { return put_mark(L, json_push_array_mark); }
static int object(lua_State *L) { return put_mark(L, json_push_object_mark); }

static const luaL_Reg json_functions[] = {
    {"encode", lua_json_encode}, {"decode", decode}, {"array", array}, {"object", object}, {NULL, NULL},
};

int luaopen_moonline_json(lua_State *L)
{
    luaL_newlib(L, json_functions);
    lua_pushlightuserdata(L, JSON_NULL_VALUE);
    lua_setfield(L, -2, "null");
    return 1;
}

/* cjson.decode with a ceiling and under grace: lua-cjson loses memory if Lua refuses some in the middle. Upvalue: its
 * own decode. */
static int cjson_decode(lua_State *L)
{
    struct str text = check_text(L);
    if (text.n > LIMIT_API_ANSWER)
        return luaL_error(L, "JSON of %d bytes is larger than the %d that are read", (int)text.n, (int)LIMIT_API_ANSWER);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    memory_grace();
    int status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
    memory_ungrace();
    return status ? lua_error(L) : 1;
}

int luaopen_moonline_cjson(lua_State *L)
{
    lua_settop(L, 0);
    luaopen_cjson(L);
    lua_getfield(L, -1, "decode");
    lua_pushcclosure(L, cjson_decode, 1);
    lua_setfield(L, -2, "decode");
    return 1;
}

void lua_json_free(void) { buf_free(&out); }
