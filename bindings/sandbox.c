/* The standard library by allow-list. What is not listed is taken out; what people will look for says why it is gone. */
#include "bindings/sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bindings/coroutine.h"
#include "bindings/lua_api.h"

static const struct library {
    const char *name;
    lua_CFunction open;
    const char *kept; /* space-separated, with a space at both ends; NULL: everything */
} libraries[] = {
    {"_G", luaopen_base, " assert error getmetatable ipairs load next pairs pcall rawequal rawget rawlen rawset select "
                         "setmetatable tonumber tostring type warn xpcall _VERSION "},
    {"coroutine", luaopen_coroutine, NULL},
    {"string", luaopen_string, " byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper "},
    {"table", luaopen_table, NULL},
    {"math", luaopen_math, NULL},
    {"utf8", luaopen_utf8, NULL},
    {"os", luaopen_os, " clock date difftime time "},
    {"debug", luaopen_debug, " traceback "},
};

/* "library.name" or "name" → why, for the error. To add one: add the row. */
static const struct gone {
    const char *library, *name, *why;
} gone[] = {
    {"os", "exit", "a handler ends by returning, and the process is not the bot's to end"},
    {"os", "execute", "a bot starts no programs"},
    {"os", "remove", "a bot has no files; keep data in store"},
    {"os", "rename", "a bot has no files; keep data in store"},
    {"os", "tmpname", "a bot has no files; keep data in store"},
    {"os", "setlocale", "it would change how every number is read and written"},
    {"debug", "sethook", "moonline keeps its limits with it"},
    {"debug", "getinfo", "of debug there is debug.traceback only"},
    {"debug", "debug", "there is no terminal to ask"},
    {"debug", "getlocal", "of debug there is debug.traceback only"},
    {"debug", "setlocal", "of debug there is debug.traceback only"},
    {"debug", "getupvalue", "of debug there is debug.traceback only"},
    {"debug", "setupvalue", "of debug there is debug.traceback only"},
    {"debug", "getmetatable", "of debug there is debug.traceback only; use getmetatable"},
    {"debug", "setmetatable", "of debug there is debug.traceback only; use setmetatable"},
    {"debug", "getregistry", "of debug there is debug.traceback only"},
    {"string", "dump", "bytecode can crash Lua, so it is neither made nor loaded"},
    {"io", NULL, "a bot has no files and no terminal; use log, store and require"},
    {"package", "loadlib", "C modules are found by require in lua_modules/lib/lua/5.4"},
};

static int say_gone(lua_State *L)
{
    const char *library = lua_tostring(L, lua_upvalueindex(1)), *name = luaL_tolstring(L, 2, NULL);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (strcmp(gone[i].library, library) == 0 && (!gone[i].name || strcmp(gone[i].name, name) == 0))
            return luaL_error(L, "%s.%s is not available in a bot: %s", library, name, gone[i].why);
    lua_pushnil(L); /* never existed: nil, so that code may look for functions of other versions of Lua */
    return 1;
}

void sandbox_explain(lua_State *L, const char *library)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, library);
    lua_pushcclosure(L, say_gone, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

static int is_kept(const char *kept, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = kept; (p = strstr(p, name)); p += n)
        if (p > kept && p[-1] == ' ' && p[n] == ' ') return 1;
    return 0;
}

/* Take everything that is not kept out of the table on top of the stack. */
static void filter(lua_State *L, const char *kept)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1); /* lua_tostring would change a number that is a key */
        if (!is_kept(kept, lua_tostring(L, -1))) {
            lua_pushnil(L);
            lua_settable(L, -4); /* the copy of the key goes with it; clearing while traversing is allowed */
        } else {
            lua_pop(L, 1);
        }
    }
}

/* ---- replacements ---- */

/* load(chunk, name, mode, env): text only. Lua tells a nil environment from none, so the number of arguments stays. */
static int load_text(lua_State *L)
{
    int n = lua_gettop(L);
    const char *mode = luaL_optstring(L, 3, "t");
    if (!strchr(mode, 't')) return luaL_error(L, "load: mode '%s' is not available in a bot: only text is loaded", mode);
    if (n < 3) lua_settop(L, n = 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, LUA_MULTRET);
    return lua_gettop(L);
}

static int collectgarbage_count(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "count") != 0)
        return luaL_error(L, "collectgarbage(\"%s\") is not available in a bot: only \"count\" is; memory is collected by "
                             "itself", what);
    lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + lua_gc(L, LUA_GCCOUNTB) / 1024.0);
    return 1;
}

static int no_files(lua_State *L)
{
    return luaL_error(L, "%s is not available in a bot: use require, which also has the file watched for changes",
                      lua_tostring(L, lua_upvalueindex(1)));
}

/* Environment variables, except those that hold the channel's secrets. */
static int os_getenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strncmp(name, "LINE_", 5) == 0 || strncmp(name, "MOONLINE_", 9) == 0)
        return luaL_error(L, "os.getenv: %s is not shown to a bot: names that begin with LINE_ or MOONLINE_ may hold "
                             "secrets", name);
    lua_pushstring(L, getenv(name));
    return 1;
}

/* ---- opening ---- */

/* Move what the base library put into the real globals over to the builtins at the top of the stack. */
static void take_base(lua_State *L, const char *kept)
{
    lua_pushglobaltable(L);
    filter(L, kept);
    lua_pushnil(L);
    while (lua_next(L, -2)) { /* builtins, globals, key, value */
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4); /* clearing while traversing is allowed */
    }
    lua_setfield(L, -2, "_G");
}

static void open_libraries(lua_State *L)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        const struct library *l = &libraries[i];
        luaL_requiref(L, l->name, l->open, 0);
        if (strcmp(l->name, "_G") == 0) {
            lua_pop(L, 1);
            take_base(L, l->kept);
            continue;
        }
        if (l->kept) filter(L, l->kept);
        sandbox_explain(L, l->name);
        lua_setfield(L, -2, l->name);
    }
}

/* builtins[library][name] = f, which may know its own name (upvalue 1). */
static void put(lua_State *L, const char *library, const char *name, lua_CFunction f)
{
    if (library) lua_getfield(L, -1, library);
    else lua_pushvalue(L, -1);
    lua_pushstring(L, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

/* Lua's own seed is the second and an address: workers that start together might well draw the same numbers. */
static void seed_random(lua_State *L)
{
    lua_Integer seed[2];
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) abort();
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 2);
}

void sandbox_open(lua_State *L)
{
    lua_newtable(L); /* builtins */
    open_libraries(L);
    lua_newtable(L);
    sandbox_explain(L, "io");
    lua_setfield(L, -2, "io");
    lua_getfield(L, -1, "load");
    lua_pushcclosure(L, load_text, 1);
    lua_setfield(L, -2, "load");
    put(L, NULL, "dofile", no_files);
    put(L, NULL, "loadfile", no_files);
    put(L, NULL, "collectgarbage", collectgarbage_count);
    put(L, "os", "getenv", os_getenv);
    coroutine_open(L);
    globals_open(L);
    seed_random(L);
}
