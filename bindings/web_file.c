/* Files below the bot's folder, for web.static; and those that are embedded in the binary. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/call.h"
#include "bindings/embedded.h"
#include "bindings/lua_api.h"
#include "bindings/source.h"
#include "bindings/web.h"

#define PATH_MOST 4096
#define EMBEDDED_MOST (16 << 20)

static void close_file(struct web_file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

/* core.close(file): the collector would, but may be long in coming. Also __gc; safe twice. */
int web_file_close(lua_State *L)
{
    close_file(luaL_checkudata(L, 1, WEB_FILE));
    return 0;
}

void web_file_open_meta(lua_State *L)
{
    luaL_newmetatable(L, WEB_FILE);
    lua_pushcfunction(L, web_file_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* Open path below the folder at fd (closed here), part by part, so that no link and no ".." can lead out of it, also not
 * one that is made at this moment. Names that begin with a dot are not there. -1 with errno. */
static int open_below(int at, const char *path)
{
    char part[256];
    while (at >= 0) {
        size_t n = strcspn(path, "/");
        bool last = !path[n];
        if (!n || n >= sizeof part || path[0] == '.') {
            close(at);
            errno = ENOENT;
            return -1;
        }
        memcpy(part, path, n);
        part[n] = 0;
        /* Not blocking: a name may be a pipe. */
        int fd = openat(at, part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        int error = errno;
        close(at);
        errno = error;
        if (last) return fd;
        at = fd;
        path += n + 1;
    }
    return -1;
}

/* core.open(path) → file, size, seconds, nanoseconds, number; nil, "directory"; or nil: path counts from the bot's folder. */
int web_file_open(lua_State *L)
{
    size_t n;
    struct stat st;
    const char *path = luaL_checklstring(L, 1, &n);
    struct web_file *f = lua_newuserdatauv(L, sizeof *f, 0);
    f->fd = -1;
    luaL_setmetatable(L, WEB_FILE);
    if (strlen(path) == n && n < PATH_MOST)
        f->fd = open_below(open(sources_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    if (f->fd < 0 || fstat(f->fd, &st)) {
        close_file(f);
        lua_pushnil(L);
        return 1;
    }
    if (!S_ISREG(st.st_mode)) {
        close_file(f);
        lua_pushnil(L);
        lua_pushstring(L, S_ISDIR(st.st_mode) ? "directory" : "other");
        return 2;
    }
    lua_pushinteger(L, st.st_size);
    lua_pushinteger(L, st.st_mtim.tv_sec);
    lua_pushinteger(L, st.st_mtim.tv_nsec);
    lua_pushinteger(L, (lua_Integer)st.st_ino);
    return 5;
}

/* The string on top of the stack, and what tells it from others: 64-bit FNV-1a. */
LJMP static int with_hash(lua_State *L)
{
    size_t n;
    uint64_t h = 14695981039346656037u;
    const char *p = lua_tolstring(L, -1, &n);
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
    lua_pushinteger(L, (lua_Integer)h);
    return 2;
}

LJMP static int from_disk(lua_State *L, const char *dir, const char *path)
{
    struct stat st;
    luaL_Buffer b;
    struct web_file *f = lua_newuserdatauv(L, sizeof *f, 0); /* closes it, whatever happens below */
    f->fd = -1;
    luaL_setmetatable(L, WEB_FILE);
    f->fd = open_below(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    if (f->fd < 0 || fstat(f->fd, &st) || !S_ISREG(st.st_mode) || st.st_size > EMBEDDED_MOST) return lua_pushnil(L), 1;
    char *to = luaL_buffinitsize(L, &b, (size_t)st.st_size);
    ssize_t got = read(f->fd, to, (size_t)st.st_size);
    close_file(f);
    luaL_pushresultsize(&b, got > 0 ? (size_t)got : 0);
    return with_hash(L);
}

/* core.embedded(path) → bytes, hash, or nil: a file of scripts/ that is no Lua; read from --scripts-dir while developing. */
int web_file_embedded(lua_State *L)
{
    size_t n;
    const char *path = luaL_checklstring(L, 1, &n), *dir = worker_get()->options.scripts_dir;
    if (strlen(path) != n) return lua_pushnil(L), 1;
    if (dir && *dir) return from_disk(L, dir, path);
    for (size_t i = 0; i < embedded_files_n; i++) {
        const struct embedded *e = &embedded_files[i];
        if (strcmp(e->file, path) != 0) continue;
        lua_pushlstring(L, e->bytes, e->n);
        return with_hash(L);
    }
    lua_pushnil(L);
    return 1;
}
