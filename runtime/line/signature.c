/* Checking webhook signatures. Base64 is read here rather than by a library: only the one spelling that LINE sends is
 * accepted, so that no two headers stand for the same signature. */
#include "line/signature.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "line/digest.h"

#define BASE64_SHA256 44 /* characters of 32 bytes, the padding included */

struct signature_check {
    struct signature_keys *keys;
    struct signature_check *next;    /* in the pool */
    struct digest_stream *streams[]; /* one for each secret */
};

struct signature_keys {
    size_t n;
    struct signature_check *pool; /* checks to be used again */
    struct digest_key *keys[];
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of a base64 character plus one; 0 for every other byte. */
static const unsigned char values[256] = {
#define V4(c, v) [c] = (v) + 1, [(c) + 1] = (v) + 2, [(c) + 2] = (v) + 3, [(c) + 3] = (v) + 4
    V4('A', 0), V4('E', 4), V4('I', 8), V4('M', 12), V4('Q', 16), V4('U', 20), ['Y'] = 25, ['Z'] = 26,
    V4('a', 26), V4('e', 30), V4('i', 34), V4('m', 38), V4('q', 42), V4('u', 46), ['y'] = 51, ['z'] = 52,
    V4('0', 52), V4('4', 56), ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
#undef V4
};

/* Standard base64 (RFC 4648 section 4), canonical: padded, and the bits that padding leaves over are zero (section 3.5
 * allows to refuse others). ret has room for 32 bytes; more are counted, not written. */
static enum signature_result decode(struct str text, unsigned char ret[DIGEST_SHA256])
{
    size_t out = 0, padding = 0;
    if (text.n % 4)
        return SIGNATURE_NOT_BASE64;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.n; i += 4) {
        bool last = i + 4 == text.n;
        unsigned good = last ? 4 - (unsigned)padding : 4;
        uint32_t bits = 0;
        for (unsigned k = 0; k < 4; k++) {
            unsigned v = k < good ? values[(unsigned char)text.p[i + k]] : 1;
            if (v == 0)
                return SIGNATURE_NOT_BASE64;
            bits = bits << 6 | (v - 1);
        }
        if (good < 4 && (bits & (good == 3 ? 0xFF : 0xFFFF)))
            return SIGNATURE_NOT_BASE64;
        for (unsigned k = 0; k + 1 < good; k++, out++)
            if (out < DIGEST_SHA256)
                ret[out] = (unsigned char)(bits >> (16 - 8 * k));
    }
    return out == DIGEST_SHA256 ? SIGNATURE_OK : SIGNATURE_LENGTH;
}

struct signature_keys *signature_keys_new(const struct str *secrets, size_t n)
{
    struct signature_keys *k = mem_zalloc(sizeof *k + n * sizeof k->keys[0]);
    for (k->n = 0; k->n < n; k->n++)
        k->keys[k->n] = digest_key_new(secrets[k->n]);
    return k;
}

struct signature_keys *signature_keys_free(struct signature_keys *k)
{
    if (!k)
        return NULL;
    for (size_t i = 0; i < k->n; i++)
        digest_key_free(k->keys[i]);
    while (k->pool) {
        struct signature_check *c = k->pool;
        k->pool = c->next;
        free(c);
    }
    free(k);
    return NULL;
}

struct signature_check *signature_begin(struct signature_keys *k)
{
    struct signature_check *c = k->pool;
    if (c)
        k->pool = c->next;
    else
        c = mem_zalloc(sizeof *c + k->n * sizeof c->streams[0]);
    c->keys = k;
    for (size_t i = 0; i < k->n; i++)
        c->streams[i] = digest_begin(k->keys[i]);
    return c;
}

void signature_update(struct signature_check *c, const void *p, size_t n)
{
    for (size_t i = 0; i < c->keys->n; i++)
        digest_update(c->streams[i], p, n);
}

enum signature_result signature_end(struct signature_check *c, struct str header)
{
    unsigned char claimed[DIGEST_SHA256] = {0}, sum[DIGEST_SHA256];
    enum signature_result r = header.p ? decode(header, claimed) : SIGNATURE_MISSING;
    bool any = false;
    /* All are finished and compared, whatever is known already: it gives the streams back, and the time it takes says
     * nothing about which secret matched. */
    for (size_t i = 0; i < c->keys->n; i++) {
        digest_end(c->streams[i], sum);
        any |= digest_equal(sum, claimed, sizeof sum);
    }
    c->next = c->keys->pool;
    c->keys->pool = c;
    return r == SIGNATURE_OK && !any ? SIGNATURE_WRONG : r;
}

void signature_abandon(struct signature_check *c)
{
    if (c)
        signature_end(c, (struct str){NULL, 0});
}

const char *signature_reason(enum signature_result r)
{
    static const char *const reasons[] = {
        [SIGNATURE_OK] = "the signature is right",
        [SIGNATURE_MISSING] = "there is no x-line-signature header",
        [SIGNATURE_NOT_BASE64] = "the signature is not base64",
        [SIGNATURE_LENGTH] = "the signature is not of 32 bytes",
        [SIGNATURE_WRONG] = "the signature is of none of the channel secrets: was the body changed, or the secret?",
    };
    return (unsigned)r < sizeof reasons / sizeof *reasons ? reasons[r] : "unknown";
}

void signature_make(struct str secret, struct str body, char ret[45])
{
    unsigned char sum[DIGEST_SHA256 + 1] = {0}; /* one more, so that the last group of three is whole */
    struct digest_key *k = digest_key_new(secret);
    struct digest_stream *s = digest_begin(k);
    digest_update(s, body.p, body.n);
    digest_end(s, sum);
    digest_key_free(k);
    for (unsigned i = 0, o = 0; i < DIGEST_SHA256; i += 3, o += 4) {
        uint32_t bits = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];
        for (unsigned k6 = 0; k6 < 4; k6++)
            ret[o + k6] = alphabet[bits >> (18 - 6 * k6) & 63];
    }
    ret[BASE64_SHA256 - 1] = '='; /* 32 bytes leave two in the last group */
    ret[BASE64_SHA256] = 0;
}
