/* line.utf16: LINE counts text in UTF-16 units (an apple emoji is two), Lua in bytes. Nothing here cuts a character: half
 * a pair, asked for, is left out or rounded to the whole. What is not UTF-8 is counted as Unicode recommends for showing
 * it: one unit for each longest beginning of a character, and that is never cut either.
 *
 * An index is LINE's: units before the character, from 0. A position is Lua's: bytes from 1, as string.sub takes. */
#include "base/utf8.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"

/* A place in a text: before the character at p; units: how many stand before it. */
struct place {
    const unsigned char *start, *p, *end;
    lua_Integer units;
};

/* Length in bytes of what begins at p and is no well-formed character. */
static unsigned broken_length(const unsigned char *p, size_t n)
{
    unsigned have = 1, want = *p < 0xC2 || *p > 0xF4 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
    /* Overlong forms, surrogates and what lies above U+10FFFF: wrong from the second byte on. */
    if (n > 1 && ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] >= 0xA0) || (*p == 0xF0 && p[1] < 0x90) ||
                  (*p == 0xF4 && p[1] >= 0x90)))
        return 1;
    while (have < want && have < n && (p[have] & 0xC0) == 0x80) have++;
    return have;
}

/* The character at a place that is not the end: bytes, and units by return. */
static int width(const struct place *at, unsigned *bytes)
{
    size_t left = (size_t)(at->end - at->p);
    *bytes = utf8_length(at->p, left);
    if (!*bytes) *bytes = broken_length(at->p, left);
    else if (*bytes == 4) return 2;
    return 1;
}

/* Go on over every character that ends at or before the index. */
static void go_to(struct place *at, lua_Integer index)
{
    unsigned bytes;
    while (at->p < at->end) {
        int units = width(at, &bytes);
        if (units > index - at->units) return;
        at->p += bytes;
        at->units += units;
    }
}

/* The same, and also over a character whose middle the index is. */
static void go_behind(struct place *at, lua_Integer index)
{
    unsigned bytes;
    go_to(at, index);
    if (at->units >= index || at->p == at->end) return;
    at->units += width(at, &bytes);
    at->p += bytes;
}

static struct place place_of(lua_State *L)
{
    size_t n;
    const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &n);
    return (struct place){s, s, s + n, 0};
}

static lua_Integer position(const struct place *at)
{
    return (lua_Integer)(at->p - at->start) + 1;
}

static int utf16_len(lua_State *L)
{
    struct place at = place_of(L);
    go_to(&at, LUA_MAXINTEGER);
    lua_pushinteger(L, at.units);
    return 1;
}

static int utf16_sub(lua_State *L)
{
    struct place at = place_of(L);
    lua_Integer i = luaL_checkinteger(L, 2), j = luaL_optinteger(L, 3, -1);
    if (i < 0 || j < 0) {
        struct place end = at;
        go_to(&end, LUA_MAXINTEGER);
        if (i < 0) i = i < -end.units ? 1 : end.units + i + 1;
        if (j < 0) j = j < -end.units ? 0 : end.units + j + 1;
    }
    if (i > 1) go_behind(&at, i - 1);
    const unsigned char *from = at.p;
    if (j > at.units) go_to(&at, j);
    lua_pushlstring(L, (const char *)from, (size_t)(at.p - from));
    return 1;
}

static int utf16_to_byte(lua_State *L)
{
    struct place at = place_of(L);
    lua_Integer index = luaL_checkinteger(L, 2);
    if (index >= 0) go_to(&at, index);
    if (index < 0 || (at.p == at.end && at.units < index)) lua_pushnil(L);
    else lua_pushinteger(L, position(&at));
    return 1;
}

static int utf16_from_byte(lua_State *L)
{
    struct place at = place_of(L);
    unsigned bytes;
    lua_Integer byte = luaL_checkinteger(L, 2);
    if (byte < 1 || byte - 1 > at.end - at.start) {
        lua_pushnil(L);
        return 1;
    }
    while (at.p < at.end) {
        int units = width(&at, &bytes);
        if (position(&at) + (lua_Integer)bytes > byte) break;
        at.p += bytes;
        at.units += units;
    }
    lua_pushinteger(L, at.units);
    return 1;
}

static int utf16_range(lua_State *L)
{
    struct place at = place_of(L);
    lua_Integer index = luaL_checkinteger(L, 2), length = luaL_checkinteger(L, 3);
    if (index < 0 || length < 0) return 0;
    go_to(&at, index);
    if (at.p == at.end && (at.units < index || length > 0)) return 0;
    lua_pushinteger(L, position(&at));
    go_behind(&at, length > LUA_MAXINTEGER - index ? LUA_MAXINTEGER : index + length);
    lua_pushinteger(L, position(&at) - 1);
    return 2;
}

void lua_utf16_push(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"len", utf16_len}, {"sub", utf16_sub}, {"to_byte", utf16_to_byte}, {"from_byte", utf16_from_byte},
        {"range", utf16_range}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
}
