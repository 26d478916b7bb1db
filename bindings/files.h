/* Files that a script names: what it uploads, and where it saves what it downloads. */
#pragma once
#include "bindings/task.h"

/* The path that the string at idx means, pushed: a relative one counts from the bot's folder (in a command without a bot,
 * from the current one). Raises at the script's line for what is no string, is empty, holds a NUL, or climbs with "..":
 * names that users send along with their files must not lead anywhere else. what: "content:save". Returns the text. */
LJMP const char *file_path(lua_State *L, int idx, const char *what);

/* lua_CFunction (path [, from [, n]]) → bytes, or nil and why not; from: bytes to leave out in front, n: at most so many,
 * "" behind the end. A relative path counts from the bot's folder, 64 MiB at once are the most. */
int file_read(lua_State *L);

/* A file that appears under its name only once it is whole; functions of the module "line.core":
 *   save_open(path, overwrite, what) → file, with <close>   raises when path exists and is not to be replaced
 *   save_pour(stream, file) → true, or nil at the end  writes what has come; waits when nothing has
 *   save_commit(file) → bytes                           gives the file its name */
LJMP void content_save_open(lua_State *L); /* adds them to the table on top of the stack */
