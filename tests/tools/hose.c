/* hose: sends signed webhooks as the LINE platform would, one or a million, and says how they were answered.
 *
 * Texts read "c12 n345": chat 12's 345th event. A chat belongs to one connection and its next event is built only when
 * the last one was answered, so whoever sees n run backwards has found a fault of the receiver. With --retry an event
 * that was not answered 200 is redelivered, as the platform does, until it is. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "line/signature.h"
#include "tests/tools/hose_event.h"
#include "tests/tools/http1.h"

#define BODY_BYTES (1u << 20) /* a receiver refuses more */
#define ANSWER_BYTES (1u << 20)
#define RETRY_NS (20 * NS_PER_MS) /* far sooner than the platform: a test has no minutes to spare */

struct conn {
    int fd; /* -1: none; made when there is something to send */
    enum { IDLE, BUSY, RESTING } state; /* RESTING: its request is sent again at again_ns */
    struct buf in, out;
    size_t written;
    struct event *events; /* of the request under way: per_webhook of them */
    size_t n_events;
    uint64_t chat;        /* the next of its own chats: first, first + connections, … */
    bool redelivery;
    int64_t sent_ns, first_ns, again_ns;
};

static struct {
    struct sockaddr_in address;
    struct str host, path, secret;
    struct source source;
    uint64_t connections, chats, per_webhook, count;
    double rate, seconds;
    bool retry, quiet;
    int64_t timeout_ns, give_up_ns;
    const char *say;          /* one event: this text, or own; what it is does not matter then */
    struct buf own;           /* members of an event that is no text message */
    FILE *record;
    int epoll;
    struct conn *conns, **idle; /* idle: a ring, so that all connections take their turn */
    uint64_t idle_from, idle_n;
    uint32_t *next; /* of each chat: the next event's n */
    struct buf body;
    int64_t start_ns, next_check_ns, last_ack_ns;
    uint64_t started, busy; /* requests begun; requests not yet settled */
    uint64_t sent, acked, lost, redelivered, statuses[600];
    struct histogram ack;
} H;

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

/* ---- one request ---- */

static void conn_write(struct conn *c);

static void conn_connect(struct conn *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    http1_no_delay(c->fd);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    epoll_ctl(H.epoll, EPOLL_CTL_ADD, c->fd, &e);
    if (connect(c->fd, (struct sockaddr *)&H.address, sizeof H.address) == 0 || errno == EINPROGRESS)
        return; /* EPOLLOUT, or an error, will come */
    close(c->fd);
    c->fd = -1;
}

static void conn_build(struct conn *c)
{
    char signature[45];
    buf_clear(&H.body);
    buf_puts(&H.body, "{\"destination\":\"Ub0700000000000000000000000000000\",\"events\":[");
    for (size_t i = 0; i < c->n_events; i++) {
        if (i)
            buf_putc(&H.body, ',');
        event_put(&H.body, &c->events[i], &H.source, c->redelivery, H.say, buf_str(&H.own));
    }
    buf_puts(&H.body, "]}");
    signature_make(H.secret, buf_str(&H.body), signature);
    buf_clear(&c->out);
    buf_printf(&c->out, "POST " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\nUser-Agent: LineBotWebhook/2.0\r\n"
               "Content-Type: application/json; charset=utf-8\r\nx-line-signature: %s\r\nContent-Length: %zu\r\n\r\n",
               STR_ARG(H.path), STR_ARG(H.host), signature, H.body.len);
    buf_append(&c->out, H.body.data, H.body.len);
}

static void conn_send(struct conn *c)
{
    conn_build(c);
    buf_clear(&c->in);
    c->state = BUSY;
    c->written = 0;
    c->sent_ns = clock_ns();
    H.sent++;
    if (c->fd < 0)
        conn_connect(c);
    else
        conn_write(c);
}

/* The next events of this connection's chats. */
static void conn_start(struct conn *c)
{
    c->n_events = H.per_webhook;
    if (H.count && H.count - H.started < c->n_events)
        c->n_events = H.count - H.started;
    for (size_t i = 0; i < c->n_events; i++) {
        event_make(&c->events[i], c->chat, ++H.next[c->chat]);
        c->chat += H.connections;
        if (c->chat >= H.chats)
            c->chat %= H.connections;
    }
    H.started += c->n_events;
    H.busy++;
    c->redelivery = false;
    c->first_ns = clock_ns();
    conn_send(c);
}

static void conn_idle(struct conn *c)
{
    c->state = IDLE;
    H.idle[(H.idle_from + H.idle_n++) % H.connections] = c;
    H.busy--;
}

static void conn_drop(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
}

/* The request was answered with status, or (0) its connection is gone. */
static void conn_settle(struct conn *c, int status)
{
    int64_t now = clock_ns(), took = now - c->sent_ns;
    H.statuses[status]++;
    if (status == 200) {
        H.acked += c->n_events;
        H.last_ack_ns = now;
        histogram_add(&H.ack, (uint64_t)took);
        for (size_t i = 0; H.record && i < c->n_events; i++)
            fprintf(H.record, "%s %" PRIu64 " %" PRIu32 " %d %" PRId64 " %" PRId64 "\n", c->events[i].id,
                    H.source.chat_base + c->events[i].chat, c->events[i].n, status, took, c->first_ns);
        conn_idle(c);
    } else if (H.retry) {
        c->state = RESTING;
        c->again_ns = now + RETRY_NS;
    } else {
        H.lost += c->n_events;
        conn_idle(c);
    }
}

static void conn_write(struct conn *c)
{
    while (c->written < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->written, c->out.len - c->written, MSG_NOSIGNAL);
        if (n < 0)
            return; /* not yet, or an error that the next event tells */
        c->written += (size_t)n;
    }
}

/* 1: the answer is whole (m is it); 0: not yet; -1: the connection is gone. */
static int conn_read(struct conn *c, struct http1 *m)
{
    for (;;) {
        char *room = buf_reserve(&c->in, 4096);
        ssize_t n = room ? recv(c->fd, room, 4096, 0) : 0;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        if (n == 0)
            return -1;
        buf_added(&c->in, (size_t)n);
        int r = http1_read(c->in.data, c->in.len, m);
        if (r)
            return r;
    }
}

static void conn_event(struct conn *c, uint32_t events)
{
    struct http1 m;
    if (c->fd < 0)
        return; /* dropped earlier in this turn */
    if (c->state == BUSY && events & EPOLLOUT)
        conn_write(c);
    int r = conn_read(c, &m);
    bool ended = r < 0 || (events & (EPOLLHUP | EPOLLERR));
    if (c->state != BUSY || (r == 0 && !ended)) {
        if (ended)
            conn_drop(c); /* an idle connection that the receiver closed */
        return;
    }
    int status = r > 0 ? (int)strtol(m.word[1].p, NULL, 10) : 0;
    if (H.say && r > 0 && !H.quiet)
        printf("hose: " STR_FMT " " STR_FMT " " STR_FMT "\n", STR_ARG(m.word[1]), STR_ARG(m.word[2]), STR_ARG(m.body));
    if (ended || m.close)
        conn_drop(c);
    conn_settle(c, status < 100 || status > 599 ? 0 : status);
}

/* ---- all of them ---- */

static bool more_to_start(int64_t now)
{
    return !stop && (!H.count || H.started < H.count) && (H.seconds <= 0 || now - H.start_ns < H.seconds * NS_PER_S);
}

/* Give work to idle connections, as far as count, time and rate allow. Returns ms until there may be more. */
static int start_some(void)
{
    int64_t now = clock_ns();
    while (H.idle_n && more_to_start(now)) {
        if (H.rate > 0) {
            double due = (double)(now - H.start_ns) * H.rate / NS_PER_S;
            if ((double)H.started >= due)
                return (int)(((double)H.started - due) / H.rate * 1000) + 1;
        }
        struct conn *c = H.idle[H.idle_from];
        H.idle_from = (H.idle_from + 1) % H.connections;
        H.idle_n--;
        conn_start(c);
    }
    return 10;
}

/* Every 5 ms at most: what must be sent again, and what has waited too long. */
static void check_all(void)
{
    int64_t now = clock_ns();
    if (now < H.next_check_ns)
        return;
    H.next_check_ns = now + 5 * NS_PER_MS;
    for (uint64_t i = 0; i < H.connections; i++) {
        struct conn *c = &H.conns[i];
        if (c->state == BUSY && (c->fd < 0 || now - c->sent_ns > H.timeout_ns)) {
            if (c->fd >= 0)
                conn_drop(c);
            conn_settle(c, 0);
        } else if (c->state == RESTING && now >= c->again_ns) {
            c->redelivery = true;
            H.redelivered++;
            conn_send(c);
        }
    }
    if (H.retry && H.busy && now - H.last_ack_ns > H.give_up_ns)
        stop = 2;
}

static void run(void)
{
    struct epoll_event events[256];
    H.start_ns = H.last_ack_ns = clock_ns();
    while (stop != 2 && (H.busy || more_to_start(clock_ns()))) {
        int timeout = start_some();
        check_all();
        if (H.record)
            fflush(H.record);
        int n = epoll_wait(H.epoll, events, 256, timeout < 10 ? timeout : 10);
        for (int i = 0; i < n; i++)
            conn_event(events[i].data.ptr, events[i].events);
    }
}

static void report(void)
{
    double seconds = (double)(clock_ns() - H.start_ns) / NS_PER_S;
    printf("{\"sent\":%" PRIu64 ",\"events\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"redelivered\":%" PRIu64 ",\"statuses\":{", H.sent, H.started, H.acked, H.lost, H.redelivered);
    for (int i = 0, n = 0; i < 600; i++)
        if (H.statuses[i])
            printf("%s\"%d\":%" PRIu64, n++ ? "," : "", i, H.statuses[i]);
    printf("},\"seconds\":%.3f,\"per_second\":%.1f,\"ack_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
           seconds, (double)H.acked / seconds, histogram_ms(&H.ack, 0.5), histogram_ms(&H.ack, 0.9),
           histogram_ms(&H.ack, 0.99), (double)H.ack.max / 1e6);
}

/* ---- the command line ---- */

static const char help[] =
    "usage: hose --url http://127.0.0.1:3000/webhook [--secret S] [options]: sends signed webhooks\n"
    "  --secret S        channel secret (else LINE_CHANNEL_SECRET)\n"
    "  --say TEXT        one text message; prints the answer; exit status 0 if it was 200\n"
    "  --tap DATA        the same with a postback, as a tap on a button sends one\n"
    "  --event JSON      the same with {\"type\":…} and what belongs to the type; ids, source and reply token are added\n"
    "  --connections C   (1)      --count N    events in all\n"
    "  --rate R          events a second; without it each connection sends as soon as it is answered\n"
    "  --seconds S       how long to begin new ones\n"
    "  --chats K         senders, each a chat (4 a connection)\n"
    "  --chat-base N     number of the first chat (0)\n"
    "  --group           chats are groups, each with one member\n"
    "  --per-webhook E   events in one request (1)\n"
    "  --record FILE     a line for each acknowledged event: id, chat, n, status, ack ns, first sent ns\n"
    "  --retry           redeliver what was not answered 200 until it is\n"
    "  --timeout MS      of one request (10000)\n"
    "  --give-up S       with --retry: end after so long without a 200 (60)\n"
    "  --with-parent     end when the process that started it ends\n"
    "  --quiet           print nothing\n"
    "Ends with one JSON line; exit status 0 if every event was acknowledged.\n";

#define OPT_TAP 256 /* behind the letters */

static bool set_url(const char *url)
{
    if (strncmp(url, "http://", 7) != 0)
        return false;
    const char *host = url + 7, *slash = strchr(host, '/');
    H.host = (struct str){host, slash ? (size_t)(slash - host) : strlen(host)};
    H.path = slash ? str_of(slash) : STR("/");
    return http1_address(H.host, &H.address);
}

/* The postback of a button. */
static bool own_tap(const char *data)
{
    buf_init(&H.own, BODY_BYTES);
    buf_puts(&H.own, "\"type\":\"postback\",\"postback\":{\"data\":");
    json_put(&H.own, str_of(data));
    buf_putc(&H.own, '}');
    return true;
}

/* The members of an object. */
static bool own_event(struct str json)
{
    while (json.n && strchr(" \n\t", json.p[json.n - 1]))
        json.n--;
    while (json.n && strchr(" \n\t", *json.p))
        json.p++, json.n--;
    if (json.n < 3 || *json.p != '{' || json.p[json.n - 1] != '}')
        return false;
    buf_init(&H.own, BODY_BYTES);
    buf_append(&H.own, json.p + 1, json.n - 2);
    return true;
}

static bool option(int o)
{
    switch (o) {
    case 'u': return set_url(optarg);
    case 's': H.secret = str_of(optarg); return true;
    case 'S': H.say = optarg; return true;
    case OPT_TAP: H.say = optarg; return own_tap(optarg);
    case 'E': H.say = optarg; return own_event(str_of(optarg));
    case 'c': H.connections = strtoull(optarg, NULL, 10); return true;
    case 'r': H.rate = strtod(optarg, NULL); return true;
    case 'n': H.count = strtoull(optarg, NULL, 10); return true;
    case 't': H.seconds = strtod(optarg, NULL); return true;
    case 'k': H.chats = strtoull(optarg, NULL, 10); return true;
    case 'b': H.source.chat_base = strtoull(optarg, NULL, 10); return true;
    case 'g': H.source.group = true; return true;
    case 'e': H.per_webhook = strtoull(optarg, NULL, 10); return true;
    case 'R': H.record = fopen(optarg, "we"); return H.record != NULL;
    case 'y': H.retry = true; return true;
    case 'T': H.timeout_ns = strtoll(optarg, NULL, 10) * NS_PER_MS; return true;
    case 'G': H.give_up_ns = strtoll(optarg, NULL, 10) * NS_PER_S; return true;
    case 'P': prctl(PR_SET_PDEATHSIG, SIGTERM); return true;
    case 'q': H.quiet = true; return true;
    default: return false;
    }
}

static bool options(int argc, char **argv)
{
    static const struct option longs[] = {
        {"url", 1, 0, 'u'},       {"secret", 1, 0, 's'},  {"say", 1, 0, 'S'},         {"tap", 1, 0, OPT_TAP},
        {"event", 1, 0, 'E'},     {"connections", 1, 0, 'c'},
        {"rate", 1, 0, 'r'},      {"count", 1, 0, 'n'},   {"seconds", 1, 0, 't'},     {"chats", 1, 0, 'k'},
        {"chat-base", 1, 0, 'b'}, {"group", 0, 0, 'g'},   {"per-webhook", 1, 0, 'e'}, {"record", 1, 0, 'R'},
        {"retry", 0, 0, 'y'},     {"timeout", 1, 0, 'T'}, {"give-up", 1, 0, 'G'},     {"with-parent", 0, 0, 'P'},
        {"quiet", 0, 0, 'q'},     {0, 0, 0, 0}};
    int o;
    H.connections = H.per_webhook = 1;
    H.timeout_ns = 10 * NS_PER_S;
    H.give_up_ns = 60 * NS_PER_S;
    H.secret = str_of(getenv("LINE_CHANNEL_SECRET"));
    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (!option(o))
            return false;
    if (H.say)
        H.connections = H.chats = H.per_webhook = H.count = 1;
    if (!H.chats)
        H.chats = H.connections * 4;
    if (H.connections > H.chats)
        H.connections = H.chats; /* a chat belongs to one connection, so more would have nothing to send */
    /* 4096 bytes an event is generous, and keeps the body within its ceiling. */
    return H.host.p && H.secret.n && H.connections && H.per_webhook && H.per_webhook <= BODY_BYTES / 1024 &&
           (H.count || H.seconds > 0);
}

int main(int argc, char **argv)
{
    if (!options(argc, argv)) {
        fputs(help, stderr);
        return 2;
    }
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    H.epoll = epoll_create1(EPOLL_CLOEXEC);
    H.conns = mem_zalloc(H.connections * sizeof *H.conns);
    H.idle = mem_alloc(H.connections * sizeof *H.idle);
    H.next = mem_zalloc(H.chats * sizeof *H.next);
    buf_init(&H.body, BODY_BYTES);
    event_begin();
    for (uint64_t i = 0; i < H.connections; i++) {
        struct conn *c = &H.conns[i];
        c->fd = -1;
        c->chat = i;
        c->events = mem_zalloc(H.per_webhook * sizeof *c->events);
        buf_init(&c->in, ANSWER_BYTES);
        buf_init(&c->out, BODY_BYTES + 4096);
        H.idle[H.idle_n++] = c;
    }
    run();
    if (H.record)
        fclose(H.record);
    if (!H.say && !H.quiet)
        report();
    if (H.say && H.statuses[0])
        fprintf(stderr, "hose: no answer from " STR_FMT "\n", STR_ARG(H.host));
    return H.acked == H.started && H.acked ? 0 : 1;
}
