/* coroutine.*, pcall and xpcall as scripts get them: waits pass through, budgets cannot be caught. */
#pragma once
#include <lua.h>
#include <stdbool.h>

/* Lua's own answer is wrong for a coroutine that is being closed. */
bool coroutine_may_yield(lua_State *L);
/* The table of globals on top of the stack: put pcall and xpcall into it, and ours into its coroutine table. */
void coroutine_open(lua_State *L);
