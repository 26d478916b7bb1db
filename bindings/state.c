/* The Lua state of the worker. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bindings/json.h"
#include "bindings/line_core.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/require.h"
#include "bindings/sandbox.h"
#include "bindings/worker_private.h"

/* Only a mistake of ours gets here: everything of a script's runs protected. The host sees the end and starts afresh. */
static int panic(lua_State *L)
{
    const char *s = lua_tostring(L, -1);
    LOG(ERROR, "panic: an unprotected error in Lua", F_STR("error", s ? s : "?"));
    abort();
}

/* Where a library's global is also a module: opened now, since scripts may use it without require. */
static void add_global(lua_State *L, const char *name, lua_CFunction open)
{
    luaL_requiref(L, name, open, 0);
    sandbox_set_global(L, name);
}

void state_open(void)
{
    struct worker *w = worker_get();
    memory.limit = (size_t)w->options.memory_limit;
    memory_grace();
    lua_State *L = w->L = lua_newstate(memory_alloc, NULL);
    lua_atpanic(L, panic);
    lua_setwarnf(L, lua_log_warning, NULL);
    lua_gc(L, LUA_GCSTOP); /* nothing to collect while opening */
    sandbox_open(L);
    json_open(L);
    require_open(L);
    add_global(L, "json", luaopen_moonline_json);
    add_global(L, "log", luaopen_moonline_log);
    require_add(L, "store", luaopen_moonline_store);
    require_add(L, "crypto", luaopen_moonline_crypto);
    require_add(L, "http.core", luaopen_http_core);
    require_add(L, "web.core", luaopen_moonline_web);
    if (w->app) require_add(L, "emulator.host", luaopen_emulator_host);
    require_add(L, "cjson", luaopen_moonline_cjson);
    require_add(L, "line.async", luaopen_line_async);
    require_add(L, "line.core", luaopen_line_core);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCRESTART);
    memory_ungrace();
}

void state_close(void)
{
    struct worker *w = worker_get();
    lua_close(w->L);
    w->L = NULL;
    memory_close();
    json_free();
    lua_json_free();
    lua_store_free();
    lua_web_free();
}
