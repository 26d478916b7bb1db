/* HTTP/1.1 messages as the test tools read them: from one buffer, whole or not at all, no copies. Written apart from
 * the product on purpose: a fault that both sides shared would cancel itself out. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include "base/str.h"

#define HTTP1_UNUSED __attribute__((unused)) /* not every tool needs every function of this file */

struct http1 {
    struct str word[3]; /* of the first line: method, target, version; or version, status, reason */
    struct str head;    /* the header lines behind it, each with its CR LF */
    struct str body;    /* a chunked body has been joined in place */
    size_t size;        /* bytes this message takes in the buffer */
    bool close;         /* Connection: close */
    bool wants_continue;/* Expect: 100-continue, also told while the body is still missing */
};

/* A header's value by lower or upper case name; p NULL when absent. */
static HTTP1_UNUSED struct str http1_field(struct str head, const char *name)
{
    size_t n = strlen(name);
    const char *p = head.p, *end = head.p + head.n;
    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (!line_end)
            break;
        if ((size_t)(line_end - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0) {
            const char *v = p + n + 1, *e = line_end;
            while (v < e && (*v == ' ' || *v == '\t'))
                v++;
            while (e > v && (e[-1] == '\r' || e[-1] == ' '))
                e--;
            return (struct str){v, (size_t)(e - v)};
        }
        p = line_end + 1;
    }
    return (struct str){0, 0};
}

static inline bool http1_is(struct str s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* Walk a chunked body at p; with join, move the pieces together. Returns bytes taken up to and with the last line, 0
 * when it is not all there yet, -1 when it is not chunked coding. */
static long http1_chunks(char *p, size_t n, bool join, size_t *ret_len)
{
    size_t at = 0, len = 0;
    for (;;) {
        char *eol = memmem(p + at, n - at, "\r\n", 2);
        if (!eol)
            return n - at > 64 ? -1 : 0;
        char *digits_end;
        unsigned long size = strtoul(p + at, &digits_end, 16); /* stops at the CR at the latest */
        if (digits_end == p + at || size > (1ul << 30))
            return -1;
        at = (size_t)(eol - p) + 2;
        if (size == 0)
            break;
        if (n - at < size + 2)
            return 0;
        if (join)
            memmove(p + len, p + at, size);
        len += size;
        at += size + 2;
    }
    for (;;) { /* trailers, which nobody here reads, up to the empty line */
        char *eol = memmem(p + at, n - at, "\r\n", 2);
        if (!eol)
            return 0;
        bool empty = eol == p + at;
        at = (size_t)(eol - p) + 2;
        if (empty)
            break;
    }
    *ret_len = len;
    return (long)at;
}

/* Read one message from the front of n bytes at p (NUL-terminated behind them). 1: it is whole; 0: more is needed; -1:
 * malformed. Views stay valid as long as the bytes do. */
static HTTP1_UNUSED int http1_read(char *p, size_t n, struct http1 *m)
{
    memset(m, 0, sizeof *m);
    if (!p)
        return 0;
    char *blank = memmem(p, n, "\r\n\r\n", 4);
    if (!blank)
        return n > 65536 ? -1 : 0;
    size_t head_size = (size_t)(blank - p) + 4;
    char *eol = memchr(p, '\r', head_size), *at = p;
    for (int i = 0; i < 3; i++) { /* the third takes the rest: a reason may have spaces */
        char *space = i < 2 ? memchr(at, ' ', (size_t)(eol - at)) : NULL;
        char *end = space ? space : eol;
        m->word[i] = (struct str){at, (size_t)(end - at)};
        at = space ? space + 1 : eol;
    }
    if (m->word[1].n == 0)
        return -1;
    m->head = (struct str){eol + 2, (size_t)(blank + 2 - (eol + 2))};
    m->close = http1_is(http1_field(m->head, "connection"), "close");
    m->wants_continue = http1_is(http1_field(m->head, "expect"), "100-continue");
    struct str coding = http1_field(m->head, "transfer-encoding");
    if (coding.p) {
        size_t len;
        long taken = http1_is(coding, "chunked") ? http1_chunks(p + head_size, n - head_size, false, &len) : -1;
        if (taken <= 0)
            return (int)taken;
        http1_chunks(p + head_size, n - head_size, true, &len);
        m->body = (struct str){p + head_size, len};
        m->size = head_size + (size_t)taken;
        return 1;
    }
    struct str length = http1_field(m->head, "content-length");
    unsigned long len = length.p ? strtoul(length.p, NULL, 10) : 0;
    if (len > (1ul << 30))
        return -1;
    if (n - head_size < len)
        return 0;
    m->body = (struct str){p + head_size, len};
    m->size = head_size + len;
    return 1;
}

/* "127.0.0.1:3000" or "localhost:3000"; a missing port is 80. */
static HTTP1_UNUSED bool http1_address(struct str text, struct sockaddr_in *ret)
{
    char host[64];
    const char *colon = memchr(text.p, ':', text.n);
    size_t n = colon ? (size_t)(colon - text.p) : text.n;
    if (n >= sizeof host)
        return false;
    memcpy(host, text.p, n);
    host[n] = 0;
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 80;
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return port < 65536 && inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &ret->sin_addr) == 1;
}

static HTTP1_UNUSED void http1_no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* else Nagle and delayed acknowledgement meet: 40 ms */
}

/* Listen where address says; -1 with errno. The port that was taken is written back. */
static HTTP1_UNUSED int http1_listen(struct sockaddr_in *address)
{
    int one = 1;
    socklen_t n = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &n) != 0)
        return -1;
    return fd;
}
