/* Where a server listens: reading the address, opening the socket. */
#pragma once
#include <stddef.h>

struct listener {
    int fd;               /* non-blocking, listening; -1 when closed */
    char address[160];    /* as it can be given again, with the port that was taken */
    char unix_path[108];  /* "" for TCP; else to be unlinked in the end */
};

/* "127.0.0.1:3000", "[::1]:0", ":3000" (every IPv4 address), "localhost:3000" or "unix:/path". 0, ERR_USAGE (not
 * understood), ERR_BUSY (somebody listens there), ERR_IO; then error holds one line. */
int listener_open(struct listener *l, const char *spec, char *error, size_t n);
/* Remove the socket's file, if it has one. The descriptor is not closed: its owner may have passed it on. */
void listener_unlink(struct listener *l);
