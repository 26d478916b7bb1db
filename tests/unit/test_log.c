/* Log lines as they arrive at the other end of a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "test.h"

static char got[4 * LIMIT_LOG_LINE];
static size_t got_n;
static int ends[2], kept;

static void begin(enum log_format format, enum log_level least)
{
    kept = dup(STDERR_FILENO);
    if (pipe(ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        FAIL("no pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* what was written is there at once: nothing to wait for */
    log_init(format, least);
}

static void end(void)
{
    ssize_t n = read(ends[0], got, sizeof got - 1);
    dup2(kept, STDERR_FILENO);
    close(kept), close(ends[0]), close(ends[1]);
    got_n = n > 0 ? (size_t)n : 0;
    got[got_n] = 0;
}

/* The line from its message on: the time before it differs from run to run. */
static const char *from(const char *what)
{
    const char *p = strstr(got, what);
    return p ? p : got;
}

static void check_json(void)
{
    struct json j;
    const char *line = got;
    for (const char *stop; (stop = strchr(line, '\n')); line = stop + 1) {
        json_begin(&j, line, (size_t)(stop - line));
        if (json_peek(&j) != JSON_OBJECT || json_value(&j, NULL) < 0 || json_end(&j) < 0)
            FAIL("not JSON: %.*s", (int)(stop - line), line);
    }
    CHECK_STR(line, "");
}

TEST(json_lines)
{
    begin(LOG_JSON, LOG_INFO);
    LOG(INFO, "event done", F_STR("event", "01H"), F_INT("ms", 12), F_NUM("load", 0.25), F_STR("chat", NULL),
        F_NUM("nan", 0.0 / 0.0));
    LOG(ERROR, "a \"b\"\n\x1b[2J", F_VIEW("v", ((struct str){"x\0y\xff", 4})));
    end();
    check_json();
    int y, mo, d, h, mi, s, ms;
    char z;
    CHECK_INT(sscanf(got, "{\"time\":\"%4d-%2d-%2dT%2d:%2d:%2d.%3d%c\"", &y, &mo, &d, &h, &mi, &s, &ms, &z), 8);
    CHECK_INT(z, 'Z');
    CHECK(strstr(got, "\"level\":\"info\",\"message\":\"event "
                      "done\",\"event\":\"01H\",\"ms\":12,\"load\":0.250,\"nan\":null}\n") != NULL);
    CHECK(strstr(got,
                 "\"level\":\"error\",\"message\":\"a \\\"b\\\"\\n\\u001b[2J\",\"v\":\"x\\u0000y\xef\xbf\xbd\"}\n") !=
          NULL);
}

TEST(text_lines)
{
    begin(LOG_TEXT, LOG_INFO);
    LOG(INFO, "event done", F_STR("event", "01H"), F_INT("ms", 12), F_STR("empty", ""), F_STR("two", "a b"),
        F_STR("q", "x=\"y\""));
    end();
    int h, m, s, ms, used = 0;
    CHECK_INT(sscanf(got, "%2d:%2d:%2d.%3d %n", &h, &m, &s, &ms, &used), 4);
    CHECK_STR(got + used, "I event done event=01H ms=12 empty=\"\" two=\"a b\" q=\"x=\\\"y\\\"\"\n");

    begin(LOG_TEXT, LOG_INFO);
    LOG(WARN, "handler failed", F_STR("error", "bot.lua:3: boom\nstack:\r\n\tbot.lua:3\n"), F_INT("try", 2));
    end();
    CHECK_STR(from("W "), "W handler failed try=2 error=\n    bot.lua:3: boom\n    stack:\n    \tbot.lua:3\n");

    begin(LOG_TEXT, LOG_INFO); /* nothing reaches the terminal that it would obey */
    LOG(INFO,
        "\x1b[2J\xc2\x9b"
        "1m\x7f",
        F_STR("a", "\x1b]0;x\x07"), F_STR("b", "\xc2\x9b c"), F_STR("d", "\xc2\x9b\nx"));
    end();
    for (size_t i = 0; i < got_n; i++)
        if ((unsigned char)got[i] < 0x20 && got[i] != '\n')
            FAIL("control character 0x%02x at %zu", got[i], i);
    CHECK(strchr(got, '\x7f') == NULL && strstr(got, "\xc2\x9b") == NULL);
    CHECK(strstr(got, "\\u001b[2J\\u009b1m\\u007f") != NULL);
}

static int calls;
static const char *counted(void)
{
    calls++;
    return "x";
}

TEST(levels)
{
    begin(LOG_JSON, LOG_WARN);
    LOG(DEBUG, "no");
    LOG(INFO, "no", F_STR("x", counted()));
    LOG(WARN, "yes");
    end();
    CHECK_INT(calls, 0); /* a line that is not wanted does not even look at its fields */
    CHECK(strstr(got, "no") == NULL);
    CHECK(strstr(got, "{\"") == got && strstr(got, "\"yes\"}\n") != NULL);
    begin(LOG_JSON, LOG_DEBUG);
    LOG(DEBUG, "now");
    end();
    CHECK(strstr(got, "\"debug\",\"message\":\"now\"") != NULL);
}

/* A line is cut to its ceiling and stays one JSON object; the fields after a long one survive. */
TEST(long_lines_are_cut)
{
    static char big[3 * LIMIT_LOG_LINE];
    static const char *const fill[] = {"a", "\n", "\"", "\xe3\x81\x82"};
    for (int format = LOG_JSON; format <= LOG_TEXT; format++) {
        for (int k = 0; k < 4; k++) {
            size_t n = strlen(fill[k]);
            for (size_t shift = 0; shift < 8; shift++) {
                memset(big, 'x', shift);
                for (size_t i = shift; i + n < sizeof big; i += n)
                    memcpy(big + i, fill[k], n);
                begin(format, LOG_INFO);
                LOG(INFO, big, F_STR("error", big), F_STR("event", "01H"), F_INT("ms", 5));
                end();
                CHECK(got_n <= LIMIT_LOG_LINE && got_n > LIMIT_LOG_LINE / 2);
                CHECK_INT(got[got_n - 1], '\n');
                CHECK(strstr(got, format == LOG_JSON ? ",\"event\":\"01H\",\"ms\":5}\n" : " event=01H ms=5") != NULL);
                if (format == LOG_JSON)
                    check_json();
            }
        }
    }
    struct log_field many[600];
    for (int i = 0; i < 600; i++)
        many[i] = (struct log_field)F_STR("some_field_name_of_length", "and a value as well");
    begin(LOG_JSON, LOG_INFO);
    log_write(LOG_INFO, "many", many, 600);
    end();
    CHECK(got_n <= LIMIT_LOG_LINE);
    check_json();
}

static void masks(const char *text, const char *want)
{
    char copy[512];
    size_t n = strlen(text);
    memcpy(copy, text, n);
    n = log_mask(copy, n);
    CHECK_STRN(((struct str){copy, n}), want);
}

TEST(masking)
{
    masks("nothing registered: hunter22secret", "nothing registered: hunter22secret");
    log_secret(STR("short"));
    log_secret(STR("hunter22secret"));
    log_secret(STR("hunter22secret")); /* twice is once */
    log_secret(STR("secretsquirrel")); /* overlaps the end of the other */
    log_secret(STR("sixsix"));
    log_secret(STR("ab/cd+ef==\"q\\"));
    log_secret(STR("hunter22secret.and.more"));
    masks("", "");
    masks("short", "short");
    masks("hunter22secret", "[secret]");
    masks("x hunter22secret y hunter22secret", "x [secret] y [secret]");
    masks("hunter22secrethunter22secret", "[secret][secret]");
    masks("hunter22secretsquirrel!", "[secret]!");
    masks("<hunter22secret.and.more>", "<[secret]>");
    masks("hunter22secre", "hunter22secre");
    masks("sixsix", "[secre"); /* never longer than what it stands for */
    masks("6sixsix6", "6[secre6");
    masks("ab/cd+ef==\"q\\", "[secret]");
    masks("{\"t\":\"ab/cd+ef==\\\"q\\\\\"}", "{\"t\":\"[secret]\"}");
    masks("{\"t\":\"ab\\/cd+ef==\\\"q\\\\\"}", "{\"t\":\"[secret]\"}");
    masks("t=ab%2Fcd%2Bef%3D%3D%22q%5C&", "t=[secret]&");
    masks("t=ab%2fcd%2bef%3d%3d%22q%5c&", "t=[secret]&");
}

TEST(secrets_never_come_out)
{
    log_secret(STR("tokenA/B\"C\\D+line\nbreak"));
    for (int format = LOG_JSON; format <= LOG_TEXT; format++) {
        begin(format, LOG_INFO);
        LOG(INFO, "got tokenA/B\"C\\D+line\nbreak!", F_STR("raw", "<tokenA/B\"C\\D+line\nbreak>"),
            F_STR("quoted", "<tokenA/B\"C\\D+line\nbreak> x"),
            F_STR("json", "{\"t\":\"tokenA\\/B\\\"C\\\\D+line\\nbreak\"}"),
            F_STR("form", "a=tokenA%2FB%22C%5CD%2Bline%0Abreak"));
        end();
        CHECK(strstr(got, "tokenA") == NULL);
        CHECK(strstr(got, "break") == NULL);
        CHECK(strstr(got, "got [secret]!") != NULL);
        CHECK(strstr(got, "form") != NULL);
        if (format == LOG_JSON)
            check_json();
    }
    /* Cut in its middle, a secret is no longer whole, and still must not show. */
    static char big[2 * LIMIT_LOG_LINE];
    log_secret(STR("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    for (size_t at = LIMIT_LOG_LINE - 40; at < LIMIT_LOG_LINE + 2; at++) {
        memset(big, '.', sizeof big - 1);
        memcpy(big + at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 36);
        begin(LOG_JSON, LOG_INFO);
        LOG(INFO, big);
        end();
        if (strstr(got, "012345"))
            FAIL("part of a secret at %zu", at);
    }
}

TEST(errno_survives)
{
    begin(LOG_JSON, LOG_INFO);
    close(STDERR_FILENO);
    errno = ENOENT;
    LOG(INFO, "to nobody");
    CHECK_INT(errno, ENOENT);
    end();
    CHECK_INT(got_n, 0);
}

TEST_MAIN()
