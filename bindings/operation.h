/* line.<operation>: arguments checked against the row, path, query and body built, the call run. */
#pragma once
#include "bindings/call.h"

/* Push a table name → function for every row: f(fields or the natural value [, options]). With inner true the functions
 * take two more arguments: what the script called ("line.push", for messages) and where ("bot.lua:12", or nil). */
LJMP void operation_push_all(lua_State *L, bool inner);
/* Set `rows` and `paged` in the table on top of the stack: see operation_rows.c. */
LJMP void operation_rows_push(lua_State *L);
/* Push line.request. */
LJMP void request_push(lua_State *L);

/* Where an API function keeps its parts on its stack across the wait. */
enum { ARG_FIELDS = 1, ARG_OPTIONS, ARG_WHAT, ARG_WHERE, ARG_BOX };

/* Read {timeout=, retry_key=} at ARG_OPTIONS into c; raises on anything else. takes_key: the row sends retry keys. */
LJMP void operation_options(lua_State *L, struct api_call *c, bool takes_key);
/* Raise "unknown <kind> 'x' (did you mean 'y'?)". names may hold NULLs. */
LJMP int operation_unknown(lua_State *L, const char *kind, const char *got, const char *const *names, size_t n);

/* content.c: the object for media. opens the metatable; pushes the box of a call that is set up as a stream. */
LJMP void content_open(lua_State *L);
LJMP struct api_call *content_box(lua_State *L);
/* For a stream's readers, whose stack is: content, one value, "content:read", nil. The call of the object at idx; its
 * bytes that wait; that n of them were used; whether none will follow (raises when they should); until wanted are there. */
LJMP struct api_call *content_check(lua_State *L, int idx);
struct str content_waiting(const struct api_call *c);
void content_take(struct api_call *c, size_t n);
LJMP bool content_over(lua_State *L, struct api_call *c, int what, int where);
LJMP int content_wait(lua_State *L, struct api_call *c, size_t wanted, lua_KFunction k, lua_KContext ctx);
/* Continuation of a started stream: returns the object once bytes come, raises when LINE refuses. */
LJMP int content_opened(lua_State *L, int status, lua_KContext ctx);
