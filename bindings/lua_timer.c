/* Timers: functions of the script that run later, each run a task of its own that belongs to no event.
 *
 *     line.after(seconds, fn[, …])   runs fn with the arguments once, after so many seconds; returns the timer, whose
 *                                    where is the script's line that made it. When the bot is saved, what is due within
 *                                    --handler-limit is still run, and the rest is dropped with a line in the log;
 *                                    likewise --drain at a stop. It dies with its worker
 *     line.every(seconds, fn[, …])   runs fn again and again, from start to start so many seconds; returns the timer. It
 *                                    never runs twice at the same time: when a run takes longer, the starts it missed
 *                                    are left out, and it goes on with the next one. It ends with its generation
 *     timer:cancel()                 runs no more; a run under way goes on. True; false when it was over already
 *
 * seconds are from 0.001 to 2592000 (30 days). A run may wait, and keeps to the limits of a handler; what it raises is
 * logged, and line.every goes on. Timers live in their worker's memory: 10,000 of them at most. None of these waits.
 *
 * One timer of libuv serves all: they stand in a heap, the one that is due first on top. Each is a userdata, which the
 * registry holds as long as it may still run, so its owner needs no pointer to it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/call.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"

#define TIMER "line.timer"
#define SECONDS_LEAST 0.001
#define SECONDS_MOST (30 * 86400.0)
#define TIMERS_MOST 10000
#define ARGUMENTS_MOST 200
#define DROPS_TOLD 20 /* log lines of dropped timers; the rest is counted */

/* User values of the userdata; the arguments follow. */
enum { OF_FUNCTION = 1, OF_WHERE, OF_ORIGIN, OF_ARGUMENTS };

struct timer {
    int64_t due_ns;
    int64_t every_ns;   /* 0: once */
    uint64_t number;    /* by making: of two that are due at once the older one goes first */
    size_t at;          /* its place in the heap; NOWHERE */
    int ref;            /* of the userdata while it waits or runs; LUA_NOREF: over */
    int arguments;
    bool running;       /* it has a task, */
    bool begun;         /* whose function was called */
    bool cancelled;
    bool idle;          /* never fires; see is_idle() */
};
#define NOWHERE SIZE_MAX

static struct {
    struct timer **heap;
    size_t n, room;
    size_t alive;          /* waiting or running, on the page too */
    uint64_t made;
    uv_timer_t uv;
    bool open, fires;      /* fires: the bot has loaded */
    bool leaving;
    int64_t deadline_ns;   /* leaving: what is due later is dropped */
    size_t told, untold;   /* dropped ones, with and without a log line */
} timers;

/* ---- the heap ---- */
static bool before(const struct timer *a, const struct timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void place(struct timer *t, size_t at)
{
    timers.heap[at] = t;
    t->at = at;
}

/* To where it belongs from place i on, up or down. */
static void settle(struct timer *t, size_t i)
{
    while (i && before(t, timers.heap[(i - 1) / 2])) {
        place(timers.heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < timers.n; i = child) {
        if (child + 1 < timers.n && before(timers.heap[child + 1], timers.heap[child])) child++;
        if (!before(timers.heap[child], t)) break;
        place(timers.heap[child], i);
    }
    place(t, i);
}

static void heap_add(struct timer *t)
{
    if (timers.n == timers.room) {
        timers.room = timers.room ? timers.room * 2 : 16;
        timers.heap = mem_realloc(timers.heap, timers.room * sizeof *timers.heap);
    }
    timers.n++;
    settle(t, timers.n - 1);
}

static void heap_remove(struct timer *t)
{
    size_t at = t->at;
    t->at = NOWHERE;
    struct timer *last = timers.heap[--timers.n];
    if (last != t) settle(last, at);
}

static void fire(uv_timer_t *uv);

static void arm(void)
{
    if (!timers.open) return;
    if (!timers.fires || !timers.n) {
        uv_timer_stop(&timers.uv);
        return;
    }
    int64_t left = timers.heap[0]->due_ns - clock_ns();
    uv_update_time(timers.uv.loop); /* its idea of now is the start of the turn */
    uv_timer_start(&timers.uv, fire, left > 0 ? (uint64_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 0, 0);
}

static void count(int change)
{
    timers.alive += (size_t)change;
    atomic_store_explicit(&worker_get()->page->timers, timers.alive, memory_order_relaxed);
}

/* ---- the end of a timer ---- */

/* It runs no more: the userdata is its script's alone from here on. */
static void over(struct timer *t)
{
    if (t->at != NOWHERE) heap_remove(t);
    luaL_unref(worker_get()->L, LUA_REGISTRYINDEX, t->ref);
    t->ref = LUA_NOREF;
    if (!t->idle) count(-1);
}

/* Nothing is lost without a word: what will not run although the script asked for it is told, up to DROPS_TOLD of them. L
 * has room for two values. */
static void tell_drop(lua_State *L, int idx, const struct timer *t)
{
    const struct worker *w = worker_get();
    if (w->app) return; /* whom it played for is gone */
    if (timers.told >= DROPS_TOLD) {
        timers.untold++;
        return;
    }
    timers.told++;
    lua_getiuservalue(L, idx, OF_WHERE);
    lua_getiuservalue(L, idx, OF_ORIGIN);
    int64_t left = t->due_ns - clock_ns();
    LOG(WARN, "timer dropped: its worker leaves before it is due", F_STR("bot", w->bot), F_INT("generation", w->generation),
        F_STR("timer", lua_tostring(L, -2)), F_STR("origin", lua_tostring(L, -1)),
        F_NUM("left_s", (double)(left > 0 ? left : 0) / NS_PER_S));
    lua_pop(L, 2);
}

static void tell_untold(void)
{
    const struct worker *w = worker_get();
    if (timers.untold)
        LOG(WARN, "more timers dropped", F_STR("bot", w->bot), F_INT("generation", w->generation), F_INT("timers", timers.untold));
    timers.untold = 0;
}

/* ---- running ---- */

/* The first start of its row that is still to come; a run that took long has missed some. */
static void next_start(struct timer *t)
{
    int64_t now = clock_ns(), missed = (now - t->due_ns) / t->every_ns;
    t->due_ns += (missed + 1) * t->every_ns;
}

static void run_over(void *user)
{
    struct timer *t = user;
    t->running = false;
    if (!t->every_ns || t->cancelled || timers.leaving || !timers.open) return over(t);
    next_start(t);
    heap_add(t);
    arm();
}

static int called(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* The body of a run's coroutine; at 1 the timer. Of several that were due at once, one that ran before this may have
 * cancelled it. */
static int timer_main(lua_State *L)
{
    struct timer *t = lua_touserdata(L, 1);
    if (t->cancelled) return 0;
    t->begun = true;
    luaL_checkstack(L, t->arguments + LUA_MINSTACK, "arguments");
    lua_getiuservalue(L, 1, OF_FUNCTION);
    for (int i = 0; i < t->arguments; i++) lua_getiuservalue(L, 1, OF_ARGUMENTS + i);
    lua_callk(L, t->arguments, 0, 0, called);
    return 0;
}

static void start_run(struct timer *t)
{
    struct event *e = event_begin_timer(run_over, t);
    struct task *task = task_new(e);
    lua_State *co = task->co;
    t->running = true;
    t->begun = false;
    lua_pushcfunction(co, timer_main);
    lua_rawgeti(co, LUA_REGISTRYINDEX, t->ref);
    lua_getiuservalue(co, 2, OF_WHERE); /* both texts live as long as the timer, which outlives its run */
    lua_getiuservalue(co, 2, OF_ORIGIN);
    event_name_timer(e, lua_tostring(co, -2), lua_tostring(co, -1));
    lua_pop(co, 2);
    task->arguments = 1;
    task->ended = event_timer_ended;
    atomic_store_explicit(&worker_get()->page->tasks, task_count(), memory_order_relaxed); /* should it never come back */
    task_ready(task);
}

static void fire(uv_timer_t *uv)
{
    (void)uv;
    int64_t now = clock_ns();
    while (timers.n && timers.heap[0]->due_ns <= now) {
        struct timer *t = timers.heap[0];
        heap_remove(t);
        start_run(t);
    }
    arm();
}

/* ---- making ---- */

/* "a string", for messages; pushed. */
LJMP static const char *kind_of(lua_State *L, int idx)
{
    return lua_isnone(L, idx) ? "nothing" : lua_pushfstring(L, "a %s", luaL_typename(L, idx));
}

LJMP static int64_t take_seconds(lua_State *L, const char *what)
{
    double seconds = lua_tonumber(L, 1);
    if (lua_type(L, 1) != LUA_TNUMBER)
        call_misuse(L, "%s: the first argument is a number of seconds, not %s", what, kind_of(L, 1));
    if (!(seconds >= SECONDS_LEAST && seconds <= SECONDS_MOST))
        call_misuse(L, "%s: seconds are from 0.001 to %d (30 days), not %s", what, (int)SECONDS_MOST, luaL_tolstring(L, 1, NULL));
    return (int64_t)llround(seconds * NS_PER_S);
}

LJMP static void check_room(lua_State *L, const char *what)
{
    if (timers.alive < TIMERS_MOST) return;
    call_misuse(L, "%s: this worker has %d timers already, and more there cannot be: cancel some, or keep what is to be done "
                "in the store and let one line.every look for what is due", what, TIMERS_MOST);
}

/* Where it is only looked at what the bot is (`moonline check`, commands), where an event under suspicion runs beside the
 * workers that load the same timers, and while a worker ends, nothing ever fires. */
static bool is_idle(void)
{
    const struct worker *w = worker_get();
    bool suspects = w->loading && w->options.workers > 0 && w->slot == (uint32_t)w->options.workers;
    return !timers.open || w->check || w->command || suspects;
}

/* The event in which it was asked for: the current one, or that of the timer that runs. */
LJMP static void push_origin(lua_State *L)
{
    const struct task *t = task_current();
    struct str id = t ? task_event_id(t) : (struct str){0, 0};
    if (t && !id.n) id = task_origin(t);
    if (id.n) lua_pushlstring(L, id.p, id.n);
    else lua_pushnil(L);
}

/* Stack: seconds, the function, its arguments. */
LJMP static int make(lua_State *L, const char *what, bool repeats)
{
    int64_t ns = take_seconds(L, what);
    int n = lua_gettop(L) - 2;
    if (lua_type(L, 2) != LUA_TFUNCTION)
        return call_misuse(L, "%s: the second argument is the function to run, not %s", what, kind_of(L, 2));
    if (n > ARGUMENTS_MOST) return call_misuse(L, "%s: %d arguments for the function, and %d are the most", what, n, ARGUMENTS_MOST);
    check_room(L, what);
    luaL_checkstack(L, 8, NULL);
    struct timer *t = lua_newuserdatauv(L, sizeof *t, OF_ARGUMENTS + n);
    int idx = lua_gettop(L);
    *t = (struct timer){.due_ns = clock_ns() + ns, .every_ns = repeats ? ns : 0, .number = ++timers.made, .at = NOWHERE,
                        .ref = LUA_NOREF, .arguments = n};
    luaL_setmetatable(L, TIMER);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, idx, OF_FUNCTION);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, 3 + i);
        lua_setiuservalue(L, idx, OF_ARGUMENTS + i);
    }
    task_push_where(L);
    lua_setiuservalue(L, idx, OF_WHERE);
    push_origin(L);
    lua_setiuservalue(L, idx, OF_ORIGIN);
    if (timers.leaving && (repeats || t->due_ns > timers.deadline_ns)) {
        tell_drop(L, idx, t);
        return 1;
    }
    lua_pushvalue(L, idx);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    /* From here on nothing raises. */
    if ((t->idle = is_idle())) return 1;
    count(1);
    heap_add(t);
    if (t->at == 0) arm();
    return 1;
}

static int after(lua_State *L) { return make(L, "line.after", false); }
static int every(lua_State *L) { return make(L, "line.every", true); }

/* ---- the script's handle ---- */
static int cancel(lua_State *L)
{
    struct timer *t = luaL_testudata(L, 1, TIMER);
    if (!t) return call_misuse(L, "timer:cancel: this is not a timer; write timer:cancel() with a colon");
    bool comes = t->ref != LUA_NOREF && !t->cancelled && (!t->begun || t->every_ns);
    if (t->ref != LUA_NOREF) {
        t->cancelled = true;
        if (!t->running) over(t); /* else when its run is over */
        arm();
    }
    lua_pushboolean(L, comes);
    return 1;
}

/* Fields: cancel, and where, the script's line that made it. */
static int timer_index(lua_State *L)
{
    luaL_checkudata(L, 1, TIMER);
    lua_settop(L, 2);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "cancel") == 0) lua_pushcfunction(L, cancel);
    else if (strcmp(key, "where") == 0) lua_getiuservalue(L, 1, OF_WHERE);
    else lua_pushnil(L);
    return 1;
}

/* ---- the worker's side ---- */
void lua_timer_push(lua_State *L)
{
    luaL_newmetatable(L, TIMER);
    lua_pushcfunction(L, timer_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushcfunction(L, after);
    lua_pushcfunction(L, every);
}

void lua_timer_open(void)
{
    uv_timer_init(worker_get()->loop, &timers.uv);
    timers.alive = timers.told = timers.untold = 0;
    timers.leaving = false;
    timers.open = true;
}

void lua_timer_start(void)
{
    timers.fires = true;
    arm();
}

static int by_due(const void *a, const void *b)
{
    const struct timer *const *x = a, *const *y = b;
    return before(*x, *y) ? -1 : 1;
}

void lua_timer_leave(int64_t patience_ms)
{
    lua_State *L = worker_get()->L;
    int64_t deadline = clock_ns() + patience_ms * NS_PER_MS;
    if (!timers.open) return;
    if (!timers.leaving || deadline < timers.deadline_ns) timers.deadline_ns = deadline;
    timers.leaving = true;
    /* In order, so that those due first are the ones that are told; and an ordered list is a heap, too. */
    if (timers.n > 1) qsort(timers.heap, timers.n, sizeof *timers.heap, by_due);
    size_t kept = 0, n = timers.n;
    for (size_t i = 0; i < n; i++) {
        struct timer *t = timers.heap[i];
        if (timers.fires && !t->every_ns && t->due_ns <= timers.deadline_ns) {
            place(t, kept++);
            continue;
        }
        t->at = NOWHERE;
        if (timers.fires && !t->every_ns) { /* what a bot asked for that never served is no loss */
            memory_grace();
            lua_checkstack(L, 4);
            memory_ungrace();
            lua_rawgeti(L, LUA_REGISTRYINDEX, t->ref);
            tell_drop(L, lua_gettop(L), t);
            lua_pop(L, 1);
        }
        over(t);
    }
    timers.n = kept;
    tell_untold();
    arm();
}

bool lua_timer_pending(void) { return timers.n > 0; }

void lua_timer_close(void)
{
    if (!timers.open) return;
    tell_untold();
    uv_close((uv_handle_t *)&timers.uv, NULL);
    for (size_t i = 0; i < timers.n; i++) timers.heap[i]->at = NOWHERE; /* a finalizer may still cancel it */
    free(timers.heap);
    timers.heap = NULL;
    timers.n = timers.room = 0;
    timers.open = timers.fires = false;
}
