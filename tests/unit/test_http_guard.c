/* What a guarded client connects to, what it says of what it does not, and what else other services need of it. */
#include "net_kit.h"
#include "net/address.h"
#include "net/http_client.h"

static struct kit k;
static struct http_client *client;
static struct address_list *allowed;
static bool client_gone;
static char port[16];

static void on_done(struct http_call *c) { c->user = c; }
static bool call_is_done(void *c) { return ((struct http_call *)c)->user == c; }
static bool is_true(void *b) { return *(bool *)b; }
static void set_true(void *b) { *(bool *)b = true; }

static bool start(const char *list)
{
    char error[200];
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o)) return false;
    snprintf(port, sizeof port, "%s", strrchr(http_server_address(k.server), ':') + 1);
    allowed = address_list_read(list, error, sizeof error);
    client = http_client_new(&loop, &(struct http_client_options){.guard = allowed});
    client_gone = false;
    return true;
}

static void stop(void)
{
    http_client_close(client, set_true, &client_gone);
    CHECK(until(is_true, &client_gone));
    allowed = address_list_free(allowed);
    kit_stop(&k);
}

static bool run(struct http_call *c)
{
    c->user = NULL;
    c->done = on_done;
    http_client_start(client, c);
    return until(call_is_done, c);
}

/* What became of a GET there. */
static void goes(const char *host, enum http_trouble trouble, const char *error)
{
    char url[128];
    snprintf(url, sizeof url, "http://%s:%s/", host, port);
    struct http_call c = {.method = "GET", .url = url, .timeout_ms = 5000};
    CHECK(run(&c));
    if (c.trouble != trouble) FAIL("%s: trouble %d, not %d: %s", host, c.trouble, trouble, c.error ? c.error : "");
    if (error) CHECK_STR(c.error, error);
    CHECK_INT(c.result == 0, trouble == HTTP_FINE);
    http_call_free(&c);
}

TEST(nothing_of_this_machine_unless_it_is_allowed)
{
    if (!start("")) return;
    goes("127.0.0.1", HTTP_FORBIDDEN, "127.0.0.1 is a loopback address");
    goes("2130706433", HTTP_FORBIDDEN, "127.0.0.1 is a loopback address");
    goes("[::ffff:127.0.0.1]", HTTP_FORBIDDEN, "::ffff:127.0.0.1 is a loopback address");
    goes("localhost", HTTP_FORBIDDEN, NULL);
    goes("169.254.169.254", HTTP_FORBIDDEN, "169.254.169.254 is a link-local address");
    CHECK_INT(http_client_active(client), 0);
    stop();
}

TEST(what_is_allowed_by_network_and_by_name)
{
    if (!start("127.0.0.0/8")) return;
    goes("127.0.0.1", HTTP_FINE, NULL);
    goes("localhost", HTTP_FINE, NULL); /* ::1 is not, the other one is */
    stop();
    if (!start("LOCALHOST")) return;
    goes("localhost", HTTP_FINE, NULL);
    goes("127.0.0.1", HTTP_FORBIDDEN, NULL); /* though there is a kept connection to it */
    stop();
    if (!start("private")) return;
    goes("127.0.0.1", HTTP_FINE, NULL);
    stop();
}

/* An address that libcurl reads and we could not must not be looked up under the name of the call before it. */
TEST(an_address_without_a_scheme_gets_no_name)
{
    if (!start("localhost")) return;
    goes("localhost", HTTP_FINE, NULL);
    char url[64];
    snprintf(url, sizeof url, "127.0.0.1:%s/", port);
    struct http_call c = {.method = "GET", .url = url, .timeout_ms = 5000};
    CHECK(run(&c));
    CHECK_INT(c.trouble, HTTP_FORBIDDEN);
    http_call_free(&c);
    stop();
}

TEST(kinds_of_trouble)
{
    if (!start("private")) return;
    goes("nowhere.invalid", HTTP_DNS, NULL);
    struct http_call c = {.method = "GET", .url = "http://127.0.0.1:1/"};
    CHECK(run(&c));
    CHECK_INT(c.trouble, HTTP_CONNECT);
    c = (struct http_call){.method = "GET", .url = "gopher://127.0.0.1/"};
    CHECK(run(&c));
    CHECK_INT(c.trouble, HTTP_PROTOCOL);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%s/", port);
    c = (struct http_call){.method = "GET", .url = url};
    CHECK(run(&c));
    CHECK_INT(c.trouble, HTTP_TLS);
    c = (struct http_call){.method = "GET", .url = url, .ca_file = "/nowhere/ca.pem"};
    CHECK(run(&c));
    CHECK_INT(c.trouble, HTTP_TLS);
    http_call_free(&c);
    stop();
}

/* ---- head before body, for any status ---- */
struct seen {
    int heads, status_at_head, pieces, wrong;
};

static struct seen seen;

static void on_head(struct http_call *c)
{
    seen.heads++;
    seen.status_at_head = c->status;
    seen.wrong += seen.pieces != 0 || !http_call_header(c, "x-one").p;
}

static bool on_piece(struct http_call *c, const char *p, size_t n)
{
    (void)c, (void)p;
    seen.pieces += (int)n;
    seen.wrong += seen.heads != 1;
    return true;
}

/* A raw server of one connection that sends text. */
static void answered(const char *text, bool any, struct http_call *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    char url[64], drop[4096];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), fd = -1;
    CHECK(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0);
    getsockname(listener, (struct sockaddr *)&a, &n);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(a.sin_port));
    seen = (struct seen){0};
    *c = (struct http_call){.method = "GET", .url = url, .sink = on_piece, .sink_any = any, .head = on_head, .done = on_done};
    http_client_start(client, c);
    while (fd < 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
        fd = accept(listener, NULL, NULL);
    }
    while (recv(fd, drop, sizeof drop, MSG_DONTWAIT) <= 0) uv_run(&loop, UV_RUN_NOWAIT);
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    shutdown(fd, SHUT_WR);
    CHECK(until(call_is_done, c));
    close(fd);
    close(listener);
}

TEST(the_head_comes_first_and_once)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 404 No\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 302 Go\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n",
        "HTTP/1.1 500 Oh\nX-One: 1\nContent-Length: 3\n\nabc",
    };
    static const int status[] = {200, 404, 200, 302, 200, 500};
    struct http_call c;
    if (!start("127.0.0.1")) return;
    for (int i = 0; i < 6; i++) {
        answered(texts[i], true, &c);
        CHECK_INT(c.result, 0);
        CHECK_INT(seen.heads, 1);
        CHECK_INT(seen.status_at_head, status[i]);
        CHECK_INT(seen.pieces, 3);
        CHECK_INT(seen.wrong, 0);
        http_call_free(&c);
    }
    answered(texts[1], false, &c);
    CHECK_INT(seen.heads, 1);
    CHECK_INT(seen.pieces, 0);
    CHECK_STRN(buf_str(&c.answer), "abc");
    http_call_free(&c);
    stop();
}
TEST_MAIN()
