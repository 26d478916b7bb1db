#include "bindings/memory.h"

#include <stdlib.h>

#include "base/mem.h"

struct memory memory;

/* A refused growth makes Lua collect everything and ask once more; only the second refusal is an error to the script. */
static int refuse(size_t old, size_t n)
{
    if (memory.grace) return 0;
    if (memory.fail_at && --memory.fail_at == 0) {
        if (--memory.fail_times) memory.fail_at = 1;
        return 1;
    }
    return memory.limit && memory.used - old + n > memory.limit;
}

void *memory_alloc(void *user, void *p, size_t old, size_t n)
{
    (void)user;
    if (!p) old = 0; /* then it is a type tag, not a size */
    if (!n) {
        free(p);
        memory.used -= old;
        return NULL;
    }
    if (n > old && refuse(old, n)) return NULL;
    /* Lua takes for granted that a shrink succeeds, and grace is a promise: there the process ends rather than fail. */
    void *q = n <= old || memory.grace ? mem_realloc(p, n) : realloc(p, n);
    if (q) memory.used = memory.used - old + n;
    return q;
}
