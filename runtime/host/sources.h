/* The files of one generation: path and bytes of everything its workers read, and the paths they looked for in vain.
 * Answers "does a change of this path concern this generation?". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

struct sources;
struct sources *sources_new(void);
struct sources *sources_free(struct sources *s);
int sources_add(struct sources *s, struct str path, struct str bytes); /* copies; the first report of a path stays. ERR_FULL */
void sources_probe(struct sources *s, struct str path);
/* path is one of the files or of the looked-for paths, or a folder above a looked-for path. */
bool sources_concern(const struct sources *s, const char *path);
bool sources_holds(const struct sources *s, const char *path); /* it is one of the files */
/* True if a file differs on the disk from what was read (or is gone). */
bool sources_differ(const struct sources *s, const char *path);
size_t sources_count(const struct sources *s);
void sources_each(const struct sources *s, void (*each)(void *user, struct str path, struct str bytes), void *user);
