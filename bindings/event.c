/* Events: from a frame to a task, and from the end of the last task to a DONE frame. The handler limit counts here. The
 * run of a timer is one, too, of which no frame tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/json.h"
#include "bindings/task_private.h"
#include "bindings/web.h"

#define POOL_MOST 64
#define BODY_KEPT 8192 /* bytes of buffer a pooled event keeps */

static struct {
    struct event *oldest, *newest;
    struct event *pool;
    unsigned pooled;
    size_t running;      /* those of webhooks and timers; requests are counted where they are answered */
    int handle_ref;      /* the router's handle */
    uv_timer_t limit;    /* the handler limit of the oldest event */
    bool armed;
} events = {.handle_ref = LUA_NOREF};

size_t events_running(void) { return events.running; }
void event_set_router(int handle_ref) { events.handle_ref = handle_ref; }

/* ---- the handler limit ---- */
static void limit_cb(uv_timer_t *timer);

static void arm(void)
{
    if (events.armed || !events.oldest) return;
    int64_t left = events.oldest->started_ns / NS_PER_MS + worker_get()->options.handler_limit - clock_ns() / NS_PER_MS;
    uv_update_time(events.limit.loop); /* its idea of now is the start of the turn */
    uv_timer_start(&events.limit, limit_cb, left > 0 ? (uint64_t)left + 1 : 1, 0);
    events.armed = true;
}

static void set_why(struct event *e, struct str why)
{
    buf_clear(&e->why);
    buf_append(&e->why, why.p, why.n);
}

void event_log_failure(const struct event *e, const char *message, struct str why)
{
    const struct worker *w = worker_get();
    if (!e) {
        LOG(ERROR, message, F_STR("bot", w->bot), F_INT("generation", w->generation), F_VIEW("error", why));
        return;
    }
    if (e->timer) {
        LOG(ERROR, message, F_STR("bot", w->bot), F_INT("generation", w->generation), F_STR("timer", e->timer),
            F_STR("origin", e->origin), F_INT("ms", (clock_ns() - e->started_ns) / NS_PER_MS), F_VIEW("error", why));
        return;
    }
    LOG(ERROR, message, F_STR("bot", w->bot), F_INT("generation", w->generation), F_STR(e->web ? "request" : "event", e->id),
        F_STR("chat", e->chat[0] ? e->chat : NULL), F_INT("ms", (clock_ns() - e->started_ns) / NS_PER_MS),
        F_VIEW("error", why));
}

/* End every task of the event; the last one's end is the event's. */
static void end_tasks(struct event *e, const char *why)
{
    struct task *t;
    unsigned left = e->tasks;
    /* Counted, because with its last task the event is gone, and the struct may be another event's. */
    while (left-- && (t = task_first(e))) task_kill(t, why);
}

static void over_limit(struct event *e)
{
    char why[512];
    const struct worker *w = worker_get();
    long long ms = w->options.handler_limit;
    const char *of = e->timer ? "timer of " : e->web ? "" : "event ";
    snprintf(why, sizeof why, "the %s was still waiting here after %lld %s (%s%s, generation %u; --handler-limit)",
             e->timer ? "timer's function" : "handler", ms % 1000 ? ms : ms / 1000, ms % 1000 ? "ms" : "s", of,
             e->timer ? e->timer : e->id, w->generation);
    e->outcome = WIRE_DONE_FAILED;
    e->over = true;
    buf_clear(&e->why);
    end_tasks(e, why);
}

/* Put it last in the order of starts, or take it out: then no handler limit runs out for it. */
static void list(struct event *e)
{
    e->listed = true;
    e->started_ns = clock_ns();
    e->older = events.newest;
    e->newer = NULL;
    if (e->older) e->older->newer = e;
    else events.oldest = e;
    events.newest = e;
    arm();
}

static void unlist(struct event *e)
{
    if (!e->listed) return;
    e->listed = false;
    if (e->older) e->older->newer = e->newer;
    else events.oldest = e->newer;
    if (e->newer) e->newer->older = e->older;
    else events.newest = e->older;
}

void event_unlimited(struct event *e) { unlist(e); }

void event_limited(struct event *e)
{
    if (!e->listed) list(e);
}

static void limit_cb(uv_timer_t *timer)
{
    (void)timer;
    events.armed = false;
    int64_t limit_ns = worker_get()->options.handler_limit * NS_PER_MS;
    while (events.oldest && clock_ns() - events.oldest->started_ns >= limit_ns) over_limit(events.oldest);
    arm();
}

/* ---- begin ---- */

/* For log lines: groupId before roomId before userId, as the order of events has it. Event on top of the stack. */
static void note_chat(lua_State *L, struct event *e)
{
    static const char *const keys[] = {"groupId", "roomId", "userId"};
    if (lua_getfield(L, -1, "source") == LUA_TTABLE) {
        for (size_t i = 0; i < sizeof keys / sizeof *keys && !e->chat[0]; i++) {
            if (lua_getfield(L, -1, keys[i]) == LUA_TSTRING)
                snprintf(e->chat, sizeof e->chat, "%s", lua_tostring(L, -1));
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static int handled_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct event *e = (struct event *)ctx;
    e->handled = lua_toboolean(L, -1);
    return 0;
}

/* The body of an event's coroutine: everything that may raise happens in here. */
static int event_main(lua_State *L)
{
    struct event *e = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, events.handle_ref);
    json_decode(L, buf_str(&e->body));
    buf_clear(&e->body);
    buf_trim(&e->body, BODY_KEPT);
    if (!lua_istable(L, -1)) return luaL_error(L, "the event is not a JSON object");
    note_chat(L, e);
    lua_callk(L, 1, 1, (lua_KContext)e, handled_k);
    return handled_k(L, LUA_OK, (lua_KContext)e);
}

static bool handler_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    (void)n;
    if (o == TASK_RAISED) event_log_failure(t->event, "handler failed", why);
    return false;
}

/* One more that runs, of nothing yet. id: "" for a timer. */
static struct event *take(struct str id)
{
    struct event *e = events.pool;
    if (e) {
        events.pool = e->older;
        events.pooled--;
    } else {
        e = mem_zalloc(sizeof *e);
        buf_init(&e->body, LIMIT_FRAME);
        buf_init(&e->why, LIMIT_ERROR_TEXT);
    }
    e->seq = 0;
    e->attempt = 1;
    e->rerun = e->handled = e->over = false;
    e->web = NULL;
    e->timer_over = NULL;
    e->timer = e->origin = NULL;
    e->outcome = WIRE_DONE_OK;
    e->tasks = 0;
    e->chat[0] = 0;
    e->id_n = id.n < sizeof e->id ? id.n : sizeof e->id - 1;
    memcpy(e->id, id.p, e->id_n);
    e->id[e->id_n] = 0;
    list(e);
    return e;
}

struct event *event_of_request(struct web_request *r, uint64_t seq, struct str line)
{
    struct event *e = take(line);
    e->seq = seq;
    e->web = r;
    return e;
}

void event_begin(const struct wire_event *w)
{
    struct event *e = take(w->id);
    e->seq = w->seq;
    e->attempt = w->attempt;
    e->rerun = w->rerun;
    buf_append(&e->body, w->body.p, w->body.n);
    events.running++;

    struct task *t = task_new(e);
    lua_pushcfunction(t->co, event_main);
    lua_pushlightuserdata(t->co, e);
    t->arguments = 1;
    t->ended = handler_ended;
    task_ready(t);
}

/* ---- timers ---- */
struct event *event_begin_timer(void (*over)(void *user), void *user)
{
    struct event *e = take((struct str){"", 0});
    e->seq = PAGE_TIMER;
    events.running++;
    e->timer_over = over;
    e->timer_user = user;
    e->timer = "?";
    return e;
}

void event_name_timer(struct event *e, const char *where, const char *origin)
{
    e->timer = where;
    e->origin = origin;
}

bool event_timer_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    (void)n;
    if (o == TASK_RAISED) event_log_failure(t->event, "timer failed", why);
    return false;
}

/* ---- end ---- */
static void tell_host(const struct event *e)
{
    struct wire_done d = {.seq = e->seq, .outcome = e->outcome, .why = buf_str(&e->why),
                          .micros = (uint64_t)(clock_ns() - e->started_ns) / 1000};
    if (e->outcome == WIRE_DONE_OK && !e->handled) d.outcome = WIRE_DONE_UNHANDLED;
    if (worker_wire()) wire_send_done(worker_wire(), &d);
}

static void put_away(struct event *e)
{
    unlist(e);
    if (events.pooled == POOL_MOST) {
        buf_free(&e->body);
        buf_free(&e->why);
        free(e);
        return;
    }
    buf_clear(&e->body);
    buf_clear(&e->why);
    buf_trim(&e->body, BODY_KEPT);
    e->older = events.pool;
    events.pool = e;
    events.pooled++;
}

static void done(struct event *e)
{
    void (*over)(void *user) = e->timer_over;
    void *user = e->timer_user;
    if (e->web) web_tasks_ended(e->web);
    else events.running--;
    if (!e->web && !over) tell_host(e);
    put_away(e);
    if (over) over(user);
}

void event_task_ended(struct event *e, enum task_outcome o, struct str why)
{
    if (o == TASK_BROKE && e->outcome != WIRE_DONE_BROKE) {
        event_log_failure(e, e->timer ? "timer stopped" : "handler stopped", why);
        e->outcome = WIRE_DONE_BROKE;
        set_why(e, why);
    } else if (o == TASK_RAISED && e->outcome == WIRE_DONE_OK) {
        e->outcome = WIRE_DONE_FAILED;
        set_why(e, why);
    } else if (o == TASK_KILLED && e->over && !e->why.len) {
        event_log_failure(e, e->timer ? "timer stopped" : "handler stopped", why);
        set_why(e, why);
    }
    if (--e->tasks == 0) return done(e);
    /* It will be run again as a whole: nothing of it may go on. */
    if (o == TASK_BROKE) end_tasks(e, "ended with its event, which broke a limit");
}

void events_open(void)
{
    uv_timer_init(worker_get()->loop, &events.limit);
}

void events_close_handles(void)
{
    uv_close((uv_handle_t *)&events.limit, NULL);
    while (events.pool) {
        struct event *e = events.pool;
        events.pool = e->older;
        buf_free(&e->body);
        buf_free(&e->why);
        free(e);
    }
    events.pooled = 0;
}
