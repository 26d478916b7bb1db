/* Media types by the first bytes, for what scripts upload. Pure. */
#pragma once
#include "base/str.h"

#define MEDIA_HEAD 512 /* bytes that are enough */

/* The media type of a file that begins with these bytes: "image/png", "video/mp4", "text/csv", "text/plain" (UTF-8
 * without control characters), "application/octet-stream" for what is nothing of it. Static. */
const char *media_sniff(struct str head);
