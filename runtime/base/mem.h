/* Allocation outside Lua. These never return NULL: a machine without memory gets one log line and abort(), which is
 * safe because an event is acknowledged only once it is in the store. Lua's own memory is another matter (bindings/). */
#pragma once
#include <stddef.h>

void *mem_alloc(size_t n);              /* uninitialised; free() it */
void *mem_zalloc(size_t n);             /* zeroed */
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_strndup(const char *p, size_t n); /* n bytes and a NUL */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Cleanup attribute for locals. Never across a call that may raise a Lua error: longjmp skips it. */
static inline void mem_free_p(void *p) { extern void free(void *); free(*(void **)p); }
#define auto_free __attribute__((cleanup(mem_free_p)))
