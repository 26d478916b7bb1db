/* What happens to the bots, told to the application beside them as JSON objects:
 *
 *   {"what":"generation","bot":…,"number":7,"ms":12.3,"handlers":3,"folder":…}  it serves from now on; its files are there
 *   {"what":"refused","bot":…,"number":8,"error":…}                     it did not load; the one before goes on
 *   {"what":"handled","bot":…,"event":…,"generation":7,"ms":1.2,"outcome":"done|unhandled|failed|broke","error":…}
 *
 *   {"what":"blamed","bot":…,"event":…,"generation":7,"attempt":1,"last":false,"error":…}  its worker was lost under it
 *
 * What a worker says by itself (WIRE_TRACE) comes between:
 *
 *   {"what":"handler","event":…,"generation":7,"where":"bot.lua:12","selector":"message.text"}
 *   {"what":"call","event":…,"operation":…,"where":…,"status":200,"request_id":…,"ms":2.1} */
#pragma once
#include <stdbool.h>
#include "base/str.h"

struct event;
struct generation;
struct wire_done;

void news_generation(const struct generation *g);
void news_refused(const struct generation *g, struct str why);
void news_handled(const struct event *e, const struct generation *g, const struct wire_done *done);
void news_blamed(const struct event *e, const struct generation *g, bool last, struct str why);
