/* The signature of a webhook: base64(HMAC-SHA256(channel secret, raw body)) in x-line-signature.
 * https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/ */
#pragma once
#include "base/str.h"

enum signature_result {
    SIGNATURE_OK,
    SIGNATURE_MISSING,    /* no header */
    SIGNATURE_NOT_BASE64, /* not standard base64 with padding */
    SIGNATURE_LENGTH,     /* base64, but not of 32 bytes */
    SIGNATURE_WRONG,      /* of none of the secrets */
};

struct signature_keys;  /* the secrets a bot accepts; several while one is rotated */
struct signature_check; /* one body being checked as its bytes arrive */

struct signature_keys *signature_keys_new(const struct str *secrets, size_t n);
struct signature_keys *signature_keys_free(struct signature_keys *k); /* no check may be under way */
struct signature_check *signature_begin(struct signature_keys *k);
void signature_update(struct signature_check *c, const void *p, size_t n);
/* Ends the check, also when the header is missing (p NULL). All secrets are compared, whichever matches. */
enum signature_result signature_end(struct signature_check *c, struct str header);
void signature_abandon(struct signature_check *c);
const char *signature_reason(enum signature_result r); /* for the log only; the answer says 401 and no more */
/* Sign, for tests and tools: 44 characters and a NUL. */
void signature_make(struct str secret, struct str body, char ret[45]);
