/* See json_write.h. */
#include "bindings/json_write.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/utf8.h"

/* Go on at `at`, the end of what the buffer has: not a byte past its ceiling, and one left for its NUL. */
static void take_room(struct writer *w, char *at)
{
    const struct buf *b = w->out;
    w->to = at;
    w->end = b->data + (b->cap - 1 < b->max ? b->cap - 1 : b->max);
}

void writer_begin(struct writer *w, struct buf *out)
{
    w->out = out;
    w->ascii = w->pretty = false;
    take_room(w, buf_reserve(out, 0)); /* never NULL: there is always memory for the NUL */
}

void writer_end(const struct writer *w) { buf_added(w->out, (size_t)(w->to - w->out->data) - w->out->len); }

bool writer_grow(struct writer *w, size_t n)
{
    writer_end(w);
    char *at = buf_reserve(w->out, n);
    if (at) take_room(w, at);
    return at != NULL;
}

const unsigned char write_plain[256] = {
    [0x20] = 1, [0x21] = 1, [0x23 ... 0x5B] = 1, [0x5D ... 0x7F] = 1,
};

static unsigned put_escape(char *to, unsigned char c)
{
    static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
                                      ['"'] = '"', ['\\'] = '\\'};
    static const char hex[] = "0123456789abcdef";
    to[0] = '\\';
    to[1] = short_form[c] ? short_form[c] : 'u';
    if (short_form[c]) return 2;
    to[2] = to[3] = '0';
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

/* A character of 2 to 4 bytes, known to be UTF-8, as escapes of four digits: two of them, a surrogate pair, beyond U+FFFF. */
static size_t put_wide(char *to, size_t n, const unsigned char *p, unsigned length)
{
    uint32_t c = *p & (0xFFu >> (length + 1));
    for (unsigned i = 1; i < length; i++) c = c << 6 | (p[i] & 0x3Fu);
    return (size_t)(c < 0x10000 ? snprintf(to, n, "\\u%04x", (unsigned)c)
                                : snprintf(to, n, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (c >> 10)), (unsigned)(0xDC00 | (c & 0x3FF))));
}

enum written write_escaped(struct writer *w, const char *s, size_t n, size_t *ret_bad)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n, *from = p;
    char escape[13];
    if (!write_bytes(w, "\"", 1)) return WRITTEN_TOO_LARGE;
    while (p < end) {
        if (write_plain[*p]) {
            p++;
            continue;
        }
        if (*p >= 0x80) {
            unsigned length = utf8_length(p, (size_t)(end - p));
            if (!length) {
                *ret_bad = (size_t)(p - (const unsigned char *)s);
                return WRITTEN_NOT_UTF8;
            }
            if (w->ascii) {
                if (!write_bytes(w, (const char *)from, (size_t)(p - from))) return WRITTEN_TOO_LARGE;
                if (!write_bytes(w, escape, put_wide(escape, sizeof escape, p, length))) return WRITTEN_TOO_LARGE;
                from = p + length;
            }
            p += length;
            continue;
        }
        if (!write_bytes(w, (const char *)from, (size_t)(p - from))) return WRITTEN_TOO_LARGE;
        if (!write_bytes(w, escape, put_escape(escape, *p))) return WRITTEN_TOO_LARGE;
        from = ++p;
    }
    if (!write_bytes(w, (const char *)from, (size_t)(p - from)) || !write_bytes(w, "\"", 1)) return WRITTEN_TOO_LARGE;
    return WRITTEN;
}

bool write_integer(struct writer *w, long long i)
{
    char text[20], *p = text + sizeof text; /* 19 digits and a sign */
    unsigned long long u = i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (i < 0) *--p = '-';
    return write_bytes(w, p, (size_t)(text + sizeof text - p));
}

bool write_double(struct writer *w, double d)
{
    char text[40];
    int n = 0;
    /* The shortest of three forms that reads back as the same number: 0.1, not 0.10000000000000001. */
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    return write_bytes(w, text, (size_t)n);
}
