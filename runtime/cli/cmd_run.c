#include "cli/command.h"
#include "host/host.h"

int command_run(const struct options *o, const char *const *args, int n) { return host_run(o, args, (size_t)n); }
