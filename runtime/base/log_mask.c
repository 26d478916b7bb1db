/* Keeping secrets out of what is written. Every registered secret is one entry of a small hash table keyed by its LAST
 * six bytes (tokens of one kind share their beginning), so the cost of masking grows with the text and not with the
 * number of secrets: a worker that lives for months renews its token every few minutes. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/log_mask.h"
#include "base/mem.h"

#define SHORTEST 6
#define BUCKETS 256

static const char mark[] = "[secret]";

static struct secret {
    struct secret *next;
    size_t n;
    char bytes[];
} *buckets[BUCKETS];
static size_t longest;

static inline unsigned bucket_of(const char *p) /* SHORTEST bytes at p */
{
    uint32_t a, b;
    memcpy(&a, p, 4);
    memcpy(&b, p + 2, 4);
    return ((a * 0x9E3779B1u) ^ (b * 0x85EBCA77u)) >> 24;
}

static void add(struct str s)
{
    if (s.n < SHORTEST)
        return;
    struct secret **head = &buckets[bucket_of(s.p + s.n - SHORTEST)];
    for (const struct secret *old = *head; old; old = old->next)
        if (old->n == s.n && memcmp(old->bytes, s.p, s.n) == 0)
            return;
    struct secret *new = mem_alloc(sizeof *new + s.n);
    new->next = *head;
    new->n = s.n;
    memcpy(new->bytes, s.p, s.n);
    *head = new;
    if (s.n > longest)
        longest = s.n;
}

/* A secret also travels in other clothes: inside JSON text (with / written \/ by some encoders), and percent-encoded in
 * a form or a URL. Text that quotes such a request must not give it away. */
void log_secret(struct str secret)
{
    struct buf b = BUF(SIZE_MAX / 2);
    if (secret.n < SHORTEST)
        return;
    add(secret);

    json_put(&b, secret);
    add((struct str){b.data + 1, b.len - 2});

    struct buf slashes = BUF(SIZE_MAX / 2);
    for (size_t i = 1; i + 1 < b.len; i++) {
        if (b.data[i] == '/')
            buf_putc(&slashes, '\\');
        buf_putc(&slashes, b.data[i]);
    }
    add(buf_str(&slashes));

    for (int upper = 0; upper < 2; upper++) {
        buf_clear(&b);
        for (size_t i = 0; i < secret.n; i++) {
            unsigned char c = (unsigned char)secret.p[i];
            bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                         c == '.' || c == '_' || c == '~';
            if (plain)
                buf_putc(&b, (char)c);
            else
                buf_printf(&b, upper ? "%%%02X" : "%%%02x", c);
        }
        add(buf_str(&b));
    }
    buf_free(&slashes);
    buf_free(&b);
}

size_t log_secret_longest(void)
{
    return longest;
}

/* Length of the longest secret that ends where text + end is; 0 if none does. */
static inline size_t ends_here(const char *text, size_t end)
{
    size_t best = 0;
    for (const struct secret *s = buckets[bucket_of(text + end - SHORTEST)]; s; s = s->next)
        if (s->n <= end && s->n > best && memcmp(s->bytes, text + end - s->n, s->n) == 0)
            best = s->n;
    return best;
}

/* From the right, since secrets are found by their ends. Secrets that overlap become one mark. What is written
 * is never longer than what was read (a secret of 6 or 7 bytes gets a shortened mark), so in place is safe. */
size_t log_mask(char *text, size_t n)
{
    size_t read = n, write = n;
    if (longest == 0)
        return n;
    while (read >= SHORTEST) {
        size_t length = ends_here(text, read);
        if (length == 0) {
            read--;
            write--;
            if (write != read)
                text[write] = text[read];
            continue;
        }
        size_t start = read - length, end = read;
        for (size_t at = end - 1; at > start && at >= SHORTEST; at--) { /* others that end inside this one */
            length = ends_here(text, at);
            if (length > at - start)
                start = at - length;
        }
        size_t show = end - start < sizeof mark - 1 ? end - start : sizeof mark - 1;
        write -= show;
        memcpy(text + write, mark, show);
        read = start;
    }
    if (write == read)
        return n;
    memmove(text + write - read, text, read);
    write -= read;
    memmove(text, text + write, n - write);
    return n - write;
}
