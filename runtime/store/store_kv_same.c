/* When two values of store_kv.h count as the same: what KV_SWAP compares by.
 *
 * The same bytes are. Numbers are by their value, as Lua has it: 1 and 1.0. JSON is by its content: the members of an
 * object in any order, numbers and strings however they are written. To see that, both go into one form that only the
 * content decides; it is not JSON, and nobody keeps it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/mem.h"
#include "store/store_backend.h"

#define TWO_TO_63 9223372036854775808.0
#define FORM_MOST (8u * KV_VALUE_MOST) /* 1e-5 becomes 22 bytes; nothing grows more */

/* ---- numbers ---- */
struct number {
    bool whole; /* i holds it, else f */
    int64_t i;
    double f;
};

static struct number number_of(double f)
{
    if (f >= -TWO_TO_63 && f < TWO_TO_63 && floor(f) == f) return (struct number){.whole = true, .i = (int64_t)f};
    return (struct number){.f = f};
}

static bool stored_number(struct str s, struct number *ret)
{
    double f;
    if (s.n != 1 + sizeof f || (s.p[0] != KV_TAG_INTEGER && s.p[0] != KV_TAG_FLOAT)) return false;
    memcpy(&f, s.p + 1, sizeof f);
    *ret = number_of(f);
    if (s.p[0] == KV_TAG_FLOAT) return true;
    ret->whole = true;
    memcpy(&ret->i, s.p + 1, sizeof ret->i);
    return true;
}

static bool same_number(struct number a, struct number b)
{
    if (a.whole || b.whole) return a.whole && b.whole && a.i == b.i;
    return a.f == b.f || (isnan(a.f) && isnan(b.f)); /* what was read may be handed back, whatever it is */
}

/* ---- JSON ---- */
static int put_value(struct json *j, struct buf *out);

static int put_number(struct str raw, struct buf *out)
{
    int64_t i;
    if (json_integer(raw, &i) == 0) return buf_printf(out, "%lld", (long long)i);
    auto_free char *text = mem_strndup(raw.p, raw.n); /* strtod wants a NUL behind it */
    struct number n = number_of(strtod(text, NULL));
    return n.whole ? buf_printf(out, "%lld", (long long)n.i) : buf_printf(out, "%.17g", n.f);
}

static int put_string(struct str inside, struct buf *out)
{
    auto_free char *text = mem_alloc(inside.n + 1);
    return json_put(out, (struct str){text, json_unescape(inside, text)});
}

struct member {
    size_t at, key_n, n;  /* in the form: where it begins, bytes of its key, bytes of all of it */
    const char *bytes;
};

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = memcmp(x->bytes, y->bytes, x->key_n < y->key_n ? x->key_n : y->key_n);
    if (c || x->key_n != y->key_n) return c ? c : x->key_n < y->key_n ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static bool same_key(const struct member *a, const struct member *b)
{
    return a->key_n == b->key_n && memcmp(a->bytes, b->bytes, a->key_n) == 0;
}

/* The members from start on in the order of their keys; of two with the same key the last one counts, as in decoding. */
static int sort(struct buf *out, size_t start, struct member *all, size_t n)
{
    auto_free char *copy = mem_strndup(out->data + start, out->len - start);
    for (size_t i = 0; i < n; i++) all[i].bytes = copy + (all[i].at - start);
    qsort(all, n, sizeof *all, by_key);
    out->len = start;
    int r = 0;
    for (size_t i = 0; i < n && !r; i++)
        if (i + 1 == n || !same_key(&all[i], &all[i + 1])) r = buf_append(out, all[i].bytes, all[i].n);
    return r;
}

static int put_members(struct json *j, struct buf *out, struct member **all, size_t *n)
{
    struct str key;
    size_t room = 0;
    int more;
    while ((more = json_next_key(j, &key)) > 0) {
        if (*n == room) *all = mem_realloc(*all, (room = room ? room * 2 : 8) * sizeof **all);
        struct member *m = &(*all)[*n];
        m->at = out->len;
        int r = put_string(key, out);
        m->key_n = out->len - m->at;
        if (!r) r = put_value(j, out);
        if (r) return r;
        m->n = out->len - m->at;
        ++*n;
    }
    return more;
}

static int put_object(struct json *j, struct buf *out)
{
    struct member *all = NULL;
    size_t n = 0, start;
    int r = buf_putc(out, '{');
    start = out->len;
    if (!r) r = json_enter_object(j);
    if (!r) r = put_members(j, out, &all, &n);
    if (!r && n > 1) r = sort(out, start, all, n);
    free(all);
    return r ? r : buf_putc(out, '}');
}

static int put_array(struct json *j, struct buf *out)
{
    int r = buf_putc(out, '['), more = 0;
    if (!r) r = json_enter_array(j);
    while (!r && (more = json_next_item(j)) > 0) r = put_value(j, out);
    return r ? r : more < 0 ? more : buf_putc(out, ']');
}

/* A comma behind each value, the last one too: no two contents have the same form. */
static int put_value(struct json *j, struct buf *out)
{
    struct str raw;
    int r;
    switch (json_peek(j)) {
    case JSON_OBJECT:
        r = put_object(j, out);
        break;
    case JSON_ARRAY:
        r = put_array(j, out);
        break;
    case JSON_STRING:
        r = json_value(j, &raw);
        if (!r) r = put_string((struct str){raw.p + 1, raw.n - 2}, out);
        break;
    case JSON_NUMBER:
        r = json_value(j, &raw);
        if (!r) r = put_number(raw, out);
        break;
    default: /* a word; or what is no JSON, and says so here */
        r = json_value(j, &raw);
        if (!r) r = buf_append(out, raw.p, raw.n);
    }
    return r ? r : buf_putc(out, ',');
}

static int put_form(struct str text, struct buf *out)
{
    struct json j;
    json_begin(&j, text.p, text.n);
    int r = put_value(&j, out);
    return r ? r : json_end(&j);
}

static bool same_json(struct str a, struct str b)
{
    struct buf x = BUF(FORM_MOST), y = BUF(FORM_MOST);
    bool same = !put_form(a, &x) && !put_form(b, &y) && str_eq(buf_str(&x), buf_str(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

bool kv_same(struct str a, struct str b)
{
    struct number x, y;
    if (str_eq(a, b)) return true;
    if (!a.n || !b.n) return false;
    if (stored_number(a, &x) && stored_number(b, &y)) return same_number(x, y);
    if (a.p[0] != KV_TAG_JSON || b.p[0] != KV_TAG_JSON) return false;
    return same_json((struct str){a.p + 1, a.n - 1}, (struct str){b.p + 1, b.n - 1});
}
