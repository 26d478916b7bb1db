/* Calls that wait for their turn, by origin (scheme, host and port, or the unix socket).
 *
 * libcurl has a queue of its own behind CURLMOPT_MAX_HOST_CONNECTIONS, but it tries every waiting call anew whenever one
 * is done: with 256 calls over 64 connections a call cost half as much again. Here the oldest one is started, once. */
#pragma once
#include <stdbool.h>
#include "net/http_client.h"

struct origin {
    char *name;
    unsigned running;                /* calls that libcurl has */
    struct http_call *first, **last; /* waiting, oldest first; last: where the next one is linked */
    struct origin *next;
};

struct http_queue {
    struct origin *origins;
    unsigned n;
};

/* The origin of a call; made on first sight, and lives until http_queue_leave forgets it when it is idle. */
struct origin *http_queue_origin(struct http_queue *q, const struct http_call *call);
void http_queue_wait(struct origin *o, struct http_call *call);
/* A call of this origin is done: the one to start next, NULL when none waits. o may be gone afterwards if so. */
struct http_call *http_queue_leave(struct http_queue *q, struct origin *o);
/* Take a waiting call out. false: it does not wait. */
bool http_queue_cancel(struct http_queue *q, struct http_call *call);
void http_queue_free(struct http_queue *q); /* waiting calls are the caller's */
