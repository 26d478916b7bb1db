#include "host/news.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "host/app.h"
#include "host/bot.h"
#include "host/dispatch.h"

static bool wanted(const struct generation *g) { return g->bot->host->app && !g->bot->app; }

static void begin_bot(struct buf *b, const char *what, const struct bot *bot)
{
    buf_printf(b, "{\"what\":\"%s\"", what);
    json_put_key(b, "bot");
    json_put(b, str_of(bot->name));
}

static void begin(struct buf *b, const char *what, const struct generation *g) { begin_bot(b, what, g->bot); }

static void put_text(struct buf *b, const char *key, struct str text)
{
    if (!text.n) return;
    json_put_key(b, key);
    json_put(b, text);
}

/* Errors may quote what a script holds: secrets are taken out as in the log. */
static void tell_host(struct buf *b, struct host *h)
{
    buf_putc(b, '}');
    b->len = log_mask(b->data, b->len);
    app_news(h, buf_str(b));
    buf_free(b);
}

static void tell(struct buf *b, const struct generation *g) { tell_host(b, g->bot->host); }

void news_event(const struct event *e)
{
    struct buf b = BUF(LIMIT_FRAME / 2); /* a webhook's body and more */
    const struct app *a = e->bot->host->app;
    if (!a || !a->lives || e->bot->app) return;
    begin_bot(&b, "event", e->bot);
    buf_printf(&b, ",\"received\":%lld,\"event\":", (long long)e->received_ms);
    buf_append(&b, e->body.p, e->body.n);
    tell_host(&b, e->bot->host);
}

void news_generation(const struct generation *g)
{
    struct buf b = BUF(4096);
    if (!wanted(g)) return;
    begin(&b, "generation", g);
    buf_printf(&b, ",\"number\":%u,\"ms\":%.1f,\"handlers\":%u", g->number, (double)(clock_ns() - g->started_ns) / NS_PER_MS,
               g->handlers);
    put_text(&b, "folder", str_of(g->bot->dir));
    tell(&b, g);
}

void news_refused(const struct generation *g, struct str why)
{
    struct buf b = BUF(LIMIT_ERROR_TEXT * 8);
    if (!wanted(g)) return;
    begin(&b, "refused", g);
    buf_printf(&b, ",\"number\":%u", g->number);
    if (g->bot->current) buf_printf(&b, ",\"serving\":%u", g->bot->current->number);
    put_text(&b, "error", why);
    tell(&b, g);
}

void news_blamed(const struct event *e, const struct generation *g, bool last, struct str why)
{
    struct buf b = BUF(LIMIT_ERROR_TEXT * 8);
    if (!wanted(g)) return;
    begin(&b, "blamed", g);
    put_text(&b, "event", e->id);
    buf_printf(&b, ",\"generation\":%u,\"attempt\":%u,\"last\":%s", g->number, e->attempts, last ? "true" : "false");
    put_text(&b, "error", why);
    tell(&b, g);
}

void news_handled(const struct event *e, const struct generation *g, const struct wire_done *done)
{
    static const char *const outcomes[] = {"done", "unhandled", "failed", "broke"};
    struct buf b = BUF(LIMIT_ERROR_TEXT * 8);
    if (!wanted(g)) return;
    begin(&b, "handled", g);
    put_text(&b, "event", e->id);
    buf_printf(&b, ",\"generation\":%u,\"ms\":%.2f,\"outcome\":\"%s\"", g->number, (double)done->micros / 1000,
               outcomes[done->outcome]);
    put_text(&b, "error", done->why);
    tell(&b, g);
}
