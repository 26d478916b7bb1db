#include "bindings/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Lua says how large a block was when it gives it back, so small ones need no header and no search: a free one of the
 * same size is one load away. They are cut from chunks, which go back to the system when the state is closed. What a
 * burst of small blocks has taken stays for the next burst; larger blocks are malloc's. */
#define STEP 16u          /* sizes go up in these, which is also the alignment */
#define SMALL 512u        /* bytes; Lua's strings, closures, tables and most of their parts are smaller */
#define CHUNK (64u << 10)

/* A sanitizer sees what happens to a block only if it is malloc's. */
#ifdef __SANITIZE_ADDRESS__
#define POOLED 0
#else
#define POOLED 1
#endif

struct memory memory;

union block {
    union block *next;
    char bytes[STEP];
};

struct chunk {
    struct chunk *next;
    size_t unused;             /* keeps what follows aligned */
    union block blocks[CHUNK / STEP - 1];
};

static struct {
    union block *free[SMALL / STEP + 1]; /* [n]: blocks of n steps */
    union block *fresh, *end;            /* what was never used of the newest chunk */
    struct chunk *chunks;
} pool;

static size_t steps(size_t n) { return (n + STEP - 1) / STEP; }
static bool small(size_t n) { return POOLED && n <= SMALL; }

static void give(union block *b, size_t n)
{
    b->next = pool.free[n];
    pool.free[n] = b;
}

/* false: no memory. The rest of the chunk before becomes a free block of its size. */
static bool more_chunks(bool must)
{
    struct chunk *c = must ? mem_alloc(sizeof *c) : malloc(sizeof *c);
    if (!c) return false;
    if (pool.fresh < pool.end) give(pool.fresh, (size_t)(pool.end - pool.fresh));
    c->next = pool.chunks;
    pool.chunks = c;
    pool.fresh = c->blocks;
    pool.end = c->blocks + sizeof c->blocks / sizeof *c->blocks;
    return true;
}

static void *take(size_t n, bool must)
{
    union block *b = pool.free[n];
    if (b) {
        pool.free[n] = b->next;
        return b;
    }
    if ((size_t)(pool.end - pool.fresh) < n && !more_chunks(must)) return NULL;
    b = pool.fresh;
    pool.fresh += n;
    return b;
}

/* must: end the process rather than fail. */
static void *resize(void *p, size_t old, size_t n, bool must)
{
    bool from_pool = p && small(old), to_pool = small(n);
    if (from_pool && to_pool && steps(old) == steps(n)) return p;
    if (!from_pool && !to_pool) return must ? mem_realloc(p, n) : realloc(p, n);
    void *q = to_pool ? take(steps(n), must) : must ? mem_alloc(n) : malloc(n);
    if (!q || !p) return q;
    memcpy(q, p, old < n ? old : n);
    if (from_pool) give(p, steps(old));
    else free(p);
    return q;
}

void memory_close(void)
{
    for (struct chunk *c = pool.chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    memset(&pool, 0, sizeof pool);
}

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
        if (p && small(old)) give(p, steps(old));
        else free(p);
        memory.used -= old;
        return NULL;
    }
    if (n > old && refuse(old, n)) return NULL;
    /* Lua takes for granted that a shrink succeeds, and grace is a promise: there the process ends rather than fail. */
    void *q = resize(p, old, n, n <= old || memory.grace);
    if (q) memory.used = memory.used - old + n;
    return q;
}
