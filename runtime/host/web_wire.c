#include "host/web_wire.h"

#include <string.h>

#include "base/err.h"

#define FLAG_SECURE 1
#define FLAG_LAST 2
#define FLAG_SIZED 4

/* What every payload begins with, in one layout for all. */
struct fixed {
    uint64_t id, n;      /* n: length of a body, bytes taken */
    uint32_t sizes[6];   /* of the strings that follow; what is left is the last one */
    uint16_t status, flags;
} __attribute__((packed));

static int send_all(struct wire *w, enum wire_type type, struct fixed *f, const struct str *strings, size_t n)
{
    struct str parts[8] = {{(const char *)f, sizeof *f}};
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n) f->sizes[i] = (uint32_t)strings[i].n;
        parts[i + 1] = strings[i];
    }
    return wire_send_parts(w, type, parts, n + 1);
}

static int read_all(struct str payload, struct fixed *f, struct str *strings, size_t n)
{
    if (payload.n < sizeof *f) return ERR_SYNTAX;
    memcpy(f, payload.p, sizeof *f);
    const char *p = payload.p + sizeof *f;
    size_t left = payload.n - sizeof *f;
    for (size_t i = 0; i < n; i++) {
        size_t size = i + 1 < n ? f->sizes[i] : left;
        if (size > left) return ERR_SYNTAX;
        strings[i] = (struct str){p, size};
        p += size;
        left -= size;
    }
    return left ? ERR_SYNTAX : 0;
}

bool web_next_header(struct str *list, const char **ret_name, const char **ret_value)
{
    if (!list->n) return false;
    *ret_name = list->p;
    *ret_value = list->p + strlen(list->p) + 1;
    size_t used = (size_t)(*ret_value - list->p) + strlen(*ret_value) + 1;
    *list = (struct str){list->p + used, list->n - used};
    return true;
}

/* Pairs of texts, each with its NUL: an even number of them, and the last byte is one. */
static bool is_list(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == 0;
    return n % 2 == 0 && (!s.n || s.p[s.n - 1] == 0);
}

int wire_send_web_request(struct wire *w, const struct wire_web_request *r)
{
    struct fixed f = {.id = r->id, .n = r->body_n, .flags = r->secure ? FLAG_SECURE : 0};
    const struct str strings[] = {r->method, r->target, r->base, r->client, r->headers, r->body};
    return send_all(w, WIRE_WEB_REQUEST, &f, strings, 6);
}

int wire_read_web_request(struct str payload, struct wire_web_request *ret)
{
    struct fixed f;
    struct str s[6];
    if (read_all(payload, &f, s, 6) || f.flags > FLAG_SECURE || f.status) return ERR_SYNTAX;
    if (!is_list(s[4]) || s[5].n > f.n || s[5].n > WEB_PIECE || !s[0].n || !s[1].n) return ERR_SYNTAX;
    *ret = (struct wire_web_request){f.id, f.n, f.flags == FLAG_SECURE, s[0], s[1], s[2], s[3], s[4], s[5]};
    return 0;
}

int wire_send_web_answer(struct wire *w, const struct wire_web_answer *a)
{
    unsigned flags = (a->last ? FLAG_LAST : 0u) | (a->sized ? FLAG_SIZED : 0u);
    struct fixed f = {.id = a->id, .n = a->length, .status = a->status, .flags = (uint16_t)flags};
    const struct str strings[] = {a->headers, a->body};
    return send_all(w, WIRE_WEB_ANSWER, &f, strings, 2);
}

int wire_read_web_answer(struct str payload, struct wire_web_answer *ret)
{
    struct fixed f;
    struct str s[2];
    if (read_all(payload, &f, s, 2) || f.flags & ~(FLAG_LAST | FLAG_SIZED)) return ERR_SYNTAX;
    if (f.status < 200 || f.status > 599 || !is_list(s[0]) || s[0].n > WEB_HEAD_MOST || s[1].n > WEB_PIECE) return ERR_SYNTAX;
    *ret = (struct wire_web_answer){f.id, f.status, f.flags & FLAG_LAST, f.flags & FLAG_SIZED, f.n, s[0], s[1]};
    return ret->sized && s[1].n > f.n ? ERR_SYNTAX : 0;
}

int wire_send_web_piece(struct wire *w, enum wire_type type, const struct wire_web_piece *p)
{
    struct fixed f = {.id = p->id, .flags = p->last ? FLAG_LAST : 0};
    return send_all(w, type, &f, &p->bytes, 1);
}

int wire_read_web_piece(struct str payload, struct wire_web_piece *ret)
{
    struct fixed f;
    struct str s;
    if (read_all(payload, &f, &s, 1) || f.flags & ~FLAG_LAST || s.n > WEB_PIECE) return ERR_SYNTAX;
    *ret = (struct wire_web_piece){f.id, f.flags & FLAG_LAST, s};
    return 0;
}

int wire_send_web_note(struct wire *w, enum wire_type type, uint64_t id, uint64_t n)
{
    struct fixed f = {.id = id, .n = n};
    return send_all(w, type, &f, NULL, 0);
}

int wire_read_web_note(struct str payload, uint64_t *ret_id, uint64_t *ret_n)
{
    struct fixed f;
    if (read_all(payload, &f, NULL, 0)) return ERR_SYNTAX;
    *ret_id = f.id;
    *ret_n = f.n;
    return 0;
}
