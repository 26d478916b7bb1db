/* standin: takes the place of the LINE platform's API for tests and benches. One thread, epoll, far
 * cheaper than what it is set beside: a bench that measures its own sink measures nothing.
 *
 * Besides the API (standin_api.h) it answers, for the test that drives it:
 *   GET  /_/calls?since=N&wait=MS&count=K&all=1   one JSON line for each call after the N-th, as soon as there are K of
 *                                            them (1) or MS have passed (0); only those answered 2xx, unless all
 *   GET  /_/stats                            counters
 *   POST /_/faults?fail=N&status=S&slow=MS&drop=N   change the faults while it runs */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/tools/standin_api.h"

#define IN_BYTES (4u << 20)      /* one request; the platform's own ceiling is 2 MB */
#define OUT_BYTES (64u << 20)    /* answers of a connection that were not yet taken; /_/calls can be long */
#define READ_BYTES 65536

struct conn {
    int fd;
    struct buf in, out;
    bool eof, closing, told_continue;
    /* A connection that waits answers nothing behind what it waits for: answers keep the order of the requests. */
    enum { READY, HOLDING, POLLING } state; /* HOLDING: out goes at due_ns. POLLING: /_/calls until due_ns */
    int64_t due_ns;
    uint64_t since, count;
    bool all;
    struct conn *next, **link; /* the list of those that wait */
    struct conn *other, **place; /* the list of all */
};

static struct {
    struct api api;
    int epoll, listener, signals;
    struct conn *waiting, *all;
    bool print, stop;
    FILE *log;
    uint64_t fail, drop, slow_ms, faultable; /* every fail-th and drop-th call; counted apart from /_/ */
    int fail_status;
    struct buf *lines; /* ring of JSON lines, one a call: number n is in lines[n % lines_max] */
    uint64_t lines_max, line_n, ok_n; /* ok_n: those answered 2xx */
    uint64_t connections;
    struct buf answer;
} S;

static const char *const reasons[] = {"OK", "Accepted"};

static void put_answer(struct conn *c, const struct call *call)
{
    const char *reason = call->status <= 202 && call->status >= 200 ? reasons[call->status == 202] : "Refused";
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", call->status, reason, call->answer->len);
    if (call->type)
        buf_printf(&c->out, "Content-Type: %s\r\n", call->type);
    if (call->request_id[0])
        buf_printf(&c->out, "X-Line-Request-Id: %s\r\n", call->request_id);
    if (call->accepted_id[0])
        buf_printf(&c->out, "X-Line-Accepted-Request-Id: %s\r\n", call->accepted_id);
    buf_puts(&c->out, "\r\n");
    buf_append(&c->out, call->answer->data, call->answer->len);
}

/* ---- what is kept of each call ---- */

static struct str unquoted(struct str s) /* for raw JSON strings that hold no escapes: tokens and ids */
{
    return s.n >= 2 && s.p[0] == '"' ? (struct str){s.p + 1, s.n - 2} : s;
}

static struct str dash(struct str s)
{
    return s.n ? s : STR("-");
}

static void put_member(struct buf *line, const char *key, struct str value)
{
    if (value.p) {
        json_put_key(line, key);
        json_put(line, value);
    }
}

static void keep_call(const struct call *call)
{
    int64_t now = clock_ns();
    S.line_n++;
    S.ok_n += call->status / 100 == 2;
    if (S.lines_max) {
        struct buf *line = &S.lines[S.line_n % S.lines_max];
        buf_clear(line);
        line->max = IN_BYTES * 2;
        buf_printf(line, "{\"n\":%" PRIu64 ",\"ns\":%" PRId64 ",\"status\":%d", S.line_n, now, call->status);
        put_member(line, "method", call->method);
        put_member(line, "path", call->path);
        put_member(line, "query", call->query);
        put_member(line, "requestId", str_of(call->request_id));
        put_member(line, "retryKey", call->retry_key);
        put_member(line, "replyToken", unquoted(call->reply_token));
        if (call->text.p) { /* a JSON string already */
            json_put_key(line, "text");
            buf_append(line, call->text.p, call->text.n);
        }
        if (call->json) {
            json_put_key(line, "body");
            buf_append(line, call->body.p, call->body.n);
        }
        buf_puts(line, "}\n");
    }
    if (S.log)
        fprintf(S.log, "%" PRId64 "\t" STR_FMT "\t" STR_FMT "\t%d\t" STR_FMT "\t" STR_FMT "\t" STR_FMT "\n", now,
                STR_ARG(call->method), STR_ARG(call->path), call->status, STR_ARG(dash(call->retry_key)),
                STR_ARG(dash(unquoted(call->reply_token))), STR_ARG(dash(call->text)));
    if (S.print)
        printf("standin: " STR_FMT " " STR_FMT " %d " STR_FMT "\n", STR_ARG(call->method), STR_ARG(call->path),
               call->status, STR_ARG(call->body));
}

/* ---- /_/ ---- */

static uint64_t query_number(struct str query, const char *name, uint64_t otherwise)
{
    size_t n = strlen(name);
    for (const char *p = query.p; p && p < query.p + query.n; p = memchr(p, '&', (size_t)(query.p + query.n - p))) {
        p += *p == '&';
        if ((size_t)(query.p + query.n - p) > n && memcmp(p, name, n) == 0 && p[n] == '=')
            return strtoull(p + n + 1, NULL, 10); /* stops at & or the space behind the target */
    }
    return otherwise;
}

/* The lines a poll asked for go to ret (may be NULL to count them only). */
static uint64_t gather(const struct conn *c, struct buf *ret)
{
    uint64_t found = 0, from = c->since + 1;
    if (S.line_n >= S.lines_max && from <= S.line_n - S.lines_max)
        from = S.line_n - S.lines_max + 1; /* older ones are gone; the reader sees it by the numbers */
    for (uint64_t n = from; n <= S.line_n; n++) {
        const struct buf *line = &S.lines[n % S.lines_max];
        if (!c->all && !strstr(line->data, "\"status\":2")) /* stands before anything a bot wrote */
            continue;
        found++;
        if (ret && buf_append(ret, line->data, line->len) != 0)
            break;
    }
    return found;
}

static void wait_until(struct conn *c, int state, int64_t due_ns)
{
    c->state = state;
    c->due_ns = due_ns;
    c->next = S.waiting;
    c->link = &S.waiting;
    if (S.waiting)
        S.waiting->link = &c->next;
    S.waiting = c;
}

static void wait_over(struct conn *c)
{
    if (c->state == READY)
        return;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->state = READY;
}

static void answer_poll(struct conn *c)
{
    struct buf body = BUF(OUT_BYTES / 2);
    struct call call = {.status = 200, .type = "application/x-ndjson", .answer = &body};
    gather(c, &body);
    put_answer(c, &call);
    buf_free(&body);
}

static void control(struct conn *c, struct call *call)
{
    call->status = 200;
    call->type = "application/json";
    if (str_is(call->path, "/_/calls") && S.lines_max) {
        c->since = query_number(call->query, "since", 0);
        c->count = query_number(call->query, "count", 1);
        c->all = query_number(call->query, "all", 0) != 0;
        if (gather(c, NULL) >= c->count)
            answer_poll(c);
        else
            wait_until(c, POLLING, clock_ns() + (int64_t)query_number(call->query, "wait", 0) * NS_PER_MS);
        return;
    }
    if (str_is(call->path, "/_/stats")) {
        const struct api *a = &S.api;
        buf_printf(call->answer, "{\"calls\":%" PRIu64 ",\"replies\":%" PRIu64 ",\"rejected\":%" PRIu64
                   ",\"pushes\":%" PRIu64 ",\"conflicts\":%" PRIu64 ",\"others\":%" PRIu64 ",\"accepted\":%" PRIu64
                   ",\"connections\":%" PRIu64 "}\n", a->calls, a->replies, a->rejected, a->pushes, a->conflicts,
                   a->others, S.ok_n, S.connections);
    } else if (str_is(call->path, "/_/faults")) {
        S.fail = query_number(call->query, "fail", S.fail);
        S.drop = query_number(call->query, "drop", S.drop);
        S.slow_ms = query_number(call->query, "slow", S.slow_ms);
        S.fail_status = (int)query_number(call->query, "status", (uint64_t)S.fail_status);
        buf_puts(call->answer, "{}");
    } else {
        api_error(call, 404, "Not found");
    }
    put_answer(c, call);
}

/* ---- connections ---- */

static void conn_close(struct conn *c)
{
    wait_over(c);
    *c->place = c->other;
    if (c->other)
        c->other->place = c->place;
    close(c->fd); /* leaves epoll by itself */
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
    S.connections--;
}

static void conn_request(struct conn *c, const struct http1 *m)
{
    const char *q = memchr(m->word[1].p, '?', m->word[1].n);
    struct call call = {.method = m->word[0], .path = m->word[1], .body = m->body, .answer = &S.answer};
    if (q) {
        call.path.n = (size_t)(q - call.path.p);
        call.query = (struct str){q + 1, m->word[1].n - call.path.n - 1};
    }
    buf_clear(&S.answer);
    if (call.path.n > 3 && memcmp(call.path.p, "/_/", 3) == 0) {
        control(c, &call);
        return;
    }
    S.faultable++;
    api_call(&S.api, &call, m, S.fail && S.faultable % S.fail == 0 ? S.fail_status : 0);
    keep_call(&call);
    if (S.drop && S.faultable % S.drop == 0) { /* carried out, and the caller never learns of it */
        c->closing = true;
        return;
    }
    put_answer(c, &call);
    if (S.slow_ms)
        wait_until(c, HOLDING, clock_ns() + (int64_t)S.slow_ms * NS_PER_MS);
}

static bool conn_write(struct conn *c) /* false: the connection is no more */
{
    while (c->out.len && c->state != HOLDING) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return true; /* edge-triggered EPOLLOUT will say */
        if (n < 0)
            return false;
        buf_consume(&c->out, (size_t)n);
    }
    return true;
}

/* Answer what has arrived whole. Frees c when it is finished. */
static void conn_work(struct conn *c)
{
    size_t used = 0;
    struct http1 m;
    if (!conn_write(c)) { /* an answer that was held back goes before the next request can hold it again */
        conn_close(c);
        return;
    }
    while (c->state == READY && !c->closing && used < c->in.len) {
        int r = http1_read(c->in.data + used, c->in.len - used, &m);
        if (r == 0 && m.wants_continue && !c->told_continue) {
            c->told_continue = true;
            buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        if (r < 0)
            c->closing = true;
        if (r <= 0)
            break;
        used += m.size;
        c->told_continue = false;
        conn_request(c, &m);
        c->closing |= m.close;
    }
    if (used)
        buf_consume(&c->in, used);
    if (!conn_write(c) || (c->state == READY && c->out.len == 0 && (c->eof || c->closing)))
        conn_close(c);
}

static void conn_event(struct conn *c, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        for (;;) {
            char *room = buf_reserve(&c->in, READ_BYTES);
            ssize_t n = room ? recv(c->fd, room, READ_BYTES, 0) : -1;
            if (n > 0)
                buf_added(&c->in, (size_t)n);
            if (n == 0 || (n < 0 && (!room || errno != EAGAIN)))
                c->eof = true;
            /* A short read has emptied the socket, but an end that came along with it is told only once. */
            if (n <= 0 || (n < READ_BYTES && !(events & (EPOLLRDHUP | EPOLLHUP))))
                break;
        }
        /* A half-closed peer may still read its answers; one that is gone must not keep a poll waiting. */
        if (c->eof && c->state != READY)
            wait_over(c);
    }
    conn_work(c);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(S.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = mem_zalloc(sizeof *c);
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
        c->fd = fd;
        buf_init(&c->in, IN_BYTES + READ_BYTES);
        buf_init(&c->out, OUT_BYTES);
        c->place = &S.all;
        if ((c->other = S.all))
            S.all->place = &c->other;
        S.all = c;
        http1_no_delay(fd);
        S.connections++;
        epoll_ctl(S.epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

/* Those that wait and need not any more. Returns ms until the next is due, -1 for none. A poll that waits for more
 * calls is looked at only when there are enough new ones. */
static int serve_waiting(void)
{
    int64_t now = clock_ns(), next = INT64_MAX;
    if (!S.waiting)
        return -1;
    for (struct conn *c = S.waiting, *after; c; c = after) {
        after = c->next;
        bool due = c->due_ns <= now;
        if (!due && c->state == POLLING)
            due = S.line_n >= c->since + c->count && gather(c, NULL) >= c->count;
        if (!due)
            continue;
        bool poll = c->state == POLLING;
        wait_over(c);
        if (poll)
            answer_poll(c);
        conn_work(c);
    }
    for (struct conn *c = S.waiting; c; c = c->next) /* only now: answering may have put it back */
        next = c->due_ns < next ? c->due_ns : next;
    return next == INT64_MAX ? -1 : next > now ? (int)((next - now) / NS_PER_MS + 1) : 0;
}

static void run(void)
{
    struct epoll_event events[256];
    while (!S.stop) {
        int timeout = serve_waiting();
        if (S.log)
            fflush(S.log);
        if (S.print)
            fflush(stdout);
        int n = epoll_wait(S.epoll, events, 256, timeout);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &S.listener)
                accept_all();
            else if (events[i].data.ptr == &S.signals)
                S.stop = true;
            else
                conn_event(events[i].data.ptr, events[i].events);
        }
    }
}

/* ---- the command line ---- */

static const char help[] =
    "usage: standin [--listen ADDR:PORT] [options]: a stand-in for the LINE platform's API\n"
    "  --print           print each call\n"
    "  --log FILE        one line a call: ns, method, path, status, retry key, reply token, first text (tabs between)\n"
    "  --token T         the only bearer token that is accepted (any)\n"
    "  --quota N         accept N pushes, then 429\n"
    "  --fail N          every Nth call is answered --status (500) and not carried out\n"
    "  --drop N          every Nth call is carried out, but its connection is closed instead of answered\n"
    "  --slow MS         answers are held back this long\n"
    "  --forget-tokens   reply tokens may be used again\n"
    "  --remember N      tokens and keys that are remembered, at least (2000000)\n"
    "  --calls N         calls that are kept for /_/calls (20000; 0: none, which is cheapest)\n"
    "  --with-parent     end when the process that started it ends\n"
    "  --quiet           do not say where it listens\n";

static int option(struct sockaddr_in *address, size_t *remember, bool *quiet, int o)
{
    switch (o) {
    case 'l': return http1_address(str_of(optarg), address) ? 0 : -1;
    case 'p': S.print = true; return 0;
    case 'L': S.log = fopen(optarg, "we"); return S.log ? 0 : -1;
    case 't': S.api.token = optarg; return 0;
    case 'Q': S.api.quota = strtoull(optarg, NULL, 10); return 0;
    case 'f': S.fail = strtoull(optarg, NULL, 10); return 0;
    case 'F': S.fail_status = (int)strtol(optarg, NULL, 10); return 0;
    case 'd': S.drop = strtoull(optarg, NULL, 10); return 0;
    case 's': S.slow_ms = strtoull(optarg, NULL, 10); return 0;
    case 'T': S.api.forget_tokens = true; return 0;
    case 'r': *remember = strtoull(optarg, NULL, 10); return 0;
    case 'c': S.lines_max = strtoull(optarg, NULL, 10); return 0;
    case 'P': prctl(PR_SET_PDEATHSIG, SIGTERM); return 0;
    case 'q': *quiet = true; return 0;
    default: return -1;
    }
}

static void serve_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    S.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &S.signals};
    epoll_ctl(S.epoll, EPOLL_CTL_ADD, S.signals, &e);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"listen", 1, 0, 'l'}, {"print", 0, 0, 'p'},  {"log", 1, 0, 'L'},           {"token", 1, 0, 't'},
        {"quota", 1, 0, 'Q'},  {"fail", 1, 0, 'f'},   {"status", 1, 0, 'F'},        {"drop", 1, 0, 'd'},
        {"slow", 1, 0, 's'},   {"remember", 1, 0, 'r'}, {"forget-tokens", 0, 0, 'T'}, {"calls", 1, 0, 'c'},
        {"quiet", 0, 0, 'q'},  {"with-parent", 0, 0, 'P'}, {0, 0, 0, 0}};
    struct sockaddr_in address;
    size_t remember = 2000000;
    bool quiet = false;
    int o;
    http1_address(STR("127.0.0.1:0"), &address);
    S.lines_max = 20000;
    S.fail_status = 500;
    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (option(&address, &remember, &quiet, o) != 0) {
            fputs(help, stderr);
            return 2;
        }
    if ((S.listener = http1_listen(&address)) < 0) {
        perror("standin: cannot listen");
        return 1;
    }
    S.epoll = epoll_create1(EPOLL_CLOEXEC);
    S.api.seed = (uint64_t)clock_ns();
    seen_init(&S.api.seen, remember ? remember : 1);
    buf_init(&S.answer, ANSWER_BYTES);
    S.lines = S.lines_max ? mem_zalloc(S.lines_max * sizeof *S.lines) : NULL;
    serve_signals();
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &S.listener};
    epoll_ctl(S.epoll, EPOLL_CTL_ADD, S.listener, &e);
    if (!quiet) {
        printf("standin: listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
        fflush(stdout);
    }
    run();
    while (S.all)
        conn_close(S.all);
    if (S.log)
        fclose(S.log);
    return 0;
}
