/* See operations.h. */
#include "line/operations.h"
#include <stdlib.h>

#define RETRY_KEY true
#define RETRY_NO false
#define PER_SECOND(n) {(n), 1}
#define PER_MINUTE(n) {(n), 60}
#define PER_HOUR(n) {(n), 3600}

const struct operation operations[] = {
#define OP(name, verb, host, path, fields, body, answer, retry, limit, natural, about, anchor)                         \
    {#name, verb, host, path, fields, body, answer, retry, limit, natural, about, anchor},
#include "line/operations.def"
#undef OP
};
const unsigned operations_n = sizeof operations / sizeof operations[0];

/* ---- field lists ---- */

#define ROWS (sizeof operations / sizeof operations[0])
static struct operation_field fields_of[ROWS][OPERATION_FIELDS];
static unsigned char fields_n[ROWS]; /* 0: not read yet; else number + 1 */

static int word_index(const char *p, size_t n, const char *const *words, int words_n)
{
    for (int i = 0; i < words_n; i++)
        if (str_is((struct str){p, n}, words[i])) return i;
    abort(); /* a typing error in operations.def; test_operations reads every row */
}

/* One `place.name:type!`. Returns the byte after it. */
static const char *field_read(const char *p, struct operation_field *f)
{
    static const char *const places[] = {"path", "query", "body"};
    static const char *const types[] = {"string", "integer", "number", "boolean", "array", "object"};
    size_t n = strcspn(p, ".");
    f->place = (enum field_place)word_index(p, n, places, 3);
    p += n + 1;
    n = strcspn(p, ":");
    if (n >= sizeof f->name) abort();
    memcpy(f->name, p, n);
    f->name[n] = 0;
    f->n = n;
    p += n + 1;
    n = strcspn(p, "! ");
    f->type = (enum field_type)word_index(p, n, types, 6);
    p += n;
    f->required = *p == '!';
    return f->required ? p + 1 : p;
}

const struct operation_field *operation_fields(unsigned row, unsigned *ret_n)
{
    if (fields_n[row] == 0) {
        unsigned n = 0;
        for (const char *p = operations[row].fields; *p;) {
            if (n == OPERATION_FIELDS) abort();
            p = field_read(p, &fields_of[row][n++]);
            p += strspn(p, " ");
        }
        fields_n[row] = (unsigned char)(n + 1);
    }
    *ret_n = fields_n[row] - 1u;
    return fields_of[row];
}

int operation_find(struct str name)
{
    for (unsigned i = 0; i < operations_n; i++)
        if (str_is(name, operations[i].name)) return (int)i;
    return -1;
}

const char *field_type_name(enum field_type t)
{
    switch (t) {
    case FIELD_STRING: return "a string";
    case FIELD_INTEGER: return "an integer";
    case FIELD_NUMBER: return "a number";
    case FIELD_BOOLEAN: return "true or false";
    case FIELD_ARRAY: return "an array";
    case FIELD_OBJECT: return "a table";
    }
    return "?";
}

/* ---- URLs ---- */

int operation_escape(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        char x[3] = {'%', hex[c >> 4], hex[c & 15]};
        int r = plain ? buf_putc(out, (char)c) : buf_append(out, x, 3);
        if (r) return r;
    }
    return 0;
}
