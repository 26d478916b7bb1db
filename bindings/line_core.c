/* The module "line.core". Everything pleasant is in scripts/line/; here is what needs C:
 *
 *   operations  name → function(fields | natural value [, options]): what line.<operation> is
 *   inner       name → function(fields, options, what, where, quiet): the same under another name, for short forms; quiet: true, or the
 *               line that news of the call name, nothing is returned
 *   request     line.request
 *   rows([name]), paged()   the table of operations: see operation_rows.c
 *   events      the rows of events.def: {type, field, subtypes, sources, reply} each
 *   error_meta  metatable of error objects
 *   content     method table of content objects
 *   utf16       the functions of line.utf16
 *   near(name, list)   the entry that a mistyped name most likely meant, or nil
 *   where()            "bot.lua:12" of the innermost code of the user's
 *   entry(f)           f behind a C frame: in `return line.push(…)` a Lua function would replace the script's own
 *                      frame, and errors could not say where they come from
 *   array(t)           t, marked so that its JSON is [] when it is empty
 *   random(n)          n bytes that nobody can guess (192 at most), as Base64 for addresses, without "="
 *   sha256(bytes)      fingerprint, 64 hexadecimal digits
 *   builder(what, type, names, finish), callable(f), note(t), built_at(t)   see builder.h and built.h
 *   event_functions(methods, reply, chat, meta)   __index of events, event:reply and enter, see lua_event.c
 *   check(kind, value, path, what, where) → value   raises when it breaks a limit of LINE, see check.h
 *   check_mode(mode)   what line.check is, and sets it when mode is given
 *   trace(where, selector)   tells the host of the handler that takes the event; only there while somebody looks on
 *   parameters(f)      number of declared parameters of a Lua function (-1: a C function), whether it takes "…" */
#include "bindings/line_core.h"
#include "base/base64.h"
#include "base/near.h"
#include "bindings/files.h"
#include "bindings/builder.h"
#include "bindings/built.h"
#include "bindings/check.h"
#include "bindings/json.h"
#include "bindings/lua_modules.h"
#include "bindings/operation.h"
#include "bindings/trace_news.h"
#include "line/digest.h"

struct event_row {
    const char *type, *field, *subtypes, *sources, *reply;
};

static const struct event_row event_rows[] = {
#define EVENT(type, field, subtypes, sources, reply, about) {type, field, subtypes, sources, #reply},
#include "line/events.def"
#undef EVENT
};

static void push_events(lua_State *L)
{
    int n = (int)(sizeof event_rows / sizeof event_rows[0]);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        const struct event_row *e = &event_rows[i];
        const char *const row[][2] = {{"type", e->type}, {"field", e->field}, {"subtypes", e->subtypes},
                                      {"sources", e->sources}, {"reply", e->reply}};
        lua_createtable(L, 0, 5);
        for (int k = 0; k < 5; k++) {
            lua_pushstring(L, row[k][1]);
            lua_setfield(L, -2, row[k][0]);
        }
        lua_rawseti(L, -2, i + 1);
    }
}

#define NEAR_NAMES 512

/* near(name, list): the strings stay in the list while we look. */
static int core_near(lua_State *L)
{
    const char *names[NEAR_NAMES], *wanted = luaL_checkstring(L, 1);
    size_t n = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    while (n < NEAR_NAMES && lua_rawgeti(L, 2, (lua_Integer)n + 1) == LUA_TSTRING) {
        names[n++] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    lua_pushstring(L, near_name(wanted, names, n)); /* NULL is nil */
    return 1;
}

static int core_random(lua_State *L)
{
    unsigned char bytes[192];
    char text[BASE64_ROOM(sizeof bytes)];
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n > 0 && n <= (lua_Integer)sizeof bytes, 1, "1 to 192 bytes expected");
    digest_random(bytes, (size_t)n);
    lua_pushlstring(L, text, base64_write(text, bytes, (size_t)n, BASE64_URL));
    return 1;
}

static int core_where(lua_State *L)
{
    task_push_where(L);
    return 1;
}

static int core_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    json_push_array_mark(L);
    lua_setmetatable(L, 1);
    return 1;
}

/* sends() → pushes, other sends that LINE accepted in this process. */
static int core_sends(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)call_sends.pushes);
    lua_pushinteger(L, (lua_Integer)call_sends.others);
    return 2;
}

static int core_parameters(lua_State *L)
{
    lua_Debug d;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getinfo(L, ">uS", &d);
    lua_pushinteger(L, *d.what == 'C' ? -1 : d.nparams);
    lua_pushboolean(L, d.isvararg);
    return 2;
}

static int core_sha256(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    unsigned char sum[DIGEST_SHA256];
    char hex[2 * DIGEST_SHA256];
    digest_sha256(bytes, n, sum);
    for (int i = 0; i < DIGEST_SHA256; i++) {
        hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
    }
    lua_pushlstring(L, hex, sizeof hex);
    return 1;
}

static int entry_return(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

static int entry_call(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checkstack(L, 1, NULL);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_callk(L, n, LUA_MULTRET, 0, entry_return);
    return lua_gettop(L);
}

static int core_entry(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    if (!lua_iscfunction(L, 1)) lua_pushcclosure(L, entry_call, 1);
    return 1;
}

LJMP int luaopen_line_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"near", core_near}, {"where", core_where}, {"parameters", core_parameters}, {"entry", core_entry},
        {"array", core_array}, {"builder", builder_new}, {"callable", builder_callable},
        {"event_functions", lua_event_functions}, {"note", built_note_call}, {"built_at", built_where_call},
        {"sha256", core_sha256}, {"random", core_random}, {"sends", core_sends},
        {"trace", trace_handler}, {"check", message_check_call}, {"check_mode", message_check_mode}, {NULL, NULL},
    };
    call_open(L);
    stream_open(L, STREAM_LINE, "content");
    luaL_newlib(L, functions);
    if (!worker_get()->trace) {
        lua_pushnil(L);
        lua_setfield(L, -2, "trace");
    }
    operation_push_all(L, false);
    lua_setfield(L, -2, "operations");
    operation_push_all(L, true);
    lua_setfield(L, -2, "inner");
    request_push(L);
    lua_setfield(L, -2, "request");
    operation_rows_push(L);
    schema_rows_push(L);
    push_events(L);
    lua_setfield(L, -2, "events");
    lua_utf16_push(L);
    lua_setfield(L, -2, "utf16");
    luaL_newmetatable(L, ERROR_OBJECT);
    lua_setfield(L, -2, "error_meta");
    luaL_getmetatable(L, STREAM_LINE);
    lua_getfield(L, -1, "__index");
    lua_remove(L, -2);
    lua_setfield(L, -2, "content");
    content_save_open(L);
    return 1;
}
