/* `moonline richmenu`: what a bot declares with line.richmenu, brought to LINE. The work is done by
 * scripts/command/richmenu.lua. */
#include <string.h>

#include "cli/command.h"
#include "cli/lua_command.h"

int command_richmenu(const struct options *o, const char *const *args, int n)
{
    (void)n;
    if (strcmp(args[0], "plan") != 0 && strcmp(args[0], "apply") != 0)
        return command_usage("richmenu", "%s is neither plan nor apply; usage: moonline richmenu plan|apply PATH", args[0]);
    return lua_command(o, "richmenu", args[1], args, 1);
}
