/* line.spawn and line.all: functions that run side by side, each a task of the same event.
 *
 *     line.spawn(f[, …])   runs f with the arguments from the next turn on; returns a handle. An error nobody waits for is
 *                          the event's
 *     line.all(list)       runs the functions of the list, 1000 at most, and returns the list of their first results; the
 *                          first error ends the others and is raised. Waits
 *     handle:wait()        what the function returned, or its error raised. Waits */
#include <string.h>

#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"

#define HANDLE "line.handle"
#define ALL_MOST 1000 /* functions of one line.all */

/* Somebody who waits for the end of something; in the userdata on its stack. */
struct waiter {
    struct wait wait;
    struct waiter **list; /* head of the list it is in; NULL: not in one any more */
    struct waiter *next;
};

static void leave_list(struct wait *w)
{
    struct waiter *v = (struct waiter *)w;
    if (!v->list) return;
    struct waiter **p = v->list;
    while (*p != v) p = &(*p)->next;
    *p = v->next;
    v->list = NULL;
}

static void wake_all(struct waiter **list)
{
    while (*list) {
        struct waiter *v = *list;
        *list = v->next;
        v->list = NULL;
        task_wake(&v->wait);
    }
}

LJMP static struct waiter *push_waiter(lua_State *L, struct waiter **list)
{
    struct waiter *v = lua_newuserdatauv(L, sizeof *v, 0);
    *v = (struct waiter){.wait.cancel = leave_list, .list = list, .next = *list};
    *list = v;
    return v;
}

/* Move a function and its arguments, the top n + 1 values of L, onto a new task of the current event. */
LJMP static struct task *start(lua_State *L, int n)
{
    struct task *parent = task_current();
    struct task *t = task_new(parent ? parent->event : NULL);
    memory_grace();
    int room = lua_checkstack(t->co, n + 2);
    memory_ungrace();
    if (!room) {
        task_kill(t, "it has too many arguments");
        luaL_error(L, "line.spawn: too many arguments");
    }
    task_number_after(t, parent);
    lua_xmove(L, t->co, n + 1);
    t->arguments = n;
    return t;
}

/* ---- spawn ---- */
struct handle {
    bool over, failed;
    int results;            /* in the user value 1, a table; failed: the error at [1] */
    struct waiter *waiters;
    int ref;                /* of itself, while the task lives */
};

static bool spawn_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    struct handle *h = t->user;
    lua_State *co = t->co;
    bool awaited = h->waiters != NULL;
    memory_grace();
    lua_checkstack(co, 4);
    lua_rawgeti(co, LUA_REGISTRYINDEX, h->ref);
    lua_createtable(co, n > 0 ? n : 1, 0);
    if (o == TASK_OK || o == TASK_RAISED) {
        for (int i = 1; i <= n; i++) {
            lua_pushvalue(co, -2 - n + i - 1);
            lua_rawseti(co, -2, i);
        }
    } else {
        lua_pushlstring(co, why.p, why.n);
        lua_rawseti(co, -2, 1);
    }
    h->results = n;
    h->failed = o != TASK_OK;
    h->over = true;
    lua_setiuservalue(co, -2, 1);
    lua_pop(co, 1);
    luaL_unref(co, LUA_REGISTRYINDEX, h->ref);
    h->ref = LUA_NOREF;
    memory_ungrace();
    wake_all(&h->waiters);
    if (!awaited && (o == TASK_RAISED || (o == TASK_BROKE && !t->event))) /* an event's break is logged by the event */
        event_log_failure(t->event, "spawned function failed", why);
    return awaited && o == TASK_RAISED;
}

static int spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int n = lua_gettop(L) - 1;
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, HANDLE);
    lua_insert(L, 1);
    lua_pushvalue(L, 1);
    h->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct task *t = start(L, n); /* raises only after it put the task away */
    t->user = h;
    t->ended = spawn_ended;
    task_ready(t);
    return 1;
}

static int results_of(lua_State *L, const struct handle *h)
{
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    if (h->failed) {
        lua_rawgeti(L, 2, 1);
        return lua_error(L);
    }
    luaL_checkstack(L, h->results, "results");
    for (int i = 1; i <= h->results; i++) lua_rawgeti(L, 2, i);
    return h->results;
}

static int handle_wait_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return results_of(L, lua_touserdata(L, 1));
}

static int handle_wait(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    if (h->over) return results_of(L, h);
    task_check_can_wait(L, "handle:wait");
    lua_settop(L, 1);
    return task_wait(L, &push_waiter(L, &h->waiters)->wait, handle_wait_k, 0);
}

/* ---- all ---- */
struct all {
    struct waiter *waiters; /* the one that called line.all */
    unsigned n, left;
    int ref;                /* of this userdata, while members live; user value 1: results, 2: the error */
    bool failed;
    struct member {
        struct all *of;
        struct task *task;  /* NULL: over */
    } members[];
};

static bool member_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    struct member *m = t->user;
    struct all *a = m->of;
    lua_State *co = t->co;
    bool first = o != TASK_OK && !a->failed;
    m->task = NULL;
    memory_grace();
    lua_checkstack(co, 6);
    if (o == TASK_OK && n > 0) {
        lua_pushvalue(co, -n); /* of several results the first counts */
        lua_rawgeti(co, LUA_REGISTRYINDEX, a->ref);
        lua_getiuservalue(co, -1, 1);
        lua_pushvalue(co, -3);
        lua_rawseti(co, -2, (lua_Integer)(m - a->members) + 1);
        lua_pop(co, 3);
    } else if (first) {
        if (o == TASK_RAISED) lua_pushvalue(co, -1);
        else lua_pushlstring(co, why.p, why.n);
        lua_rawgeti(co, LUA_REGISTRYINDEX, a->ref);
        lua_pushvalue(co, -2);
        lua_setiuservalue(co, -2, 2);
        lua_pop(co, 2);
    }
    memory_ungrace();
    if (first) {
        a->failed = true;
        for (unsigned i = 0; i < a->n; i++)
            if (a->members[i].task) task_kill(a->members[i].task, "cancelled: another function of its line.all failed");
    }
    if (--a->left == 0) {
        wake_all(&a->waiters);
        luaL_unref(co, LUA_REGISTRYINDEX, a->ref);
    }
    return true;
}

/* Stack: 1 the functions, 2 all, 3 results, 4 waiter */
static int all_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    const struct all *a = lua_touserdata(L, 2);
    lua_settop(L, 3);
    if (!a->failed) return 1;
    lua_getiuservalue(L, 2, 2);
    return lua_error(L);
}

static int all(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n > ALL_MOST) return luaL_error(L, "line.all: at most %d functions", ALL_MOST);
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) != LUA_TFUNCTION)
            return luaL_error(L, "line.all: a table of functions expected; position %d is a %s", (int)i, luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    task_check_can_wait(L, "line.all");
    struct all *a = lua_newuserdatauv(L, sizeof *a + n * sizeof a->members[0], 2);
    *a = (struct all){.n = (unsigned)n, .left = (unsigned)n};
    lua_createtable(L, (int)n, 0);
    if (!n) return 1;
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 2, 1);
    lua_pushvalue(L, 2);
    a->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct waiter *v = lua_newuserdatauv(L, sizeof *v, 0);
    /* From here on nothing raises. */
    *v = (struct waiter){.wait.cancel = leave_list, .list = &a->waiters};
    a->waiters = v;
    for (unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        struct task *t = start(L, 0);
        a->members[i] = (struct member){a, t};
        t->user = &a->members[i];
        t->ended = member_ended;
        t->parent = task_current();
        t->parent->children++;
        task_ready(t);
    }
    return task_wait(L, &v->wait, all_k, 0);
}

/* ---- the module line.async ---- */
static const luaL_Reg async_functions[] = {
    {"sleep", lua_time_sleep}, {"now", lua_time_now}, {"spawn", spawn}, {"all", all}, {NULL, NULL},
};

int luaopen_line_async(lua_State *L)
{
    luaL_newmetatable(L, HANDLE);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, handle_wait);
    lua_setfield(L, -2, "wait");
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    luaL_newlib(L, async_functions);
    lua_timer_push(L);
    lua_setfield(L, -3, "every");
    lua_setfield(L, -2, "after");
    return 1;
}
