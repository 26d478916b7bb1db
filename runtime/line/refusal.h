/* What kind of refusal an answer of LINE is. Wording is not promised by the platform, so text only ever tells apart
 * what shares one status, and what is not recognised falls back to the commonest kind. */
#pragma once
#include "base/str.h"

/* Static text, the `kind` of error objects:
 *   429: "rate" (too many calls), "quota" (this month's messages are used up), "concurrent" (too many operations on the
 *        same thing still run), "user" (too many messages to one user)
 *   else: "invalid" 400 413 415 422, "token" 401, "forbidden" 403, "missing" 404, "conflict" 409 423, "gone" 410,
 *        "server" 5xx, "refused" everything else
 * operation: name of the row. body: the answer's bytes. */
const char *refusal_kind(int status, const char *operation, struct str body);
