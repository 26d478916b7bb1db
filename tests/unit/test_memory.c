/* The allocator of the Lua state: sizes on both sides of the pool's border, contents over every change of size, the
 * count of bytes, refusals. */
#include "bindings/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define LUA_TAG 4 /* what Lua passes as old size for something new: a type, not a size */
#define MOST 700

static void *make(size_t n) { return memory_alloc(NULL, NULL, LUA_TAG, n); }

static bool holds(const unsigned char *p, size_t n, unsigned char c)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != c) return false;
    return true;
}

TEST(blocks_of_every_size_are_aligned_and_apart)
{
    static unsigned char *blocks[MOST];
    size_t sum = 0;
    memory.used = 0;
    for (size_t n = 1; n < MOST; n++) {
        blocks[n] = make(n);
        CHECK(((uintptr_t)blocks[n] & 15) == 0);
        memset(blocks[n], (int)(n & 0xff), n);
        sum += n;
    }
    CHECK_INT(memory.used, sum);
    for (size_t n = 1; n < MOST; n++) CHECK(holds(blocks[n], n, (unsigned char)n));
    for (size_t n = 1; n < MOST; n++) memory_alloc(NULL, blocks[n], n, 0);
    CHECK_INT(memory.used, 0);
    memory_close();
}

TEST(contents_survive_growing_and_shrinking)
{
    memory.used = 0;
    for (size_t from = 1; from < MOST; from += 13) {
        for (size_t to = 1; to < MOST; to += 17) {
            unsigned char *p = make(from);
            memset(p, 0x5a, from);
            p = memory_alloc(NULL, p, from, to);
            CHECK(holds(p, from < to ? from : to, 0x5a));
            CHECK_INT(memory.used, to);
            memory_alloc(NULL, p, to, 0);
        }
    }
    CHECK_INT(memory.used, 0);
    memory_close();
}

TEST(beyond_the_limit_is_refused_and_the_block_stays)
{
    memory = (struct memory){.limit = 1000};
    unsigned char *p = make(900);
    memset(p, 7, 900);
    CHECK(make(101) == NULL);
    CHECK(memory_alloc(NULL, p, 900, 1001) == NULL);
    CHECK(holds(p, 900, 7));
    memory_grace();
    void *q = make(101);
    CHECK(q != NULL);
    memory_ungrace();
    p = memory_alloc(NULL, p, 900, 10); /* a shrink may not fail, not even above the limit */
    CHECK(holds(p, 10, 7));
    memory_alloc(NULL, p, 10, 0);
    memory_alloc(NULL, q, 101, 0);
    CHECK_INT(memory.used, 0);
    memory = (struct memory){0};
    memory_close();
}

TEST(a_million_small_blocks_come_from_the_same_memory)
{
    memory.used = 0;
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (int i = 0; i < 1000000; i++) {
        void *p = make(40 + (size_t)(i & 7) * 16);
        if ((uintptr_t)p < low) low = (uintptr_t)p;
        if ((uintptr_t)p > high) high = (uintptr_t)p;
        memory_alloc(NULL, p, 40 + (size_t)(i & 7) * 16, 0);
    }
#ifndef __SANITIZE_ADDRESS__ /* there every block is malloc's, which keeps freed ones back on purpose */
    CHECK(high - low < 64 * 1024);
#endif
    CHECK_INT(memory.used, 0);
    memory_close();
}

TEST_MAIN()
