/* An HTTP/1.1 server on a libuv loop: libmicrohttpd in external epoll mode.
 *
 * Waiting for an answer. An answer comes later than its request, and many come at once (after a commit). A request that
 * waits is parked by returning from the access handler without a response: the library keeps its connection in the list
 * of ready ones and calls the handler again on the next pass (a call of MHD_run). That costs no system call, where
 * suspending and resuming costs four, and the connection stays watched, so a client that goes away is noticed. The
 * price: while a request is parked the library always asks to be run at once. So we decide ourselves when a pass is
 * due: when its epoll descriptor is readable, when answers are there, and a bounded number of times after either
 * (see go_on).
 *
 * The library's own timeout is off: ours are absolute, and it saves bookkeeping with every read and write. */
#include "net/http_server.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http_request.h"
#include "net/listen.h"
#include "net/tls.h"

#define SHARED 8         /* cached answers */
#define SHARED_BODY 64u  /* longest body of a cached answer */
#define STREAM_BLOCK 32768u /* bytes the library takes at once of a stream of known length */
#define PASSES 16        /* without visible progress; see go_on */
#define SLOW_MS 50

struct shared { /* a response used by many requests; only for answers without fields of their own */
    struct MHD_Response *response;
    bool close, typed;
    char type[64];
    char body[SHARED_BODY];
    size_t len;
};

struct http_server {
    struct requests q;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;       /* on the library's epoll descriptor */
    uv_timer_t settle;    /* see go_on */
    struct listener listener;
    struct tls_pair *pair; /* for new connections; NULL without TLS */
    char *cert_file, *key_file;
    unsigned max_connections, connections;
    unsigned ticks;       /* of the settle timer until it becomes slow */
    bool settling;        /* the next passes are the settle timer's */
    bool again;           /* a connection closed: at the limit the library accepts again only with the next pass */
    bool quiet, closing;
    struct shared shared[SHARED];
    unsigned next_shared;
    size_t handles;       /* to be closed before s goes */
    void (*closed)(void *user);
    void *closed_user;
};

static void stop(struct http_server *s);

/* ---- answers ---- */

static struct MHD_Response *response_new(const char *type, struct str body, bool close)
{
    /* The library copies; its declaration lacks the const. */
    struct MHD_Response *m = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    if (!m)
        abort(); /* out of memory, as in base/mem.h */
    if (type)
        MHD_add_response_header(m, "Content-Type", type);
    if (close)
        MHD_add_response_header(m, "Connection", "close");
    return m;
}

static bool shared_is(const struct shared *a, const char *type, struct str body, bool close)
{
    return a->response && a->len == body.n && a->close == close && a->typed == (type != NULL) &&
           (body.n == 0 || memcmp(a->body, body.p, body.n) == 0) && (!type || strcmp(a->type, type) == 0);
}

/* Most answers are the same few bytes without further fields: those are built once. NULL: not of that kind. */
static struct MHD_Response *response_shared(struct http_server *s, const char *type, struct str body)
{
    struct shared *a = s->shared, *end = s->shared + SHARED;
    if (body.n > SHARED_BODY || (type && strlen(type) >= sizeof a->type))
        return NULL;
    while (a < end && !shared_is(a, type, body, s->quiet))
        a++;
    if (a == end) {
        a = &s->shared[s->next_shared++ % SHARED];
        if (a->response)
            MHD_destroy_response(a->response); /* the library keeps it until the last user sent it */
        *a = (struct shared){response_new(type, body, s->quiet), s->quiet, type != NULL, "", "", body.n};
        memcpy(a->body, body.p ? body.p : "", body.n);
        snprintf(a->type, sizeof a->type, "%s", type ? type : "");
    }
    return a->response;
}

void library_resume(void *library)
{
    MHD_resume_connection(library);
}

static ssize_t on_read(void *user, uint64_t at, char *to, size_t max)
{
    struct http_request *r = user;
    (void)at;
    ssize_t n = request_read(r, to, max);
    if (n == STREAM_DRY)
        MHD_suspend_connection(r->library);
    return n == STREAM_END   ? MHD_CONTENT_READER_END_OF_STREAM
           : n == STREAM_CUT ? MHD_CONTENT_READER_END_WITH_ERROR
                             : n;
}

static struct MHD_Response *response_stream(struct http_server *s, struct http_request *r)
{
    uint64_t size = r->length == HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : r->length;
    struct MHD_Response *m = MHD_create_response_from_callback(size, STREAM_BLOCK, on_read, r, NULL);
    if (!m)
        abort();
    if (s->quiet)
        MHD_add_response_header(m, "Connection", "close");
    return m;
}

/* Hand the answer to the library; only inside its handler. */
static enum MHD_Result queue(struct http_server *s, struct http_request *r)
{
    const char *type = r->has_type ? r->head.data : NULL, *p = r->head.data;
    struct str body = buf_str(&r->answer);
    struct MHD_Response *m = r->n_fields || r->stream ? NULL : response_shared(s, type, body), *own = NULL;
    if (!m)
        m = own = r->stream ? response_stream(s, r) : response_new(type, body, s->quiet);
    if (type && r->n_fields)
        p += strlen(type) + 1;
    for (size_t i = 0; i < r->n_fields && p; i++) {
        const char *value = p + strlen(p) + 1;
        MHD_add_response_header(m, p, value);
        p = value + strlen(value) + 1;
    }
    request_sending(r);
    enum MHD_Result ok = MHD_queue_response(r->library, (unsigned)r->status, m);
    if (own)
        MHD_destroy_response(own); /* ours of two references */
    return ok;
}

/* ---- what the library calls ---- */

static enum MHD_Result on_field(void *user, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t value_len)
{
    (void)kind;
    framing_field(user, name, name_len, value, value_len);
    return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **ptr)
{
    struct http_server *s = user;
    struct http_request *r = *ptr;
    (void)url;
    if (*n) {
        request_data(r, data, *n);
        *n = 0;
        return MHD_YES;
    }
    switch (r->state) {
    case HEADERS:
        MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, &r->framing);
        return request_headers(r, method, version) ? queue(s, r) : MHD_YES;
    case BODY: /* the last call: all of it is here */
        request_complete(r);
        return r->state == ANSWERED ? queue(s, r) : MHD_YES;
    case DRAIN:
    case ANSWERED:
        return queue(s, r);
    case WRITTEN:
        return MHD_NO; /* closes the connection */
    case PARKED:
    case SENDING:
    case STREAMING:
        break;
    }
    return MHD_YES;
}

/* The request line, as it came. What is returned becomes *ptr of the handler. */
static void *on_uri(void *user, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *s = user;
    return request_new(&s->q, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context, mhd,
                       uri);
}

static void on_completed(void *user, struct MHD_Connection *mhd, void **ptr, enum MHD_RequestTerminationCode why)
{
    struct http_request *r = *ptr;
    (void)user, (void)mhd;
    *ptr = NULL;
    if (r)
        request_over(r, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **ptr, enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = user;
    struct conn *c = *ptr;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        deadline_clear(&c->deadline);
        tls_pair_release(c->pair);
        free(c);
        s->connections--;
        s->again = true;
        return;
    }
    *ptr = c = mem_zalloc(sizeof *c);
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    deadline_set(&s->q.deadlines, WAIT_IDLE, &c->deadline);
    bool refused = ++s->connections > s->max_connections;
    if (s->pair) {
        c->tls = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
        c->pair = tls_pair_hold(s->pair);
        refused |= tls_pair_use(c->pair, c->tls) != 0;
    }
    if (refused)
        shutdown(c->fd, SHUT_RDWR); /* the library sees the hang-up with its next pass and closes */
}

static size_t on_unescape(void *user, struct MHD_Connection *mhd, char *text)
{
    (void)user, (void)mhd;
    return strlen(text); /* paths are handed out as sent */
}

/* ---- the loop ---- */

/* Another pass at once? The library's own answer (a timeout of 0 while any connection is in its list of ready ones) is
 * true of every parked request and, with TLS, of a handshake that waits for the client; so it cannot be followed
 * blindly. What surely moves has been counted: answers to hand over, answers on their way and bodies (wanted). What
 * moves unseen is long headers (128 bytes a pass, once they are longer than half of a request's memory), handshakes and
 * the library's own error answers. It gets PASSES at once when nothing is parked. Else a timer gives it one pass after
 * 1 ms, two after the next, and so on up to PASSES; from then on PASSES every SLOW_MS. A busy server hardly notices the
 * first tick, a waiting one sleeps, and nothing is left lying for good. */
static bool go_on(struct http_server *s, unsigned *unseen, bool *ready)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    *ready = false;
    if (s->closing)
        return false;
    if (s->q.answered || s->q.resumed || s->again)
        return true;
    *ready = MHD_get_timeout(s->daemon, &timeout) == MHD_YES && timeout == 0;
    if (!*ready)
        return false;
    if (s->q.wanted)
        return true;
    return (s->q.parked == 0 || s->settling) && *unseen && (*unseen)--;
}

static void on_settle(uv_timer_t *t)
{
    struct http_server *s = t->data;
    s->ticks -= s->ticks > 0;
    s->settling = true;
    requests_wake(&s->q);
}

static void go(struct http_server *s)
{
    unsigned unseen = !s->settling ? PASSES : s->ticks < PASSES ? PASSES - 1 - s->ticks : 0;
    bool ready;
    s->q.running = true;
    s->q.fresh = false;
    do {
        s->again = s->q.resumed = false;
        if (s->q.wanted)
            s->q.wanted--;
        MHD_run(s->daemon);
    } while (go_on(s, &unseen, &ready));
    s->q.running = s->settling = false;
    if (s->closing)
        stop(s);
    else if (ready && s->connections > s->q.parked &&
             (!uv_is_active((uv_handle_t *)&s->settle) || (s->ticks && uv_timer_get_due_in(&s->settle) > 1)))
        uv_timer_start(&s->settle, on_settle, s->ticks ? 1 : SLOW_MS, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct http_server *s = poll->data;
    (void)status, (void)events;
    s->ticks = PASSES;
    go(s);
}

/* Hand over the answers since the last turn, all in one pass. An idle handle that is active keeps the loop from going
 * to sleep; here, that is needed when requests came in: whoever works on them in a check callback must get there. */
static void on_turn(uv_idle_t *turn)
{
    struct http_server *s = turn->data;
    uv_idle_stop(turn);
    if (!s->q.answered && !s->q.resumed && !s->settling)
        return;
    if (s->q.answered || s->q.resumed)
        s->ticks = PASSES;
    go(s);
    if (s->q.fresh && !s->closing)
        requests_wake(&s->q);
}

/* ---- start and end ---- */

static int start_library(struct http_server *s, const struct http_server_options *o)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->pair ? (void *)(uintptr_t)tls_pair_cert_text(s->pair) : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->pair ? (void *)(uintptr_t)tls_pair_key_text(s->pair) : NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    /* One place more than allowed: the connection too many is accepted and closed, rather than left waiting. */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_ALLOW_SUSPEND_RESUME;
    s->daemon = MHD_start_daemon(
        flags | (s->pair ? MHD_USE_TLS : 0u), 0, NULL, NULL, on_request, s,
        MHD_OPTION_LISTEN_SOCKET, s->listener.fd, MHD_OPTION_CONNECTION_LIMIT, s->max_connections + 1,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->max_per_client, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)LIMIT_REQUEST_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, s, MHD_OPTION_ARRAY,
        s->pair ? tls : tls + 3, MHD_OPTION_END);
    if (s->pair)
        tls_pair_forget(s->pair);
    return s->daemon ? 0 : ERR_IO;
}

static void server_free(struct http_server *s)
{
    requests_free(&s->q);
    for (unsigned i = 0; i < SHARED; i++)
        if (s->shared[i].response)
            MHD_destroy_response(s->shared[i].response);
    tls_pair_release(s->pair);
    free(s->cert_file);
    free(s->key_file);
    free(s);
}

static void start_handles(struct http_server *s, uv_loop_t *loop)
{
    uv_poll_init(loop, &s->poll, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_timer_init(loop, &s->settle);
    s->poll.data = s->settle.data = s->q.turn.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

int http_server_start(uv_loop_t *loop, const struct http_server_options *o, const struct http_callbacks *cb, void *user,
                      struct http_server **ret, char *error, size_t n)
{
    struct tls_pair *pair = NULL;
    struct listener listener;
    int rc = !o->tls_cert == !o->tls_key ? 0 : ERR_USAGE;
    if (rc)
        snprintf(error, n, "a TLS certificate needs its key, and a key its certificate; give both or neither");
    if (rc == 0 && o->tls_cert)
        rc = tls_pair_load(o->tls_cert, o->tls_key, &pair, error, n);
    if (rc == 0)
        rc = listener_open(&listener, o->listen, error, n);
    if (rc) {
        tls_pair_release(pair);
        return rc;
    }
    struct http_server *s = mem_zalloc(sizeof *s);
    s->pair = pair;
    s->listener = listener;
    s->max_connections = (unsigned)o->max_connections;
    s->cert_file = pair ? mem_strdup(o->tls_cert) : NULL;
    s->key_file = pair ? mem_strdup(o->tls_key) : NULL;
    if (start_library(s, o)) {
        snprintf(error, n, "the HTTP server on %s did not start", o->listen);
        close(s->listener.fd);
        listener_unlink(&s->listener);
        server_free(s);
        return ERR_IO;
    }
    requests_init(&s->q, loop, o, cb, user, on_turn); /* nothing is accepted before the loop runs */
    start_handles(s, loop);
    *ret = s;
    return 0;
}

int http_server_reload_tls(struct http_server *s, char *error, size_t n)
{
    struct tls_pair *pair;
    if (!s->pair)
        return 0;
    int rc = tls_pair_load(s->cert_file, s->key_file, &pair, error, n);
    if (rc)
        return rc;
    tls_pair_forget(pair);
    tls_pair_release(s->pair); /* connections that show it hold it */
    s->pair = pair;
    return 0;
}

void http_server_quiesce(struct http_server *s)
{
    if (s->quiet || s->closing)
        return;
    s->quiet = true; /* answers say Connection: close from now on */
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
    listener_unlink(&s->listener);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_server *s = handle->data;
    if (--s->handles)
        return;
    void (*closed)(void *) = s->closed;
    void *user = s->closed_user;
    server_free(s);
    if (closed)
        closed(user);
}

/* Not inside MHD_run. Ends every request, then the handles. */
static void stop(struct http_server *s)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&s->poll, (uv_handle_t *)&s->q.turn, (uv_handle_t *)&s->settle,
                              (uv_handle_t *)&s->q.deadlines.timer};
    s->q.deadlines.timer.data = s; /* its callbacks are over */
    uv_close(handles[0], on_closed); /* before its descriptor goes */
    requests_cut(&s->q);             /* none may be put aside when the library stops */
    MHD_stop_daemon(s->daemon);
    listener_unlink(&s->listener);
    s->handles = 4;
    for (size_t i = 1; i < sizeof handles / sizeof *handles; i++)
        uv_close(handles[i], on_closed);
}

void http_server_close(struct http_server *s, void (*closed)(void *user), void *user)
{
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_user = user;
    if (!s->q.running)
        stop(s);
}

/* ---- looking at things ---- */

const char *http_server_address(const struct http_server *s) { return s->listener.address; }
size_t http_server_connections(const struct http_server *s) { return s->connections; }
size_t http_server_requests(const struct http_server *s) { return s->q.begun; }

struct visit {
    void (*each)(void *user, struct str name, struct str value);
    void *user;
};

static enum MHD_Result on_visit(void *user, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t value_len)
{
    const struct visit *v = user;
    (void)kind;
    v->each(v->user, (struct str){name, name_len}, (struct str){value ? value : "", value ? value_len : 0});
    return MHD_YES;
}

void http_each_header(const struct http_request *r, void (*each)(void *user, struct str name, struct str value), void *user)
{
    struct visit v = {each, user};
    MHD_get_connection_values_n(r->library, MHD_HEADER_KIND, on_visit, &v);
}

struct str http_header(const struct http_request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    MHD_lookup_connection_value_n(r->library, MHD_HEADER_KIND, name, strlen(name), &value, &n);
    return (struct str){value, value ? n : 0};
}

/* Written out on demand: most requests are never asked. */
struct str http_client(const struct http_request *r)
{
    char *out = r->c->peer;
    const struct sockaddr *a = MHD_get_connection_info(r->library, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (!*out && a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, out, sizeof r->c->peer);
    else if (!*out && a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, out, sizeof r->c->peer);
    else if (!*out)
        snprintf(out, sizeof r->c->peer, "unix");
    return str_of(out);
}
