/* What a worker tells the host while somebody looks on (SETTING_TRACE): which handler takes an event, and each call of
 * LINE when it ended; where it says so (worker.trace_bodies) with what went out and came back, without secrets. JSON objects in
 * TRACE frames; runtime/host/news.h lists them. */
#pragma once
#include <lua.h>
#include <stddef.h>

struct api_call;

/* core.trace(where, selector) of the module line.core: the handler that takes the current event. */
int trace_handler(lua_State *L);
/* An attempt of a call has ended. */
void trace_call(const struct api_call *c);
/* The innermost line of the script, into ret. Cannot raise. */
void trace_where_of(lua_State *L, char *ret, size_t n);
