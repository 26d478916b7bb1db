/* The HTTP client against the HTTP server of this program, and against raw sockets that misbehave. */
#include "net_kit.h"
#include "net/http_client.h"

static struct kit k;
static struct http_client *client;
static bool client_gone;
static int done_count;
static char base[96];  /* http://127.0.0.1:PORT */

static void on_done(struct http_call *c)
{
    done_count++;
    c->user = c; /* mark: this one is done */
}

static bool call_is_done(void *c) { return ((struct http_call *)c)->user == c; }
static bool n_done(void *n) { return done_count == *(int *)n; }
static bool is_true(void *b) { return *(bool *)b; }
static void set_true(void *b) { *(bool *)b = true; }

static void start_client(void)
{
    const struct http_client_options o = {.user_agent = "moonline-test", .max_connections_per_host = 8};
    client = http_client_new(&loop, &o);
    client_gone = false;
    done_count = 0;
}

static bool start_both(void)
{
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o))
        return false;
    snprintf(base, sizeof base, "http://%s", http_server_address(k.server));
    start_client();
    return true;
}

static void stop_client(void)
{
    http_client_close(client, set_true, &client_gone);
    CHECK(until(is_true, &client_gone));
}

static void stop_both(void)
{
    stop_client();
    kit_stop(&k);
}

static struct http_call call_to(const char *method, const char *path)
{
    static char url[160];
    snprintf(url, sizeof url, "%s%s", base, path);
    return (struct http_call){.method = method, .url = url, .done = on_done};
}

static bool run(struct http_call *c)
{
    c->user = NULL;
    http_client_start(client, c);
    CHECK(c->user == NULL); /* never inside start */
    return until(call_is_done, c);
}

TEST(post_and_answer)
{
    static const char *const headers[] = {"Content-Type: application/json", "X-Line-Signature: abc", NULL};
    if (!start_both())
        return;
    struct http_call c = call_to("POST", "/v2/bot?x=1");
    c.headers = headers;
    c.body = "{\"a\":1}";
    c.body_len = 7;
    CHECK(run(&c));
    CHECK_INT(c.result, 0);
    CHECK_INT(c.status, 200);
    CHECK_STRN(buf_str(&c.answer), "{\"a\":1}");
    CHECK_STR(k.seen, "POST /v2/bot x=1 abc {\"a\":1} 127.0.0.1");
    CHECK_STRN(http_call_header(&c, "content-TYPE"), "text/plain");
    CHECK_STRN(http_call_header(&c, "Content-Length"), "7");
    CHECK(http_call_header(&c, "Content").p == NULL);
    CHECK(http_call_header(&c, "X-Not-There").p == NULL);
    CHECK(c.ended_ns > c.started_ns);
    CHECK_INT(http_client_active(client), 0);
    http_call_free(&c);
    stop_both();
}

/* What an answer was kept in serves the next call under way; what grew large does not stay. */
TEST(memory_of_answers_goes_round)
{
    if (!start_both())
        return;
    static char large[100000];
    struct http_call c = call_to("POST", "/"), d = c, e = c, f = c;
    c.body = d.body = f.body = "first", c.body_len = d.body_len = f.body_len = 5;
    memset(large, 'x', sizeof large);
    e.body = large, e.body_len = sizeof large;
    CHECK(run(&c));
    const char *was = c.answer.data;
    http_client_take_back(client, &c);
    CHECK(!c.answer.data && !c.header_bytes.data);
    CHECK(run(&d));
    CHECK(d.answer.data == was);
    CHECK_STRN(buf_str(&d.answer), "first");
    CHECK(http_call_header(&d, "content-length").n == 1);
    http_client_take_back(client, &d);
    CHECK(run(&e));
    CHECK_INT(e.answer.len, sizeof large);
    http_client_take_back(client, &e);
    CHECK(run(&f));
    CHECK(!f.answer.data || f.answer.cap < sizeof large);
    CHECK_STRN(buf_str(&f.answer), "first");
    http_client_take_back(client, &f);
    stop_both();
}

TEST(the_bytes_of_a_request)
{
    static const struct {
        const char *method, *body, *line, *length;
    } rows[] = {
        {"GET", NULL, "GET /p HTTP/1.1\r\n", NULL},
        {"DELETE", NULL, "DELETE /p HTTP/1.1\r\n", NULL},
        {"HEAD", NULL, "HEAD /p HTTP/1.1\r\n", NULL},
        {"POST", NULL, "POST /p HTTP/1.1\r\n", "Content-Length: 0\r\n"},
        {"PUT", NULL, "PUT /p HTTP/1.1\r\n", "Content-Length: 0\r\n"},
        {"PUT", "abc", "PUT /p HTTP/1.1\r\n", "Content-Length: 3\r\n"},
        {"DELETE", "abc", "DELETE /p HTTP/1.1\r\n", "Content-Length: 3\r\n"},
        {"POST", "abc", "POST /p HTTP/1.1\r\n", "Content-Length: 3\r\n"},
        {"GET", NULL, "GET /p HTTP/1.1\r\n", NULL},
    };
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (!CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0 &&
               getsockname(fd, (struct sockaddr *)&a, &len) == 0))
        return;
    snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(a.sin_port));
    start_client();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) { /* one easy handle and many methods after each other */
        struct http_call c = call_to(rows[i].method, "/p");
        struct raw r = {.fd = -1, .in = BUF(1u << 20)};
        int64_t end = clock_ns() + 5 * NS_PER_S;
        c.body = rows[i].body;
        c.body_len = rows[i].body ? strlen(rows[i].body) : 0;
        http_client_start(client, &c);
        while (r.fd < 0 && clock_ns() < end) {
            uv_run(&loop, UV_RUN_NOWAIT);
            r.fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        }
        while (clock_ns() < end && !(r.in.data && strstr(r.in.data, "\r\n\r\n") &&
                                     (!rows[i].body || strstr(r.in.data, "\r\n\r\nabc")))) {
            uv_run(&loop, UV_RUN_NOWAIT);
            raw_read(&r);
        }
        if (!CHECK(r.in.data && strncmp(r.in.data, rows[i].line, strlen(rows[i].line)) == 0))
            printf("# row %zu: %s\n", i, r.in.data ? r.in.data : "(nothing)");
        CHECK_INT(raw_count(&r, "Content-Length:"), rows[i].length != NULL);
        CHECK_INT(rows[i].length ? raw_count(&r, rows[i].length) : 1, 1);
        CHECK_INT(raw_count(&r, "User-Agent: moonline-test\r\n"), 1);
        CHECK_INT(raw_count(&r, "Expect:") + raw_count(&r, "Accept-Encoding:") + raw_count(&r, "Content-Type:"), 0);
        raw_puts(&r, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        CHECK(until(call_is_done, &c));
        CHECK_INT(c.status, 204);
        raw_close(&r);
        http_call_free(&c);
    }
    close(fd);
    stop_client();
}

/* Kept connections: many calls, few connections, none kept awake by them. */
TEST(connections_are_kept)
{
    enum { N = 40 };
    static struct http_call c[N];
    static char url[160];
    if (!start_both())
        return;
    snprintf(url, sizeof url, "%s/", base);
    for (int round = 0; round < 5; round++) {
        int n = (round + 1) * N;
        for (int i = 0; i < N; i++) {
            c[i].method = "POST", c[i].url = url, c[i].done = on_done, c[i].user = NULL;
            http_client_start(client, &c[i]); /* again with the same struct: its memory is used again */
        }
        CHECK_INT(http_client_active(client), N);
        CHECK(until(n_done, &n));
        for (int i = 0; i < N; i++)
            CHECK(c[i].result == 0 && c[i].status == 200);
        CHECK(http_server_connections(k.server) <= 8);
    }
    CHECK_INT(k.completed, 5 * N);
    CHECK(http_server_connections(k.server) >= 1);
    for (int i = 0; i < N; i++)
        http_call_free(&c[i]);
    stop_both();
}

static bool server_empty(void *unused) { return (void)unused, http_server_connections(k.server) == 0; }

/* A kept connection that the server closed is noticed, does not spin the loop, and the next call takes a new one. */
TEST(a_kept_connection_the_server_closes)
{
    struct http_server_options o = kit_options();
    o.idle_timeout_ms = 100;
    if (!kit_start(&k, &o))
        return;
    snprintf(base, sizeof base, "http://%s", http_server_address(k.server));
    start_client();
    for (int i = 0; i < 3; i++) {
        struct http_call c = call_to("GET", "/");
        CHECK(run(&c));
        CHECK_INT(c.result, 0);
        CHECK_INT(c.status, 200);
        http_call_free(&c);
        CHECK(until(server_empty, NULL));
        int64_t end = clock_ns() + 50 * NS_PER_MS;
        unsigned turns = 0;
        uv_timer_t t;
        uv_timer_init(&loop, &t);
        uv_timer_start(&t, kit_nudge, 50, 0);
        while (clock_ns() < end && ++turns)
            uv_run(&loop, UV_RUN_ONCE);
        CHECK(turns < 20);
        kit_close_handle(&t);
    }
    stop_both();
}

TEST(nobody_listens)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* a port that is surely closed: bound, not listening */
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (!CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0))
        return;
    snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(a.sin_port));
    start_client();
    struct http_call c = call_to("POST", "/");
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_IO);
    CHECK_INT(c.status, 0);
    CHECK(!c.maybe_sent);
    CHECK(c.error && *c.error && strlen(c.error) < 256 && !strchr(c.error, '\n'));
    c.url = "http://user:sesame@";
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_IO);
    CHECK(!c.maybe_sent && c.error && !strstr(c.error, "sesame"));
    c.url = "file:///etc/passwd";
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_IO);
    http_call_free(&c);
    close(fd);
    stop_client();
}

TEST(timeouts)
{
    if (!start_both())
        return;
    k.park = true;
    struct http_call c = call_to("POST", "/");
    c.timeout_ms = 150;
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_TIMEOUT);
    CHECK(c.maybe_sent);
    int64_t ms = (c.ended_ns - c.started_ns) / NS_PER_MS;
    CHECK(ms >= 140 && ms < 3000);
    http_call_free(&c);
    stop_both();
}

/* A listener whose queue is full takes no connection: the connect timeout must end the call, and nothing was sent. */
TEST(connect_timeout)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), fill[3];
    if (!CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 0) == 0 &&
               getsockname(fd, (struct sockaddr *)&a, &len) == 0))
        return;
    for (int i = 0; i < 3; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fill[i], (struct sockaddr *)&a, len) && errno != EINPROGRESS)
            FAIL("connect: %s", strerror(errno));
    }
    snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(a.sin_port));
    start_client();
    struct http_call c = call_to("POST", "/");
    c.connect_timeout_ms = 200;
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_TIMEOUT);
    CHECK(!c.maybe_sent);
    CHECK((c.ended_ns - c.started_ns) / NS_PER_MS < 3000);
    http_call_free(&c);
    for (int i = 0; i < 3; i++)
        close(fill[i]);
    close(fd);
    stop_client();
}

TEST(an_answer_that_is_too_large)
{
    if (!start_both())
        return;
    struct http_call c = call_to("GET", "/big?5000");
    c.max_answer = 4999;
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_TOOBIG);
    CHECK(c.maybe_sent);
    c.max_answer = 5000;
    CHECK(run(&c));
    CHECK_INT(c.result, 0);
    CHECK_INT(c.answer.len, 5000);
    http_call_free(&c);
    stop_both();
}

static size_t sunk;

static bool sink(struct http_call *c, const char *p, size_t n)
{
    (void)p;
    CHECK_INT(c->status, 200);
    sunk += n;
    return sunk < 1000000;
}

TEST(streaming)
{
    if (!start_both())
        return;
    struct http_call c = call_to("GET", "/big?900000");
    c.sink = sink;
    c.max_answer = 10;
    sunk = 0;
    CHECK(run(&c));
    CHECK_INT(c.result, 0);
    CHECK_INT(sunk, 900000);
    CHECK_INT(c.answer.len, 0);
    struct http_call d = call_to("GET", "/big?5000000");
    d.sink = sink;
    sunk = 0;
    CHECK(run(&d)); /* the sink says stop */
    CHECK_INT(d.result, ERR_CLOSED);
    CHECK(sunk >= 1000000 && sunk < 1100000);
    struct http_call e = call_to("POST", "/fields"); /* 405: not for the sink */
    e.sink = sink;
    CHECK(run(&e));
    CHECK_INT(e.status, 405);
    CHECK_STRN(buf_str(&e.answer), "no");
    http_call_free(&c);
    http_call_free(&d);
    http_call_free(&e);
    stop_both();
}

TEST(a_stream_that_stalls)
{
    if (!start_both())
        return;
    k.park = true;
    struct http_call c = call_to("GET", "/");
    c.sink = sink;
    c.stall_timeout_ms = 1000;
    c.timeout_ms = 100; /* counts for calls without a stall timeout */
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_TIMEOUT);
    int64_t ms = (c.ended_ns - c.started_ns) / NS_PER_MS;
    CHECK(ms >= 900 && ms < 6000);
    http_call_free(&c);
    stop_both();
}

/* The connection breaks in the middle of the answer, or the answer is no HTTP. */
TEST(broken_answers)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly", "", "nonsense\r\n\r\n"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (!CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0 &&
               getsockname(fd, (struct sockaddr *)&a, &len) == 0))
        return;
    snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(a.sin_port));
    start_client();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct http_call c = call_to("POST", "/");
        struct raw r = {.fd = -1, .in = BUF(1u << 20)};
        int64_t end = clock_ns() + 5 * NS_PER_S;
        http_client_start(client, &c);
        while (r.fd < 0 && clock_ns() < end) {
            uv_run(&loop, UV_RUN_NOWAIT);
            r.fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        }
        CHECK(raw_wait(&r, 20));
        raw_puts(&r, answers[i]);
        raw_close(&r);
        CHECK(until(call_is_done, &c));
        CHECK_INT(c.result, ERR_IO);
        CHECK(c.maybe_sent);
        CHECK(c.error && *c.error);
        http_call_free(&c);
    }
    close(fd);
    stop_client();
}

/* ---- done() may do anything ---- */

static struct http_call first, second, third;

static void start_another(struct http_call *c)
{
    on_done(c);
    http_client_start(client, &second);
    http_client_cancel(client, &third);
}

TEST(start_and_cancel_from_done)
{
    static char url[160];
    int two = 2;
    if (!start_both())
        return;
    snprintf(url, sizeof url, "%s/", base);
    first = (struct http_call){.method = "GET", .url = url, .done = start_another};
    second = third = (struct http_call){.method = "GET", .url = url, .done = on_done};
    http_client_start(client, &first);
    http_client_start(client, &third); /* likely done in the same turn as the first: must be cancelled all the same */
    CHECK(until(n_done, &two));
    CHECK(call_is_done(&first) && call_is_done(&second));
    uv_run(&loop, UV_RUN_NOWAIT);
    CHECK(!call_is_done(&third) || done_count == 2);
    CHECK_INT(http_client_active(client), 0);
    http_call_free(&first);
    http_call_free(&second);
    http_call_free(&third);
    stop_both();
}

TEST(cancel_at_every_stage)
{
    if (!start_both())
        return;
    k.park = true;
    for (int turns = 0; turns < 12; turns++) {
        struct http_call c = call_to("POST", "/");
        http_client_start(client, &c);
        for (int i = 0; i < turns; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        http_client_cancel(client, &c);
        CHECK(!call_is_done(&c));
        CHECK_INT(http_client_active(client), 0);
        http_call_free(&c);
    }
    CHECK_INT(done_count, 0);
    k.park = false; /* a connection on which nothing was sent may be kept; it must be as good as new */
    for (int i = 0; i < 3; i++) {
        struct http_call c = call_to("POST", "/");
        CHECK(run(&c));
        CHECK_INT(c.status, 200);
        http_call_free(&c);
    }
    stop_client();
    kit_answer_all(&k);
    CHECK(until(server_empty, NULL)); /* nothing is left open */
    kit_stop(&k);
}

static void close_client(struct http_call *c)
{
    on_done(c);
    http_client_close(client, set_true, &client_gone);
}

TEST(close_from_done_with_calls_under_way)
{
    static char url[160];
    if (!start_both())
        return;
    snprintf(url, sizeof url, "%s/", base);
    first = (struct http_call){.method = "GET", .url = url, .done = close_client};
    second = (struct http_call){.method = "GET", .url = url, .done = close_client};
    http_client_start(client, &first);
    http_client_start(client, &second);
    CHECK(until(is_true, &client_gone));
    CHECK_INT(done_count, 1); /* the other one was cancelled */
    http_call_free(&first);
    http_call_free(&second);
    kit_stop(&k);
}

TEST(through_a_unix_socket)
{
    struct http_server_options o = kit_options();
    char dir[] = "/tmp/moonline-test-XXXXXX", listen[64];
    if (!CHECK(mkdtemp(dir) != NULL))
        return;
    snprintf(listen, sizeof listen, "unix:%s/sock", dir);
    o.listen = listen;
    if (!kit_start(&k, &o))
        return;
    start_client();
    snprintf(base, sizeof base, "http://localhost");
    struct http_call c = call_to("GET", "/unix");
    c.unix_socket = listen + 5;
    CHECK(run(&c));
    CHECK_INT(c.status, 200);
    CHECK_STR(k.seen, "GET /unix    unix");
    http_call_free(&c);
    stop_both();
    rmdir(dir);
}

TEST_MAIN()
