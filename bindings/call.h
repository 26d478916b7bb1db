/* One API call from its start to its answer, retries included, and what becomes of the answer in Lua.
 *
 * The struct lives outside Lua; a userdata box owns it, and the box stays on the suspended coroutine's stack. Whatever
 * the call acquires (buffers, the request under way, a timer) hangs on the struct, so that an error raised anywhere
 * between leaves nothing behind. Boxes are reused: a call costs no allocation once the pool is warm.
 *
 *     struct api_call *c = call_box(L);          box on top of the stack
 *     … fill in c->verb, c->url or c->fixed_url, c->body (these may raise) …
 *     return call_start(L, c, what, k, ctx);     suspends; k runs when the last attempt ended */
#pragma once
#include "base/buf.h"
#include "bindings/exchange.h"
#include "bindings/json.h"
#include "line/operations.h"
#include "line/retry_key.h"

#define CALL_HEADERS 16                              /* lines of one request, ours and the script's */
#define CALL_REQUEST_ROW (PAGE_OPERATIONS - 1u)      /* line.request on the metrics page */
#define CALL_TRIES 3                                 /* attempts when connections, timeouts or 5xx are the trouble */

struct api_call {
    struct exchange x;           /* first */
    /* in; the caller fills these between call_box and call_start */
    unsigned row;                /* of operations.def, or CALL_REQUEST_ROW */
    const char *name, *verb;     /* static, or as long as the box's coroutine: for the log */
    const char *fixed_url;       /* NULL: url holds it */
    struct buf url, body;
    bool uploading;              /* upload is the body, in place of `body` */
    struct buf extra;            /* header lines of line.request, each with its NUL */
    bool has_body, json;         /* json: say so in Content-Type */
    bool idempotent;             /* may be repeated by itself: a GET, or a send with a retry key */
    bool keyed;                  /* X-Line-Retry-Key goes along, so 409 is success */
    bool reply;                  /* a reply token's use */
    bool own_authorization;      /* extra has its own Authorization line */
    int64_t timeout_ms;          /* of one attempt; 0: 10 s */
    char where[96];              /* the script's line, only with worker.trace */
    /* streams only (content.c) */
    int64_t ready_limit_ms;      /* how long "202, not ready" is waited for */
    /* out, once x.finished */
    const char *gave_up;         /* it ended without an answer that counts: the kind of error, x.http.error says more; else NULL */
    int64_t retry_after_ms;      /* a refusal for the rate: when it may be tried again; 0: unknown */
    /* private */
    struct call_auth *auth;      /* the token of the attempt; a reference */
    bool renewed, refused_token; /* a 401 has cost a renewal already; the last attempt ended with one */
    bool reserved;               /* has its place in the bucket's time */
    struct call_list *list;      /* where it waits; NULL */
    struct api_call *next, *prev;
    void (*fired)(struct api_call *c);
    bool rerun, timer_made;
    bool counted_as_sent;        /* a re-run's reply whose token was used up by the first run */
    unsigned attempt, limited, not_ready;
    int64_t first_ns;
    /* From here on nothing is cleared for the next call, nor is x.http.error_text: of a thousand calls at once each byte
     * touched is a miss of the cache. */
    char retry_line[20 + RETRY_KEY_SIZE]; /* "X-Line-Retry-Key: …", if keyed */
    const char *headers[CALL_HEADERS + 1];
    struct http_upload upload;   /* zeroes unless uploading */
    uv_timer_t timer;            /* between attempts; made on first need, and libuv's from then on */
};

/* Make the metatables and the pool; once per Lua state. */
LJMP void call_open(lua_State *L);
/* Push a box holding a fresh call. */
LJMP struct api_call *call_box(lua_State *L);
/* The same, never pooled: an object for scripts with the metatable on top of the stack (popped, box pushed). */
LJMP struct api_call *call_object(lua_State *L);
/* The call in the box at idx. */
struct api_call *call_at(lua_State *L, int idx);
/* The call has failed or was cancelled, and its box goes to the collector, which sees 8 bytes of it and may be long in
 * coming: what is large, or a descriptor, goes now. */
void call_spent(struct api_call *c);
/* The box at idx has served: its call may be used by the next one. */
LJMP void call_recycle(lua_State *L, int idx);

/* Append the base URL of a host (no slash at its end). Raises when the text grows too long. */
LJMP void call_put_base(lua_State *L, struct api_call *c, enum operation_host host);
/* Put a retry key on the call: own (36 characters) when not NULL, else the next one of the current event. */
void call_retry_key(struct api_call *c, const char *own);
/* Start the first attempt and suspend. what: "line.push", for the refusal to wait. Use as `return call_start(…)`. */
LJMP int call_start(lua_State *L, struct api_call *c, const char *what, lua_KFunction k, lua_KContext ctx);
/* End a call at once: no more bytes, no more attempts. */
void call_stop(struct api_call *c);
void call_free(struct api_call *c); /* from __gc of the box */

/* ---- content.c ---- */
bool content_sink(struct http_call *h, const char *p, size_t n); /* the client's, for media */
bool content_broken(const struct exchange *x);

/* ---- call_token.c, call_rate.c: the worker's side ---- */

/* host_renews: the host issues the token, so a call may wait for it, and ask(token) tells that LINE refused one. */
void call_token_settings(bool host_renews, void (*ask)(struct str token));
/* A TOKEN frame. */
void call_token_news(struct str token, struct str why);
/* Buckets shared with the other workers of the channel; fd may be any number, or closed. */
void call_rates_open(int fd);
/* Sends that LINE accepted in this process: pushes to one chat, and all others. */
struct call_sends {
    uint64_t pushes, others;
};
extern struct call_sends call_sends;

/* ---- call_answer.c ---- */

/* Whether the finished call counts as done: 2xx; 409 to a retry key; on a re-run, a reply whose token was used up. */
bool call_ok(const struct api_call *c);
/* The id that LINE gave the request that counts: of the accepted one after a 409. p NULL when there was none. */
struct str call_request_id(const struct api_call *c);
/* The value at idx as the JSON body; written: of a part of it that was checked, or NULL. Raises at the script's line what
 * cannot be sent. */
LJMP void call_encode(lua_State *L, struct api_call *c, int idx, const char *what, const struct json_written *written);
/* Push the answer's JSON as a Lua value (an empty body: an empty table). Raises an error object when it is not JSON. */
LJMP void call_push_json(lua_State *L, struct api_call *c, int what, int where);
/* Raise the error object of a failed call. what: stack index of "line.push"; where: of "bot.lua:12", or of nil to
 * find it from the running code. */
LJMP int call_raise(lua_State *L, struct api_call *c, int what, int where);
/* Raise text in front of which stands the script's position: wrong arguments, and what no answer is involved in. */
LJMP int call_misuse(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The metatable of error objects, "line.error" in the registry; scripts/line/errors.lua gives it its __tostring. */
#define ERROR_OBJECT "line.error"
