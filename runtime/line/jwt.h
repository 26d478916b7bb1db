/* JSON Web Tokens signed with RS256 (RFC 7515, 7518 section 3.3): the assertion with which a channel asks for a v2.1
 * channel access token. The key is the private JWK (RFC 7517) that LINE's console was given the public half of, with
 * the `kid` that the console answered added to it.
 * https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/ */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

struct jwt_key;

/* Read a private RSA key. Its members may stand in any order; a `kid` need not be there. NULL with one line in error. */
struct jwt_key *jwt_key_read(struct str jwk, char *error, size_t n);
struct jwt_key *jwt_key_free(struct jwt_key *k); /* NULL; may be given NULL */
const char *jwt_key_id(const struct jwt_key *k); /* the kid, "" when the JWK has none */

bool jwt_key_same(const struct jwt_key *a, const struct jwt_key *b); /* numbers and kid */

/* Append header.claims.signature in base64url. header and claims are JSON texts and go in as they are. 0, ERR_TOOBIG,
 * or ERR_SYNTAX when OpenSSL refuses to sign with this key. */
int jwt_sign(const struct jwt_key *k, struct str header, struct str claims, struct buf *out);

/* Whether signature (bytes) is the RS256 signature of data by the owner of the public key with this modulus and exponent, as
 * a JWK has them: in base64url. false, too, when they make no RSA key of at least 2048 bits. */
bool jwt_verify(struct str modulus, struct str exponent, struct str data, struct str signature);

/* The assertion for a channel: valid for 30 minutes from now (seconds since 1970), asking for a token that lives
 * life_s. life_s 0 leaves token_exp out, as the list of key ids wants it. Codes as jwt_sign. */
int jwt_assertion(const struct jwt_key *k, struct str channel_id, int64_t now_s, int64_t life_s, struct buf *out);
