/* For the tests of net/: a server in the test's own loop, raw clients that never block, and turns of the loop until
 * something is so. Everything on 127.0.0.1, ports chosen by the system. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/http_server.h"
#include "test.h"

#define KIT_PATIENCE_MS 8000 /* until() gives up after this */

static uv_loop_t loop;

__attribute__((constructor)) static void kit_loop_init(void) { uv_loop_init(&loop); }

static void kit_nudge(uv_timer_t *t) { (void)t; }

/* Close a handle that lives on the caller's stack: it must be gone before the caller is. */
static inline void kit_close_handle(void *handle)
{
    uv_close(handle, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* Run the loop until cond(arg) or until patience is over. Returns what cond last said. */
static inline bool until(bool (*cond)(void *), void *arg)
{
    int64_t end = clock_ns() + KIT_PATIENCE_MS * NS_PER_MS;
    uv_timer_t t;
    bool ok;
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, kit_nudge, 5, 5); /* conditions outside the loop (a raw socket's bytes) are seen soon */
    while (!(ok = cond(arg)) && clock_ns() < end)
        uv_run(&loop, UV_RUN_ONCE);
    kit_close_handle(&t);
    return ok;
}

/* ---- raw client ---- */

struct raw {
    int fd;
    struct buf in;
    bool eof; /* the other side closed, orderly or not */
    size_t want;
};

static inline struct raw raw_connect(const char *address)
{
    struct raw r = {.fd = -1, .in = BUF(16u << 20)};
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        snprintf(un.sun_path, sizeof un.sun_path, "%s", address + 5);
        r.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(r.fd, (struct sockaddr *)&un, sizeof un))
            FAIL("connect %s: %s", address, strerror(errno));
    } else {
        bool six = address[0] == '[';
        uint16_t port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        r.fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(r.fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, six ? sizeof v6 : sizeof v4))
            FAIL("connect %s: %s", address, strerror(errno));
    }
    fcntl(r.fd, F_SETFL, O_NONBLOCK);
    return r;
}

/* All of it, with turns of the loop while the socket is full; false when the other side does not take it. */
static inline bool raw_send(struct raw *r, const char *p, size_t n)
{
    int64_t end = clock_ns() + KIT_PATIENCE_MS * NS_PER_MS;
    while (n && clock_ns() < end) {
        ssize_t w = send(r->fd, p, n, MSG_NOSIGNAL);
        if (w < 0 && errno != EAGAIN)
            return false;
        p += w > 0 ? w : 0;
        n -= w > 0 ? (size_t)w : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    return n == 0;
}

static inline bool raw_puts(struct raw *r, const char *s) { return raw_send(r, s, strlen(s)); }

static inline void raw_read(struct raw *r)
{
    char bytes[65536];
    ssize_t n = 0;
    while (!r->eof && (n = recv(r->fd, bytes, sizeof bytes, 0)) > 0)
        buf_append(&r->in, bytes, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        r->eof = true;
}

static inline bool raw_closed_(void *p)
{
    raw_read(p);
    return ((struct raw *)p)->eof;
}

static inline bool raw_has_(void *p)
{
    struct raw *r = p;
    raw_read(r);
    return r->eof || r->in.len >= r->want;
}

static inline size_t raw_count(struct raw *r, const char *s)
{
    size_t n = 0;
    for (const char *p = r->in.data; p && (p = strstr(p, s)); p++)
        n++;
    return n;
}

/* Bytes up to the end, or n of them. */
static inline bool raw_wait_close(struct raw *r) { return until(raw_closed_, r); }

static inline bool raw_wait(struct raw *r, size_t n)
{
    r->want = n;
    return until(raw_has_, r) && r->in.len >= n;
}

/* One whole answer: status, then the headers and the body (by its Content-Length); what was read is dropped. 0: none. */
static inline int raw_answer(struct raw *r, char *body, size_t room)
{
    int64_t end = clock_ns() + KIT_PATIENCE_MS * NS_PER_MS;
    if (room)
        *body = 0;
    for (;;) {
        char *stop = r->in.data ? strstr(r->in.data, "\r\n\r\n") : NULL;
        char *length = stop ? strcasestr(r->in.data, "content-length:") : NULL;
        size_t n = length && length < stop ? strtoul(length + 15, NULL, 10) : 0;
        if (stop && r->in.len >= (size_t)(stop + 4 - r->in.data) + n) {
            int status = (int)strtol(r->in.data + 9, NULL, 10);
            if (room)
                snprintf(body, room, "%.*s", (int)n, stop + 4);
            buf_consume(&r->in, (size_t)(stop + 4 - r->in.data) + n);
            return status;
        }
        if (r->eof || clock_ns() > end)
            return 0;
        raw_wait(r, r->in.len + 1);
    }
}

static inline void raw_close(struct raw *r)
{
    close(r->fd);
    buf_free(&r->in);
}

/* ---- server ---- */

struct kit {
    struct http_server *server;
    struct http_request *parked[512];
    int n_parked;
    bool park;         /* complete() leaves the request to answer_all */
    int refuse;        /* what begin() returns */
    int begun, ended, completed;
    int last_status;   /* of the last end() */
    size_t data_bytes, taken;
    char seen[1024];   /* method path query header body client of the last request */
    bool closed;
    uv_check_t check;
    bool answer_in_check;
};

static inline int kit_begin(void *user, struct http_request *r)
{
    struct kit *k = user;
    k->begun++;
    http_set_user(r, k);
    return k->refuse;
}

static inline void kit_data(void *user, struct http_request *r, const char *p, size_t n)
{
    (void)r, (void)p;
    ((struct kit *)user)->data_bytes += n;
}

/* Echoes the body; /fields has fields, /big?N answers N bytes. */
static inline void kit_answer(struct http_request *r)
{
    struct str body = http_body(r), path = http_path(r), query = http_query_string(r);
    if (str_is(path, "/fields")) {
        const struct http_field fields[] = {{"Allow", "POST"}, {"X-Two", "2"}};
        http_respond(r, 405, "text/plain", STR("no"), fields, 2);
    } else if (str_is(path, "/big")) {
        size_t n = query.n ? strtoul(query.p, NULL, 10) : 0;
        char *big = malloc(n);
        memset(big, 'b', n);
        http_respond(r, 200, "text/plain", (struct str){big, n}, NULL, 0);
        free(big);
    } else {
        http_respond(r, 200, "text/plain", body, NULL, 0);
    }
}

static inline void kit_complete(void *user, struct http_request *r)
{
    struct kit *k = user;
    struct str m = http_method(r), p = http_path(r), q = http_query_string(r), b = http_body(r), c = http_client(r);
    struct str h = http_header(r, "x-line-SIGNATURE");
    k->completed++;
    snprintf(k->seen, sizeof k->seen, "%.*s %.*s %.*s %.*s %.*s %.*s", (int)m.n, m.p, (int)p.n, p.p, (int)q.n,
             q.p ? q.p : "", (int)h.n, h.p ? h.p : "", (int)b.n, b.p ? b.p : "", (int)c.n, c.p);
    if (k->park && k->n_parked < 512)
        k->parked[k->n_parked++] = r;
    else
        kit_answer(r);
}

static inline void kit_end(void *user, struct http_request *r, int status)
{
    struct kit *k = user;
    if (http_user(r) != k)
        FAIL("http_user of an ending request is %p", http_user(r));
    k->ended++;
    k->last_status = status;
    for (int i = 0; i < k->n_parked; i++)
        if (k->parked[i] == r)
            k->parked[i] = k->parked[--k->n_parked];
}

static inline void kit_taken(void *user, struct http_request *r, size_t n)
{
    (void)r;
    ((struct kit *)user)->taken += n;
}

static inline void kit_answer_all(struct kit *k)
{
    int n = k->n_parked;
    k->n_parked = 0;
    for (int i = 0; i < n; i++)
        kit_answer(k->parked[i]);
}

static inline void kit_on_check(uv_check_t *c) { kit_answer_all(c->data); }

static const struct http_callbacks kit_callbacks = {kit_begin, kit_data, kit_complete, kit_end, kit_taken};

static inline struct http_server_options kit_options(void)
{
    return (struct http_server_options){.listen = "127.0.0.1:0", .max_connections = 300, .max_per_client = 300,
                                        .max_body = 100000, .read_timeout_ms = 5000, .idle_timeout_ms = 5000};
}

static inline bool kit_start(struct kit *k, const struct http_server_options *o)
{
    char error[256];
    *k = (struct kit){.last_status = -1};
    if (http_server_start(&loop, o, &kit_callbacks, k, &k->server, error, sizeof error) == 0)
        return true;
    FAIL("start: %s", error);
    return false;
}

static inline void kit_closed(void *user) { ((struct kit *)user)->closed = true; }
static inline bool kit_is_closed(void *user) { return ((struct kit *)user)->closed; }

/* Also checks that every request that began has ended and that the loop has nothing left. */
static inline void kit_stop(struct kit *k)
{
    http_server_close(k->server, kit_closed, k);
    CHECK(until(kit_is_closed, k));
    CHECK_INT(k->begun, k->ended);
    uv_run(&loop, UV_RUN_NOWAIT);
    CHECK_INT(uv_loop_alive(&loop), 0);
}
