/* Encoding. Our own, because lua-cjson writes 9007199254740993 as 9.007199254741e+15, an empty array as {}, passes invalid
 * UTF-8 on, and says nothing of where in a message the offending part is. It allocates nothing in Lua, so it cannot be
 * interrupted by a collection, and raises with the path of what it could not write. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "bindings/json.h"
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

LJMP static void put(lua_State *L, const struct place *at, struct buf *out, const char *p, size_t n)
{
    if (buf_append(out, p, n)) complain(L, at, "the whole is larger than the %zu bytes that may be sent", out->max);
}

/* Room for n bytes, to be filled at once and announced by buf_added: a message is many small pieces. */
LJMP static char *room(lua_State *L, const struct place *at, struct buf *out, size_t n)
{
    char *p = buf_reserve(out, n);
    if (!p) complain(L, at, "the whole is larger than the %zu bytes that may be sent", out->max);
    return p;
}

/* ---- scalars ---- */

/* 1: goes out as it is. 0: an escape or more than ASCII. */
static const unsigned char plain[256] = {
    [0x20] = 1, [0x21] = 1, [0x23 ... 0x5B] = 1, [0x5D ... 0x7F] = 1,
};

/* A string with before it a comma, behind it a colon, or 0 for neither. Names and most values need no escape. */
LJMP static bool put_plain(lua_State *L, const struct place *at, struct buf *out, char before, const char *s, size_t n,
                           char after)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    while (p < end && plain[*p]) p++;
    if (p < end) return false;
    size_t all = n + 2 + (before != 0) + (after != 0);
    char *to = room(L, at, out, all);
    if (before) *to++ = before;
    *to++ = '"';
    memcpy(to, s, n);
    to += n;
    *to++ = '"';
    if (after) *to++ = after;
    buf_added(out, all);
    return true;
}

LJMP static void put_string(lua_State *L, const struct place *at, struct buf *out, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n, *from = p;
    if (put_plain(L, at, out, 0, s, n, 0)) return;
    put(L, at, out, "\"", 1);
    while (p < end) {
        if (plain[*p]) {
            p++;
            continue;
        }
        if (*p >= 0x80) {
            unsigned length = utf8_length(p, (size_t)(end - p));
            if (!length)
                complain(L, at, "the string is not UTF-8 (byte 0x%02X at position %zu)", *p,
                         (size_t)(p - (const unsigned char *)s) + 1);
            p += length;
            continue;
        }
        static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
                                          ['"'] = '"', ['\\'] = '\\'};
        char escape[7];
        int m = short_form[*p] ? snprintf(escape, sizeof escape, "\\%c", short_form[*p])
                               : snprintf(escape, sizeof escape, "\\u%04x", *p);
        put(L, at, out, (const char *)from, (size_t)(p - from));
        put(L, at, out, escape, (size_t)m);
        from = ++p;
    }
    put(L, at, out, (const char *)from, (size_t)(p - from));
    put(L, at, out, "\"", 1);
}

LJMP static void put_number(lua_State *L, const struct place *at, struct buf *out, int idx)
{
    char text[40];
    int n;
    if (lua_isinteger(L, idx)) {
        n = snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, idx));
        return put(L, at, out, text, (size_t)n);
    }
    double d = lua_tonumber(L, idx);
    if (isnan(d) || isinf(d)) complain(L, at, "%s is no number that JSON can hold", isnan(d) ? "not-a-number" : "infinity");
    /* The shortest of three forms that reads back as the same number: 0.1, not 0.10000000000000001. */
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    put(L, at, out, text, (size_t)n);
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

enum shape { SHAPE_ARRAY, SHAPE_OBJECT };

static int mark_of(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx)) return -1;
    const void *mark = lua_topointer(L, -1); /* most parts of a message have one: see built.h */
    lua_pop(L, 1);
    return mark == json_array_mark ? SHAPE_ARRAY : mark == json_object_mark ? SHAPE_OBJECT : -1;
}

/* What a table without a mark is, by its keys. */
LJMP static enum shape shape_of(lua_State *L, const struct place *at, int idx, int mark)
{
    lua_Integer n = 0, most = 0;
    bool names = false;
    if (mark == SHAPE_OBJECT) return SHAPE_OBJECT;
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
                return SHAPE_OBJECT;
            }
            if (mark < 0 && n == 0) lua_pop(L, 1);
        } else {
            complain(L, at, "a key of the table is a %s; JSON has only names", luaL_typename(L, -1));
        }
    }
    if (names && (n || mark == SHAPE_ARRAY))
        complain(L, at, "the table has both positions (1, 2, …) and names; JSON has arrays or objects");
    if (most > n)
        complain(L, at, "the array has holes: %lld of its positions 1 to %lld are nil; use json.null, or json.object for a "
                 "table with numbers as names", (long long)(most - n), (long long)most);
    if (n || mark == SHAPE_ARRAY) return SHAPE_ARRAY;
    return at && at->name && is_array_name(at->name) ? SHAPE_ARRAY : SHAPE_OBJECT;
}

LJMP static void put_value(lua_State *L, const struct place *at, int idx, struct buf *out);

LJMP static void put_array(lua_State *L, const struct place *at, int idx, struct buf *out)
{
    struct place here = {.outer = at, .depth = at ? at->depth + 1 : 1};
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    put(L, at, out, "[", 1);
    for (here.index = 1; here.index <= n; here.index++) {
        if (here.index > 1) put(L, at, out, ",", 1);
        lua_rawgeti(L, idx, here.index);
        put_value(L, &here, lua_gettop(L), out);
        lua_pop(L, 1);
    }
    put(L, at, out, "]", 1);
}

/* any: json.object's mark, under which integers are names too. */
LJMP static void put_object(lua_State *L, const struct place *at, int idx, bool any, struct buf *out)
{
    struct place here = {.outer = at, .depth = at ? at->depth + 1 : 1};
    bool first = true;
    put(L, at, out, "{", 1);
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        char digits[40];
        size_t n;
        if (lua_type(L, -2) == LUA_TSTRING) {
            here.name = lua_tolstring(L, -2, &n);
        } else if (lua_isinteger(L, -2) && any) { /* lua_tolstring would change the key */
            n = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)lua_tointeger(L, -2));
            here.name = digits;
        } else {
            complain(L, at, "the table has names and a key that is a %s; JSON has only names", luaL_typename(L, -2));
            return;
        }
        if (!put_plain(L, &here, out, first ? 0 : ',', here.name, n, ':')) {
            if (!first) put(L, at, out, ",", 1);
            put_string(L, &here, out, here.name, n);
            put(L, at, out, ":", 1);
        }
        first = false;
        put_value(L, &here, lua_gettop(L), out);
        lua_pop(L, 1);
    }
    put(L, at, out, "}", 1);
}

LJMP static void put_value(lua_State *L, const struct place *at, int idx, struct buf *out)
{
    size_t n;
    const char *s;
    int mark;
    switch (lua_type(L, idx)) {
    case LUA_TNIL: return put(L, at, out, "null", 4);
    case LUA_TBOOLEAN: return lua_toboolean(L, idx) ? put(L, at, out, "true", 4) : put(L, at, out, "false", 5);
    case LUA_TNUMBER: return put_number(L, at, out, idx);
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &n);
        return put_string(L, at, out, s, n);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, idx) == JSON_NULL_VALUE) return put(L, at, out, "null", 4);
        break;
    case LUA_TTABLE:
        if (at && at->depth >= LIMIT_JSON_DEPTH)
            complain(L, at, "tables are nested deeper than %d, or one contains itself", LIMIT_JSON_DEPTH);
        luaL_checkstack(L, 8, "JSON");
        mark = mark_of(L, idx);
        if (shape_of(L, at, idx, mark) == SHAPE_ARRAY) put_array(L, at, idx, out);
        else put_object(L, at, idx, mark == SHAPE_OBJECT, out);
        return;
    }
    complain(L, at, "a %s cannot be sent as JSON", luaL_typename(L, idx));
}

void json_encode(lua_State *L, int idx, struct buf *out)
{
    luaL_checkstack(L, 8, "JSON");
    put_value(L, NULL, lua_absindex(L, idx), out);
}
