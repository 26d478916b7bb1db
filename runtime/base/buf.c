/* A growing byte buffer with a ceiling. The one rule of every function here: past the ceiling nothing changes. */
#include "base/buf.h"

#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

#define BUF_FIRST 64 /* bytes of the first allocation: most buffers hold one header value or one short line */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf)BUF(max);
}

void buf_free(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = 0;
}

void buf_trim(struct buf *b, size_t keep)
{
    if (b->len || b->cap <= keep)
        return;
    if (keep == 0) {
        buf_free(b);
        return;
    }
    b->data = mem_realloc(b->data, keep);
    b->cap = keep;
    b->data[0] = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (n > b->max - b->len)
        return NULL;
    size_t need = b->len + n + 1; /* the NUL is beyond the ceiling: max counts content only */
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : BUF_FIRST;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        if (cap > b->max && need <= b->max + 1 && b->max + 1 != 0)
            cap = b->max + 1; /* the last doubling would only buy memory that may never be used */
        b->data = mem_realloc(b->data, cap);
        b->cap = cap;
        b->data[b->len] = 0;
    }
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
    char *room = buf_reserve(b, n);
    if (!room)
        return ERR_TOOBIG;
    if (n)
        memcpy(room, p, n);
    buf_added(b, n);
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    /* Measured first, so that a text past the ceiling leaves nothing behind. */
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap ? b->cap - b->len : 0;
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    int r = 0;
    if (n < 0 || (size_t)n > b->max - b->len) {
        r = ERR_TOOBIG;
    } else if ((size_t)n >= room) {
        char *p = buf_reserve(b, (size_t)n);
        vsnprintf(p, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else {
        b->len += (size_t)n;
    }
    if (b->data)
        b->data[b->len] = 0; /* also wipes what a refused text had put behind the end */
    va_end(again);
    return r;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = 0;
}
