/* .env files: what is read, and how what is wrong is told. */
#include "base/buf.h"
#include "base/dotenv.h"
#include "base/err.h"
#include "test.h"

static struct buf seen = BUF(100000);
static char error[512], path[64];

static void collect(void *user, const char *key, const char *value)
{
    CHECK(user == &seen);
    buf_printf(&seen, "<%s|%s>", key, value);
}

static int parse(const char *text, size_t n)
{
    snprintf(path, sizeof path, "/tmp/test_dotenv.XXXXXX");
    int fd = mkstemp(path);
    if (!CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n))
        return 1;
    close(fd);
    buf_free(&seen);
    error[0] = 0;
    int r = dotenv_read(path, collect, &seen, error, sizeof error);
    unlink(path);
    return r;
}

TEST(reads_settings)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"\n\n# x\n   # y\n", ""},
        {"A=1", "<A|1>"},
        {"A=1\nB=2\n", "<A|1><B|2>"},
        {"A=1\r\nB=2\r\n", "<A|1><B|2>"},
        {"  export  A = x y  \n", "<A|x y>"},
        {"A=", "<A|>"},
        {"A= # none", "<A|>"},
        {"A=#none", "<A|>"},
        {"A=b#c # d", "<A|b#c>"},
        {"A=a=b==", "<A|a=b==>"},
        {"A='x # $y \\n' # z", "<A|x # $y \\n>"},
        {"A=\"x\\n\\\"\\\\ # '\"", "<A|x\n\"\\ # '>"},
        {"A=\"\"", "<A|>"},
        {"A=''", "<A|>"},
        {"_a9=\"t\\tr\\r\\$\"", "<_a9|t\tr\r$>"},
        {"\xef\xbb\xbf"
         "A=1",
         "<A|1>"},
        {"A=1\nA=2", "<A|1><A|2>"},
        {"exported=1", "<exported|1>"},
        {"export=1", "<export|1>"},
        {"A=it's", "<A|it's>"},
        {"A=x\\ny", "<A|x\\ny>"},
        {"A=\xe3\x81\x82", "<A|\xe3\x81\x82>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(parse(rows[i][0], strlen(rows[i][0])), 0);
        CHECK_STRN(buf_str(&seen), rows[i][1]);
        CHECK_STR(error, "");
    }
    buf_free(&seen);
}

TEST(refuses_with_file_and_line)
{
    static const struct { const char *text; int line; const char *why;
    } rows[] = {
        {"A=1\nhello\n", 2, "write KEY=VALUE (a key has letters, digits and _)"},
        {"=1", 1, "write KEY=VALUE (a key has letters, digits and _)"},
        {"1A=1", 1, "write KEY=VALUE (a key has letters, digits and _)"},
        {"A-B=1", 1, "write KEY=VALUE (a key has letters, digits and _)"},
        {"\r\n\r\nA=\"secret", 3, "the quote is not closed on this line"},
        {"A='x\n'", 1, "the quote is not closed on this line"},
        {"A=\"x\\\"", 1, "the quote is not closed on this line"},
        {"A='x'y", 1, "something follows the closing quote"},
        {"A=\"\\q\"", 1,
         "in double quotes only \\n \\r \\t \\\" \\\\ and \\$ are escapes; single quotes take all as it stands"},
        {"A=\"x\\", 1,
         "in double quotes only \\n \\r \\t \\\" \\\\ and \\$ are escapes; single quotes take all as it stands"},
    };
    char want[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(parse(rows[i].text, strlen(rows[i].text)), ERR_SYNTAX);
        snprintf(want, sizeof want, "%s:%d: %s", path, rows[i].line, rows[i].why);
        CHECK_STR(error, want);
        CHECK_INT(seen.len, 0); /* not even the good lines before it */
    }
    static const char *const binary[] = {"A=1\0\n", "A=\0""1\n", "A=1\0\r\n", "\0"};
    static const size_t sizes[] = {5, 5, 6, 1};
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(parse(binary[i], sizes[i]), ERR_SYNTAX);
        CHECK(strstr(error, ":1: a NUL byte") != NULL);
    }
    buf_free(&seen);
}

TEST(other_failures)
{
    CHECK_INT(dotenv_read("/nonexistent/.env", collect, &seen, error, sizeof error), ERR_NOTFOUND);
    CHECK_STR(error, "/nonexistent/.env: No such file or directory");
    CHECK_INT(dotenv_read("/tmp", collect, &seen, error, sizeof error), ERR_IO);
    CHECK_STR(error, "/tmp: Is a directory");
    char *big = malloc(300000);
    memset(big, '#', 300000);
    CHECK_INT(parse(big, 300000), ERR_TOOBIG);
    free(big);
}

TEST_MAIN()
