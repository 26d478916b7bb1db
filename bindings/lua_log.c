/* The module log, and print, which is log.info. Each line says where it comes from: bot, generation, event, chat and the
 * script's line; in a timer, the line that made the timer and, as origin, the event in which it was made. A message that
 * is a table is written as JSON; fields is a table of further values by name.
 *
 *     log.debug(message[, fields])   writes a line that is left out unless --log-level is debug
 *     log.info(message[, fields])    writes a line
 *     log.warn(message[, fields])    writes a line for what somebody should look at
 *     log.error(message[, fields])   writes a line for what went wrong */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/sandbox.h"
#include "bindings/task.h"
#include "bindings/trace.h"

#define OWN_FIELDS 7
#define FIELDS_MOST 24 /* of one line, the script's */

/* Push the text of the value at idx: a table without a __tostring as JSON, if it can be. */
LJMP static struct str push_text(lua_State *L, int idx)
{
    struct str s;
    if (lua_istable(L, idx)) {
        bool own = luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL;
        if (own) lua_pop(L, 1);
        lua_pushcfunction(L, lua_json_encode);
        lua_pushvalue(L, idx);
        if (own || lua_pcall(L, 1, 1, 0)) {
            lua_settop(L, idx);
            luaL_tolstring(L, idx, NULL);
        }
    } else {
        luaL_tolstring(L, idx, NULL);
    }
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

/* The field for key = the value on top of the stack. The value's place holds what the field borrows, and stays. */
LJMP static struct log_field field_of(lua_State *L, const char *key)
{
    struct log_field f = {.key = key};
    if (lua_isinteger(L, -1)) {
        f.kind = LOG_FIELD_INT;
        f.i = lua_tointeger(L, -1);
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        f.kind = LOG_FIELD_NUM;
        f.d = lua_tonumber(L, -1);
    } else {
        f.kind = LOG_FIELD_STR;
        f.s = push_text(L, lua_gettop(L));
        lua_remove(L, -2);
    }
    return f;
}

static bool is_own(const char *key)
{
    static const char *const own[] = {"bot", "generation", "event", "chat", "at", "timer", "origin", "time", "level", "message"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i], key) == 0) return true;
    return false;
}

/* message: NUL-terminated. fields: index of the script's table, or 0. */
LJMP static void write_line(lua_State *L, enum log_level level, const char *message, int fields)
{
    const struct worker *w = worker_get();
    const struct task *t = task_current();
    char where[512];
    trace_where(L, where, sizeof where);
    struct log_field all[OWN_FIELDS + FIELDS_MOST] = {
        F_STR("bot", w->bot), F_INT("generation", w->generation), F_STR("at", where),
        F_VIEW("event", ((struct str){0, 0})), F_VIEW("chat", ((struct str){0, 0})),
        F_STR("timer", t ? task_timer(t) : NULL), F_VIEW("origin", t ? task_origin(t) : ((struct str){0, 0})),
    };
    size_t n = OWN_FIELDS;
    if (t && task_event_id(t).n) all[3].s = task_event_id(t);
    if (t && task_chat(t).n) all[4].s = task_chat(t);
    if (fields) {
        luaL_checkstack(L, FIELDS_MOST * 2 + LUA_MINSTACK, "log");
        lua_pushnil(L);
        while (n < OWN_FIELDS + FIELDS_MOST && lua_next(L, fields)) {
            const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
            if (!key) luaL_error(L, "log: fields have names, as in log.info(text, {name = value})");
            else if (is_own(key)) luaL_error(L, "log: every line has a field '%s' already; give yours another name", key);
            all[n++] = field_of(L, key);
            lua_insert(L, -2); /* what it borrows stays below the key */
        }
    }
    log_write(level, message, all, n);
}

LJMP static int line(lua_State *L, enum log_level level)
{
    luaL_checkany(L, 1);
    if (!log_enabled(level)) return 0;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushvalue(L, 1);
    struct str message = push_text(L, 3);
    write_line(L, level, message.p, lua_isnil(L, 2) ? 0 : 2);
    return 0;
}

static int log_debug(lua_State *L) { return line(L, LOG_DEBUG); }
static int log_info(lua_State *L) { return line(L, LOG_INFO); }
static int log_warn(lua_State *L) { return line(L, LOG_WARN); }
static int log_error(lua_State *L) { return line(L, LOG_ERROR); }

/* print(…): log.info of its arguments, tabs between them as always */
static int print(lua_State *L)
{
    int n = lua_gettop(L);
    if (!log_enabled(LOG_INFO)) return 0;
    luaL_Buffer b;
    luaL_checkstack(L, LUA_MINSTACK, "print");
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1) luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    write_line(L, LOG_INFO, lua_tostring(L, -1), 0);
    return 0;
}

static const luaL_Reg log_functions[] = {
    {"debug", log_debug}, {"info", log_info}, {"warn", log_warn}, {"error", log_error}, {NULL, NULL},
};

int luaopen_moonline_log(lua_State *L)
{
    lua_pushcfunction(L, print);
    sandbox_set_global(L, "print");
    luaL_newlib(L, log_functions);
    return 1;
}

/* ---- warn() and errors in __gc: they come in pieces, and would vanish without somebody who joins them ---- */
void lua_log_warning(void *user, const char *text, int more)
{
    static char joined[LIMIT_ERROR_TEXT];
    static size_t n;
    const struct worker *w = worker_get();
    (void)user;
    size_t m = strlen(text), room = sizeof joined - 1 - n;
    memcpy(joined + n, text, m < room ? m : room);
    n += m < room ? m : room;
    if (more) return;
    joined[n] = 0;
    n = 0;
    if (joined[0] == '@') return; /* @on and @off, for lua's own program */
    const struct task *t = task_current();
    LOG(WARN, joined, F_STR("bot", w->bot), F_INT("generation", w->generation),
        F_VIEW("event", t && task_event_id(t).n ? task_event_id(t) : ((struct str){0, 0})),
        F_STR("timer", t ? task_timer(t) : NULL), F_VIEW("origin", t ? task_origin(t) : ((struct str){0, 0})));
}
