/* Watching directories for finished writes (inotify: a write that was closed, a rename into place, a removal), so that
 * a file is never read half-written. libuv's own watcher cannot tell a finished write from one in progress. */
#pragma once
#include <uv.h>

struct file_watch;

/* changed(user, path): a file below a watched directory was written and closed, moved in, moved out or removed; a
 * directory appeared. path NULL: events were lost, look at everything again. */
struct file_watch *file_watch_new(uv_loop_t *loop, void (*changed)(void *user, const char *path), void *user);
/* Watch a directory (not below it). Adding one twice is nothing. 0, ERR_NOTFOUND, ERR_FULL (LIMIT_WATCHED_DIRS or the
 * system's limit), ERR_IO. */
int file_watch_add(struct file_watch *w, const char *dir);
size_t file_watch_count(const struct file_watch *w); /* folders watched */
void file_watch_close(struct file_watch *w); /* frees w once its handle is closed */
