/* The whole of the C test kit: one header, no library.
 *
 *     #include "test.h"
 *     TEST(adds_up) { CHECK_INT(1 + 1, 2); }
 *     TEST_MAIN()
 *
 * Every TEST prints one TAP line ("ok 1 - adds_up"). A CHECK that fails prints where and why, marks its test as failed
 * and goes on; it is also an expression, so `if (!CHECK(p)) return;` leaves where going on makes no sense. A test that
 * takes longer than TEST_SECONDS (default 20, the environment variable of the same name overrides) ends the program:
 * the plan "1..N" was printed first, so the runner counts what never ran as failed. TEST_ONLY=pattern runs the tests
 * whose name matches the shell pattern. */
#pragma once
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"

#ifndef TEST_SECONDS
#define TEST_SECONDS 20
#endif

struct test_case {
    const char *name;
    void (*run)(void);
};

/* One program, one list: static storage, filled by constructors in the order of the file, before main. */
static struct test_case test_cases[512];
static unsigned test_count;
static bool test_failed;               /* the running test's mark */
static char test_late[160];            /* the line the alarm prints: made beforehand, printf is not for signal handlers */

static inline void test_register(const char *name, void (*run)(void))
{
    if (test_count == sizeof test_cases / sizeof test_cases[0]) {
        fprintf(stderr, "test.h: more than %u tests in one file: split it\n", test_count);
        exit(2);
    }
    test_cases[test_count++] = (struct test_case){name, run};
}

#define TEST(name)                                                                                                    \
    static void test_##name(void);                                                                                    \
    __attribute__((constructor)) static void test_register_##name(void)                                               \
    {                                                                                                                 \
        test_register(#name, test_##name);                                                                            \
    }                                                                                                                 \
    static void test_##name(void)

/* ---- checks ---- */

__attribute__((format(printf, 3, 4), unused)) static bool test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    test_failed = true;
    printf("# %s:%d: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return false;
}

static inline bool test_true(const char *file, int line, bool ok, const char *expr)
{
    return ok || test_fail(file, line, "CHECK(%s) is false", expr);
}

static inline bool test_int(const char *file, int line, const char *expr, intmax_t got, intmax_t want)
{
    return got == want || test_fail(file, line, "%s is %jd (0x%jx), not %jd", expr, got, (uintmax_t)got, want);
}

/* NULL equals only NULL. */
static inline bool test_str(const char *file, int line, const char *expr, const char *got, const char *want)
{
    if (got && want ? strcmp(got, want) == 0 : got == want)
        return true;
    return test_fail(file, line, "%s is\n#     %s\n# not %s", expr, got ? got : "(NULL)", want ? want : "(NULL)");
}

static inline bool test_strn(const char *file, int line, const char *expr, struct str got, const char *want)
{
    if (want && got.n == strlen(want) && (got.n == 0 || memcmp(got.p, want, got.n) == 0))
        return true;
    return test_fail(file, line, "%s is %zu bytes\n#     %.*s\n# not %s", expr, got.n, got.p ? (int)got.n : 0,
                     got.p ? got.p : "", want ? want : "(NULL)");
}

static inline bool test_mem(const char *file, int line, const char *expr, const void *got, const void *want, size_t n)
{
    const unsigned char *g = got, *w = want;
    size_t i = 0;
    while (i < n && g[i] == w[i])
        i++;
    return i == n || test_fail(file, line, "%s differs at byte %zu of %zu: 0x%02x, not 0x%02x", expr, i, n, g[i], w[i]);
}

#define CHECK(expr) test_true(__FILE__, __LINE__, (expr), #expr)
#define CHECK_INT(got, want) test_int(__FILE__, __LINE__, #got, (intmax_t)(got), (intmax_t)(want))
#define CHECK_STR(got, want) test_str(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_STRN(got, want) test_strn(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_MEM(got, want, n) test_mem(__FILE__, __LINE__, #got, (got), (want), (n))
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* ---- running ---- */

/* A hang must not hold up the suite, and the test may hold any lock: only write and _exit. */
static void test_on_alarm(int sig)
{
    (void)sig;
    ssize_t n = write(STDOUT_FILENO, test_late, strlen(test_late));
    _exit(n < 0 ? 3 : 2);
}

static inline int test_main(void)
{
    const char *only = getenv("TEST_ONLY"), *seconds = getenv("TEST_SECONDS");
    unsigned limit = seconds ? (unsigned)strtoul(seconds, NULL, 10) : TEST_SECONDS, failed = 0, n = 0, planned = 0;

    /* Unbuffered lines: what was printed before a crash is what the runner needs. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, test_on_alarm);
    for (unsigned i = 0; i < test_count; i++)
        planned += !only || fnmatch(only, test_cases[i].name, 0) == 0;
    printf("1..%u\n", planned);
    for (unsigned i = 0; i < test_count; i++) {
        const struct test_case *t = &test_cases[i];
        if (only && fnmatch(only, t->name, 0) != 0)
            continue;
        n++;
        test_failed = false;
        snprintf(test_late, sizeof test_late, "not ok %u - %.80s # took longer than %u s\n", n, t->name, limit);
        alarm(limit);
        t->run();
        alarm(0);
        printf("%s %u - %s\n", test_failed ? "not ok" : "ok", n, t->name);
        failed += test_failed;
    }
    return failed != 0;
}

#define TEST_MAIN()                                                                                                   \
    int main(void)                                                                                                    \
    {                                                                                                                 \
        return test_main();                                                                                           \
    }
