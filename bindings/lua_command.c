/* A command written in Lua, the worker's half: scripts/command/<name>.lua runs as a task, and what it prints goes to the
 * host in frames. What the file returns and is given: runtime/cli/lua_command.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "bindings/files.h"
#include "bindings/lua_api.h"
#include "bindings/require.h"
#include "bindings/source.h"
#include "bindings/worker_private.h"

#define CPU_LIMIT_MS 60000        /* a person waits for it and can end it */
#define PIECE (1u << 20)          /* bytes of one frame of output */
#define BACKLOG_MOST (4u << 20)   /* output waiting for a slow reader; beyond, the command waits */

struct texts {
    char **items;
    size_t n;
};
static struct {
    struct texts arguments, variables;
    bool terminal;
    void (*ended)(void);
} command;

/* ---- settings ---- */

static void add(struct texts *t, struct str s)
{
    t->items = mem_realloc(t->items, (t->n + 1) * sizeof *t->items);
    t->items[t->n++] = mem_strndup(s.p, s.n);
}

bool lua_command_setting(struct str name, struct str value)
{
    if (str_is(name, SETTING_TERMINAL)) {
        command.terminal = str_is(value, "yes");
    } else if (str_is(name, SETTING_ARGUMENT)) {
        add(&command.arguments, value);
    } else if (str_is(name, SETTING_ENVIRONMENT)) {
        add(&command.variables, value);
        const char *text = command.variables.items[command.variables.n - 1], *equals = strchr(text, '=');
        auto_free char *key = mem_strndup(text, equals ? (size_t)(equals - text) : 0);
        if (strstr(key, "SECRET") || strstr(key, "TOKEN")) log_secret(str_of(equals + 1));
    } else {
        return false;
    }
    return true;
}

void lua_command_free(void)
{
    struct texts *const all[] = {&command.arguments, &command.variables};
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < all[i]->n; k++) free(all[i]->items[k]);
        free(all[i]->items);
        *all[i] = (struct texts){0};
    }
}

/* ---- out ---- */

static void say(const char *stream, struct str bytes)
{
    struct wire *w = worker_wire();
    while (bytes.n) {
        struct str piece = {bytes.p, bytes.n < PIECE ? bytes.n : PIECE};
        wire_send_strings(w, WIRE_OUTPUT, str_of(stream), piece);
        bytes.p += piece.n;
        bytes.n -= piece.n;
        while (wire_backlog(w) > BACKLOG_MOST) {
            struct pollfd p = {.fd = WIRE_FD, .events = POLLOUT};
            poll(&p, 1, 1000); /* the process has nothing else to do */
            wire_flush(w);
        }
    }
}

static struct str text_at(lua_State *L, int idx)
{
    struct str s;
    s.p = luaL_tolstring(L, idx, &s.n);
    return s;
}

static int out_print(lua_State *L)
{
    say("out", text_at(L, 1));
    say("out", STR("\n"));
    return 0;
}

static int out_write(lua_State *L)
{
    say("out", text_at(L, 1));
    return 0;
}

static int out_fail(lua_State *L)
{
    say("err", STR("moonline "));
    say("err", str_of(worker_get()->command));
    say("err", STR(": "));
    say("err", text_at(L, 1));
    say("err", STR("\n"));
    return 0;
}

LJMP static void push_arguments(lua_State *L)
{
    lua_createtable(L, (int)command.arguments.n, 0);
    for (size_t i = 0; i < command.arguments.n; i++) {
        lua_pushstring(L, command.arguments.items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

LJMP static void push_out(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"print", out_print}, {"write", out_write}, {"fail", out_fail}, {"read", file_read}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    lua_pushboolean(L, worker_get()->options.json);
    lua_setfield(L, -2, "json");
    lua_pushboolean(L, command.terminal);
    lua_setfield(L, -2, "terminal");
    lua_createtable(L, 0, (int)command.variables.n);
    for (size_t i = 0; i < command.variables.n; i++) {
        const char *text = command.variables.items[i], *equals = strchr(text, '=');
        if (!equals) continue;
        lua_pushlstring(L, text, (size_t)(equals - text));
        lua_pushstring(L, equals + 1);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "env");
}

/* ---- the task ---- */

static int returned_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 1;
}

static int required_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    push_arguments(L);
    push_out(L);
    lua_callk(L, 2, 1, 0, returned_k);
    return returned_k(L, LUA_OK, 0);
}

static int command_main(lua_State *L)
{
    require_push(L);
    lua_pushfstring(L, "command.%s", worker_get()->command);
    lua_callk(L, 1, 1, 0, required_k);
    return required_k(L, LUA_OK, 0);
}

static bool command_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    uint32_t status = 1;
    if (o == TASK_OK) {
        status = n > 0 ? (uint32_t)lua_tointeger(t->co, -1) : 0;
    } else {
        struct str text = {why.p, o == TASK_RAISED && t->message_n < why.n ? t->message_n : why.n};
        if (text.n > 3 && memcmp(text.p, "?: ", 3) == 0) text = (struct str){text.p + 3, text.n - 3}; /* no bot's line */
        say("err", STR("moonline "));
        say("err", str_of(worker_get()->command));
        say("err", STR(": "));
        say("err", text);
        say("err", STR("\n"));
    }
    wire_send_u32(worker_wire(), WIRE_STATUS, status);
    command.ended();
    return true;
}

void lua_command_begin(void (*ended)(void))
{
    command.ended = ended;
    struct task *t = task_new(NULL);
    lua_pushcfunction(t->co, command_main);
    t->limit_ms = CPU_LIMIT_MS;
    t->ended = command_ended;
    task_ready(t);
}
