/* Descriptors a library wants watched. In a pause a socket is expected to stay silent; if it does not (mostly: the other
 * side closed it) it is taken out of the loop until it is wanted again, or its readiness would spin the loop. */
#include "net/sockets.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"

struct sock {
    uv_poll_t poll;
    struct sockets *all;
    int fd;
    int wanted;   /* events the library waits for; 0: a pause */
    int armed;    /* events the loop watches for */
    bool kept;    /* known to be a connected TCP socket: whoever closes it says so */
};

static void on_event(uv_poll_t *poll, int status, int events);

static void arm(struct sock *s, int events)
{
    if (s->armed == events)
        return;
    s->armed = events;
    if (events)
        uv_poll_start(&s->poll, events, on_event);
    else
        uv_poll_stop(&s->poll);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct sock *s = poll->data;
    if (s->wanted == 0)
        arm(s, 0);
    else
        s->all->ready(s->all->user, s->fd, events & UV_READABLE, events & UV_WRITABLE, status < 0);
}

static struct sock *find(const struct sockets *all, int fd)
{
    return fd >= 0 && (size_t)fd < all->room ? all->by_fd[fd] : NULL;
}

static struct sock *add(struct sockets *all, int fd)
{
    if ((size_t)fd >= all->room) {
        size_t room = (size_t)fd * 2 + 16;
        all->by_fd = mem_realloc(all->by_fd, room * sizeof *all->by_fd);
        memset(all->by_fd + all->room, 0, (room - all->room) * sizeof *all->by_fd);
        all->room = room;
    }
    struct sock *s = mem_zalloc(sizeof *s);
    s->all = all;
    s->fd = fd;
    if (uv_poll_init(all->loop, &s->poll, fd)) {
        free(s);
        return NULL;
    }
    s->poll.data = s;
    all->open++;
    return all->by_fd[fd] = s;
}

/* libcurl closes sockets whose connection never came about without telling, and only then stops wanting them. */
static bool is_connected(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    return getpeername(fd, (struct sockaddr *)&a, &n) == 0 && (a.ss_family == AF_INET || a.ss_family == AF_INET6);
}

void sockets_want(struct sockets *all, int fd, int events)
{
    struct sock *s = find(all, fd);
    if (!s && (!events || !(s = add(all, fd))))
        return;
    s->wanted = events;
    if (events) {
        uv_ref((uv_handle_t *)&s->poll);
        arm(s, events);
    } else if (s->kept || (s->kept = is_connected(fd))) {
        uv_unref((uv_handle_t *)&s->poll);
        if (s->armed & UV_WRITABLE)
            arm(s, UV_READABLE); /* a quiet socket is always writable */
    } else {
        sockets_close(all, fd);
    }
}

void sockets_opened(struct sockets *all, int fd)
{
    struct sock *s = find(all, fd);
    if (!s)
        return;
    int events = s->wanted;
    sockets_close(all, fd);
    sockets_want(all, fd, events);
}

static void on_closed(uv_handle_t *handle)
{
    struct sock *s = handle->data;
    struct sockets *all = s->all;
    free(s);
    all->open--;
    all->gone(all->user);
}

void sockets_close(struct sockets *all, int fd)
{
    struct sock *s = find(all, fd);
    if (!s)
        return;
    all->by_fd[fd] = NULL;
    uv_close((uv_handle_t *)&s->poll, on_closed); /* takes it out of the loop's epoll at once */
}

void sockets_free(struct sockets *all)
{
    for (size_t fd = 0; fd < all->room; fd++)
        sockets_close(all, (int)fd);
    free(all->by_fd);
    all->by_fd = NULL;
    all->room = 0;
}
