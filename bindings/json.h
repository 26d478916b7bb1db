/* JSON between bytes and Lua. lua-cjson decodes, in an instance of our own that scripts cannot change; this file's
 * implementation is the only place that knows its traps (integers come as floats, null is truthy, memory outside Lua's
 * limit). Encoding is our own: it keeps integers, writes [] where a table is marked or known to be an array, and stops
 * at a ceiling. */
#pragma once
#include <lua.h>
#include "base/buf.h"
#include "base/str.h"

/* Push the value of a document. Integral numbers become Lua integers, members that are null vanish (inside arrays they
 * stay json.null), so `if event.replyToken then` works. Raises with line and column when text is not JSON. */
void json_decode(lua_State *L, struct str text);
/* The same, keeping null everywhere as json.null. */
void json_decode_keep_null(lua_State *L, struct str text);
/* Append the JSON of the value at idx. Raises with the path of the offending part ("messages[2].sender: a function
 * cannot be sent"). An empty table is {} unless its metatable is json.array's, or its key is one of those that LINE
 * defines as arrays (messages, contents, actions, columns, areas, items, to, …). out has no Lua owner: give it one
 * before, since this raises. */
void json_encode(lua_State *L, int idx, struct buf *out);

/* Make the private cjson instance and the markers; once per state, before anything else here. */
void json_open(lua_State *L);
void json_free(void); /* buffers kept between calls, at the worker's end */
/* Push the metatable that marks a table as an array, or as an object whatever its keys. */
void json_push_array_mark(lua_State *L);
void json_push_object_mark(lua_State *L);
#define JSON_NULL_VALUE NULL /* json.null and cjson.null: this light userdata */
