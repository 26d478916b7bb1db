/* Signatures: known answers, and that nothing but the right header for the right bytes passes. */
#include "line/digest.h"
#include "line/signature.h"
#include "test.h"

static const struct vector {
    const char *secret, *body, *signature;
} vectors[] = {
    {"8c570fa6dd201bb328f1c1eac23a96d8", "{\"destination\":\"U8e742f61d673b39c7fff3cecb7536ef0\",\"events\":[]}",
     "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="},
    {"channel_secret", "bodybodybodybody", "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="},
    {"test_secret", "{\"hello\":\"world\"}", "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM="},
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

static enum signature_result check_n(struct signature_keys *k, struct str body, struct str header)
{
    struct signature_check *c = signature_begin(k);
    signature_update(c, body.p, body.n);
    return signature_end(c, header);
}

static enum signature_result check(struct signature_keys *k, const char *body, const char *header)
{
    return check_n(k, str_of(body), str_of(header));
}

static struct signature_keys *keys_of(const char *secret)
{
    struct str s = str_of(secret);
    return signature_keys_new(&s, 1);
}

TEST(known_answers)
{
    for (int i = 0; i < VECTORS; i++) {
        char made[45];
        struct signature_keys *k = keys_of(vectors[i].secret);
        signature_make(str_of(vectors[i].secret), str_of(vectors[i].body), made);
        CHECK_STR(made, vectors[i].signature);
        for (int round = 0; round < 3; round++) /* a key is used again and again */
            CHECK_INT(check(k, vectors[i].body, vectors[i].signature), SIGNATURE_OK);
        CHECK_INT(check(k, vectors[(i + 1) % VECTORS].body, vectors[i].signature), SIGNATURE_WRONG);
        CHECK_INT(check(k, vectors[i].body, vectors[(i + 1) % VECTORS].signature), SIGNATURE_WRONG);
        CHECK(signature_keys_free(k) == NULL);
    }
    signature_keys_free(NULL);
}

/* Every value of every byte of the header but the right one. */
TEST(every_byte_of_the_header_counts)
{
    const struct vector *v = &vectors[0];
    struct signature_keys *k = keys_of(v->secret);
    unsigned wrong = 0, not_base64 = 0;
    for (size_t at = 0; at < 44; at++) {
        for (int c = 0; c < 256; c++) {
            char header[45];
            memcpy(header, v->signature, 45);
            if ((char)c == header[at])
                continue;
            header[at] = (char)c;
            enum signature_result r = check_n(k, str_of(v->body), (struct str){header, 44});
            if (r != SIGNATURE_WRONG && r != SIGNATURE_NOT_BASE64 && !(at == 43 && r == SIGNATURE_LENGTH))
                FAIL("byte %zu as 0x%02x: %s", at, c, signature_reason(r));
            wrong += r == SIGNATURE_WRONG;
            not_base64 += r == SIGNATURE_NOT_BASE64;
        }
    }
    /* 42 places take 63 other characters each; the last before the padding has 4 spare values of 16: 15 are canonical.
     */
    CHECK_INT(wrong, 42 * 63 + 15);
    CHECK(not_base64 > 0);
    signature_keys_free(k);
}

TEST(every_byte_of_the_body_counts)
{
    const struct vector *v = &vectors[0];
    struct signature_keys *k = keys_of(v->secret);
    size_t n = strlen(v->body);
    char body[128];
    for (size_t at = 0; at < n; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(body, v->body, n);
            body[at] = (char)(body[at] ^ 1 << bit);
            CHECK_INT(check_n(k, (struct str){body, n}, str_of(v->signature)), SIGNATURE_WRONG);
        }
        CHECK_INT(check_n(k, (struct str){v->body, at}, str_of(v->signature)), SIGNATURE_WRONG);
    }
    memcpy(body, v->body, n);
    for (int c = 0; c < 256; c++) { /* one byte more: a line end that somebody added, say */
        body[n] = (char)c;
        CHECK_INT(check_n(k, (struct str){body, n + 1}, str_of(v->signature)), SIGNATURE_WRONG);
    }
    CHECK_INT(check_n(k, (struct str){NULL, 0}, str_of(v->signature)), SIGNATURE_WRONG);
    signature_keys_free(k);
}

TEST(other_spellings_are_refused)
{
    const struct vector *v = &vectors[1]; /* has + and / */
    static const struct { const char *header; enum signature_result want;
    } rows[] = {
        {NULL, SIGNATURE_MISSING},
        {"", SIGNATURE_LENGTH},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k==", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7==", SIGNATURE_NOT_BASE64}, /* left-over bits */
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7l=", SIGNATURE_NOT_BASE64}, /* decodes to the same bytes */
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7m=", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7n=", SIGNATURE_NOT_BASE64},
        {"_gg9a-LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", SIGNATURE_NOT_BASE64}, /* URL-safe alphabet */
        {" /gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k= ", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQyc\nD7tsWclCsInj7MhBHxN7k=", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQyc    D7tsWclCsInj7MhBHxN7k=", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=AAAA", SIGNATURE_NOT_BASE64},
        {"/gg9=+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=", SIGNATURE_NOT_BASE64},
        {"====", SIGNATURE_NOT_BASE64},
        {"=", SIGNATURE_NOT_BASE64},
        {"A===", SIGNATURE_NOT_BASE64},
        {"AAAA", SIGNATURE_LENGTH},
        {"AA==", SIGNATURE_LENGTH},
        {"AAA=", SIGNATURE_LENGTH},
        {"AB==", SIGNATURE_NOT_BASE64},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7kA", SIGNATURE_LENGTH},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHx", SIGNATURE_LENGTH},
        {"/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k==",
         SIGNATURE_NOT_BASE64},
        {"fe083d6be2ef15ebd31f5b1ded7090c9c0fbb6c59c942b089e3ecc8411f137b9", SIGNATURE_LENGTH}, /* hexadecimal */
        {"/GG9A+LVFEVTH1SD7XCQYCD7TSWCLCSINJ7MHBHXN7K=", SIGNATURE_NOT_BASE64},
    };
    struct signature_keys *k = keys_of(v->secret);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (check(k, v->body, rows[i].header) != rows[i].want)
            FAIL("%s: %s", rows[i].header, signature_reason(check(k, v->body, rows[i].header)));
    for (size_t n = 0; n < 44; n++) { /* cut short at every place */
        enum signature_result r = check_n(k, str_of(v->body), (struct str){v->signature, n});
        CHECK_INT(r, n % 4 ? SIGNATURE_NOT_BASE64 : SIGNATURE_LENGTH);
    }
    CHECK_INT(check(k, v->body, v->signature), SIGNATURE_OK); /* and none of that did any harm */
    signature_keys_free(k);
}

TEST(several_secrets)
{
    struct str secrets[VECTORS];
    for (int i = 0; i < VECTORS; i++)
        secrets[i] = str_of(vectors[i].secret);
    struct signature_keys *all = signature_keys_new(secrets, VECTORS), *two = signature_keys_new(secrets, 2),
                          *none = signature_keys_new(NULL, 0);
    for (int i = 0; i < VECTORS; i++) {
        CHECK_INT(check(all, vectors[i].body, vectors[i].signature), SIGNATURE_OK);
        CHECK_INT(check(two, vectors[i].body, vectors[i].signature), i < 2 ? SIGNATURE_OK : SIGNATURE_WRONG);
        CHECK_INT(check(none, vectors[i].body, vectors[i].signature), SIGNATURE_WRONG);
    }
    char made[45];
    signature_make(STR(""), STR("x"), made); /* an empty secret is a secret, for its owner */
    struct signature_keys *empty = keys_of("");
    CHECK_INT(check(empty, "x", made), SIGNATURE_OK);
    CHECK_INT(check(all, "x", made), SIGNATURE_WRONG);
    signature_keys_free(all), signature_keys_free(two), signature_keys_free(none), signature_keys_free(empty);
}

/* Bodies arrive in pieces, many at once; some never end. */
TEST(streams_do_not_mix)
{
    struct signature_keys *k = keys_of(vectors[0].secret);
    struct signature_check *open[20];
    const char *body = vectors[0].body;
    size_t n = strlen(body);
    for (int i = 0; i < 20; i++)
        open[i] = signature_begin(k);
    for (size_t at = 0; at < n; at++)
        for (int i = 0; i < 20; i++)
            signature_update(open[i], i % 3 == 1 && at == 5 ? "x" : body + at, 1);
    for (int i = 0; i < 20; i++) {
        if (i % 3 == 2)
            signature_abandon(open[i]);
        else
            CHECK_INT(signature_end(open[i], str_of(vectors[0].signature)), i % 3 ? SIGNATURE_WRONG : SIGNATURE_OK);
    }
    CHECK_INT(check(k, body, vectors[0].signature), SIGNATURE_OK);
    signature_keys_free(k);
}

TEST(reasons_differ)
{
    for (int a = SIGNATURE_OK; a <= SIGNATURE_WRONG; a++)
        for (int b = SIGNATURE_OK; b < a; b++)
            CHECK(strcmp(signature_reason((enum signature_result)a), signature_reason((enum signature_result)b)) != 0);
}

TEST(digests)
{
    unsigned char sum[DIGEST_SHA1], a[16] = {0}, b[16] = {0}, zero[16] = {0};
    digest_sha1("abc", 3, sum); /* FIPS 180 example */
    CHECK_MEM(sum, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d", DIGEST_SHA1);
    digest_random(a, sizeof a);
    digest_random(b, sizeof b);
    CHECK(!digest_equal(a, b, 16) && !digest_equal(a, zero, 16));
    memcpy(b, a, 16);
    CHECK(digest_equal(a, b, 16));
}

TEST_MAIN()
