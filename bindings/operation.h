/* line.<operation>: arguments checked against the row, path, query and body built, the call run. */
#pragma once
#include "bindings/call.h"

/* Push a table name → function for every row: f(fields or the natural value [, options]). With inner true the functions
 * take two more arguments: what the script called ("line.push", for messages) and where ("bot.lua:12", or nil). */
LJMP void operation_push_all(lua_State *L, bool inner);
/* Set `rows` and `paged` in the table on top of the stack: see operation_rows.c. */
LJMP void operation_rows_push(lua_State *L);
/* Set `schema` in the table on top of the stack: see schema_rows.c. */
LJMP void schema_rows_push(lua_State *L);
/* Push line.request. */
LJMP void request_push(lua_State *L);

/* Where an API function keeps its parts on its stack across the wait. */
enum { ARG_FIELDS = 1, ARG_OPTIONS, ARG_WHAT, ARG_WHERE, ARG_BOX };

/* Read {timeout=, retry_key=} at ARG_OPTIONS into c; raises on anything else. takes_key: the row sends retry keys. */
LJMP void operation_options(lua_State *L, struct api_call *c, bool takes_key);
/* Raise "unknown <kind> 'x' (did you mean 'y'?)". names may hold NULLs. */
LJMP int operation_unknown(lua_State *L, const char *kind, const char *got, const char *const *names, size_t n);

/* content.c: push the object for media, the box of a call that is set up as a stream. */
LJMP struct api_call *content_box(lua_State *L);
/* Continuation of a started stream: returns the object once bytes come, raises when LINE refuses. */
LJMP int content_opened(lua_State *L, int status, lua_KContext ctx);
