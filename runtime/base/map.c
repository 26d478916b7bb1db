#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"

#define LEAST 64u

static size_t place(const struct map *m, uint64_t key) /* the finaliser of splitmix64 */
{
    key ^= key >> 30;
    key *= 0xbf58476d1ce4e5b9u;
    key ^= key >> 27;
    key *= 0x94d049bb133111ebu;
    return (key ^ key >> 31) & (m->size - 1);
}

static struct map_cell *find(const struct map *m, uint64_t key)
{
    size_t i = place(m, key);
    while (m->cells[i].value && m->cells[i].key != key) i = (i + 1) & (m->size - 1);
    return &m->cells[i];
}

static void resize(struct map *m, size_t size)
{
    struct map old = *m;
    m->cells = mem_zalloc(size * sizeof *m->cells);
    m->size = size;
    for (size_t i = 0; i < old.size; i++)
        if (old.cells[i].value) *find(m, old.cells[i].key) = old.cells[i];
    free(old.cells);
}

void *map_get(const struct map *m, uint64_t key) { return m->size ? find(m, key)->value : NULL; }

void map_put(struct map *m, uint64_t key, void *value)
{
    if ((m->used + 1) * 4 > m->size * 3) resize(m, m->size ? m->size * 2 : LEAST);
    struct map_cell *c = find(m, key);
    if (!c->value) m->used++;
    *c = (struct map_cell){key, value};
}

void *map_take(struct map *m, uint64_t key)
{
    if (!m->size) return NULL;
    struct map_cell *hole = find(m, key);
    void *value = hole->value;
    if (!value) return NULL;
    m->used--;
    /* Close the gap: whoever stands behind the hole only because his place was taken moves up. */
    for (size_t i = (size_t)(hole - m->cells);;) {
        i = (i + 1) & (m->size - 1);
        struct map_cell *c = &m->cells[i];
        if (!c->value) break;
        size_t want = place(m, c->key), gap = (size_t)(hole - m->cells);
        if (((i - want) & (m->size - 1)) >= ((i - gap) & (m->size - 1))) {
            *hole = *c;
            hole = c;
        }
    }
    hole->value = NULL;
    if (m->size > LEAST && m->used * 8 < m->size) resize(m, m->size / 2); /* a flood gives its memory back */
    return value;
}

void map_free(struct map *m)
{
    free(m->cells);
    *m = (struct map){0};
}

void map_each(const struct map *m, void (*each)(void *user, void *value), void *user)
{
    for (size_t i = 0; i < m->size; i++)
        if (m->cells[i].value) each(user, m->cells[i].value);
}
