/* Tasks: their life, the run queue, and the only place that resumes one.
 *
 * A task is made on a pooled coroutine, becomes READY, runs until it waits or ends, and is put away in one function.
 * Whatever wakes it only queues it: the queue is run once a turn of the loop, so Lua is never entered from inside a
 * library's callback. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"
#include "bindings/trace.h"

#define POOL_MOST 1024 /* idle coroutines kept, about 1 KiB each: those of one line.all */
#define NEST_MOST 200 /* coroutines inside coroutines: Lua's own limit of nested C calls */

unsigned task_blocked;
char task_sentinel;

static struct {
    struct task *current;
    struct task *alive;               /* doubly linked */
    struct task *ready, **ready_tail;
    struct task *pool;
    unsigned pooled;
    size_t count;
    bool queued;                      /* idle handle runs: the loop may not sleep */
    uv_check_t check;                 /* runs the queue after the poll */
    uv_idle_t idle;                   /* keeps the loop from sleeping while the queue is not empty */
    size_t message_n;                 /* bytes of why before its traceback */
    struct buf why;                   /* the text of the failure being put away */
} tasks;

/* ---- facts ---- */
struct task *task_current(void) { return tasks.current; }

struct str task_event_id(const struct task *t)
{
    return t->event && !t->event->web ? (struct str){t->event->id, t->event->id_n} : (struct str){"", 0};
}

struct str task_chat(const struct task *t)
{
    return t->event ? str_of(t->event->chat) : (struct str){"", 0};
}

struct str task_origin(const struct task *t) { return str_of(t->event ? t->event->origin : NULL); }
const char *task_timer(const struct task *t) { return t->event ? t->event->timer : NULL; }
uint32_t task_attempt(const struct task *t) { return t->event ? t->event->attempt : 1; }
bool task_rerun(const struct task *t) { return t->event && t->event->rerun; }
size_t task_count(void) { return tasks.count; }

void task_next_call(struct task *t, char ret_label[TASK_LABEL_SIZE])
{
    str_number(stpcpy(ret_label, t->prefix), ++t->calls);
}

void task_number_after(struct task *t, struct task *parent)
{
    if (!parent) return;
    char own[sizeof t->prefix + 16], *end = str_number(stpcpy(own, parent->prefix), ++parent->spawns);
    *end++ = '.';
    *end++ = 0;
    size_t n = (size_t)(end - own);
    if (n < sizeof t->prefix - 11) {
        memcpy(t->prefix, own, n);
        return;
    }
    /* Nested too deep to spell out. Labels must stay different, or two sends would share a retry key: hash the path
     * (64-bit FNV-1a). */
    uint64_t h = 14695981039346656037u;
    for (const char *p = parent->prefix; *p; p++) h = (h ^ (unsigned char)*p) * 1099511628211u;
    snprintf(t->prefix, sizeof t->prefix, "h%016llx.%u.", (unsigned long long)h, parent->spawns);
}

void task_describe(char *ret, size_t n)
{
    struct task *t = tasks.current;
    unsigned generation = worker_get()->generation;
    if (t && task_timer(t)) snprintf(ret, n, "timer of %s, generation %u", task_timer(t), generation);
    else if (t && t->event) snprintf(ret, n, "%s%s, generation %u", t->event->web ? "" : "event ", t->event->id, generation);
    else if (worker_get()->loading) snprintf(ret, n, "while loading, generation %u", generation);
    else snprintf(ret, n, "generation %u", generation);
}

struct task *task_first(const struct event *e)
{
    struct task *t = tasks.alive;
    while (t && e && t->event != e) t = t->next;
    return t;
}

/* ---- run queue ---- */
static void turn_cb(uv_check_t *check);
static void idle_cb(uv_idle_t *idle) { (void)idle; }

static void queue(struct task *t)
{
    t->state = TASK_READY;
    t->next_ready = NULL;
    *tasks.ready_tail = t;
    tasks.ready_tail = &t->next_ready;
    if (tasks.queued) return;
    tasks.queued = true;
    uv_idle_start(&tasks.idle, idle_cb);
    uv_check_start(&tasks.check, turn_cb);
}

void task_ready(struct task *t) { queue(t); }

void task_wake(struct wait *w)
{
    struct task *t = w->task;
    if (!t || t->wait != w) return; /* it never came to wait, or is queued already */
    t->wait = NULL;
    queue(t);
}

static void unqueue(struct task *t)
{
    struct task **p = &tasks.ready;
    while (*p && *p != t) p = &(*p)->next_ready;
    if (!*p) return;
    *p = t->next_ready;
    if (!*p) tasks.ready_tail = p;
}

/* ---- making ---- */
static struct task *make(void)
{
    lua_State *L = worker_get()->L;
    struct task *t = mem_zalloc(sizeof *t);
    memory_grace();
    t->co = lua_newthread(L);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    memory_ungrace();
    return t;
}

struct task *task_new(struct event *e)
{
    const struct worker *w = worker_get();
    struct task *t = tasks.pool;
    if (t) {
        tasks.pool = t->next_ready;
        tasks.pooled--;
    } else {
        t = make();
    }
    *t = (struct task){.co = t->co, .ref = t->ref, .generation = t->generation, .event = e,
                       .limit_ms = w->options.cpu_limit, .limit_option = "--cpu-limit", .next = tasks.alive};
    coroutine_set_use(t->co, COROUTINE_TASK);
    if (t->next) t->next->prev = t;
    tasks.alive = t;
    if (e) e->tasks++;
    tasks.count++;
    return t;
}

/* ---- entering and leaving Lua ---- */
static void enter(struct task *t, lua_State *L)
{
    struct worker *w = worker_get();
    if (task_timer(t)) snprintf(w->page->timer, sizeof w->page->timer, "%s", task_timer(t));
    uint64_t seq = t->event ? t->event->seq : w->loading || t->loads ? PAGE_LOADING : 0;
    /* One writer, so plain adds; the order matters: who sees runs odd must see this seq. */
    atomic_store_explicit(&w->page->seq, seq, memory_order_relaxed);
    uint64_t runs = atomic_load_explicit(&w->page->runs, memory_order_relaxed);
    atomic_store_explicit(&w->page->runs, runs + 1, memory_order_release);
    tasks.current = t;
    budget_begin(L, t->limit_ms, t->limit_option);
}

static void leave(void)
{
    struct worker *w = worker_get();
    budget_end();
    tasks.current = NULL;
    uint64_t runs = atomic_load_explicit(&w->page->runs, memory_order_relaxed);
    atomic_store_explicit(&w->page->runs, runs + 1, memory_order_release);
}

/* ---- ending ---- */

/* error{code = 5}: its fields, since "table: 0x…" tells nobody anything. At most what fits; false if it has none. */
static bool push_fields(lua_State *L)
{
    char text[512];
    size_t used = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        int type = lua_type(L, -1);
        bool shown = type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN;
        if (lua_type(L, -2) == LUA_TSTRING && shown && used < sizeof text) {
            const char *name = lua_tostring(L, -2), *value = luaL_tolstring(L, -1, NULL);
            const char *comma = used ? ", " : "";
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.60s = %.200s", comma, name, value);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    if (used) lua_pushfstring(L, "{%s%s}", text, used < sizeof text ? "" : "…");
    return used > 0;
}

/* A script's own error object may have a __tostring, so this is Lua and needs a pcall and a budget. */
static int tostring_protected(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL && push_fields(L)) return 1;
    luaL_tolstring(L, 1, NULL);
    return 1;
}

static void describe_error(struct task *t)
{
    lua_State *L = worker_get()->L, *co = t->co;
    size_t n;
    const char *s;
    buf_clear(&tasks.why);
    if (lua_type(co, -1) == LUA_TSTRING) {
        s = lua_tolstring(co, -1, &n);
        buf_append(&tasks.why, s, n > LIMIT_ERROR_TEXT / 2 ? LIMIT_ERROR_TEXT / 2 : n);
    } else {
        const char *type = luaL_typename(co, -1);
        enter(t, L);
        task_blocked++;
        memory_grace();
        lua_checkstack(co, 1);
        memory_ungrace();
        lua_pushcfunction(L, tostring_protected);
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
        int failed = lua_pcall(L, 1, 1, 0);
        s = lua_tolstring(L, -1, &n);
        if (failed || !s) buf_printf(&tasks.why, "the error is a %s that has no text", type);
        else buf_append(&tasks.why, s, n > LIMIT_ERROR_TEXT / 2 ? LIMIT_ERROR_TEXT / 2 : n);
        lua_settop(L, 0);
        lua_sethook(L, NULL, 0, 0);
        task_blocked--;
        leave();
    }
    tasks.message_n = tasks.why.len;
    trace_back(co, &tasks.why);
}

/* Run the <close> variables of a coroutine and of those inside it, innermost first; the collector never would. They get
 * a processor time of their own and may not wait. */
static void close_coroutines(struct task *t)
{
    lua_State *nest[NEST_MOST] = {t->co}, *L = worker_get()->L;
    int n = 1;
    while (n < NEST_MOST && (nest[n] = coroutine_inner(nest[n - 1]))) n++;
    enter(t, t->co);
    task_blocked++;
    while (n--) {
        lua_State *co = nest[n];
        budget_switch(co);
        lua_sethook(co, NULL, 0, 0);
        coroutine_set_use(co, COROUTINE_CLOSING);
        if (lua_status(co) != LUA_OK || lua_gettop(co)) lua_close_coroutine(co, L);
        lua_settop(co, 0);
        coroutine_set_use(co, COROUTINE_PLAIN);
    }
    task_blocked--;
    leave();
}

/* Back to the pool, or gone. clean: the coroutine ended by itself and can run another function. */
static void release(struct task *t, bool clean)
{
    lua_State *L = worker_get()->L;
    if (clean && tasks.pooled < POOL_MOST) {
        t->next_ready = tasks.pool;
        tasks.pool = t;
        tasks.pooled++;
        return;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, t->ref);
    free(t);
}

/* Tasks of a line.all end with the task that waits for them. */
static void kill_children(struct task *parent)
{
    for (struct task *t = tasks.alive; t && parent->children;) {
        if (t->parent != parent || t->state == TASK_DEAD) {
            t = t->next;
            continue;
        }
        task_kill(t, "cancelled with the function that waited for it");
        t = tasks.alive; /* the list may have changed anywhere */
    }
}

static void tell_page(void)
{
    struct worker_page *page = worker_get()->page;
    atomic_store_explicit(&page->lua_bytes, memory.used, memory_order_relaxed);
    atomic_store_explicit(&page->tasks, tasks.count, memory_order_relaxed);
}

/* The one end of every task. */
static void put_away(struct task *t, enum task_outcome o, int results)
{
    struct event *e = t->event;
    bool taken, memory_broke = o == TASK_BROKE && budget_tripped() == BUDGET_MEMORY;
    t->state = TASK_DEAD;
    if (o == TASK_RAISED) describe_error(t);
    if (o == TASK_BROKE) {
        buf_clear(&tasks.why);
        struct str why = budget_why();
        buf_append(&tasks.why, why.p, why.n);
        tasks.message_n = strcspn(tasks.why.data, "\n");
    }
    t->message_n = tasks.message_n;
    /* A copy: ending others from here, which ended() and the event may do, uses the buffer again. */
    char *text = o == TASK_OK ? NULL : mem_strndup(tasks.why.data ? tasks.why.data : "", tasks.why.len);
    struct str why = str_of(text);
    taken = t->ended && t->ended(t, o, results, why);
    t->ended = NULL;
    kill_children(t);
    if (t->parent) t->parent->children--;
    bool clean = o == TASK_OK && lua_status(t->co) == LUA_OK;
    if (clean) lua_settop(t->co, 0);
    else close_coroutines(t);

    if (t->prev) t->prev->next = t->next;
    else tasks.alive = t->next;
    if (t->next) t->next->prev = t->prev;
    tasks.count--;
    t->generation++;
    t->state = TASK_FREE;
    release(t, clean);
    tell_page();
    if (e) event_task_ended(e, taken && o != TASK_BROKE ? TASK_OK : o, why);
    free(text);
    if (memory_broke) {
        /* What the script held is gone now; what globals hold stays, and would break the next event instead. */
        memory_grace();
        lua_gc(worker_get()->L, LUA_GCCOLLECT);
        memory_ungrace();
        if (memory.used > memory.limit / 4 * 3) worker_unfit();
    }
}

void task_kill(struct task *t, const char *why)
{
    char where[512] = "?";
    if (t->state == TASK_DEAD || t->state == TASK_FREE) return;
    lua_State *at = t->wait ? t->wait_L : t->co;
    if (t->state == TASK_READY) unqueue(t);
    if (t->wait) {
        struct wait *w = t->wait;
        t->wait = NULL;
        w->cancel(w);
    }
    trace_where(at, where, sizeof where);
    buf_clear(&tasks.why);
    buf_printf(&tasks.why, "%s: %s", where, why);
    tasks.message_n = tasks.why.len;
    trace_back(at, &tasks.why);
    if (at != t->co) trace_back(t->co, &tasks.why);
    put_away(t, TASK_KILLED, 0);
}

/* ---- running ---- */
static void resume(struct task *t)
{
    lua_State *co = t->co;
    int results = 0, arguments = t->arguments;
    t->arguments = 0;
    t->state = TASK_RUNNING;
    enter(t, co);
    int status = lua_resume(co, worker_get()->L, arguments, &results);
    if (status == LUA_ERRMEM) budget_out_of_memory(co);
    leave();
    if (status == LUA_YIELD && t->wait && lua_touserdata(co, -1) == &task_sentinel && !budget_tripped()) {
        lua_pop(co, results);
        t->state = TASK_WAITING;
        return;
    }
    if (t->wait) { /* a wait that was begun and left by other means than its end */
        struct wait *w = t->wait;
        t->wait = NULL;
        w->cancel(w);
    }
    if (budget_tripped()) return put_away(t, TASK_BROKE, 0);
    if (status == LUA_OK) return put_away(t, TASK_OK, results);
    if (status == LUA_YIELD) { /* a C module of the script yields by itself; nobody would ever resume it */
        lua_pop(co, results);
        memory_grace();
        lua_pushstring(co, "yielded outside of any coroutine of the script");
        memory_ungrace();
    }
    put_away(t, TASK_RAISED, 1);
}

/* What is ready at the start of a turn runs; what it wakes waits for the next turn, after the loop looked at its files. */
static void turn_cb(uv_check_t *check)
{
    (void)check;
    unsigned n = 0;
    for (struct task *t = tasks.ready; t; t = t->next_ready) n++;
    while (tasks.ready && n--) {
        struct task *t = tasks.ready;
        tasks.ready = t->next_ready;
        if (!tasks.ready) tasks.ready_tail = &tasks.ready;
        resume(t);
    }
    tell_page();
    if (tasks.ready) return;
    tasks.queued = false;
    uv_idle_stop(&tasks.idle);
    uv_check_stop(&tasks.check);
}

/* ---- waiting ---- */

/* Push the name of the library function on top of the stack, such as "table.sort"; NULL: it is of no library. Looked up,
 * because a function that pcall calls has no name where it is called. */
LJMP static const char *library_name(lua_State *L)
{
    static const char *const libraries[] = {"table", "string"}, *const others[] = {"tostring", "load"};
    int f = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        lua_pushstring(L, libraries[i]);
        if (lua_rawget(L, f + 1) != LUA_TTABLE) continue;
        int library = lua_gettop(L);
        for (lua_pushnil(L); lua_next(L, library); lua_pop(L, 1)) {
            if (!lua_rawequal(L, -1, f) || lua_type(L, -2) != LUA_TSTRING) continue;
            return lua_pushfstring(L, "%s.%s", libraries[i], lua_tostring(L, -2));
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        lua_getglobal(L, others[i]);
        if (lua_rawequal(L, -1, f)) return others[i];
    }
    return NULL;
}

/* The innermost library function that calls back and cannot be suspended. What of ours stands in between can be: it is in
 * no library. Leaves values on the stack: an error follows. */
LJMP static const char *culprit(lua_State *L)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        luaL_checkstack(L, 16, NULL);
        lua_getinfo(L, "Sf", &ar);
        const char *name = ar.what[0] == 'C' ? library_name(L) : NULL;
        if (name) return name;
    }
    return NULL;
}

LJMP static int refuse_to_wait(lua_State *L, const char *what, const char *why)
{
    task_push_where(L);
    lua_pushfstring(L, "%s: %s: cannot wait here: %s", lua_tostring(L, -1), what, why);
    return lua_error(L);
}

LJMP void task_check_can_wait(lua_State *L, const char *what)
{
    luaL_checkstack(L, LUA_MINSTACK, "to wait");
    budget_check(L);
    if (tasks.current && !task_blocked && lua_isyieldable(L)) {
        if (!tasks.current->wait) return;
        refuse_to_wait(L, what, "this event waits already, inside a coroutine of a C module");
    }
    const char *inside = culprit(L);
    if (inside)
        refuse_to_wait(L, what, lua_pushfstring(L, "inside '%s', which is C and calls back (as table.sort does with its "
                                                   "comparator, string.gsub with its function and tostring with "
                                                   "__tostring); call it before or after", inside));
    refuse_to_wait(L, what, "what called this is C or Lua itself and cannot be suspended: a comparator of table.sort, a "
                            "function of string.gsub, a __tostring or __gc, a __close that runs while something ends");
}

LJMP int task_wait(lua_State *L, struct wait *w, lua_KFunction k, lua_KContext ctx)
{
    struct task *t = tasks.current;
    w->task = t;
    t->wait = w;
    t->wait_L = L;
    lua_pushlightuserdata(L, &task_sentinel);
    return lua_yieldk(L, 1, ctx, k);
}

/* ---- start and end of the worker ---- */
int tasks_open(void)
{
    struct worker *w = worker_get();
    tasks.ready_tail = &tasks.ready;
    buf_init(&tasks.why, LIMIT_ERROR_TEXT);
    uv_check_init(w->loop, &tasks.check);
    uv_idle_init(w->loop, &tasks.idle);
    return budget_open(w->options.cpu_limit, task_describe);
}

void tasks_close(void)
{
    struct task *t;
    while ((t = task_first(NULL))) task_kill(t, "the worker ends");
    while ((t = tasks.pool)) {
        tasks.pool = t->next_ready;
        tasks.pooled--;
        release(t, false);
    }
    buf_free(&tasks.why);
}

void tasks_close_handles(void)
{
    budget_close();
    tasks.queued = false;
    uv_close((uv_handle_t *)&tasks.check, NULL);
    uv_close((uv_handle_t *)&tasks.idle, NULL);
}
