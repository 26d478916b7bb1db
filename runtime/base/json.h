/* JSON at the byte level (RFC 8259): a validating scanner that allocates nothing, and string writing. The host never
 * builds a tree; it walks once and keeps views into the body it was given. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

struct json {
    const char *p, *end; /* p: next byte to read; the bytes are borrowed */
    int depth;           /* of the value being read; LIMIT_JSON_DEPTH at most */
    const char *error;   /* why the last call failed, static text; p then stands at the offending byte */
};

enum json_type { JSON_ERROR, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

void json_begin(struct json *j, const char *p, size_t n);
enum json_type json_peek(struct json *j);              /* type of the value that comes next, white space skipped */
/* Read one whole value, checked to the last byte; ret_raw (may be NULL) is its bytes without surrounding space. */
int json_value(struct json *j, struct str *ret_raw);   /* 0 or ERR_SYNTAX */
/* Objects and arrays: enter, then loop; each returns 1 (there is one; read its value next), 0 (closed) or ERR_SYNTAX.
 *     json_enter_object(&j);  while ((r = json_next_key(&j, &key)) > 0) json_value(&j, &raw);
 * ret_key is the raw key between its quotes, escapes not resolved. */
int json_enter_object(struct json *j);
int json_enter_array(struct json *j);
int json_next_key(struct json *j, struct str *ret_key);
int json_next_item(struct json *j);
int json_end(struct json *j);                          /* nothing but space may follow: 0 or ERR_SYNTAX */

/* The text of a string value (raw with its quotes) with escapes resolved, appended as UTF-8. Also ERR_TOOBIG. */
int json_text(struct str raw, struct buf *out);
/* The same for a string the scanner has accepted, without its quotes, into memory with room for inside.n bytes: the
 * result is never longer. Returns its bytes. */
size_t json_unescape(struct str inside, char *out);
/* True if a raw string (with quotes) or raw key has no escapes, so that its bytes can be compared as they are. */
bool json_plain(struct str raw);
int json_integer(struct str raw, int64_t *ret);        /* 0, or ERR_SYNTAX when not an integer that fits */

/* Write: a string with quotes and escapes; invalid UTF-8 becomes U+FFFD. */
int json_put(struct buf *out, struct str s);
/* Write `"key":` preceded by a comma unless the last byte is { or [. */
int json_put_key(struct buf *out, const char *key);
/* The JSON form of the one character at *p (< end), moving *p behind it; returns its bytes. For writers that have no
 * buffer of their own to append to, such as the log. */
#define JSON_ESCAPE_MAX 6
unsigned json_escape(const char **p, const char *end, char ret[JSON_ESCAPE_MAX]);
