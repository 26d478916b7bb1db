#include "bindings/trace.h"

#include <stdio.h>
#include <string.h>

#include "bindings/lua_api.h"
#include "bindings/task.h"

#define FRAMES 24  /* frames of a traceback, the outermost ones left out: enough to see what recurses */
#define LEVELS 400 /* frames looked at, so that a deep recursion costs little */

bool chunk_is_ours(const char *source)
{
    return strncmp(source, "@moonline/", 10) == 0;
}

const char *trace_source(const lua_Debug *ar)
{
    return ar->source[0] == '@' ? ar->source + 1 : ar->short_src;
}

static bool is_users(const lua_Debug *ar)
{
    return ar->what[0] != 'C' && !chunk_is_ours(ar->source);
}

void trace_where(lua_State *L, char *ret, size_t n)
{
    lua_Debug ar;
    for (int level = 0; level < LEVELS && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (!is_users(&ar)) continue;
        snprintf(ret, n, "%s:%d", trace_source(&ar), ar.currentline);
        return;
    }
    snprintf(ret, n, "?");
}

/* A frame's name is what its caller calls it: of use only if the script wrote that. */
static bool called_by_user(lua_State *L, int level)
{
    lua_Debug ar;
    if (!lua_getstack(L, level + 1, &ar)) return false;
    lua_getinfo(L, "S", &ar);
    return is_users(&ar);
}

void trace_back(lua_State *L, struct buf *out)
{
    lua_Debug ar;
    int shown = 0;
    for (int level = 0; level < LEVELS && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        if (!is_users(&ar)) continue;
        if (shown++ == FRAMES) {
            buf_puts(out, "\n  …");
            return;
        }
        buf_printf(out, "\n  %s:%d: in ", trace_source(&ar), ar.currentline);
        if (ar.what[0] == 'm') buf_puts(out, "the file itself");
        else if (ar.name && ar.namewhat[0] && called_by_user(L, level)) buf_printf(out, "%s '%s'", ar.namewhat, ar.name);
        else buf_printf(out, "the function of line %d", ar.linedefined);
    }
}

LJMP void task_push_where(lua_State *L)
{
    char where[512];
    trace_where(L, where, sizeof where);
    lua_pushstring(L, where);
}
