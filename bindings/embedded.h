/* moonline's own Lua, compiled into the binary from scripts/ by build-aux/embed.c. The module name is the path
 * without .lua, / as ., a trailing .init dropped: scripts/line/init.lua is "line". */
#pragma once
#include <stddef.h>

struct embedded {
    const char *module; /* "line.router" */
    const char *file;   /* "line/router.lua": chunk name is "@moonline/" + this */
    const char *bytes;
    size_t n;
};
extern const struct embedded embedded_scripts[];
extern const size_t embedded_scripts_n;
extern const struct embedded embedded_files[]; /* what is not Lua: pages and pictures. module is NULL */
extern const size_t embedded_files_n;
