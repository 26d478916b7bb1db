// runner: alone
/* Bodies that do not stand in memory, and answers whose reader sets the pace: what is read of an upload, what goes over
 * the wire, and what happens when either side does not keep its word. */
#include "net/http_client.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "net_kit.h"

/* ---- the body alone ---- */

/* All of it, asked for in pieces of a size that ends nowhere in particular. */
static struct buf drain(struct http_upload *u, size_t step)
{
    struct buf all = BUF(1u << 20);
    char piece[512];
    ssize_t n;
    while ((n = http_upload_read(u, piece, step)) > 0)
        buf_append(&all, piece, (size_t)n);
    CHECK_INT(n, 0);
    CHECK_INT((int64_t)all.len, u->length);
    return all;
}

static int file_of(const char *text, size_t n)
{
    int fd = memfd_create("upload", MFD_CLOEXEC);
    CHECK_INT(write(fd, text, n), (ssize_t)n);
    return fd;
}

static ssize_t digits(void *user, int64_t at, char *buf, size_t room)
{
    ++*(int *)user;
    room = room < 3 ? room : 3; /* may hand out less than asked for */
    for (size_t i = 0; i < room; i++)
        buf[i] = (char)('0' + (at + (int64_t)i) % 10);
    return (ssize_t)room;
}

TEST(pieces_one_after_the_other_as_often_as_wanted)
{
    struct http_upload u;
    int fd = file_of("<from the file>", 15), calls = 0;
    http_upload_init(&u);
    http_upload_bytes(&u, "ab", 2);
    http_upload_bytes(&u, "", 0);
    http_upload_file(&u, fd, 1, 13);
    http_upload_source(&u, 12, digits, &calls);
    for (size_t step = 1; step <= 64; step += 7) {
        struct buf all = drain(&u, step);
        CHECK_STRN(buf_str(&all), "abfrom the file012345678901");
        buf_free(&all);
        http_upload_rewind(&u);
    }
    CHECK(calls > 4);
    http_upload_free(&u);
    http_upload_free(&u);
    CHECK_INT(lseek(fd, 0, SEEK_CUR), 15); /* its own position is not used */
    close(fd);
}

TEST(a_form)
{
    struct http_upload u, other;
    const char *why;
    char want[1024], path[] = "/tmp/moonline-upload-XXXXXX";
    int fd = mkstemp(path);
    CHECK_INT(write(fd, "U1\nU2\n", 6), 6);
    close(fd);
    http_upload_init(&u);
    http_upload_form(&u);
    http_upload_part(&u, "description", NULL, NULL);
    http_upload_bytes(&u, "May", 3);
    http_upload_part(&u, "file\"\r\nX: y", "ä \"q\".txt", "text/plain\r\nX: y");
    CHECK_INT(http_upload_path(&u, path, &why), 0);
    http_upload_form_end(&u);
    const char *b = strstr(http_upload_type(&u), "boundary=") + 9;
    CHECK_INT((int64_t)strlen(b), 41);
    snprintf(want, sizeof want,
             "--%s\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nMay\r\n"
             "--%s\r\nContent-Disposition: form-data; name=\"file%%22%%0D%%0AX: y\"; filename=\"ä %%22q%%22.txt\"\r\n"
             "Content-Type: text/plain\r\n\r\nU1\nU2\n\r\n--%s--\r\n", b, b, b);
    struct buf all = drain(&u, 100);
    CHECK_STRN(buf_str(&all), want);
    CHECK(strncmp(http_upload_type(&u), "Content-Type: multipart/form-data; boundary=", 44) == 0);
    http_upload_init(&other);
    http_upload_form(&other);
    CHECK(strcmp(http_upload_type(&other), http_upload_type(&u)) != 0);
    buf_free(&all);
    http_upload_free(&other);
    http_upload_free(&u);
    unlink(path);
}

TEST(files_that_cannot_be_sent)
{
    struct http_upload u;
    const char *why = NULL;
    char piece[64];
    http_upload_init(&u);
    CHECK_INT(http_upload_path(&u, "/nowhere/at/all", &why), ERR_NOTFOUND);
    CHECK_STR(why, "No such file or directory");
    CHECK_INT(http_upload_path(&u, "/tmp", &why), ERR_IO);
    CHECK_STR(why, "it is a folder");
    CHECK_INT(http_upload_path(&u, "/dev/zero", &why), ERR_IO);
    CHECK_STR(why, "it is not a regular file");
    CHECK_INT(u.length, 0);
    int fd = file_of("short", 5);
    http_upload_file(&u, fd, 0, 8);
    CHECK_INT(http_upload_read(&u, piece, 5), 5);
    CHECK_INT(http_upload_read(&u, piece, 5), -1);
    CHECK_STR(http_upload_error(&u), "what was to be sent ended after 5 of 8 bytes: the file became shorter");
    close(fd);
    http_upload_rewind(&u);
    CHECK_INT(http_upload_read(&u, piece, 5), -1);
    CHECK_STR(http_upload_error(&u), "what was to be sent could not be read: Bad file descriptor");
    http_upload_free(&u);
}

/* ---- over the wire ---- */

static struct http_client *client;
static struct kit k;
static bool client_gone;
static char base[128], url[160];

static void set_true(void *p) { *(bool *)p = true; }
static bool is_true(void *p) { return *(bool *)p; }
static void on_done(struct http_call *c) { c->user = c; }
static bool call_is_done(void *c) { return ((struct http_call *)c)->user == c; }

static void start_client(void)
{
    client = http_client_new(&loop, &(struct http_client_options){.user_agent = "moonline-test"});
    client_gone = false;
}

static void stop_client(void)
{
    http_client_close(client, set_true, &client_gone);
    CHECK(until(is_true, &client_gone));
}

static bool start_both(void)
{
    struct http_server_options o = kit_options();
    if (!kit_start(&k, &o)) return false;
    snprintf(base, sizeof base, "http://%s", http_server_address(k.server));
    start_client();
    return true;
}

static void stop_both(void)
{
    stop_client();
    kit_stop(&k);
}

static struct http_call call_to(const char *method, const char *path)
{
    snprintf(url, sizeof url, "%s%s", base, path);
    return (struct http_call){.method = method, .url = url, .done = on_done};
}

static bool run(struct http_call *c)
{
    c->user = NULL;
    http_client_start(client, c);
    return until(call_is_done, c);
}

TEST(every_method_and_attempt_sends_it_from_its_front)
{
    static const char *const methods[] = {"POST", "PUT", "POST", "DELETE"};
    struct http_upload u;
    char want[200];
    if (!start_both()) return;
    http_upload_init(&u);
    http_upload_bytes(&u, "one,", 4);
    http_upload_bytes(&u, "two", 3);
    for (size_t i = 0; i < 4; i++) {
        struct http_call c = call_to(methods[i], "/up"), plain, get;
        c.upload = &u;
        c.stall_timeout_ms = 5000;
        CHECK(run(&c));
        CHECK_INT(c.status, 200);
        snprintf(want, sizeof want, "%s /up   one,two 127.0.0.1", methods[i]);
        CHECK_STR(k.seen, want);
        CHECK_STRN(buf_str(&c.answer), "one,two");
        plain = call_to("POST", "/plain");
        plain.body = "plain";
        plain.body_len = 5;
        CHECK(run(&plain)); /* the same handle: nothing of the upload is left on it */
        CHECK_STR(k.seen, "POST /plain   plain 127.0.0.1");
        get = call_to("GET", "/get");
        CHECK(run(&get));
        CHECK_STR(k.seen, "GET /get    127.0.0.1");
        http_call_free(&c), http_call_free(&plain), http_call_free(&get);
    }
    http_upload_free(&u);
    stop_both();
}

TEST(a_body_that_ends_early_is_never_taken_for_whole)
{
    struct http_upload u;
    if (!start_both()) return;
    int fd = file_of("only this", 9);
    http_upload_init(&u);
    http_upload_file(&u, fd, 0, 90000);
    struct http_call c = call_to("POST", "/up");
    c.upload = &u;
    CHECK(run(&c));
    CHECK_INT(c.result, ERR_SOURCE);
    CHECK_STR(c.error, "what was to be sent ended after 9 of 90000 bytes: the file became shorter");
    CHECK(!c.maybe_sent);
    CHECK_INT(k.completed, 0);
    http_call_free(&c);
    http_upload_free(&u);
    close(fd);
    stop_both();
}

/* A listener whose connections the test answers by hand. */
static int listen_raw(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", ntohs(a.sin_port));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static struct raw accepted;
static int listener;

static bool has_connection(void *unused)
{
    (void)unused;
    if (accepted.fd < 0) accepted.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted.fd >= 0;
}

static bool accept_next(void)
{
    accepted = (struct raw){.fd = -1, .in = BUF(16u << 20)};
    return until(has_connection, NULL);
}

static bool body_there(void *unused)
{
    (void)unused;
    raw_read(&accepted);
    char *p = accepted.in.data ? strstr(accepted.in.data, "\r\n\r\n") : NULL;
    return p && strstr(p, "one,two");
}

/* The kept connection takes the second request and dies without a word: was it carried out? */
static void dying_connection(bool once, bool upload, struct http_call *c)
{
    struct http_upload u;
    http_upload_init(&u);
    http_upload_bytes(&u, "one,two", 7);
    listener = listen_raw();
    start_client();
    *c = call_to("POST", "/");
    c->once = once;
    if (upload) c->upload = &u;
    else c->body = "one,two", c->body_len = 7;
    for (int i = 0; i < 2; i++) {
        c->user = NULL;
        http_client_start(client, c);
        if (i == 0) CHECK(accept_next());
        CHECK(until(body_there, NULL));
        if (i == 0) raw_puts(&accepted, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
        if (i == 0) CHECK(until(call_is_done, c));
        buf_clear(&accepted.in);
    }
    raw_close(&accepted);
    if (!once) {
        CHECK(accept_next());
        CHECK(until(body_there, NULL));
        raw_puts(&accepted, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
    }
    CHECK(until(call_is_done, c));
    if (once) CHECK(accept4(listener, NULL, NULL, 0) < 0 || !body_there(NULL));
    else raw_close(&accepted);
    close(listener);
    http_upload_free(&u);
    stop_client();
}

TEST(a_kept_connection_that_dies_under_a_request)
{
    for (int upload = 0; upload < 2; upload++) {
        struct http_call c;
        dying_connection(false, upload, &c);
        CHECK_INT(c.result, 0);
        CHECK_STRN(buf_str(&c.answer), "second");
        CHECK(c.resent);
        http_call_free(&c);
        dying_connection(true, upload, &c);
        CHECK_INT(c.result, ERR_IO);
        CHECK_STR(c.error, "the connection closed without an answer");
        CHECK(c.maybe_sent && !c.resent);
        http_call_free(&c);
    }
}

/* The other side has seen enough and says no before it has the whole body. */
TEST(an_answer_in_the_middle_of_the_body)
{
    struct http_upload u;
    int fd = memfd_create("half", MFD_CLOEXEC);
    CHECK_INT(ftruncate(fd, 50 << 20), 0);
    http_upload_init(&u);
    http_upload_file(&u, fd, 0, 50 << 20);
    listener = listen_raw();
    start_client();
    struct http_call c = call_to("POST", "/");
    c.upload = &u;
    c.stall_timeout_ms = 5000;
    http_client_start(client, &c);
    CHECK(accept_next());
    CHECK(raw_wait(&accepted, 5000));
    raw_puts(&accepted, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    CHECK(until(call_is_done, &c));
    CHECK_INT(c.result, 0);
    CHECK_INT(c.status, 413);
    CHECK_STRN(buf_str(&c.answer), "no");
    CHECK(raw_wait_close(&accepted)); /* a connection with half a request on it is not used again */
    http_call_free(&c);
    http_upload_free(&u);
    raw_close(&accepted);
    close(listener);
    close(fd);
    stop_client();
}

/* ---- 200 MB ---- */

#define BIG (200ll * 1000 * 1000)

static long rss_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

/* In a process of its own: take a request of n bytes of body, answer "ok" if they were n and their sum is right. */
static void serve_upload(int64_t n, unsigned sum)
{
    static char bytes[1 << 16];
    char head[8192] = "";
    size_t have = 0;
    int fd;
    fcntl(listener, F_SETFL, 0);
    if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) _exit(2);
    char *end = NULL;
    while (!end && have < sizeof head - 1) {
        ssize_t r = recv(fd, head + have, sizeof head - 1 - have, 0);
        if (r <= 0) _exit(3);
        head[have += (size_t)r] = 0;
        end = memmem(head, have, "\r\n\r\n", 4);
    }
    char *length = strcasestr(head, "content-length:");
    if (!end || !length || strtoll(length + 15, NULL, 10) != n) _exit(4);
    int64_t got = (int64_t)(have - (size_t)(end + 4 - head));
    unsigned s = 0;
    for (char *p = end + 4; p < head + have; p++) s += (unsigned char)*p;
    while (got < n) {
        ssize_t r = recv(fd, bytes, sizeof bytes, 0);
        if (r <= 0) _exit(5);
        for (ssize_t i = 0; i < r; i++) s += (unsigned char)bytes[i];
        got += r;
    }
    if (got != n || s != sum) _exit(6);
    if (send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40, MSG_NOSIGNAL) != 40) _exit(7);
    recv(fd, bytes, 1, 0);
    _exit(0);
}

TEST(two_hundred_megabytes_from_a_file)
{
    struct http_upload u;
    int status, fd = memfd_create("big", MFD_CLOEXEC); /* holes read as zeroes; its pages are not ours to count */
    CHECK_INT(ftruncate(fd, BIG), 0);
    CHECK_INT(pwrite(fd, "\1", 1, BIG - 1), 1);
    CHECK_INT(pwrite(fd, "\2", 1, BIG / 2), 1);
    listener = listen_raw();
    pid_t pid = fork();
    if (pid == 0) serve_upload(BIG + 3, 3 + 'a' + 'b' + 'c');
    start_client();
    http_upload_init(&u);
    http_upload_bytes(&u, "abc", 3);
    http_upload_file(&u, fd, 0, BIG);
    struct http_call c = call_to("POST", "/");
    c.upload = &u;
    c.stall_timeout_ms = 5000;
    c.timeout_ms = 1; /* is not for uploads */
    long before = rss_kib(), most = before;
    http_client_start(client, &c);
    int64_t end = clock_ns() + 15 * NS_PER_S;
    while (!call_is_done(&c) && clock_ns() < end) {
        uv_run(&loop, UV_RUN_ONCE);
        long now = rss_kib();
        most = now > most ? now : most;
    }
    CHECK(call_is_done(&c));
    CHECK_INT(c.result, 0);
    CHECK_STRN(buf_str(&c.answer), "ok");
    if (getenv("TEST_SANITIZED") == NULL || *getenv("TEST_SANITIZED") != '1') CHECK(most - before < 1024);
    printf("# grew by %ld KiB\n", most - before);
    http_call_free(&c);
    http_upload_free(&u);
    stop_client();
    close(listener);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    close(fd);
}

/* ---- pauses ---- */

static size_t sunk, pause_at;

static bool sink(struct http_call *c, const char *p, size_t n)
{
    (void)p;
    sunk += n;
    if (sunk >= pause_at) http_client_pause(c);
    return true;
}

static bool reached(void *p) { return sunk >= *(size_t *)p; }

static void turns_for(int64_t ms)
{
    bool never = false;
    uv_timer_t t;
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, kit_nudge, (uint64_t)ms, 0);
    int64_t end = clock_ns() + ms * NS_PER_MS;
    while (clock_ns() < end && !never) uv_run(&loop, UV_RUN_ONCE);
    kit_close_handle(&t);
}

TEST(a_reader_sets_the_pace)
{
    size_t wanted = 100000;
    if (!start_both()) return;
    struct http_call c = call_to("GET", "/big?3000000");
    c.sink = sink;
    c.stall_timeout_ms = 1000;
    sunk = 0;
    pause_at = wanted;
    http_client_start(client, &c);
    CHECK(until(reached, &wanted));
    turns_for(2500); /* longer than the stall timeout, whole seconds as libcurl counts them */
    CHECK(!call_is_done(&c));
    CHECK(sunk >= wanted && sunk < wanted + 70000);
    for (int i = 0; i < 3; i++) { /* pauses and resumes that cancel each other out */
        http_client_resume(&c);
        http_client_pause(&c);
    }
    size_t at = sunk;
    turns_for(50);
    CHECK_INT((int64_t)sunk, (int64_t)at);
    pause_at = wanted = 1000000;
    http_client_resume(&c);
    CHECK_INT((int64_t)sunk, (int64_t)at); /* never inside resume */
    CHECK(until(reached, &wanted));
    turns_for(50);
    CHECK(!call_is_done(&c));
    pause_at = SIZE_MAX;
    http_client_resume(&c);
    CHECK(until(call_is_done, &c));
    CHECK_INT(c.result, 0);
    CHECK_INT((int64_t)sunk, 3000000);
    http_client_pause(&c); /* over: nothing happens */
    http_client_resume(&c);
    http_call_free(&c);
    stop_both();
}

TEST(a_stream_that_stalls_after_a_pause)
{
    listener = listen_raw();
    start_client();
    struct http_call c = call_to("GET", "/");
    c.sink = sink;
    c.stall_timeout_ms = 1000;
    sunk = pause_at = 0;
    http_client_start(client, &c);
    CHECK(accept_next());
    CHECK(raw_wait(&accepted, 20));
    raw_puts(&accepted, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none,");
    turns_for(200);
    raw_puts(&accepted, "two");
    turns_for(1500);
    CHECK(!call_is_done(&c));
    http_client_resume(&c);
    pause_at = SIZE_MAX;
    http_client_resume(&c);
    CHECK(until(call_is_done, &c));
    CHECK_INT(c.result, ERR_TIMEOUT);
    CHECK_INT((int64_t)sunk, 7);
    http_call_free(&c);
    raw_close(&accepted);
    close(listener);
    stop_client();
}

TEST(paused_calls_are_cancelled_and_die)
{
    size_t wanted = 1;
    for (int how = 0; how < 3; how++) {
        if (!start_both()) return;
        struct http_call c = call_to("GET", "/big?3000000");
        c.sink = sink;
        sunk = 0;
        pause_at = 1;
        http_client_start(client, &c);
        CHECK(until(reached, &wanted));
        turns_for(20);
        if (how == 1) http_client_resume(&c); /* and cancelled before the turn */
        if (how < 2) http_client_cancel(client, &c);
        stop_client(); /* how 2: closed under it */
        CHECK(!call_is_done(&c));
        http_call_free(&c);
        kit_stop(&k);
    }
}

TEST_MAIN()
