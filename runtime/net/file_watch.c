/* Watching directories for finished writes, by inotify through a poll handle. Reported is only what leaves a file whole:
 * a write that was closed, a rename, a removal, a link. A file that is created is about to be written, so its creation
 * alone says nothing; a directory's does, since files may be in it before anybody can watch it. */
#include "net/file_watch.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#define FILE_EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE)
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF)

struct watched {
    int wd;
    char *dir;
};

struct file_watch {
    uv_poll_t poll;
    int fd;
    bool limited;     /* the system's limit of inotify instances is reached: nothing can be added */
    struct watched *dirs;
    size_t n, room;
    void (*changed)(void *user, const char *path);
    void *user;
    bool closing;     /* file_watch_close was called, perhaps by changed() */
};

static struct watched *find(struct file_watch *w, int wd)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->dirs[i].wd == wd)
            return &w->dirs[i];
    return NULL;
}

static void forget(struct file_watch *w, struct watched *d)
{
    free(d->dir);
    *d = w->dirs[--w->n];
}

/* A link is whole when it appears: no write follows. */
static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

/* One event. changed() may add directories, so nothing of w->dirs is kept over the call. */
static void report(struct file_watch *w, const struct inotify_event *e)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct watched *d = find(w, e->wd);
    if (e->mask & IN_Q_OVERFLOW) {
        w->changed(w->user, NULL);
        return;
    }
    if (!d)
        return; /* of a watch that was forgotten in this very batch */
    if (e->mask & (SELF_EVENTS | IN_UNMOUNT | IN_IGNORED)) {
        /* Gone or moved away: what the path now names is not what is watched. Forgotten, so that it can be added again
         * once it is back. */
        snprintf(path, sizeof path, "%s", d->dir);
        forget(w, d);
        if (!(e->mask & IN_IGNORED))
            inotify_rm_watch(w->fd, e->wd);
        w->changed(w->user, path);
        return;
    }
    if (e->len == 0)
        return;
    snprintf(path, sizeof path, "%s/%s", d->dir, e->name);
    if ((e->mask & IN_CREATE) && !(e->mask & IN_ISDIR) && !is_link(path))
        return;
    w->changed(w->user, path);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct file_watch *w = poll->data;
    _Alignas(struct inotify_event) char bytes[16384];
    ssize_t n;
    (void)status, (void)events;
    while (!w->closing && (n = read(w->fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < n && !w->closing;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)(bytes + at);
            report(w, e);
            at += (ssize_t)(sizeof *e + e->len);
        }
    }
}

struct file_watch *file_watch_new(uv_loop_t *loop, void (*changed)(void *user, const char *path), void *user)
{
    struct file_watch *w = mem_zalloc(sizeof *w);
    w->changed = changed;
    w->user = user;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->limited = w->fd < 0;
    if (w->limited)
        w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); /* never readable; something to hang the handle on */
    uv_poll_init(loop, &w->poll, w->fd);
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return w;
}

int file_watch_add(struct file_watch *w, const char *dir)
{
    if (w->limited)
        return ERR_FULL;
    int wd = inotify_add_watch(w->fd, dir, FILE_EVENTS | SELF_EVENTS | IN_ONLYDIR);
    if (wd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : errno == ENOSPC ? ERR_FULL : ERR_IO;
    if (find(w, wd))
        return 0; /* the same directory, perhaps by another name: events come under the first */
    if (w->n == LIMIT_WATCHED_DIRS) {
        inotify_rm_watch(w->fd, wd);
        return ERR_FULL;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 16;
        w->dirs = mem_realloc(w->dirs, w->room * sizeof *w->dirs);
    }
    w->dirs[w->n++] = (struct watched){wd, mem_strdup(dir)};
    return 0;
}

size_t file_watch_count(const struct file_watch *w)
{
    return w->n;
}

static void on_closed(uv_handle_t *handle)
{
    struct file_watch *w = handle->data;
    for (size_t i = 0; i < w->n; i++)
        free(w->dirs[i].dir);
    free(w->dirs);
    free(w);
}

void file_watch_close(struct file_watch *w)
{
    if (w->closing)
        return;
    w->closing = true;
    uv_close((uv_handle_t *)&w->poll, on_closed);
    close(w->fd);
}
