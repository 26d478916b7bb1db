/* What happens to the bots, told to the application beside them as JSON objects:
 *
 *   {"what":"generation","bot":…,"number":7,"ms":12.3,"handlers":3,"folder":…}  it serves from now on; its files are there
 *   {"what":"refused","bot":…,"number":8,"serving":7,"error":…}         it did not load; 7 goes on (none: no serving)
 *   {"what":"handled","bot":…,"event":…,"generation":7,"ms":1.2,"outcome":"done|unhandled|failed|broke","error":…}
 *
 *   {"what":"blamed","bot":…,"event":…,"generation":7,"attempt":1,"last":false,"error":…}  its worker was lost under it
 *
 * With an application that only looks on while the bots talk to LINE (app->lives), what came, once it is stored:
 *
 *   {"what":"event","bot":…,"received":…,"event":{…}}                   as LINE sent it; may come twice after a restart
 *
 * What a worker says by itself (WIRE_TRACE) comes between:
 *
 *   {"what":"handler","event":…,"generation":7,"where":"bot.lua:12","selector":"message.text"}
 *   {"what":"call","event":…,"operation":…,"where":…,"status":200,"request_id":…,"ms":2.1}
 *
 * with, in place of "event": "timer" and "origin" (the line that made it, the event in which), or "route" ("GET /path");
 * and of a call while the bots talk to LINE, so that it can be shown: "method", "path", "query", "retry_key", "request" and
 * "answer" (texts, cut at 64 KiB; bindings/trace_news.h). */
#pragma once
#include <stdbool.h>
#include "base/str.h"

struct event;
struct generation;
struct wire_done;

void news_event(const struct event *e);
void news_generation(const struct generation *g);
void news_refused(const struct generation *g, struct str why);
void news_handled(const struct event *e, const struct generation *g, const struct wire_done *done);
void news_blamed(const struct event *e, const struct generation *g, bool last, struct str why);
