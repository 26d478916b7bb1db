/* line.now() → milliseconds
 * The time since 1970 as an integer, by the clock of this machine: what LINE's timestamps count. Does not wait.
 *
 * line.sleep(seconds)
 * Lets other chats go on for so long, from 0 to 86400; fractions count. Returns nothing. Waits. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/task.h"

#define SECONDS_MOST 86400.0
#define POOL_MOST 64

/* libuv holds a timer until a turn after its closing, which a userdata cannot promise to live; so timers are apart from
 * the userdata, stopped and used again. */
struct timer {
    uv_timer_t uv;
    struct sleep *of;   /* NULL: idle */
    struct timer *next; /* idle ones */
};
struct sleep {
    struct wait wait;
    struct timer *timer; /* NULL: over */
};
static struct timer *idle;
static unsigned idle_n;

static void timer_closed(uv_handle_t *h) { free(h->data); }

static void give_back(struct timer *t)
{
    uv_timer_stop(&t->uv);
    t->of = NULL;
    if (idle_n == POOL_MOST) return uv_close((uv_handle_t *)&t->uv, timer_closed);
    t->next = idle;
    idle = t;
    idle_n++;
}

static struct timer *take(void)
{
    struct timer *t = idle;
    if (t) {
        idle = t->next;
        idle_n--;
        return t;
    }
    t = mem_zalloc(sizeof *t);
    uv_timer_init(worker_get()->loop, &t->uv);
    t->uv.data = t;
    return t;
}

static void fire(uv_timer_t *uv)
{
    struct timer *t = uv->data;
    struct sleep *s = t->of;
    s->timer = NULL;
    give_back(t);
    task_wake(&s->wait);
}

static void cancel(struct wait *w)
{
    struct sleep *s = (struct sleep *)w; /* its first member */
    if (s->timer) give_back(s->timer);
    s->timer = NULL;
}

static int slept(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

int lua_time_now(lua_State *L)
{
    lua_pushinteger(L, clock_wall_ms());
    return 1;
}

int lua_time_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= SECONDS_MOST, 1, "seconds from 0 to 86400 expected");
    task_check_can_wait(L, "line.sleep");
    struct sleep *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct sleep){.wait.cancel = cancel, .timer = take()};
    s->timer->of = s;
    uv_update_time(worker_get()->loop); /* else a handler's own time would count as slept */
    /* The loop counts whole milliseconds from the last one that began: one more, so that a sleep is never too short. */
    uv_timer_start(&s->timer->uv, fire, seconds > 0 ? (uint64_t)(seconds * 1000) + 1 : 0, 0);
    return task_wait(L, &s->wait, slept, 0);
}

void lua_time_close(void)
{
    while (idle) {
        struct timer *t = idle;
        idle = t->next;
        uv_close((uv_handle_t *)&t->uv, timer_closed);
    }
    idle_n = 0;
}
