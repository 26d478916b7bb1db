/* Commands that are written in Lua: `moonline call`, `token`, `richmenu`. */
#pragma once
#include "base/options.h"

/* Run scripts/command/<command>.lua in a worker process, with LINE's credentials from the environment or from a .env
 * (beside the bot, or in the current folder). bot: path of a bot that is loaded first, a Lua file or a folder with
 * bot.lua; NULL: none. Prints what the command prints and returns its exit status.
 *
 * The file returns function(args, out) → exit status (integer; nothing: 0). It runs as a task, so it may wait. args: list
 * of strings. out:
 *
 *   out.print(text)   one line on standard output          out.json      --json was given
 *   out.write(bytes)  the same without a line's end        out.terminal  standard output is a terminal
 *   out.fail(text)    one line on standard error           out.env       name → value of every LINE_… variable
 *   out.read(path)    bytes of a file, or nil and why not; a relative path begins at the bot's folder
 *
 * An error it raises is printed, without its traceback, and the status is 1. */
int lua_command(const struct options *o, const char *command, const char *bot, const char *const *args, int n);
