/* An HTTP client on a libuv loop: libcurl multi with pooled handles and kept connections. Of curl this header knows nothing;
 * knows bytes, not LINE. done() never runs inside libcurl, so it may start or cancel requests. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/str.h"
#include "net/http_upload.h"

struct http_client;
struct address_list;

struct http_client_options {
    const char *user_agent;
    const char *ca_file;            /* NULL: the system's certificates */
    int max_connections_per_host;   /* 0: 64 */
    int max_idle;                   /* connections kept; 0: 64 */
    const struct address_list *guard; /* NULL: every address may be connected to. Else public ones, and what the list has:
                                       looked at when the socket is opened, whatever a name meant before; outlives the client */
};

/* What went wrong, for those who branch on it. */
enum http_trouble {
    HTTP_FINE,
    HTTP_CONNECT,   /* no connection, or it broke */
    HTTP_TIMEOUT,
    HTTP_DNS,       /* the host has no address */
    HTTP_TLS,
    HTTP_TOO_LARGE,
    HTTP_FORBIDDEN, /* the guard's */
    HTTP_PROTOCOL,  /* not HTTP, not an address of the web */
    HTTP_LOCAL,     /* of our own making: the sink, the upload */
};

/* One call. The caller owns the struct (embed it) and everything it points to until done() was called or cancel
 * returned. Zero it first, but for error_text. */
struct http_call {
    /* in */
    const char *method;             /* "GET", "POST", … static */
    const char *url;                /* NUL-terminated */
    const char *const *headers;     /* NULL-terminated array of "Name: value"; may be NULL */
    const void *body;               /* NULL: none; POST and PUT then send Content-Length: 0 */
    size_t body_len;
    struct http_upload *upload;     /* NULL, or the body in place of body; read anew from its front by each start */
    int64_t connect_timeout_ms, timeout_ms; /* of this attempt; 0: 3 s and 10 s */
    int64_t stall_timeout_ms;       /* with a sink or an upload: no bytes either way for this long ends the call, instead of
                                       timeout_ms. Does not count while paused */
    size_t max_answer;              /* ceiling of answer; more ends the call with ERR_TOOBIG */
    const char *ca_file;            /* NULL: the client's certificates; else only those of this file count */
    bool decode;                    /* ask for compressed answers, and hand them out decoded; not with a sink: what is held
                                       back while it pauses has no ceiling */
    const char *unix_socket;        /* NULL, or talk through this socket */
    bool once;                      /* never on the wire twice. Else a request that went out on a kept connection which
                                       turns out dead before any byte of an answer is sent again on a new one */
    /* Streaming: called with each piece instead of collecting answer (only for status 200..299). Return false to end the
     * call. Runs inside libcurl: must not touch Lua, nor call anything here but http_client_pause. */
    bool (*sink)(struct http_call *c, const char *p, size_t n);
    bool sink_any;                  /* whatever the status */
    void (*head)(struct http_call *c); /* NULL, or the answer's headers are there, status too; under the sink's rules */
    void (*done)(struct http_call *c); /* once, from the loop, never inside http_client_start */
    void *user;
    /* out */
    int status;                     /* HTTP status, 0 when there was none */
    int result;                     /* 0 (an answer came, whatever its status), ERR_IO, ERR_TIMEOUT, ERR_TOOBIG,
                                       ERR_CLOSED (sink said stop), ERR_SOURCE (the upload could not be read: the other
                                       side got a request that breaks off, never one that looks whole) */
    enum http_trouble trouble;      /* result, seen otherwise */
    bool maybe_sent;                /* when result is not 0: the request may have reached the other side */
    bool resent;                    /* it went out twice, see once: the answer is to the second */
    const char *error;              /* one line when result is not 0; lives in the call */
    struct buf answer;              /* body; owned by the call, free with http_call_free */
    struct buf header_bytes;        /* raw answer headers, for http_call_header */
    int64_t started_ns, ended_ns;
    /* private */
    void *handle;
    struct http_call *next;
    char error_text[256]; /* last: one struct may serve many calls, and this part need not be zero */
};

struct http_client *http_client_new(uv_loop_t *loop, const struct http_client_options *o);
void http_client_start(struct http_client *c, struct http_call *call);
void http_client_cancel(struct http_client *c, struct http_call *call); /* done() will not be called */
/* The sink gets no more pieces (one that is under way still comes) until resume: the rest waits at the other side. For a
 * call that is not under way nothing happens. Resume never calls the sink itself, the loop's next turn does. */
void http_client_pause(struct http_call *call);
void http_client_resume(struct http_call *call);
/* An answer header's value by name, any letter case; p NULL when absent. Valid as long as the call. */
struct str http_call_header(const struct http_call *call, const char *name);
void http_call_free(struct http_call *call); /* the two buffers; not the struct */
/* The same for a call that is over, so that a later one has the buffers: cheaper than keeping them with each struct. */
void http_client_take_back(struct http_client *c, struct http_call *call);
size_t http_client_active(const struct http_client *c);
void http_client_close(struct http_client *c, void (*closed)(void *user), void *user); /* cancels everything, frees c */
