/* See check.h. */
#include "bindings/check.h"

LJMP void message_check(lua_State *L, const char *kind, int idx, const char *path, const char *what)
{
    message_check_at(L, kind, idx, path, what, NULL);
}

LJMP void message_check_at(lua_State *L, const char *kind, int idx, const char *path, const char *what,
                           const char *where)
{
    (void)L, (void)kind, (void)idx, (void)path, (void)what, (void)where;
}
