/* Checks messages and other bodies against LINE's documented limits before they leave (rows in runtime/line/schema.def),
 * and finds the script's line of a part that LINE itself complains about. */
#pragma once
#include <stdbool.h>
#include "bindings/json.h"
#include "bindings/lua_api.h"

/* Check the value at idx against a kind of schema.def ("message", "richmenu"), or a list of them ("message[]"). path is
 * its place in the body ("messages"), "" for the whole of it; what is the script's call ("line.push"). Raises one text
 * with every error, "bot.lua:42: messages[1].contents.footer.contents[2].margin: …"; logs it instead when line.check is
 * "warn", does nothing when it is "off" or the kind is unknown. Allocates nothing when there is nothing to say. */
LJMP void message_check(lua_State *L, const char *kind, int idx, const char *path, const char *what);
/* The same for a caller that knows the line of the script's call ("bot.lua:12"); NULL: where the script is now. */
LJMP void message_check_at(lua_State *L, const char *kind, int idx, const char *path, const char *what,
                           const char *where);

/* The same. If nothing out of the ordinary is met, *ret has the value's JSON, for json_encode_with, while nothing changes the
 * value; else its table is NULL. ret->json has no Lua owner, and this raises. */
LJMP void message_check_write(lua_State *L, const char *kind, int idx, const char *path, const char *what,
                              const char *where, struct json_written *ret);

/* Where a part was built that LINE names in details[].property. fields: index of the body's table, which has
 * "messages"; message: index from 0 of the message that a relative property belongs to, -1 when there is none.
 * Understands messages[0].text, /footer/contents/2 (from a Flex message's contents) and template/columns/5/title.
 * Pushes the path in Lua's counting ("messages[1].text") and the place ("bot.lua:42") or nil; false and nothing pushed
 * when property leads nowhere. */
LJMP bool message_where_of(lua_State *L, int fields, int message, const char *property);
/* To the details of an error object (its message and details are there) add `path` and `where` of each that is known. */
LJMP void message_explain(lua_State *L, int fields, int object);

/* line.core's half of `line.check`: check_mode([mode]) → the mode before; check(kind, value, path, what). */
int message_check_mode(lua_State *L);
int message_check_call(lua_State *L);
