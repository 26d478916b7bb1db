/* JSON between bytes and Lua. Decoding goes in one pass from the host's own scanner (base/json.h) into Lua values, so
 * that host and script read every document alike; all memory is Lua's, under its limit. Encoding keeps integers, writes
 * [] where a table is marked or known to be an array, and stops at a ceiling. */
#pragma once
#include <lua.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/str.h"

/* Push the value of a document. Integral numbers become Lua integers, members that are null vanish (inside arrays they
 * stay json.null), so `if event.replyToken then` works; an empty array carries the mark of json.array. Where a name
 * comes twice the last counts. Half a surrogate pair becomes U+FFFD. Raises with line and column when text is not
 * JSON. text must stay until the return, and finalizers of scripts may run before that. */
void json_decode(lua_State *L, struct str text);
/* The same, keeping null everywhere as json.null. */
void json_decode_keep_null(lua_State *L, struct str text);
/* Append the JSON of the value at idx. Raises with the path of the offending part ("messages[2].sender: a function
 * cannot be sent"). An empty table is {} unless its metatable is json.array's, or its key is one of those that LINE
 * defines as arrays (messages, contents, actions, columns, areas, items, to, …). out has no Lua owner: give it one
 * before, since this raises. */
void json_encode(lua_State *L, int idx, struct buf *out);
/* A table whose JSON is there already, byte for byte as json_encode makes it. */
struct json_written {
    const void *table; /* lua_topointer; NULL: there is none */
    struct buf json;
};
/* The same; written, if it is met inside, costs only a copy. */
void json_encode_with(lua_State *L, int idx, struct buf *out, const struct json_written *written);
/* The same, written otherwise. pretty: a member or item a line, two blanks a level. ascii: what is not ASCII as \uXXXX. */
struct json_style {
    bool pretty, ascii;
};
void json_encode_as(lua_State *L, int idx, struct buf *out, struct json_style how);

/* Make the markers; once per state, before anything else here. */
void json_open(lua_State *L);
void json_free(void); /* what is kept between calls, at the worker's end */
/* Push the metatable that marks a table as an array, or as an object whatever its keys. */
void json_push_array_mark(lua_State *L);
void json_push_object_mark(lua_State *L);
extern const void *json_array_mark, *json_object_mark; /* their addresses, in the state opened last */
/* What the table's mark says; -1: it has none. */
enum json_shape { JSON_ARRAY_SHAPE, JSON_OBJECT_SHAPE };
int json_mark_of(lua_State *L, int idx);
#define JSON_NULL_VALUE NULL /* json.null and cjson.null: this light userdata */
