/* RS256 over OpenSSL, and the few members of a JWK it needs. See jwt.h. */
#include "line/jwt.h"

#include <inttypes.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define ASSERTION_LIFE_S 1800 /* the longest that LINE takes */
#define MEMBER_MAX 2048       /* a number of an 8192 bit key in base64url, and room */
#define BITS_LEAST 2048       /* LINE takes RSA keys of 2048 bits; shorter ones are no keys */

struct jwt_key {
    EVP_PKEY *pkey;
    char *kid;
};

/* The numbers of a private RSA key by their names in a JWK and in OpenSSL. The last five only make signing faster. */
enum { N, E, D, P, Q, DP, DQ, QI, N_NUMBERS };
static const char *const names[N_NUMBERS] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
static const char *const params[N_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,         OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* ---- the key ---- */

static bool complain(char *error, size_t n, const char *text)
{
    snprintf(error, n, "%s", text);
    return false;
}

static BIGNUM *number(struct str text)
{
    unsigned char bytes[MEMBER_MAX];
    if (text.n > sizeof bytes) return NULL;
    long n = base64_read(text, BASE64_URL, bytes);
    if (n < 0) n = base64_read(text, BASE64, bytes); /* some tools write it */
    BIGNUM *b = n > 0 ? BN_secure_new() : NULL;
    if (b) BN_bin2bn(bytes, (int)n, b);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return b;
}

/* The key of these numbers; without D it can only verify. */
static EVP_PKEY *assemble(BIGNUM *const numbers[N_NUMBERS])
{
    int selection = numbers[D] ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *list = NULL;
    EVP_PKEY *pkey = NULL;
    bool all = numbers[P] && numbers[Q] && numbers[DP] && numbers[DQ] && numbers[QI], ok = builder && ctx;
    for (int i = 0; ok && i < (all ? N_NUMBERS : numbers[D] ? P : D); i++) ok = OSSL_PARAM_BLD_push_BN(builder, params[i], numbers[i]) == 1;
    if (ok) list = OSSL_PARAM_BLD_to_param(builder);
    if (!list || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, selection, list) != 1) pkey = NULL;
    OSSL_PARAM_free(list);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* The JWK's members into numbers and kid. */
static bool take_members(struct str jwk, BIGNUM *numbers[N_NUMBERS], char **kid, char *error, size_t n)
{
    struct json j;
    struct str key, raw;
    int more;
    bool rsa = false;
    json_begin(&j, jwk.p, jwk.n);
    if (json_enter_object(&j)) return complain(error, n, "not a JSON object");
    while ((more = json_next_key(&j, &key)) > 0) {
        if (json_value(&j, &raw)) return complain(error, n, "not well-formed JSON");
        if (raw.n < 2 || raw.p[0] != '"') continue;
        struct str text = {raw.p + 1, raw.n - 2};
        if (str_is(key, "kty")) rsa = str_is(text, "RSA");
        if (str_is(key, "alg") && !str_is(text, "RS256")) return complain(error, n, "its alg is not RS256, the one LINE takes");
        if (str_is(key, "kid")) {
            struct buf b = BUF(MEMBER_MAX);
            json_text(raw, &b);
            free(*kid);
            *kid = mem_strndup(b.data ? b.data : "", b.len);
            buf_free(&b);
        }
        for (int i = 0; i < N_NUMBERS; i++) {
            if (!str_is(key, names[i]) || numbers[i]) continue;
            if (!(numbers[i] = number(text))) return complain(error, n, "one of its numbers is not base64url");
        }
    }
    if (more || json_end(&j)) return complain(error, n, "not well-formed JSON");
    if (!rsa) return complain(error, n, "not an RSA key (kty)");
    if (numbers[N] && numbers[E] && !numbers[D])
        return complain(error, n, "only the public half of the key; moonline signs, so it needs the private one (d)");
    return numbers[N] && numbers[E] && numbers[D] ? true : complain(error, n, "n, e or d is missing");
}

struct jwt_key *jwt_key_read(struct str jwk, char *error, size_t n)
{
    BIGNUM *numbers[N_NUMBERS] = {0};
    struct jwt_key *k = mem_zalloc(sizeof *k);
    if (take_members(jwk, numbers, &k->kid, error, n)) {
        if (BN_num_bits(numbers[N]) < BITS_LEAST) complain(error, n, "shorter than 2048 bits");
        else if (!(k->pkey = assemble(numbers))) complain(error, n, "its numbers do not make an RSA key");
    }
    for (int i = 0; i < N_NUMBERS; i++) BN_clear_free(numbers[i]);
    if (!k->kid) k->kid = mem_strdup("");
    return k->pkey ? k : jwt_key_free(k);
}

struct jwt_key *jwt_key_free(struct jwt_key *k)
{
    if (!k) return NULL;
    EVP_PKEY_free(k->pkey);
    free(k->kid);
    free(k);
    return NULL;
}

const char *jwt_key_id(const struct jwt_key *k) { return k->kid; }

bool jwt_key_same(const struct jwt_key *a, const struct jwt_key *b)
{
    return strcmp(a->kid, b->kid) == 0 && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

/* ---- signing and verifying ---- */

int jwt_sign(const struct jwt_key *k, struct str header, struct str claims, struct buf *out)
{
    size_t from = out->len, n = 0;
    if (base64_put(out, header.p, header.n, BASE64_URL) || buf_putc(out, '.') ||
        base64_put(out, claims.p, claims.n, BASE64_URL))
        return ERR_TOOBIG;
    const unsigned char *input = (const unsigned char *)out->data + from;
    size_t input_n = out->len - from;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(); /* RSA with PKCS #1 v1.5 padding is the default, which RS256 is */
    unsigned char *signature = NULL;
    int r = ERR_SYNTAX;
    if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
        EVP_DigestSign(ctx, NULL, &n, input, input_n) == 1 &&
        EVP_DigestSign(ctx, signature = mem_alloc(n), &n, input, input_n) == 1)
        r = buf_putc(out, '.') || base64_put(out, signature, n, BASE64_URL) ? ERR_TOOBIG : 0;
    free(signature);
    EVP_MD_CTX_free(ctx);
    return r;
}

bool jwt_verify(struct str modulus, struct str exponent, struct str data, struct str signature)
{
    BIGNUM *numbers[N_NUMBERS] = {[N] = number(modulus), [E] = number(exponent)};
    EVP_PKEY *pkey = numbers[N] && numbers[E] && BN_num_bits(numbers[N]) >= BITS_LEAST ? assemble(numbers) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, (const unsigned char *)data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    BN_free(numbers[N]);
    BN_free(numbers[E]);
    return ok;
}

int jwt_assertion(const struct jwt_key *k, struct str channel_id, int64_t now_s, int64_t life_s, struct buf *out)
{
    struct buf header = BUF(MEMBER_MAX), claims = BUF(MEMBER_MAX);
    int r = ERR_TOOBIG;
    buf_puts(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
    json_put(&header, str_of(k->kid));
    buf_puts(&claims, "{\"iss\":");
    json_put(&claims, channel_id);
    buf_puts(&claims, ",\"sub\":");
    json_put(&claims, channel_id);
    buf_printf(&claims, ",\"aud\":\"https://api.line.me/\",\"exp\":%" PRId64, now_s + ASSERTION_LIFE_S);
    if (life_s) buf_printf(&claims, ",\"token_exp\":%" PRId64, life_s);
    if (!buf_putc(&header, '}') && !buf_putc(&claims, '}')) r = jwt_sign(k, buf_str(&header), buf_str(&claims), out);
    buf_free(&header);
    buf_free(&claims);
    return r;
}
