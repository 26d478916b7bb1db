/* A growing byte buffer that is born with a ceiling. All appends fail with ERR_TOOBIG rather than pass it; the buffer
 * keeps what it had. data is NUL-terminated beyond len once anything was written. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include "base/str.h"

struct buf {
    char *data;
    size_t len, cap;
    size_t max; /* ceiling of len in bytes */
};

#define BUF(ceiling) {NULL, 0, 0, (ceiling)}

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);                               /* also resets; safe twice */
void buf_clear(struct buf *b);                              /* len = 0, memory kept */
void buf_trim(struct buf *b, size_t keep);                  /* empty buffer: give memory above keep bytes back */
int buf_append(struct buf *b, const void *p, size_t n);     /* 0 or ERR_TOOBIG */
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *buf_reserve(struct buf *b, size_t n);                 /* room for n more bytes at the end; NULL past the ceiling */
void buf_added(struct buf *b, size_t n);                    /* n bytes were written into the reserve */
void buf_consume(struct buf *b, size_t n);                  /* drop n bytes at the front */
static inline struct str buf_str(const struct buf *b) { return (struct str){b->data, b->len}; }
