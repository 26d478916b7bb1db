/* Decoding. lua-cjson does the parsing; what it does not do well is mended around it, found by trying (2.1.0, Lua 5.4):
 *
 *   - Every number comes as a float: "ts=" .. t then gives 1625665242211.0. Integral ones are made integers afterwards.
 *   - That loses the last digits of integers from 2^53 on. A scan finds documents that have integers of 16 digits or more
 *     outside of strings; in those, and only those, the literal goes through cjson as a marked string.
 *   - [] and {} look the same. [] goes through as an array of one marked string, and comes out marked as an array.
 *   - null is a light userdata, which is true in an if. Members that are null are taken out, unless asked for.
 *   - Its buffers are malloc's, outside Lua's limit, and lost if Lua raises for want of memory in the middle. So it runs
 *     under grace, and documents have a ceiling. */
#include "bindings/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"
#include "bindings/lua_api.h"
#include "bindings/memory.h"
#include "lua-cjson.h"

#define LONG_INTEGER 16 /* digits; 2^53 has 16 */
#define MARK 18         /* \x7f, 16 digits of hex nobody can guess, and i or a */

static int decode_ref = LUA_NOREF;
static char mark[MARK + 1];
static struct buf rewritten = BUF(LIMIT_API_ANSWER * 8ul);

static const char array_key, object_key; /* registry: the two metatables */

void json_push_array_mark(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key); }
void json_push_object_mark(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &object_key); }

/* ---- documents that cjson would change ---- */
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* p is behind an opening quote; returns behind the closing one, or end. */
static const char *skip_string(const char *p, const char *end)
{
    while ((p = memchr(p, '"', (size_t)(end - p)))) {
        const char *back = p;
        while (back[-1] == '\\') back--; /* stops at the opening quote at the latest */
        if ((p++ - back) % 2 == 0) return p;
    }
    return end;
}

/* An integer literal at p: its end if it is a long one, else NULL; *ret_next is where the literal ends. */
static const char *long_integer(const char *p, const char *end, const char **ret_next)
{
    const char *digits = p + (*p == '-');
    const char *q = digits;
    while (q < end && is_digit(*q)) q++;
    bool is_long = q - digits >= LONG_INTEGER;
    const char *whole_end = q;
    while (q < end && (is_digit(*q) || (*q && strchr(".eE+-", *q)))) q++;
    *ret_next = q > p ? q : p + 1;
    return is_long && q == whole_end ? q : NULL;
}

static bool fits(const char *p, const char *end)
{
    char digits[24];
    if ((size_t)(end - p) >= sizeof digits) return false;
    memcpy(digits, p, (size_t)(end - p));
    digits[end - p] = 0;
    errno = 0;
    return (void)strtoll(digits, NULL, 10), errno == 0;
}

static const char *empty_array(const char *p, const char *end)
{
    for (p++; p < end && is_space(*p);) p++;
    return p < end && *p == ']' ? p + 1 : NULL;
}

/* Walk the document; out NULL: stop at the first thing to mend and return true. */
static bool mend(struct str text, struct buf *out)
{
    const char *p = text.p, *end = p + text.n, *from = p, *stop;
    while (p < end) {
        const char *at = p;
        if (*p == '"') {
            p = skip_string(p + 1, end);
        } else if (*p == '[') {
            stop = empty_array(p++, end);
            if (!stop) continue;
            if (!out) return true;
            buf_append(out, from, (size_t)(at - from));
            buf_printf(out, "[\"%sa\"]", mark);
            p = from = stop;
        } else if (is_digit(*p) || *p == '-') {
            stop = long_integer(p, end, &p);
            if (!stop || !fits(at, stop)) continue; /* beyond 64 bits it stays what cjson makes of it */
            if (!out) return true;
            buf_append(out, from, (size_t)(at - from));
            buf_printf(out, "\"%si%.*s\"", mark, (int)(stop - at), at);
            from = stop;
        } else {
            p++;
        }
    }
    if (out) buf_append(out, from, (size_t)(end - from));
    return false;
}

/* ---- what cjson made ---- */
struct settle {
    bool keep_null, mended;
};

static bool marked(lua_State *L, int idx, const char **ret_rest)
{
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);
    if (n < MARK || memcmp(s, mark, MARK - 1) != 0) return false;
    *ret_rest = s + MARK - 1;
    return true;
}

LJMP static void settle_table(lua_State *L, const struct settle *s);

/* Mend the value on top of the stack: it stays there, possibly another one. True if it changed. */
LJMP static bool settle_value(lua_State *L, const struct settle *s)
{
    const char *rest;
    lua_Integer i;
    int whole;
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
        i = lua_tointegerx(L, -1, &whole);
        if (!whole) return false;
        lua_pop(L, 1);
        lua_pushinteger(L, i);
        return true;
    case LUA_TSTRING:
        if (!s->mended || !marked(L, -1, &rest) || *rest != 'i') return false;
        i = strtoll(rest + 1, NULL, 10);
        lua_pop(L, 1);
        lua_pushinteger(L, i);
        return true;
    case LUA_TTABLE:
        settle_table(L, s);
        return false;
    }
    return false;
}

LJMP static void settle_table(lua_State *L, const struct settle *s)
{
    const char *rest;
    luaL_checkstack(L, 6, "JSON");
    if (s->mended && lua_rawgeti(L, -1, 1) == LUA_TSTRING && marked(L, -1, &rest) && *rest == 'a') {
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_rawseti(L, -2, 1);
        json_push_array_mark(L);
        lua_setmetatable(L, -2);
        return;
    }
    if (s->mended) lua_pop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        bool name = lua_type(L, -2) == LUA_TSTRING;
        if (s->mended && name && marked(L, -2, &rest)) luaL_error(L, "not JSON: a number where a name must be");
        if (name && !s->keep_null && lua_islightuserdata(L, -1)) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, -4); /* clearing and overwriting are allowed while traversing */
        } else if (settle_value(L, s)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4);
        } else {
            lua_pop(L, 1);
        }
    }
}

/* ---- decoding ---- */

/* cjson says "… at character 17"; people count lines. */
LJMP static int complain(lua_State *L, struct str text)
{
    const char *said = lua_tostring(L, -1), *at = said ? strstr(said, " at character ") : NULL;
    if (!at) return luaL_error(L, "not JSON: %s", said ? said : "unknown reason");
    size_t n = strtoul(at + 14, NULL, 10), line = 1, column = 1;
    for (size_t i = 0; i + 1 < n && i < text.n; i++) {
        column = text.p[i] == '\n' ? 1 : column + 1;
        line += text.p[i] == '\n';
    }
    lua_pushlstring(L, said, (size_t)(at - said));
    return luaL_error(L, "not JSON: %s at line %d, column %d", lua_tostring(L, -1), (int)line, (int)column);
}

static int parse(lua_State *L)
{
    const struct str *text = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, decode_ref);
    lua_pushlstring(L, text->p, text->n);
    lua_call(L, 1, 1);
    return 1;
}

LJMP static void decode(lua_State *L, struct str text, bool keep_null)
{
    struct settle s = {.keep_null = keep_null};
    if (text.n > LIMIT_API_ANSWER)
        luaL_error(L, "JSON of %d bytes is larger than the %d that are read", (int)text.n, (int)LIMIT_API_ANSWER);
    luaL_checkstack(L, LUA_MINSTACK, "JSON");
    if (mend(text, NULL)) {
        buf_clear(&rewritten);
        mend(text, &rewritten);
        text = buf_str(&rewritten);
        s.mended = true;
    }
    lua_pushcfunction(L, parse);
    lua_pushlightuserdata(L, &text);
    memory_grace();
    int status = lua_pcall(L, 1, 1, 0);
    memory_ungrace();
    if (status) complain(L, text);
    if (s.mended) buf_trim(&rewritten, 0);
    settle_value(L, &s);
}

void json_decode(lua_State *L, struct str text) { decode(L, text, false); }
void json_decode_keep_null(lua_State *L, struct str text) { decode(L, text, true); }

/* ---- opening ---- */
static void configure(lua_State *L, const char *setting, int value)
{
    lua_getfield(L, -1, setting);
    if (value < 0) lua_pushboolean(L, 0);
    else lua_pushinteger(L, value);
    lua_call(L, 1, 0);
}

static void new_mark(lua_State *L, const char *kind, const void *key)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void json_open(lua_State *L)
{
    unsigned char random[8];
    if (getrandom(random, sizeof random, 0) != sizeof random) memcpy(random, &L, sizeof random);
    mark[0] = 0x7f;
    for (size_t i = 0; i < sizeof random; i++) snprintf(mark + 1 + 2 * i, 3, "%02x", random[i]);
    new_mark(L, "json.array", &array_key);
    new_mark(L, "json.object", &object_key);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    configure(L, "decode_invalid_numbers", -1);
    configure(L, "decode_max_depth", LIMIT_JSON_DEPTH);
    lua_getfield(L, -1, "decode");
    decode_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
}

void json_free(void)
{
    buf_free(&rewritten);
    decode_ref = LUA_NOREF;
}
