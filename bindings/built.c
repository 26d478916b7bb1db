/* See built.h. A Flex menu is a hundred builder calls, so a note must cost little: finding the frame and its line is what
 * Lua charges for that, and the place's metatable comes out of a table of SITES slots without building any text. */
#include "bindings/built.h"

#include <stdint.h>
#include <string.h>

#include "bindings/task.h"
#include "bindings/trace.h"

#define SITES 1024       /* slots; two places that share one take turns, and are made anew each time */
#define SOURCE_MOST 255  /* a chunk without a name is its own name; such places are not kept */
#define LEVELS 16        /* frames of ours and of C between a builder and the script: a few */

/* What a place's metatable holds. */
enum { SITE_SOURCE = 1, SITE_LINE = 2 };
static const char sites_key, where_key; /* registry: the slots. In a metatable: the text, and that it is one of these */

/* The innermost frame of the user's, with source and current line. */
static bool find_frame(lua_State *L, lua_Debug *ar)
{
    for (int level = 1; level < LEVELS && lua_getstack(L, level, ar); level++) {
        lua_getinfo(L, "Sl", ar);
        if (ar->what[0] != 'C' && !chunk_is_ours(ar->source)) return true;
    }
    return false;
}

/* The slots; made on the first use. */
LJMP static void push_sites(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &sites_key) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_createtable(L, SITES, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sites_key);
}

/* Is the metatable on top of the stack this place's? Scripts can reach it, so nothing about it is taken for granted. */
static bool is_site(lua_State *L, const lua_Debug *ar)
{
    lua_rawgeti(L, -1, SITE_LINE);
    lua_rawgeti(L, -2, SITE_SOURCE);
    const char *source = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    bool same = source && lua_tointeger(L, -2) == ar->currentline &&
                (source == ar->source || strcmp(source, ar->source) == 0);
    lua_pop(L, 2);
    return same;
}

LJMP static void push_new_site(lua_State *L, const lua_Debug *ar)
{
    lua_createtable(L, 2, 1);
    lua_pushfstring(L, "%s:%d", trace_source(ar), ar->currentline);
    lua_rawsetp(L, -2, &where_key);
}

/* Push the metatable of the place. */
LJMP static void push_site(lua_State *L, const lua_Debug *ar)
{
    if (strnlen(ar->source, SOURCE_MOST + 1) > SOURCE_MOST) {
        push_new_site(L, ar);
        return;
    }
    push_sites(L);
    uintptr_t h = ((uintptr_t)ar->source >> 4) * 31 + (unsigned)ar->currentline;
    lua_Integer slot = (lua_Integer)(h % SITES) + 1;
    if (lua_rawgeti(L, -1, slot) != LUA_TTABLE || !is_site(L, ar)) {
        lua_pop(L, 1);
        push_new_site(L, ar);
        lua_pushstring(L, ar->source);
        lua_rawseti(L, -2, SITE_SOURCE);
        lua_pushinteger(L, ar->currentline);
        lua_rawseti(L, -2, SITE_LINE);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, slot);
    }
    lua_remove(L, -2);
}

void built_note(lua_State *L, int idx)
{
    lua_Debug ar;
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, "a builder");
    if (lua_getmetatable(L, idx)) {
        lua_pop(L, 1);
        return;
    }
    if (!find_frame(L, &ar)) return;
    push_site(L, &ar);
    lua_setmetatable(L, idx);
}

bool built_where(lua_State *L, int idx)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return false;
    if (lua_rawgetp(L, -1, &where_key) == LUA_TSTRING) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

int built_note_call(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    built_note(L, 1);
    return 1;
}

int built_where_call(lua_State *L)
{
    luaL_checkany(L, 1);
    if (!built_where(L, 1)) lua_pushnil(L);
    return 1;
}
