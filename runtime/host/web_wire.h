/* Frames of the bot's own HTTP routes. See wire.h for the rules of payloads.
 *
 * A request goes to the worker as REQUEST and, if its body is longer than one piece, BODY frames up to the one marked
 * last. The answer comes back as ANSWER and, unless that is the last of it already, DATA frames up to the one marked
 * last, or CUT at any time. Exactly one of "last" and CUT ends every request, also one whose client has left.
 *
 * Of an answer's body at most WEB_WINDOW bytes are under way: the worker counts what it sent, TAKEN gives back what went
 * on to the client. So a slow client costs the host WEB_WINDOW and the worker's writer waits. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "host/wire.h"

#define WEB_WINDOW (256u << 10)   /* of one answer */
#define WEB_PIECE (64u << 10)     /* of a body, either way; the most that a frame carries */
#define WEB_HEAD_MOST (16u << 10) /* of an answer's headers, names and values with a NUL each */

struct wire_web_request {
    uint64_t id;           /* the host's */
    uint64_t body_n;       /* of the whole body */
    bool secure;           /* it came over TLS */
    struct str method, target, base, client; /* target: as sent, behind base: "/shop" of a bot that answers below it */
    struct str headers;    /* name NUL value NUL … */
    struct str body;       /* the first piece; more follows when it is shorter than body_n */
};
struct wire_web_answer {
    uint64_t id;
    uint16_t status;       /* 200 … 599 */
    bool last;             /* body is all that comes */
    bool sized;            /* length is known; else the answer is sent chunked */
    uint64_t length;
    struct str headers;    /* as above */
    struct str body;       /* the first piece */
};
struct wire_web_piece {
    uint64_t id;
    bool last;
    struct str bytes;
};

/* As wire_send. */
int wire_send_web_request(struct wire *w, const struct wire_web_request *r);
int wire_send_web_answer(struct wire *w, const struct wire_web_answer *a);
int wire_send_web_piece(struct wire *w, enum wire_type type, const struct wire_web_piece *p); /* BODY or DATA */
int wire_send_web_note(struct wire *w, enum wire_type type, uint64_t id, uint64_t n);         /* TAKEN, GONE or CUT */
/* 0, or ERR_SYNTAX: does not fit, or is over a limit of this file. */
int wire_read_web_request(struct str payload, struct wire_web_request *ret);
int wire_read_web_answer(struct str payload, struct wire_web_answer *ret);
int wire_read_web_piece(struct str payload, struct wire_web_piece *ret);
int wire_read_web_note(struct str payload, uint64_t *ret_id, uint64_t *ret_n);

/* The next header of a list: false at the end. Reading checks a list, so that this needs not. */
bool web_next_header(struct str *list, const char **ret_name, const char **ret_value);
