/* What of Lua's standard library a bot has, and its globals. */
#pragma once
#include <lua.h>

/* Open the allowed libraries; the globals are strict from here on. */
void sandbox_open(lua_State *L);
/* Give scripts a global of moonline's (log, json, line): the value on top of the stack, popped. Scripts cannot replace it. */
void sandbox_set_global(lua_State *L, const char *name);
/* The table on top of the stack is that library: reading what was taken out of it explains itself. */
void sandbox_explain(lua_State *L, const char *library);
/* globals.c: make the table of builtins on top of the stack (popped) readable as globals, and nothing else. */
void globals_open(lua_State *L);
