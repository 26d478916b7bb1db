/* Encoding. Our own, because lua-cjson writes 9007199254740993 as 9.007199254741e+15, an empty array as {}, passes invalid
 * UTF-8 on, and says nothing of where in a message the offending part is. It allocates nothing in Lua, so it cannot be
 * interrupted by a collection, and raises with the path of what it could not write. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "bindings/json.h"
#include "bindings/json_write.h"
#include "bindings/lua_api.h"

/* Where we are, from the inside out, on the C stack; becomes "messages[2].sender" only when something is wrong. */
struct place {
    const struct place *outer;
    const char *name; /* NULL: index */
    lua_Integer index;
    int depth;
};

static void put_path(const struct place *at, struct buf *path)
{
    if (!at) return;
    put_path(at->outer, path);
    if (!at->name) buf_printf(path, "[%lld]", (long long)at->index);
    else buf_printf(path, "%s%.64s", path->len ? "." : "", at->name);
}

__attribute__((noreturn, format(printf, 3, 4)))
LJMP static void complain(lua_State *L, const struct place *at, const char *fmt, ...)
{
    char text[512], *why = text;
    struct buf path = BUF(300);
    va_list ap;
    put_path(at, &path);
    if (path.len) why += snprintf(text, sizeof text, "%s: ", path.data);
    buf_free(&path);
    va_start(ap, fmt);
    vsnprintf(why, sizeof text - (size_t)(why - text), fmt, ap);
    va_end(ap);
    luaL_error(L, "%s", text);
    abort(); /* Lua's header does not say that it never comes back */
}

__attribute__((noreturn)) LJMP static void too_large(lua_State *L, const struct place *at, const struct buf *out)
{
    complain(L, at, "the whole is larger than the %zu bytes that may be sent", out->max);
}

LJMP static inline void put(lua_State *L, const struct place *at, struct writer *w, const char *p, size_t n)
{
    if (!write_bytes(w, p, n)) too_large(L, at, w->out);
}

/* ---- scalars ---- */

__attribute__((noinline))
LJMP static void cannot_write(lua_State *L, const struct place *at, const struct writer *w, enum written r, const char *s,
                              size_t bad)
{
    if (r == WRITTEN_TOO_LARGE) too_large(L, at, w->out);
    complain(L, at, "the string is not UTF-8 (byte 0x%02X at position %zu)", (unsigned char)s[bad], bad + 1);
}

LJMP static inline void put_string(lua_State *L, const struct place *at, struct writer *w, const char *s, size_t n)
{
    size_t bad = 0;
    enum written r = write_string(w, s, n, &bad);
    if (r) cannot_write(L, at, w, r, s, bad);
}

LJMP static inline void put_name(lua_State *L, const struct place *at, struct writer *w, char before, const char *s, size_t n)
{
    size_t bad = 0;
    enum written r = write_name(w, before, s, n, &bad);
    if (r) cannot_write(L, at, w, r, s, bad);
}

LJMP static void put_number(lua_State *L, const struct place *at, struct writer *w, int idx)
{
    double d = lua_tonumber(L, idx);
    if (isnan(d) || isinf(d)) complain(L, at, "%s is no number that JSON can hold", isnan(d) ? "not-a-number" : "infinity");
    if (lua_isinteger(L, idx) ? !write_integer(w, lua_tointeger(L, idx)) : !write_double(w, d)) too_large(L, at, w->out);
}

/* ---- tables ---- */

/* Names under which LINE defines an array wherever they occur; an empty table there is [] without a mark. */
static bool is_array_name(const char *name)
{
    static const char *const names[] = {
        "actions", "aggregationUnits", "and", "areas", "audiences", "columns", "contents", "customAggregationUnits",
        "details", "emojis", "events", "items", "memberIds", "mentionees", "messages", "oneOf", "operations", "or",
        "richMenuIds", "scopes", "to", "userIds",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i][0] == name[0] && strcmp(names[i], name) == 0) return true;
    return false;
}

int json_mark_of(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx)) return -1;
    const void *mark = lua_topointer(L, -1); /* most parts of a message have one: see built.h */
    lua_pop(L, 1);
    return mark == json_array_mark ? JSON_ARRAY_SHAPE : mark == json_object_mark ? JSON_OBJECT_SHAPE : -1;
}

/* What a table without a mark is, by its keys. */
LJMP static enum json_shape shape_of(lua_State *L, const struct place *at, int idx, int mark)
{
    lua_Integer n = 0, most = 0;
    bool names = false;
    if (mark == JSON_OBJECT_SHAPE) return JSON_OBJECT_SHAPE;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0) {
            lua_Integer i = lua_tointeger(L, -1);
            most = i > most ? i : most;
            n++;
        } else if (lua_type(L, -1) == LUA_TSTRING) {
            names = true;
            if (mark < 0 && n == 0 && lua_rawgeti(L, idx, 1) == LUA_TNIL) { /* the usual object: no need to look on */
                lua_pop(L, 2);
                return JSON_OBJECT_SHAPE;
            }
            if (mark < 0 && n == 0) lua_pop(L, 1);
        } else {
            complain(L, at, "a key of the table is a %s; JSON has only names", luaL_typename(L, -1));
        }
    }
    if (names && (n || mark == JSON_ARRAY_SHAPE))
        complain(L, at, "the table has both positions (1, 2, …) and names; JSON has arrays or objects");
    if (most > n)
        complain(L, at, "the array has holes: %lld of its positions 1 to %lld are nil; use json.null, or json.object for a "
                 "table with numbers as names", (long long)(most - n), (long long)most);
    if (n || mark == JSON_ARRAY_SHAPE) return JSON_ARRAY_SHAPE;
    return at && at->name && is_array_name(at->name) ? JSON_ARRAY_SHAPE : JSON_OBJECT_SHAPE;
}

/* Values are written from where they stand on the stack; top is the highest index in use, so that no one has to ask. */
LJMP static void put_value(lua_State *L, const struct place *at, int top, struct writer *w);

/* A new line of what is written for people, as deep as containers are open. */
LJMP static void put_line(lua_State *L, const struct place *at, struct writer *w, int depth)
{
    static const char blanks[2 * LIMIT_JSON_DEPTH + 1] = {[0] = '\n', [1 ... 2 * LIMIT_JSON_DEPTH] = ' '};
    if (w->pretty) put(L, at, w, blanks, 1 + 2 * (size_t)depth);
}

LJMP static void put_array(lua_State *L, const struct place *at, int top, struct writer *w)
{
    struct place here = {.outer = at, .depth = at ? at->depth + 1 : 1};
    lua_Integer n = (lua_Integer)lua_rawlen(L, top);
    put(L, at, w, "[", 1);
    for (here.index = 1; here.index <= n; here.index++) {
        if (here.index > 1) put(L, at, w, ",", 1);
        put_line(L, at, w, here.depth);
        lua_rawgeti(L, top, here.index);
        put_value(L, &here, top + 1, w);
        lua_settop(L, top);
    }
    if (n) put_line(L, at, w, here.depth - 1);
    put(L, at, w, "]", 1);
}

/* The text of a key that is no string, among names: only json.object's mark makes one of an integer. */
__attribute__((noinline))
LJMP static size_t odd_name(lua_State *L, const struct place *at, int key, bool any, char *ret, size_t n)
{
    if (!any || !lua_isinteger(L, key))
        complain(L, at, "the table has names and a key that is a %s; JSON has only names", luaL_typename(L, key));
    return (size_t)snprintf(ret, n, "%lld", (long long)lua_tointeger(L, key)); /* lua_tolstring would change the key */
}

/* The first key and value stand above the table, at top. any: json.object's mark, under which integers are names too. */
LJMP static void put_object(lua_State *L, const struct place *at, int top, bool any, struct writer *w)
{
    struct place here = {.outer = at, .depth = at ? at->depth + 1 : 1};
    char before = '{', digits[24];
    do {
        size_t n;
        if (lua_type(L, top + 1) == LUA_TSTRING) {
            here.name = lua_tolstring(L, top + 1, &n);
        } else {
            n = odd_name(L, at, top + 1, any, digits, sizeof digits);
            here.name = digits;
        }
        if (w->pretty) {
            put(L, at, w, &before, 1);
            put_line(L, at, w, here.depth);
            put_string(L, &here, w, here.name, n);
            put(L, at, w, ": ", 2);
        } else {
            put_name(L, &here, w, before, here.name, n);
        }
        put_value(L, &here, top + 2, w);
        lua_settop(L, top + 1);
        before = ',';
    } while (lua_next(L, top));
    put_line(L, at, w, here.depth - 1);
    put(L, at, w, "}", 1);
}

/* Of the encoding that goes on, or went on last. */
static const struct json_written *known;

LJMP static void put_table(lua_State *L, const struct place *at, int top, struct writer *w)
{
    if (known && lua_topointer(L, top) == known->table) return put(L, at, w, known->json.data, known->json.len);
    if (at && at->depth >= LIMIT_JSON_DEPTH)
        complain(L, at, "tables are nested deeper than %d, or one contains itself", LIMIT_JSON_DEPTH);
    luaL_checkstack(L, 8, "JSON");
    int mark = json_mark_of(L, top);
    bool usual = mark < 0 && lua_rawlen(L, top) == 0; /* names only, by far the most: nothing to find out about the shape */
    if (!usual && shape_of(L, at, top, mark) == JSON_ARRAY_SHAPE) return put_array(L, at, top, w);
    lua_pushnil(L);
    if (!lua_next(L, top)) {
        bool array = usual && at && at->name && is_array_name(at->name);
        return put(L, at, w, array ? "[]" : "{}", 2);
    }
    if (usual && lua_type(L, top + 1) != LUA_TSTRING) {
        lua_settop(L, top);
        shape_of(L, at, top, mark); /* raises, unless all keys are positions */
        return put_array(L, at, top, w);
    }
    put_object(L, at, top, mark == JSON_OBJECT_SHAPE, w);
}

LJMP static void put_value(lua_State *L, const struct place *at, int top, struct writer *w)
{
    size_t n;
    const char *s;
    int type = lua_type(L, top);
    switch (type) {
    case LUA_TSTRING:
        s = lua_tolstring(L, top, &n);
        return put_string(L, at, w, s, n);
    case LUA_TTABLE: return put_table(L, at, top, w);
    case LUA_TNIL: return put(L, at, w, "null", 4);
    case LUA_TBOOLEAN: return lua_toboolean(L, top) ? put(L, at, w, "true", 4) : put(L, at, w, "false", 5);
    case LUA_TNUMBER: return put_number(L, at, w, top);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, top) == JSON_NULL_VALUE) return put(L, at, w, "null", 4);
        break;
    }
    complain(L, at, "a %s cannot be sent as JSON", luaL_typename(L, top));
}

LJMP static void encode(lua_State *L, int idx, struct buf *out, const struct json_written *written, struct json_style how)
{
    struct writer w;
    luaL_checkstack(L, 8, "JSON");
    lua_pushvalue(L, idx);
    known = written;
    writer_begin(&w, out);
    w.ascii = how.ascii;
    w.pretty = how.pretty;
    put_value(L, NULL, lua_gettop(L), &w);
    writer_end(&w);
    lua_pop(L, 1);
}

void json_encode_with(lua_State *L, int idx, struct buf *out, const struct json_written *written)
{
    encode(L, idx, out, written, (struct json_style){0});
}

void json_encode_as(lua_State *L, int idx, struct buf *out, struct json_style how) { encode(L, idx, out, NULL, how); }
void json_encode(lua_State *L, int idx, struct buf *out) { encode(L, idx, out, NULL, (struct json_style){0}); }
