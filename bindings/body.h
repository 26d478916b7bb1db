/* The bodies of operations that are not JSON: forms, forms with a file, bytes as they are. */
#pragma once
#include "bindings/call.h"

/* Build the body of a row from the fields at ARG_FIELDS (checked before) into c, with its Content-Type. A file is a
 * string of bytes, {file = "path"} or {data = bytes}, the last two with type and name if wanted; its type is looked up in
 * its bytes, its size held against the row's ceiling. What c borrows of Lua is left on top of the stack, and has to stay
 * there until the call is over. Raises at the script's line. */
LJMP void body_build(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n);
/* The headers that come from fields, and Authorization: Basic for rows that want it. */
LJMP void body_headers(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n);
/* Append the header line of these credentials and its NUL. 0 or ERR_TOOBIG. */
int body_put_basic(struct buf *out, struct str id, struct str secret);
