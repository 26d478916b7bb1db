/* Files that commands and applications of moonline's own read, whole or in pieces. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/files.h"
#include "bindings/lua_api.h"
#include "bindings/source.h"

#define READ_MOST (64 << 20)

/* At most n bytes of the file from there on into p; the number read, or -1. */
static ssize_t read_file(const char *path, off_t from, char *p, size_t n)
{
    size_t have = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -1;
    while (have < n) {
        ssize_t r = pread(fd, p + have, n - have, from + (off_t)have);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) have = n + 1;
        if (r <= 0) break;
        have += (size_t)r;
    }
    close(fd);
    return have > n ? -1 : (ssize_t)have;
}

int file_read(lua_State *L)
{
    struct stat st;
    const char *path = luaL_checkstring(L, 1);
    lua_Integer from = luaL_optinteger(L, 2, 0), most = luaL_optinteger(L, 3, -1);
    luaL_argcheck(L, from >= 0, 2, "a place in a file is not negative");
    if (*path != '/') path = lua_pushfstring(L, "%s/%s", sources_folder(), path);
    ssize_t n = stat(path, &st);
    int64_t size = n == 0 && st.st_size > from ? st.st_size - from : 0;
    if (most >= 0 && size > most) size = most;
    if (n == 0 && size > READ_MOST) errno = EFBIG, n = -1;
    if (n == 0) { /* the room first: from opening to closing nothing may raise */
        char *room = lua_newuserdatauv(L, (size_t)size + 1, 0);
        n = read_file(path, from, room, (size_t)size);
        if (n >= 0) {
            lua_pushlstring(L, room, (size_t)n);
            return 1;
        }
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
}
