/* The table of kinds as Lua sees it: for the emulator, which checks what is sent by a walk of its own. Built anew by each
 * call, so that a bot that never asks pays nothing. */
#include "bindings/operation.h"
#include "line/schema.h"

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (!value || !*value) return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* An integer where the number is one, for Lua prints 5 and 5.0 differently. */
static void set_number(lua_State *L, const char *key, double value)
{
    if (value >= -9e15 && value <= 9e15 && value == (double)(lua_Integer)value) lua_pushinteger(L, (lua_Integer)value);
    else lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

/* {name=, type=, rule=, graphemes=, required=, limited=, min=, max=, units=, place=, words=, kind=} */
static void push_field(lua_State *L, const struct schema_field *f)
{
    static const char *const types[] = {
        [SCHEMA_STRING] = "string", [SCHEMA_INTEGER] = "integer", [SCHEMA_NUMBER] = "number", [SCHEMA_BOOLEAN] = "boolean",
        [SCHEMA_OBJECT] = "object", [SCHEMA_ARRAY] = "array", [SCHEMA_MAP] = "map",
    };
    static const char *const rules[] = {
        [RULE_NONE] = "", [RULE_WORDS] = "words", [RULE_SIZE] = "size", [RULE_HTTPS] = "https", [RULE_LINK] = "link",
        [RULE_COLOR] = "color", [RULE_CHARS] = "chars", [RULE_RATIO] = "ratio", [RULE_ANGLE] = "angle",
        [RULE_SHARE] = "share", [RULE_LABEL] = "label",
    };
    lua_createtable(L, 0, 12);
    set_text(L, "name", f->name);
    set_text(L, "type", types[f->type]);
    set_text(L, "rule", rules[f->rule]);
    set_flag(L, "graphemes", f->count == COUNT_GRAPHEMES);
    set_flag(L, "required", f->required);
    set_flag(L, "limited", f->limited);
    set_number(L, "min", f->min);
    set_number(L, "max", f->max);
    set_number(L, "units", f->units);
    set_number(L, "place", f->place);
    set_text(L, "words", f->words);
    set_text(L, "kind", f->kind);
}

static void push_kind(lua_State *L, const struct schema_kind *k)
{
    lua_createtable(L, 0, 5);
    set_text(L, "name", k->name);
    if (k->most) {
        set_number(L, "least", k->least);
        set_number(L, "most", k->most);
    }
    lua_createtable(L, (int)k->variants_n, 0);
    for (unsigned i = 0; i < k->variants_n; i++) {
        lua_createtable(L, 0, 3);
        set_text(L, "type", k->variants[i].type);
        set_text(L, "kind", k->variants[i].kind);
        set_number(L, "places", k->variants[i].places);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "variants");
    lua_createtable(L, (int)k->fields_n, 0);
    for (unsigned i = 0; i < k->fields_n; i++) {
        push_field(L, &k->fields[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "fields");
}

/* schema(): the list of all kinds. */
static int core_schema(lua_State *L)
{
    unsigned n;
    const struct schema_kind *k = schema_kinds(&n);
    lua_createtable(L, (int)n, 0);
    for (unsigned i = 0; i < n; i++) {
        push_kind(L, &k[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

LJMP void schema_rows_push(lua_State *L)
{
    lua_pushcfunction(L, core_schema);
    lua_setfield(L, -2, "schema");
}
