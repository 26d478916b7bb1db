#include "cli/command.h"
#include "host/host.h"

int command_run(const struct options *o, const char *const *args, int n)
{
    struct options run = *o; /* shares its strings */
    if (!*run.listen) run.listen = (char *)(uintptr_t)"0.0.0.0:3000";
    return host_run(&run, args, (size_t)n);
}
