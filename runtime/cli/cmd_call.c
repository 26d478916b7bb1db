/* `moonline call`: one operation of LINE from the command line. The work is done by scripts/command/call.lua. */
#include "cli/command.h"
#include "cli/lua_command.h"

int command_call(const struct options *o, const char *const *args, int n) { return lua_command(o, "call", NULL, args, n); }
