/* Lua's headers, and the one place that knows which release of 5.4 it is. */
#pragma once
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Runs the pending <close> variables of a thread and empties it. 5.4.6 renamed it and added who asks, for the count of
 * nested C calls. */
#if LUA_VERSION_RELEASE_NUM >= 50406
#define lua_close_coroutine(co, from) lua_closethread((co), (from))
#else
#define lua_close_coroutine(co, from) ((void)(from), lua_resetthread(co))
#endif

/* Marks functions that may leave by longjmp, as in task.h. */
#define LJMP
