/* One request of the HTTP client and the coroutine that waits for it, with the bytes that came and were not read yet: what
 * calls to LINE (call.h) and to other services (lua_http.c) have in common. It stands first in the structs of both, which
 * live outside Lua; a userdata holds the pointer. */
#pragma once
#include "base/buf.h"
#include "base/limits.h"
#include "bindings/task.h"

struct exchange {
    const struct exchange_kind *kind;
    struct wait wait;
    bool pending;                /* a coroutine waits for news */
    bool running;                /* the client has it */
    bool finished;               /* no attempt under way, none to come */
    /* streams only */
    bool streaming, overflow;
    bool paused;                 /* the other side is to send no more until the reader has caught up */
    bool stopped;                /* ended from here, before its end or with bytes unread */
    struct buf stream;           /* bytes that came and were not read yet: from taken on */
    size_t taken, wanted;        /* wanted: bytes the waiting reader needs */
    int64_t came, skip;          /* in all; of a further attempt, those to leave out because they came before */
    struct http_call http;       /* last, for its error_text need not be zero */
};

/* What the two do differently. */
struct exchange_kind {
    const char *shown;                          /* what messages call the stream: "content", "response" */
    bool (*broken)(const struct exchange *x);   /* it is finished, and the stream is not whole */
    /* Raise the error of a failed one. what, where: as call_raise (call.h). */
    LJMP int (*raise)(lua_State *L, struct exchange *x, int what, int where);
    void (*stop)(struct exchange *x);           /* no more bytes, no more attempts; safe twice */
    void (*cancelled)(struct exchange *x);      /* its task has ended: stop, and let go what is large */
    void (*free)(struct exchange *x);
};

/* Suspend until there is news. */
LJMP int exchange_wait(lua_State *L, struct exchange *x, lua_KFunction k, lua_KContext ctx);
/* Wake who waits; from the loop, not from Lua. */
void exchange_news(struct exchange *x);
/* The pointer in the userdata at idx, whatever kind it is. */
struct exchange *exchange_at(lua_State *L, int idx);

/* Push the answer's headers: names in small letters, what came several times joined by ", ". */
LJMP void exchange_push_headers(lua_State *L, const struct exchange *x);

/* ---- streams: objects that scripts read ---- */

#define STREAM_LINE "line.content"  /* names of their metatables */
#define STREAM_HTTP "http.stream"
#define STREAM_HIGH (256u << 10)    /* bytes waiting at which the other side is asked for no more */
#define STREAM_ROOM ((size_t)LIMIT_CONTENT_READ + STREAM_HIGH) /* ceiling of what waits: a read of the largest, and some more */

/* Make the metatable: read, type, length, position, close, and what it takes to be collected. Leaves nothing. */
LJMP void stream_open(lua_State *L, const char *name, const char *shown);
/* Before the next object is made: objects that scripts dropped may each hold a connection, so they are looked for. */
LJMP void stream_collect(lua_State *L);
void stream_made(void); /* one more */

/* The client's sink; call->user is the exchange. */
bool stream_sink(struct http_call *h, const char *p, size_t n);
/* For readers, whose stack is: stream, one value, "content:read", nil. The stream at idx; its bytes that wait; that n of
 * them were used; whether none will follow (raises when they should); until wanted are there. */
LJMP struct exchange *stream_check(lua_State *L, int idx);
struct str stream_waiting(const struct exchange *x);
void stream_take(struct exchange *x, size_t n);
LJMP bool stream_over(lua_State *L, struct exchange *x, int what, int where);
LJMP int stream_wait(lua_State *L, struct exchange *x, size_t wanted, lua_KFunction k, lua_KContext ctx);
