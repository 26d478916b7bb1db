/* What the check says: errors with path and line, notices in the log about what the schema lacks. */
#include <stdarg.h>
#include <stdio.h>
#include "base/log.h"
#include "base/near.h"
#include "bindings/built.h"
#include "bindings/check_private.h"
#include "bindings/task.h"
#include "bindings/worker.h"
#include "line/schema_text.h"

#define PATH_SIZE 400

/* ---- what is wrong ---- */

/* Append the path of at's key; returns the new length. */
static size_t put_path(const struct at *at, char *ret, size_t n)
{
    size_t used = at->outer ? put_path(at->outer, ret, n) : 0;
    if (used >= n) return used;
    int m = at->name ? snprintf(ret + used, n - used, "%s%.64s", used && *at->name ? "." : "", at->name)
                     : snprintf(ret + used, n - used, "[%lld]", (long long)at->index);
    return used + (size_t)m;
}

/* The line where the innermost table that a builder made was built: the object itself (idx), or one around it. */
static void put_where(struct check *c, const struct at *at, int idx, char *ret, size_t n)
{
    bool known = idx && built_where(c->L, idx);
    for (; at && !known; at = at->outer) known = at->idx && built_where(c->L, at->idx);
    if (!known && c->where) lua_pushstring(c->L, c->where);
    else if (!known) task_push_where(c->L);
    snprintf(ret, n, "%s", lua_tostring(c->L, -1));
    lua_pop(c->L, 1);
}

LJMP void check_complain(struct check *c, const struct at *at, int idx, const char *fmt, ...)
{
    struct report *r = c->report;
    char path[PATH_SIZE] = "", where[256], text[CHECK_TEXT];
    va_list ap;
    if (++c->errors > CHECK_ERRORS_SHOWN || !r) return;
    luaL_checkstack(c->L, 4, NULL);
    put_where(c, at, idx, where, sizeof where);
    put_path(at, path, sizeof path);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int m = snprintf(r->text + r->used, sizeof r->text - r->used, "%s%s: %s%s%s", r->used ? "\n" : "", where, path,
                     *path ? ": " : "", text);
    r->used += (size_t)m < sizeof r->text - r->used ? (size_t)m : sizeof r->text - r->used - 1;
}

/* ---- what we do not know ---- */

#define NOTICES 128

/* Fields and types that the schema lacks go out as they are: LINE adds some every year. But they may be typing errors, so
 * the log has a line about each, once in the life of the process. */
static bool noticed(const char *kind, const char *name)
{
    static uint32_t seen[NOTICES];
    static unsigned n;
    uint32_t h = 2166136261u;
    for (const char *p = kind; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    for (unsigned i = 0; i < n; i++)
        if (seen[i] == h) return true;
    if (n == NOTICES) return true;
    seen[n++] = h;
    return false;
}

void check_warn(const char *text, const char *where)
{
    const struct worker *w = worker_get();
    const struct task *t = task_current();
    struct str none = {0, 0};
    LOG(WARN, text, F_STR("bot", w->bot), F_INT("generation", w->generation), F_STR("at", where),
        F_VIEW("event", t ? task_event_id(t) : none), F_VIEW("chat", t ? task_chat(t) : none),
        F_VIEW("origin", t ? task_origin(t) : none));
}

bool check_elsewhere(const struct schema_kind *k, const char *type, size_t n)
{
    for (const char *p = k->elsewhere; p && *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        if (length == n && memcmp(p, type, n) == 0) return true;
        p += length;
    }
    return false;
}

LJMP void check_notice(struct check *c, const struct schema_kind *k, const struct at *at, int idx, const char *sort,
                       const char *name)
{
    const char *names[SCHEMA_FIELDS + 1];
    char path[PATH_SIZE] = "", where[256], text[CHECK_TEXT + PATH_SIZE], quoted[100];
    unsigned n = k->variants ? k->variants_n : k->fields_n;
    if (noticed(k->name, name)) return;
    for (unsigned i = 0; i < n; i++) names[i] = k->variants ? k->variants[i].type : k->fields[i].name;
    const char *near = near_name(name, names, n);
    luaL_checkstack(c->L, 4, NULL);
    put_where(c, at, idx, where, sizeof where);
    put_path(at, path, sizeof path);
    schema_quote((struct str){name, strlen(name)}, quoted, sizeof quoted);
    snprintf(text, sizeof text, "%s: unknown %s %s%s%s%s; it goes to LINE as it is", path, sort, quoted,
             near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    check_warn(text, where);
}
