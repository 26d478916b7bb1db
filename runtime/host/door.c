#include "host/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define PORTS_TRIED 50

/* "127.0.0.1:8080" and 1: "127.0.0.1:8081". NULL when there is no port to count up. The caller frees. */
static char *with_port(const char *address, int more)
{
    const char *colon = strrchr(address, ':');
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;
    if (port <= 0 || port + more > 65535) return NULL;
    return mem_printf("%.*s:%ld", (int)(colon - address), address, port + more);
}

int door_open(const struct door *d, uv_loop_t *loop, const struct http_server_options *how, const struct http_callbacks *cb,
              void *user, struct http_server **ret, char *error, size_t n)
{
    char why[400] = "";
    int r = 0;
    for (int more = 0; more < PORTS_TRIED; more++) {
        struct http_server_options o = *how;
        auto_free char *next = more ? with_port(how->listen, more) : NULL;
        if (more && !next) break;
        if (next) o.listen = next;
        r = http_server_start(loop, &o, cb, user, ret, why, sizeof why);
        if (r == 0 && next) printf("moonline: %s is taken, so %s\n", how->listen, http_server_address(*ret));
        if (r != ERR_BUSY || !d->next_ports) break;
    }
    if (r && *why == '-') snprintf(error, n, "%s", why);
    else if (r) snprintf(error, n, "%s: %s", d->option, why);
    return r;
}
