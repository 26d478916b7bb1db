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

/* ---- base64url (RFC 4648 section 5), without padding ---- */

static int put_base64url(struct buf *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
        size_t left = n - i;
        if (buf_append(out, four, left > 2 ? 4 : left + 1)) return ERR_TOOBIG;
    }
    return 0;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-' || c == '+') return 62; /* plain base64 is read, too: some tools write it */
    if (c == '_' || c == '/') return 63;
    return -1;
}

/* Bytes written to ret (room for s.n), or -1. */
static int from_base64url(struct str s, unsigned char *ret)
{
    uint32_t v = 0;
    int bits = 0, n = 0;
    while (s.n && s.p[s.n - 1] == '=') s.n--;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit(s.p[i]);
        if (d < 0) return -1;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) ret[n++] = (unsigned char)(v >> (bits -= 8));
    }
    return n;
}

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
    int n = from_base64url(text, bytes);
    BIGNUM *b = n > 0 ? BN_secure_new() : NULL;
    if (b) BN_bin2bn(bytes, n, b);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return b;
}

static EVP_PKEY *assemble(BIGNUM *const numbers[N_NUMBERS])
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *list = NULL;
    EVP_PKEY *pkey = NULL;
    bool all = numbers[P] && numbers[Q] && numbers[DP] && numbers[DQ] && numbers[QI], ok = builder && ctx;
    for (int i = 0; ok && i < (all ? N_NUMBERS : P); i++) ok = OSSL_PARAM_BLD_push_BN(builder, params[i], numbers[i]) == 1;
    if (ok) list = OSSL_PARAM_BLD_to_param(builder);
    if (!list || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, list) != 1) pkey = NULL;
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

/* ---- signing ---- */

int jwt_sign(const struct jwt_key *k, struct str header, struct str claims, struct buf *out)
{
    size_t from = out->len, n = 0;
    if (put_base64url(out, (const unsigned char *)header.p, header.n) || buf_putc(out, '.') ||
        put_base64url(out, (const unsigned char *)claims.p, claims.n))
        return ERR_TOOBIG;
    const unsigned char *input = (const unsigned char *)out->data + from;
    size_t input_n = out->len - from;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(); /* RSA with PKCS #1 v1.5 padding is the default, which RS256 is */
    unsigned char *signature = NULL;
    int r = ERR_SYNTAX;
    if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
        EVP_DigestSign(ctx, NULL, &n, input, input_n) == 1 &&
        EVP_DigestSign(ctx, signature = mem_alloc(n), &n, input, input_n) == 1)
        r = buf_putc(out, '.') || put_base64url(out, signature, n) ? ERR_TOOBIG : 0;
    free(signature);
    EVP_MD_CTX_free(ctx);
    return r;
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
