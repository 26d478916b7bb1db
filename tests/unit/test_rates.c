/* Buckets on a clock of the test's own, and by two threads at once; what an answer's kind is. */
#include <pthread.h>
#include <stdlib.h>
#include "line/rates.h"
#include "line/refusal.h"
#include "test.h"

#define S 1000000000LL

/* Calls that may go at once from `from` on, looked at every ms for ms. */
static int count(struct rate_bucket *b, struct rate r, int64_t from, int64_t ms)
{
    int n = 0;
    for (int64_t t = from; t < from + ms * 1000000; t += 1000000)
        while (rate_take(b, r, t, 0) == 0) n++;
    return n;
}

TEST(a_full_bucket_goes_at_once_and_then_evenly)
{
    static const uint32_t limits[] = {1, 10, 100, 200, 2000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rate_bucket b = {0};
        struct rate r = rate_of(limits[i], 1);
        CHECK_INT(count(&b, r, 5 * S, 1), limits[i]);
        for (int s = 6; s < 10; s++) CHECK(abs(count(&b, r, s * S - S + 1000000, 1000) - (int)limits[i]) <= 1);
    }
}

TEST(a_limit_per_hour_may_be_used_at_once_and_comes_back_evenly)
{
    struct rate_bucket b = {0};
    struct rate r = rate_of(60, 3600);
    CHECK_INT(count(&b, r, 9 * S, 1), 60);
    CHECK_INT(rate_take(&b, r, 9 * S, 0), -60 * S);
    CHECK_INT(rate_take(&b, r, 9 * S, 60 * S), 60 * S);  /* reserved */
    CHECK_INT(rate_take(&b, r, 9 * S, 60 * S), -120 * S); /* so the next one is later, and not taken */
    CHECK_INT(rate_take(&b, r, 9 * S, 60 * S), -120 * S);
    CHECK_INT(rate_take(&b, r, 129 * S, 0), 0);
    CHECK_INT(rate_take(&b, r, 9000 * S, 0), 0);
}

TEST(a_refusal_empties_the_bucket)
{
    struct rate_bucket b = {0};
    struct rate r = rate_of(60, 60);
    rate_drain(&b, r, 5 * S);
    CHECK_INT(rate_take(&b, r, 5 * S, 2 * S), S);
    rate_drain(&b, r, 5 * S); /* never refills it */
    CHECK_INT(rate_take(&b, r, 5 * S, 2 * S), 2 * S);
}

TEST(without_a_limit_nothing_waits)
{
    struct rate_bucket b = {0};
    CHECK_INT(rate_take(&b, rate_of(0, 1), S, 0), 0);
}

static struct rate_bucket shared;
static void *taker(void *ret)
{
    int *n = ret;
    for (int i = 0; i < 20000; i++) *n += rate_take(&shared, rate_of(30000, 3600), S, 0) == 0;
    return NULL;
}

TEST(two_that_take_at_once_never_take_too_much)
{
    pthread_t a, b;
    int n = 0, m = 0;
    pthread_create(&a, NULL, taker, &n);
    pthread_create(&b, NULL, taker, &m);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    CHECK_INT(n + m, 30000);
}

TEST(four_kinds_share_429)
{
    static const struct {
        int status;
        const char *operation, *body, *kind;
    } rows[] = {
        {429, "push_message", "{\"message\":\"The API rate limit has been exceeded. Try again later.\"}", "rate"},
        {429, "push_message", "{\"message\":\"You have reached your monthly limit.\"}", "quota"},
        {429, "add_audience_to_audience_group", "{\"message\":\"busy\"}", "concurrent"},
        {429, "narrowcast", "{\"message\":\"Too many concurrent requests\"}", "concurrent"},
        {429, "push_message", "{\"message\":\"too many messages to the same user\"}", "user"},
        {429, "get_profile", "", "rate"},
        {400, "push_message", "monthly limit", "invalid"},
        {401, "x", "", "token"},
        {404, "x", "", "missing"},
        {410, "x", "", "gone"},
        {503, "x", "", "server"},
        {418, "x", "", "refused"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(refusal_kind(rows[i].status, rows[i].operation, str_of(rows[i].body)), rows[i].kind);
}
TEST_MAIN()
