/* JSON strings and numbers by themselves: resolving escapes, and writing. The scanner is json.c. */
#include "base/json.h"

#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

bool json_plain(struct str raw)
{
    return raw.n == 0 || !memchr(raw.p, '\\', raw.n);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX whose backslash is at p; -1 if there is none. */
static int32_t unit_at(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Resolve the escape at *p (its backslash) into ret; moves *p behind it. Returns the bytes written, 0 if malformed. */
static unsigned resolve(const char **p, const char *end, char ret[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = *p, *which;
    if (end - at < 2)
        return 0;
    if (at[1] != 'u') {
        which = memchr(from, at[1], sizeof from - 1);
        if (!which)
            return 0;
        ret[0] = to[which - from];
        *p = at + 2;
        return 1;
    }
    int32_t unit = unit_at(at, end);
    if (unit < 0)
        return 0;
    *p = at + 6;
    if (unit < 0xD800 || unit > 0xDFFF)
        return utf8_encode((uint32_t)unit, ret);
    int32_t low = unit < 0xDC00 ? unit_at(at + 6, end) : -1;
    if (low < 0xDC00 || low > 0xDFFF) { /* half a pair: UTF-8 has no form for it */
        memcpy(ret, UTF8_REPLACEMENT, 3);
        return 3;
    }
    *p = at + 12;
    return utf8_encode(0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00), ret);
}

int json_text(struct str raw, struct buf *out)
{
    if (raw.n < 2 || raw.p[0] != '"' || raw.p[raw.n - 1] != '"')
        return ERR_SYNTAX;
    const char *p = raw.p + 1, *end = raw.p + raw.n - 1;
    size_t before = out->len;
    int r = 0;
    while (r == 0 && p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        if (!stop)
            stop = end;
        r = buf_append(out, p, (size_t)(stop - p));
        p = stop;
        if (r == 0 && p < end) {
            char bytes[4];
            unsigned n = resolve(&p, end, bytes);
            r = n ? buf_append(out, bytes, n) : ERR_SYNTAX;
        }
    }
    if (r < 0 && out->data) { /* what was there before stays as it was */
        out->len = before;
        out->data[before] = 0;
    }
    return r;
}

size_t json_unescape(struct str inside, char *out)
{
    const char *p = inside.p, *end = p + inside.n;
    char *to = out;
    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        if (!stop)
            stop = end;
        memcpy(to, p, (size_t)(stop - p));
        to += stop - p;
        p = stop;
        unsigned n = p < end ? resolve(&p, end, to) : 0;
        if (n == 0) /* the end; or no escape, which the scanner would not have let pass */
            break;
        to += n;
    }
    return (size_t)(to - out);
}

int json_integer(struct str raw, int64_t *ret)
{
    size_t i = 0;
    bool negative = raw.n > 0 && raw.p[0] == '-';
    int64_t value = 0;
    if (negative)
        i++;
    if (i == raw.n || (raw.p[i] == '0' && raw.n > i + 1))
        return ERR_SYNTAX;
    for (; i < raw.n; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9')
            return ERR_SYNTAX;
        /* Gathered as a negative number, whose range is one larger: INT64_MIN has no positive twin. */
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, raw.p[i] - '0', &value))
            return ERR_SYNTAX;
    }
    if (!negative && value == INT64_MIN)
        return ERR_SYNTAX;
    *ret = negative ? value : -value;
    return 0;
}

unsigned json_escape(const char **p, const char *end, char ret[JSON_ESCAPE_MAX])
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    unsigned char c = (unsigned char)**p;
    if (c == '"' || c == '\\' || (c < 0x20 && short_form[c])) {
        ret[0] = '\\';
        ret[1] = c < 0x20 ? short_form[c] : (char)c;
        ++*p;
        return 2;
    }
    if (c < 0x20) {
        memcpy(ret, "\\u00", 4);
        ret[4] = hex[c >> 4];
        ret[5] = hex[c & 15];
        ++*p;
        return 6;
    }
    unsigned n = utf8_length((const unsigned char *)*p, (size_t)(end - *p));
    if (n == 0) {
        memcpy(ret, UTF8_REPLACEMENT, 3);
        ++*p;
        return 3;
    }
    memcpy(ret, *p, n);
    *p += n;
    return n;
}

int json_put(struct buf *out, struct str s)
{
    size_t before = out->len;
    int r = buf_putc(out, '"');
    const char *p = s.p, *end = s.p + s.n, *run = p;
    while (r == 0 && p < end) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++; /* copied with its run */
            continue;
        }
        char bytes[JSON_ESCAPE_MAX];
        const char *at = p;
        unsigned n = json_escape(&p, end, bytes);
        if (n == (size_t)(p - at) && c >= 0x80 && memcmp(bytes, at, n) == 0)
            continue; /* a good character beyond ASCII stays in its run too */
        r = buf_append(out, run, (size_t)(at - run));
        if (r == 0)
            r = buf_append(out, bytes, n);
        run = p;
    }
    if (r == 0 && run < end)
        r = buf_append(out, run, (size_t)(end - run));
    if (r == 0)
        r = buf_putc(out, '"');
    if (r < 0 && out->data) {
        out->len = before;
        out->data[before] = 0;
    }
    return r;
}

int json_put_key(struct buf *out, const char *key)
{
    size_t before = out->len;
    int r = 0;
    if (before && out->data[before - 1] != '{' && out->data[before - 1] != '[')
        r = buf_putc(out, ',');
    if (r == 0)
        r = json_put(out, str_of(key));
    if (r == 0)
        r = buf_putc(out, ':');
    if (r < 0 && out->data) {
        out->len = before;
        out->data[before] = 0;
    }
    return r;
}
