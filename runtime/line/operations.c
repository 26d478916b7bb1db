/* See operations.h. */
#include "line/operations.h"
#include <stdlib.h>
#include "base/mem.h"

#define RETRY_KEY true
#define RETRY_NO false
#define PER_SECOND(n) {(n), 1}
#define PER_MINUTE(n) {(n), 60}
#define PER_HOUR(n) {(n), 3600}

const struct operation operations[] = {
#define OP(name, verb, host, path, fields, body, answer, auth, retry, limit, natural, about, page)                     \
    {#name, verb, host, path, fields, body, answer, auth, retry, limit, natural, about, page},
#include "line/operations.def"
#undef OP
};
const unsigned operations_n = sizeof operations / sizeof operations[0];

/* ---- field lists ---- */

#define ROWS (sizeof operations / sizeof operations[0])

/* What a row's text says, read on first use. */
static struct reading {
    struct operation_field *fields; /* n of them */
    unsigned n;
    bool read;
    char kind[OPERATION_KIND];
} readings[ROWS];

static const char *const types[] = {"string", "integer", "number", "boolean", "array", "object", "file"};

static int word_index(const char *p, size_t n, const char *const *words, int words_n)
{
    for (int i = 0; i < words_n; i++)
        if (str_is((struct str){p, n}, words[i])) return i;
    abort(); /* a typing error in operations.def; test_operations reads every row */
}

/* "<kind>" at p: copies it and returns what follows. */
static const char *kind_read(const char *p, char kind[OPERATION_KIND])
{
    size_t n = strcspn(++p, ">");
    if (n == 0 || n >= OPERATION_KIND || p[n] != '>') abort();
    memcpy(kind, p, n);
    kind[n] = 0;
    return p + n + 1;
}

/* "(1..500)", "(A|B)" or "(..1048576|image/png)" at p. */
static const char *range_read(const char *p, struct operation_field *f)
{
    size_t n = strcspn(++p, ")"), first = strcspn(p, "|)");
    const char *dots = memmem(p, first, "..", 2), *end = p + n;
    if (!p[n]) abort();
    if (dots) {
        if (dots > p) f->least = strtoll(p, NULL, 10);
        if (dots + 2 < p + first) f->most = strtoll(dots + 2, NULL, 10);
        p += first + (p[first] == '|');
    }
    if (p < end) f->words = (struct str){p, (size_t)(end - p)};
    return end + 1;
}

/* Read one "body.to:string!" at p; returns where it ends. */
static const char *field_read(const char *p, struct operation_field *f)
{
    static const char *const places[] = {"path", "query", "header", "body"};
    size_t n = strcspn(p, ".");
    f->least = f->most = FIELD_NO_BOUND;
    f->place = (enum field_place)word_index(p, n, places, 4);
    p += n + 1;
    n = strcspn(p, ":=");
    if (n >= sizeof f->name) abort();
    memcpy(f->name, p, n);
    f->n = n;
    p += n;
    if (*p == '=') {
        n = strcspn(++p, ":");
        f->header = (struct str){p, n};
        p += n;
    }
    n = strcspn(++p, "<(=! ");
    f->type = (enum field_type)word_index(p, n, types, FIELD_FILE + 1);
    p += n;
    if (*p == '<') p = kind_read(p, f->kind);
    if (*p == '(') p = range_read(p, f);
    if (*p == '=') {
        n = strcspn(++p, " ");
        f->fallback = (struct str){p, n};
        p += n;
    }
    f->required = *p == '!';
    if (f->required) p++;
    if (*p && *p != ' ') abort();
    return p;
}

static const struct reading *reading(unsigned row)
{
    struct reading *r = &readings[row];
    if (r->read) return r;
    struct operation_field fields[OPERATION_FIELDS];
    const char *p = operations[row].fields;
    memset(fields, 0, sizeof fields);
    if (*p == '<') p = kind_read(p, r->kind);
    while (*(p += strspn(p, " "))) {
        if (r->n == OPERATION_FIELDS) abort();
        p = field_read(p, &fields[r->n++]);
    }
    r->fields = mem_alloc((r->n + 1) * sizeof *fields);
    memcpy(r->fields, fields, r->n * sizeof *fields);
    r->read = true;
    return r;
}

const struct operation_field *operation_fields(unsigned row, unsigned *ret_n)
{
    const struct reading *r = reading(row);
    *ret_n = r->n;
    return r->fields;
}

const char *operation_kind(unsigned row) { return reading(row)->kind; }

struct str field_next_word(struct str *rest)
{
    if (rest->n == 0) return (struct str){NULL, 0};
    const char *bar = memchr(rest->p, '|', rest->n);
    struct str word = {rest->p, bar ? (size_t)(bar - rest->p) : rest->n};
    size_t skip = word.n + (bar != NULL);
    *rest = (struct str){rest->p + skip, rest->n - skip};
    return word;
}

bool field_word_fits(struct str words, struct str value)
{
    for (struct str w; (w = field_next_word(&words)).p;)
        if (w.n == value.n && memcmp(w.p, value.p, w.n) == 0) return true;
    return false;
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
    case FIELD_FILE: return "a string of bytes or {file = \"path\"}";
    }
    return "?";
}

const char *field_type_word(enum field_type t) { return types[t]; }

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
