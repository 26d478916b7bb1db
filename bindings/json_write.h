/* The bytes of JSON, for the encoder and for the check, which writes what it finds right. Nothing here knows of Lua or
 * raises.
 *
 * A message is many small pieces, so most of them ask nobody: while they fit into the memory that the buffer has, a piece is
 * written where `to` stands, and the buffer hears of it when it must grow and at the end. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"

struct writer {
    struct buf *out;
    char *to, *end; /* the next byte; what must not be passed */
    bool ascii;     /* what is beyond ASCII goes out as escapes */
    bool pretty;    /* for the encoder: a member or item a line */
};

/* Go on behind what out has, in the usual style. */
void writer_begin(struct writer *w, struct buf *out);
/* Tell out what was written. */
void writer_end(const struct writer *w);
/* Make room for n bytes; false: they would pass out's ceiling. Called by writer_room. */
bool writer_grow(struct writer *w, size_t n);

/* Whether there is room for n bytes at w->to now. */
static inline bool writer_room(struct writer *w, size_t n)
{
    return __builtin_expect((size_t)(w->end - w->to) >= n, 1) || writer_grow(w, n);
}

/* Append; false past the ceiling. */
static inline bool write_bytes(struct writer *w, const char *p, size_t n)
{
    if (!writer_room(w, n)) return false;
    memcpy(w->to, p, n);
    w->to += n;
    return true;
}

/* 1: goes out as it is. 0: an escape or more than ASCII. */
extern const unsigned char write_plain[256];

#define EACH_BYTE(b) (0x0101010101010101u * (b))

/* Whether eight bytes are all plain: none below a blank, none with the highest bit, no quote and no backslash. What borrows
 * from a neighbour can only make this false too often, never true. */
static inline bool write_all_plain(uint64_t eight)
{
    uint64_t quote = eight ^ EACH_BYTE('"'), backslash = eight ^ EACH_BYTE('\\');
    uint64_t flaws = eight | (eight - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return !(flaws & EACH_BYTE(0x80));
}

/* Copy while all is plain, eight bytes at a time; false at the first that is not. */
static inline bool write_copy(char *to, const char *s, size_t n)
{
    uint64_t eight;
    uint32_t first, last;
    if (n < sizeof first) {
        unsigned char ok = 1;
        for (size_t i = 0; i < n; i++) ok &= write_plain[(unsigned char)(to[i] = s[i])];
        return ok;
    }
    if (n < sizeof eight) {
        memcpy(&first, s, sizeof first);
        memcpy(&last, s + n - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + n - sizeof last, &last, sizeof last);
        return write_all_plain((uint64_t)last << 32 | first);
    }
    for (size_t i = 0;; i += sizeof eight) {
        if (i + sizeof eight > n) i = n - sizeof eight; /* the last eight may have been looked at in part */
        memcpy(&eight, s + i, sizeof eight);
        if (!write_all_plain(eight)) return false;
        memcpy(to + i, &eight, sizeof eight);
        if (i + sizeof eight == n) return true;
    }
}

enum written { WRITTEN, WRITTEN_TOO_LARGE, WRITTEN_NOT_UTF8 };

/* Append a string with quotes, whatever it holds. NOT_UTF8: *ret_bad is the position of the first wrong byte. */
enum written write_escaped(struct writer *w, const char *s, size_t n, size_t *ret_bad);

/* The same; names and most values need no escape. */
static inline enum written write_string(struct writer *w, const char *s, size_t n, size_t *ret_bad)
{
    if (!writer_room(w, n + 2)) return WRITTEN_TOO_LARGE;
    if (__builtin_expect(!write_copy(w->to + 1, s, n), 0)) return write_escaped(w, s, n, ret_bad);
    w->to[0] = w->to[n + 1] = '"';
    w->to += n + 2;
    return WRITTEN;
}

/* Append a name, with a comma or a brace before it and the colon behind. */
static inline enum written write_name(struct writer *w, char before, const char *s, size_t n, size_t *ret_bad)
{
    if (!writer_room(w, n + 4)) return WRITTEN_TOO_LARGE;
    char *to = w->to;
    *to = before;
    if (__builtin_expect(!write_copy(to + 2, s, n), 0)) {
        w->to++;
        enum written r = write_escaped(w, s, n, ret_bad);
        return r || write_bytes(w, ":", 1) ? r : WRITTEN_TOO_LARGE;
    }
    to[1] = to[n + 2] = '"';
    to[n + 3] = ':';
    w->to = to + n + 4;
    return WRITTEN;
}

/* Append a number; false past the ceiling. d must be finite. */
bool write_integer(struct writer *w, long long i);
bool write_double(struct writer *w, double d);
