/* A map from 64-bit keys to pointers: open addressing, linear probing, deletion by shifting back, so no tombstones. Keys
 * are hashes or growing numbers already; they are mixed once more. NULL values cannot be stored. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct map {
    struct map_cell {
        uint64_t key;
        void *value; /* NULL: free cell */
    } *cells;
    size_t size, used; /* size: a power of two, or 0 */
};

void *map_get(const struct map *m, uint64_t key);              /* NULL when absent */
void map_put(struct map *m, uint64_t key, void *value);        /* replaces */
void *map_take(struct map *m, uint64_t key);                   /* removes; NULL when absent */
void map_free(struct map *m);                                  /* the cells, not the values */
/* Visit every value; each may not change the map. */
void map_each(const struct map *m, void (*each)(void *user, void *value), void *user);
