/* Writing log lines. A line is built on the stack and written once: no allocation (running out of memory is logged too)
 * and no lock. Secrets are masked in each piece before it is escaped, and once more in the finished line, for those
 * that two pieces would spell together. */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log_mask.h"

#define TAIL_ROOM 2048  /* bytes of a line kept free for the fields after a long one */
#define LONG_VALUE 256  /* values above this count as long */
#define LAST_BYTES 16   /* for what closes a line: quote, brace, colour, newline */

static const struct level {
    const char *name, *letter, *colour;
} levels[] = {
    [LOG_DEBUG] = {"debug", "D", "\033[2m"},
    [LOG_INFO] = {"info", "I", "\033[32m"},
    [LOG_WARN] = {"warn", "W", "\033[33m"},
    [LOG_ERROR] = {"error", "E", "\033[1;31m"},
};

static struct {
    enum log_level least;
    bool ready, json, colour;
} state = {.least = LOG_INFO};

struct line {
    char text[LIMIT_LOG_LINE];
    size_t n;
};

void log_init(enum log_format format, enum log_level least)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    state.json = format == LOG_JSON || (format == LOG_AUTO && !terminal);
    state.colour = terminal && !(no_colour && *no_colour);
    state.least = least;
    state.ready = true;
}

bool log_enabled(enum log_level level)
{
    return level >= state.least;
}

/* Append what fits below limit; a piece is never cut in the middle, so no escape and no character is. */
static bool put(struct line *l, const char *p, size_t n, size_t limit)
{
    if (l->n + n > limit)
        return false;
    memcpy(l->text + l->n, p, n);
    l->n += n;
    return true;
}

static bool puts_(struct line *l, const char *s)
{
    return put(l, s, strlen(s), sizeof l->text - LAST_BYTES);
}

/* How far a value of n bytes may reach. */
static size_t limit_for(size_t n)
{
    return LIMIT_LOG_LINE - LAST_BYTES - (n > LONG_VALUE ? TAIL_ROOM : 0);
}

/* A copy of s without secrets, in scratch. A value too long for scratch is cut, and with it the bytes at the cut in
 * which part of a secret could stand unrecognised. */
static struct str masked(struct str s, char scratch[LIMIT_LOG_LINE])
{
    size_t secret = log_secret_longest();
    bool cut = s.n > LIMIT_LOG_LINE;
    size_t n = cut ? LIMIT_LOG_LINE : s.n;
    if (secret == 0)
        return (struct str){s.p, n};
    memcpy(scratch, s.p, n);
    n = log_mask(scratch, n);
    if (cut)
        n = n > secret ? n - secret : 0;
    return (struct str){scratch, n};
}

/* json_escape(), and more: control characters are shown, never sent, for a user's message must not move somebody's
 * cursor. C1 controls (U+0080 to U+009F) and DEL count, since terminals obey them as well. */
static unsigned escape(const char **p, const char *end, char bytes[JSON_ESCAPE_MAX])
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *c = (const unsigned char *)*p;
    bool c1 = *c == 0xC2 && end - *p >= 2 && c[1] >= 0x80 && c[1] < 0xA0;
    if (*c != 0x7F && !c1)
        return json_escape(p, end, bytes);
    unsigned code = c1 ? c[1] : 0x7F;
    memcpy(bytes, "\\u00", 4);
    bytes[4] = hex[code >> 4];
    bytes[5] = hex[code & 15];
    *p += c1 ? 2 : 1;
    return 6;
}

/* ---- JSON ---- */

static void json_string(struct line *l, struct str s)
{
    char scratch[LIMIT_LOG_LINE], bytes[JSON_ESCAPE_MAX];
    s = masked(s, scratch);
    size_t limit = limit_for(s.n);
    const char *p = s.p, *end = s.p + s.n;
    put(l, "\"", 1, sizeof l->text);
    while (p < end) {
        unsigned n = escape(&p, end, bytes);
        if (!put(l, bytes, n, limit))
            break;
    }
    put(l, "\"", 1, sizeof l->text);
}

static void number_text(const struct log_field *f, char *text, size_t n, const char *none)
{
    if (f->kind == LOG_FIELD_INT)
        snprintf(text, n, "%lld", (long long)f->i);
    else if (isfinite(f->d))
        snprintf(text, n, "%.3f", f->d);
    else
        snprintf(text, n, "%s", none); /* JSON has no word for it */
}

static void json_line(struct line *l, const struct level *level, const char *message, const struct log_field *fields,
                      size_t n)
{
    char text[384]; /* "%.3f" of the largest double has 313 characters */
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    snprintf(text, sizeof text, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\",\"message\":",
             t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(now % 1000), level->name);
    puts_(l, text);
    json_string(l, str_of(message));
    for (size_t i = 0; i < n; i++) {
        const struct log_field *f = &fields[i];
        bool string = f->kind == LOG_FIELD_STR;
        if (string && !f->s.p)
            continue;
        if (!string)
            number_text(f, text, sizeof text, "null");
        /* A field goes in whole or not at all, its value's cut apart: 3 for comma and quotes, 1 colon, 2 quotes. */
        size_t need = strlen(f->key) + 6 + (string ? 0 : strlen(text));
        if (l->n + need > limit_for(0) || (string && f->s.n > LONG_VALUE && l->n + need > limit_for(f->s.n)))
            continue;
        puts_(l, ",\"");
        puts_(l, f->key);
        puts_(l, "\":");
        if (string)
            json_string(l, f->s);
        else
            puts_(l, text);
    }
    put(l, "}", 1, sizeof l->text);
}

/* ---- text ---- */

/* Inside quotes nothing needs an escape that JSON would not give it, outside them less. */
static unsigned show(const char **p, const char *end, char bytes[JSON_ESCAPE_MAX])
{
    if (**p == '"' || **p == '\\' || **p == '\t') {
        bytes[0] = *(*p)++;
        return 1;
    }
    return escape(p, end, bytes);
}

/* s as it is, control characters shown. newline: what a line end becomes. */
static void text_shown(struct line *l, struct str s, const char *newline, size_t limit)
{
    char bytes[JSON_ESCAPE_MAX];
    const char *p = s.p, *end = s.p + s.n;
    while (p < end) {
        if (*p == '\r' && end - p > 1 && p[1] == '\n') {
            p++;
            continue;
        }
        bool line_end = *p == '\n';
        const char *piece = line_end ? newline : bytes;
        size_t n;
        if (line_end) {
            n = strlen(newline);
            p++;
        } else {
            n = show(&p, end, bytes);
        }
        if (!put(l, piece, n, limit))
            return;
    }
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
            return true;
    return s.n == 0;
}

static bool has_lines(struct str s)
{
    return s.n && memchr(s.p, '\n', s.n);
}

static void text_field(struct line *l, const struct log_field *f)
{
    char scratch[LIMIT_LOG_LINE], number[384];
    puts_(l, " ");
    puts_(l, f->key);
    puts_(l, "=");
    if (f->kind != LOG_FIELD_STR) {
        number_text(f, number, sizeof number, "none");
        puts_(l, number);
        return;
    }
    if (!has_lines(f->s) && needs_quotes(f->s)) {
        json_string(l, f->s);
        return;
    }
    struct str s = masked(f->s, scratch);
    while (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (has_lines(s))
        puts_(l, "\n    ");
    text_shown(l, s, "\n    ", limit_for(s.n));
}

static void text_line(struct line *l, const struct level *level, const char *message, const struct log_field *fields,
                      size_t n)
{
    char text[64], scratch[LIMIT_LOG_LINE];
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm t;
    localtime_r(&seconds, &t);
    snprintf(text, sizeof text, "%02d:%02d:%02d.%03d %s%s%s ", t.tm_hour, t.tm_min, t.tm_sec, (int)(now % 1000),
             state.colour ? level->colour : "", level->letter, state.colour ? "\033[0m" : "");
    puts_(l, text);
    struct str m = masked(str_of(message), scratch);
    text_shown(l, m, "\n    ", limit_for(m.n));
    /* Values of several lines come last, so that the short ones stay on the first line. */
    for (int lines = 0; lines < 2; lines++) {
        for (size_t i = 0; i < n; i++) {
            const struct log_field *f = &fields[i];
            bool string = f->kind == LOG_FIELD_STR;
            if ((string && !f->s.p) || (string && has_lines(f->s)) != (lines == 1))
                continue;
            text_field(l, f);
        }
    }
}

/* One write. What a full pipe or a closed standard error does not take is lost: logging never stops the work. */
static void write_out(const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    struct line l;
    int saved = errno; /* callers log, then look at errno */
    if (!state.ready)
        log_init(LOG_AUTO, state.least);
    if (!log_enabled(level))
        return;
    l.n = 0;
    (state.json ? json_line : text_line)(&l, &levels[level], message, fields, n);
    l.n = log_mask(l.text, l.n);
    l.text[l.n++] = '\n'; /* room: every put above stays below LAST_BYTES of the end */
    write_out(l.text, l.n);
    errno = saved;
}
