/* What a script may use up: processor time between two waits, and memory. pcall cannot swallow the end of a budget.
 *
 * No instruction is counted. A count hook on every coroutine made loops 2.3 times slower when measured, because Lua then
 * looks up the hook before each instruction. Instead a timer of the thread's own processor clock ticks every few
 * milliseconds of use; only when a run is over its limit does the tick set a hook, on the coroutine that runs right
 * then, which lua_sethook allows from a signal. */
#pragma once
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define LJMP

enum budget_trip { BUDGET_KEPT, BUDGET_CPU, BUDGET_MEMORY };

/* Start and stop the ticks; cpu_limit_ms only sets how fine they are. describe writes whose run it is, for messages:
 * "event 01H…, generation 3". 0 or ERR_IO. */
int budget_open(int64_t cpu_limit_ms, void (*describe)(char *ret, size_t n));
void budget_close(void);

/* A run of Lua begins: from here until budget_end, limit_ms of processor time. option: "--cpu-limit", for the message. */
void budget_begin(lua_State *L, int64_t limit_ms, const char *option);
void budget_end(void);
/* Lua goes on in another coroutine of the same run: call before lua_resume, and with the returned one afterwards. */
lua_State *budget_switch(lua_State *L);

/* Of the run under way, or of the last one until the next begins. */
enum budget_trip budget_tripped(void);
struct str budget_why(void); /* the message, then the traceback of where it happened */
/* LUA_ERRMEM was seen, with L's stack as it was found: the memory limit is broken. The first call counts. */
void budget_out_of_memory(lua_State *L);
/* Raise again when a budget of this run is broken: for whoever caught an error or is about to wait. */
LJMP void budget_check(lua_State *L);
