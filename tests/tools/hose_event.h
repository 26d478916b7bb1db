/* The events the hose sends, and what it measures of their answers. An event is kept as a few numbers and written out
 * when it goes, so that a redelivery is the same bytes but for its flag. */
#pragma once
#include <stdio.h>
#include <sys/random.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

struct source { /* how chats are named */
    uint64_t chat_base;
    bool group;
};

struct event {
    char id[27];       /* a ULID: 26 of Crockford's alphabet */
    uint64_t serial, chat;
    uint32_t n;        /* running number within the chat, from 1 */
    int64_t wall_ms;
};

static uint64_t event_run, event_serial; /* event_run: random, so that no two runs share an id or a reply token */

static inline void event_begin(void)
{
    if (getrandom(&event_run, sizeof event_run, 0) != sizeof event_run)
        event_run = (uint64_t)clock_ns();
}

static inline void event_make(struct event *e, uint64_t chat, uint32_t n)
{
    static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    e->serial = ++event_serial;
    e->chat = chat;
    e->n = n;
    e->wall_ms = clock_wall_ms();
    uint64_t t = (uint64_t)e->wall_ms, run = event_run, s = e->serial;
    for (int i = 9; i >= 0; i--, t >>= 5) /* 48 bits of time in 10 characters */
        e->id[i] = crockford[t & 31];
    for (int i = 17; i >= 10; i--, run >>= 5)
        e->id[i] = crockford[run & 31];
    for (int i = 25; i >= 18; i--, s >>= 5)
        e->id[i] = crockford[s & 31];
    e->id[26] = 0;
}

/* Most texts are plain; some carry characters beyond the BMP, as bytes or as the surrogate escapes that LINE has been
 * seen to send. They stand behind the numbers. */
static inline const char *event_ornament(uint64_t serial)
{
    if (serial % 7 == 0)
        return " \xf0\x9f\xa4\xa8 \xe6\x97\xa5\xe6\x9c\xac";
    if (serial % 11 == 0)
        return " \\uD83E\\uDD28 \\u65e5";
    return "";
}

/* quoteToken has the length of a real one. say: this text instead of the numbers. */
static inline void event_put_text(struct buf *out, const struct event *e, const struct source *s, const char *say)
{
    unsigned long long serial = e->serial;
    buf_printf(out, "\"type\":\"message\",\"message\":{\"type\":\"text\",\"id\":\"%llu\",\"quoteToken\":\"%0150llx\",",
               500000000000000000ull + serial, serial);
    buf_puts(out, "\"text\":");
    if (say)
        json_put(out, str_of(say));
    else
        buf_printf(out, "\"c%llu n%u%s\"", (unsigned long long)(s->chat_base + e->chat), e->n, event_ornament(serial));
    buf_putc(out, '}');
}

/* own: the members of an event that is no text message, as JSON without braces; empty for a text. */
static inline void event_put(struct buf *out, const struct event *e, const struct source *s, bool redelivery,
                             const char *say, struct str own)
{
    unsigned long long chat = s->chat_base + e->chat;
    buf_putc(out, '{');
    if (own.n)
        buf_append(out, own.p, own.n);
    else
        event_put_text(out, e, s, say);
    buf_printf(out, ",\"webhookEventId\":\"%s\",\"deliveryContext\":{\"isRedelivery\":%s},\"timestamp\":%lld,",
               e->id, redelivery ? "true" : "false", (long long)e->wall_ms);
    if (s->group)
        buf_printf(out, "\"source\":{\"type\":\"group\",\"groupId\":\"C%032llx\",\"userId\":\"U%032llx\"},", chat,
                   chat);
    else
        buf_printf(out, "\"source\":{\"type\":\"user\",\"userId\":\"U%032llx\"},", chat);
    buf_printf(out, "\"replyToken\":\"%016llx%016llx\",\"mode\":\"active\"}", (unsigned long long)event_run,
               (unsigned long long)e->serial);
}

/* Times by size: 64 steps to each power of two, so a percentile is right to 1.6 % and memory does not grow. */
struct histogram {
    uint64_t bucket[64 * 60], n, max;
};

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    int e = ns < 64 ? 0 : 63 - __builtin_clzll(ns) - 5; /* 64..127 is the second row */
    h->bucket[ns < 64 ? ns : (uint64_t)e * 64 + (ns >> (e - 1)) - 64]++;
    h->n++;
    if (ns > h->max)
        h->max = ns;
}

static inline double histogram_ms(const struct histogram *h, double share)
{
    uint64_t want = (uint64_t)(share * (double)h->n), seen = 0;
    for (size_t i = 0; i < sizeof h->bucket / sizeof *h->bucket; i++) {
        seen += h->bucket[i];
        if (seen > want)
            return (i < 64 ? (double)i : (double)((64 + i % 64) << (i / 64 - 1))) / 1e6;
    }
    return (double)h->max / 1e6;
}
