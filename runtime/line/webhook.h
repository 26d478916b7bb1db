/* Splitting a webhook body into its events without re-encoding them.
 * https://developers.line.biz/en/reference/messaging-api/#request-body */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct webhook_event {
    struct str raw;        /* the event's own bytes: a view into the body */
    struct str id;         /* webhookEventId without quotes; p NULL when the event has none (old or foreign senders) */
    struct str type;       /* p NULL when absent or not a string */
    struct str chat;       /* groupId, roomId or userId of source, the first that is there; p NULL when none is */
    int64_t timestamp;     /* ms; 0 when absent */
    bool redelivery;       /* deliveryContext.isRedelivery */
    bool standby;          /* mode is "standby" */
};

struct webhook {
    struct str destination;       /* p NULL when absent */
    struct webhook_event *events; /* owned; webhook_free() */
    size_t n;
};

/* 0; ERR_SYNTAX (not JSON, or no events array, or an event that is not an object; *ret_why is static text);
 * ERR_TOOBIG (more than LIMIT_EVENTS_PER_WEBHOOK). Views point into body. ids, chats, types and destinations that hold
 * escapes, are empty or longer than LIMIT_EVENT_ID are treated as absent (none of LINE's is). Of a key that comes twice
 * the last counts, as it does for the worker. */
int webhook_split(struct str body, struct webhook *ret, const char **ret_why);
void webhook_free(struct webhook *w);
/* The facts of one event by itself, as it comes back from the store: 0 or ERR_SYNTAX. Views point into raw. */
int webhook_event_read(struct str raw, struct webhook_event *ret);

/* The order key: events of one key are handled one at a time in order of arrival. Chats by their id; events without a
 * source by type, except `delivery`, which has no order (by its own id). Two chats may share a key, which only makes
 * one wait for the other. */
uint64_t webhook_order(const struct webhook_event *e, uint32_t bot);
