/* See operation.h. One C function serves all rows; the row's index and the function's name are its upvalues. */
#include "bindings/operation.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/near.h"
#include "bindings/body.h"
#include "bindings/check.h"

static char **fixed_urls; /* [row]: the URL of a row without variable parts, made on first use, kept for good */

/* What the check wrote of the call's largest part, most often its messages: from check_kinds to build_json, in which no
 * task can wait. A finalizer may make a call of its own in between; then this is of another table, and not used. */
static struct json_written written = {.json = BUF(LIMIT_API_REQUEST)};
#define WRITTEN_KEPT 16384 /* bytes of it that stay for the next call */

LJMP int operation_unknown(lua_State *L, const char *kind, const char *got, const char *const *names, size_t n)
{
    const char *near = near_name(got, names, n), *what = lua_tostring(L, ARG_WHAT);
    if (near) return call_misuse(L, "%s: unknown %s '%s' (did you mean '%s'?)", what, kind, got, near);
    return call_misuse(L, "%s: unknown %s '%s'", what, kind, got);
}

/* ---- arguments ---- */

static bool type_fits(lua_State *L, int idx, enum field_type t)
{
    int is, have = lua_type(L, idx);
    switch (t) {
    case FIELD_STRING: return have == LUA_TSTRING;
    case FIELD_INTEGER: lua_tointegerx(L, idx, &is); return have == LUA_TNUMBER && is;
    case FIELD_NUMBER: return have == LUA_TNUMBER;
    case FIELD_BOOLEAN: return have == LUA_TBOOLEAN;
    case FIELD_ARRAY:
    case FIELD_OBJECT: return have == LUA_TTABLE;
    case FIELD_FILE: return have == LUA_TSTRING || have == LUA_TTABLE;
    }
    return false;
}

#define WORDS_MOST 48
#define WORD_BYTES 48

/* The value is none of the field's: name the one that was meant, or all. */
static int wrong_word(lua_State *L, const struct operation_field *f, const char *got)
{
    char text[WORDS_MOST][WORD_BYTES];
    const char *names[WORDS_MOST], *what = lua_tostring(L, ARG_WHAT);
    size_t n = 0;
    struct str rest = f->words;
    for (struct str w; n < WORDS_MOST && (w = field_next_word(&rest)).p; n++) {
        snprintf(text[n], WORD_BYTES, "%.*s", (int)w.n, w.p);
        names[n] = text[n];
    }
    const char *near = near_name(got, names, n);
    if (near) return call_misuse(L, "%s: field '%s' cannot be '%s' (did you mean '%s'?)", what, f->name, got, near);
    return call_misuse(L, "%s: field '%s' cannot be '%s'; it is one of %.*s", what, f->name, got, (int)f->words.n, f->words.p);
}

static void check_bounds(lua_State *L, const struct operation_field *f, lua_Integer v, const char *of)
{
    const char *what = lua_tostring(L, ARG_WHAT);
    bool low = f->least != FIELD_NO_BOUND && v < f->least, high = f->most != FIELD_NO_BOUND && v > f->most;
    if (low) call_misuse(L, "%s: field '%s' must %s at least %lld, not %lld", what, f->name, of, (long long)f->least, (long long)v);
    if (high) call_misuse(L, "%s: field '%s' must %s at most %lld, not %lld", what, f->name, of, (long long)f->most, (long long)v);
}

/* The value on top of the stack, of the right type, within the row's bounds and words. */
static void check_value(lua_State *L, const struct operation_field *f)
{
    if (f->type == FIELD_INTEGER) {
        check_bounds(L, f, lua_tointeger(L, -1), "be");
    } else if (f->type == FIELD_STRING && f->words.p) {
        if (!field_word_fits(f->words, str_of(lua_tostring(L, -1)))) wrong_word(L, f, lua_tostring(L, -1));
    } else if (f->type == FIELD_ARRAY) {
        lua_Unsigned n = lua_rawlen(L, -1);
        check_bounds(L, f, (lua_Integer)n, "hold");
        for (lua_Unsigned i = 1; f->words.p && i <= n; i++) {
            const char *item = lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
            if (!field_word_fits(f->words, str_of(item))) wrong_word(L, f, item);
            lua_pop(L, 1);
        }
    }
}

/* Every key of the table at ARG_FIELDS is a field of the row, of its type; the required ones are there. */
static void check_fields(lua_State *L, const struct operation_field *f, unsigned n)
{
    const char *what = lua_tostring(L, ARG_WHAT), *names[OPERATION_FIELDS];
    uint32_t seen = 0;
    lua_pushnil(L);
    while (lua_next(L, ARG_FIELDS)) { /* key value */
        if (lua_type(L, -2) != LUA_TSTRING)
            call_misuse(L, "%s: takes fields by name, such as {%s = …}, not a list", what, n ? f[0].name : "name");
        size_t len;
        const char *key = lua_tolstring(L, -2, &len);
        unsigned i = 0;
        while (i < n && !(f[i].n == len && memcmp(f[i].name, key, len) == 0)) i++;
        if (i == n) {
            for (i = 0; i < n; i++) names[i] = f[i].name;
            operation_unknown(L, "field", key, names, n);
        }
        if (!type_fits(L, -1, f[i].type))
            call_misuse(L, "%s: field '%s' must be %s, not %s", what, key, field_type_name(f[i].type),
                        luaL_typename(L, -1));
        check_value(L, &f[i]);
        seen |= 1u << i;
        lua_pop(L, 1);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!f[i].required || (seen >> i & 1)) continue;
        if (lua_getfield(L, ARG_FIELDS, f[i].name) == LUA_TNIL)
            call_misuse(L, "%s: missing field '%s'", what, f[i].name);
        lua_pop(L, 1);
    }
}

/* What the schema knows of messages, rich menus and the like. */
static void check_kinds(lua_State *L, unsigned row, const struct operation_field *f, unsigned n)
{
    const char *what = lua_tostring(L, ARG_WHAT), *where = lua_tostring(L, ARG_WHERE), *whole = operation_kind(row);
    written.table = NULL;
    if (*whole) message_check_at(L, whole, ARG_FIELDS, "", what, where);
    for (unsigned i = 0; i < n; i++) {
        char kind[OPERATION_KIND + 2];
        if (!f[i].kind[0]) continue;
        stpcpy(stpcpy(kind, f[i].kind), f[i].type == FIELD_ARRAY ? "[]" : "");
        if (lua_getfield(L, ARG_FIELDS, f[i].name) != LUA_TNIL)
            message_check_write(L, kind, lua_gettop(L), f[i].name, what, where, f[i].type == FIELD_ARRAY ? &written : NULL);
        lua_pop(L, 1);
    }
}

/* " such as {groupId = …, userId = …}": the required fields of an operation, nothing when it has none. */
static void show_shape(const struct operation *o, char *ret, size_t size)
{
    unsigned n, shown = 0;
    const struct operation_field *f = operation_fields((unsigned)(o - operations), &n);
    size_t used = 0;
    *ret = '\0';
    for (unsigned i = 0; i < n && used < size; i++)
        if (f[i].required)
            used += (size_t)snprintf(ret + used, size - used, "%s%s = …", shown++ ? ", " : " such as {", f[i].name);
    if (shown && used < size) snprintf(ret + used, size - used, "}");
}

/* What stands at ARG_FIELDS becomes the table of fields: the natural value is wrapped, nothing at all is empty. */
static void settle_fields(lua_State *L, const struct operation *o)
{
    int t = lua_type(L, ARG_FIELDS);
    if (t == LUA_TTABLE) return;
    if (t != LUA_TNIL && !*o->natural) {
        char shape[200];
        show_shape(o, shape, sizeof shape);
        call_misuse(L, "%s: takes a table of fields%s, not a %s", lua_tostring(L, ARG_WHAT), shape, luaL_typename(L, ARG_FIELDS));
    }
    lua_createtable(L, 0, 1);
    if (t != LUA_TNIL) {
        lua_pushvalue(L, ARG_FIELDS);
        lua_setfield(L, -2, o->natural);
    }
    lua_replace(L, ARG_FIELDS);
}

static int64_t option_seconds(lua_State *L, const char *name)
{
    double s = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(s > 0 && s <= 3600))
        call_misuse(L, "%s: %s must be a number of seconds above 0", lua_tostring(L, ARG_WHAT), name);
    return (int64_t)(s * 1000 + 0.5);
}

LJMP void operation_options(lua_State *L, struct api_call *c, bool takes_key)
{
    const char *const names[] = {"timeout", takes_key ? "retry_key" : NULL, c->x.streaming ? "ready_timeout" : NULL};
    const char *what = lua_tostring(L, ARG_WHAT), *own = NULL;
    bool none = false;
    if (!lua_isnoneornil(L, ARG_OPTIONS)) {
        if (!lua_istable(L, ARG_OPTIONS))
            call_misuse(L, "%s: options must be a table, not %s", what, luaL_typename(L, ARG_OPTIONS));
        lua_pushnil(L);
        while (lua_next(L, ARG_OPTIONS)) {
            const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
            if (strcmp(key, "timeout") == 0) {
                c->timeout_ms = option_seconds(L, key);
            } else if (strcmp(key, "ready_timeout") == 0 && c->x.streaming) {
                c->ready_limit_ms = option_seconds(L, key);
            } else if (strcmp(key, "retry_key") == 0 && takes_key) {
                none = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
                own = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL; /* the table keeps it */
                if (!none && (!own || strlen(own) != RETRY_KEY_SIZE - 1 ||
                              strspn(own, "0123456789abcdefABCDEF-") != RETRY_KEY_SIZE - 1))
                    call_misuse(L, "%s: retry_key must be a UUID (123e4567-e89b-12d3-a456-426614174000) or false",
                                what);
            } else {
                operation_unknown(L, "option", key, names, 3);
            }
            lua_pop(L, 1);
        }
    }
    if (takes_key && !none) call_retry_key(c, own);
}

/* ---- URL and body ---- */

static void put(lua_State *L, struct api_call *c, const char *p, size_t n, bool escape)
{
    if (escape ? operation_escape(&c->url, (struct str){p, n}) : buf_append(&c->url, p, n))
        call_misuse(L, "%s: the path and query are too long", lua_tostring(L, ARG_WHAT));
}

/* The items of the list on top of the stack, with commas. */
static void put_list(lua_State *L, struct api_call *c, const struct operation_field *f)
{
    lua_Integer items = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= items; i++) {
        size_t n = 0;
        lua_rawgeti(L, -1, i);
        const char *p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
        if (!p) call_misuse(L, "%s: field '%s' must be a list of strings", lua_tostring(L, ARG_WHAT), f->name);
        if (i > 1) put(L, c, ",", 1, false);
        put(L, c, p, n, true);
        lua_pop(L, 1);
    }
}

/* Append the value of field f as text; false when it is not there. */
static bool put_field(lua_State *L, struct api_call *c, const struct operation_field *f)
{
    size_t n = 0;
    int t = lua_getfield(L, ARG_FIELDS, f->name); /* value */
    if (t == LUA_TNIL || f->type == FIELD_ARRAY) {
        bool given = t != LUA_TNIL && lua_rawlen(L, -1) > 0;
        if (given) put_list(L, c, f);
        else if (t == LUA_TNIL && f->fallback.p) put(L, c, f->fallback.p, f->fallback.n, true);
        lua_pop(L, 1);
        return given || (t == LUA_TNIL && f->fallback.p);
    }
    if (f->type == FIELD_INTEGER) { /* 20.0 is written 20 */
        lua_pushinteger(L, lua_tointeger(L, -1));
        lua_replace(L, -2);
    }
    const char *p = t == LUA_TBOOLEAN ? (lua_toboolean(L, -1) ? "true" : "false") : lua_tolstring(L, -1, &n);
    if (t == LUA_TBOOLEAN) n = strlen(p);
    if (f->place == FIELD_PATH && (n == 0 || str_is((struct str){p, n}, ".") || str_is((struct str){p, n}, "..")))
        call_misuse(L, "%s: field '%s' is \"%s\", which cannot be one", lua_tostring(L, ARG_WHAT), f->name, p);
    put(L, c, p, n, true);
    lua_pop(L, 1);
    return true;
}

static void put_path(lua_State *L, struct api_call *c, const char *path, const struct operation_field *f, unsigned n)
{
    while (*path) {
        size_t plain = strcspn(path, "{");
        put(L, c, path, plain, false);
        path += plain;
        if (!*path) return;
        size_t len = strcspn(++path, "}");
        for (unsigned i = 0; i < n; i++)
            if (f[i].n == len && memcmp(f[i].name, path, len) == 0) put_field(L, c, &f[i]);
        path += len + 1;
    }
}

static void put_query(lua_State *L, struct api_call *c, const struct operation_field *f, unsigned n)
{
    char mark = '?';
    for (unsigned i = 0; i < n; i++) {
        if (f[i].place != FIELD_QUERY) continue;
        size_t before = c->url.len;
        put(L, c, &mark, 1, false);
        put(L, c, f[i].name, f[i].n, true);
        put(L, c, "=", 1, false);
        if (put_field(L, c, &f[i]))
            mark = '&';
        else
            c->url.len = before, c->url.data[before] = 0; /* not given: as if never written */
    }
}

static void build_url(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n)
{
    const struct operation *o = &operations[row];
    bool variable = false;
    for (unsigned i = 0; i < n; i++) variable = variable || f[i].place == FIELD_PATH || f[i].place == FIELD_QUERY;
    if (!fixed_urls) fixed_urls = mem_zalloc(operations_n * sizeof *fixed_urls);
    if (!variable && fixed_urls[row]) {
        c->fixed_url = fixed_urls[row];
        return;
    }
    call_put_base(L, c, o->host);
    put_path(L, c, o->path, f, n);
    put_query(L, c, f, n);
    if (!variable) c->fixed_url = fixed_urls[row] = mem_strndup(c->url.data, c->url.len);
}

static void build_json(lua_State *L, struct api_call *c, const struct operation_field *f,
                       unsigned n)
{
    const char *what = lua_tostring(L, ARG_WHAT);
    bool mixed = false;
    for (unsigned i = 0; i < n; i++) mixed = mixed || f[i].place != FIELD_BODY;
    if (!mixed) {
        call_encode(L, c, ARG_FIELDS, what, &written); /* what the script wrote, as it is */
    } else {
        lua_createtable(L, 0, (int)n);
        for (unsigned i = 0; i < n; i++) {
            if (f[i].place != FIELD_BODY) continue;
            lua_getfield(L, ARG_FIELDS, f[i].name);
            lua_setfield(L, -2, f[i].name);
        }
        call_encode(L, c, -1, what, &written);
        lua_pop(L, 1);
    }
    written.table = NULL;
    buf_clear(&written.json);
    buf_trim(&written.json, WRITTEN_KEPT);
}

/* ---- the call ---- */

static int operation_done(lua_State *L, int status, lua_KContext row)
{
    (void)status;
    struct api_call *c = call_at(L, ARG_BOX);
    if (!call_ok(c)) return call_raise(L, c, ARG_WHAT, ARG_WHERE);
    struct str id = call_request_id(c);
    if (operations[row].answer == ANSWER_JSON && !c->counted_as_sent) {
        call_push_json(L, c, ARG_WHAT, ARG_WHERE);
    } else {
        lua_pushboolean(L, 1);
    }
    if (id.p)
        lua_pushlstring(L, id.p, id.n);
    else
        lua_pushnil(L);
    call_recycle(L, ARG_BOX);
    return 2;
}

/* The same for a caller that has no use for the answer: event:reply's flush. Nothing is decoded. */
static int operation_done_quietly(lua_State *L, int status, lua_KContext row)
{
    (void)status;
    (void)row;
    struct api_call *c = call_at(L, ARG_BOX);
    if (!call_ok(c)) return call_raise(L, c, ARG_WHAT, ARG_WHERE);
    call_recycle(L, ARG_BOX);
    return 0;
}

/* Stack: fields options what where. from: the place that whoever looks on is told where neither the stack nor where has it. */
static int operation_run(lua_State *L, unsigned row, bool quiet, const char *from)
{
    const struct operation *o = &operations[row];
    unsigned n;
    const struct operation_field *f = operation_fields(row, &n);
    const char *what = lua_tostring(L, ARG_WHAT);
    settle_fields(L, o);
    check_fields(L, f, n);
    check_kinds(L, row, f, n);
    struct api_call *c = o->answer == ANSWER_BYTES ? content_box(L) : call_box(L); /* ARG_BOX */
    c->row = row;
    c->name = o->name;
    c->verb = o->verb;
    c->idempotent = strcmp(o->verb, "GET") == 0;
    if (worker_get()->trace) snprintf(c->where, sizeof c->where, "%s", lua_isstring(L, ARG_WHERE) ? lua_tostring(L, ARG_WHERE) : from);
    c->reply = o->body == BODY_JSON && strcmp(o->name, "reply_message") == 0;
    build_url(L, c, row, f, n);
    body_headers(L, c, row, f, n);
    if (o->body == BODY_JSON) build_json(L, c, f, n);
    operation_options(L, c, o->retry_key);
    body_build(L, c, row, f, n); /* leaves on the stack what the call borrows */
    lua_KFunction k = o->answer == ANSWER_BYTES ? content_opened : quiet ? operation_done_quietly : operation_done;
    return call_start(L, c, what, k, (lua_KContext)row);
}

/* f(fields, options): upvalues row, what. */
static int operation_outer(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushnil(L);
    return operation_run(L, (unsigned)lua_tointeger(L, lua_upvalueindex(1)), false, "");
}

/* f(fields, options, what, where, quiet): upvalue row. quiet may be a place, for those who look on. */
static int operation_inner(lua_State *L)
{
    char from[96] = "";
    bool quiet = lua_toboolean(L, 5);
    if (lua_type(L, 5) == LUA_TSTRING) snprintf(from, sizeof from, "%s", lua_tostring(L, 5));
    lua_settop(L, 4);
    luaL_checkstring(L, ARG_WHAT);
    return operation_run(L, (unsigned)lua_tointeger(L, lua_upvalueindex(1)), quiet, from);
}

LJMP void operation_push_all(lua_State *L, bool inner)
{
    lua_createtable(L, 0, (int)operations_n);
    for (unsigned i = 0; i < operations_n; i++) {
        lua_pushinteger(L, i);
        lua_pushfstring(L, "line.%s", operations[i].name);
        lua_pushcclosure(L, inner ? operation_inner : operation_outer, 2);
        lua_setfield(L, -2, operations[i].name);
    }
}
