#include "host/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

/* A handful of files a bot: plain lists are faster than anything clever here. */
struct source {
    char *path;
    struct str bytes; /* p NULL: looked for and not there */
    struct source *next;
};

struct snapshot {
    struct source *files, *probes;
    size_t total; /* bytes of all files */
};

struct snapshot *snapshot_new(void) { return mem_zalloc(sizeof(struct snapshot)); }

static void free_list(struct source *s)
{
    for (struct source *next; s; s = next) {
        next = s->next;
        free(s->path);
        free((char *)s->bytes.p);
        free(s);
    }
}

struct snapshot *snapshot_free(struct snapshot *s)
{
    if (!s) return NULL;
    free_list(s->files);
    free_list(s->probes);
    free(s);
    return NULL;
}

static struct source *find(struct source *list, struct str path)
{
    for (; list; list = list->next)
        if (str_is(path, list->path)) return list;
    return NULL;
}

static struct source **last(struct source **list)
{
    while (*list) list = &(*list)->next;
    return list;
}

int snapshot_add(struct snapshot *s, struct str path, struct str bytes)
{
    if (find(s->files, path)) return 0;
    if (s->total + bytes.n > LIMIT_GENERATION_SOURCE) return ERR_FULL;
    struct source *f = mem_zalloc(sizeof *f);
    f->path = mem_strndup(path.p, path.n);
    f->bytes = (struct str){mem_strndup(bytes.p, bytes.n), bytes.n};
    *last(&s->files) = f;
    s->total += bytes.n;
    return 0;
}

void snapshot_probe(struct snapshot *s, struct str path)
{
    if (find(s->probes, path)) return;
    struct source *f = mem_zalloc(sizeof *f);
    f->path = mem_strndup(path.p, path.n);
    *last(&s->probes) = f;
}

static bool is_above(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    return strncmp(folder, path, n) == 0 && path[n] == '/';
}

bool snapshot_concern(const struct snapshot *s, const char *path)
{
    if (!s) return false;
    struct str p = str_of(path);
    if (find(s->files, p) || find(s->probes, p)) return true;
    for (struct source *f = s->files; f; f = f->next)
        if (is_above(path, f->path)) return true; /* a folder that was moved away or back */
    for (struct source *f = s->probes; f; f = f->next)
        if (is_above(path, f->path)) return true;
    return false;
}

bool snapshot_holds(const struct snapshot *s, const char *path) { return find(s->files, str_of(path)) != NULL; }

bool snapshot_differ(const struct snapshot *s, const char *path)
{
    struct source *f = find(s->files, str_of(path));
    FILE *in = f ? fopen(path, "re") : NULL;
    if (!in) return true;
    auto_free char *now = mem_alloc(f->bytes.n + 1);
    size_t n = fread(now, 1, f->bytes.n + 1, in);
    fclose(in);
    return n != f->bytes.n || memcmp(now, f->bytes.p, n) != 0;
}

void snapshot_each(const struct snapshot *s, void (*each)(void *user, struct str path, struct str bytes), void *user)
{
    for (struct source *f = s->files; f; f = f->next) each(user, str_of(f->path), f->bytes);
}
