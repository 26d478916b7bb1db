/* Between the files of a call's life: call.c (attempts), call_token.c (the token it carries), call_rate.c (its turn). */
#pragma once
#include "bindings/call.h"

/* A FIFO of calls that wait, for a token or for their turn; a call stands in one at most. */
struct call_list {
    struct api_call *first, *last;
    unsigned n;
};
void call_list_add(struct call_list *l, struct api_call *c);
void call_list_remove(struct api_call *c); /* from whichever it stands in, if any */

/* ---- call.c ---- */
/* Begin the next attempt: token, turn, request. */
void call_go(struct api_call *c);
void call_attempt(struct api_call *c);     /* the request itself, both others settled */
/* The call is over without another attempt. kind (static) and text say why, NULL: the last answer stands. */
void call_give_up(struct api_call *c, const char *kind, const char *text);
/* fired(c) in ms. One timer a call: it serves backoff, turn and token alike. */
void call_later(struct api_call *c, int64_t ms, void (*fired)(struct api_call *c));
/* ms that the call may still spend on waiting before it had better fail by itself. */
int64_t call_patience_ms(const struct api_call *c);

/* ---- call_token.c ---- */
enum call_token { TOKEN_READY, TOKEN_AWAITED, TOKEN_NONE };
/* The token for the next attempt onto c (c->auth); AWAITED: call_go follows when it comes, or call_give_up. */
enum call_token call_token_take(struct api_call *c);
/* LINE answered 401. true: call_go follows with another token, or call_give_up. */
bool call_token_refused(struct api_call *c);
void call_token_drop(struct api_call *c);

/* ---- call_rate.c ---- */
/* Whether it is the call's turn; if not, call_attempt follows, or call_give_up. */
bool call_rate_turn(struct api_call *c);
void call_rate_exceeded(const struct api_call *c); /* LINE answered 429 for the rate */
void call_rate_left(unsigned row);                 /* a call left the queue of its row before its turn */
