/* A borrowed view of bytes: not NUL-terminated, not owned. Says nothing about how long the bytes live; the place that
 * hands one out does. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *s) { return (struct str){s, s ? strlen(s) : 0}; }
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_is(struct str a, const char *s) { return str_eq(a, str_of(s)); }

/* v in decimal at to, NUL-terminated: 11 bytes at most. Returns where the NUL is. (snprintf takes twenty times as long.) */
static inline char *str_number(char *to, uint32_t v)
{
    char digits[10];
    unsigned n = 0;
    do digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n) *to++ = digits[--n];
    *to = 0;
    return to;
}
