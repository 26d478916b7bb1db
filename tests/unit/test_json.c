/* The scanner's verdicts, one table of good and one of bad texts; walking; text and numbers; writing. */
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "test.h"

static int verdict(const char *p, size_t n, const char **why)
{
    /* A copy of exactly the size, so that AddressSanitizer sees a byte read too far. */
    char *copy = malloc(n ? n : 1);
    struct json j;
    struct str raw;
    memcpy(copy, p, n);
    json_begin(&j, copy, n);
    int r = json_value(&j, &raw);
    if (r == 0)
        r = json_end(&j);
    if (r < 0 && (j.p < copy || j.p > copy + n))
        FAIL("the error stands outside the text");
    *why = j.error;
    free(copy);
    return r;
}

static const char *const good[] = {
    "0",
    "-0",
    "10",
    "-1.5",
    "1e5",
    "1E+5",
    "0.0e-0",
    "1234567890123456789012345678901234567890",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    " \t\r\n1 \t\r\n",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[1,2 , 3]",
    "[[],[[]],{}]",
    "{\"a\":1}",
    "{\"a\" : {\"b\":[1,{\"c\":null}]} , \"d\":\"e\"}",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
    "\"\\ud800\"",
    "\"\\uDC00\\ud800\"",
    "{\"\":0,\"\":0}",
    "\"\x7f\"",
    "\"\xc3\xa9\"",
    "\"\xe3\x81\x82\xe3\x81\x84\"",
    "\"\xf0\x9f\x98\x80 and some more text\"",
    "\"\xef\xbf\xbf\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "\"\xed\x9f\xbf\"",
    "\"12345678\"",
    "\"1234567\xc3\xa9 1234567\xc3\xa9\"",
    "[\"12345678901234567890\\n12345678\"]",
};

static const char *const bad[] = {
    "",
    " ",
    "01",
    "-",
    "-01",
    "+1",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "1a",
    "tru",
    "True",
    "nul",
    "nulll",
    "'a'",
    "\"",
    "\"a",
    "\"a\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u 123\"",
    "\"\\",
    "\"\\u",
    "\"a\nb\"",
    "\"\t\"",
    "\"\x01\"",
    "\"12345678\x1f\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{1:2}",
    "{a:1}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    "[1]]",
    "{}{}",
    "1 2",
    "// x\n1",
    "/* x */1",
    "[1]x",
    "\xef\xbb\xbf{}",
    "\"\x80\"",
    "\"\xc3\"",
    "\"\xc0\x80\"",
    "\"\xc1\xbf\"",
    "\"\xe0\x80\x80\"",
    "\"\xe0\x9f\xbf\"",
    "\"\xed\xa0\x80\"",
    "\"\xf0\x8f\xbf\xbf\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xff\"",
    "\"\xe3\x81\"",
    "\"\xf0\x9f\x98\"",
    "\"1234567\xff 9\"",
    "\v1",
    "1\f",
    "\xc2\xa0"
    "1",
};

TEST(accepts_all_of_json)
{
    const char *why;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (verdict(good[i], strlen(good[i]), &why) != 0)
            FAIL("refused %s: %s", good[i], why);
}

TEST(refuses_all_else_with_a_reason)
{
    const char *why;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (verdict(bad[i], strlen(bad[i]), &why) != ERR_SYNTAX)
            FAIL("accepted %s", bad[i]);
        else if (!why || !*why)
            FAIL("no reason for %s", bad[i]);
    }
    CHECK_INT(verdict("1\0", 2, &why), ERR_SYNTAX);
    CHECK_INT(verdict("\"\0\"", 3, &why), ERR_SYNTAX);
    CHECK_STR(why, "a control character inside a string");
}

/* Every prefix of a document is not a document, and none is read past its end. */
TEST(refuses_every_prefix)
{
    static const char text[] = "{\"a\":[1.5e3,\"x\\u00e9\xe3\x81\x82 and more\",{\"b\":null}],\"c\":true}";
    const char *why;
    for (size_t n = 0; n < sizeof text - 1; n++)
        if (verdict(text, n, &why) != ERR_SYNTAX)
            FAIL("accepted the first %zu bytes", n);
    CHECK_INT(verdict(text, sizeof text - 1, &why), 0);
}

/* Every byte value at every place of a string, so that the eight-byte steps agree with the table. */
TEST(judges_every_byte_everywhere)
{
    const char *why;
    for (size_t at = 1; at <= 17; at++) {
        for (int c = 0; c < 256; c++) {
            char text[20] = "\"aaaaaaaaaaaaaaaaa\"";
            text[at] = (char)c;
            bool fine = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            if ((verdict(text, 19, &why) == 0) != fine)
                FAIL("byte 0x%02x at %zu: %s", c, at, fine ? why : "accepted");
        }
    }
}

TEST(depth_has_a_ceiling)
{
    char text[4 * LIMIT_JSON_DEPTH];
    const char *why;
    for (int kind = 0; kind < 2; kind++) {
        for (int depth = LIMIT_JSON_DEPTH - 1; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
            memset(text, '[', (size_t)depth);
            memset(text + depth, ']', (size_t)depth);
            if (kind) /* an object innermost */
                text[depth - 1] = '{', text[depth] = '}';
            CHECK_INT(verdict(text, 2 * (size_t)depth, &why), depth <= LIMIT_JSON_DEPTH ? 0 : ERR_SYNTAX);
        }
        CHECK_STR(why, "nested too deeply");
    }
    memset(text, '[', 100); /* levels remember their kind: closing in the wrong order is seen at each */
    memset(text + 100, ']', 100);
    for (int i = 100; i < 200; i++) {
        text[i] = '}';
        CHECK_INT(verdict(text, 200, &why), ERR_SYNTAX);
        text[i] = ']';
    }
}

TEST(entered_depth_counts)
{
    char text[2 * LIMIT_JSON_DEPTH + 8];
    struct json j;
    memset(text, '[', sizeof text);
    json_begin(&j, text, sizeof text);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(json_enter_array(&j), 0);
        CHECK_INT(json_next_item(&j), 1);
    }
    CHECK_INT(j.depth, 100);
    CHECK_INT(json_value(&j, NULL), ERR_SYNTAX);
    CHECK_STR(j.error, "nested too deeply");
    CHECK_INT(j.p - text, LIMIT_JSON_DEPTH);
}

TEST(walks)
{
    static const char text[] = " { \"a\" : [ 1 , \"two\",{}, [ ] ] ,\"b\":{\"c\":null } ,\"d\\u0065\": false } ";
    struct json j;
    struct str key, raw;
    json_begin(&j, text, sizeof text - 1);
    CHECK_INT(json_peek(&j), JSON_OBJECT);
    CHECK_INT(json_enter_array(&j), ERR_SYNTAX);
    CHECK_INT(json_enter_object(&j), 0);
    CHECK_INT(json_next_key(&j, &key), 1);
    CHECK_STRN(key, "a");
    CHECK_INT(json_peek(&j), JSON_ARRAY);
    CHECK_INT(json_enter_array(&j), 0);
    CHECK_INT(json_next_item(&j), 1);
    CHECK_INT(json_peek(&j), JSON_NUMBER);
    CHECK_INT(json_value(&j, &raw), 0);
    CHECK_STRN(raw, "1");
    CHECK_INT(json_next_item(&j), 1);
    CHECK_INT(json_value(&j, &raw), 0);
    CHECK_STRN(raw, "\"two\"");
    CHECK_INT(json_next_item(&j), 1);
    CHECK_INT(json_enter_object(&j), 0);
    CHECK_INT(json_next_key(&j, &key), 0);
    CHECK_INT(json_next_item(&j), 1);
    CHECK_INT(json_enter_array(&j), 0);
    CHECK_INT(json_next_item(&j), 0);
    CHECK_INT(json_next_item(&j), 0);
    CHECK_INT(j.depth, 1);
    CHECK_INT(json_next_key(&j, &key), 1);
    CHECK_INT(json_value(&j, &raw), 0);
    CHECK_STRN(raw, "{\"c\":null }");
    CHECK_INT(json_next_key(&j, &key), 1);
    CHECK_STRN(key, "d\\u0065");
    CHECK(!json_plain(key));
    CHECK_INT(json_peek(&j), JSON_FALSE);
    CHECK_INT(json_value(&j, NULL), 0);
    CHECK_INT(json_next_key(&j, &key), 0);
    CHECK_INT(json_end(&j), 0);
    CHECK_INT(json_peek(&j), JSON_ERROR);
}

TEST(walking_refuses_what_the_scanner_refuses)
{
    static const char *const arrays[] = {"[1,]", "[,]", "[1 2]", "[1", "[", "[1,", "[1}"};
    static const char *const objects[] = {"{\"a\":1,}", "{,}",      "{\"a\":1 \"b\":2}", "{\"a\"}",
                                          "{",          "{\"a\":1", "{\"a\":1]",         "{1:1}"};
    struct json j;
    struct str key;
    int r;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        json_begin(&j, arrays[i], strlen(arrays[i]));
        json_enter_array(&j);
        while ((r = json_next_item(&j)) > 0 && (r = json_value(&j, NULL)) == 0)
            ;
        if (r != ERR_SYNTAX)
            FAIL("walked through %s", arrays[i]);
    }
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        json_begin(&j, objects[i], strlen(objects[i]));
        json_enter_object(&j);
        while ((r = json_next_key(&j, &key)) > 0 && (r = json_value(&j, NULL)) == 0)
            ;
        if (r != ERR_SYNTAX)
            FAIL("walked through %s", objects[i]);
    }
}

TEST(resolves_text)
{
    static const char *const rows[][2] = {
        {"\"\"", ""}, {"\"plain\"", "plain"}, {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u3042\"", "A\xc3\xa9\xe3\x81\x82"}, {"\"x\\uD83E\\uDD28y\"", "x\xf0\x9f\xa4\xa8y"},
        {"\"\\uD83E\"", "\xef\xbf\xbd"}, {"\"\\uDD28\"", "\xef\xbf\xbd"}, {"\"\\uD83E\\u0041\"", "\xef\xbf\xbd""A"},
        {"\"\\uD83E\\uD83E\\uDD28\"", "\xef\xbf\xbd\xf0\x9f\xa4\xa8"}, {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
        {"\"\\uD83Ex\"", "\xef\xbf\xbd""x"}, {"\"\\uD83E\\n\"", "\xef\xbf\xbd\n"},
    };
    struct buf b = BUF(100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&b);
        CHECK_INT(json_text(str_of(rows[i][0]), &b), 0);
        CHECK_STRN(buf_str(&b), rows[i][1]);
    }
    buf_clear(&b);
    CHECK_INT(json_text(STR("\"a\\u0000b\""), &b), 0);
    CHECK_INT(b.len, 3);
    CHECK_MEM(b.data, "a\0b", 3);
    static const char *const wrong[] = {"", "\"", "x", "\"a", "\"\\x\"", "\"\\u12\"", "\"a\\\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_INT(json_text(str_of(wrong[i]), &b), ERR_SYNTAX);
    CHECK_INT(b.len, 3);
    buf_free(&b);
    struct buf small = BUF(3);
    buf_putc(&small, 'x');
    CHECK_INT(json_text(STR("\"a\\u3042\""), &small), ERR_TOOBIG);
    CHECK_STR(small.data, "x");
    buf_free(&small);
}

TEST(reads_integers)
{
    static const struct { const char *text; int r; int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"1625665242211", 0, 1625665242211},
        {"-7", 0, -7},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", ERR_SYNTAX, 0},
        {"-9223372036854775809", ERR_SYNTAX, 0},
        {"99999999999999999999999", ERR_SYNTAX, 0},
        {"1.0", ERR_SYNTAX, 0},
        {"1e3", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
        {"-", ERR_SYNTAX, 0},
        {"01", ERR_SYNTAX, 0},
        {"\"1\"", ERR_SYNTAX, 0},
        {"null", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t v = 42;
        CHECK_INT(json_integer(str_of(rows[i].text), &v), rows[i].r);
        CHECK_INT(v, rows[i].r ? 42 : rows[i].value);
    }
}

TEST(writes_strings)
{
    struct buf b = BUF(1000);
    buf_putc(&b, '{');
    json_put_key(&b, "a\"b");
    json_put(&b, STR("q\"b\\n\nt\te\x1b d\x7f \xc3\xa9\xf0\x9f\x98\x80"));
    json_put_key(&b, "bad");
    json_put(&b, STR("\xff\xc3(\xed\xa0\x80 \xe3\x81"));
    json_put_key(&b, "nul");
    json_put(&b, (struct str){"\0", 1});
    json_put_key(&b, "list");
    buf_putc(&b, '[');
    json_put(&b, (struct str){NULL, 0});
    buf_puts(&b, "]}");
    CHECK_STR(b.data, "{\"a\\\"b\":\"q\\\"b\\\\n\\nt\\te\\u001b d\x7f \xc3\xa9\xf0\x9f\x98\x80\","
                      "\"bad\":\"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                      "\xef\xbf\xbd\xef\xbf\xbd\",\"nul\":\"\\u0000\",\"list\":[\"\"]}");
    const char *why;
    CHECK_INT(verdict(b.data, b.len, &why), 0);
    buf_free(&b);
    struct buf small = BUF(5);
    buf_puts(&small, "{1");
    CHECK_INT(json_put(&small, STR("ab")), ERR_TOOBIG);
    CHECK_INT(json_put_key(&small, "a"), ERR_TOOBIG);
    CHECK_STR(small.data, "{1");
    buf_free(&small);
}

/* What is written is read back: 20,000 strings of random bytes and escapes. */
TEST(writing_and_reading_agree)
{
    struct buf out = BUF(10000), back = BUF(10000), again = BUF(10000);
    uint64_t seed = 88172645463325252u;
    const char *why;
    for (int round = 0; round < 20000; round++) {
        char text[48];
        size_t n = (size_t)(seed % sizeof text);
        for (size_t i = 0; i < n; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            text[i] = (char)(seed & 8 ? seed >> 32 : 'a' + (seed >> 32) % 26);
        }
        buf_clear(&out), buf_clear(&back), buf_clear(&again);
        json_put(&out, (struct str){text, n});
        if (verdict(out.data, out.len, &why) != 0)
            FAIL("wrote what is no JSON: %s: %s", why, out.data);
        CHECK_INT(json_text(buf_str(&out), &back), 0);
        json_put(&again, buf_str(&back)); /* invalid bytes have become U+FFFD, from here on it is a fixed point */
        CHECK(str_eq(buf_str(&out), buf_str(&again)));
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    }
    buf_free(&out), buf_free(&back), buf_free(&again);
}

TEST_MAIN()
