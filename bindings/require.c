/* Where modules come from, in this order: ours (C, then embedded Lua), the bot's folder, lua_modules/, LUA_PATH, and
 * C modules of lua_modules/. Lua's own require cannot be suspended, and would not tell the host what it read and what it
 * looked for in vain: both are what a reload watches. */
#include "bindings/require.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "bindings/embedded.h"
#include "bindings/lua_api.h"
#include "bindings/memory.h"
#include "bindings/sandbox.h"
#include "bindings/source.h"
#include "bindings/task_private.h"

#define PATH_MOST 4096
#define LOADING "moonline.loading"

static const char ours_key, loading_key, require_key; /* registry: C modules by name, modules being loaded, the function */

/* A module whose top level runs. A to-be-closed value on the stack of its require, so that it goes away however that
 * ends. Others that need the module meanwhile, in other tasks, wait here. */
struct loading {
    struct task *by;
    struct loading *outer;  /* the one this task was loading when it came here, for the words about a circle */
    struct waiter *waiters;
    bool over;
    char name[128];
};
struct waiter {
    struct wait wait;
    struct waiter *next;
    struct loading *at;     /* NULL: woken */
};
static struct loading *innermost; /* of all that are under way, newest first by outer */

/* ---- finding ---- */
static const char *const templates[] = {"%s/?.lua", "%s/?/init.lua", "%s/lua_modules/share/lua/5.4/?.lua",
                                        "%s/lua_modules/share/lua/5.4/?/init.lua"};

/* template with each ? as the module's path; false when too long. */
static bool fill(const char *template, size_t n, const char *module, char *ret)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const char *put = template + i;
        size_t m = 1;
        if (template[i] == '?') {
            put = module;
            m = strlen(module);
        }
        if (len + m >= PATH_MOST) return false;
        memcpy(ret + len, put, m);
        len += m;
    }
    ret[len] = 0;
    return true;
}

static bool dots_to_slashes(const char *name, char *ret, size_t n)
{
    if (!*name || strlen(name) >= n) return false;
    for (; *name; name++) *ret++ = *name == '.' ? '/' : *name;
    *ret = 0;
    return true;
}

#define TRIED_MOST 4096
static void note_tried(char *tried, const char *name)
{
    size_t n = strlen(tried);
    snprintf(tried + n, TRIED_MOST - n, "\n  %s", name);
}

/* One candidate. Pushes the compiled chunk and its path and returns true, or false; raises for a file that is there and
 * cannot be had. tried collects names for the error. */
LJMP static bool try_file(lua_State *L, const char *path, char *tried)
{
    struct str bytes;
    char name[PATH_MOST];
    int result = source_get(path, &bytes);
    source_name(path, name, sizeof name);
    if (result == ERR_NOTFOUND) {
        note_tried(tried, name);
        return false;
    }
    if (result == ERR_TOOBIG)
        luaL_error(L, "%s is larger than the %d bytes a Lua file may have", name, (int)LIMIT_SCRIPT_FILE);
    if (result) luaL_error(L, "%s is there and cannot be read", name);
    require_compile(L, bytes, name);
    lua_pushstring(L, path);
    return true;
}

LJMP static bool find_file(lua_State *L, const char *module, char *tried)
{
    char template[PATH_MOST], path[PATH_MOST];
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        const char *folder = sources_folder(), *t = templates[i] + 2; /* behind the %s */
        int n = snprintf(template, sizeof template, "%s%s", folder, t);
        if ((size_t)n >= sizeof template) continue;
        /* Only the part behind the folder is a template: a folder may have a ? in its name. */
        size_t root = strlen(folder);
        memcpy(path, template, root);
        char rest[PATH_MOST];
        if (!fill(template + root, (size_t)n - root, module, rest) || root + strlen(rest) >= sizeof path) continue;
        memcpy(path + root, rest, strlen(rest) + 1);
        if (try_file(L, path, tried)) return true;
    }
    const char *list = getenv("LUA_PATH_5_4");
    if (!list) list = getenv("LUA_PATH");
    while (list && *list) {
        size_t n = strcspn(list, ";");
        if (n && fill(list, n, module, path)) {
            char absolute[PATH_MOST * 2];
            /* Relative entries mean the bot's folder: the worker's own directory is nobody's business. */
            const char *rest = path[0] == '.' && path[1] == '/' ? path + 2 : path;
            snprintf(absolute, sizeof absolute, "%s/%s", sources_folder(), rest);
            if (try_file(L, path[0] == '/' ? path : absolute, tried)) return true;
        }
        list += n + (list[n] == ';');
    }
    return false;
}

/* lua_modules/lib/lua/5.4/name.so and its luaopen_name: "a.b" is a/b.so and luaopen_a_b; what stands before a hyphen is
 * a version and not part of the function's name. The library stays open: its code may be referred to from anywhere. */
LJMP static bool find_c_module(lua_State *L, const char *name, const char *module, char *tried)
{
    char path[PATH_MOST], symbol[256];
    if ((size_t)snprintf(path, sizeof path, "%s/lua_modules/lib/lua/5.4/%s.so", sources_folder(), module) >= sizeof path)
        return false;
    if (!source_exists(path)) {
        note_tried(tried, path + strlen(sources_folder()) + 1);
        return false;
    }
    const char *hyphen = strchr(name, '-');
    snprintf(symbol, sizeof symbol, "luaopen_%s", hyphen ? hyphen + 1 : name);
    for (char *p = symbol; *p; p++)
        if (*p == '.') *p = '_';
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) luaL_error(L, "cannot load the C module '%s': %s", name, dlerror());
    lua_CFunction open = (lua_CFunction)dlsym(library, symbol);
    if (!open) luaL_error(L, "cannot load the C module '%s': it has no function %s", name, symbol);
    lua_pushcfunction(L, open);
    lua_pushstring(L, path);
    return true;
}

void require_compile(lua_State *L, struct str bytes, const char *name)
{
    if (bytes.n >= 3 && memcmp(bytes.p, "\xEF\xBB\xBF", 3) == 0) bytes = (struct str){bytes.p + 3, bytes.n - 3};
    if (bytes.n && bytes.p[0] == '#') { /* a first line for the shell; its end stays, so that lines count right */
        const char *eol = memchr(bytes.p, '\n', bytes.n);
        size_t skip = eol ? (size_t)(eol - bytes.p) : bytes.n;
        bytes = (struct str){bytes.p + skip, bytes.n - skip};
    }
    if (bytes.n && bytes.p[0] == LUA_SIGNATURE[0]) /* Lua's own message would not say which file */
        luaL_error(L, "%s:1: this is bytecode; a bot is loaded from text only", name);
    lua_pushfstring(L, "@%s", name);
    if (luaL_loadbufferx(L, bytes.p, bytes.n, lua_tostring(L, -1), "t")) lua_error(L);
    lua_remove(L, -2);
}

LJMP static bool find_embedded(lua_State *L, const char *name)
{
    const char *dir = worker_get()->options.scripts_dir;
    for (size_t i = 0; i < embedded_scripts_n; i++) {
        const struct embedded *e = &embedded_scripts[i];
        char chunk[256], path[PATH_MOST];
        struct str bytes = {e->bytes, e->n};
        if (strcmp(e->module, name) != 0) continue;
        snprintf(chunk, sizeof chunk, "moonline/%s", e->file);
        if (dir && *dir) {
            snprintf(path, sizeof path, "%s/%s", dir, e->file);
            if (source_get(path, &bytes)) luaL_error(L, "cannot read %s, which --scripts-dir asks for", path);
        }
        require_compile(L, bytes, chunk);
        lua_pushstring(L, chunk);
        return true;
    }
    return false;
}

/* C modules of ours, and what a script put into package.preload. */
LJMP static bool find_function(lua_State *L, const char *name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ours_key);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (lua_getfield(L, -2, name) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getfield(L, -1, name);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
    if (lua_isfunction(L, -1)) {
        lua_pushliteral(L, ":preload:");
        return true;
    }
    lua_pop(L, 1);
    return false;
}

/* Push the loader of a module and where it comes from. Raises when there is none. */
LJMP static void find_loader(lua_State *L, const char *name)
{
    char module[256];
    char tried[TRIED_MOST] = "";
    if (find_function(L, name)) return;
    if (find_embedded(L, name)) return;
    if (!dots_to_slashes(name, module, sizeof module)) luaL_error(L, "'%s' is not a name of a module", name);
    if (find_file(L, module, tried) || find_c_module(L, name, module, tried)) return;
    luaL_error(L, "there is no module '%s'; looked for, beside the bot:%s", name, tried);
}

/* ---- modules being loaded ---- */
static void cancel_waiter(struct wait *w)
{
    struct waiter *v = (struct waiter *)w;
    if (!v->at) return;
    struct waiter **p = &v->at->waiters;
    while (*p != v) p = &(*p)->next;
    *p = v->next;
    v->at = NULL;
}

static int loading_over(lua_State *L)
{
    struct loading *l = lua_touserdata(L, 1);
    if (l->over) return 0;
    l->over = true;
    for (struct loading **p = &innermost; *p; p = &(*p)->outer) {
        if (*p != l) continue;
        *p = l->outer;
        break;
    }
    while (l->waiters) {
        struct waiter *v = l->waiters;
        l->waiters = v->next;
        v->at = NULL;
        task_wake(&v->wait);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loading_key);
    lua_pushnil(L);
    lua_setfield(L, -2, l->name);
    return 0;
}

/* "a → b → a" */
LJMP static int circle(lua_State *L, const char *name)
{
    const struct loading *chain[32];
    int n = 0;
    for (const struct loading *l = innermost; l && n < 32; l = l->outer) {
        if (l->by != task_current()) continue;
        chain[n++] = l;
        if (strcmp(l->name, name) == 0) break;
    }
    lua_pushliteral(L, "");
    while (n--) {
        lua_pushfstring(L, "%s → ", chain[n]->name);
        lua_concat(L, 2);
    }
    return luaL_error(L, "modules require each other in a circle: %s%s; move what both need into a third",
                      lua_tostring(L, -1), name);
}

static int require(lua_State *L);

/* The loading is over: look again from the start. If it failed there, this one loads it anew and says why. */
static int again_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, 1);
    return require(L);
}

LJMP static int wait_for(lua_State *L, struct loading *l)
{
    task_check_can_wait(L, "require");
    struct waiter *v = lua_newuserdatauv(L, sizeof *v, 0);
    *v = (struct waiter){.wait.cancel = cancel_waiter, .next = l->waiters, .at = l};
    l->waiters = v;
    return task_wait(L, &v->wait, again_k, 0);
}

/* Stack: 1 name, 2 loaded, 3 loading, 4 path, 5 the loader's result. */
static int loaded_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, 5);
    lua_closeslot(L, 3);
    if (!lua_isnil(L, 5)) {
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 5);
        lua_settable(L, 2);
    }
    lua_pushvalue(L, 1);
    if (lua_gettable(L, 2) == LUA_TNIL) { /* it neither returned nor stored anything: true, as with Lua's require */
        lua_pushvalue(L, 1);
        lua_pushboolean(L, 1);
        lua_settable(L, 2);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 4);
    return 2;
}

/* Push the mark of a module being loaded; it is at index 3 and closed by loaded_k or by whatever error ends this. */
LJMP static void begin(lua_State *L, const char *name)
{
    struct loading *l = lua_newuserdatauv(L, sizeof *l, 0);
    memset(l, 0, sizeof *l);
    l->by = task_current();
    l->over = true; /* not in the list yet: what follows may raise */
    snprintf(l->name, sizeof l->name, "%s", name);
    luaL_setmetatable(L, LOADING);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loading_key);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    l->outer = innermost;
    l->over = false;
    innermost = l;
    lua_toclose(L, 3);
}

static int require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL) return 1;
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loading_key);
    if (lua_getfield(L, 3, name) == LUA_TUSERDATA) {
        struct loading *l = lua_touserdata(L, 4);
        return l->by == task_current() ? circle(L, name) : wait_for(L, l);
    }
    lua_settop(L, 2);
    if (strlen(name) >= sizeof((struct loading *)0)->name) return luaL_error(L, "the module's name is too long");
    begin(L, name);
    find_loader(L, name); /* 4 loader, 5 path */
    lua_insert(L, 4);     /* 4 path, 5 loader */
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 4);
    lua_callk(L, 2, 1, 0, loaded_k);
    return loaded_k(L, LUA_OK, 0);
}

/* ---- opening ---- */
void require_push(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &require_key);
}

void require_add(lua_State *L, const char *name, lua_CFunction open)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ours_key);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void require_open(lua_State *L)
{
    innermost = NULL;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ours_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loading_key);
    luaL_newmetatable(L, LOADING);
    lua_pushcfunction(L, loading_over);
    lua_setfield(L, -2, "__close");
    lua_pushcfunction(L, loading_over);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);

    lua_pushcfunction(L, require);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &require_key);
    sandbox_set_global(L, "require");

    /* What libraries read of it. Setting path or cpath has no effect. */
    lua_createtable(L, 0, 5);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setfield(L, -2, "loaded");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_setfield(L, -2, "preload");
    lua_pushliteral(L, "./?.lua;./?/init.lua;./lua_modules/share/lua/5.4/?.lua;./lua_modules/share/lua/5.4/?/init.lua");
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "./lua_modules/lib/lua/5.4/?.so");
    lua_setfield(L, -2, "cpath");
    lua_pushliteral(L, "/\n;\n?\n!\n-\n");
    lua_setfield(L, -2, "config");
    sandbox_explain(L, "package");
    sandbox_set_global(L, "package");
}
