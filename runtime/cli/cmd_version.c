#include <stdio.h>

#include "cli/command.h"
#include "cli/version.h"

int command_version(const struct options *o, const char *const *args, int n)
{
    (void)o, (void)args, (void)n;
    printf("moonline %s\n", MOONLINE_VERSION);
    return EXIT_DONE;
}
