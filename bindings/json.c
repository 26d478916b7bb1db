/* Decoding, and the two marks. The scanner checks every byte and hands out views; each is pushed as soon as it is read,
 * so nothing is built twice. Whatever has to be kept meanwhile is on the Lua stack: any call here may raise for want of
 * memory, and leaves nothing behind when it does. */
#include "bindings/json.h"

#include <locale.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "bindings/lua_api.h"

/* Room made in a table before its size is known. LINE's objects have up to eight members at the root of an event and
 * two to five below; too little costs a rehash, too much 24 bytes a member. */
#define ROOT_MEMBERS 8
#define MEMBERS 4
#define ITEMS 4

#define STACK 8 /* slots for one container and the value inside: its table, a key, a string in the making, to spare */

const void *json_array_mark, *json_object_mark;
static const char array_key, object_key; /* registry: the two metatables */
static locale_t c_locale; /* a native module may call setlocale(), and then strtod() looks for a decimal comma */

void json_push_array_mark(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key); }
void json_push_object_mark(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &object_key); }

struct decoder {
    lua_State *L;
    struct json j;
    struct str text;
    bool keep_null;
};

LJMP static void push_value(struct decoder *d, bool member);

/* Lines are what people count; a column is a byte, as in most editors' status of ASCII text. */
__attribute__((noreturn)) LJMP static void complain(const struct decoder *d, const char *why)
{
    int line = 1, column = 1;
    for (const char *p = d->text.p; p < d->j.p; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    luaL_error(d->L, "not JSON: %s at line %d, column %d", why, line, column);
    abort(); /* not reached: luaL_error is not declared as one that never returns */
}

/* ---- strings and numbers ---- */

/* A string with escapes, in memory that is Lua's from the start: no escape is shorter than what it stands for. Apart
 * from push_string() because of the luaL_Buffer on its stack. */
__attribute__((noinline)) LJMP static void push_escaped(lua_State *L, struct str inside)
{
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, inside.n);
    luaL_pushresultsize(&b, json_unescape(inside, to));
}

LJMP static void push_string(lua_State *L, struct str inside) /* checked by the scanner, without its quotes */
{
    if (json_plain(inside)) lua_pushlstring(L, inside.p, inside.n);
    else push_escaped(L, inside);
}

/* A number that is not an integer of 64 bits. strtod wants a NUL behind it. */
LJMP static void push_float(lua_State *L, struct str raw)
{
    char copy[64];
    const char *digits = copy;
    if (raw.n < sizeof copy) {
        memcpy(copy, raw.p, raw.n);
        copy[raw.n] = 0;
        lua_pushnil(L); /* in the place of the long copy */
    } else {
        digits = lua_pushlstring(L, raw.p, raw.n);
    }
    lua_Number value = strtod_l(digits, NULL, c_locale);
    bool written_as_integer = !strpbrk(digits, ".eE"); /* 2^63 and more: a float, however round */
    lua_pop(L, 1);
    lua_pushnumber(L, value);
    if (written_as_integer) return;
    int whole;
    lua_Integer i = lua_tointegerx(L, -1, &whole);
    if (!whole) return;
    lua_pop(L, 1);
    lua_pushinteger(L, i); /* 1.0 and 1e3: "n=" .. n would show 1.0 and 1000.0 */
}

LJMP static void push_number(lua_State *L, struct str raw)
{
    int64_t i;
    if (json_integer(raw, &i) == 0) lua_pushinteger(L, i);
    else push_float(L, raw);
}

/* ---- containers ---- */

/* The bracket is known to be there: only depth is refused. */
LJMP static void enter(struct decoder *d, int (*how)(struct json *j))
{
    luaL_checkstack(d->L, STACK, "JSON");
    if (how(&d->j)) complain(d, lua_pushfstring(d->L, "nested deeper than %d", LIMIT_JSON_DEPTH));
}

LJMP static void push_object(struct decoder *d)
{
    lua_State *L = d->L;
    struct str key;
    enter(d, json_enter_object);
    int guess = d->j.depth == 1 ? ROOT_MEMBERS : MEMBERS, r = json_next_key(&d->j, &key);
    lua_createtable(L, 0, r ? guess : 0);
    for (; r > 0; r = json_next_key(&d->j, &key)) {
        push_string(L, key);
        push_value(d, true);
        lua_rawset(L, -3); /* nil takes away what came before under this name, and is else nothing */
    }
    if (r < 0) complain(d, d->j.error);
}

LJMP static void push_array(struct decoder *d)
{
    lua_State *L = d->L;
    enter(d, json_enter_array);
    int r = json_next_item(&d->j);
    lua_createtable(L, r ? ITEMS : 0, 0);
    if (r == 0) { /* nothing else tells [] from {} */
        json_push_array_mark(L);
        lua_setmetatable(L, -2);
    }
    for (lua_Integer i = 1; r > 0; r = json_next_item(&d->j)) {
        push_value(d, false);
        lua_rawseti(L, -2, i++);
    }
    if (r < 0) complain(d, d->j.error);
}

/* The value that comes next. Calls itself through the containers, LIMIT_JSON_DEPTH deep at most. */
LJMP static void push_value(struct decoder *d, bool member)
{
    lua_State *L = d->L;
    struct str raw;
    enum json_type type = json_peek(&d->j);
    if (type == JSON_OBJECT) return push_object(d);
    if (type == JSON_ARRAY) return push_array(d);
    if (json_value(&d->j, &raw)) complain(d, d->j.error);
    switch (type) {
    case JSON_STRING:
        return push_string(L, (struct str){raw.p + 1, raw.n - 2});
    case JSON_NUMBER:
        return push_number(L, raw);
    case JSON_NULL:
        if (member && !d->keep_null) return lua_pushnil(L);
        return lua_pushlightuserdata(L, JSON_NULL_VALUE);
    default:
        return lua_pushboolean(L, type == JSON_TRUE);
    }
}

LJMP static void decode(lua_State *L, struct str text, bool keep_null)
{
    struct decoder d = {.L = L, .text = text, .keep_null = keep_null};
    if (text.n > LIMIT_API_ANSWER)
        luaL_error(L, "JSON of %d bytes is larger than the %d that are read", (int)text.n, (int)LIMIT_API_ANSWER);
    luaL_checkstack(L, STACK, "JSON");
    json_begin(&d.j, text.p, text.n);
    push_value(&d, false);
    if (json_end(&d.j)) complain(&d, d.j.error);
}

void json_decode(lua_State *L, struct str text) { decode(L, text, false); }
void json_decode_keep_null(lua_State *L, struct str text) { decode(L, text, true); }

/* ---- opening ---- */

static const void *new_mark(lua_State *L, const char *kind, const void *key)
{
    lua_createtable(L, 0, 2);
    const void *mark = lua_topointer(L, -1);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    return mark;
}

void json_open(lua_State *L)
{
    json_free();
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (!c_locale) luaL_error(L, "there is no C locale");
    json_array_mark = new_mark(L, "json.array", &array_key);
    json_object_mark = new_mark(L, "json.object", &object_key);
    /* Lua's first large buffer makes the metatable of all of them. Where memory ran out right then, it would stay
     * half made, and each later one fail with "got a non-closable value": so the first is now. */
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, LUAL_BUFFERSIZE + 1);
    luaL_pushresultsize(&b, 0);
    lua_pop(L, 1);
}

void json_free(void)
{
    if (c_locale) freelocale(c_locale);
    c_locale = NULL;
}
