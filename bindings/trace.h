/* Where a script is, in the words of the person who wrote it: frames of moonline's own Lua and of C do not show. */
#pragma once
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

/* "bot.lua:12" of the innermost frame that is the user's, "?" if there is none. Allocates nothing in Lua. */
void trace_where(lua_State *L, char *ret, size_t n);
/* Append a line "\n  bot.lua:12: in function 'menu'" for each of the user's frames, innermost first. */
void trace_back(lua_State *L, struct buf *out);
/* The name a message shows for a chunk: the path behind its @, or Lua's own short form. */
const char *trace_source(const lua_Debug *ar);
