#include "host/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#define READ_CHUNK 65536u /* a read takes at most this much beyond what a frame still needs */
#define KEEP_BUFFER 262144u

struct wire {
    uv_poll_t poll;
    uv_prepare_t flush;  /* runs once before the loop sleeps, only while something waits to be written */
    int fd;
    int handles;         /* uv handles not yet closed */
    int watching;        /* UV_* events the poll is armed for */
    bool closed, lost;
    bool busy;           /* the backlog was over WIRE_BUSY */
    void (*drained)(void *user);
    void *drained_user;
    struct wire_callbacks cb;
    void *user;
    struct buf in, out;
    size_t in_from;      /* bytes of in already handed over */
};

/* ---- little-endian packing ---- */
static void put16(char *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static void put32(char *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static void put64(char *p, uint64_t v) { memcpy(p, &v, sizeof v); }
static uint32_t get32(const char *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
static uint64_t get64(const char *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are little-endian and copied as they are");

/* ---- life ---- */
static void die(struct wire *w, const char *why)
{
    if (w->lost || w->closed) return;
    w->lost = true;
    uv_poll_stop(&w->poll);
    uv_prepare_stop(&w->flush);
    w->cb.lost(w->user, why);
}

static void arm(struct wire *w, int events);

static bool type_is_known(unsigned type)
{
    if (type == WIRE_KV || type == WIRE_KV_ANSWER || type == WIRE_NEWS || type == WIRE_TRACE) return true;
    if ((type >= WIRE_WEB_REQUEST && type <= WIRE_WEB_GONE) || (type >= WIRE_WEB_ROUTES && type <= WIRE_WEB_CUT)) return true;
    return (type >= WIRE_SETTING && type <= WIRE_TOKEN) || (type >= WIRE_LOADED && type <= WIRE_RENEW);
}

/* Hand over every whole frame in the buffer. */
static void take_frames(struct wire *w)
{
    while (!w->closed && !w->lost && w->in.len - w->in_from >= WIRE_HEADER) {
        const char *h = w->in.data + w->in_from;
        uint32_t n = get32(h);
        if ((unsigned char)h[4] != WIRE_VERSION) return die(w, "a frame of a version this program does not speak");
        if (!type_is_known((unsigned char)h[5]) || h[6] || h[7]) return die(w, "a frame of unknown type");
        if (n > LIMIT_FRAME) return die(w, "a frame over the size limit");
        if (w->in.len - w->in_from - WIRE_HEADER < n) return;
        w->in_from += WIRE_HEADER + n;
        w->cb.frame(w->user, (enum wire_type)(unsigned char)h[5], (struct str){h + WIRE_HEADER, n});
    }
}

/* One read a wake-up: the poll is level-triggered, so what is left comes with the next turn and others get theirs. */
static void readable(struct wire *w)
{
    char *room = buf_reserve(&w->in, READ_CHUNK);
    if (!room) return die(w, "frames over the size limit");
    ssize_t n = read(w->fd, room, READ_CHUNK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return die(w, NULL);
    buf_added(&w->in, (size_t)n);
    take_frames(w);
    if (w->closed) return;
    buf_consume(&w->in, w->in_from);
    w->in_from = 0;
    if (!w->in.len) buf_trim(&w->in, KEEP_BUFFER);
}

static void poll_cb(uv_poll_t *p, int status, int events)
{
    struct wire *w = p->data;
    if (status < 0) return die(w, NULL);
    if (events & UV_WRITABLE) wire_flush(w);
    if ((events & UV_READABLE) && !w->lost && !w->closed) readable(w);
}

static void arm(struct wire *w, int events)
{
    if (w->watching == events || w->lost || w->closed) return;
    w->watching = events;
    uv_poll_start(&w->poll, events, poll_cb);
}

static void flush_cb(uv_prepare_t *p) { wire_flush(p->data); }

struct wire *wire_new(uv_loop_t *loop, int fd, const struct wire_callbacks *cb, void *user)
{
    struct wire *w = mem_zalloc(sizeof *w);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    w->fd = fd;
    w->cb = *cb;
    w->user = user;
    buf_init(&w->in, LIMIT_FRAME + WIRE_HEADER + READ_CHUNK + KEEP_BUFFER);
    buf_init(&w->out, LIMIT_WIRE_BACKLOG + LIMIT_FRAME + WIRE_HEADER);
    uv_poll_init(loop, &w->poll, fd);
    uv_prepare_init(loop, &w->flush);
    w->poll.data = w->flush.data = w;
    w->handles = 2;
    arm(w, UV_READABLE);
    return w;
}

static void handle_closed(uv_handle_t *h)
{
    struct wire *w = h->data;
    if (--w->handles) return;
    close(w->fd);
    buf_free(&w->in);
    buf_free(&w->out);
    free(w);
}

void wire_close(struct wire *w)
{
    if (!w || w->closed) return;
    if (!w->lost) wire_flush(w);
    w->closed = true;
    uv_close((uv_handle_t *)&w->poll, handle_closed);
    uv_close((uv_handle_t *)&w->flush, handle_closed);
}

/* ---- writing ---- */
void wire_flush(struct wire *w)
{
    uv_prepare_stop(&w->flush);
    if (w->lost || w->closed) return;
    size_t done = 0;
    while (done < w->out.len) {
        ssize_t n = write(w->fd, w->out.data + done, w->out.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) {
            buf_clear(&w->out);
            return; /* the other end is gone: the read side will say so, after what it still sent was taken */
        }
        if (n < 0) break;
        done += (size_t)n;
    }
    buf_consume(&w->out, done);
    if (w->busy && w->out.len < WIRE_BUSY && w->drained) {
        w->busy = false;
        w->drained(w->drained_user);
        uv_prepare_stop(&w->flush); /* what it sent goes with the writability asked for below */
    }
    if (!w->out.len) buf_trim(&w->out, KEEP_BUFFER);
    arm(w, w->out.len ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void wire_watch_backlog(struct wire *w, void (*drained)(void *user), void *user)
{
    w->drained = drained;
    w->drained_user = user;
}

/* Room for a frame of n payload bytes with its header filled in; NULL when it may not be sent. */
static char *frame_begin(struct wire *w, enum wire_type type, size_t n)
{
    if (w->lost || w->closed || n > LIMIT_FRAME || w->out.len > LIMIT_WIRE_BACKLOG) return NULL;
    char *p = buf_reserve(&w->out, WIRE_HEADER + n);
    if (!p) return NULL;
    put32(p, (uint32_t)n);
    p[4] = WIRE_VERSION;
    p[5] = (char)type;
    put16(p + 6, 0);
    return p + WIRE_HEADER;
}

static void frame_end(struct wire *w, size_t n)
{
    if (!w->out.len) uv_prepare_start(&w->flush, flush_cb);
    buf_added(&w->out, WIRE_HEADER + n);
    if (w->out.len >= WIRE_BUSY) w->busy = true;
}

static char *put_str(char *p, struct str s)
{
    put32(p, (uint32_t)s.n);
    if (s.n) memcpy(p + 4, s.p, s.n);
    return p + 4 + s.n;
}

int wire_send(struct wire *w, enum wire_type type, struct str payload)
{
    char *p = frame_begin(w, type, payload.n);
    if (!p) return ERR_TOOBIG;
    if (payload.n) memcpy(p, payload.p, payload.n);
    frame_end(w, payload.n);
    return 0;
}

int wire_send_parts(struct wire *w, enum wire_type type, const struct str *parts, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += parts[i].n;
    char *p = frame_begin(w, type, sum);
    if (!p) return ERR_TOOBIG;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n) memcpy(p, parts[i].p, parts[i].n);
        p += parts[i].n;
    }
    frame_end(w, sum);
    return 0;
}

int wire_send_strings(struct wire *w, enum wire_type type, struct str a, struct str b)
{
    size_t n = 4 + a.n + (b.p ? 4 + b.n : 0);
    char *p = frame_begin(w, type, n);
    if (!p) return ERR_TOOBIG;
    p = put_str(p, a);
    if (b.p) put_str(p, b);
    frame_end(w, n);
    return 0;
}

int wire_send_u32(struct wire *w, enum wire_type type, uint32_t v)
{
    return wire_send(w, type, (struct str){(const char *)&v, sizeof v});
}

int wire_send_event(struct wire *w, const struct wire_event *e)
{
    size_t n = 8 + 4 + 1 + 4 + e->id.n + 4 + e->body.n;
    char *p = frame_begin(w, WIRE_EVENT, n);
    if (!p) return ERR_TOOBIG;
    put64(p, e->seq);
    put32(p + 8, e->attempt);
    p[12] = e->rerun;
    put_str(put_str(p + 13, e->id), e->body);
    frame_end(w, n);
    return 0;
}

int wire_send_done(struct wire *w, const struct wire_done *d)
{
    struct str why = {d->why.p, d->why.n > LIMIT_ERROR_TEXT ? LIMIT_ERROR_TEXT : d->why.n};
    size_t n = 8 + 1 + 8 + 4 + why.n;
    char *p = frame_begin(w, WIRE_DONE, n);
    if (!p) return ERR_TOOBIG;
    put64(p, d->seq);
    p[8] = (char)d->outcome;
    put64(p + 9, d->micros);
    put_str(p + 17, why);
    frame_end(w, n);
    return 0;
}

size_t wire_backlog(const struct wire *w) { return w->out.len; }
bool wire_is_lost(const struct wire *w) { return w->lost || w->closed; }

/* ---- reading payloads ---- */
static int take_str(struct str *from, struct str *ret)
{
    if (from->n < 4) return ERR_SYNTAX;
    uint32_t n = get32(from->p);
    if (from->n - 4 < n) return ERR_SYNTAX;
    *ret = (struct str){from->p + 4, n};
    from->p += 4 + n;
    from->n -= 4 + n;
    return 0;
}

int wire_read_strings(struct str payload, struct str *a, struct str *b)
{
    struct str one, two = {0, 0};
    if (take_str(&payload, &one) || (b && take_str(&payload, &two)) || payload.n) return ERR_SYNTAX;
    *a = one;
    if (b) *b = two;
    return 0;
}

int wire_read_u32(struct str payload, uint32_t *v)
{
    if (payload.n != 4) return ERR_SYNTAX;
    *v = get32(payload.p);
    return 0;
}

int wire_read_event(struct str payload, struct wire_event *e)
{
    struct wire_event r;
    if (payload.n < 13) return ERR_SYNTAX;
    r.seq = get64(payload.p);
    r.attempt = get32(payload.p + 8);
    r.rerun = payload.p[12] != 0;
    payload = (struct str){payload.p + 13, payload.n - 13};
    if (take_str(&payload, &r.id) || take_str(&payload, &r.body) || payload.n) return ERR_SYNTAX;
    *e = r;
    return 0;
}

int wire_read_done(struct str payload, struct wire_done *d)
{
    struct wire_done r;
    if (payload.n < 17) return ERR_SYNTAX;
    r.seq = get64(payload.p);
    r.outcome = (uint8_t)payload.p[8];
    r.micros = get64(payload.p + 9);
    payload = (struct str){payload.p + 17, payload.n - 17};
    if (r.outcome > WIRE_DONE_BROKE || take_str(&payload, &r.why) || payload.n) return ERR_SYNTAX;
    *d = r;
    return 0;
}
