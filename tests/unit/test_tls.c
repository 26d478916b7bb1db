/* TLS: the server's pair, its replacement while connections live, and the client's verification. */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "net_kit.h"
#include "net/http_client.h"

extern char **environ;

static struct kit k;
static struct http_client *client;
static char dir[] = "/tmp/moonline-test-XXXXXX";
static char cert[64], key[64], cert2[64], key2[64], base[64];
static bool client_gone;

static void set_true(void *b) { *(bool *)b = true; }
static bool is_true(void *b) { return *(bool *)b; }
static void on_done(struct http_call *c) { c->user = c; }
static bool call_is_done(void *c) { return ((struct http_call *)c)->user == c; }

/* Run openssl quietly; its exit status. The loop turns meanwhile: the server it may talk to lives in it. */
static int openssl(const char *const args[])
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(&pid, "openssl", &files, NULL, (char *const *)(uintptr_t)args, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc)
        return -1;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
        poll(NULL, 0, 2);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool make_pair(const char *cert_file, const char *key_file)
{
    const char *const args[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                                "subjectAltName=IP:127.0.0.1", "-keyout", key_file, "-out", cert_file, NULL};
    return openssl(args) == 0;
}

static bool make_pairs(void)
{
    static bool made;
    if (made)
        return true;
    if (!CHECK(mkdtemp(dir) != NULL))
        return false;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    snprintf(cert2, sizeof cert2, "%s/cert2.pem", dir);
    snprintf(key2, sizeof key2, "%s/key2.pem", dir);
    return made = CHECK(make_pair(cert, key) && make_pair(cert2, key2));
}

static void start_client(const char *ca)
{
    const struct http_client_options o = {.user_agent = "moonline-test", .ca_file = ca};
    client_gone = false;
    client = http_client_new(&loop, &o);
}

static void stop_client(void)
{
    http_client_close(client, set_true, &client_gone);
    CHECK(until(is_true, &client_gone));
}

static bool start_server(void)
{
    struct http_server_options o = kit_options();
    if (!make_pairs())
        return false;
    o.tls_cert = cert;
    o.tls_key = key;
    if (!kit_start(&k, &o))
        return false;
    snprintf(base, sizeof base, "https://%s/", http_server_address(k.server));
    return true;
}

static int post(struct http_call *c, const char *body)
{
    *c = (struct http_call){.method = "POST", .url = base, .done = on_done, .body = body, .body_len = strlen(body)};
    http_client_start(client, c);
    CHECK(until(call_is_done, c));
    return c->status;
}

TEST(requests_over_tls)
{
    static char large[90001];
    struct http_call c;
    memset(large, 'x', 90000);
    if (!start_server())
        return;
    start_client(cert);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(post(&c, "hello"), 200);
        CHECK_STRN(buf_str(&c.answer), "hello");
        http_call_free(&c);
    }
    CHECK_INT(http_server_connections(k.server), 1);
    CHECK_INT(post(&c, large), 200); /* several records each way */
    CHECK_INT(c.answer.len, 90000);
    http_call_free(&c);
    stop_client();
    kit_stop(&k);
}

/* Records that arrive together while answers wait must not be left in the library. */
TEST(parked_requests_over_tls)
{
    enum { N = 20 };
    static struct http_call c[N];
    static char large[60001];
    memset(large, 'y', 60000);
    if (!start_server())
        return;
    start_client(cert);
    uv_check_init(&loop, &k.check);
    k.check.data = &k;
    k.park = true;
    uv_check_start(&k.check, kit_on_check);
    for (int i = 0; i < N; i++) {
        c[i] = (struct http_call){.method = "POST", .url = base, .done = on_done, .body = large, .body_len = 60000};
        http_client_start(client, &c[i]);
    }
    for (int i = 0; i < N; i++) {
        CHECK(until(call_is_done, &c[i]));
        CHECK(c[i].status == 200 && c[i].answer.len == 60000);
        http_call_free(&c[i]);
    }
    kit_close_handle(&k.check);
    stop_client();
    kit_stop(&k);
}

TEST(a_certificate_nobody_vouches_for)
{
    struct http_call c;
    if (!start_server())
        return;
    start_client(cert2);
    CHECK_INT(post(&c, "secret"), 0);
    CHECK_INT(c.result, ERR_IO);
    CHECK(!c.maybe_sent);
    CHECK_INT(k.begun, 0);
    http_call_free(&c);
    stop_client();
    kit_stop(&k);
}

static bool handshake(const char *version, const char *cipher_option, const char *cipher)
{
    const char *const args[] = {"openssl", "s_client", "-connect", http_server_address(k.server), version, cipher_option,
                                cipher, NULL};
    return openssl(args) == 0;
}

TEST(versions_and_suites)
{
    if (!start_server())
        return;
    CHECK(handshake("-tls1_3", NULL, NULL));
    CHECK(handshake("-tls1_2", NULL, NULL));
    CHECK(handshake("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"));
    CHECK(handshake("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"));
    CHECK(handshake("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"));
    CHECK(handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"));
    CHECK(handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"));
    CHECK(handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"));
    CHECK(!handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"));
    CHECK(!handshake("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"));
    kit_stop(&k);
}

TEST(a_new_pair_for_new_connections)
{
    struct http_call c;
    char error[256];
    struct raw r;
    if (!start_server())
        return;
    start_client(cert);
    CHECK_INT(post(&c, "one"), 200);
    http_call_free(&c);
    CHECK_INT(rename(cert2, cert) + rename(key2, key), 0);
    CHECK_INT(http_server_reload_tls(k.server, error, sizeof error), 0);
    CHECK_INT(post(&c, "two"), 200); /* the old connection goes on */
    http_call_free(&c);
    CHECK_INT(http_server_connections(k.server), 1);
    stop_client();
    start_client(cert); /* trusts the new one only */
    CHECK_INT(post(&c, "three"), 200);
    http_call_free(&c);

    /* A pair that does not belong together changes nothing. */
    CHECK(make_pair(cert2, key2));
    CHECK_INT(rename(key2, key), 0);
    CHECK_INT(http_server_reload_tls(k.server, error, sizeof error), ERR_USAGE);
    CHECK(strstr(error, "does not belong to") && strstr(error, key) && !strchr(error, '\n'));
    stop_client();
    start_client(cert);
    CHECK_INT(post(&c, "four"), 200);
    http_call_free(&c);
    r = raw_connect(http_server_address(k.server)); /* plain HTTP at a TLS port: closed, nothing worse */
    raw_puts(&r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(raw_wait_close(&r));
    raw_close(&r);
    CHECK_INT(rename(cert2, cert), 0); /* the pair is whole again for the tests that follow */
    stop_client();
    kit_stop(&k);
}

TEST(pairs_that_cannot_be_used)
{
    struct http_server_options o = kit_options();
    struct http_server *s;
    char error[256];
    if (!make_pairs())
        return;
    o.tls_cert = cert;
    CHECK_INT(http_server_start(&loop, &o, &kit_callbacks, &k, &s, error, sizeof error), ERR_USAGE);
    CHECK(strstr(error, "both or neither") != NULL);
    o.tls_key = "/nonexistent/key.pem";
    CHECK_INT(http_server_start(&loop, &o, &kit_callbacks, &k, &s, error, sizeof error), ERR_USAGE);
    CHECK(strstr(error, "/nonexistent/key.pem") && strstr(error, "No such file or directory"));
    o.tls_key = cert; /* no key in it */
    CHECK_INT(http_server_start(&loop, &o, &kit_callbacks, &k, &s, error, sizeof error), ERR_USAGE);
    CHECK(strstr(error, "cannot be used") != NULL);
    CHECK_INT(uv_loop_alive(&loop), 0);
}

/* A handshake that stops half-way is ended by the idle deadline, and does not keep the process busy until then. */
TEST(a_handshake_that_stops)
{
    struct http_server_options o = kit_options();
    if (!make_pairs())
        return;
    o.tls_cert = cert;
    o.tls_key = key;
    o.idle_timeout_ms = 400;
    if (!kit_start(&k, &o))
        return;
    struct raw r = raw_connect(http_server_address(k.server));
    raw_send(&r, "\x16\x03\x01\x02\x00\x01", 6);
    unsigned turns = 0;
    int64_t end = clock_ns() + 5 * NS_PER_S;
    while (!r.eof && clock_ns() < end && ++turns) {
        uv_run(&loop, UV_RUN_ONCE);
        raw_read(&r);
    }
    CHECK(r.eof);
    CHECK(turns < 200);
    raw_close(&r);
    kit_stop(&k);
}

/* 408 and 413 take the way behind the library's back; over TLS it must be encrypted, too. */
TEST(early_answers_over_tls)
{
    static char large[200000];
    struct http_call c;
    memset(large, 'x', sizeof large - 1);
    if (!start_server())
        return;
    start_client(cert);
    CHECK_INT(post(&c, large), 413);
    CHECK_INT(c.result, 0);
    http_call_free(&c);
    stop_client();
    kit_stop(&k);
}

TEST(cleaning_up)
{
    unlink(cert), unlink(key), unlink(cert2), unlink(key2);
    CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN()
