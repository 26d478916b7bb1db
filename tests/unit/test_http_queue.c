/* Calls that wait for their turn: by origin, oldest first, and what is cancelled is not started. */
#include "net/http_queue.h"
#include "test.h"

TEST(origins_are_scheme_host_and_port)
{
    struct http_queue q = {0};
    struct http_call a = {.url = "https://one.test/x?y"}, b = {.url = "https://one.test"}, c = {.url = "http://one.test/x"},
                     d = {.url = "https://one.test:8443/"}, e = {.url = "http://x/", .unix_socket = "/run/s"};
    struct origin *one = http_queue_origin(&q, &a);
    CHECK(http_queue_origin(&q, &b) == one);
    CHECK(http_queue_origin(&q, &c) != one);
    CHECK(http_queue_origin(&q, &d) != one);
    CHECK_STR(http_queue_origin(&q, &e)->name, "/run/s");
    http_queue_free(&q);
}

TEST(oldest_first_without_the_cancelled)
{
    struct http_queue q = {0};
    struct http_call calls[4];
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < 4; i++) calls[i].url = "http://one.test/";
    struct origin *o = http_queue_origin(&q, &calls[0]);
    o->running = 5;
    for (int i = 0; i < 3; i++) http_queue_wait(o, &calls[i]);
    CHECK(http_queue_cancel(&q, &calls[2])); /* the last, so that the end of the queue moves */
    CHECK(!http_queue_cancel(&q, &calls[2]));
    http_queue_wait(o, &calls[3]);
    CHECK(http_queue_cancel(&q, &calls[1]));
    CHECK(http_queue_leave(&q, o) == &calls[0]);
    CHECK(http_queue_leave(&q, o) == &calls[3]);
    CHECK(http_queue_leave(&q, o) == NULL);
    CHECK_INT(o->running, 2);
    http_queue_wait(o, &calls[1]);
    CHECK(http_queue_leave(&q, o) == &calls[1]);
    http_queue_free(&q);
}

TEST(idle_origins_are_forgotten_beyond_a_few)
{
    struct http_queue q = {0};
    for (int i = 0; i < 1000; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://host%d.test/", i);
        struct http_call call = {.url = url};
        struct origin *o = http_queue_origin(&q, &call);
        o->running++;
        CHECK(http_queue_leave(&q, o) == NULL);
    }
    CHECK(q.n <= 17);
    http_queue_free(&q);
}
TEST_MAIN()
