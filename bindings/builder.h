/* The builders of messages and their parts: line.sticker, line.flex.box … */
#pragma once
#include "bindings/lua_api.h"

/* line.core's half: builder(what, type, names, finish) → a builder. what: "line.sticker", for messages. type: the value
 * of the result's field `type`, nil for none. names: list of the natural arguments' fields. finish: nil, or a function
 * that gets the table and returns what the builder is to return. */
int builder_new(lua_State *L);
/* callable(f) → a __call for a group of functions: f without the group as its first argument. The frame is C's, so that
 * `return line.flex(…)` leaves the script's own frame to be found. */
int builder_callable(lua_State *L);
