/* The only door to OpenSSL: HMAC-SHA256 over a stream for any number of keys, SHA-1 for version 5 UUIDs, SHA-256 for
 * fingerprints, constant-time comparison and random bytes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

#define DIGEST_SHA256 32
#define DIGEST_SHA1 20

struct digest_key;    /* one HMAC key, prepared once: contexts are re-initialised without hashing the key again */
struct digest_stream; /* one running HMAC */

struct digest_key *digest_key_new(struct str secret); /* copies; never NULL */
struct digest_key *digest_key_free(struct digest_key *k);
/* Streams are pooled in their key: begin takes one, end gives it back. */
struct digest_stream *digest_begin(struct digest_key *k);
void digest_update(struct digest_stream *s, const void *p, size_t n);
void digest_end(struct digest_stream *s, unsigned char ret[DIGEST_SHA256]);
void digest_sha1(const void *p, size_t n, unsigned char ret[DIGEST_SHA1]);
void digest_sha256(const void *p, size_t n, unsigned char ret[DIGEST_SHA256]);
bool digest_equal(const unsigned char *a, const unsigned char *b, size_t n); /* constant time */
void digest_random(void *p, size_t n);
