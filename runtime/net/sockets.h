/* Descriptors a library wants watched, registered with the loop once and kept registered over pauses: asking the kernel
 * to watch and to forget a socket for each use of a kept connection would be two system calls a use. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct sock;

struct sockets {
    uv_loop_t *loop;
    struct sock **by_fd;
    size_t room;
    unsigned open; /* handles of the loop that are not yet gone */
    void (*ready)(void *user, int fd, bool readable, bool writable, bool failed);
    void (*gone)(void *user); /* a handle is gone: open was counted down */
    void *user;
};

/* Report these events (UV_READABLE, UV_WRITABLE) from now on; 0: the library does not look at it now. A connected TCP
 * socket then pauses: it stays registered, the loop does not wait for it, and bytes that come nevertheless are reported
 * once wanted. Anything else is forgotten: it may be closed without a word. */
void sockets_want(struct sockets *all, int fd, int events);
/* fd was just opened. If it is known it was closed without a word, and what is wanted is wanted of the new one. */
void sockets_opened(struct sockets *all, int fd);
void sockets_close(struct sockets *all, int fd); /* before fd is closed; nothing when it is not known */
void sockets_free(struct sockets *all);          /* closes what is left; by_fd is gone, handles go with gone() */
