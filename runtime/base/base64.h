/* Base64 (RFC 4648): the common alphabet with padding, and that for addresses and JSON Web Tokens without. */
#pragma once
#include "base/buf.h"

enum base64 { BASE64, BASE64_URL };

/* Append the text of n bytes. 0 or ERR_TOOBIG. */
int base64_put(struct buf *out, const void *p, size_t n, enum base64 kind);
/* The text of n bytes into to, which has room for BASE64_ROOM(n); no NUL. Returns its length. */
#define BASE64_ROOM(n) (((n) + 2) / 3 * 4)
size_t base64_write(char *to, const void *p, size_t n, enum base64 kind);
/* The bytes of a text into ret, which has room for text.n / 4 * 3 + 3. Padding may be there or not, but must be right; no
 * other letter, blank or line end is passed over, and bits that count for nothing must be 0, so that each value has one
 * text. Returns their number, or -1. */
long base64_read(struct str text, enum base64 kind, unsigned char *ret);
