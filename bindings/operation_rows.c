/* The table of operations as Lua sees it: for `moonline call`, for the iterators over pages, for whoever lists what
 * there is. Built anew by each call, so that a bot that never asks pays nothing. */
#include "bindings/operation.h"

static void set_text(lua_State *L, const char *key, struct str s)
{
    if (!s.p) return;
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, key);
}

static void set_bound(lua_State *L, const char *key, int64_t v)
{
    if (v == FIELD_NO_BOUND) return;
    lua_pushinteger(L, v);
    lua_setfield(L, -2, key);
}

/* {name=, place=, type=, required=, kind=, least=, most=, words="A|B", fallback=, header=} */
static void push_field(lua_State *L, const struct operation_field *f)
{
    static const char *const places[] = {"path", "query", "header", "body"};
    lua_createtable(L, 0, 10);
    set_text(L, "name", (struct str){f->name, f->n});
    set_text(L, "place", str_of(places[f->place]));
    set_text(L, "type", str_of(field_type_word(f->type)));
    lua_pushboolean(L, f->required);
    lua_setfield(L, -2, "required");
    if (f->kind[0]) set_text(L, "kind", str_of(f->kind));
    set_bound(L, "least", f->least);
    set_bound(L, "most", f->most);
    set_text(L, "words", f->words);
    set_text(L, "fallback", f->fallback);
    set_text(L, "header", f->header);
}

static void push_row(lua_State *L, unsigned row)
{
    static const char *const hosts[] = {"api", "data", "manager"};
    static const char *const bodies[] = {"none", "json", "form", "multipart", "bytes"};
    static const char *const answers[] = {"json", "bytes", "empty"};
    static const char *const auths[] = {"token", "none", "basic"};
    const struct operation *o = &operations[row];
    const char *const texts[][2] = {
        {"name", o->name}, {"verb", o->verb}, {"host", hosts[o->host]}, {"path", o->path}, {"body", bodies[o->body]},
        {"answer", answers[o->answer]}, {"auth", auths[o->auth]}, {"natural", o->natural}, {"about", o->about},
        {"page", o->page}, {"kind", operation_kind(row)},
    };
    unsigned n;
    const struct operation_field *f = operation_fields(row, &n);
    lua_createtable(L, 0, 16);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i][1]) set_text(L, texts[i][0], str_of(texts[i][1]));
    lua_pushboolean(L, o->retry_key);
    lua_setfield(L, -2, "retry_key");
    set_bound(L, "calls", o->limit.calls);
    set_bound(L, "seconds", o->limit.seconds);
    lua_createtable(L, (int)n, 0);
    for (unsigned i = 0; i < n; i++) {
        push_field(L, &f[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "fields");
}

/* rows([name]): the list of all rows, or one row, nil when there is none of the name. */
static int core_rows(lua_State *L)
{
    if (!lua_isnoneornil(L, 1)) {
        int row = operation_find(str_of(luaL_checkstring(L, 1)));
        if (row < 0) lua_pushnil(L);
        else push_row(L, (unsigned)row);
        return 1;
    }
    lua_createtable(L, (int)operations_n, 0);
    for (unsigned i = 0; i < operations_n; i++) {
        push_row(L, i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* paged(): name → {field = "start" or "page", what asks for the next page; natural = the row's natural argument}. */
static int core_paged(lua_State *L)
{
    lua_newtable(L);
    for (unsigned i = 0; i < operations_n; i++) {
        unsigned n;
        const struct operation_field *f = operation_fields(i, &n);
        for (unsigned k = 0; k < n; k++) {
            bool pages = strcmp(f[k].name, "start") == 0 || strcmp(f[k].name, "page") == 0;
            if (f[k].place != FIELD_QUERY || !pages) continue;
            lua_createtable(L, 0, 2);
            set_text(L, "field", str_of(f[k].name));
            if (*operations[i].natural) set_text(L, "natural", str_of(operations[i].natural));
            lua_setfield(L, -2, operations[i].name);
        }
    }
    return 1;
}

LJMP void operation_rows_push(lua_State *L)
{
    lua_pushcfunction(L, core_rows);
    lua_setfield(L, -2, "rows");
    lua_pushcfunction(L, core_paged);
    lua_setfield(L, -2, "paged");
}
