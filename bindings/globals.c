/* Globals that say when they were not meant. Lua makes a global of every misspelt name; in a bot that runs for weeks and
 * handles chats side by side, that is a bug that shows up far away. So what Lua and moonline offer lies in a table behind
 * _G, and a script can neither add to it nor replace any of it by accident. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "bindings/lua_api.h"
#include "bindings/sandbox.h"
#include "bindings/task.h"

#define NAMES_MOST 256 /* names looked at for "did you mean" */

static const char builtins_key; /* its address is the registry key of the builtins */

/* Globals of other releases and hosts of Lua, which libraries look for to find out where they run: nil, quietly. */
static const char foreign[] = " unpack loadstring setfenv getfenv module jit bit bit32 newproxy gcinfo ngx arg love ";

/* What is no global, but a module that has to be required. */
static const char *const modules[] = {"line", "store", "cjson"};

static bool is_foreign(const char *name)
{
    char word[24];
    int n = snprintf(word, sizeof word, " %s ", name);
    return (size_t)n < sizeof word && strstr(foreign, word);
}

struct names {
    const char *p[NAMES_MOST];
    size_t n;
};

static void add(struct names *names, const char *name)
{
    if (name && name[0] != '(' && names->n < NAMES_MOST) names->p[names->n++] = name;
}

static void add_keys(lua_State *L, struct names *names)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) add(names, lua_tostring(L, -1));
    }
    lua_pop(L, 1);
}

/* What the name may have been meant to be: a local or upvalue of the function that used it, else a global. The names
 * stay alive with the function and the tables they belong to. */
static const char *meant(lua_State *L, const char *name)
{
    struct names names = {.n = 0};
    lua_Debug ar;
    const char *found;
    if (lua_getstack(L, 1, &ar)) {
        for (int i = 1; (found = lua_getlocal(L, &ar, i)); i++) {
            lua_pop(L, 1);
            add(&names, found);
        }
        lua_getinfo(L, "f", &ar);
        for (int i = 1; (found = lua_getupvalue(L, -1, i)); i++) {
            lua_pop(L, 1);
            if (strcmp(found, "_ENV") != 0) add(&names, found);
        }
        lua_pop(L, 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &builtins_key);
    add_keys(L, &names);
    lua_pushglobaltable(L);
    add_keys(L, &names);
    return near_name(name, names.p, names.n);
}

LJMP static int complain(lua_State *L, const char *what, const char *name, const char *advice)
{
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    const char *near = meant(L, name);
    luaL_where(L, 1);
    if (near) lua_pushfstring(L, "%s '%s'%s; did you mean '%s'?", what, name, advice, near);
    else lua_pushfstring(L, "%s '%s'%s", what, name, advice);
    lua_concat(L, 2);
    return lua_error(L);
}

/* __newindex of _G */
static int write_global(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "_G takes names only");
    const char *name = lua_tostring(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &builtins_key);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return luaL_error(L, "assignment to '%s', which is built in and the same everywhere; write 'local %s'", name, name);
    char advice[256];
    const char *keyword = lua_type(L, 3) == LUA_TFUNCTION ? "local function" : "local";
    snprintf(advice, sizeof advice, "; write '%s %.100s' where it belongs", keyword, name);
    return complain(L, "assignment to undeclared global", name, advice);
}

/* __index of the builtins, which are the __index of _G */
static int read_global(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING && !is_foreign(lua_tostring(L, 2))) {
        const char *name = lua_tostring(L, 2);
        char advice[80] = "";
        for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
            if (strcmp(name, modules[i]) == 0)
                snprintf(advice, sizeof advice, "; write 'local %s = require \"%s\"' above", name, name);
        return complain(L, "undeclared variable", name, advice);
    }
    lua_pushnil(L);
    return 1;
}

/* pairs(_G): what can be read. */
static int pairs_global(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &builtins_key);
    lua_getfield(L, -1, "next");
    lua_insert(L, -2);
    return 2;
}

void globals_open(lua_State *L)
{
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &builtins_key);

    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, read_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);

    lua_pushglobaltable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, write_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, pairs_global);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 2);
}

void sandbox_set_global(lua_State *L, const char *name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &builtins_key);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}
