/* The module "emulator.host", for an application of moonline's own that is served in place of a bot (SETTING_APP):
 *
 *   settings()      what the command line and the host say, a table
 *   on_news(fn)     fn(table) for each thing that happens to the bots beside it, in order; see runtime/host/news.h
 *   print(text)     a line on the standard output of the command
 *   read(path [, from [, n]])  the bytes of a file, relative to the folder the command was called in; nil and why not.
 *                   from, n: of a piece of it
 *   collect(pause)  collects garbage now; from then on it is collected again at so many per cent of what was left */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bindings/files.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"

static int news_ref = LUA_NOREF; /* the function of on_news, for as long as the process lives */

static int host_settings(lua_State *L)
{
    const char *text = worker_get()->app_settings;
    json_decode(L, str_of(text ? text : "{}"));
    return 1;
}

static int host_on_news(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, news_ref);
    news_ref = LUA_NOREF;
    news_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int host_print(lua_State *L)
{
    struct str text;
    text.p = luaL_checklstring(L, 1, &text.n);
    lua_pushfstring(L, "%s\n", text.p);
    text.p = lua_tolstring(L, -1, &text.n);
    wire_send_strings(worker_wire(), WIRE_OUTPUT, STR("out"), text);
    return 0;
}

static int host_collect(lua_State *L)
{
    lua_Integer pause = luaL_checkinteger(L, 1);
    luaL_argcheck(L, pause >= 100 && pause <= 1000, 1, "per cent, 100 to 1000");
    lua_gc(L, LUA_GCSETPAUSE, (int)pause);
    memory_grace();
    lua_gc(L, LUA_GCCOLLECT);
    memory_ungrace();
    return 0;
}

static int news_returned(lua_State *L, int status, lua_KContext ctx)
{
    (void)L, (void)status, (void)ctx;
    return 0;
}

/* The body of the task: everything that may raise happens in here. Argument: the text, owned by the task. */
static int news_main(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, news_ref);
    json_decode(L, str_of(text));
    lua_callk(L, 1, 0, 0, news_returned);
    return 0;
}

static bool news_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    (void)n;
    free(t->user);
    if (o != TASK_OK) event_log_failure(NULL, "news of the bot could not be told", why);
    return true;
}

void lua_app_news(struct str json)
{
    if (news_ref == LUA_NOREF) return;
    struct task *t = task_new(NULL);
    t->user = mem_strndup(json.p, json.n);
    lua_pushcfunction(t->co, news_main);
    lua_pushlightuserdata(t->co, t->user);
    t->arguments = 1;
    t->ended = news_ended;
    task_ready(t);
}

int luaopen_emulator_host(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"settings", host_settings}, {"on_news", host_on_news}, {"print", host_print}, {"read", file_read}, {"collect", host_collect},
        {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
