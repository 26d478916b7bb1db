/* Loading the bot: a task like any other, so that its top level may wait, with limits of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "bindings/json.h"
#include "bindings/require.h"
#include "bindings/sandbox.h"
#include "bindings/source.h"
#include "bindings/worker_private.h"

static struct {
    struct task *task;        /* NULL: over */
    uv_timer_t limit;
    void (*ended)(const char *why, unsigned handlers, struct str report);
    unsigned handlers;
    struct buf report;        /* check mode: JSON */
} load;

/* The steps, each a call that may wait; load_k is where it goes on after step ctx. Index 1 of the stack: the router. */
enum step { STEP_LINE, STEP_ROUTER, STEP_BOT, STEP_LOADED, STEP_COUNT, STEP_REPORT };

static int load_k(lua_State *L, int status, lua_KContext ctx);

/* Call the function under the n arguments on top of the stack, one result. */
LJMP static int step(lua_State *L, int n, enum step s)
{
    lua_callk(L, n, 1, s, load_k);
    return load_k(L, LUA_OK, s);
}

LJMP static int require_step(lua_State *L, const char *module, enum step s)
{
    require_push(L);
    lua_pushstring(L, module);
    return step(L, 1, s);
}

LJMP static int router_step(lua_State *L, const char *function, enum step s)
{
    lua_getfield(L, 1, function);
    return step(L, 0, s);
}

static void add_source(void *user, const char *name, struct str bytes)
{
    lua_State *L = user;
    lua_pushlstring(L, bytes.p, bytes.n);
    lua_setfield(L, -2, name);
}

/* A command may run without one: the path then is a folder's, with a slash at its end. */
static bool has_bot(void)
{
    const char *path = worker_get()->path;
    return !*path || path[strlen(path) - 1] != '/';
}

LJMP static void push_bot(lua_State *L)
{
    const char *path = worker_get()->path;
    struct str bytes;
    char name[4096];
    int result = source_get(path, &bytes);
    source_name(path, name, sizeof name);
    if (result == ERR_NOTFOUND) luaL_error(L, "%s: there is no such file", path);
    if (result) luaL_error(L, "%s cannot be read: %s", path, err_text(result));
    require_compile(L, bytes, name);
}

static int load_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    switch ((enum step)ctx) {
    case STEP_LINE:
        sandbox_set_global(L, "line");
        return require_step(L, "line.router", STEP_ROUTER);
    case STEP_ROUTER:
        lua_replace(L, 1);
        lua_settop(L, 1);
        lua_getfield(L, 1, "handle");
        event_set_router(luaL_ref(L, LUA_REGISTRYINDEX));
        if (worker_get()->app) return require_step(L, worker_get()->app, STEP_BOT);
        if (!has_bot()) return 0;
        push_bot(L);
        return step(L, 0, STEP_BOT);
    case STEP_BOT:
        lua_settop(L, 1);
        return router_step(L, "loaded", STEP_LOADED);
    case STEP_LOADED:
        lua_settop(L, 1);
        return router_step(L, "count", STEP_COUNT);
    case STEP_COUNT:
        load.handlers = (unsigned)lua_tointeger(L, -1);
        lua_settop(L, 1);
        if (!worker_get()->check) return 0;
        lua_getfield(L, 1, "report"); /* report{[file] = text} */
        lua_newtable(L);
        sources_each(add_source, L);
        return step(L, 1, STEP_REPORT);
    case STEP_REPORT:
        json_encode(L, -1, &load.report);
        return 0;
    }
    return 0;
}

static int load_main(lua_State *L)
{
    lua_settop(L, 1); /* room for the router */
    return require_step(L, "line", STEP_LINE);
}

/* The message, the lines around the place it names, then the way there if that says more than the message. */
static void tell(struct str why, size_t message_n)
{
    struct buf text = BUF(LIMIT_ERROR_TEXT * 2);
    char *message = mem_strndup(why.p, message_n);
    buf_append(&text, why.p, message_n);
    source_excerpt(message, &text);
    if (memchr(why.p + message_n + 1, '\n', why.n > message_n ? why.n - message_n - 1 : 0)) /* more than one frame */
        buf_append(&text, why.p + message_n, why.n - message_n);
    load.ended(text.data, 0, (struct str){0, 0});
    free(message);
    buf_free(&text);
}

static bool load_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    (void)n;
    load.task = NULL;
    uv_timer_stop(&load.limit);
    if (o == TASK_OK) load.ended(NULL, load.handlers, buf_str(&load.report));
    else tell(why, t->message_n);
    sources_loaded();
    buf_free(&load.report);
    return true;
}

static void limit_cb(uv_timer_t *timer)
{
    char why[128];
    (void)timer;
    if (!load.task) return;
    snprintf(why, sizeof why, "the bot was still waiting here after %lld ms of loading (--load-timeout)",
             (long long)worker_get()->options.load_timeout);
    task_kill(load.task, why);
}

void load_begin(void (*ended)(const char *why, unsigned handlers, struct str report))
{
    struct worker *w = worker_get();
    load.ended = ended;
    buf_init(&load.report, LIMIT_FRAME - 16);
    sources_set_root(w->path);
    w->loading = true;
    uv_timer_init(w->loop, &load.limit);
    uv_timer_start(&load.limit, limit_cb, (uint64_t)w->options.load_timeout, 0);
    struct task *t = load.task = task_new(NULL);
    lua_pushcfunction(t->co, load_main);
    t->loads = true;
    t->limit_ms = w->options.load_timeout;
    t->limit_option = "--load-timeout";
    t->ended = load_ended;
    task_ready(t);
}

void load_close_handles(void)
{
    uv_close((uv_handle_t *)&load.limit, NULL);
}
