/* OpenSSL behind a small door. The algorithm is fetched once and a context keeps its key: set up again for the next
 * body it costs a third of a fresh one (0.6 against 1.9 microseconds for 0.5 KB).
 *
 * OpenSSL's calls here can only fail for lack of memory or a broken installation. Neither leaves a way to tell true
 * signatures from false ones, so both end the process; what was acknowledged is in the store. */
#include "line/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct digest_stream {
    EVP_MAC_CTX *ctx;
    struct digest_key *key;     /* whose pool it goes back to */
    struct digest_stream *next; /* in the pool */
};

struct digest_key {
    struct str secret;           /* owned copy, wiped when freed */
    struct digest_stream *pool;  /* free streams; as many as bodies ever were under way at once */
};

static EVP_MAC *hmac; /* fetched at first use, kept to the end of the process */
static EVP_MD *sha1;
static EVP_MD_CTX *sha1_ctx; /* one: a digest is begun and ended in one call */

static void must(int ok, const char *what)
{
    if (ok == 1)
        return;
    fprintf(stderr, "moonline: OpenSSL cannot do %s\n", what);
    abort();
}

struct digest_key *digest_key_new(struct str secret)
{
    struct digest_key *k = mem_zalloc(sizeof *k);
    k->secret = (struct str){mem_strndup(secret.p, secret.n), secret.n};
    return k;
}

struct digest_key *digest_key_free(struct digest_key *k)
{
    if (!k)
        return NULL;
    while (k->pool) {
        struct digest_stream *s = k->pool;
        k->pool = s->next;
        EVP_MAC_CTX_free(s->ctx);
        free(s);
    }
    OPENSSL_cleanse((char *)k->secret.p, k->secret.n);
    free((char *)k->secret.p);
    free(k);
    return NULL;
}

static struct digest_stream *stream_new(struct digest_key *k)
{
    char name[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
    struct digest_stream *s = mem_zalloc(sizeof *s);
    if (!hmac)
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    must(hmac != NULL, "HMAC");
    s->ctx = EVP_MAC_CTX_new(hmac);
    must(s->ctx != NULL, "HMAC");
    must(EVP_MAC_init(s->ctx, (const unsigned char *)k->secret.p, k->secret.n, params), "HMAC-SHA256");
    s->key = k;
    return s;
}

struct digest_stream *digest_begin(struct digest_key *k)
{
    struct digest_stream *s = k->pool;
    if (!s)
        return stream_new(k);
    k->pool = s->next;
    must(EVP_MAC_init(s->ctx, NULL, 0, NULL), "HMAC again"); /* NULL: the key it has */
    return s;
}

void digest_update(struct digest_stream *s, const void *p, size_t n)
{
    if (n)
        must(EVP_MAC_update(s->ctx, p, n), "HMAC");
}

void digest_end(struct digest_stream *s, unsigned char ret[DIGEST_SHA256])
{
    size_t n = 0;
    must(EVP_MAC_final(s->ctx, ret, &n, DIGEST_SHA256), "HMAC");
    s->next = s->key->pool;
    s->key->pool = s;
}

void digest_sha1(const void *p, size_t n, unsigned char ret[DIGEST_SHA1])
{
    if (!sha1) {
        sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
        sha1_ctx = EVP_MD_CTX_new();
    }
    must(sha1 && sha1_ctx, "SHA-1");
    must(EVP_DigestInit_ex2(sha1_ctx, sha1, NULL), "SHA-1");
    must(EVP_DigestUpdate(sha1_ctx, p, n), "SHA-1");
    must(EVP_DigestFinal_ex(sha1_ctx, ret, NULL), "SHA-1");
}

void digest_sha256(const void *p, size_t n, unsigned char ret[DIGEST_SHA256])
{
    must(EVP_Digest(p, n, ret, NULL, EVP_sha256(), NULL), "SHA-256");
}

bool digest_equal(const unsigned char *a, const unsigned char *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void digest_random(void *p, size_t n)
{
    must(RAND_bytes(p, (int)n), "random numbers");
}
