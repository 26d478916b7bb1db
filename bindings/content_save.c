/* content:save and response:save: a download goes to PATH.part as it comes and gets its name at the end, so that PATH is always whole. A
 * lock on the part tells one that is being written from one that a crash left behind, which is used again. Nothing is
 * synced: what was downloaded can be downloaded again. */
#include "bindings/files.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "bindings/operation.h"
#include "bindings/source.h"

#define FILE_META "line.file"
#define PIECE (64u << 10) /* bytes of one write; more would hold the loop on a slow disk */

struct save {
    int fd;               /* of the part; -1: none */
    bool overwrite;
    int64_t n;            /* bytes written */
    char *shown, *path, *part; /* shown: as the script wrote it */
    char what[24];        /* "content:save", for messages */
};

LJMP const char *file_path(lua_State *L, int idx, const char *what)
{
    size_t n;
    const char *p = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &n) : NULL, *folder = sources_folder();
    if (!p || n == 0) return call_misuse(L, "%s: takes a path, not %s", what, p ? "an empty string" : luaL_typename(L, idx)), NULL;
    if (strlen(p) != n) return call_misuse(L, "%s: the path holds a zero byte", what), NULL;
    for (const char *s = p; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL)
        if (strcmp(s, "..") == 0 || strncmp(s, "../", 3) == 0)
            return call_misuse(L, "%s: %s: a path may not climb with \"..\"; write the folder out", what, p), NULL;
    if (*p == '/' || !folder || !*folder) return lua_pushvalue(L, idx), p;
    return lua_pushfstring(L, "%s/%s", folder, p);
}

/* ---- the file ---- */

static struct save *check_save(lua_State *L, int idx) { return luaL_checkudata(L, idx, FILE_META); }

/* Remove what was begun. Also __close and __gc; safe twice. */
static int save_discard(lua_State *L)
{
    struct save *s = check_save(L, 1);
    if (s->fd >= 0) {
        unlink(s->part); /* while the lock is held: it is ours */
        close(s->fd);
    }
    free(s->shown), free(s->path), free(s->part);
    *s = (struct save){.fd = -1};
    return 0;
}

static int save_fails(lua_State *L, const struct save *s, int error)
{
    const char *why = error == ENOENT ? "the folder does not exist; only folders in the bot's own are made"
                      : error == EEXIST  ? "it exists already; pass {overwrite = true} to replace it"
                      : error == EWOULDBLOCK ? "somebody else is saving to it right now"
                                             : strerror(error);
    if (s->n == 0) return call_misuse(L, "%s: %s: %s", s->what, s->shown, why);
    return call_misuse(L, "%s: %s: %s (after %lld bytes, which are removed)", s->what, s->shown, why, (long long)s->n);
}

/* Open and lock the part. One that somebody gave its name, or removed, between the two is tried again. 0 or errno. */
static int open_part(struct save *s)
{
    struct stat mine, named;
    for (int i = 0; i < 8; i++) {
        int fd = open(s->part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (fd < 0) return errno;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &mine) != 0) {
            int error = errno;
            close(fd);
            return error;
        }
        if (stat(s->part, &named) == 0 && named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) {
            s->fd = fd;
            return S_ISREG(mine.st_mode) ? (ftruncate(fd, 0) == 0 ? 0 : errno) : EISDIR;
        }
        close(fd);
    }
    return EWOULDBLOCK;
}

/* Make the folders that a path within the bot's folder names: a bot has no other means. An absolute path is somebody
 * else's place, where a folder that is missing is rather a slip of the pen. */
static void make_folders(struct save *s)
{
    for (char *p = s->path + strlen(s->path) - strlen(s->shown); (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(s->path, 0777); /* what fails here shows when the file is opened */
        *p = '/';
    }
}

static int save_open(lua_State *L)
{
    struct stat st;
    lua_settop(L, 3);
    const char *what = luaL_checkstring(L, 3), *path = file_path(L, 1, what);
    struct save *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct save){.fd = -1};
    luaL_setmetatable(L, FILE_META);
    s->overwrite = lua_toboolean(L, 2);
    snprintf(s->what, sizeof s->what, "%s", what);
    s->shown = mem_strdup(lua_tostring(L, 1));
    s->path = mem_strdup(path);
    s->part = mem_printf("%s.part", path);
    bool there = lstat(s->path, &st) == 0;
    int error = there && S_ISDIR(st.st_mode) ? EISDIR : there && !s->overwrite ? EEXIST : open_part(s);
    if (error == ENOENT && *s->shown != '/') make_folders(s), error = open_part(s);
    if (error) return save_fails(L, s, error);
    return 1;
}

/* Write n bytes from p. 0 or errno. */
static int write_all(struct save *s, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(s->fd, p, n < PIECE ? n : PIECE);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return w < 0 ? errno : EIO;
        p += w, n -= (size_t)w, s->n += w;
    }
    return 0;
}

/* Stack: content file what nil. */
static int pour_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct exchange *x = exchange_at(L, 1);
    struct save *s = check_save(L, 2);
    struct str have = stream_waiting(x);
    if (have.n) {
        int error = write_all(s, have.p, have.n);
        if (error) return save_fails(L, s, error);
        stream_take(x, have.n);
        lua_pushboolean(L, 1);
        return 1;
    }
    if (stream_over(L, x, 3, 4)) return 0;
    return stream_wait(L, x, PIECE, pour_more, ctx);
}

static int save_pour(lua_State *L)
{
    const char *shown = stream_check(L, 1)->kind->shown;
    check_save(L, 2);
    lua_settop(L, 2);
    lua_pushfstring(L, "%s:save", shown);
    lua_pushnil(L);
    return pour_more(L, LUA_OK, 0);
}

/* Give the part its name without taking it from a file that came meanwhile. 0 or errno. */
static int name_part(const struct save *s)
{
    if (s->overwrite) return rename(s->part, s->path) == 0 ? 0 : errno;
    if (renameat2(AT_FDCWD, s->part, AT_FDCWD, s->path, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    if (link(s->part, s->path) != 0) return errno; /* a file system without the former */
    unlink(s->part);
    return 0;
}

static int save_commit(lua_State *L)
{
    struct save *s = check_save(L, 1);
    int error = name_part(s), fd = s->fd;
    if (error) return save_fails(L, s, error);
    s->fd = -1; /* nothing to discard any more */
    /* Some file systems tell only here that the disk is full. */
    if (close(fd) != 0 && errno != EINTR) {
        error = errno;
        unlink(s->path);
        return save_fails(L, s, error);
    }
    lua_pushinteger(L, s->n);
    return 1;
}

LJMP void content_save_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"save_open", save_open}, {"save_pour", save_pour}, {"save_commit", save_commit}, {NULL, NULL},
    };
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of this write, not the end of all events */
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, FILE_META);
    lua_pushcfunction(L, save_discard);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, save_discard);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
