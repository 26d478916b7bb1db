/* The bots' own HTTP routes, the host's side: requests go to a worker of the serving generation and its answer comes back
 * in pieces. Nothing here can hold up a webhook: bodies and answers share the wire with events in small pieces, and what
 * waits for a slow client or a busy worker has a ceiling. */
#pragma once
#include <stdbool.h>
#include "host/worker_process.h"
#include "net/http_server.h"

struct bot;
struct host;
struct slot;

/* What hangs on a request of the public door begins with this. */
enum public_kind { PUBLIC_WEBHOOK, PUBLIC_WEB };

/* The callbacks of a request of bot b's routes; the first base_n bytes of its path are the bot's and not its routes'.
 * doors: a listener that is this bot's alone, where a bot that is not ready yet is told from one without routes. */
int web_begin(struct host *h, struct bot *b, struct http_request *r, size_t base_n, bool door);
void web_data(struct http_request *r, size_t n);
void web_complete(struct http_request *r);
void web_end(struct http_request *r, int status);
void web_taken(struct http_request *r, size_t n);

/* A listener that belongs to one bot wholly: every path is one of its routes'. */
struct web_door {
    struct host *host;
    struct bot *bot;
};
extern const struct http_callbacks web_callbacks; /* user is a struct web_door */

/* A frame of this slot's worker that is about requests. false: malformed. */
bool web_frame(struct slot *s, enum wire_type type, struct str payload);
/* Its process was started, and is gone: open requests are answered 502, streams cut. */
void web_slot_started(struct slot *s);
void web_slot_lost(struct slot *s, const struct worker_end *end);
