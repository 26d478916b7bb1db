/* The files of one generation: path and bytes of everything its workers read, and the paths they looked for in vain.
 * Answers "does a change of this path concern this generation?". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

struct snapshot;
struct snapshot *snapshot_new(void);
struct snapshot *snapshot_free(struct snapshot *s);
int snapshot_add(struct snapshot *s, struct str path, struct str bytes); /* copies; the first report of a path stays. ERR_FULL */
void snapshot_probe(struct snapshot *s, struct str path);
/* path is one of the files or of the looked-for paths, or a folder above a looked-for path. */
bool snapshot_concern(const struct snapshot *s, const char *path);
bool snapshot_holds(const struct snapshot *s, const char *path); /* it is one of the files */
/* True if a file differs on the disk from what was read (or is gone). */
bool snapshot_differ(const struct snapshot *s, const char *path);
void snapshot_each(const struct snapshot *s, void (*each)(void *user, struct str path, struct str bytes), void *user);
