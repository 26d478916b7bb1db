#include "base/base64.h"

#include <stdint.h>

#include "base/err.h"

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char *const digits[] = {[BASE64] = COMMON "+/", [BASE64_URL] = COMMON "-_"};

size_t base64_write(char *to, const void *bytes, size_t n, enum base64 kind)
{
    const char *digit = digits[kind], *from = to;
    const unsigned char *p = bytes, *end = p + n;
    for (; end - p >= 3; p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *to++ = digit[v >> 18], *to++ = digit[v >> 12 & 63], *to++ = digit[v >> 6 & 63], *to++ = digit[v & 63];
    }
    if (p == end) return (size_t)(to - from);
    uint32_t v = (uint32_t)p[0] << 16 | (end - p > 1 ? (uint32_t)p[1] << 8 : 0);
    *to++ = digit[v >> 18], *to++ = digit[v >> 12 & 63];
    if (end - p > 1) *to++ = digit[v >> 6 & 63];
    else if (kind == BASE64) *to++ = '=';
    if (kind == BASE64) *to++ = '=';
    return (size_t)(to - from);
}

int base64_put(struct buf *out, const void *p, size_t n, enum base64 kind)
{
    char *to = buf_reserve(out, BASE64_ROOM(n));
    if (!to) return ERR_TOOBIG;
    buf_added(out, base64_write(to, p, n, kind));
    return 0;
}

static int value_of(char c, enum base64 kind)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == digits[kind][62] ? 62 : c == digits[kind][63] ? 63 : -1;
}

long base64_read(struct str text, enum base64 kind, unsigned char *ret)
{
    uint32_t v = 0;
    unsigned bits = 0, pads = 0;
    long n = 0;
    while (text.n && pads < 2 && text.p[text.n - 1] == '=') text.n--, pads++;
    if (text.n % 4 == 1 || (pads && (text.n + pads) % 4)) return -1;
    for (size_t i = 0; i < text.n; i++) {
        int d = value_of(text.p[i], kind);
        if (d < 0) return -1;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) ret[n++] = (unsigned char)(v >> (bits -= 8));
    }
    return v & ((1u << bits) - 1) ? -1 : n;
}
