/* Answers in pieces over real sockets: chunked and of known length, slow and leaving clients, cuts, the server's end. */
#include <sys/resource.h>
#include "net_kit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct kit k;
static const struct http_field type[] = {{"Content-Type", "a/b"}, {"X-Two", "2"}};

static bool one_parked(void *unused) { return (void)unused, k.n_parked == 1; }
static bool all_parked(void *n) { return k.n_parked == *(int *)n; }
static bool ended(void *n) { return k.ended == *(int *)n; }
static bool no_connections(void *unused) { return (void)unused, http_server_connections(k.server) == 0; }
static bool taken(void *n) { return k.taken >= *(size_t *)n; }

static bool start(int64_t idle_ms)
{
    struct http_server_options o = kit_options();
    o.idle_timeout_ms = idle_ms;
    if (!kit_start(&k, &o))
        return false;
    k.park = true;
    return true;
}

/* A client whose request waits for its answer: k.parked[0]. */
static struct raw ask(const char *request)
{
    struct raw r = raw_connect(http_server_address(k.server));
    raw_puts(&r, request);
    CHECK(until(one_parked, NULL));
    return r;
}

TEST(pieces_arrive_as_they_are_given)
{
    if (!start(5000))
        return;
    struct raw r = ask(GET("/"));
    struct http_request *q = k.parked[0];
    http_respond_begin(q, 201, HTTP_LENGTH_UNKNOWN, type, 2);
    http_respond(q, 200, "text/plain", STR("too late"), NULL, 0);
    http_respond_data(q, "one", 3);
    CHECK(raw_wait(&r, 8));
    r.want = strlen("HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nX-Two: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    CHECK(raw_wait(&r, r.want));
    CHECK_STRN(buf_str(&r.in), "HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nX-Two: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    buf_clear(&r.in);
    http_respond_data(q, "", 0); /* nothing: above all not the end */
    http_respond_data(q, "two", 3);
    CHECK(raw_wait(&r, 8));
    CHECK_STRN(buf_str(&r.in), "3\r\ntwo\r\n");
    buf_clear(&r.in);
    CHECK_INT(k.taken, 6);
    CHECK_INT(k.ended, 0);
    http_respond_end(q);
    CHECK(raw_wait(&r, 5));
    CHECK_STRN(buf_str(&r.in), "0\r\n\r\n");
    buf_clear(&r.in);
    int one = 1;
    CHECK(until(ended, &one));
    CHECK_INT(k.last_status, 201);
    k.park = false; /* the connection lives on */
    raw_puts(&r, GET("/"));
    CHECK_INT(raw_answer(&r, NULL, 0), 200);
    raw_close(&r);
    kit_stop(&k);
}

TEST(a_known_length_is_said_and_kept)
{
    if (!start(5000))
        return;
    struct raw r = ask(GET("/"));
    http_respond_begin(k.parked[0], 200, 6, type, 1);
    http_respond_data(k.parked[0], "one", 3);
    CHECK(raw_wait(&r, 60));
    http_respond_data(k.parked[0], "two", 3);
    char body[16];
    CHECK_INT(raw_answer(&r, body, sizeof body), 200);
    CHECK_STR(body, "onetwo");
    int one = 1;
    CHECK(until(ended, &one)); /* without respond_end: it is whole */
    raw_puts(&r, "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK(until(one_parked, NULL));
    http_respond_begin(k.parked[0], 200, 123456789, type, 1);
    http_respond_end(k.parked[0]);
    CHECK(raw_wait_close(&r));
    CHECK_INT(raw_count(&r, "Content-Length: 123456789\r\n"), 1);
    CHECK(strcmp(r.in.data + r.in.len - 4, "\r\n\r\n") == 0);
    CHECK_INT(k.last_status, 200);
    raw_close(&r);
    kit_stop(&k);
}

TEST(less_than_was_said_and_a_cut_close_the_connection_after_what_was_given)
{
    for (int how = 0; how < 3; how++) {
        if (!start(5000))
            return;
        struct raw r = ask(GET("/"));
        http_respond_begin(k.parked[0], 200, how == 0 ? 10 : HTTP_LENGTH_UNKNOWN, NULL, 0);
        http_respond_data(k.parked[0], "half", 4);
        if (how == 2)
            CHECK(raw_wait(&r, 20)); /* on its way, and put aside */
        if (how == 0)
            http_respond_end(k.parked[0]);
        else
            http_respond_cut(k.parked[0]);
        CHECK(raw_wait_close(&r));
        CHECK_INT(raw_count(&r, "half"), 1);
        CHECK_INT(raw_count(&r, "\r\n0\r\n\r\n"), 0);
        int one = 1;
        CHECK(until(ended, &one));
        CHECK_INT(k.last_status, 0);
        raw_close(&r);
        kit_stop(&k);
    }
}

#ifdef __SANITIZE_ADDRESS__
#define LARGE (8u << 20) /* there each byte costs ten times as much */
#else
#define LARGE (64u << 20)
#endif

TEST(large_answers_arrive_whole)
{
    size_t n = LARGE;
    char *big = malloc(n), line[64];
    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 7 >> 5);
    for (int how = 0; how < 2; how++) {
        if (!start(5000))
            return;
        struct raw r = ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        r.in.max = n + 4096;
        if (how == 0) { /* at once */
            http_respond(k.parked[0], 200, "a/b", (struct str){big, n}, NULL, 0);
        } else {
            http_respond_begin(k.parked[0], 200, n, NULL, 0);
            for (size_t i = 0; i < n; i += 1u << 20)
                http_respond_data(k.parked[0], big + i, 1u << 20);
        }
        CHECK(raw_wait_close(&r));
        int one = 1;
        CHECK(until(ended, &one));
        snprintf(line, sizeof line, "Content-Length: %zu\r\n", n);
        char *body = strstr(r.in.data, "\r\n\r\n");
        CHECK(strstr(r.in.data, line) && body);
        CHECK(body && r.in.data + r.in.len == body + 4 + n && memcmp(body + 4, big, n) == 0);
        raw_close(&r);
        kit_stop(&k);
    }
    free(big);
}

TEST(who_takes_nothing_is_cut_off_and_who_is_sent_nothing_is_not)
{
    if (!start(200))
        return;
    struct raw idle = ask(GET("/"));
    http_respond_begin(k.parked[0], 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
    http_respond_data(k.parked[0], "x", 1);
    k.n_parked = 0;
    struct raw stuck = ask(GET("/"));
    char *big = calloc(1, 32u << 20);
    http_respond_begin(k.parked[0], 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
    http_respond_data(k.parked[0], big, 32u << 20);
    free(big);
    int one = 1;
    CHECK(until(ended, &one)); /* the one that is not read */
    CHECK_INT(k.last_status, 0);
    CHECK_INT(http_server_connections(k.server), 1);
    raw_close(&stuck);
    raw_close(&idle);
    kit_stop(&k);
}

TEST(a_client_that_leaves_is_noticed_while_nothing_is_sent)
{
    int n = 30;
    struct raw r[30];
    if (!start(60000))
        return;
    for (int i = 0; i < n; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        raw_puts(&r[i], GET("/"));
    }
    CHECK(until(all_parked, &n));
    for (int i = 0; i < n; i++) {
        http_respond_begin(k.parked[i], 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
        http_respond_data(k.parked[i], "hello", 5);
    }
    size_t bytes = 5u * (size_t)n;
    CHECK(until(taken, &bytes));
    struct rusage before, after;
    int64_t begun = clock_ns();
    getrusage(RUSAGE_SELF, &before);
    uv_timer_t t;
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, kit_nudge, 200, 0);
    while (uv_is_active((uv_handle_t *)&t))
        uv_run(&loop, UV_RUN_ONCE);
    kit_close_handle(&t);
    getrusage(RUSAGE_SELF, &after);
    long used = (after.ru_utime.tv_usec - before.ru_utime.tv_usec) + (after.ru_stime.tv_usec - before.ru_stime.tv_usec) +
                1000000 * (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec);
    CHECK(used < (clock_ns() - begun) / 1000 / 4); /* thirty idle streams, and the process sleeps */
    for (int i = 0; i < n; i++)
        raw_close(&r[i]);
    CHECK(until(ended, &n));
    CHECK(until(no_connections, NULL));
    CHECK_INT(k.last_status, 0);
    kit_stop(&k);
}

TEST(other_requests_go_on_beside_streams)
{
    char body[16];
    if (!start(60000))
        return;
    struct raw stream[20];
    int n = 20;
    for (int i = 0; i < n; i++) {
        stream[i] = raw_connect(http_server_address(k.server));
        raw_puts(&stream[i], GET("/"));
    }
    CHECK(until(all_parked, &n));
    struct http_request *open[20];
    memcpy(open, k.parked, sizeof open);
    for (int i = 0; i < n; i++)
        http_respond_begin(open[i], 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
    k.n_parked = 0;
    k.park = false;
    struct raw r = raw_connect(http_server_address(k.server));
    for (int i = 0; i < 50; i++) {
        raw_puts(&r, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        CHECK_INT(raw_answer(&r, body, sizeof body), 200);
        http_respond_data(open[i % n], "tick", 4);
    }
    for (int i = 0; i < n; i++) {
        http_respond_end(open[i]);
        stream[i].want = 100;
    }
    int all = 70;
    CHECK(until(ended, &all));
    for (int i = 0; i < n; i++) {
        raw_read(&stream[i]);
        CHECK(raw_count(&stream[i], "tick") >= 2 && raw_count(&stream[i], "0\r\n\r\n") == 1);
        raw_close(&stream[i]);
    }
    raw_close(&r);
    kit_stop(&k);
}

TEST(the_server_ends_with_streams_open)
{
    int n = 3;
    struct raw r[3];
    if (!start(60000))
        return;
    for (int i = 0; i < n; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        raw_puts(&r[i], GET("/"));
    }
    CHECK(until(all_parked, &n));
    char *big = calloc(1, 16u << 20);
    http_respond_begin(k.parked[0], 200, HTTP_LENGTH_UNKNOWN, NULL, 0); /* nothing sent */
    http_respond_begin(k.parked[1], 200, HTTP_LENGTH_UNKNOWN, NULL, 0); /* idle */
    http_respond_data(k.parked[1], "x", 1);
    http_respond_begin(k.parked[2], 200, HTTP_LENGTH_UNKNOWN, NULL, 0); /* stuck */
    http_respond_data(k.parked[2], big, 16u << 20);
    free(big);
    size_t some = 100000;
    CHECK(until(taken, &some));
    kit_stop(&k); /* checks that each has ended */
    for (int i = 0; i < n; i++) {
        CHECK(raw_wait_close(&r[i]));
        raw_close(&r[i]);
    }
}

static void put_header(void *user, struct str name, struct str value)
{
    buf_printf(user, "%.*s=%.*s;", (int)name.n, name.p, (int)value.n, value.p);
}

TEST(headers_are_visited_and_bodies_have_limits_of_their_own)
{
    struct buf seen = BUF(4096);
    if (!start(5000))
        return;
    struct raw r = ask("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\n\r\n");
    http_each_header(k.parked[0], put_header, &seen);
    CHECK_STRN(buf_str(&seen), "Host=h;X-A=1;x-a=2;X-Empty=;");
    CHECK(!http_secure(k.parked[0]));
    http_respond(k.parked[0], 200, NULL, (struct str){0, 0}, NULL, 0);
    CHECK_INT(raw_answer(&r, NULL, 0), 200);
    buf_free(&seen);
    raw_close(&r);
    kit_stop(&k);
}

TEST_MAIN()
