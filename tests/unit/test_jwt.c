/* RS256 against the worked example of RFC 7515 (appendix A.2), and what is refused as a key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "line/jwt.h"
#include "line/token.h"
#include "test.h"

#define KEY_N "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC" \
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV" \
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define KEY_D "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pW" \
    "J1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYT" \
    "CBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
#define KEY(more) "{\"kty\":\"RSA\",\"n\":\"" KEY_N "\",\"e\":\"AQAB\"" more "}"
#define D ",\"d\":\"" KEY_D "\""

TEST(the_example_of_the_standard_comes_out_to_the_byte)
{
    static const char expected[] =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
        "fQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7"
        "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jz"
        "DwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe7"
        "7Rw";
    char error[200] = "";
    struct buf out = BUF(4096);
    struct jwt_key *k = jwt_key_read(STR(KEY(D)), error, sizeof error);
    CHECK_STR(error, "");
    CHECK(k != NULL);
    if (!k) return;
    CHECK_STR(jwt_key_id(k), "");
    CHECK_INT(jwt_sign(k, STR("{\"alg\":\"RS256\"}"),
                       STR("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"), &out), 0);
    CHECK_STR(out.data, expected);
    buf_free(&out);
    jwt_key_free(k);
}

TEST(an_assertion_has_the_claims_that_line_wants)
{
    char error[200] = "";
    struct buf out = BUF(4096), small = BUF(100);
    struct jwt_key *k = jwt_key_read(STR(KEY(D ",\"kid\":\"key-1\",\"alg\":\"RS256\",\"x\":[1,{}]")), error, sizeof error);
    CHECK(k != NULL);
    if (!k) return;
    CHECK_STR(jwt_key_id(k), "key-1");
    struct jwt_key *again = jwt_key_read(STR(KEY(D ",\"kid\":\"key-1\"")), error, sizeof error);
    struct jwt_key *other = jwt_key_read(STR(KEY(D ",\"kid\":\"key-2\"")), error, sizeof error);
    CHECK(again && other && jwt_key_same(k, again) && !jwt_key_same(k, other));
    jwt_key_free(again);
    jwt_key_free(other);
    CHECK_INT(jwt_assertion(k, STR("1234567890"), 1700000000, 3600, &out), 0);
    /* {"alg":"RS256","typ":"JWT","kid":"key-1"} . {"iss":…,"exp":1700001800,"token_exp":3600} */
    static const char expected[] =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImtleS0xIn0.eyJpc3MiOiIxMjM0NTY3ODkwIiwic3ViIjoiMTIzNDU2"
        "Nzg5MCIsImF1ZCI6Imh0dHBzOi8vYXBpLmxpbmUubWUvIiwiZXhwIjoxNzAwMDAxODAwLCJ0b2tlbl9leHAiOjM2MDB9.";
    CHECK(strncmp(out.data, expected, sizeof expected - 1) == 0);
    CHECK_INT(jwt_assertion(k, STR("1234567890"), 1700000000, 3600, &small), ERR_TOOBIG);
    buf_free(&out);
    buf_free(&small);
    jwt_key_free(k);
}

TEST(what_is_no_private_rsa_key_is_told)
{
    static const struct {
        const char *jwk, *says;
    } rows[] = {
        {"", "JSON"},
        {"[]", "not a JSON object"},
        {KEY(D) "x", "not well-formed"},
        {"{\"kty\":\"EC\"}", "not an RSA key"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "missing"},
        {KEY(""), "public half"},
        {KEY(D ",\"alg\":\"RS512\""), "alg"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\"}", "shorter than 2048"},
        {"{\"kty\":\"RSA\",\"n\":\"a b\",\"e\":\"AQAB\",\"d\":\"AQAB\"}", "base64url"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[200] = "";
        struct jwt_key *k = jwt_key_read(str_of(rows[i].jwk), error, sizeof error);
        CHECK(k == NULL);
        CHECK(strstr(error, rows[i].says) != NULL);
        jwt_key_free(k);
    }
}

TEST(forms_are_percent_encoded)
{
    struct buf b = BUF(1000), small = BUF(40);
    CHECK_INT(token_form_stateless(&b, STR("123"), STR("a&b=c d")), 0);
    CHECK_STR(b.data, "grant_type=client_credentials&client_id=123&client_secret=a%26b%3Dc%20d");
    CHECK_INT(token_form_stateless(&small, STR("123"), STR("a&b=c d")), ERR_TOOBIG);
    buf_free(&b);
    buf_free(&small);
}

TEST(answers_are_read)
{
    static const struct {
        int status;
        const char *body, *token, *why;
        int64_t life;
    } rows[] = {
        {200, "{\"access_token\":\"t.k\",\"token_type\":\"Bearer\",\"expires_in\":899}", "t.k", NULL, 899},
        {200, "{\"expires_in\":2592000,\"key_id\":\"k\",\"access_token\":\"a\\/b\"}", "a/b", NULL, 2592000},
        {400, "{\"error\":\"invalid_client\",\"error_description\":\"invalid client_id\"}", NULL, "400 invalid client_id", 0},
        {404, "{\"message\":\"no such key\"}", NULL, "404 no such key", 0},
        {503, "<html>", NULL, "503 with an answer that says nothing: <html>", 0},
        {200, "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":1}", NULL,
         "200, but no token that can be used", 1},
        {200, "", NULL, "200, but no token that can be used", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct token_answer a;
        token_answer_read(rows[i].status, str_of(rows[i].body), &a);
        if (rows[i].token) CHECK_STR(a.token, rows[i].token);
        else CHECK(a.token == NULL);
        if (rows[i].why) CHECK_STR(a.why, rows[i].why);
        else CHECK(a.why == NULL);
        CHECK_INT(a.expires_in, rows[i].life);
        token_answer_free(&a);
    }
}
TEST_MAIN()
