/* require, for scripts and for us. Its continuation lets a file's top level wait. */
#pragma once
#include <lua.h>
#include <stddef.h>
#include "base/str.h"

/* Make require and package; builtins get them as globals. */
void require_open(lua_State *L);
/* A module of ours that is C: opened on its first require. */
void require_add(lua_State *L, const char *name, lua_CFunction open);
/* Push the function of a Lua text whose messages name it as given. Raises what the compiler says. */
void require_compile(lua_State *L, struct str bytes, const char *name);
/* Push require itself, for lua_callk. */
void require_push(lua_State *L);
