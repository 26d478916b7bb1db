/* Answering before the HTTP library can. */
#include "net/early.h"
#include <stdint.h>
#include <sys/socket.h>
#include "net/tls.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {{400, "Bad Request"},      {401, "Unauthorized"},      {403, "Forbidden"},
               {404, "Not Found"},        {405, "Method Not Allowed"}, {408, "Request Timeout"},
               {413, "Content Too Large"}, {429, "Too Many Requests"}, {503, "Service Unavailable"}};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Refused"; /* the reason is for human readers only */
}

static void put_field(struct buf *out, const char *name, const char *value)
{
    if (!strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n"))
        buf_printf(out, "%s: %s\r\n", name, value);
}

void early_write(int fd, void *tls, int status, bool has_type, const struct buf *head, size_t n_fields,
                 struct str body)
{
    struct buf out = BUF(SIZE_MAX / 2);
    const char *p = head->data;
    buf_printf(&out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nConnection: close\r\n", status, reason_of(status),
               body.n);
    if (has_type) {
        put_field(&out, "Content-Type", p);
        p += strlen(p) + 1;
    }
    for (size_t i = 0; i < n_fields; i++) {
        const char *name = p, *value = p + strlen(p) + 1;
        put_field(&out, name, value);
        p = value + strlen(value) + 1;
    }
    buf_puts(&out, "\r\n");
    buf_append(&out, body.p, body.n);
    ssize_t n = tls ? tls_send(tls, out.data, out.len) : send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
    buf_free(&out);
    if (tls)
        tls_end(tls);
    shutdown(fd, SHUT_WR);
}
