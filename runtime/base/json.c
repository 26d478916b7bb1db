/* The JSON scanner: one pass over borrowed bytes, every byte checked, nothing allocated, no recursion.
 *
 * Its speed matters: each webhook passes here before it is acknowledged. Strings are nearly all of a webhook, so they
 * go eight bytes at a time; everything else is decided by one table look-up a byte. Text and writing: json_text.c. */
#include "base/json.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/utf8.h"

enum { SPACE = 1, DIGIT = 2, HEX = 4, PLAIN = 8 }; /* PLAIN: stands for itself inside a string, one byte long */

static const unsigned char class[256] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, [' '] = SPACE | PLAIN, ['!'] = PLAIN, ['#' ... '/'] = PLAIN,
    ['0' ... '9'] = DIGIT | HEX | PLAIN, [':' ... '@'] = PLAIN, ['A' ... 'F'] = HEX | PLAIN, ['G' ... '['] = PLAIN,
    [']' ... '`'] = PLAIN, ['a' ... 'f'] = HEX | PLAIN, ['g' ... 0x7F] = PLAIN,
};

static const char *const ended = "the text ends too early";

/* Kinds of the containers that json_value() is inside, one bit a level (1: object), instead of a stack of calls. */
struct nesting {
    uint64_t object[(LIMIT_JSON_DEPTH + 63) / 64];
};

static int fail(struct json *j, const void *at, const char *why)
{
    j->p = at;
    j->error = why;
    return ERR_SYNTAX;
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (class[(unsigned char)*p] & SPACE))
        p++;
    return p;
}

/* First byte from p on that is not PLAIN. Eight at a time: a byte below 0x20 or equal to " or \ borrows into its own
 * top bit, a byte above 0x7F has it set. A borrow may reach the bytes after such a byte, never those before it, so the
 * lowest flag is exact. */
static inline const unsigned char *skip_plain(const unsigned char *p, const unsigned char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t each = 0x0101010101010101u;
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t flags = ((w - each * 0x20) | ((w ^ each * '"') - each) | ((w ^ each * '\\') - each) | w) & each * 0x80;
        if (flags)
            return p + (__builtin_ctzll(flags) >> 3);
        p += 8;
    }
#endif
    while (p < end && (class[*p] & PLAIN))
        p++;
    return p;
}

/* The escape at p (its backslash). Returns its length, or 0. A \u of half a surrogate pair is well-formed JSON
 * (RFC 8259 section 8.2); what it means is for json_text(). */
static unsigned escape_length(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 2)
        return 0;
    switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return 2;
    case 'u':
        return end - p >= 6 && (class[p[2]] & class[p[3]] & class[p[4]] & class[p[5]] & HEX) ? 6 : 0;
    default:
        return 0;
    }
}

/* p stands behind the opening quote. Returns the closing quote, or NULL with j->p and j->error set. */
static const char *scan_string(struct json *j, const char *from)
{
    const unsigned char *p = (const unsigned char *)from, *end = (const unsigned char *)j->end;
    for (;;) {
        p = skip_plain(p, end);
        if (p == end) {
            fail(j, p, ended);
            return NULL;
        }
        if (*p == '"')
            return (const char *)p;
        unsigned n;
        if (*p >= 0x80) { /* text of one script comes in runs: stay here while it lasts */
            do {
                n = utf8_length(p, (size_t)(end - p));
                p += n;
            } while (n && p < end && *p >= 0x80);
            if (!n) {
                fail(j, p, "a string is not UTF-8");
                return NULL;
            }
        } else if (*p == '\\') {
            n = escape_length(p, end);
            if (!n) {
                fail(j, p, "an escape is not one of JSON's");
                return NULL;
            }
            p += n;
        } else {
            fail(j, p, "a control character inside a string");
            return NULL;
        }
    }
}

static inline const char *skip_digits(const char *p, const char *end)
{
    while (p < end && (class[(unsigned char)*p] & DIGIT))
        p++;
    return p;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? ; returns its end, or NULL with the error set. */
static const char *scan_number(struct json *j, const char *p)
{
    const char *end = j->end, *digits;
    if (*p == '-')
        p++;
    digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        goto bad;
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            goto bad;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            goto bad;
    }
    return p;
bad:
    fail(j, p, "a number is not written as JSON has it");
    return NULL;
}

static const char *scan_word(struct json *j, const char *p, const char *word, size_t n)
{
    if ((size_t)(j->end - p) >= n && memcmp(p, word, n) == 0)
        return p + n;
    fail(j, p, "a value is expected here");
    return NULL;
}

/* One string, number or word at p (< end). Returns its end, or NULL with the error set. */
static inline const char *scan_scalar(struct json *j, const char *p)
{
    switch (*p) {
    case '"':
        p = scan_string(j, p + 1);
        return p ? p + 1 : NULL;
    case 't':
        return scan_word(j, p, "true", 4);
    case 'f':
        return scan_word(j, p, "false", 5);
    case 'n':
        return scan_word(j, p, "null", 4);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return scan_number(j, p);
    default:
        fail(j, p, "a value is expected here");
        return NULL;
    }
}

/* `"key" :` at p. Returns what follows the colon, or NULL with the error set; *ret_key without quotes. */
static inline const char *scan_key(struct json *j, const char *p, struct str *ret_key)
{
    if (p == j->end || *p != '"') {
        fail(j, p, p == j->end ? ended : "a key in quotes is expected here");
        return NULL;
    }
    const char *close = scan_string(j, p + 1);
    if (!close)
        return NULL;
    *ret_key = (struct str){p + 1, (size_t)(close - p - 1)};
    p = skip_space(close + 1, j->end);
    if (p == j->end || *p != ':') {
        fail(j, p, p == j->end ? ended : "a colon is expected after a key");
        return NULL;
    }
    return p + 1;
}

/* The container at p, to its closing bracket. Depth is counted from where the caller stands. */
static const char *scan_container(struct json *j, const char *p)
{
    struct nesting in;
    struct str key;
    const char *end = j->end;
    int base = j->depth, depth = base; /* depth - base levels are open */
    for (;;) { /* a value begins at p */
        p = skip_space(p, end);
        if (p == end) {
            fail(j, p, ended);
            return NULL;
        }
        if (*p == '{' || *p == '[') {
            if (depth >= LIMIT_JSON_DEPTH) {
                fail(j, p, "nested too deeply");
                return NULL;
            }
            bool object = *p == '{';
            uint64_t bit = (uint64_t)1 << (depth & 63);
            if (object)
                in.object[depth >> 6] |= bit;
            else
                in.object[depth >> 6] &= ~bit;
            depth++;
            p = skip_space(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                if (object && !(p = scan_key(j, p, &key)))
                    return NULL;
                continue;
            }
            p++;
            depth--;
        } else if (!(p = scan_scalar(j, p))) {
            return NULL;
        }
        for (;;) { /* a value ended before p: close what closes, and leave for the next value */
            if (depth == base)
                return p;
            bool object = in.object[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
            p = skip_space(p, end);
            if (p < end && *p == ',') {
                p++;
                if (object && !(p = scan_key(j, skip_space(p, end), &key)))
                    return NULL;
                break;
            }
            if (p == end || *p != (object ? '}' : ']')) {
                fail(j, p, p == end ? ended : "a comma or a closing bracket is expected here");
                return NULL;
            }
            p++;
            depth--;
        }
    }
}

void json_begin(struct json *j, const char *p, size_t n)
{
    static const char nothing[1] = "";
    if (!p)
        p = nothing, n = 0; /* arithmetic on NULL is undefined */
    *j = (struct json){p, p + n, 0, NULL};
}

/* Does not move j->p: whether a container has just been entered is read from the byte before it. */
enum json_type json_peek(struct json *j)
{
    const char *p = skip_space(j->p, j->end);
    if (p == j->end)
        return JSON_ERROR;
    switch (*p) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return *p == '-' || (class[(unsigned char)*p] & DIGIT) ? JSON_NUMBER : JSON_ERROR;
    }
}

int json_value(struct json *j, struct str *ret_raw)
{
    const char *start = skip_space(j->p, j->end), *p;
    if (start == j->end)
        return fail(j, start, ended);
    p = *start == '{' || *start == '[' ? scan_container(j, start) : scan_scalar(j, start);
    if (!p)
        return ERR_SYNTAX;
    j->p = p;
    if (ret_raw)
        *ret_raw = (struct str){start, (size_t)(p - start)};
    return 0;
}

static int enter(struct json *j, char open, const char *why)
{
    const char *p = skip_space(j->p, j->end);
    if (p == j->end)
        return fail(j, p, ended);
    if (*p != open)
        return fail(j, p, why);
    if (j->depth >= LIMIT_JSON_DEPTH)
        return fail(j, p, "nested too deeply");
    j->depth++;
    j->p = p + 1;
    return 0;
}

int json_enter_object(struct json *j)
{
    return enter(j, '{', "an object is expected here");
}

int json_enter_array(struct json *j)
{
    return enter(j, '[', "an array is expected here");
}

/* To the next member: 1 with j->p at it, 0 when the container closed. A container was only just entered when the byte
 * before j->p is its opening bracket: no value ends in one. */
static inline int next_member(struct json *j, char open, char close)
{
    bool first = j->p[-1] == open;
    const char *p = skip_space(j->p, j->end);
    if (p == j->end)
        return fail(j, p, ended);
    if (*p == close) {
        j->depth--;
        j->p = p + 1;
        return 0;
    }
    if (!first) {
        if (*p != ',')
            return fail(j, p, "a comma or a closing bracket is expected here");
        p++;
    }
    j->p = p;
    return 1;
}

int json_next_key(struct json *j, struct str *ret_key)
{
    int r = next_member(j, '{', '}');
    if (r <= 0)
        return r;
    struct str key;
    const char *p = scan_key(j, skip_space(j->p, j->end), &key);
    if (!p)
        return ERR_SYNTAX;
    j->p = p;
    *ret_key = key;
    return 1;
}

int json_next_item(struct json *j)
{
    return next_member(j, '[', ']');
}

int json_end(struct json *j)
{
    const char *p = skip_space(j->p, j->end);
    if (p != j->end)
        return fail(j, p, "something follows the end of the value");
    j->p = p;
    return 0;
}
