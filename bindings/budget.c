#include "bindings/budget.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "bindings/coroutine.h"
#include "bindings/lua_api.h"
#include "bindings/memory.h"
#include "bindings/trace.h"

#define TICK_SIGNAL (SIGRTMIN + 3)
#define TICK_LEAST_NS (1 * NS_PER_MS)
#define TICK_MOST_NS (10 * NS_PER_MS)

/* Shared with the signal handler, which runs on the same thread: volatile is enough. */
static struct {
    lua_State *volatile L;       /* runs now; NULL: no Lua runs */
    volatile uint64_t run;       /* number of the run */
    volatile int64_t limit_ns;
    volatile uint64_t over;      /* number of the run that is over its limit */
    uint64_t seen;               /* handler only: the run of the last tick, */
    int64_t since_ns;            /* and the processor clock at its first tick */
    enum budget_trip tripped;
    int64_t limit_ms;
    const char *option;
    void (*describe)(char *ret, size_t n);
    struct buf why;
    size_t why_line;             /* length of its first line */
    timer_t timer;
    bool open;
} budget;

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* The message and the frames of L, kept in C: what the script does with the error cannot change them any more. */
static void trip(lua_State *L, enum budget_trip kind)
{
    char where[512], whose[160];
    if (budget.tripped) return;
    budget.tripped = kind;
    budget.describe(whose, sizeof whose);
    trace_where(L, where, sizeof where);
    buf_clear(&budget.why);
    if (kind == BUDGET_CPU) {
        buf_printf(&budget.why, "%s: used more than %lld ms of processor time without waiting (%s; %s)", where,
                   (long long)budget.limit_ms, whose, budget.option);
    } else {
        size_t mib = memory.limit >> 20, kib = memory.limit >> 10;
        buf_printf(&budget.why, "%s: used more than %zu %s of memory (%s; --memory-limit)", where, mib ? mib : kib,
                   mib ? "MiB" : "KiB", whose);
    }
    budget.why_line = budget.why.len;
    trace_back(L, &budget.why);
}

static int raise_why(lua_State *L)
{
    lua_pushlstring(L, budget.why.data, budget.why_line);
    return lua_error(L);
}

/* Set by the tick, with count 1, so that it comes again at once should the script have caught the error. It may also
 * outlive its run on a coroutine that stopped just in time; then it takes itself off. */
static void hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (!budget.tripped && budget.over != budget.run) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    trip(L, BUDGET_CPU);
    /* A count hook may yield. That beats raising: no pcall sees it, and the coroutine stays whole, while after an error
     * from inside a hook Lua never calls hooks on it again (its <close> variables could then loop for ever). Who resumed
     * it finds out by budget_tripped(). Where it cannot yield, below a C function or in a __close, it raises. */
    if (coroutine_may_yield(L)) lua_yield(L, 0);
    else raise_why(L);
}

/* Only what is allowed in a signal handler. The first tick of a run notes the clock, so a run costs no system call when
 * it is short; it gets up to one tick more than its limit. Ticks go on after the limit: whichever coroutine of the run
 * is at work by then is caught too. */
static void tick(int sig)
{
    (void)sig;
    int keep = errno;
    lua_State *L = budget.L;
    if (L) {
        int64_t now = cpu_ns();
        if (budget.seen != budget.run) {
            budget.seen = budget.run;
            budget.since_ns = now;
        } else if (now - budget.since_ns >= budget.limit_ns) {
            budget.over = budget.run;
            lua_sethook(L, hook, LUA_MASKCOUNT, 1);
        }
    }
    errno = keep;
}

int budget_open(int64_t cpu_limit_ms, void (*describe)(char *ret, size_t n))
{
    budget.describe = describe;
    buf_init(&budget.why, LIMIT_ERROR_TEXT);
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK_SIGNAL};
    event._sigev_un._tid = (int)syscall(SYS_gettid); /* this thread: others must not be interrupted, nor counted */
    if (sigaction(TICK_SIGNAL, &action, NULL)) return ERR_IO;
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &budget.timer)) return ERR_IO;
    int64_t ns = cpu_limit_ms * NS_PER_MS / 20;
    if (ns < TICK_LEAST_NS) ns = TICK_LEAST_NS;
    if (ns > TICK_MOST_NS) ns = TICK_MOST_NS;
    struct itimerspec every = {{0, ns}, {0, ns}};
    if (timer_settime(budget.timer, 0, &every, NULL)) {
        timer_delete(budget.timer);
        return ERR_IO;
    }
    budget.open = true;
    return 0;
}

void budget_close(void)
{
    if (!budget.open) return;
    budget.L = NULL;
    timer_delete(budget.timer);
    /* A tick that is already on its way must find a handler: the default action would end the process. */
    signal(TICK_SIGNAL, SIG_IGN);
    buf_free(&budget.why);
    budget.open = false;
}

void budget_begin(lua_State *L, int64_t limit_ms, const char *option)
{
    budget.limit_ms = limit_ms;
    budget.limit_ns = limit_ms * NS_PER_MS;
    budget.option = option;
    budget.tripped = BUDGET_KEPT;
    budget.run++;
    budget.L = L;
}

void budget_end(void)
{
    budget.L = NULL;
}

lua_State *budget_switch(lua_State *L)
{
    lua_State *before = budget.L;
    budget.L = L;
    return before;
}

enum budget_trip budget_tripped(void) { return budget.tripped; }

struct str budget_why(void) { return buf_str(&budget.why); }

void budget_out_of_memory(lua_State *L) { trip(L, BUDGET_MEMORY); }

LJMP void budget_check(lua_State *L)
{
    if (!budget.tripped) return;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1); /* should this be caught as well, the next instruction raises again */
    raise_why(L);
}
