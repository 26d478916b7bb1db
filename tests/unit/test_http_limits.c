/* The HTTP server's limits: what is too large, too slow, too many or malformed, and that the answer arrives. */
#include "net_kit.h"

#define POST_HI "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"

static struct kit k;

static bool no_connections(void *unused) { return (void)unused, http_server_connections(k.server) == 0; }
static bool n_connections(void *n) { return http_server_connections(k.server) == *(size_t *)n; }
static bool one_ended(void *unused) { return (void)unused, k.ended == 1; }

static size_t answers = 1;

/* Send, and expect the connection to end with this status, milliseconds from now between least and most. */
static void expect_close(const char *request, int status, int64_t least, int64_t most)
{
    struct raw r = raw_connect(http_server_address(k.server));
    int64_t t = clock_ns();
    raw_puts(&r, request);
    CHECK(raw_wait_close(&r));
    t = (clock_ns() - t) / NS_PER_MS;
    if (t < least || t > most)
        FAIL("closed after %d ms, not %d to %d", (int)t, (int)least, (int)most);
    int got = r.in.len > 12 ? (int)strtol(r.in.data + 9, NULL, 10) : 0;
    if (!CHECK_INT(got, status))
        printf("# %s\n", r.in.data ? r.in.data : "(nothing)");
    if (status) {
        CHECK_INT(raw_count(&r, "HTTP/1.1 "), answers);
        CHECK(raw_count(&r, "Connection: close\r\n") > 0);
    }
    raw_close(&r);
    CHECK(until(no_connections, NULL));
}

TEST(a_body_that_is_slow)
{
    struct http_server_options o = kit_options();
    o.read_timeout_ms = 200;
    if (!kit_start(&k, &o))
        return;
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this", 408, 150, 3000);
    CHECK_INT(k.last_status, 408);
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 408, 150, 3000);
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", 408, 150, 3000);
    CHECK_INT(k.begun, 3);
    CHECK_INT(k.completed, 0);
    kit_stop(&k);
}

/* A byte now and then does not move the deadline. */
static struct raw dripping;

static void drip(uv_timer_t *t)
{
    if (send(dripping.fd, t->data, 1, MSG_NOSIGNAL) < 0)
        uv_timer_stop(t);
}

static int64_t drip_until_closed(const char *start, const char *byte)
{
    uv_timer_t t;
    int64_t began = clock_ns();
    dripping = raw_connect(http_server_address(k.server));
    raw_puts(&dripping, start);
    uv_timer_init(&loop, &t);
    t.data = (void *)(uintptr_t)byte;
    uv_timer_start(&t, drip, 20, 20);
    CHECK(raw_wait_close(&dripping));
    kit_close_handle(&t);
    return (clock_ns() - began) / NS_PER_MS;
}

TEST(dripping)
{
    struct http_server_options o = kit_options();
    o.read_timeout_ms = 300;
    o.idle_timeout_ms = 300;
    if (!kit_start(&k, &o))
        return;
    int64_t ms = drip_until_closed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n", "x");
    CHECK(ms >= 250 && ms < 3000);
    CHECK_INT(raw_count(&dripping, "HTTP/1.1 408"), 1);
    raw_close(&dripping);
    ms = drip_until_closed("GET / HTTP/1.1\r\nHost: h\r\nX-Long: ", "x");
    CHECK(ms >= 250 && ms < 3000);
    raw_close(&dripping);
    CHECK(until(no_connections, NULL));
    CHECK_INT(k.begun, 1);
    kit_stop(&k);
}

TEST(idle_connections_are_closed)
{
    struct http_server_options o = kit_options();
    o.idle_timeout_ms = 200;
    if (!kit_start(&k, &o))
        return;
    expect_close("", 0, 150, 3000);
    struct raw r = raw_connect(http_server_address(k.server));
    raw_puts(&r, POST_HI);
    CHECK_INT(raw_answer(&r, NULL, 0), 200);
    int64_t t = clock_ns();
    CHECK(raw_wait_close(&r)); /* counted from the last answer */
    t = (clock_ns() - t) / NS_PER_MS;
    CHECK(t >= 150 && t < 3000);
    raw_close(&r);
    kit_stop(&k);
}

static void answer_late(uv_timer_t *t) { kit_answer_all(t->data); }

/* Waiting for us is not the client's fault: no deadline runs while a request is parked. */
TEST(parked_requests_have_no_deadline)
{
    struct http_server_options o = kit_options();
    uv_timer_t t;
    o.idle_timeout_ms = o.read_timeout_ms = 100;
    if (!kit_start(&k, &o))
        return;
    k.park = true;
    struct raw r = raw_connect(http_server_address(k.server));
    raw_puts(&r, POST_HI);
    uv_timer_init(&loop, &t);
    t.data = &k;
    uv_timer_start(&t, answer_late, 500, 0);
    CHECK_INT(raw_answer(&r, NULL, 0), 200);
    kit_close_handle(&t);
    raw_close(&r);
    kit_stop(&k);
}

TEST(a_client_that_does_not_take_its_answer)
{
    struct http_server_options o = kit_options();
    int small = 4096;
    o.idle_timeout_ms = 300;
    if (!kit_start(&k, &o))
        return;
    struct raw r = raw_connect(http_server_address(k.server));
    setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_puts(&r, "GET /big?30000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(until(one_ended, NULL));
    CHECK_INT(k.last_status, 0);
    CHECK(until(no_connections, NULL));
    raw_close(&r);
    kit_stop(&k);
}

TEST(a_body_that_is_too_large)
{
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o))
        return;
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", 413, 0, 3000);
    CHECK_INT(k.last_status, 413);
    CHECK_INT(k.begun, 1);
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\nxyz", 413, 0, 3000);
    CHECK_INT(k.completed, 0);
    kit_stop(&k);
}

/* The client goes on sending after the refusal: its answer must not be lost to a reset. */
TEST(a_refusal_reaches_a_client_that_keeps_sending)
{
    struct http_server_options o = kit_options();
    static char bytes[400000];
    char head[128];
    memset(bytes, 'x', sizeof bytes);
    if (!kit_start(&k, &o))
        return;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct raw r = raw_connect(http_server_address(k.server));
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n",
                 chunked ? "Transfer-Encoding: chunked" : "Content-Length: 400000");
        raw_puts(&r, head);
        for (int i = 0; i < 40; i++) {
            if (chunked)
                raw_puts(&r, "2710\r\n");
            raw_send(&r, bytes, 10000);
            raw_puts(&r, chunked ? "\r\n" : "");
        }
        raw_puts(&r, chunked ? "0\r\n\r\n" : "");
        CHECK(raw_wait_close(&r));
        CHECK_INT(raw_count(&r, "HTTP/1.1 413 "), 1);
        raw_close(&r);
    }
    CHECK(k.data_bytes <= 100000);
    CHECK(until(no_connections, NULL));
    kit_stop(&k);
}

TEST(a_body_of_just_the_limit)
{
    struct http_server_options o = kit_options();
    static char body[100001];
    char head[128];
    memset(body, 'x', 100000);
    if (!kit_start(&k, &o))
        return;
    struct raw r = raw_connect(http_server_address(k.server));
    snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    raw_puts(&r, head);
    raw_send(&r, body, 100000);
    CHECK_INT(raw_answer(&r, NULL, 0), 200);
    CHECK_INT(k.data_bytes, 100000);
    raw_close(&r);
    kit_stop(&k);
}

TEST(what_begin_refuses)
{
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o))
        return;
    k.refuse = 404;
    struct raw r = raw_connect(http_server_address(k.server));
    for (int i = 0; i < 3; i++) { /* a small body is read to its end and the connection kept */
        raw_puts(&r, POST_HI);
        CHECK_INT(raw_answer(&r, NULL, 0), 404);
    }
    raw_puts(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_INT(raw_answer(&r, NULL, 0), 404);
    CHECK_INT(k.last_status, 404);
    CHECK_INT(k.completed, 0);
    CHECK_INT(k.data_bytes, 0);
    raw_close(&r);
    CHECK(until(no_connections, NULL));
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n", 404, 0, 3000);
    kit_stop(&k);
}

TEST(expect_100_continue)
{
    struct http_server_options o = kit_options();
    char body[16];
    if (!kit_start(&k, &o))
        return;
    struct raw r = raw_connect(http_server_address(k.server));
    raw_puts(&r, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK_INT(raw_answer(&r, NULL, 0), 100);
    raw_puts(&r, "hi");
    CHECK_INT(raw_answer(&r, body, sizeof body), 200);
    CHECK_STR(body, "hi");
    raw_close(&r);
    CHECK(until(no_connections, NULL));
    /* Refused before it is sent: no 100. */
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n", 413, 0, 3000);
    k.refuse = 401;
    expect_close("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", 401, 0, 3000);
    kit_stop(&k);
}

TEST(headers_that_are_too_large)
{
    struct http_server_options o = kit_options();
    struct buf out = BUF(1u << 20);
    if (!kit_start(&k, &o))
        return;
    buf_puts(&out, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 70; i++)
        buf_printf(&out, "X-H%d: %0500d\r\n", i, i);
    struct raw r = raw_connect(http_server_address(k.server));
    raw_send(&r, out.data, out.len);
    CHECK(raw_wait_close(&r));
    CHECK(r.in.len == 0 || raw_count(&r, "HTTP/1.1 431 ") == 1); /* a reset may overtake the library's own answer */
    CHECK_INT(k.begun, 0);
    raw_close(&r);
    buf_free(&out);
    CHECK(until(no_connections, NULL));
    kit_stop(&k);
}

TEST(malformed_requests)
{
    static const char *const bad[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", /* no Host */
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nno colon here\r\n\r\n",
    };
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o))
        return;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        answers = i < 2 ? 2 : 1; /* libmicrohttpd 0.9.75 says it twice when it is the one to refuse a length */
        expect_close(bad[i], 400, 0, 3000);
    }
    answers = 1;
    CHECK_INT(k.begun, 0);
    kit_stop(&k);
}

/* ---- how many ---- */

TEST(connections_beyond_the_limit_are_closed)
{
    struct http_server_options o = kit_options();
    struct raw r[8];
    size_t four = 4;
    o.max_connections = 4;
    if (!kit_start(&k, &o))
        return;
    for (int i = 0; i < 4; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        raw_puts(&r[i], POST_HI);
        CHECK_INT(raw_answer(&r[i], NULL, 0), 200);
    }
    for (int i = 4; i < 8; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        CHECK(raw_wait_close(&r[i]));
        CHECK_INT(r[i].in.len, 0);
        raw_close(&r[i]);
    }
    CHECK(until(n_connections, &four));
    raw_close(&r[0]); /* a place is free again */
    four = 3;
    CHECK(until(n_connections, &four));
    r[0] = raw_connect(http_server_address(k.server));
    raw_puts(&r[0], POST_HI);
    CHECK_INT(raw_answer(&r[0], NULL, 0), 200);
    for (int i = 0; i < 4; i++)
        raw_close(&r[i]);
    CHECK(until(no_connections, NULL));
    kit_stop(&k);
}

TEST(connections_of_one_client)
{
    struct http_server_options o = kit_options();
    struct raw r[3];
    o.max_per_client = 2;
    if (!kit_start(&k, &o))
        return;
    for (int i = 0; i < 3; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        raw_puts(&r[i], POST_HI);
        CHECK_INT(raw_answer(&r[i], NULL, 0), i < 2 ? 200 : 0);
    }
    CHECK(r[2].eof);
    for (int i = 0; i < 3; i++)
        raw_close(&r[i]);
    CHECK(until(no_connections, NULL));
    kit_stop(&k);
}

/* All at once, each asking many times while answers wait for the end of the turn. */
TEST(no_stalls_at_256_connections)
{
    struct http_server_options o = kit_options();
    enum { N = 256, ROUNDS = 20 };
    static struct raw r[N];
    static int rounds[N];
    static char ok[] = "\r\n\r\nhi";
    int64_t end = clock_ns() + 15 * NS_PER_S;
    int open = N;
    if (!kit_start(&k, &o))
        return;
    uv_check_init(&loop, &k.check);
    k.check.data = &k;
    k.park = true;
    uv_check_start(&k.check, kit_on_check);
    for (int i = 0; i < N; i++) {
        r[i] = raw_connect(http_server_address(k.server));
        raw_puts(&r[i], POST_HI);
        rounds[i] = 0;
    }
    while (open && clock_ns() < end) {
        uv_run(&loop, UV_RUN_NOWAIT);
        for (int i = 0; i < N; i++) {
            raw_read(&r[i]);
            if (rounds[i] == ROUNDS || !r[i].in.len || !strstr(r[i].in.data, ok))
                continue;
            buf_clear(&r[i].in);
            if (++rounds[i] < ROUNDS)
                raw_puts(&r[i], POST_HI);
            else
                open--;
        }
    }
    CHECK_INT(open, 0);
    CHECK_INT(k.completed, N * ROUNDS);
    for (int i = 0; i < N; i++)
        raw_close(&r[i]);
    kit_close_handle(&k.check);
    kit_stop(&k);
}

TEST_MAIN()
