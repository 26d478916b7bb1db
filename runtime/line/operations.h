/* The operations of the Messaging API as a table: rows in operations.def, one reader for their field lists. Pure data
 * and text; nothing here talks to anybody. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

enum operation_host { HOST_API, HOST_DATA };
enum operation_body { BODY_NONE, BODY_JSON };
enum operation_answer { ANSWER_JSON, ANSWER_BYTES, ANSWER_EMPTY };

struct operation_limit {
    uint32_t calls, seconds; /* calls allowed in that many seconds */
};

struct operation {
    const char *name, *verb;
    enum operation_host host;
    const char *path;       /* with {field} for its variable parts */
    const char *fields;     /* as written in the row; operation_fields() reads it */
    enum operation_body body;
    enum operation_answer answer;
    bool retry_key;
    struct operation_limit limit;
    const char *natural, *about, *anchor;
};

extern const struct operation operations[];
extern const unsigned operations_n;

enum field_place { FIELD_PATH, FIELD_QUERY, FIELD_BODY };
enum field_type { FIELD_STRING, FIELD_INTEGER, FIELD_NUMBER, FIELD_BOOLEAN, FIELD_ARRAY, FIELD_OBJECT };

struct operation_field {
    char name[32]; /* NUL-terminated, for lua_getfield */
    size_t n;
    enum field_place place;
    enum field_type type;
    bool required;
};

#define OPERATION_FIELDS 16 /* of one row, at most */

/* The row's fields in the order of the row; read on first use, then kept. Aborts on a row that cannot be read, which
 * the unit test finds first. */
const struct operation_field *operation_fields(unsigned row, unsigned *ret_n);
/* Row index by name; -1 when there is none. */
int operation_find(struct str name);
const char *field_type_name(enum field_type t); /* "a string" … "an array": for messages */

/* Append s percent-encoded: everything but A-Z a-z 0-9 - . _ ~ becomes %XX, as paths and query values need it. */
int operation_escape(struct buf *out, struct str s);
