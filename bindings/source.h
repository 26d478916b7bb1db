/* The Lua files of this generation: a snapshot the host gave, else the disk, each read reported back. */
#pragma once
#include <stdbool.h>
#include "base/buf.h"
#include "base/str.h"

/* A file of the snapshot; copies. */
void source_add(struct str path, struct str bytes);
/* The bytes of the file at an absolute path. 0; ERR_NOTFOUND (the host is told, once a path); ERR_TOOBIG
 * (LIMIT_SCRIPT_FILE); ERR_IO (there, yet not readable). Valid until sources_loaded. */
int source_get(const char *path, struct str *ret);
/* Is there a file? For what is not read here (C modules). Tells the host of a path that is not there. */
bool source_exists(const char *path);
/* The bot's first file: paths of messages are relative to its folder. */
void sources_set_root(const char *path);
const char *sources_folder(void); /* absolute, no slash at its end */
/* How messages call the file: relative to the bot's folder when it is inside, else as it is. Into ret. */
const char *source_name(const char *path, char *ret, size_t n);
/* Visit the files that were read or given, ours from --scripts-dir left out. */
void sources_each(void (*each)(void *user, const char *name, struct str bytes), void *user);
/* The bot is loaded: what came from the disk is not kept any longer. */
void sources_loaded(void);
void sources_free(void);

/* For an error text that begins "bot.lua:12:", append lines 10 to 14 of that file, 12 marked. Nothing when it names no
 * file that was read. */
void source_excerpt(const char *error, struct buf *out);
