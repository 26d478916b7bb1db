/* Where a server listens: reading the address, opening the socket. Names are not resolved (apart from localhost): a
 * server that waits for a name server at its start is a server that does not start. */
#include "net/listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/err.h"

#define BACKLOG 1024 /* connections waiting for accept; the kernel cuts it to net.core.somaxconn */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

static int usage(char *error, size_t n, const char *spec)
{
    snprintf(error, n, "\"%s\" is not ADDRESS:PORT, [IPV6]:PORT or unix:/PATH", spec);
    return ERR_USAGE;
}

/* Host and port of "host:port" or "[host]:port"; host may be empty. */
static int split(const char *spec, char *host, size_t room, long *ret_port)
{
    const char *colon = strrchr(spec, ':');
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return ERR_USAGE;
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (*end || port > 65535)
        return ERR_USAGE;
    size_t len = (size_t)(colon - spec);
    if (len >= 2 && spec[0] == '[' && colon[-1] == ']') {
        spec++;
        len -= 2;
    } else if (memchr(spec, ':', len)) {
        return ERR_USAGE; /* an IPv6 address without its brackets */
    }
    if (len >= room)
        return ERR_USAGE;
    memcpy(host, spec, len);
    host[len] = 0;
    *ret_port = port;
    return 0;
}

static int open_tcp(struct listener *l, const char *spec, char *error, size_t n)
{
    char host[INET6_ADDRSTRLEN + 1];
    long port;
    union address a = {.any = {0}};
    socklen_t len;
    if (split(spec, host, sizeof host, &port))
        return usage(error, n, spec);
    const char *name = !*host ? "0.0.0.0" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, name, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons((uint16_t)port);
        len = sizeof a.v4;
    } else if (inet_pton(AF_INET6, name, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons((uint16_t)port);
        len = sizeof a.v6;
    } else {
        return usage(error, n, spec);
    }
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    /* A restart must not wait for connections of the last run that linger in TIME_WAIT. */
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, &a.any, len) || listen(fd, BACKLOG) || getsockname(fd, &a.any, &len)) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        if (e == EADDRINUSE)
            snprintf(error, n, "address %s is in use; give another port", spec);
        else
            snprintf(error, n, "cannot listen on %s: %s", spec, strerror(e));
        return e == EADDRINUSE ? ERR_BUSY : ERR_IO;
    }
    bool six = a.any.sa_family == AF_INET6;
    inet_ntop(a.any.sa_family, six ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr, host, sizeof host);
    snprintf(l->address, sizeof l->address, six ? "[%s]:%d" : "%s:%d", host,
             ntohs(six ? a.v6.sin6_port : a.v4.sin_port));
    l->fd = fd;
    return 0;
}

/* A socket's file outlives its process. It is in the way of bind, yet nobody answers: take it away. */
static bool remove_stale(const union address *a)
{
    struct stat st;
    if (lstat(a->un.sun_path, &st) || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, &a->any, sizeof a->un) && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return refused && unlink(a->un.sun_path) == 0;
}

static int open_unix(struct listener *l, const char *spec, char *error, size_t n)
{
    const char *path = spec + strlen("unix:");
    union address a = {.un = {.sun_family = AF_UNIX}};
    size_t len = strlen(path);
    if (*path != '/' || len >= sizeof a.un.sun_path)
        return usage(error, n, spec);
    memcpy(a.un.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc = -1;
    /* On Linux the file is born with the mode of the socket's own inode: no moment at which others may connect. */
    if (fd >= 0 && fchmod(fd, 0600) == 0) {
        rc = bind(fd, &a.any, sizeof a.un);
        if (rc && errno == EADDRINUSE)
            rc = remove_stale(&a) ? bind(fd, &a.any, sizeof a.un) : (errno = EADDRINUSE, -1);
        rc = rc ? rc : listen(fd, BACKLOG);
    }
    if (rc) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        if (e == EADDRINUSE)
            snprintf(error, n, "address %s is in use; give another path", spec);
        else
            snprintf(error, n, "cannot listen on %s: %s", spec, strerror(e));
        return e == EADDRINUSE ? ERR_BUSY : ERR_IO;
    }
    snprintf(l->address, sizeof l->address, "%s", spec);
    snprintf(l->unix_path, sizeof l->unix_path, "%s", path);
    l->fd = fd;
    return 0;
}

int listener_open(struct listener *l, const char *spec, char *error, size_t n)
{
    *l = (struct listener){.fd = -1};
    if (!spec || !*spec)
        return usage(error, n, spec ? spec : "");
    return strncmp(spec, "unix:", 5) == 0 ? open_unix(l, spec, error, n) : open_tcp(l, spec, error, n);
}

void listener_unlink(struct listener *l)
{
    if (*l->unix_path)
        unlink(l->unix_path);
    *l->unix_path = 0;
}
