/* The operations of the Messaging API as a table: rows in operations.def, one reader for their field lists. Pure data
 * and text; nothing here talks to anybody. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

enum operation_host { HOST_API, HOST_DATA, HOST_MANAGER };
enum operation_body { BODY_NONE, BODY_JSON, BODY_FORM, BODY_MULTIPART, BODY_BYTES };
enum operation_auth { AUTH_TOKEN, AUTH_NONE, AUTH_BASIC };
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
    enum operation_auth auth;
    bool retry_key;
    struct operation_limit limit;
    const char *natural, *about, *page; /* page: below https://developers.line.biz/en/reference/ */
};

extern const struct operation operations[];
extern const unsigned operations_n;

enum field_place { FIELD_PATH, FIELD_QUERY, FIELD_HEADER, FIELD_BODY };
enum field_type { FIELD_STRING, FIELD_INTEGER, FIELD_NUMBER, FIELD_BOOLEAN, FIELD_ARRAY, FIELD_OBJECT, FIELD_FILE };

#define FIELD_NO_BOUND INT64_MIN
#define OPERATION_KIND 24

struct operation_field {
    char name[32];              /* as scripts write it; NUL-terminated, for lua_getfield */
    size_t n;
    enum field_place place;
    enum field_type type;
    bool required;
    char kind[OPERATION_KIND];  /* of schema.def: of the object, or of the array's items; "" for none */
    int64_t least, most;        /* of an integer, an array's length, a file's bytes; FIELD_NO_BOUND: none */
    /* The rest points into the row's text. p NULL: none. */
    struct str words;           /* "A|B|C": values of a string or of an array's items, media types of a file */
    struct str fallback;        /* sent when the script gives none */
    struct str header;          /* FIELD_HEADER: the name that goes out */
};

#define OPERATION_FIELDS 16 /* of one row, at most */

/* The row's fields in the order of the row; read on first use, then kept. Aborts on a row that cannot be read, which
 * the unit test finds first. */
const struct operation_field *operation_fields(unsigned row, unsigned *ret_n);
/* The kind of schema.def that the whole body of a row is, "" for none. */
const char *operation_kind(unsigned row);
/* Whether one of "A|B|C" is it; and its words one by one: *rest begins with the whole, the answer's p is NULL at the end. */
bool field_word_fits(struct str words, struct str value);
struct str field_next_word(struct str *rest);
/* Row index by name; -1 when there is none. */
int operation_find(struct str name);
const char *field_type_name(enum field_type t); /* "a string" … "an array": for messages */
const char *field_type_word(enum field_type t); /* "string" … "array": as rows write it */

/* Append s percent-encoded: everything but A-Z a-z 0-9 - . _ ~ becomes %XX, as paths and query values need it. */
int operation_escape(struct buf *out, struct str s);
