/* Requests of the HTTP server: their states, memory, limits and deadlines.
 *
 * Deadlines are absolute: a client that sends a byte now and then gains nothing by it.
 *
 * Refusing a body. The library cannot answer before the whole body has arrived. A small rest is read and dropped, then
 * answered, and the connection lives on. Otherwise the answer is written to the socket behind the library's back, the
 * sending side is closed, and what still comes is dropped for a moment: closing at once would make the kernel send a
 * reset that can destroy the answer on its way. */
#include "net/http_request.h"
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include "base/limits.h"
#include "base/mem.h"
#include "net/early.h"

#define DRAIN_MAX 65536u     /* a refused body of at most this is read to its end to keep the connection */
#define LINGER_MS 2000       /* after an early answer the client may go on sending for this long */
#define BODY_KEPT 16384u     /* memory for a body that a request keeps for the next one */
#define REQUESTS_KEPT 256    /* requests kept for use again */
#define STREAM_SLACK 65536u  /* bytes of a stream that were sent and still lie in front of the rest */
#define RESERVE_FIRST 65536u /* memory for a body on the client's word alone; more only as bytes arrive */

static void on_expired(void *user, unsigned list, struct deadline *d);

void requests_init(struct requests *q, uv_loop_t *loop, const struct http_server_options *o,
                   const struct http_callbacks *cb, void *user, uv_idle_cb on_turn)
{
    *q = (struct requests){.cb = *cb, .user = user, .max_body = o->max_body, .on_turn = on_turn};
    uv_idle_init(loop, &q->turn);
    q->waits[WAIT_IDLE].wait_ms = (uint64_t)o->idle_timeout_ms;
    q->waits[WAIT_BODY].wait_ms = (uint64_t)o->read_timeout_ms;
    q->waits[WAIT_LINGER].wait_ms = LINGER_MS;
    deadlines_init(&q->deadlines, loop, q->waits, WAITS, on_expired, q);
}

void requests_wake(struct requests *q)
{
    uv_idle_start(&q->turn, q->on_turn);
}

static void release(struct http_request *r)
{
    buf_free(&r->uri);
    buf_free(&r->body);
    buf_free(&r->answer);
    buf_free(&r->head);
    free(r);
}

void requests_free(struct requests *q)
{
    struct http_request *r;
    while ((r = q->free)) {
        q->free = r->next;
        release(r);
    }
}

struct http_request *request_new(struct requests *q, struct conn *c, void *library, const char *uri)
{
    struct http_request *r = q->free;
    if (r) {
        q->free = r->next;
        q->n_free--;
    } else {
        r = mem_zalloc(sizeof *r);
        buf_init(&r->uri, LIMIT_REQUEST_MEMORY);
        buf_init(&r->body, q->max_body);
        buf_init(&r->answer, SIZE_MAX / 2);
        buf_init(&r->head, SIZE_MAX / 2);
    }
    r->q = q;
    r->c = c;
    r->library = library;
    r->max_body = r->body.max = q->max_body;
    buf_puts(&r->uri, uri);
    return c->r = r;
}

/* Into the free list, with the memory of its buffers if that is little. */
static void recycle(struct http_request *r)
{
    struct requests *q = r->q;
    r->c->r = NULL;
    if (q->n_free == REQUESTS_KEPT) {
        release(r);
        return;
    }
    struct buf *bufs[] = {&r->uri, &r->body, &r->answer, &r->head};
    for (unsigned i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        buf_clear(bufs[i]);
        buf_trim(bufs[i], BODY_KEPT);
    }
    *r = (struct http_request){.uri = r->uri, .body = r->body, .answer = r->answer, .head = r->head, .next = q->free};
    q->free = r;
    q->n_free++;
}

static void set_state(struct http_request *r, enum request_state state)
{
    struct requests *q = r->q;
    q->parked += (state == PARKED) - (r->state == PARKED);
    q->answered += (state == ANSWERED) - (r->state == ANSWERED);
    q->sending += (state == SENDING) - (r->state == SENDING);
    r->state = state;
}

static void end(struct http_request *r, int status)
{
    if (!r->begun)
        return;
    r->begun = false;
    r->q->begun--;
    r->q->cb.end(r->q->user, r, status);
}

/* Answer before the body is whole, then let the connection run out: the library learns of it when the client closes,
 * when the body ends, or when LINGER_MS are over. It has written nothing of this answer itself. */
static void write_early(struct http_request *r)
{
    early_write(r->c->fd, r->c->tls, r->status, r->has_type, &r->head, r->n_fields, buf_str(&r->answer));
    set_state(r, WRITTEN);
    deadline_set(&r->q->deadlines, WAIT_LINGER, &r->c->deadline);
    end(r, r->status);
}

static void on_expired(void *user, unsigned list, struct deadline *d)
{
    struct conn *c = (struct conn *)d;
    (void)user;
    if (list == WAIT_BODY) {
        http_respond(c->r, 408, NULL, (struct str){0}, NULL, 0); /* does nothing when the answer was decided before */
        write_early(c->r);
    } else {
        shutdown(c->fd, SHUT_RDWR); /* the library sees the hang-up and closes */
    }
}

/* The answer is decided while the body is on its way. */
static bool refuse(struct http_request *r, bool first)
{
    const struct framing *f = &r->framing;
    if (first && f->expects)
        return true; /* no body is on its way: the client waits to be told */
    if (f->chunked || f->length > DRAIN_MAX)
        write_early(r);
    else if (f->length)
        deadline_set(&r->q->deadlines, WAIT_BODY, &r->c->deadline);
    return false;
}

static void decide(struct http_request *r, int status, const char *content_type, const struct http_field *fields,
                   size_t n_fields)
{
    r->status = status;
    r->has_type = content_type != NULL;
    r->n_fields = n_fields;
    if (content_type)
        buf_append(&r->head, content_type, strlen(content_type) + 1);
    for (size_t i = 0; i < n_fields; i++) {
        buf_append(&r->head, fields[i].name, strlen(fields[i].name) + 1);
        buf_append(&r->head, fields[i].value, strlen(fields[i].value) + 1);
    }
    set_state(r, r->state == PARKED ? ANSWERED : DRAIN);
    if (r->q->answered == 1 && !r->q->running)
        requests_wake(r->q);
}

void http_respond(struct http_request *r, int status, const char *content_type, struct str body,
                  const struct http_field *fields, size_t n_fields)
{
    if (r->state > BODY && r->state != PARKED)
        return; /* the first answer counts */
    buf_append(&r->answer, body.p, body.n);
    decide(r, status, content_type, fields, n_fields);
}

void framing_field(struct framing *f, const char *name, size_t name_len, const char *value, size_t value_len)
{
    if (name_len == 14 && strcasecmp(name, "Content-Length") == 0) {
        char *after;
        f->malformed |= f->has_length; /* two lengths: whoever stands between us may have believed the other one */
        f->has_length = true;
        f->length = strtoull(value, &after, 10);
        f->malformed |= after != value + value_len || *value < '0' || *value > '9';
    } else if (name_len == 17 && strcasecmp(name, "Transfer-Encoding") == 0) {
        f->malformed |= f->chunked || strcasecmp(value, "chunked") != 0;
        f->chunked = true;
    } else if (name_len == 4 && strcasecmp(name, "Host") == 0) {
        f->has_host = true;
    } else if (name_len == 6 && strcasecmp(name, "Expect") == 0) {
        f->expects = strcasecmp(value, "100-continue") == 0;
    }
}

bool request_headers(struct http_request *r, const char *method, const char *version)
{
    struct requests *q = r->q;
    struct framing *f = &r->framing;
    r->method = method;
    if (f->malformed || (f->chunked && f->has_length) || (!f->has_host && strcmp(version, "HTTP/1.0") != 0)) {
        f->chunked = true; /* where the body ends may be anyone's guess: do not look for its end */
        http_respond(r, 400, NULL, (struct str){0}, NULL, 0);
        return refuse(r, true);
    }
    r->begun = true;
    q->begun++;
    int status = q->cb.begin(q->user, r);
    if (status == 0 && f->length > r->max_body)
        status = 413;
    if (r->state == HEADERS && status)
        http_respond(r, status, NULL, (struct str){0}, NULL, 0);
    if (r->state == DRAIN)
        return refuse(r, true);
    set_state(r, BODY);
    if (f->chunked || f->length) {
        deadline_set(&q->deadlines, WAIT_BODY, &r->c->deadline);
        buf_reserve(&r->body, f->length < RESERVE_FIRST ? f->length : RESERVE_FIRST);
    }
    return false;
}

void request_data(struct http_request *r, const char *data, size_t n)
{
    struct requests *q = r->q;
    if (q->wanted == 0)
        q->wanted = 1; /* there may be more in the socket than one read took */
    if (r->state != BODY)
        return;
    if (buf_append(&r->body, data, n))
        http_respond(r, 413, NULL, (struct str){0}, NULL, 0);
    else if (q->cb.data)
        q->cb.data(q->user, r, data, n);
    if (r->state == DRAIN)
        refuse(r, false);
}

void request_complete(struct http_request *r)
{
    set_state(r, PARKED);
    deadline_clear(&r->c->deadline);
    r->q->fresh = true;
    r->q->cb.complete(r->q->user, r);
}

/* One pass to write, one to finish or to ask for more; a TLS session writes one record of 16 KiB a pass. */
static unsigned passes_for(const struct http_request *r, size_t n)
{
    return 2 + (r->c->tls ? (unsigned)(n >> 14) : 0);
}

/* ---- answers in pieces ----
 *
 * The library asks for bytes when it can send some (request_read). When there are none it puts the connection aside: an
 * idle stream then costs other requests nothing, where one that is parked would be visited with every pass. It also is
 * not watched by the library then, so that a watch of ours has to see the client leave. */

struct stream_watch { /* outlives the request by a turn of the loop: libuv still holds it */
    uv_poll_t poll;
    struct http_request *r; /* NULL once the stream is over */
};

static void resume(struct http_request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    library_resume(r->library);
    r->q->resumed = true;
    if (!r->q->running)
        requests_wake(r->q);
}

static void on_gone(uv_poll_t *poll, int status, int events)
{
    struct stream_watch *w = (struct stream_watch *)poll->data;
    (void)status, (void)events;
    uv_poll_stop(poll);
    w->r->stream_cut = true;
    resume(w->r);
}

static void watch_closed(uv_handle_t *h)
{
    free(h->data);
}

static void watch(struct http_request *r)
{
    struct stream_watch *w = mem_zalloc(sizeof *w);
    w->r = r;
    w->poll.data = w;
    if (uv_poll_init(r->q->turn.loop, &w->poll, r->c->fd)) {
        free(w);
        return; /* then its next write finds out */
    }
    uv_poll_start(&w->poll, UV_DISCONNECT, on_gone);
    r->watch = w;
}

static void stream_begin(struct http_request *r)
{
    struct requests *q = r->q;
    set_state(r, STREAMING);
    if ((r->next_stream = q->streams))
        q->streams->prev_stream = r;
    q->streams = r;
    if (r->length == HTTP_LENGTH_UNKNOWN)
        watch(r);
    if (q->wanted < 2)
        q->wanted = 2;
    deadline_set(&q->deadlines, WAIT_IDLE, &r->c->deadline);
}

static void stream_over(struct http_request *r)
{
    if (r->prev_stream)
        r->prev_stream->next_stream = r->next_stream;
    else
        r->q->streams = r->next_stream;
    if (r->next_stream)
        r->next_stream->prev_stream = r->prev_stream;
    if (!r->watch)
        return;
    uv_poll_stop(&r->watch->poll);
    uv_close((uv_handle_t *)&r->watch->poll, watch_closed);
}

ssize_t request_read(struct http_request *r, char *to, size_t max)
{
    struct requests *q = r->q;
    size_t n = r->answer.len - r->sent;
    bool dry = n == 0 && !r->stream_end && !r->stream_cut;
    if (n > max)
        n = max;
    unsigned passes = passes_for(r, n);
    if (!dry && q->wanted < passes)
        q->wanted = passes;
    if (r->stream_cut)
        return STREAM_CUT;
    if (n == 0 && r->stream_end)
        return r->length == HTTP_LENGTH_UNKNOWN && !r->stream_broken ? STREAM_END : STREAM_CUT;
    if (dry) {
        deadline_clear(&r->c->deadline); /* nothing is asked of the client */
        buf_trim(&r->answer, BODY_KEPT);
        r->suspended = true;
        return STREAM_DRY;
    }
    memcpy(to, r->answer.data + r->sent, n);
    r->sent += n;
    if (r->sent == r->answer.len || r->sent > STREAM_SLACK) {
        buf_consume(&r->answer, r->sent);
        r->sent = 0;
    }
    deadline_set(&q->deadlines, WAIT_IDLE, &r->c->deadline);
    if (q->cb.taken)
        q->cb.taken(q->user, r, n);
    return (ssize_t)n;
}

void http_respond_begin(struct http_request *r, int status, uint64_t length, const struct http_field *fields, size_t n_fields)
{
    if (r->state != PARKED)
        return;
    r->stream = true;
    r->length = length;
    decide(r, status, NULL, fields, n_fields);
}

void http_respond_data(struct http_request *r, const char *p, size_t n)
{
    if (!r->stream || r->stream_end || !n)
        return;
    buf_append(&r->answer, p, n);
    resume(r);
}

void http_respond_end(struct http_request *r)
{
    if (!r->stream)
        return;
    r->stream_end = true;
    resume(r);
}

void http_respond_cut(struct http_request *r)
{
    r->stream_broken = true;
    http_respond_end(r);
}

void requests_cut(struct requests *q)
{
    for (struct http_request *r = q->streams; r; r = r->next_stream) {
        r->stream_cut = true;
        resume(r);
    }
}

void request_sending(struct http_request *r)
{
    struct requests *q = r->q;
    if (r->stream)
        return stream_begin(r);
    unsigned passes = passes_for(r, r->answer.len);
    if (q->wanted < passes)
        q->wanted = passes;
    set_state(r, SENDING);
    deadline_set(&q->deadlines, WAIT_IDLE, &r->c->deadline);
}

void request_over(struct http_request *r, bool sent)
{
    struct requests *q = r->q;
    int status = sent && (r->state == SENDING || r->state == STREAMING) ? r->status : 0;
    if (r->state == STREAMING)
        stream_over(r);
    if (r->state != WRITTEN)
        deadline_set(&q->deadlines, WAIT_IDLE, &r->c->deadline);
    set_state(r, HEADERS); /* out of every count */
    if (q->sending == 0)
        q->wanted = 1; /* the next request may have arrived while this answer was finished */
    end(r, status);
    recycle(r);
}

/* ---- looking at a request ---- */

struct str http_method(const struct http_request *r) { return str_of(r->method); }

struct str http_path(const struct http_request *r)
{
    const char *mark = memchr(r->uri.data, '?', r->uri.len);
    return (struct str){r->uri.data, mark ? (size_t)(mark - r->uri.data) : r->uri.len};
}

struct str http_query_string(const struct http_request *r)
{
    const char *mark = memchr(r->uri.data, '?', r->uri.len);
    return mark ? (struct str){mark + 1, (size_t)(r->uri.data + r->uri.len - mark - 1)} : (struct str){0};
}

struct str http_body(const struct http_request *r) { return buf_str(&r->body); }
bool http_secure(const struct http_request *r) { return r->c->tls != NULL; }
void http_set_user(struct http_request *r, void *p) { r->user = p; }

void http_limit_body(struct http_request *r, size_t most)
{
    r->max_body = r->body.max = most;
}
void *http_user(const struct http_request *r) { return r->user; }
