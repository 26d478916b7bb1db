/* The X-Line-Retry-Key of a send: a version 5 UUID of channel, event and the label of the call within the event's
 * handling ("3"; "2.1" inside a line.spawn), so that a re-run after a crash repeats the same keys.
 * https://developers.line.biz/en/docs/messaging-api/retrying-api-request/ , RFC 9562 section 5.5 */
#pragma once
#include "base/str.h"

#define RETRY_KEY_SIZE 37 /* 36 characters and a NUL */
void retry_key_make(struct str channel, struct str event_id, struct str call, char ret[RETRY_KEY_SIZE]);
void retry_key_random(char ret[RETRY_KEY_SIZE]); /* version 4, for sends outside any event */
