/* Requests of the HTTP server, without the library that parses them: their states, memory, limits and deadlines. Private
 * to http_server.c and http_request.c. */
#pragma once
#include <netinet/in.h>
#include "base/buf.h"
#include "net/deadline.h"
#include "net/http_server.h"

enum { WAIT_IDLE, WAIT_BODY, WAIT_LINGER, WAITS }; /* the deadline lists of a connection */

enum request_state {
    HEADERS,  /* the request line is here */
    BODY,     /* begun, the body is arriving */
    DRAIN,    /* the answer is decided, what is left of the body is dropped */
    PARKED,   /* complete() was called, no answer yet */
    ANSWERED, /* http_respond was called, the library does not have the answer yet */
    SENDING,  /* the library has it */
    STREAMING, /* the library has its head, and asks for the body piece by piece */
    WRITTEN   /* answered behind the library's back; the connection is about to close */
};

struct conn { /* one connection; lives as long as the library's */
    struct deadline deadline;    /* first member: a deadline is a connection */
    struct http_request *r;      /* under way, or NULL */
    struct tls_pair *pair;       /* what this connection shows; NULL without TLS */
    void *tls;                   /* gnutls session or NULL */
    int fd;
    char peer[INET6_ADDRSTRLEN]; /* the other side, "" until asked for */
};

struct framing { /* what the headers say about the body */
    bool chunked, has_length, has_host, malformed;
    bool expects;    /* to be told to go on (100-continue) */
    uint64_t length; /* Content-Length */
};

struct http_request {
    struct requests *q;
    struct conn *c;
    void *library;      /* the library's handle of the connection */
    const char *method; /* in the library's memory for this request */
    struct buf uri;     /* a copy: the library cuts its own up while parsing arguments */
    struct buf body;
    enum request_state state;
    bool begun;         /* begin() was called and end() was not */
    struct framing framing;
    /* the answer, from http_respond until the library has it */
    int status;
    bool has_type;
    size_t n_fields;
    struct buf answer;  /* body */
    struct buf head;    /* content type if has_type, then name and value of each field, each with a NUL */
    bool stream;        /* in pieces: answer holds what the library has not asked for yet, from sent on */
    bool stream_end;    /* nothing more comes */
    bool stream_broken; /* and what came is not all of it */
    bool stream_cut;    /* nobody is there for the rest */
    bool suspended;     /* the library has put the connection aside until there is more */
    uint64_t length;    /* of the whole stream, or HTTP_LENGTH_UNKNOWN */
    size_t sent;
    struct http_request *next_stream, *prev_stream;
    struct stream_watch *watch; /* sees the client leave; NULL: not watched */
    size_t max_body;
    void *user;
    struct http_request *next; /* free list */
};

struct requests {
    struct http_callbacks cb;
    void *user;
    size_t max_body;
    struct deadlines deadlines;
    struct deadline_list waits[WAITS];
    size_t begun;                       /* and not ended */
    unsigned parked, answered, sending; /* in that state */
    unsigned wanted;                    /* passes of the library that surely have something to do */
    struct http_request *streams;       /* in state STREAMING */
    bool fresh;                         /* complete() was called since this was last cleared */
    bool resumed;                       /* connections were taken up again that the library has not looked at yet */
    bool running;                       /* inside the library: it sees new answers by itself */
    uv_idle_t turn;                     /* active while the loop may not sleep: calls on_turn in its next turn */
    uv_idle_cb on_turn;
    struct http_request *free;
    unsigned n_free;
};

void requests_init(struct requests *q, uv_loop_t *loop, const struct http_server_options *o,
                   const struct http_callbacks *cb, void *user, uv_idle_cb on_turn);
void requests_wake(struct requests *q);
void requests_free(struct requests *q); /* memory kept for use again; none is under way */
void requests_cut(struct requests *q);  /* every stream: the server stops */
void library_resume(void *library);     /* http_server.c: take a connection that was put aside up again */

struct http_request *request_new(struct requests *q, struct conn *c, void *library, const char *uri);
/* One header, as long as framing is unknown. */
void framing_field(struct framing *f, const char *name, size_t name_len, const char *value, size_t value_len);
/* All headers are here. True: the answer must be sent now, without waiting for the body. */
bool request_headers(struct http_request *r, const char *method, const char *version);
void request_data(struct http_request *r, const char *data, size_t n);
void request_complete(struct http_request *r);
void request_sending(struct http_request *r);         /* the library has the answer, or the head of a stream */
/* The library asks for the next bytes of a stream: how many were put, STREAM_DRY (it must put the connection aside),
 * STREAM_END or STREAM_CUT. */
enum { STREAM_DRY = 0, STREAM_END = -1, STREAM_CUT = -2 };
ssize_t request_read(struct http_request *r, char *to, size_t max);
void request_over(struct http_request *r, bool sent); /* sent: to its last byte. Frees r */
