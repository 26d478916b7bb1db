#include "bindings/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bindings/task_private.h"

#define WRITER_PATIENCE_MS 500 /* below the default of --hang-timeout */

struct source {
    struct source *next;
    char *path, *bytes; /* bytes NULL: a path that was looked for and not there, or a file no longer kept */
    size_t n;
    bool snapshot, absent;
};

/* A list: some dozens of files, looked through while loading. */
static struct source *sources;
static char *folder;

static struct source *find(const char *path, size_t n)
{
    struct source *s = sources;
    while (s && (strlen(s->path) != n || memcmp(s->path, path, n) != 0)) s = s->next;
    return s;
}

static struct source *add(const char *path, size_t n)
{
    struct source *s = find(path, n);
    if (s) return s;
    s = mem_zalloc(sizeof *s);
    s->path = mem_strndup(path, n);
    s->next = sources;
    sources = s;
    return s;
}

static void set_bytes(struct source *s, const char *bytes, size_t n)
{
    free(s->bytes);
    s->bytes = mem_strndup(bytes, n);
    s->n = n;
    s->absent = false;
}

void source_add(struct str path, struct str bytes)
{
    struct source *s = add(path.p, path.n);
    set_bytes(s, bytes.p, bytes.n);
    s->snapshot = true;
}

static void tell_absent(const char *path)
{
    struct source *s = add(path, strlen(path));
    if (s->absent) return;
    s->absent = true;
    if (worker_wire()) wire_send_strings(worker_wire(), WIRE_PROBED, str_of(path), (struct str){0, 0});
}

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_reserve(out, 65536);
        if (!room) return ERR_TOOBIG;
        ssize_t n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ERR_IO;
        if (n == 0) return out->len > LIMIT_SCRIPT_FILE ? ERR_TOOBIG : 0;
        buf_added(out, (size_t)n);
    }
}

/* An editor that writes in place empties the file first, and an empty file is valid Lua without handlers, which would
 * swallow events. So wait until nobody has it open for writing: a read lease is granted only then, and holds off the
 * next writer until fd is closed. Where leases are not to be had (somebody else's file, a network file system) a file
 * that is empty and fresh counts as one under way. No longer than WRITER_PATIENCE: some keep what they wrote open. */
static void wait_for_writer(int fd)
{
    const struct timespec pause = {0, 1000000};
    struct timespec now;
    struct stat st;
    signal(SIGIO, SIG_IGN); /* tells of the next writer; by default it would end the process */
    for (int ms = 0; ms < WRITER_PATIENCE_MS; ms++) {
        if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return;
        if (errno != EAGAIN) {
            clock_gettime(CLOCK_REALTIME, &now);
            if (fstat(fd, &st) || st.st_size || now.tv_sec - st.st_mtim.tv_sec > 1) return;
        }
        nanosleep(&pause, NULL);
    }
}

static int read_file(const char *path, struct buf *out)
{
    struct stat st;
    /* Not blocking: a name may be a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
    int result = ERR_IO;
    if (fstat(fd, &st) == 0) result = S_ISDIR(st.st_mode) ? ERR_NOTFOUND : S_ISREG(st.st_mode) ? 0 : ERR_IO;
    if (!result) {
        wait_for_writer(fd);
        result = read_all(fd, out);
    }
    close(fd);
    return result;
}

int source_get(const char *path, struct str *ret)
{
    struct source *s = find(path, strlen(path));
    if (!s || !s->bytes) {
        struct buf bytes = BUF(LIMIT_SCRIPT_FILE + 65536 * 2);
        int result = read_file(path, &bytes);
        if (result) {
            buf_free(&bytes);
            if (result == ERR_NOTFOUND) tell_absent(path);
            return result;
        }
        s = add(path, strlen(path));
        set_bytes(s, bytes.data ? bytes.data : "", bytes.len);
        buf_free(&bytes);
        if (worker_wire())
            wire_send_strings(worker_wire(), WIRE_LOADED, str_of(path), (struct str){s->bytes, s->n});
    }
    *ret = (struct str){s->bytes, s->n};
    return 0;
}

bool source_exists(const char *path)
{
    if (access(path, R_OK) == 0) return true;
    tell_absent(path);
    return false;
}

void sources_set_root(const char *path)
{
    const char *slash = strrchr(path, '/');
    free(folder);
    folder = slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
}

const char *sources_folder(void) { return folder ? folder : "."; }

const char *source_name(const char *path, char *ret, size_t n)
{
    size_t root = strlen(sources_folder());
    const char *name = path;
    if (strncmp(path, sources_folder(), root) == 0 && path[root] == '/') name = path + root + 1;
    /* A folder of the bot's own that is called like our chunks must not be taken for one. */
    snprintf(ret, n, "%s%s", strncmp(name, "moonline/", 9) == 0 ? "./" : "", name);
    return ret;
}

void sources_each(void (*each)(void *user, const char *name, struct str bytes), void *user)
{
    const char *ours = worker_get()->options.scripts_dir;
    for (const struct source *s = sources; s; s = s->next) {
        char name[4096];
        if (!s->bytes || (ours && *ours && strncmp(s->path, ours, strlen(ours)) == 0)) continue;
        each(user, source_name(s->path, name, sizeof name), (struct str){s->bytes, s->n});
    }
}

void sources_loaded(void)
{
    for (struct source *s = sources; s; s = s->next) {
        if (s->snapshot) continue;
        free(s->bytes);
        s->bytes = NULL;
    }
}

void sources_free(void)
{
    struct source *s;
    while ((s = sources)) {
        sources = s->next;
        free(s->path);
        free(s->bytes);
        free(s);
    }
    free(folder);
    folder = NULL;
}

/* ---- excerpts ---- */

/* The file an error text begins with, and its line. Lua shortens long names from the left ("...menu.lua:3:"). */
static const struct source *named(const char *error, int *ret_line)
{
    const char *colon = strchr(error, ':');
    while (colon && (colon[1] < '0' || colon[1] > '9')) colon = strchr(colon + 1, ':');
    if (!colon) return NULL;
    *ret_line = (int)strtol(colon + 1, NULL, 10);
    bool shortened = strncmp(error, "...", 3) == 0;
    if (shortened) error += 3;
    size_t n = (size_t)(colon - error);
    for (const struct source *s = sources; s; s = s->next) {
        char name[4096];
        size_t have = strlen(source_name(s->path, name, sizeof name));
        if (!s->bytes || have < n || (have > n && !shortened)) continue;
        if (memcmp(name + have - n, error, n) == 0) return s;
    }
    return NULL;
}

void source_excerpt(const char *error, struct buf *out)
{
    int line = 0, at = 1;
    const struct source *s = named(error, &line);
    if (!s) return;
    const char *p = s->bytes, *end = p + s->n;
    for (; p < end && at <= line + 2; at++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol) eol = end;
        int n = eol - p > 200 ? 200 : (int)(eol - p);
        if (n && p[n - 1] == '\r') n--;
        if (at >= line - 2) buf_printf(out, "\n%c %4d | %.*s", at == line ? '>' : ' ', at, n, p);
        p = eol + 1;
    }
}
