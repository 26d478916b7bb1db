/* A request's body that does not stand in memory as a whole: a row of pieces, each of them bytes, a range of a file, or
 * what a function hands out. Its length is known before the first byte leaves, so it goes out with Content-Length, and
 * every piece is read by position, so a second attempt starts at the front again.
 *
 *     struct http_upload u;
 *     http_upload_init(&u);
 *     http_upload_form(&u);                                     multipart/form-data: a part is a head, then pieces
 *     http_upload_part(&u, "description", NULL, NULL);
 *     http_upload_bytes(&u, "users of May", 12);
 *     http_upload_part(&u, "file", "users.txt", "text/plain");
 *     http_upload_path(&u, "lists/users.txt", &why);
 *     http_upload_form_end(&u);
 *     headers[n++] = http_upload_type(&u); call->upload = &u;
 *
 * Without http_upload_form the pieces are the body, one after the other. Files are read where the client runs, at most
 * 64 KiB at a time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"

struct http_upload_piece;

struct http_upload {
    int64_t length;                   /* of the whole body so far, heads included */
    /* private */
    struct http_upload_piece *pieces;
    unsigned n, room;
    struct buf text;                  /* heads of parts */
    char type[96];                    /* header line of a form; "" when it is none */
    int64_t at, in_piece;             /* what is read next: of the body, of the piece */
    unsigned piece;
    char error[200];
};

/* Up to room bytes from position at on go to buf: how many, 0 when there are no more, -1 when they cannot be read (errno). */
typedef ssize_t http_upload_reader(void *user, int64_t at, char *buf, size_t room);

void http_upload_init(struct http_upload *u);
void http_upload_free(struct http_upload *u); /* closes what http_upload_path opened; safe twice, and on zeroes */

/* Bytes stay the caller's until the call is over. */
void http_upload_bytes(struct http_upload *u, const void *p, size_t n);
/* length bytes of an open file from offset on. The descriptor stays the caller's; its own position is not used. */
void http_upload_file(struct http_upload *u, int fd, int64_t offset, int64_t length);
/* A whole regular file, opened here and closed by http_upload_free. Its length is what it has now. 0, or ERR_NOTFOUND,
 * ERR_IO with *ret_why "No such file or directory" and the like (static). */
int http_upload_path(struct http_upload *u, const char *path, const char **ret_why);
void http_upload_source(struct http_upload *u, int64_t length, http_upload_reader *read, void *user);

/* Makes it a form (RFC 7578) with a boundary of 128 random bits; call it before the first part. */
void http_upload_form(struct http_upload *u);
/* The head of the next part; its content are the pieces added until the next one. filename and type may be NULL. */
void http_upload_part(struct http_upload *u, const char *name, const char *filename, const char *type);
void http_upload_form_end(struct http_upload *u);
const char *http_upload_type(const struct http_upload *u); /* "Content-Type: multipart/form-data; boundary=…" */

/* For the client. Up to room bytes from where the last read ended: never 0 before the end. -1: the body cannot be had as
 * it was promised, http_upload_error says why. */
ssize_t http_upload_read(struct http_upload *u, char *buf, size_t room);
void http_upload_rewind(struct http_upload *u);
const char *http_upload_error(const struct http_upload *u);
