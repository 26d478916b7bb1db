#include <stdio.h>
#include <string.h>

#include "cli/command.h"

int command_help(const struct options *o, const char *const *args, int n)
{
    (void)o;
    if (!n) {
        printf("moonline: write a LINE bot in Lua, save, it is live\n\n");
        for (size_t i = 0; i < commands_n; i++) printf("  moonline %-8s %s\n", commands[i].name, commands[i].about);
        printf("\n`moonline help COMMAND` tells everything about one.\n");
        return EXIT_DONE;
    }
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->name, args[0]) != 0) continue;
        printf("moonline %s%s%s\n\n%s\n", c->name, *c->args ? " " : "", c->args, c->about);
        if (*c->more) printf("\n%s\n\n", c->more);
        options_help(c->name, stdout);
        return EXIT_DONE;
    }
    return command_usage("help", "%s is not a command; `moonline help` lists them", args[0]);
}
