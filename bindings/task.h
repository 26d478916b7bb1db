/* The worker's heart as the API groups see it: one worker, its tasks, and how a binding suspends its coroutine.
 *
 * A task is one run of Lua that may wait: an event being handled, a timer, a line.spawn, the loading of the bot. Exactly one
 * function (task.c) resumes, exactly one (task_wait) yields. A pending operation carries a struct wait; a completion
 * that comes after its task ended is impossible by construction: the end of a task cancels its waits first. */
#pragma once
#include <lua.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/options.h"
#include "base/str.h"
#include "host/page.h"
#include "net/http_client.h"

/* Marks functions that may leave by longjmp: nothing may be held across a call to one without an owner. */
#define LJMP

struct address_list;
struct task;

struct worker {
    uv_loop_t *loop;
    lua_State *L;                /* main state; only task.c and start-up push on it */
    struct options options;
    struct http_client *client;     /* for LINE */
    struct http_client *web_client; /* for other services: the module http */
    struct address_list *allowed;   /* what web_client may reach beside the public Internet */
    struct worker_page *page;
    char *bot, *path, *token, *channel, *api_base, *data_api_base, *manager_api_base; /* settings of START; NUL-terminated, owned */
    uint32_t generation, slot;
    bool check;                  /* `moonline check`: load, report, leave */
    bool trace;                  /* tell the host which handler takes an event and what it calls: trace_news.h */
    bool trace_bodies;           /* and what went out and came back with each call */
    char *app, *app_settings;    /* NULL, or the module of ours that is loaded in place of a bot, and its settings as JSON */
    char *command;               /* NULL, or the name of the command this process runs; see lua_command.c */
    bool loading;                /* the bot's top level is running */
};
struct worker *worker_get(void); /* the one of this process */

/* A pending operation. Embed it in the operation's own struct, which lives in a userdata that stays on the suspended
 * coroutine's stack (so the garbage collector cannot take it). */
struct wait {
    struct task *task;
    void (*cancel)(struct wait *w); /* the task ends while this is pending: stop the operation now. No Lua here. */
};

/* The task whose Lua runs now. NULL outside Lua. */
struct task *task_current(void);
/* Facts about it. id: webhookEventId, n 0 when the task is not an event's. */
struct str task_event_id(const struct task *t);
struct str task_origin(const struct task *t); /* id of the event in which the timer that runs was made; n 0: none */
const char *task_timer(const struct task *t); /* "bot.lua:12" of the timer that runs; NULL: none does */
uint32_t task_attempt(const struct task *t);
bool task_rerun(const struct task *t);
struct str task_chat(const struct task *t); /* groupId, roomId or userId of the event's source; n 0 when unknown */
#define TASK_LABEL_SIZE 64
/* The number of the next call that wants a retry key: 1, 2, 3 … within one event, the same in every re-run as long as
 * the handler does the same; a line.spawn counts in its own sequence, derived from its parent's. */
void task_next_call(struct task *t, char ret_label[TASK_LABEL_SIZE]); /* "3", or "2.1" inside the second spawn */

/* Refuse in words where Lua cannot wait: raises "line.push: cannot wait here: inside a table.sort comparator, …". Call
 * it before starting the operation. */
LJMP void task_check_can_wait(lua_State *L, const char *what);
/* Suspend the running coroutine until task_wake(w); then k(L, LUA_YIELD, ctx) runs with the stack as it was at the call.
 * Use as `return task_wait(...)`. */
LJMP int task_wait(lua_State *L, struct wait *w, lua_KFunction k, lua_KContext ctx);
/* The operation is complete: its task runs again in this loop turn (never inside this call). */
void task_wake(struct wait *w);

/* Raise the error object or text on top of the stack prefixed with the script's own position is lua_error's and
 * luaL_error's work; this gives that position: "bot.lua:12" of the innermost frame that is the user's (not embedded
 * Lua, not C). Pushes a string, "?" if there is none. */
LJMP void task_push_where(lua_State *L);
/* True for a chunk name of ours ("@moonline/…"). */
bool chunk_is_ours(const char *source);

/* Metrics of one finished LINE call, on the shared page. operation: row index of operations.def. status 0: no answer. */
void worker_count_call(unsigned operation, int status, int64_t ns);
