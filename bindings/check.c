/* See check.h. Two walks of one code: the first goes through the table as it lies in memory, allocates nothing in Lua, and
 * stops at the first error. Only then a second follows the order of the schema and puts every error it meets into words.
 *
 * Getting at a table's values is most of what both a check and an encoder cost, so the first walk also writes the JSON of
 * what it finds right. Of anything out of the ordinary (fields that the schema lacks, empty tables, marks, bytes that are
 * not UTF-8) it stops writing, not checking: json_encode then does it all, and says what cannot be sent. */
#include "bindings/check.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "bindings/check_private.h"
#include "bindings/json.h"
#include "bindings/task.h"
#include "line/schema_text.h"

/* Most values are strings, and right: their way through the walk is one piece of code, and the rest is beside it. */
#define STRAIGHT __attribute__((always_inline))
#define ASIDE __attribute__((noinline))
#define ERRORS_COUNTED 1000 /* then the second walk ends: a table that holds itself would go on for ever */

/* Whether the walk goes on. */
static bool goes_on(const struct check *c) { return c->errors < (c->report ? ERRORS_COUNTED : 1); }

/* ---- what is right ---- */

/* Go on writing only if it went well so far. */
static inline void wrote(struct check *c, bool well) { c->writes = c->writes && well; }

static inline void write_value(struct check *c, const char *s, size_t n)
{
    size_t bad;
    if (c->writes) wrote(c, write_string(&c->out, s, n, &bad) == WRITTEN);
}

static inline void write_literal(struct check *c, const char *s)
{
    if (c->writes) wrote(c, write_bytes(&c->out, s, strlen(s)));
}

static inline void write_key(struct check *c, char before, const char *s, size_t n)
{
    size_t bad;
    if (c->writes) wrote(c, write_name(&c->out, before, s, n, &bad) == WRITTEN);
}

/* ---- values ---- */

static void walk_kind(struct check *c, const struct schema_kind *k, const struct at *at, int idx, int type, unsigned place);

/* The type of a value; json.null, as good as absent to LINE, counts as LUA_TNIL. Calls into Lua are what a check costs, so
 * a value's type and its place on the stack are found out once and handed on. */
static inline int type_of(lua_State *L, int idx)
{
    int type = lua_type(L, idx);
    return type == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx) == JSON_NULL_VALUE ? LUA_TNIL : type;
}

LJMP static void wrong_type(struct check *c, const struct schema_field *f, const struct at *at, unsigned place, int idx)
{
    char expected[CHECK_TEXT];
    bool number = lua_type(c->L, idx) == LUA_TNUMBER && f->type == SCHEMA_STRING;
    if (!c->report) {
        c->errors++;
        return;
    }
    schema_expected(f, schema_label(place).most, expected, sizeof expected);
    check_complain(c, at, 0, "is a %s, but must be %s%s", luaL_typename(c->L, idx), expected,
                   number ? " (tostring makes one)" : "");
}

/* Out of the way of the many strings that are right, like what else makes texts. */
ASIDE LJMP static void wrong_string(struct check *c, const struct schema_field *f, const struct at *at,
                                    struct str s, unsigned most)
{
    char text[CHECK_TEXT];
    schema_complaint(f, s, most, text, sizeof text);
    check_complain(c, at, 0, "%s", text);
}

/* Returns its length; 1 when it is no string. */
STRAIGHT static inline size_t walk_string(struct check *c, const struct schema_field *f, const struct at *at, int idx, int type,
                                 unsigned place)
{
    struct str s;
    if (type != LUA_TSTRING) return wrong_type(c, f, at, place, idx), 1;
    s.p = lua_tolstring(c->L, idx, &s.n);
    c->bytes += s.n + 2;
    write_value(c, s.p, s.n);
    unsigned most = f->rule == RULE_LABEL ? schema_label(place).most : 0;
    if (!schema_fits(f, s, most)) wrong_string(c, f, at, s, most);
    return s.n;
}

ASIDE LJMP static void wrong_number(struct check *c, const struct schema_field *f, const struct at *at, double d)
{
    char expected[CHECK_TEXT];
    schema_expected(f, 0, expected, sizeof expected);
    check_complain(c, at, 0, "is %.14g, but must be %s", d, expected);
}

static void walk_number(struct check *c, const struct schema_field *f, const struct at *at, int idx, int type)
{
    int is_integer = 1;
    if (type != LUA_TNUMBER) return wrong_type(c, f, at, 0, idx);
    double d = lua_tonumber(c->L, idx);
    if (f->type == SCHEMA_INTEGER) lua_tointegerx(c->L, idx, &is_integer);
    c->bytes++;
    if (c->writes)
        wrote(c, lua_isinteger(c->L, idx) ? write_integer(&c->out, lua_tointeger(c->L, idx)) : isfinite(d) && write_double(&c->out, d));
    if (!is_integer || (f->limited && !(d >= f->min && d <= f->max))) wrong_number(c, f, at, d);
}

/* Whether a list has entries, positions as its only keys, and no mark: then its JSON is what one thinks. */
static bool is_plain_list(lua_State *L, int idx, lua_Integer n)
{
    int top = lua_gettop(L);
    lua_Integer i = 0;
    if (n == 0 || json_mark_of(L, idx) >= 0) return false;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_settop(L, top + 1);
        if (lua_isinteger(L, top + 1) && lua_tointeger(L, top + 1) == ++i) continue;
        lua_settop(L, top);
        return false;
    }
    return i == n;
}

/* A list of objects of kind k (f NULL), or of a field's strings. */
static void walk_entries(struct check *c, const struct schema_kind *k, const struct schema_field *f, const struct at *at,
                         int idx, unsigned place)
{
    lua_State *L = c->L;
    struct at here = {.outer = at, .idx = idx};
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    int top = lua_gettop(L);
    c->bytes += 2 + (size_t)(n > 1 ? n - 1 : 0);
    if (c->writes) wrote(c, is_plain_list(L, idx, n));
    for (here.index = 1; here.index <= n && goes_on(c); here.index++) {
        write_literal(c, here.index == 1 ? "[" : ",");
        lua_rawgeti(L, idx, here.index);
        int type = type_of(L, top + 1);
        if (type == LUA_TNIL) check_complain(c, &here, 0, "is null, which LINE takes in no list");
        else if (k) walk_kind(c, k, &here, top + 1, type, place);
        else walk_string(c, f, &here, top + 1, type, place);
        lua_settop(L, top);
    }
    write_literal(c, "]");
}

static bool is_list(lua_State *L, int idx)
{
    if (!lua_istable(L, idx)) return false;
    if (lua_rawlen(L, idx) > 0) return true;
    lua_pushnil(L);
    bool empty = !lua_next(L, idx);
    if (!empty) lua_pop(L, 2);
    return empty;
}

ASIDE LJMP static void wrong_length(struct check *c, const struct schema_field *f, const struct at *at, double n)
{
    char expected[CHECK_TEXT];
    schema_expected(f, 0, expected, sizeof expected);
    check_complain(c, at, 0, "has %.0f entries, but must be %s", n, expected);
}

static void walk_list(struct check *c, const struct schema_field *f, const struct at *at, int idx, unsigned place)
{
    bool table = lua_istable(c->L, idx);
    double n = table ? (double)lua_rawlen(c->L, idx) : 0;
    if (n == 0 && !is_list(c->L, idx)) {
        if (!table) return wrong_type(c, f, at, place, idx);
        return check_complain(c, at, idx, "is a table with names, but must be a list");
    }
    if (f->limited && (n < f->min || n > f->max)) wrong_length(c, f, at, n);
    walk_entries(c, f->of, f, at, idx, place);
}

static void walk_map(struct check *c, const struct schema_field *f, const struct at *at, int idx)
{
    lua_State *L = c->L;
    struct at here = {.outer = at, .idx = idx};
    unsigned n = 0;
    if (!lua_istable(L, idx)) return wrong_type(c, f, at, 0, idx);
    c->bytes += 2;
    c->writes = false; /* rare */
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            check_complain(c, at, idx, "has a %s among its names", luaL_typename(L, -2));
        } else {
            here.name = lua_tostring(L, -2);
            int type = type_of(L, -1);
            if (type != LUA_TNIL) walk_kind(c, f->of, &here, lua_gettop(L), type, 0), n++;
        }
        lua_pop(L, 1);
        if (goes_on(c)) continue;
        lua_pop(L, 1);
        return;
    }
    if (f->limited && n > f->max) check_complain(c, at, idx, "has %u entries, the most is %.0f", n, f->max);
}

ASIDE static void walk_value(struct check *c, const struct schema_field *f, const struct at *at, int idx, int type, unsigned place)
{
    switch (f->type) {
    case SCHEMA_STRING: walk_string(c, f, at, idx, type, place); return;
    case SCHEMA_INTEGER:
    case SCHEMA_NUMBER: return walk_number(c, f, at, idx, type);
    case SCHEMA_BOOLEAN:
        c->bytes += 4;
        if (type != LUA_TBOOLEAN) return wrong_type(c, f, at, 0, idx);
        write_literal(c, lua_toboolean(c->L, idx) ? "true" : "false");
        return;
    case SCHEMA_OBJECT: return walk_kind(c, f->of, at, idx, type, f->place);
    case SCHEMA_ARRAY: return walk_list(c, f, at, idx, f->place);
    case SCHEMA_MAP: return walk_map(c, f, at, idx);
    }
}

/* ---- objects ---- */

LJMP int check_get(struct check *c, int idx, const char *name)
{
    lua_pushstring(c->L, name);
    lua_rawget(c->L, idx);
    return type_of(c->L, -1);
}

/* A box's contents stand in lines of text or not, by its layout. */
static unsigned box_place(struct check *c, int idx)
{
    unsigned place = PLACE_ANY; /* a wrong layout is an error of its own */
    lua_pushvalue(c->L, c->type_idx + 1);
    if (lua_rawget(c->L, idx) == LUA_TSTRING) {
        struct str layout;
        layout.p = lua_tolstring(c->L, -1, &layout.n);
        if (str_is(layout, "baseline")) place = PLACE_BASELINE;
        else if (str_is(layout, "vertical") || str_is(layout, "horizontal")) place = PLACE_BOX;
    }
    lua_pop(c->L, 1);
    return place;
}

/* The value at idx, on top of the stack, is field i. */
STRAIGHT static inline void walk_field(struct check *c, struct check_object *o, struct at *here, int i, int idx, unsigned place)
{
    const struct schema_field *f = &o->kind->fields[i];
    int type = type_of(c->L, idx);
    if (type == LUA_TNIL) return write_literal(c, "null"); /* in memory order: json.null */
    o->seen |= (uint64_t)1 << i;
    here->name = f->name;
    c->bytes += f->n + 4u; /* its quotes, colon and comma */
    if (f->type == SCHEMA_STRING) {
        o->empty |= (uint64_t)(walk_string(c, f, here, idx, type, place) == 0) << i;
        return;
    }
    if (f->type == SCHEMA_ARRAY && o->kind->check == CHECK_box) return walk_list(c, f, here, idx, box_place(c, o->idx));
    walk_value(c, f, here, idx, type, place);
}

/* A field that the kind lacks; its value is at idx. */
static void walk_other(struct check *c, const struct check_object *o, const char *key, size_t n, int idx)
{
    bool type = n == 4 && memcmp(key, "type", 4) == 0;
    if (!type) check_notice(c, o->kind, o->at, o->idx, "field", key);
    if (!type || lua_type(c->L, idx) != LUA_TSTRING) {
        c->writes = false;
        return;
    }
    const char *s = lua_tolstring(c->L, idx, &n);
    write_value(c, s, n);
}

static void walk_in_memory_order(struct check *c, struct check_object *o, struct at *here, unsigned place)
{
    lua_State *L = c->L;
    int top = lua_gettop(L); /* key and value stand above */
    char before = '{';
    if (c->writes) wrote(c, json_mark_of(L, o->idx) < 0);
    lua_pushnil(L);
    while (lua_next(L, o->idx)) {
        if (lua_type(L, top + 1) == LUA_TSTRING) {
            size_t n;
            const char *key = lua_tolstring(L, top + 1, &n);
            int i = schema_field(o->kind, key, n);
            write_key(c, before, key, n);
            before = ',';
            if (i >= 0) walk_field(c, o, here, i, top + 2, place);
            else walk_other(c, o, key, n, top + 2);
        } else {
            c->errors++; /* the second walk says it */
        }
        if (c->errors) {
            lua_settop(L, top);
            return;
        }
        lua_settop(L, top + 1);
    }
    if (before == '{') c->writes = false; /* under some names {} is a list: json_encode knows them */
    write_literal(c, "}");
}

/* False when the object is a list, about which nothing more can be said. */
static bool walk_in_schema_order(struct check *c, struct check_object *o, struct at *here, unsigned place)
{
    lua_State *L = c->L;
    lua_pushnil(L);
    while (lua_next(L, o->idx)) {
        int type = lua_type(L, -2);
        lua_pop(L, 1);
        if (type == LUA_TSTRING) continue;
        lua_pop(L, 1);
        check_complain(c, o->at, o->idx, "has a %s among its names, as a list does, but must be a table: %s",
                       lua_typename(L, type), o->kind->about);
        return false;
    }
    for (unsigned i = 0; i < o->kind->fields_n && goes_on(c); i++) {
        check_get(c, o->idx, o->kind->fields[i].name);
        walk_field(c, o, here, (int)i, lua_gettop(L), place);
        lua_pop(L, 1);
    }
    return true;
}

static uint64_t lacks_of(const struct check_object *o, unsigned place)
{
    uint64_t required = o->kind->required;
    if (o->kind->label && schema_label(place).required) required |= (uint64_t)1 << (o->kind->label - 1);
    return required & ~o->seen;
}

ASIDE LJMP static void missing(struct check *c, const struct check_object *o, struct at *here, unsigned place)
{
    char expected[CHECK_TEXT];
    struct schema_label label = schema_label(place);
    uint64_t lacks = lacks_of(o, place);
    for (unsigned i = 0; lacks; i++, lacks >>= 1) {
        if (!(lacks & 1)) continue;
        here->name = o->kind->fields[i].name;
        if (!c->report) {
            c->errors++;
            return;
        }
        schema_expected(&o->kind->fields[i], label.most, expected, sizeof expected);
        check_complain(c, here, 0, "is missing; it must be %s", expected);
    }
}

static void walk_object(struct check *c, const struct schema_kind *k, const struct at *at, int idx, unsigned place)
{
    struct check_object o = {.kind = k, .at = at, .idx = idx};
    struct at here = {.outer = at, .idx = idx};
    size_t before = c->bytes;
    c->bytes += k->fields_n ? 1 : 2; /* each field counts a comma, the last in place of a brace */
    if (!c->report) walk_in_memory_order(c, &o, &here, place);
    else if (!walk_in_schema_order(c, &o, &here, place)) return;
    o.bytes = c->bytes - before;
    if (lacks_of(&o, place)) missing(c, &o, &here, place);
    if (k->check != CHECK_none && goes_on(c)) check_rule(c, &o);
}

/* The value at idx is of kind k: an object, or one of a union's. */
static void walk_kind(struct check *c, const struct schema_kind *k, const struct at *at, int idx, int type, unsigned place)
{
    lua_State *L = c->L;
    if (type != LUA_TTABLE)
        return check_complain(c, at, 0, "is a %s, but must be a table: %s", luaL_typename(L, idx), k->about);
    if (c->depth >= LIMIT_JSON_DEPTH) return check_complain(c, at, idx, "is nested too deep, or contains itself");
    if (c->bytes > LIMIT_API_REQUEST) return check_complain(c, at, idx, "makes the whole larger than LINE takes");
    luaL_checkstack(L, LUA_MINSTACK, "check");
    if (c->depth > LIMIT_JSON_DEPTH / 4) c->writes = false; /* json_encode counts its own way how deep is too deep */
    c->depth++;
    if (!k->variants) {
        walk_object(c, k, at, idx, place);
    } else {
        struct at type_at = {.outer = at, .idx = idx, .name = "type"};
        lua_pushvalue(L, c->type_idx);
        if (lua_rawget(L, idx) == LUA_TSTRING) {
            size_t n;
            const char *name = lua_tolstring(L, -1, &n);
            const struct schema_variant *v = schema_variant(k, name, n);
            lua_pop(L, 1); /* the table keeps it */
            c->bytes += n + 10;
            if (!v && check_elsewhere(k, name, n)) check_complain(c, &type_at, 0, "\"%s\" cannot stand here, only %s", name, k->about);
            else if (!v) check_notice(c, k, at, idx, "type", name), c->writes = false;
            else if (place && !(v->places & place)) check_complain(c, &type_at, 0, "\"%s\" cannot stand here", v->type);
            else walk_object(c, v->of, at, idx, place);
        } else {
            check_complain(c, &type_at, 0, "%s; it says which of LINE's objects this is",
                           lua_isnil(L, -1) ? "is missing" : "is not a string");
            lua_pop(L, 1);
        }
        struct check_object o = {.kind = k, .at = at, .idx = idx};
        if (k->check != CHECK_none && c->depth == 1) check_rule(c, &o);
    }
    c->depth--;
}

/* ---- the doors ---- */

enum mode { MODE_STRICT, MODE_WARN, MODE_OFF };
static const char *const mode_names[] = {"strict", "warn", "off", NULL};
static const char mode_key; /* its address: line.check's key in the registry, a mode's number */

static enum mode mode_of(lua_State *L)
{
    bool set = lua_rawgetp(L, LUA_REGISTRYINDEX, &mode_key) != LUA_TNIL;
    enum mode mode = set ? (enum mode)lua_tointeger(L, -1) : MODE_STRICT;
    lua_pop(L, 1);
    return mode;
}

/* Walk the value at idx. */
static void run(struct check *c, const struct schema_kind *k, bool list, int idx, const char *path)
{
    struct at root = {.name = path};
    lua_State *L = c->L;
    if (!list) return walk_kind(c, k, &root, idx, type_of(L, idx), 0);
    if (!is_list(L, idx)) return check_complain(c, &root, 0, "must be a list");
    size_t n = lua_rawlen(L, idx);
    if (k->most && (n < k->least || n > k->most))
        check_complain(c, &root, 0, "has %zu entries, but must have %u to %u", n, k->least, k->most);
    walk_entries(c, k, NULL, &root, idx, 0);
}

/* The second walk: every error in words. */
LJMP static void report(lua_State *L, const struct schema_kind *k, bool list, int idx, const char *path, const char *what,
                        const char *where, bool raise)
{
    struct report r = {.used = 0};
    struct check c = {.L = L, .report = &r, .where = where, .type_idx = lua_gettop(L) - 1};
    char here[256], all[LIMIT_ERROR_TEXT + 512];
    if (!where) {
        task_push_where(L);
        snprintf(here, sizeof here, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        c.where = here;
    }
    run(&c, k, list, idx, path);
    if (c.errors <= 1) {
        snprintf(all, sizeof all, "%s", r.text);
    } else {
        bool more = c.errors > CHECK_ERRORS_SHOWN;
        snprintf(all, sizeof all, "%s: %s: %u%s errors\n%s", c.where, what, c.errors,
                 c.errors >= ERRORS_COUNTED ? " or more" : "", r.text);
        if (more) snprintf(all + strlen(all), sizeof all - strlen(all), "\nand %u more", c.errors - CHECK_ERRORS_SHOWN);
    }
    if (!raise) {
        check_warn(all, c.where);
        return;
    }
    lua_pushstring(L, all);
    lua_error(L);
}

LJMP void message_check_write(lua_State *L, const char *kind, int idx, const char *path, const char *what,
                              const char *where, struct json_written *ret)
{
    if (ret) ret->table = NULL;
    enum mode mode = mode_of(L);
    size_t n = strlen(kind);
    bool list = n > 2 && strcmp(kind + n - 2, "[]") == 0;
    const struct schema_kind *k = schema_find((struct str){kind, list ? n - 2 : n});
    if (mode == MODE_OFF || !k) return;
    luaL_checkstack(L, LUA_MINSTACK, "check");
    idx = lua_absindex(L, idx);
    lua_pushliteral(L, "type");
    lua_pushliteral(L, "layout");
    struct check c = {.L = L, .where = where, .type_idx = lua_gettop(L) - 1};
    if (ret) {
        buf_clear(&ret->json);
        writer_begin(&c.out, &ret->json);
        c.writes = true;
    }
    run(&c, k, list, idx, path);
    if (ret && c.writes && !c.errors) {
        writer_end(&c.out);
        ret->table = lua_topointer(L, idx);
    }
    if (c.errors) report(L, k, list, idx, path, what, where, mode == MODE_STRICT);
    lua_pop(L, 2);
}

LJMP void message_check_at(lua_State *L, const char *kind, int idx, const char *path, const char *what,
                           const char *where)
{
    message_check_write(L, kind, idx, path, what, where, NULL);
}

LJMP void message_check(lua_State *L, const char *kind, int idx, const char *path, const char *what)
{
    message_check_at(L, kind, idx, path, what, NULL);
}

/* check_mode([mode]): the mode that was; raises at the script's line when mode is none. */
int message_check_mode(lua_State *L)
{
    enum mode was = mode_of(L);
    if (!lua_isnoneornil(L, 1)) {
        const char *wanted = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
        int i = 0;
        while (mode_names[i] && strcmp(mode_names[i], wanted) != 0) i++;
        if (!mode_names[i]) {
            task_push_where(L);
            lua_pushfstring(L, "%s: line.check is \"strict\", \"warn\" or \"off\"", lua_tostring(L, -1));
            return lua_error(L);
        }
        lua_pushinteger(L, i);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &mode_key);
    }
    lua_pushstring(L, mode_names[was]);
    return 1;
}

/* check(kind, value[, path[, what[, where]]]) → value */
int message_check_call(lua_State *L)
{
    const char *kind = luaL_checkstring(L, 1);
    lua_settop(L, 5);
    message_check_at(L, kind, 2, luaL_optstring(L, 3, ""), luaL_optstring(L, 4, "line"), lua_tostring(L, 5));
    lua_settop(L, 2);
    return 1;
}
