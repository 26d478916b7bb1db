/* Where a script built a table: "menu.lua:42" for each part of a message that a builder returned, so that an error about
 * the part can name the line it comes from.
 *
 * The note is the table's metatable: one for each place in the scripts, shared by all that was built there, without any
 * metamethod. So a note takes no memory of its own, lives as long as its table, pairs() and JSON do not see it, and the
 * garbage collector has no weak table to go through. Giving the table another metatable loses the note, no more. */
#pragma once
#include <stdbool.h>
#include "bindings/lua_api.h"

/* Note that the table at idx was built where the script is now, seen from a C function of ours that the script called. A
 * table that has a metatable keeps it. May allocate, the first time at a place. */
LJMP void built_note(lua_State *L, int idx);
/* Push "bot.lua:12" and return true when the table at idx has a note; else push nothing and return false. Any value may
 * stand at idx. */
bool built_where(lua_State *L, int idx);

/* line.core's half: note(t) → t, for builders written in Lua; built_at(t) → "bot.lua:12" or nil. */
int built_note_call(lua_State *L);
int built_where_call(lua_State *L);
