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

/* Have fd known from its birth on: it stays registered until sockets_close. 0, or ERR_IO when it cannot be watched. */
int sockets_adopt(struct sockets *all, int fd);
/* Report these events (UV_READABLE, UV_WRITABLE) from now on; 0: a pause. A descriptor that was not adopted is forgotten
 * with its pause. In a pause the loop does not wait for it, and bytes that come nevertheless are reported once wanted. */
void sockets_want(struct sockets *all, int fd, int events);
void sockets_close(struct sockets *all, int fd); /* before fd is closed; nothing when it is not known */
void sockets_free(struct sockets *all);          /* closes what is left; by_fd is gone, handles go with gone() */
