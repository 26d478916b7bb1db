/* Between log.c and log_mask.c only; the public half is log.h. */
#pragma once
#include <stddef.h>

/* Bytes of the longest form of any secret; 0 when there is none. A text cut at an arbitrary place may end in that many
 * bytes less one of a secret that can no longer be recognised. */
size_t log_secret_longest(void);
