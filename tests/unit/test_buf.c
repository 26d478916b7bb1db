/* The buffer: growth, ceiling, and that a refused append leaves no trace. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "test.h"

TEST(appends_and_terminates)
{
    struct buf b = BUF(1000);
    CHECK_INT(buf_puts(&b, "abc"), 0);
    CHECK_INT(buf_putc(&b, 'd'), 0);
    CHECK_INT(buf_append(&b, "e\0f", 3), 0);
    CHECK_INT(b.len, 7);
    CHECK_MEM(b.data, "abcde\0f", 8);
    buf_clear(&b);
    CHECK_STRN(buf_str(&b), "");
    CHECK_STR(b.data, "");
    buf_free(&b);
    buf_free(&b);
    CHECK(b.data == NULL);
}

TEST(keeps_its_ceiling_exactly)
{
    struct buf b = BUF(10);
    CHECK_INT(buf_puts(&b, "0123456789"), 0);
    CHECK_INT(buf_putc(&b, 'x'), ERR_TOOBIG);
    CHECK_STR(b.data, "0123456789");
    CHECK(b.cap <= 64);
    CHECK(buf_reserve(&b, 1) == NULL);
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(buf_reserve(&b, 0) != NULL);
    buf_free(&b);

    for (size_t max = 60; max < 140; max++) { /* around the sizes at which memory doubles */
        struct buf c;
        buf_init(&c, max);
        size_t n = 0;
        while (buf_putc(&c, 'y') == 0)
            n++;
        CHECK_INT(n, max);
        CHECK_INT(strlen(c.data), max);
        buf_free(&c);
    }
}

TEST(prints_whole_or_not_at_all)
{
    struct buf b = BUF(100);
    CHECK_INT(buf_printf(&b, "%s=%d", "one", 1), 0);
    CHECK_STR(b.data, "one=1");
    CHECK_INT(buf_printf(&b, "%096d", 7), ERR_TOOBIG);
    CHECK_STR(b.data, "one=1");
    CHECK_INT(buf_printf(&b, "%095d", 7), 0);
    CHECK_INT(b.len, 100);
    CHECK_INT(strlen(b.data), 100);
    buf_free(&b);
    CHECK_INT(buf_printf(&b, "%s", ""), 0);
    CHECK_INT(b.len, 0);
    buf_free(&b);
}

TEST(consumes_from_the_front)
{
    struct buf b = BUF(100);
    buf_puts(&b, "header body");
    buf_consume(&b, 7);
    CHECK_STR(b.data, "body");
    buf_consume(&b, 0);
    CHECK_STR(b.data, "body");
    buf_consume(&b, 99);
    CHECK_INT(b.len, 0);
    buf_free(&b);
    buf_consume(&b, 1);
    CHECK_INT(b.len, 0);
}

TEST(reserve_and_added)
{
    struct buf b = BUF(1 << 20);
    for (int i = 0; i < 1000; i++) {
        char *p = buf_reserve(&b, 100);
        memset(p, 'a' + i % 26, 100);
        buf_added(&b, 50);
    }
    CHECK_INT(b.len, 50000);
    CHECK_INT(strlen(b.data), 50000);
    CHECK_INT(b.data[49999], 'a' + 999 % 26);
    buf_free(&b);
}

TEST(trims_only_when_empty)
{
    struct buf b = BUF(1 << 20);
    buf_reserve(&b, 100000);
    buf_puts(&b, "x");
    buf_trim(&b, 1000);
    CHECK(b.cap > 100000);
    buf_clear(&b);
    buf_trim(&b, 1000);
    CHECK_INT(b.cap, 1000);
    CHECK_INT(buf_puts(&b, "still good"), 0);
    buf_clear(&b);
    buf_trim(&b, 0);
    CHECK(b.data == NULL);
    buf_free(&b);
}

TEST(memory_helpers)
{
    auto_free char *a = mem_printf("%d-%s", 5, "x"), *b = mem_strndup("hello", 4), *c = mem_strdup(""),
                   *d = mem_alloc(0);
    CHECK_STR(a, "5-x");
    CHECK_STR(b, "hell");
    CHECK_STR(c, "");
    CHECK(d != NULL);
}

TEST(every_error_has_its_own_text)
{
    for (int a = -11; a < 0; a++) {
        CHECK(strcmp(err_text(a), "unknown error") != 0);
        for (int b = -11; b < a; b++)
            CHECK(strcmp(err_text(a), err_text(b)) != 0);
    }
    CHECK_STR(err_text(ERR_TOOBIG), "larger than its ceiling");
    CHECK_STR(err_text(0), "unknown error");
    CHECK_STR(err_text(-12), "unknown error"); /* a new code moves these bounds */
}

TEST_MAIN()
