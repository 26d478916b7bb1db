/* The .env reader. Strict on purpose: a credential that is silently misread costs its owner an evening. */
#include "base/dotenv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define DOTENV_MAX (256u << 10) /* bytes of the file; a real one has a few hundred */

struct line {
    char *key, *value; /* cut out of the file's own bytes: NULs are written into them */
};

static int read_whole(const char *path, struct buf *b, char *error, size_t n)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        int why = errno;
        snprintf(error, n, "%s: %s", path, strerror(why));
        return why == ENOENT || why == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
    }
    char part[4096];
    size_t got;
    int r = 0;
    while (r == 0 && (got = fread(part, 1, sizeof part, f)) > 0)
        r = buf_append(b, part, got);
    if (r == ERR_TOOBIG)
        snprintf(error, n, "%s: larger than %u KiB: is this a .env file?", path, DOTENV_MAX >> 10);
    if (r == 0 && ferror(f)) {
        r = ERR_IO;
        snprintf(error, n, "%s: %s", path, strerror(errno));
    }
    fclose(f);
    return r;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *skip_blank(char *p)
{
    while (is_blank(*p))
        p++;
    return p;
}

static bool is_key_char(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

/* The value in quotes at p, unquoted in place. NULL when fine, else what is wrong. */
static const char *quoted(char *p, char **ret_value)
{
    char quote = *p, *out = p + 1;
    *ret_value = out;
    for (p++; *p && *p != quote; p++) {
        if (quote == '"' && *p == '\\') {
            static const char from[] = "n\"\\rt$", to[] = "\n\"\\\r\t$";
            const char *which = p[1] ? strchr(from, p[1]) : NULL;
            if (!which)
                return "in double quotes only \\n \\r \\t \\\" \\\\ and \\$ are escapes; "
                       "single quotes take all as it stands";
            *out++ = to[which - from];
            p++;
        } else {
            *out++ = *p;
        }
    }
    if (*p != quote)
        return "the quote is not closed on this line";
    p = skip_blank(p + 1);
    if (*p && *p != '#')
        return "something follows the closing quote";
    *out = 0;
    return NULL;
}

/* The plain value at p: to the end of the line, or to a # after white space. */
static char *plain(char *p)
{
    char *end = p;
    for (char *q = p; *q && !(*q == '#' && (q == p || is_blank(q[-1]))); q++)
        if (!is_blank(*q))
            end = q + 1;
    *end = 0;
    return p;
}

/* One line without its ending, a NUL behind it; key NULL when no setting is on it. Returns what is wrong, or NULL. */
static const char *parse_line(char *p, struct line *ret)
{
    *ret = (struct line){NULL, NULL};
    p = skip_blank(p);
    if (*p == 0 || *p == '#')
        return NULL;
    if (strncmp(p, "export", 6) == 0 && is_blank(p[6]))
        p = skip_blank(p + 6);
    char *key = p;
    while (is_key_char(*p, p == key))
        p++;
    char *end = p;
    p = skip_blank(p);
    if (end == key || *p != '=')
        return "write KEY=VALUE (a key has letters, digits and _)";
    p = skip_blank(p + 1);
    if (*p == '"' || *p == '\'') {
        const char *wrong = quoted(p, &ret->value);
        if (wrong)
            return wrong;
    } else {
        ret->value = plain(p);
    }
    *end = 0;
    ret->key = key;
    return NULL;
}

/* Every line of text (n bytes and a NUL, which is cut up). Without `each` it is only checked. */
static int walk(char *text, size_t n, void (*each)(void *, const char *, const char *), void *user, const char *path,
                char *error, size_t error_n)
{
    char *end = text + n;
    unsigned number = 0;
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
        const char *wrong;
        struct line line;
        size_t length = (size_t)(stop - text);
        number++;
        if (length && text[length - 1] == '\r')
            length--;
        bool binary = memchr(text, 0, length) != NULL;
        text[length] = 0;
        wrong = binary ? "a NUL byte: this is not a text file" : parse_line(text, &line);
        if (wrong) {
            snprintf(error, error_n, "%s:%u: %s", path, number, wrong);
            return ERR_SYNTAX;
        }
        if (line.key && each)
            each(user, line.key, line.value);
        text = stop + 1;
    }
    return 0;
}

int dotenv_read(const char *path, void (*each)(void *user, const char *key, const char *value), void *user,
                char *error, size_t n)
{
    struct buf text = BUF(DOTENV_MAX), trial = BUF(DOTENV_MAX);
    int r = read_whole(path, &text, error, n);
    if (r == 0 && text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        buf_consume(&text, 3); /* the mark some editors put in front of UTF-8 */
    if (r == 0 && text.len) {
        buf_append(&trial, text.data, text.len); /* parsing cuts the text up, so the check has its own copy */
        r = walk(trial.data, trial.len, NULL, NULL, path, error, n);
        if (r == 0)
            r = walk(text.data, text.len, each, user, path, error, n);
    }
    if (trial.data)
        explicit_bzero(trial.data, trial.cap); /* secrets do not linger in freed memory */
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_free(&trial);
    buf_free(&text);
    return r;
}
