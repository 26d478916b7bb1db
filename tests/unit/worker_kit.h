/* A worker in a child process, spoken to over wire.h as the host does: for tests of everything behind worker_main. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "test.h"
#include "base/clock.h"
#include "base/limits.h"
#include "bindings/worker.h"
#include "host/page.h"
#include "host/wire.h"

#define KIT_WAIT_MS 15000 /* for one frame; far beyond what any takes */

struct kit {
    pid_t pid;
    int fd, log_fd;
    struct worker_page *page;
    char dir[64];
    char *in;                   /* bytes read, whole frames at the front */
    size_t in_n, in_cap;
    char *log;                  /* what it wrote to standard error */
    size_t log_n;
    char probed[8192];          /* paths of PROBED and LOADED frames, one a line, P or L before them */
    char why[LIMIT_ERROR_TEXT + 1]; /* text of the last frame that had one, NUL-terminated */
    struct wire_done done;
    uint32_t handlers;
    char web[80000];            /* payload of the last frame about a request */
    size_t web_n;
};

static inline void kit_write(struct kit *k, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t m = send(k->fd, at, n, MSG_NOSIGNAL);
        if (m < 0 && errno == EINTR) continue;
        if (m <= 0) return;
        at += m;
        n -= (size_t)m;
    }
}

static inline void kit_send(struct kit *k, enum wire_type type, const void *payload, size_t n)
{
    unsigned char h[WIRE_HEADER] = {n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff, n >> 24 & 0xff, WIRE_VERSION, type, 0, 0};
    kit_write(k, h, sizeof h);
    kit_write(k, payload, n);
}

static inline size_t kit_put(char *p, const char *s, size_t n)
{
    uint32_t length = (uint32_t)n;
    memcpy(p, &length, 4);
    memcpy(p + 4, s, n);
    return 4 + n;
}

static inline void kit_leave_within(struct kit *k, uint32_t patience_ms)
{
    kit_send(k, WIRE_LEAVE, &patience_ms, sizeof patience_ms);
}

static inline void kit_leave(struct kit *k) { kit_leave_within(k, 0); }

static inline void kit_strings(struct kit *k, enum wire_type type, const char *a, const char *b)
{
    size_t n = 8 + strlen(a) + strlen(b), at;
    char *p = malloc(n);
    at = kit_put(p, a, strlen(a));
    kit_put(p + at, b, strlen(b));
    kit_send(k, type, p, n);
    free(p);
}

static inline void kit_file(struct kit *k, const char *name, const char *text)
{
    char path[256], *slash;
    snprintf(path, sizeof path, "%s/%s", k->dir, name);
    for (slash = path + strlen(k->dir) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    if (!f) return;
    fputs(text, f);
    fclose(f);
}

/* The child; the bot's folder exists and is empty. Settings and START come next. */
static inline void kit_open(struct kit *k)
{
    int pair[2], log_pipe[2];
    memset(k, 0, sizeof *k);
    snprintf(k->dir, sizeof k->dir, "/tmp/moonline-test-XXXXXX");
    if (!mkdtemp(k->dir) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) || pipe2(log_pipe, O_CLOEXEC)) exit(2);
    int page = memfd_create("page", MFD_CLOEXEC);
    if (page < 0 || ftruncate(page, sizeof *k->page)) exit(2);
    k->page = mmap(NULL, sizeof *k->page, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    k->page->version = PAGE_VERSION;
    fflush(stdout);
    k->pid = fork();
    if (k->pid == 0) {
        /* High first: the ends may already sit on the numbers the worker expects. */
        int wire_fd = fcntl(pair[1], F_DUPFD, 20), page_fd = fcntl(page, F_DUPFD, 20);
        dup2(log_pipe[1], STDERR_FILENO);
        dup2(wire_fd, WIRE_FD);
        dup2(page_fd, PAGE_FD);
        alarm(0);
        signal(SIGALRM, SIG_DFL);
        for (int fd = 5; fd < 64; fd++) close(fd);
        char name[] = "worker", *argv[] = {name, NULL};
        exit(worker_main(1, argv));
    }
    close(pair[1]);
    close(log_pipe[1]);
    close(page);
    k->fd = pair[0];
    k->log_fd = log_pipe[0];
    fcntl(k->log_fd, F_SETFL, O_NONBLOCK);
    kit_strings(k, WIRE_SETTING, "log", "json");
    kit_strings(k, WIRE_SETTING, SETTING_BOT, "test");
    kit_strings(k, WIRE_SETTING, SETTING_GENERATION, "3");
}

static inline void kit_read_log(struct kit *k)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(k->log_fd, piece, sizeof piece)) > 0) {
        k->log = realloc(k->log, k->log_n + (size_t)n + 1);
        memcpy(k->log + k->log_n, piece, (size_t)n);
        k->log_n += (size_t)n;
        k->log[k->log_n] = 0;
    }
}

static inline void kit_text(struct kit *k, struct str s)
{
    size_t n = s.n < sizeof k->why ? s.n : sizeof k->why - 1;
    memcpy(k->why, s.p, n);
    k->why[n] = 0;
}

/* Take the frame at the front of the buffer; its type, or 0 when there is no whole one. */
static inline int kit_take(struct kit *k)
{
    uint32_t n;
    struct str text;
    if (k->in_n < WIRE_HEADER) return 0;
    memcpy(&n, k->in, 4);
    if (k->in_n < WIRE_HEADER + n) return 0;
    int type = (unsigned char)k->in[5];
    struct str payload = {k->in + WIRE_HEADER, n};
    if (type == WIRE_LOADED || type == WIRE_PROBED) {
        struct str bytes;
        if (!wire_read_strings(payload, &text, type == WIRE_LOADED ? &bytes : NULL)) {
            size_t have = strlen(k->probed);
            snprintf(k->probed + have, sizeof k->probed - have, "%c %.*s\n", type == WIRE_LOADED ? 'L' : 'P', STR_ARG(text));
        }
    } else if (type == WIRE_READY) {
        wire_read_u32(payload, &k->handlers);
    } else if (type == WIRE_DONE) {
        if (!wire_read_done(payload, &k->done)) kit_text(k, k->done.why);
    } else if (type >= WIRE_WEB_ROUTES && n <= sizeof k->web) {
        memcpy(k->web, payload.p, k->web_n = n);
    } else if (type == WIRE_REFUSED || type == WIRE_REPORT) {
        if (!wire_read_strings(payload, &text, NULL)) kit_text(k, text);
    }
    k->in_n -= WIRE_HEADER + n;
    memmove(k->in, k->in + WIRE_HEADER + n, k->in_n);
    return type;
}

/* The next frame that is not LOADED or PROBED; 0 when the worker is gone, -1 when none came in time. */
static inline int kit_next(struct kit *k)
{
    for (;;) {
        int type = kit_take(k);
        if (type == WIRE_LOADED || type == WIRE_PROBED) continue;
        if (type) return type;
        struct pollfd p[2] = {{.fd = k->fd, .events = POLLIN}, {.fd = k->log_fd, .events = POLLIN}};
        if (poll(p, 2, KIT_WAIT_MS) <= 0) return -1;
        kit_read_log(k);
        if (!(p[0].revents & (POLLIN | POLLHUP))) {
            if (p[1].revents & POLLHUP) return 0;
            continue;
        }
        if (k->in_cap < k->in_n + 65536) k->in = realloc(k->in, k->in_cap = k->in_n + 131072);
        ssize_t n = recv(k->fd, k->in + k->in_n, 65536, 0);
        if (n <= 0) return 0;
        k->in_n += (size_t)n;
    }
}

/* Load bot.lua; the type of the frame that says how it went. */
static inline int kit_start(struct kit *k)
{
    char path[128];
    snprintf(path, sizeof path, "%s/bot.lua", k->dir);
    kit_strings(k, WIRE_SETTING, SETTING_PATH, path);
    kit_send(k, WIRE_START, "", 0);
    return kit_next(k);
}

static inline void kit_event_raw(struct kit *k, uint64_t seq, const char *body)
{
    char id[32];
    size_t n = 13 + 8 + 26 + strlen(body);
    char *p = malloc(n);
    uint32_t attempt = 1;
    snprintf(id, sizeof id, "01H%023llu", (unsigned long long)seq);
    memcpy(p, &seq, 8);
    memcpy(p + 8, &attempt, 4);
    p[12] = 0;
    size_t at = 13 + kit_put(p + 13, id, 26);
    kit_put(p + at, body, strlen(body));
    kit_send(k, WIRE_EVENT, p, n);
    free(p);
}

/* A text message event. */
static inline void kit_event(struct kit *k, uint64_t seq, const char *text)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"type\":\"message\",\"mode\":\"active\",\"timestamp\":1625665242211,\"source\":{\"type\":\"user\","
             "\"userId\":\"U0123456789abcdef0123456789abcdef\"},\"webhookEventId\":\"01H%023llu\","
             "\"deliveryContext\":{\"isRedelivery\":false},\"replyToken\":\"0123456789abcdef0123456789abcdef\","
             "\"message\":{\"type\":\"text\",\"id\":\"468789577898262530\",\"quoteToken\":\"q3Plxr4AgKd\",\"text\":\"%s\"}}",
             (unsigned long long)seq, text);
    kit_event_raw(k, seq, body);
}

/* One event through to DONE; its outcome, or -1. */
static inline int kit_run(struct kit *k, uint64_t seq, const char *text)
{
    kit_event(k, seq, text);
    return kit_next(k) == WIRE_DONE && k->done.seq == seq ? k->done.outcome : -1;
}

static inline void kit_remove(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* After the process was waited for. */
static inline void kit_free(struct kit *k)
{
    kit_read_log(k);
    close(k->fd);
    close(k->log_fd);
    munmap(k->page, sizeof *k->page);
    kit_remove(k->dir);
    free(k->in);
    free(k->log);
    k->in = k->log = NULL;
}

/* Say LEAVE; true if BYE comes and the process ends with 0. Frees everything. */
static inline bool kit_close(struct kit *k)
{
    int status = -1, type;
    bool bye = false;
    kit_leave(k);
    while ((type = kit_next(k)) > 0) bye |= type == WIRE_BYE;
    if (type < 0) kill(k->pid, SIGKILL);
    waitpid(k->pid, &status, 0);
    kit_read_log(k);
    if (!bye || status) {
        printf("# worker: bye %d, status %d, log:\n", bye, status);
        for (char *line = k->log; line && *line; line += strcspn(line, "\n") + !!strchr(line, '\n'))
            printf("#   %.*s\n", (int)strcspn(line, "\n"), line);
    }
    kit_free(k);
    return bye && status == 0;
}
