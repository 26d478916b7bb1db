/* The map against the plainest thing that can be right: an array indexed by key. */
#include "base/map.h"
#include "test.h"

#define KEYS 997

static void count(void *user, void *value)
{
    (void)value;
    ++*(size_t *)user;
}

TEST(agrees_with_an_array_over_random_changes)
{
    static int there[KEYS];
    struct map m = {0};
    size_t used = 0;
    unsigned random = 1;
    for (int i = 0; i < 200000; i++) {
        random = random * 1103515245u + 12345u;
        unsigned k = random >> 8 & 0xffff;
        /* Keys that collide in their low bits, and a population that grows and shrinks. */
        uint64_t key = (uint64_t)(k % KEYS) << 20;
        bool put = (random >> 24 & 15) < (i / 20000 % 2 ? 4u : 12u);
        int *cell = &there[k % KEYS];
        if (put) {
            used += !*cell;
            *cell = 1;
            map_put(&m, key, cell);
        } else {
            CHECK(map_take(&m, key) == (*cell ? cell : NULL));
            used -= (size_t)*cell;
            *cell = 0;
        }
        CHECK_INT(m.used, used);
    }
    size_t seen = 0;
    for (unsigned k = 0; k < KEYS; k++) CHECK(map_get(&m, (uint64_t)k << 20) == (there[k] ? &there[k] : NULL));
    map_each(&m, count, &seen);
    CHECK_INT(seen, used);
    map_free(&m);
}

TEST(gives_memory_back_after_a_flood)
{
    struct map m = {0};
    for (uint64_t k = 1; k <= 100000; k++) map_put(&m, k, &m);
    CHECK(m.size >= 100000);
    for (uint64_t k = 1; k <= 100000; k++) map_take(&m, k);
    CHECK_INT(m.used, 0);
    CHECK(m.size <= 64);
    CHECK(map_get(&m, 5) == NULL);
    map_free(&m);
}
TEST_MAIN()
