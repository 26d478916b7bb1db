#include "net/http_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define TEXT_MAX (1u << 20) /* bytes of all heads; a form has a handful of parts */

enum kind { BYTES, TEXT, DESCRIPTOR, SOURCE };

struct http_upload_piece {
    enum kind kind;
    bool owned;            /* fd is ours */
    int fd;
    int64_t offset, n;     /* of the file, of u->text (which moves while it grows); bytes */
    const char *p;
    http_upload_reader *read;
    void *user;
};

void http_upload_init(struct http_upload *u)
{
    *u = (struct http_upload){0};
    buf_init(&u->text, TEXT_MAX);
}

void http_upload_free(struct http_upload *u)
{
    for (unsigned i = 0; i < u->n; i++)
        if (u->pieces[i].owned) close(u->pieces[i].fd);
    free(u->pieces);
    buf_free(&u->text);
    *u = (struct http_upload){0};
}

static void add(struct http_upload *u, struct http_upload_piece piece)
{
    if (u->n == u->room) {
        u->room = u->room ? u->room * 2 : 8;
        u->pieces = mem_realloc(u->pieces, u->room * sizeof *u->pieces);
    }
    u->pieces[u->n++] = piece;
    u->length += piece.n;
}

void http_upload_bytes(struct http_upload *u, const void *p, size_t n)
{
    add(u, (struct http_upload_piece){.kind = BYTES, .p = p, .n = (int64_t)n});
}

void http_upload_file(struct http_upload *u, int fd, int64_t offset, int64_t length)
{
    add(u, (struct http_upload_piece){.kind = DESCRIPTOR, .fd = fd, .offset = offset, .n = length});
}

void http_upload_source(struct http_upload *u, int64_t length, http_upload_reader *read, void *user)
{
    add(u, (struct http_upload_piece){.kind = SOURCE, .n = length, .read = read, .user = user});
}

int http_upload_path(struct http_upload *u, const char *path, const char **ret_why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold the worker */
    if (fd < 0) {
        *ret_why = strerror(errno);
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = S_ISDIR(st.st_mode) ? "it is a folder" : "it is not a regular file";
        close(fd);
        return ERR_IO;
    }
    add(u, (struct http_upload_piece){.kind = DESCRIPTOR, .owned = true, .fd = fd, .n = st.st_size});
    // cppcheck-suppress resourceLeak // the piece has it, until http_upload_free
    return 0;
}

/* ---- forms ---- */

static void text_end(struct http_upload *u, size_t from)
{
    add(u, (struct http_upload_piece){.kind = TEXT, .offset = (int64_t)from, .n = (int64_t)(u->text.len - from)});
}

void http_upload_form(struct http_upload *u)
{
    uint64_t random[2];
    /* The kernel gives 16 bytes whole once it is up; a boundary that could be foreseen would let a part forge parts. */
    if (getrandom(random, sizeof random, 0) != sizeof random) abort();
    snprintf(u->type, sizeof u->type, "Content-Type: multipart/form-data; boundary=moonline-%016llx%016llx",
             (unsigned long long)random[0], (unsigned long long)random[1]);
}

static const char *boundary(const struct http_upload *u) { return strchr(u->type, '=') + 1; }

/* A quoted name as browsers write it: UTF-8 as it is; what would end the quotes or the line as %22, %0D, %0A. */
static void put_name(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "; %s=\"", key);
    for (; *value; value++) {
        if (*value == '"') buf_puts(b, "%22");
        else if (*value == '\r') buf_puts(b, "%0D");
        else if (*value == '\n') buf_puts(b, "%0A");
        else buf_putc(b, *value);
    }
    buf_putc(b, '"');
}

void http_upload_part(struct http_upload *u, const char *name, const char *filename, const char *type)
{
    size_t from = u->text.len;
    buf_printf(&u->text, "%s--%s\r\nContent-Disposition: form-data", from ? "\r\n" : "", boundary(u));
    put_name(&u->text, "name", name);
    if (filename) put_name(&u->text, "filename", filename);
    if (type) buf_printf(&u->text, "\r\nContent-Type: %.*s", (int)strcspn(type, "\r\n"), type);
    buf_puts(&u->text, "\r\n\r\n");
    text_end(u, from);
}

void http_upload_form_end(struct http_upload *u)
{
    size_t from = u->text.len;
    buf_printf(&u->text, "%s--%s--\r\n", from ? "\r\n" : "", boundary(u));
    text_end(u, from);
}

const char *http_upload_type(const struct http_upload *u) { return u->type; }

/* ---- reading ---- */

void http_upload_rewind(struct http_upload *u)
{
    u->at = u->in_piece = 0;
    u->piece = 0;
    u->error[0] = 0;
}

static ssize_t read_file(const struct http_upload_piece *p, int64_t at, char *buf, size_t room)
{
    ssize_t n;
    do n = pread(p->fd, buf, room, p->offset + at);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t http_upload_read(struct http_upload *u, char *buf, size_t room)
{
    size_t got = 0;
    while (got < room && u->piece < u->n) {
        const struct http_upload_piece *p = &u->pieces[u->piece];
        int64_t left = p->n - u->in_piece;
        size_t most = left < (int64_t)(room - got) ? (size_t)left : room - got;
        ssize_t n = (ssize_t)most;
        if (most == 0) {
            u->piece++;
            u->in_piece = 0;
            continue;
        }
        if (p->kind == BYTES) memcpy(buf + got, p->p + u->in_piece, most);
        else if (p->kind == TEXT) memcpy(buf + got, u->text.data + p->offset + u->in_piece, most);
        else if (p->kind == DESCRIPTOR) n = read_file(p, u->in_piece, buf + got, most);
        else n = p->read(p->user, u->in_piece, buf + got, most);
        if (n <= 0) {
            if (n < 0)
                snprintf(u->error, sizeof u->error, "what was to be sent could not be read: %s", strerror(errno));
            else
                snprintf(u->error, sizeof u->error, "what was to be sent ended after %lld of %lld bytes%s",
                         (long long)u->in_piece, (long long)p->n,
                         p->kind == DESCRIPTOR ? ": the file became shorter" : "");
            return -1;
        }
        got += (size_t)n;
        u->in_piece += n;
        u->at += n;
    }
    return (ssize_t)got;
}

const char *http_upload_error(const struct http_upload *u) { return u->error; }
