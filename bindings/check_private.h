/* Shared by check.c, which walks a value along the schema, check_rules.c, which holds what no single field can say, and
 * check_report.c, which puts into words what is wrong. */
#pragma once
#include <string.h>
#include "base/limits.h"
#include "bindings/check.h"
#include "bindings/json_write.h"
#include "line/schema.h"

/* Where the walk is: a container and the key in it that is looked at. Linked from the inside out on the C stack; becomes
 * "messages[1].contents.body" only when something is wrong. */
struct at {
    const struct at *outer;
    int idx;          /* stack index of the container, whose line of building counts; 0: none */
    const char *name; /* of the key; NULL: index */
    lua_Integer index;
};

#define CHECK_ERRORS_SHOWN 20
#define CHECK_TEXT 400 /* of one complaint at most */

/* The errors as text. */
struct report {
    char text[LIMIT_ERROR_TEXT];
    size_t used;
};

struct check {
    lua_State *L;
    struct report *report;  /* NULL in the first, fast walk, which stops at the first error and only counts it */
    const char *where;      /* the script's call, for what no builder made; NULL: where the script is now */
    bool writes;            /* all so far is in out, as json_encode would write it; nothing else than that is written */
    struct writer out;
    unsigned errors;
    int type_idx;           /* stack index of the string "type"; "layout" is the next */
    unsigned depth;
    size_t bytes;           /* of JSON so far, at least: without escapes and blanks */
    unsigned animated, filters, recipients; /* in the message or body so far */
};

/* An object whose fields have been walked. */
struct check_object {
    const struct schema_kind *kind;
    const struct at *at; /* the container's key where it stands */
    int idx;
    uint64_t seen;       /* bit i: field i is there and not null */
    uint64_t empty;      /* bit i: field i is an empty string */
    size_t bytes;        /* of its JSON, at least */
};

/* Report an error at a key; idx: the object itself when it is about a whole object, else 0. */
__attribute__((format(printf, 4, 5))) LJMP void check_complain(struct check *c, const struct at *at, int idx,
                                                               const char *fmt, ...);
/* A line in the log with all that leads to the script. */
void check_warn(const char *text, const char *where);
/* Say in the log, once, that the object at idx has a name ("field", "type") that is not known. */
LJMP void check_notice(struct check *c, const struct schema_kind *k, const struct at *at, int idx, const char *sort,
                       const char *name);
/* A type that other unions have and this one will hardly get. */
bool check_elsewhere(const struct schema_kind *k, const char *type, size_t n);
/* Push the raw field, and its type; json.null counts as LUA_TNIL. */
LJMP int check_get(struct check *c, int idx, const char *name);
/* Whether o has the field. */
static inline bool check_has(const struct check_object *o, const char *name)
{
    int i = schema_field(o->kind, name, strlen(name));
    return i >= 0 && (o->seen >> i & 1);
}
/* Whether the field is an empty string. */
static inline bool check_empty(const struct check_object *o, const char *name)
{
    int i = schema_field(o->kind, name, strlen(name));
    return i >= 0 && (o->empty >> i & 1);
}
/* Run o's kind's own rule. */
LJMP void check_rule(struct check *c, const struct check_object *o);
