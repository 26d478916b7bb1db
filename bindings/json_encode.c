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

__attribute__((noreturn)) LJMP static void too_large(lua_State *L, const struct place *at, const struct buf *out)
{
    complain(L, at, "the whole is larger than the %zu bytes that may be sent", out->max);
}

/* A message is many small pieces, so most of them ask nobody: while they fit into the memory that the buffer has, a piece is
 * written where to stands, and the buffer hears of it when it must grow and at the end. */
struct writer {
    struct buf *out;
    char *to, *end; /* the next byte; what must not be passed */
};

static void settle(const struct writer *w)
{
    if (w->to) buf_added(w->out, (size_t)(w->to - w->out->data) - w->out->len);
}

/* Not a byte past the ceiling, and one left for the buffer's NUL. */
static void take_room(struct writer *w)
{
    size_t room = w->out->cap ? w->out->cap - 1 : 0;
    w->to = w->out->data ? w->out->data + w->out->len : NULL;
    w->end = w->to ? w->out->data + (room < w->out->max ? room : w->out->max) : NULL;
}

__attribute__((noinline)) LJMP static void grow(lua_State *L, const struct place *at, struct writer *w, size_t n)
{
    settle(w);
    if (!buf_reserve(w->out, n)) too_large(L, at, w->out);
    take_room(w);
}

/* Room for n bytes at w->to. */
LJMP static inline char *room(lua_State *L, const struct place *at, struct writer *w, size_t n)
{
    if (__builtin_expect((size_t)(w->end - w->to) < n, 0)) grow(L, at, w, n);
    return w->to;
}

LJMP static inline void put(lua_State *L, const struct place *at, struct writer *w, const char *p, size_t n)
{
    memcpy(room(L, at, w, n), p, n);
    w->to += n;
}

/* ---- scalars ---- */

/* 1: goes out as it is. 0: an escape or more than ASCII. */
static const unsigned char plain[256] = {
    [0x20] = 1, [0x21] = 1, [0x23 ... 0x5B] = 1, [0x5D ... 0x7F] = 1,
};

#define EACH_BYTE(b) (0x0101010101010101u * (b))

/* Whether eight bytes are all plain: none below a blank, none with the highest bit, no quote and no backslash. What borrows
 * from a neighbour can only make this false too often, never true. */
static inline bool all_plain(uint64_t eight)
{
    uint64_t quote = eight ^ EACH_BYTE('"'), backslash = eight ^ EACH_BYTE('\\');
    uint64_t flaws = eight | (eight - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return !(flaws & EACH_BYTE(0x80));
}

/* Copy while all is plain, eight bytes at a time; false at the first that is not. */
static inline bool copy_plain(char *to, const char *s, size_t n)
{
    uint64_t eight;
    uint32_t first, last;
    if (n < sizeof first) {
        unsigned char ok = 1;
        for (size_t i = 0; i < n; i++) ok &= plain[(unsigned char)(to[i] = s[i])];
        return ok;
    }
    if (n < sizeof eight) {
        memcpy(&first, s, sizeof first);
        memcpy(&last, s + n - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + n - sizeof last, &last, sizeof last);
        return all_plain((uint64_t)last << 32 | first);
    }
    for (size_t i = 0;; i += sizeof eight) {
        if (i + sizeof eight > n) i = n - sizeof eight; /* the last eight may have been looked at in part */
        memcpy(&eight, s + i, sizeof eight);
        if (!all_plain(eight)) return false;
        memcpy(to + i, &eight, sizeof eight);
        if (i + sizeof eight == n) return true;
    }
}

static unsigned put_escape(char *to, unsigned char c)
{
    static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
                                      ['"'] = '"', ['\\'] = '\\'};
    static const char hex[] = "0123456789abcdef";
    to[0] = '\\';
    to[1] = short_form[c] ? short_form[c] : 'u';
    if (short_form[c]) return 2;
    to[2] = to[3] = '0';
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

__attribute__((noinline))
LJMP static void put_escaped(lua_State *L, const struct place *at, struct writer *w, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n, *from = p;
    char escape[6];
    put(L, at, w, "\"", 1);
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
        put(L, at, w, (const char *)from, (size_t)(p - from));
        put(L, at, w, escape, put_escape(escape, *p));
        from = ++p;
    }
    put(L, at, w, (const char *)from, (size_t)(p - from));
    put(L, at, w, "\"", 1);
}

/* Names and most values need no escape. */
LJMP static inline void put_string(lua_State *L, const struct place *at, struct writer *w, const char *s, size_t n)
{
    char *to = room(L, at, w, n + 2);
    if (__builtin_expect(!copy_plain(to + 1, s, n), 0)) return put_escaped(L, at, w, s, n);
    to[0] = to[n + 1] = '"';
    w->to = to + n + 2;
}

/* A name, with a comma or a brace before it and the colon behind. */
LJMP static inline void put_name(lua_State *L, const struct place *at, struct writer *w, char before, const char *s, size_t n)
{
    char *to = room(L, at, w, n + 4);
    *to = before;
    if (__builtin_expect(!copy_plain(to + 2, s, n), 0)) {
        w->to++;
        put_escaped(L, at, w, s, n);
        return put(L, at, w, ":", 1);
    }
    to[1] = to[n + 2] = '"';
    to[n + 3] = ':';
    w->to = to + n + 4;
}

LJMP static void put_integer(lua_State *L, const struct place *at, struct writer *w, lua_Integer i)
{
    char text[20], *p = text + sizeof text; /* 19 digits and a sign */
    lua_Unsigned u = i < 0 ? 0 - (lua_Unsigned)i : (lua_Unsigned)i;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (i < 0) *--p = '-';
    put(L, at, w, p, (size_t)(text + sizeof text - p));
}

LJMP static void put_double(lua_State *L, const struct place *at, struct writer *w, double d)
{
    char text[40];
    int n = 0;
    if (isnan(d) || isinf(d)) complain(L, at, "%s is no number that JSON can hold", isnan(d) ? "not-a-number" : "infinity");
    /* The shortest of three forms that reads back as the same number: 0.1, not 0.10000000000000001. */
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    put(L, at, w, text, (size_t)n);
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

/* Values are written from where they stand on the stack; top is the highest index in use, so that no one has to ask. */
LJMP static void put_value(lua_State *L, const struct place *at, int top, struct writer *w);

LJMP static void put_array(lua_State *L, const struct place *at, int top, struct writer *w)
{
    struct place here = {.outer = at, .depth = at ? at->depth + 1 : 1};
    lua_Integer n = (lua_Integer)lua_rawlen(L, top);
    put(L, at, w, "[", 1);
    for (here.index = 1; here.index <= n; here.index++) {
        if (here.index > 1) put(L, at, w, ",", 1);
        lua_rawgeti(L, top, here.index);
        put_value(L, &here, top + 1, w);
        lua_settop(L, top);
    }
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
        put_name(L, &here, w, before, here.name, n);
        put_value(L, &here, top + 2, w);
        lua_settop(L, top + 1);
        before = ',';
    } while (lua_next(L, top));
    put(L, at, w, "}", 1);
}

LJMP static void put_table(lua_State *L, const struct place *at, int top, struct writer *w)
{
    if (at && at->depth >= LIMIT_JSON_DEPTH)
        complain(L, at, "tables are nested deeper than %d, or one contains itself", LIMIT_JSON_DEPTH);
    luaL_checkstack(L, 8, "JSON");
    int mark = mark_of(L, top);
    bool usual = mark < 0 && lua_rawlen(L, top) == 0; /* names only, by far the most: nothing to find out about the shape */
    if (!usual && shape_of(L, at, top, mark) == SHAPE_ARRAY) return put_array(L, at, top, w);
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
    put_object(L, at, top, mark == SHAPE_OBJECT, w);
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
    case LUA_TNUMBER:
        return lua_isinteger(L, top) ? put_integer(L, at, w, lua_tointeger(L, top)) : put_double(L, at, w, lua_tonumber(L, top));
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, top) == JSON_NULL_VALUE) return put(L, at, w, "null", 4);
        break;
    }
    complain(L, at, "a %s cannot be sent as JSON", luaL_typename(L, top));
}

void json_encode(lua_State *L, int idx, struct buf *out)
{
    struct writer w = {.out = out};
    luaL_checkstack(L, 8, "JSON");
    lua_pushvalue(L, idx);
    take_room(&w);
    put_value(L, NULL, lua_gettop(L), &w);
    settle(&w);
    lua_pop(L, 1);
}
