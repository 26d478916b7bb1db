/* Answering before the HTTP library can: a whole response straight to the socket, which is then closed for sending. */
#pragma once
#include <stdbool.h>
#include "base/buf.h"

/* tls: the connection's session or NULL. head: the content type if has_type, then name and value of each field, each
 * with a NUL behind it; one that holds a line break is left out. Does not wait: a client that does not even take this
 * much gets a part of it. */
void early_write(int fd, void *tls, int status, bool has_type, const struct buf *head, size_t n_fields,
                 struct str body);
