/* The module store: keys and values that outlive the process, shared by the workers of a bot.
 *
 *     local store = require "store"
 *     store.set("seen:" .. id, true, {ttl = 3600})
 *
 *     store.get(key)                       the value, or nil
 *     store.set(key, value[, {ttl=}])      true
 *     store.add(key, value[, {ttl=}])      true; false, and nothing changes, when the key is there already
 *     store.incr(key[, by][, {ttl=}])      the new number: by (1) more than the integer that was there, or than 0
 *     store.delete(key)                    true; false when it was not there
 *     store.take(key)                      the value, which is deleted in the same step, or nil
 *     store.swap(key, old, new[, {ttl=}])   true when the value was old and is new now; else false and the value that is
 *                                          there, and nothing changes. nil as old: the key is not there; as new: it is
 *                                          deleted. All in one step, whichever worker asks. What the same value is:
 *                                          numbers that are == (1 and 1.0; not-a-number is itself), strings byte by
 *                                          byte, tables with the same content as JSON, in whatever order their keys
 *                                          come ({} and json.array{} are two things, and json.null is a value). ttl
 *                                          belongs to the new value, as with store.set
 *     store.list(prefix[, {limit=, after=}])   {{key=, value=}, …} in the order of bytes, and the key to give as after
 *                                          for the next page, nil at the end; limit 100, 1000 at most
 *
 * Values are strings, numbers, booleans and tables that can be written as JSON. ttl is in seconds, counted from when the
 * key is set, or from when a counter begins; without it a value stays. Each call waits until the store has answered:
 * after the commit with --durability fsync. Calls are carried out in the order they are made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/near.h"
#include "bindings/call.h"
#include "bindings/json.h"
#include "bindings/lua_modules.h"
#include "bindings/task_private.h"
#include "host/kv_wire.h"

#define CALL "store.call"
#define TTL_MOST 3.2e9         /* seconds, a hundred years */
#define LIST_USUAL 100

/* A call that waits, in a userdata on its coroutine's stack. */
struct kv_wait {
    struct wait wait;
    uint64_t id;               /* in waiting; 0: not, or no more */
    struct wire_kv_answer answer;
    char *bytes;               /* of answer.out; owned */
};

struct verb {
    const char *what;
    enum kv_verb verb;
    bool value, ttl;           /* takes a value as the second argument; takes {ttl=} */
};
static const struct verb verbs[] = {
    {"store.get", KV_GET, false, false},       {"store.set", KV_SET, true, true},
    {"store.add", KV_ADD, true, true},         {"store.incr", KV_INCR, false, true},
    {"store.delete", KV_DELETE, false, false}, {"store.take", KV_TAKE, false, false},
    {"store.list", KV_LIST, false, false},     {"store.swap", KV_SWAP, false, true},
};

static struct map waiting; /* id → struct kv_wait */
static uint64_t last_id;
/* The values on their way into a frame. One of each for all calls: nothing waits between filling and sending. */
static struct buf value = BUF(KV_VALUE_MOST + 1), old_value = BUF(KV_VALUE_MOST + 1);

/* ---- arguments ---- */

static int encode_protected(lua_State *L)
{
    json_encode(L, 1, lua_touserdata(L, 2));
    return 0;
}

static void encode_table(lua_State *L, int idx, const char *what, struct buf *out)
{
    luaL_checkstack(L, 4, NULL);
    buf_putc(out, KV_TAG_JSON);
    lua_pushcfunction(L, encode_protected);
    lua_pushvalue(L, idx);
    lua_pushlightuserdata(L, out);
    int status = lua_pcall(L, 2, 0, 0);
    if (status == LUA_OK) return;
    if (status == LUA_ERRMEM) budget_out_of_memory(L);
    budget_check(L);
    const char *why = luaL_tolstring(L, -1, NULL);
    /* The encoder has met the end of the buffer, or something that JSON has no words for. */
    if (strstr(why, "larger than")) call_misuse(L, "%s: the value has more than %u bytes as JSON", what, KV_VALUE_MOST);
    call_misuse(L, "%s: %s", what, why);
}

static void put_value(lua_State *L, int idx, const char *what, struct buf *out)
{
    struct str s;
    lua_Integer i;
    lua_Number f;
    int r = 0;
    buf_clear(out);
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        s.p = lua_tolstring(L, idx, &s.n);
        if (s.n > KV_VALUE_MOST)
            call_misuse(L, "%s: the value has %zu bytes, and %u are the most", what, s.n, KV_VALUE_MOST);
        r = buf_putc(out, KV_TAG_STRING) || buf_append(out, s.p, s.n);
        break;
    case LUA_TNUMBER:
        i = lua_tointeger(L, idx), f = lua_tonumber(L, idx);
        if (lua_isinteger(L, idx)) r = buf_putc(out, KV_TAG_INTEGER) || buf_append(out, &i, sizeof i);
        else r = buf_putc(out, KV_TAG_FLOAT) || buf_append(out, &f, sizeof f);
        break;
    case LUA_TBOOLEAN:
        r = buf_putc(out, KV_TAG_BOOLEAN) || buf_putc(out, (char)lua_toboolean(L, idx));
        break;
    case LUA_TTABLE:
        encode_table(L, idx, what, out);
        break;
    case LUA_TNIL:
    case LUA_TNONE:
        call_misuse(L, "%s: the value is nil; store.delete removes a key", what);
        break;
    default:
        call_misuse(L, "%s: a %s cannot be stored: a string, number, boolean or table can", what, luaL_typename(L, idx));
    }
    if (r) call_misuse(L, "%s: the value is too large", what);
}

static struct str take_key(lua_State *L, int idx, const char *what, const char *name, bool may_be_empty)
{
    struct str key = {NULL, 0};
    if (lua_type(L, idx) != LUA_TSTRING) call_misuse(L, "%s: the %s must be a string, not a %s", what, name, luaL_typename(L, idx));
    key.p = lua_tolstring(L, idx, &key.n);
    if (!key.n && !may_be_empty) call_misuse(L, "%s: the %s is empty", what, name);
    if (key.n > KV_KEY_MOST) call_misuse(L, "%s: the %s has %zu bytes, and %d are the most", what, name, key.n, KV_KEY_MOST);
    return key;
}

/* The options at idx hold none but these names. nil is fine. */
static bool has_options(lua_State *L, int idx, const char *what, const char *const *names, size_t n)
{
    if (lua_isnoneornil(L, idx)) return false;
    if (lua_type(L, idx) != LUA_TTABLE) call_misuse(L, "%s: the options must be a table, not a %s", what, luaL_typename(L, idx));
    luaL_checkstack(L, 4, NULL);
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        size_t i = 0;
        while (i < n && strcmp(names[i], key) != 0) i++;
        if (i < n) continue;
        const char *near = near_name(key, names, n);
        call_misuse(L, "%s: there is no option '%s'%s%s%s", what, key, near ? " (did you mean '" : "", near ? near : "",
                    near ? "'?)" : "");
    }
    return true;
}

static int64_t take_ttl(lua_State *L, int idx, const char *what)
{
    static const char *const names[] = {"ttl"};
    if (!has_options(L, idx, what, names, 1)) return 0;
    if (lua_getfield(L, idx, "ttl") == LUA_TNIL) return 0;
    double seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(seconds > 0 && seconds <= TTL_MOST)) call_misuse(L, "%s: ttl must be a number of seconds greater than 0", what);
    lua_pop(L, 1);
    return (int64_t)ceil(seconds * 1000);
}

/* nil is empty: a value never is. */
static void put_swap(lua_State *L, struct wire_kv *k)
{
    buf_clear(&old_value);
    if (!lua_isnil(L, 2)) put_value(L, 2, "store.swap", &old_value);
    buf_clear(&value);
    if (!lua_isnil(L, 3)) put_value(L, 3, "store.swap", &value);
    k->old = buf_str(&old_value);
    k->value = buf_str(&value);
}

static void take_list(lua_State *L, struct wire_kv *k)
{
    static const char *const names[] = {"limit", "after"};
    k->limit = LIST_USUAL;
    if (!has_options(L, 2, "store.list", names, 2)) return;
    if (lua_getfield(L, 2, "limit") != LUA_TNIL) {
        int whole;
        lua_Integer limit = lua_tointegerx(L, -1, &whole);
        if (!whole || limit < 1 || limit > KV_LIST_MOST) call_misuse(L, "store.list: limit must be an integer from 1 to %d", KV_LIST_MOST);
        k->limit = (uint32_t)limit;
    }
    /* Stays on the stack, and so alive, until the frame is sent. */
    if (lua_getfield(L, 2, "after") != LUA_TNIL) k->value = take_key(L, -1, "store.list", "key 'after'", true);
}

static int64_t take_by(lua_State *L, int *options)
{
    int whole = 0;
    lua_Integer by = 1;
    *options = 2;
    if (lua_istable(L, 2)) return by;
    *options = 3;
    if (lua_isnoneornil(L, 2)) return by;
    if (lua_type(L, 2) == LUA_TNUMBER) by = lua_tointegerx(L, 2, &whole);
    if (!whole) call_misuse(L, "store.incr: a counter grows by an integer, not by %s", luaL_tolstring(L, 2, NULL));
    return by;
}

/* ---- answers ---- */

static void push_value(lua_State *L, struct str s)
{
    lua_Integer i = 0;
    lua_Number f = 0;
    char tag = s.n ? s.p[0] : 0;
    struct str rest = {s.p + 1, s.n ? s.n - 1 : 0};
    luaL_checkstack(L, 4, NULL);
    if (tag == KV_TAG_STRING) {
        lua_pushlstring(L, rest.p, rest.n);
    } else if (tag == KV_TAG_INTEGER && rest.n == sizeof i) {
        memcpy(&i, rest.p, sizeof i);
        lua_pushinteger(L, i);
    } else if (tag == KV_TAG_FLOAT && rest.n == sizeof f) {
        memcpy(&f, rest.p, sizeof f);
        lua_pushnumber(L, f);
    } else if (tag == KV_TAG_BOOLEAN && rest.n == 1) {
        lua_pushboolean(L, rest.p[0]);
    } else if (tag == KV_TAG_JSON) {
        json_decode_keep_null(L, rest);
    } else {
        call_misuse(L, "store: what stands there was written by a newer moonline");
    }
}

/* One string of a list: false at the end. */
static bool next_str(struct str *from, struct str *ret)
{
    uint32_t n;
    if (from->n < sizeof n) return false;
    memcpy(&n, from->p, sizeof n);
    if (n > from->n - sizeof n) return false;
    *ret = (struct str){from->p + sizeof n, n};
    from->p += sizeof n + n;
    from->n -= sizeof n + n;
    return true;
}

static int push_list(lua_State *L, const struct wire_kv_answer *a)
{
    struct str from = a->out, key = {"", 0}, s;
    lua_createtable(L, 0, 0);
    int list = lua_gettop(L), n = 0;
    while (next_str(&from, &key) && next_str(&from, &s)) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, key.p, key.n);
        lua_setfield(L, -2, "key");
        push_value(L, s);
        lua_setfield(L, -2, "value");
        lua_rawseti(L, list, ++n);
    }
    if (a->more) lua_pushlstring(L, key.p, key.n); /* the one that no value followed */
    else lua_pushnil(L);
    return 2;
}

static int raise_trouble(lua_State *L, const struct verb *v, const struct wire_kv_answer *a)
{
    if (a->result == ERR_BUSY)
        return call_misuse(L, "%s: too much is asked of the store at once: thousands of calls, or 32 MiB of answers, come before this one",
                           v->what);
    if (a->result) return call_misuse(L, "%s: the store could not do it: %s", v->what, err_text(a->result));
    if (a->outcome == KV_NO_INTEGER) return call_misuse(L, "%s: the value that is there is not an integer", v->what);
    if (a->outcome == KV_OVERFLOW) return call_misuse(L, "%s: the sum would be too large for an integer", v->what);
    return call_misuse(L, "%s: the %d MiB that a bot may keep in the store are full: delete something, or give values a ttl",
                       v->what, (int)(KV_BOT_MOST >> 20));
}

static int answered(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    const struct verb *v = &verbs[ctx & 15];
    struct kv_wait *w = lua_touserdata(L, (int)(ctx >> 4));
    const struct wire_kv_answer *a = &w->answer;
    int n = 1;
    if (a->result || a->outcome > KV_NO) return raise_trouble(L, v, a);
    switch (v->verb) {
    case KV_GET:
    case KV_TAKE:
    case KV_INCR:
        if (a->outcome == KV_NO) lua_pushnil(L);
        else push_value(L, a->out);
        break;
    case KV_LIST:
        n = push_list(L, a);
        break;
    case KV_SWAP:
        lua_pushboolean(L, a->outcome == KV_YES);
        if (a->outcome == KV_YES) break;
        n = 2;
        if (a->out.n) push_value(L, a->out);
        else lua_pushnil(L);
        break;
    default:
        lua_pushboolean(L, a->outcome == KV_YES);
    }
    free(w->bytes); /* not by the collector, which may be long in coming */
    w->bytes = NULL;
    return n;
}

void lua_store_answer(const struct wire_kv_answer *a)
{
    struct kv_wait *w = map_take(&waiting, a->id);
    if (!w) return; /* its task ended meanwhile */
    w->id = 0;
    w->answer = *a;
    w->bytes = mem_strndup(a->out.p ? a->out.p : "", a->out.n);
    w->answer.out.p = w->bytes;
    task_wake(&w->wait);
}

/* ---- the call ---- */

static void cancel(struct wait *wait)
{
    struct kv_wait *w = (struct kv_wait *)wait; /* its first member */
    if (w->id) map_take(&waiting, w->id);
    w->id = 0;
}

static int wait_gc(lua_State *L)
{
    struct kv_wait *w = lua_touserdata(L, 1);
    cancel(&w->wait);
    free(w->bytes);
    w->bytes = NULL;
    return 0;
}

/* Where there is no host with a store: say so instead of waiting for ever. */
static void check_there(lua_State *L, const char *what)
{
    const struct worker *w = worker_get();
    if (w->check) call_misuse(L, "%s: there is no store here: `moonline check` only loads the bot; use the store in handlers", what);
    if (w->command || !worker_wire())
        call_misuse(L, "%s: there is no store here: only `moonline run` has one, and `moonline %s` is a command of its own", what,
                    w->command ? w->command : "?");
}

/* Upvalue: index into verbs. */
static int store_call(lua_State *L)
{
    lua_Integer index = lua_tointeger(L, lua_upvalueindex(1));
    const struct verb *v = &verbs[index];
    struct wire_kv k = {.verb = v->verb, .by = 1};
    int options = v->verb == KV_SWAP ? 4 : v->value ? 3 : 2;
    if (v->verb == KV_SWAP && lua_gettop(L) < 3)
        return call_misuse(L, "store.swap: takes the key, the value that is expected and the new one; nil stands for none");
    lua_settop(L, 4);
    k.key = take_key(L, 1, v->what, v->verb == KV_LIST ? "prefix" : "key", v->verb == KV_LIST);
    check_there(L, v->what);
    if (v->verb == KV_INCR) k.by = take_by(L, &options);
    if (v->ttl) k.ttl_ms = take_ttl(L, options, v->what);
    task_check_can_wait(L, v->what);
    struct kv_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct kv_wait){.wait.cancel = cancel};
    luaL_setmetatable(L, CALL);
    int at = lua_gettop(L);
    if (v->verb == KV_LIST) take_list(L, &k);
    if (v->verb == KV_SWAP) put_swap(L, &k);
    if (v->value) {
        put_value(L, 2, v->what, &value);
        k.value = buf_str(&value);
    }
    k.id = ++last_id;
    int full = wire_send_kv(worker_wire(), &k);
    buf_clear(&value);
    buf_trim(&value, 16384);
    buf_clear(&old_value);
    buf_trim(&old_value, 16384);
    if (full) return call_misuse(L, "%s: too much waits to be told to the store", v->what);
    map_put(&waiting, k.id, w);
    w->id = k.id;
    return task_wait(L, &w->wait, answered, (lua_KContext)(at << 4 | (int)index));
}

int luaopen_moonline_store(lua_State *L)
{
    luaL_newmetatable(L, CALL);
    lua_pushcfunction(L, wait_gc);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, sizeof verbs / sizeof *verbs);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, store_call, 1);
        lua_setfield(L, -2, verbs[i].what + sizeof "store." - 1);
    }
    return 1;
}

void lua_store_free(void)
{
    buf_free(&value);
    buf_free(&old_value);
    map_free(&waiting);
    waiting = (struct map){0};
}
