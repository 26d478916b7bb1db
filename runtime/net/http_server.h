/* An HTTP/1.1 server on a libuv loop. The only file with microhttpd.h; knows bytes, not LINE.
 *
 * One thread: libmicrohttpd runs in external epoll mode inside the loop, every callback comes from it. A request is
 * owned by the server and lives until its answer is sent or its connection is gone. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/str.h"

struct http_server;
struct http_request;

struct http_server_options {
    const char *listen;       /* "127.0.0.1:3000", "[::1]:0", or "unix:/path" (mode 0600) */
    int max_connections, max_per_client;
    size_t max_body;          /* a longer body is answered 413 */
    int64_t read_timeout_ms;  /* from the first byte of a body to its last, then 408 */
    int64_t idle_timeout_ms;  /* between requests, and for the headers */
    const char *tls_cert, *tls_key; /* PEM files, both or neither */
};

struct http_callbacks {
    /* The headers are here. Return 0 to have the body read, or a status that is answered at once (http_respond for an
     * answer with a body or headers). May call http_set_user. */
    int (*begin)(void *user, struct http_request *r);
    /* Bytes of the body, as they arrive (for hashing); the server keeps them too. May be NULL. */
    void (*data)(void *user, struct http_request *r, const char *p, size_t n);
    /* The request is whole: answer now or later with http_respond, exactly once. */
    void (*complete)(void *user, struct http_request *r);
    /* The request is over: answered, or given up by either side (client gone, 408, 413). Last call for r. Called for
     * every request begin was called for; free what hangs on http_user here. status: what was answered, 0 for none. */
    void (*end)(void *user, struct http_request *r, int status);
    /* n more bytes of a streamed answer are on their way to the client, and as many less wait here. May add more. May be
     * NULL. */
    void (*taken)(void *user, struct http_request *r, size_t n);
};

/* Start listening. 0, or ERR_IO / ERR_BUSY (address in use) / ERR_USAGE (address not understood, certificate not
 * readable) with one line in error. */
int http_server_start(uv_loop_t *loop, const struct http_server_options *o, const struct http_callbacks *cb, void *user,
                      struct http_server **ret, char *error, size_t n);
/* "127.0.0.1:3000", with the port that was taken; valid as long as the server. */
const char *http_server_address(const struct http_server *s);
/* Read the certificate and key again; connections that exist keep the old one. 0 or ERR_USAGE with one line; on failure
 * the old pair stays. */
int http_server_reload_tls(struct http_server *s, char *error, size_t n);
/* Stop accepting; connections that exist go on, each is closed after the answer under way. */
void http_server_quiesce(struct http_server *s);
size_t http_server_connections(const struct http_server *s);
size_t http_server_requests(const struct http_server *s); /* requests under way: begun and not yet ended */
/* Close everything; cb.end is called for requests under way. closed is called once all handles are gone and s is freed. */
void http_server_close(struct http_server *s, void (*closed)(void *user), void *user);

struct str http_method(const struct http_request *r);
struct str http_path(const struct http_request *r);          /* as sent, up to the '?'; percent escapes not resolved */
struct str http_query_string(const struct http_request *r);  /* behind the '?', p NULL when none */
struct str http_header(const struct http_request *r, const char *name); /* any letter case; p NULL when absent */
struct str http_body(const struct http_request *r);          /* whole in complete(); valid until end() */
struct str http_client(const struct http_request *r);        /* address of the peer, for logs */
/* Visit every header of the request as it came; name and value are NUL-terminated and valid as long as r. */
void http_each_header(const struct http_request *r, void (*each)(void *user, struct str name, struct str value), void *user);
/* In begin(): the longest body of this request, in place of the server's max_body. */
void http_limit_body(struct http_request *r, size_t most);
bool http_secure(const struct http_request *r);              /* it came over TLS */
void http_set_user(struct http_request *r, void *p);
void *http_user(const struct http_request *r);

struct http_field {
    const char *name, *value;
};
/* Answer. Copies everything. content_type may be NULL for an empty body. */
void http_respond(struct http_request *r, int status, const char *content_type, struct str body,
                  const struct http_field *fields, size_t n_fields);

/* An answer in pieces, once the request is whole (complete): begin, any number of data, end. Each does nothing when the
 * request is answered otherwise already. What the client has not taken waits here without a ceiling of ours: who sends
 * listens to taken(). A client that takes nothing for idle_timeout_ms while something waits is cut off; one that leaves
 * is noticed also while nothing is sent, and end() tells. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX
/* length: bytes of the whole body (then exactly so many must follow), or HTTP_LENGTH_UNKNOWN: sent chunked. To a HEAD
 * request no data is sent, whatever is given. */
void http_respond_begin(struct http_request *r, int status, uint64_t length, const struct http_field *fields, size_t n_fields);
void http_respond_data(struct http_request *r, const char *p, size_t n);
void http_respond_end(struct http_request *r);
/* The answer cannot be finished: after what was given, the connection is closed so that the client sees it. */
void http_respond_cut(struct http_request *r);
