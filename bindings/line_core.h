/* The module "line.core": what the Lua in scripts/line is built on. Not for bots. */
#pragma once
#include "bindings/task.h"

LJMP int luaopen_line_core(lua_State *L);
