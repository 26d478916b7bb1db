/* Allocation that never fails in the eyes of its caller. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* One line, then the end: the log needs no memory of its own, and the store holds whatever was acknowledged. A core
 * file of an exhausted process is more use than a process that limps on. */
static _Noreturn void out_of_memory(size_t n)
{
    LOG(ERROR, "out of memory: moonline ends here and starts again from its store", F_INT("bytes", n));
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1); /* malloc(0) may be NULL, which must not look like exhaustion */
    if (!p)
        out_of_memory(n);
    return p;
}

void *mem_zalloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory(n);
    return q;
}

char *mem_strndup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) /* the only other cause is a format the compiler has already refused */
        out_of_memory(0);
    return text;
}
