/* The store's directory: made with the owner's rights only, and held by one process at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/mem.h"
#include "store/store_backend.h"

/* Parents get the usual rights, the last folder 0700: events hold what people write. One that exists keeps its rights. */
static int make_dirs(const char *dir)
{
    auto_free char *path = mem_strdup(dir);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) return -1;
        *p = '/';
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

/* The pid the holder left in the file; 0 when it cannot be read (the holder has not written it yet). */
static long holder(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0) return 0;
    text[n] = '\0';
    return strtol(text, NULL, 10);
}

int store_dir_lock(const char *dir, bool make, int *ret_fd, char *error, size_t n)
{
    struct stat st;
    if (!make && stat(dir, &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        snprintf(error, n, "there is no store in %s yet: `moonline run` makes it, --data names another place", dir);
        return ERR_NOTFOUND;
    }
    if (make && make_dirs(dir) != 0) {
        snprintf(error, n, "cannot make %s: %s; --data names another place", dir, strerror(errno));
        return ERR_IO;
    }
    auto_free char *path = mem_printf("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        snprintf(error, n, "cannot open %s: %s; --data names another place", path, strerror(errno));
        return ERR_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        long pid = holder(fd);
        int r = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
        if (r == ERR_IO)
            snprintf(error, n, "cannot lock %s: %s", path, strerror(errno));
        else if (pid > 0)
            snprintf(error, n, "the store in %s is in use by process %ld: stop it, or name another --data", dir, pid);
        else
            snprintf(error, n, "the store in %s is in use by another process: stop it, or name another --data", dir);
        close(fd);
        return r;
    }
    /* A full disk must not keep the store from opening: the pid only helps people. */
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    bool noted = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
    (void)noted;
    *ret_fd = fd;
    return 0;
}
