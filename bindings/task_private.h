/* Tasks and events as the files of the heart see them; API groups use task.h. */
#pragma once
#include "base/buf.h"
#include "base/limits.h"
#include "bindings/budget.h"
#include "bindings/lua_api.h"
#include "bindings/task.h"
#include "host/wire.h"

enum task_state {
    TASK_FREE,    /* in the pool */
    TASK_READY,   /* in the run queue: new, or woken */
    TASK_RUNNING, /* its Lua runs now */
    TASK_WAITING, /* suspended; wait says on what */
    TASK_DEAD,    /* being put away */
};

enum task_outcome {
    TASK_OK,
    TASK_RAISED,
    TASK_BROKE,   /* a budget; budget_why() says which */
    TASK_KILLED,  /* by the handler limit, a sibling's failure, the end of the worker */
};

/* An event under way: its handler's task and what the handler spawned. Done when the last of them ended. */
struct event {
    struct event *older, *newer;  /* by start: the handler limit runs out in this order */
    uint64_t seq;
    uint32_t attempt;
    bool rerun, handled, over;    /* handled: a handler matched. over: being ended as a whole */
    bool listed;                  /* the handler limit counts for it */
    struct web_request *web;      /* not a webhook's event, but a request of a route: id then is its line, "GET /path" */
    uint8_t outcome;              /* WIRE_DONE_OK until something failed */
    unsigned tasks;               /* alive */
    int64_t started_ns;
    /* Not NULL: no event of LINE's but the run of a timer, and this is called instead of a DONE frame. seq is PAGE_TIMER, id
     * and chat are empty. */
    void (*timer_over)(void *user);
    void *timer_user;
    const char *timer, *origin;   /* where the timer was made; the event in which it was, or NULL. Borrowed */
    char id[LIMIT_EVENT_ID + 1], chat[LIMIT_EVENT_ID * 2]; /* chat: "" while unknown */
    size_t id_n;
    struct buf body;              /* JSON, until the handler's task decoded it */
    struct buf why;               /* the first failure, or the one that broke a budget */
};

struct task {
    struct task *next_ready;      /* run queue, or pool of free ones */
    struct task *next, *prev;     /* all that are alive */
    enum task_state state;
    uint32_t generation;          /* of this struct: +1 at each end, so that a stale pointer can be told */
    lua_State *co;
    int ref;                      /* of co in the registry: taken in task_new, released in put_away or kept with the pool */
    int arguments;                /* on co's stack above the function, for the first resume */
    struct wait *wait;            /* WAITING: what for */
    lua_State *wait_L;            /* the coroutine that waits: co, or one of the script's own inside it */
    struct event *event;          /* NULL: the load, or a spawn of it */
    struct task *parent;          /* line.all: ends with it. NULL else */
    unsigned children;            /* alive whose parent this is */
    int64_t limit_ms;             /* processor time between waits */
    const char *limit_option;
    bool loads;                   /* it is the bot's top level */
    uint32_t calls, spawns;       /* counters of task_next_call */
    char prefix[48];              /* "2.1." before the number of a call */
    /* The task ended; on top of co are n results, or the error object (n 1), or nothing (killed: n 0). Runs outside Lua
     * and unprotected: what it allocates there it does under grace. Returns true if somebody
     * takes the error, so that it is not the event's failure. */
    bool (*ended)(struct task *t, enum task_outcome o, int n, struct str why);
    void *user;
    size_t message_n;             /* in ended(): bytes of why before the traceback */
};

/* ---- task.c ---- */
int tasks_open(void);             /* once the loop and the state exist: 0 or ERR_IO */
void tasks_close(void);           /* ends whatever is left, frees the pool; before lua_close */
void tasks_close_handles(void);   /* the loop's side; before the loop ends */
/* A task of the event (NULL: of none). Push the function and its arguments on ->co (their number in ->arguments), then
 * task_ready. Outside Lua or inside; allocates under grace, never fails. */
struct task *task_new(struct event *e);
/* The next task spawned by parent (NULL: none): its calls are numbered after the parent's. */
void task_number_after(struct task *t, struct task *parent);
void task_ready(struct task *t);
/* End a task that does not run. why is what its traceback is put under; copied. */
void task_kill(struct task *t, const char *why);
/* The first task alive of the event, or of all if e is NULL; NULL: none. */
struct task *task_first(const struct event *e);
size_t task_count(void);
/* "event 01H…, generation 3": the current task's, for messages. */
void task_describe(char *ret, size_t n);
/* While not 0, Lua may not wait though its coroutine could: a coroutine is being closed, or a script's own coroutine was
 * resumed from where waiting is impossible. */
extern unsigned task_blocked;
/* The value that task_wait yields, to tell it from a script's own yields. */
extern char task_sentinel;

/* ---- event.c ---- */
void events_open(void);
void events_close_handles(void);
void event_begin(const struct wire_event *w);
/* The run of a timer, under the handler limit as an event is: make its task next, with event_timer_ended. over(user) is
 * called outside Lua when the last task of it has ended. The texts must stay until then. */
struct event *event_begin_timer(void (*over)(void *user), void *user);
void event_name_timer(struct event *e, const char *where, const char *origin);
bool event_timer_ended(struct task *t, enum task_outcome o, int n, struct str why); /* task.ended */
void event_task_ended(struct event *e, enum task_outcome o, struct str why);
void event_log_failure(const struct event *e, const char *message, struct str why); /* e NULL: of no event */
size_t events_running(void);           /* runs of timers too */
/* The tasks of a request are an event's, so that the limits and line.spawn know only one thing. seq: for the page. Until
 * its first task was made, nothing ends it. */
struct event *event_of_request(struct web_request *r, uint64_t seq, struct str line);
void event_unlimited(struct event *e); /* no handler limit: a stream lasts as long as its client stays */
void event_limited(struct event *e);   /* from now on again */
void event_set_router(int handle_ref); /* registry reference of the router's handle(event) */

/* ---- worker.c ---- */
struct wire *worker_wire(void);        /* NULL in unit tests */
void worker_unfit(void);               /* memory is full of what scripts keep: end the process so that a fresh one comes */

/* ---- coroutine.c ---- */
/* The script's own coroutine through which this suspended one waits; NULL if it waits itself. */
lua_State *coroutine_inner(lua_State *co);
/* What a thread is used for, in its extra space: NULL: a script's, at rest or running. */
enum coroutine_use { COROUTINE_PLAIN, COROUTINE_TASK, COROUTINE_WAITS, COROUTINE_CLOSING };
void coroutine_set_use(lua_State *co, enum coroutine_use use);
