/* Reading a .env file: lines KEY=VALUE, as shells and other tools write them.
 *
 *     # a remark
 *     export KEY=plain text        # a remark after white space
 *     KEY='taken as it stands'
 *     KEY="with \n, \" and \\"
 *
 * Nothing is expanded and nothing is run. Lines may end in CR LF. A value in quotes ends on its own line. */
#pragma once
#include <stddef.h>

/* Call each(user, key, value) for every setting, in order; both texts are only good during the call. The whole file is
 * checked before the first call. Returns 0; ERR_NOTFOUND (no such file: often no error); ERR_SYNTAX; ERR_IO;
 * ERR_TOOBIG. On failure error (of size n) has one line beginning with "path:line: " that never quotes the value, which
 * may be a secret. */
int dotenv_read(const char *path, void (*each)(void *user, const char *key, const char *value), void *user,
                char *error, size_t n);
