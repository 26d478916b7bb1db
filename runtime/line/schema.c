/* See schema.h. The rows are read three times: for the arrays of fields, of variants, and for the kinds themselves. */
#include "line/schema.h"
#include <stdlib.h>
#include <string.h>

/* ---- words of the rows ---- */

#define REQUIRED .required = true
#define LENGTH(lo, hi) .limited = true, .min = (lo), .max = (hi)
#define RANGE(lo, hi) .limited = true, .min = (lo), .max = (hi)
#define GRAPHEMES .count = COUNT_GRAPHEMES
#define WORDS(w) .rule = RULE_WORDS, .words = w
#define SIZE(w, u) .rule = RULE_SIZE, .words = w, .units = (u)
#define HTTPS(n) .rule = RULE_HTTPS, LENGTH(1, n)
#define LINK(n) .rule = RULE_LINK, LENGTH(1, n)
#define CHARS(w) .rule = RULE_CHARS, .words = w
#define COLOR .rule = RULE_COLOR
#define RULE(r) .rule = RULE_##r
#define OF(k) .kind = #k
#define AT(p) .place = PLACE_##p

#define KIND(id, with, about, ...) static struct schema_field fields_##id[] = {
#define FIELD(id, t, text, ...) {.name = #id, .n = sizeof #id - 1, .type = SCHEMA_##t, .about = text, __VA_ARGS__},
#define UNION(id, about, ...) static struct schema_variant variants_##id[] = {
#define VARIANT(t, k, p) {#t, #k, PLACE_##p, NULL, sizeof #t - 1},
#define END {0}};
#include "line/schema.def"
#undef KIND
#undef FIELD
#undef UNION
#undef VARIANT
#undef END

#define ROWS_OF(a) (sizeof(a) / sizeof *(a) - 1)
static struct schema_kind kinds[] = {
#define KIND(id, with, text, ...)                                                                                      \
    {.name = #id, .about = text, .fields = fields_##id, .fields_n = ROWS_OF(fields_##id), .check = CHECK_##with, __VA_ARGS__},
#define FIELD(...)
#define UNION(id, text, ...)                                                                                           \
    {.name = #id, .about = text, .variants = variants_##id, .variants_n = ROWS_OF(variants_##id), __VA_ARGS__},
#define VARIANT(t, k, p)
#define END
#include "line/schema.def"
};
static const unsigned kinds_n = sizeof kinds / sizeof *kinds;
static bool ready;

/* ---- indexes ---- */

static const struct schema_kind *find(const char *name)
{
    for (unsigned i = 0; i < kinds_n; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    abort(); /* a typing error in schema.def; test_schema reads every row */
}

static void index_name(struct schema_kind *k, const char *name, size_t n, unsigned number)
{
    unsigned slot = schema_slot(name, n);
    while (k->index[slot]) slot = (slot + 1) & (SCHEMA_SLOTS - 1);
    k->index[slot] = (uint8_t)(number + 1);
}

/* What shares a slot, or stands too far behind, is found by reading all words. */
static void index_words(struct schema_field *f)
{
    for (const char *p = f->words; *p && p - f->words < UINT8_MAX; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        uint8_t *slot = &f->word_at[schema_word_slot(p, n)];
        if (!*slot) *slot = (uint8_t)(p - f->words + 1);
        p += n;
    }
}

static void index_kind(struct schema_kind *k)
{
    if (k->fields_n > SCHEMA_FIELDS || k->variants_n > SCHEMA_FIELDS) abort();
    for (unsigned i = 0; i < k->fields_n; i++) {
        struct schema_field *f = &k->fields[i];
        /* An array's limits are of its entries, a label's come with its place. */
        bool limited = f->limited && f->type == SCHEMA_STRING && f->rule != RULE_LABEL;
        index_name(k, f->name, f->n, i);
        if (f->rule == RULE_WORDS || f->rule == RULE_SIZE) index_words(f);
        f->least = limited ? (size_t)f->min : 0;
        f->most = limited ? (size_t)f->max : SIZE_MAX;
        if (f->kind) f->of = find(f->kind);
        if (f->rule == RULE_LABEL) k->label = (uint8_t)(i + 1);
        if (f->required) k->required |= (uint64_t)1 << i;
    }
    for (unsigned i = 0; i < k->variants_n; i++) {
        struct schema_variant *v = &k->variants[i];
        index_name(k, v->type, v->n, i);
        v->of = find(v->kind);
    }
}

/* Once per process, by its one thread that has Lua. */
static void make_ready(void)
{
    for (unsigned i = 0; i < kinds_n; i++) index_kind(&kinds[i]);
    ready = true;
}

const struct schema_kind *schema_find(struct str name)
{
    if (!ready) make_ready();
    for (unsigned i = 0; i < kinds_n; i++)
        if (str_is(name, kinds[i].name)) return &kinds[i];
    return NULL;
}

const struct schema_kind *schema_kinds(unsigned *ret_n)
{
    if (!ready) make_ready();
    *ret_n = kinds_n;
    return kinds;
}

/* ---- labels ---- */

struct schema_label schema_label(unsigned place)
{
    switch (place) {
    case PLACE_TEMPLATE:
    case PLACE_QUICK_REPLY: return (struct schema_label){true, 20};
    case PLACE_IMAGE_CAROUSEL: return (struct schema_label){false, 12};
    case PLACE_FLEX_BUTTON: return (struct schema_label){true, 40};
    case PLACE_FLEX:
    case PLACE_FLEX_VIDEO: return (struct schema_label){false, 40};
    default: return (struct schema_label){false, 20};
    }
}
