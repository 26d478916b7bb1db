/* volley ADDRESS:PORT CONNECTIONS FILE: sends the HTTP requests of FILE, each as "bytes of it in decimal, line end, the
 * bytes", over so many keep-alive connections, one request at a time on each. Prints seconds, answers, and answers that
 * were not 200, and of the first such one its beginning on standard error. The requests are written beforehand, so that
 * a client costs next to nothing beside what it asks. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <signal.h>

#include "base/clock.h"
#include "tests/tools/http1.h"

#define FILE_MOST (512u << 20)
#define ANSWER_MOST (1u << 20)
#define CONNECTIONS_MOST 256

struct conn {
    int fd;
    size_t n;
    char *answer; /* ANSWER_MOST + 1 bytes */
};

static struct {
    char *at, *end; /* what is left of the file */
    unsigned long sent, done, other;
} V;

static int fail(const char *what)
{
    fprintf(stderr, "volley: %s: %s\n", what, strerror(errno));
    return 1;
}

/* The next request of the file; n 0 when there is none. */
static struct str next_request(void)
{
    char *p;
    unsigned long n = V.at < V.end ? strtoul(V.at, &p, 10) : 0;
    if (!n || *p != '\n' || n > (size_t)(V.end - p - 1))
        return (struct str){0, 0};
    V.at = p + 1 + n;
    return (struct str){p + 1, n};
}

/* One write: a request is far smaller than what a loopback socket takes, and a connection has one under way. */
static int send_next(struct conn *c)
{
    struct str r = next_request();
    if (!r.n)
        return 0;
    V.sent++;
    return write(c->fd, r.p, r.n) == (ssize_t)r.n ? 0 : fail("a request could not be sent whole");
}

static int receive(struct conn *c)
{
    struct http1 m;
    ssize_t got = read(c->fd, c->answer + c->n, ANSWER_MOST - c->n);
    if (got <= 0)
        return fail("the connection ended");
    c->n += (size_t)got;
    c->answer[c->n] = '\0';
    int whole = http1_read(c->answer, c->n, &m);
    if (whole < 0 || c->n == ANSWER_MOST)
        return fail("an answer that cannot be read");
    if (!whole)
        return 0;
    V.done++;
    if (!http1_is(m.word[1], "200") && V.other++ == 0)
        fprintf(stderr, "volley: not 200: %.300s\n", c->answer);
    c->n = 0;
    return send_next(c);
}

static int load(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = malloc(FILE_MOST);
    if (!f || !text)
        return fail(path);
    size_t n = fread(text, 1, FILE_MOST - 1, f);
    bool fine = feof(f) && !ferror(f);
    fclose(f);
    text[n] = '\0';
    V.at = text, V.end = text + n;
    return fine ? 0 : fail("the file is too long");
}

int main(int argc, char **argv)
{
    static struct conn conns[CONNECTIONS_MOST];
    struct epoll_event events[64];
    struct sockaddr_in address;
    unsigned long n = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (n < 1 || n > CONNECTIONS_MOST || !http1_address(str_of(argv[1]), &address)) {
        fprintf(stderr, "usage: volley ADDRESS:PORT CONNECTIONS FILE\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (load(argv[3]))
        return 1;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned long i = 0; i < n; i++) {
        struct conn *c = &conns[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        c->answer = malloc(ANSWER_MOST + 1);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (epoll < 0 || !c->answer || c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e))
            return fail("no connection");
        http1_no_delay(c->fd);
    }
    int64_t from = clock_ns();
    for (unsigned long i = 0; i < n; i++)
        if (send_next(&conns[i]))
            return 1;
    while (V.done < V.sent) {
        int ready = epoll_wait(epoll, events, 64, 30000);
        if (ready <= 0 && errno != EINTR)
            return fail("no answer in 30 seconds");
        for (int i = 0; i < ready; i++)
            if (receive(events[i].data.ptr))
                return 1;
    }
    printf("%.6f %lu %lu\n", (double)(clock_ns() - from) / 1e9, V.done, V.other);
    return 0;
}
