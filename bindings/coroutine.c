/* coroutine.* and pcall for scripts.
 *
 * A call that waits inside a script's own coroutine yields a private value; resume and wrap see it, and pass the wait on
 * to whoever resumed them, up to the task. So the script's coroutine stays where it is until the wait is over. Meanwhile
 * it counts as busy ("normal"): nobody else may resume or close it.
 *
 * pcall, xpcall, resume and wrap also raise again what breaks a budget: there is nothing to catch. */
#include <string.h>

#include "bindings/coroutine.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"

/* ---- what a thread is used for: kept in the extra space Lua gives each thread, a copy of the main thread's at birth ---- */
void coroutine_set_use(lua_State *co, enum coroutine_use use)
{
    memcpy(lua_getextraspace(co), &use, sizeof use);
}

static enum coroutine_use use_of(lua_State *co)
{
    enum coroutine_use use;
    memcpy(&use, lua_getextraspace(co), sizeof use);
    return use;
}

bool coroutine_may_yield(lua_State *L)
{
    return use_of(L) != COROUTINE_CLOSING && lua_isyieldable(L);
}

/* ---- resume and wrap ---- */
enum { RESUME, WRAP }; /* continuation context: in both, the coroutine is at index 1 */

static int resume_k(lua_State *L, int status, lua_KContext kind);

/* Run a coroutine's <close> variables, which may use the budget and may not wait. The status of the first that failed. */
static int close_now(lua_State *L, lua_State *co)
{
    task_blocked++;
    coroutine_set_use(co, COROUTINE_CLOSING);
    lua_State *before = budget_switch(co);
    int status = lua_close_coroutine(co, L);
    budget_switch(before);
    coroutine_set_use(co, COROUTINE_PLAIN);
    task_blocked--;
    if (status == LUA_ERRMEM) budget_out_of_memory(L);
    return status;
}

static int resume_failed(lua_State *L, int kind, int status, lua_State *co)
{
    if (kind == RESUME) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    if (status != LUA_OK && status != LUA_YIELD) { /* it died: its <close> variables run now, as with Lua's own wrap */
        lua_pop(L, 1);
        close_now(L, co);
        lua_xmove(co, L, 1);
        budget_check(L);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int refuse(lua_State *L, int kind, const char *why)
{
    lua_pushstring(L, why);
    return resume_failed(L, kind, LUA_OK, NULL);
}

/* Run the coroutine at index 1 with n arguments that are on its stack already, and hand over what comes of it. */
static int resume_go(lua_State *L, int n, int kind)
{
    lua_State *co = lua_tothread(L, 1);
    /* Where this frame cannot wait, nothing inside may either: the wait could not be passed on. */
    int blocks = !lua_isyieldable(L), results = 0;
    task_blocked += (unsigned)blocks;
    lua_State *before = budget_switch(co);
    int status = lua_resume(co, L, n, &results);
    if (status == LUA_ERRMEM) budget_out_of_memory(co);
    budget_switch(before);
    task_blocked -= (unsigned)blocks;

    if (status == LUA_OK || status == LUA_YIELD) { /* also when a budget broke in it, see budget.c */
        if (status == LUA_YIELD && results == 1 && lua_touserdata(co, -1) == &task_sentinel) {
            lua_pop(co, 1);
            coroutine_set_use(co, COROUTINE_WAITS);
            lua_pushlightuserdata(L, &task_sentinel);
            return lua_yieldk(L, 1, kind, resume_k);
        }
        budget_check(L);
        if (!lua_checkstack(L, results + 2)) {
            lua_pop(co, results);
            return refuse(L, kind, "too many results to resume");
        }
        if (kind == RESUME) lua_pushboolean(L, 1);
        lua_xmove(co, L, results);
        return results + (kind == RESUME);
    }
    luaL_checkstack(L, 3, NULL);
    lua_xmove(co, L, 1);
    budget_check(L);
    return resume_failed(L, kind, status, co);
}

static int resume_k(lua_State *L, int status, lua_KContext kind)
{
    (void)status;
    lua_State *co = lua_tothread(L, 1);
    coroutine_set_use(co, COROUTINE_PLAIN);
    return resume_go(L, 0, (int)kind);
}

/* The coroutine is at index 1, its arguments above. */
static int resume_begin(lua_State *L, int kind)
{
    lua_State *co = lua_tothread(L, 1);
    int n = lua_gettop(L) - 1;
    if (use_of(co) == COROUTINE_WAITS) return refuse(L, kind, "cannot resume a coroutine that waits (for LINE, a timer, …)");
    if (use_of(co) != COROUTINE_PLAIN || co == L) return refuse(L, kind, "cannot resume non-suspended coroutine");
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) return refuse(L, kind, "cannot resume dead coroutine");
    if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) return refuse(L, kind, "cannot resume dead coroutine");
    if (!lua_checkstack(co, n)) return refuse(L, kind, "too many arguments to resume");
    lua_xmove(L, co, n);
    return resume_go(L, n, kind);
}

static lua_State *check_coroutine(lua_State *L)
{
    luaL_argexpected(L, lua_isthread(L, 1), 1, "coroutine");
    return lua_tothread(L, 1);
}

static int co_resume(lua_State *L)
{
    check_coroutine(L);
    return resume_begin(L, RESUME);
}

static int wrapped(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return resume_begin(L, WRAP);
}

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

lua_State *coroutine_inner(lua_State *co)
{
    lua_Debug ar;
    if (lua_status(co) != LUA_YIELD || !lua_getstack(co, 0, &ar)) return NULL;
    memory_grace();
    lua_checkstack(co, 2);
    memory_ungrace();
    lua_getinfo(co, "f", &ar);
    lua_CFunction f = lua_tocfunction(co, -1);
    lua_pop(co, 1);
    if (f != co_resume && f != wrapped) return NULL;
    lua_State *inner = lua_getlocal(co, &ar, 1) ? lua_tothread(co, -1) : NULL; /* index 1 of the C function's frame */
    if (inner) lua_pop(co, 1);
    return inner && use_of(inner) == COROUTINE_WAITS ? inner : NULL;
}

/* ---- the others ---- */
static int co_yield(lua_State *L)
{
    enum coroutine_use use = use_of(L);
    if (use == COROUTINE_TASK)
        return luaL_error(L, "coroutine.yield outside of a coroutine: a handler waits by calling what waits (line.sleep, "
                             "event:ask, …)");
    if (use == COROUTINE_CLOSING) return luaL_error(L, "coroutine.yield in a coroutine that is being closed");
    return lua_yield(L, lua_gettop(L));
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    lua_pushboolean(L, use_of(co) == COROUTINE_PLAIN && lua_isyieldable(co));
    return 1;
}

static const char *status_of(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    if (L == co) return "running";
    if (use_of(co) != COROUTINE_PLAIN) return "normal";
    switch (lua_status(co)) {
    case LUA_YIELD: return "suspended";
    case LUA_OK:
        if (lua_getstack(co, 0, &ar)) return "normal"; /* it resumed another one */
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default: return "dead";
    }
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_coroutine(L)));
    return 1;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    const char *status = status_of(L, co);
    if (strcmp(status, "dead") != 0 && strcmp(status, "suspended") != 0)
        return luaL_error(L, "cannot close a %s coroutine", status);
    int failed = close_now(L, co);
    budget_check(L);
    lua_pushboolean(L, failed == LUA_OK);
    if (failed == LUA_OK) return 1;
    lua_xmove(co, L, 1);
    return 2;
}

/* ---- pcall ---- */

/* Below the results: for pcall nothing, for xpcall the function and the handler (extra 2); Lua's own way of doing it. */
static int pcall_k(lua_State *L, int status, lua_KContext extra)
{
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)extra;
    if (status == LUA_ERRMEM) budget_out_of_memory(L);
    budget_check(L);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

static int protected_call(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return pcall_k(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_k), 0);
}

/* The script's handler (upvalue 1), unless a budget broke: Lua would call it from inside the hook that raised, where no
 * hook fires any more, and an endless loop in it could not be ended. */
static int handler(lua_State *L)
{
    if (budget_tripped()) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int protected_call_with_handler(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* f, handler, true, f, arguments… */
    return pcall_k(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, pcall_k), 2);
}

static const luaL_Reg coroutine_functions[] = {
    {"close", co_close}, {"create", co_create}, {"isyieldable", co_isyieldable}, {"resume", co_resume},
    {"status", co_status}, {"wrap", co_wrap}, {"yield", co_yield}, {NULL, NULL},
};

static const luaL_Reg base_functions[] = {
    {"pcall", protected_call}, {"xpcall", protected_call_with_handler}, {NULL, NULL},
};

LJMP void coroutine_open(lua_State *L)
{
    coroutine_set_use(L, COROUTINE_PLAIN); /* the main thread's extra space is what new ones start with */
    luaL_setfuncs(L, base_functions, 0);
    lua_getfield(L, -1, "coroutine");
    luaL_setfuncs(L, coroutine_functions, 0);
    lua_pop(L, 1);
}
