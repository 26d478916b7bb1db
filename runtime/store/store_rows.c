/* Rows on their way from a backend to the loop, and their JSON form. */
#include "store/store_backend.h"
#include <stdlib.h>
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

const char *const store_state_names[STORE_IS_COUNT] = {"waiting", "failed", "quarantined"};

void store_rows_init(struct store_rows *r)
{
    *r = (struct store_rows){0};
    buf_init(&r->bytes, SIZE_MAX / 2); /* the ceiling is the caller's limit_bytes, plus one row */
}

void store_rows_add(struct store_rows *r, const struct store_row *row)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->rows = mem_realloc(r->rows, r->cap * sizeof *r->rows);
    }
    buf_append(&r->bytes, row->id.p, row->id.n);
    buf_append(&r->bytes, row->body.p, row->body.n);
    r->bodies += row->body.n;
    r->rows[r->n++] = *row;
}

void store_rows_finish(struct store_rows *r)
{
    const char *p = r->bytes.data;
    for (size_t i = 0; i < r->n; i++) {
        r->rows[i].id.p = p;
        p += r->rows[i].id.n;
        r->rows[i].body.p = p;
        p += r->rows[i].body.n;
    }
}

void store_rows_free(struct store_rows *r)
{
    free(r->rows);
    buf_free(&r->bytes);
    r->rows = NULL;
    r->n = r->cap = r->bodies = 0;
}

/* The raw "type" of an event, with its quotes; p NULL when there is none. */
static struct str row_type(struct str body)
{
    struct json j;
    struct str key, raw, type = {NULL, 0};
    json_begin(&j, body.p, body.n);
    if (json_enter_object(&j) != 0) return type;
    while (json_next_key(&j, &key) > 0) {
        bool wanted = str_eq(key, STR("type")) && json_peek(&j) == JSON_STRING;
        if (json_value(&j, &raw) != 0) break;
        if (wanted) return raw;
    }
    return type;
}

static bool is_json(struct str body)
{
    struct json j;
    json_begin(&j, body.p, body.n);
    return json_value(&j, NULL) == 0 && json_end(&j) == 0;
}

static struct str first_line(struct str s)
{
    const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;
    return end ? (struct str){s.p, (size_t)(end - s.p)} : s;
}

static int put_number(struct buf *out, const char *key, int64_t v)
{
    int r = json_put_key(out, key);
    return r ? r : buf_printf(out, "%lld", (long long)v);
}

static int put_text(struct buf *out, const char *key, struct str s)
{
    int r = json_put_key(out, key);
    return r ? r : json_put(out, s);
}

static int put_raw(struct buf *out, const char *key, struct str s)
{
    int r = json_put_key(out, key);
    return r ? r : buf_append(out, s.p, s.n);
}

int store_row_json(struct buf *out, const struct store_row *row, enum store_state state, const char *bot,
                   struct str why, bool whole)
{
    size_t before = out->len;
    struct str type = row_type(row->body);
    int r = buf_putc(out, '{');
    if (!r) r = put_text(out, "id", row->id);
    if (!r) r = put_number(out, "seq", (int64_t)row->seq);
    if (!r) r = put_text(out, "bot", str_of(bot));
    if (!r) r = put_text(out, "state", str_of(store_state_names[state]));
    if (!r) r = put_number(out, "attempts", row->attempts);
    if (!r) r = put_number(out, "received", row->received_ms);
    if (!r && type.p) r = put_raw(out, "type", type);
    if (!r && why.n) r = put_text(out, "why", whole ? why : first_line(why));
    /* What LINE sent was checked on the way in; a store mended by hand may hold anything. */
    if (!r && whole) r = (is_json(row->body) ? put_raw : put_text)(out, "event", row->body);
    if (!r) r = buf_putc(out, '}');
    if (!r && out->len >= out->max) r = ERR_TOOBIG;
    if (r) {
        out->len = before;
        if (out->data) out->data[before] = '\0';
    }
    return r;
}
