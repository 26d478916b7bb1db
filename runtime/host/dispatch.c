#include "host/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "host/bot.h"
#include "host/host.h"
#include "host/news.h"
#include "line/webhook.h"

#define CHAT_DEPTH 16        /* events of one chat in memory once half of the room is taken, so that a flood in one chat
                              * leaves some for the others */
#define PAGE_ROWS 256        /* events read back from the store at a time */
#define PAGE_BYTES (4u << 20)
#define QUEUE_BYTES (64u << 20) /* bodies in memory, whatever --queue says */
#define MOST_RERUNS 20       /* workers lost under one event without its being to blame: blame it then */

/* The events of one order key. In the map from its first event in memory until it has none, here or in the store. */
struct chat {
    uint64_t order;
    struct event *head, *tail;
    struct event *running;
    uint32_t count;          /* waiting in memory */
    bool deep;               /* it has more in the store, from `last` on */
    bool loading;            /* a store_load for it is under way */
    bool ready;              /* it stands in a lane */
    uint64_t last;           /* the last seq that was taken into memory, valid while deep */
    struct chat *next;       /* in its lane */
};

struct dispatch {
    struct host *host;
    struct map chats;        /* order -> struct chat */
    struct map by_seq;       /* seq -> struct event that runs */
    size_t loaded, running, bytes;
    bool behind;             /* the store holds events after the horizon that were not looked at */
    bool scanning;           /* a store_load from the horizon is under way */
    uint64_t horizon;        /* every event up to here is done, in memory, or of a deep chat */
    bool refill_failed;      /* a chat waits for the store to recover */
    bool foreign_told;       /* events of bots that are not served were reported */
};

struct page {                /* one store_load under way */
    struct store_load load;
    struct dispatch *d;
    uint64_t order;          /* of the chat; unused in a scan */
};

/* ---- events ---- */
static struct str put(char **at, struct str s)
{
    struct str r = {*at, s.n};
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return r;
}

static struct str within(struct str part, struct str whole, struct str copy)
{
    if (!part.p || part.p < whole.p || part.p + part.n > whole.p + whole.n) return (struct str){"", 0};
    return (struct str){copy.p + (part.p - whole.p), part.n};
}

struct event *event_new(struct bot *bot, struct str id, struct str body, struct str type, struct str chat)
{
    struct event *e = mem_alloc(sizeof *e + id.n + body.n + 1);
    *e = (struct event){.bot = bot};
    char *at = e->bytes;
    e->id = put(&at, id);
    e->body = put(&at, body);
    *at = 0;
    e->type = within(type, body, e->body);
    e->chat = within(chat, body, e->body);
    return e;
}

void event_free(struct event *e) { free(e); }

static void take_in(struct dispatch *d, struct event *e) { d->loaded++, d->bytes += e->body.n; }
static void let_go(struct dispatch *d, struct event *e)
{
    d->loaded--;
    d->bytes -= e->body.n;
    event_free(e);
}

/* ---- lanes ---- */
static uint32_t lane_of(const struct event *e)
{
    uint64_t workers = (uint64_t)e->bot->options->workers;
    return (uint32_t)(e->attempts ? workers : (e->order ^ e->order >> 32) % workers);
}

static void lane_push(struct dispatch *d, struct chat *c)
{
    struct event *e = c->head;
    uint32_t index = lane_of(e);
    struct lane *lane = &e->bot->lanes[index];
    c->ready = true;
    c->next = NULL;
    if (lane->tail) lane->tail->next = c;
    else lane->head = c;
    lane->tail = c;
    dispatch_pump(d, e->bot, index);
}

static void lane_remove(struct chat *c) /* rare: an event dropped by hand */
{
    struct lane *lane = &c->head->bot->lanes[lane_of(c->head)];
    struct chat *before = NULL;
    for (struct chat *i = lane->head; i; before = i, i = i->next) {
        if (i != c) continue;
        *(before ? &before->next : &lane->head) = c->next;
        if (lane->tail == c) lane->tail = before;
        c->ready = false;
        return;
    }
}

bool dispatch_wants(const struct bot *b, uint32_t lane) { return b->lanes[lane].head != NULL; }

/* ---- chats ---- */
static void refill(struct dispatch *d, struct chat *c);
static void scan(struct dispatch *d);

/* After anything changed in a chat: make it ready, fetch more, or forget it. */
static void chat_settle(struct dispatch *d, struct chat *c)
{
    if (c->running || c->ready) return;
    if (c->head) lane_push(d, c);
    else if (c->deep) refill(d, c);
    else if (!c->loading) free(map_take(&d->chats, c->order));
}

static void chat_append(struct dispatch *d, struct chat *c, struct event *e)
{
    take_in(d, e);
    e->next = NULL;
    if (c->tail) c->tail->next = e;
    else c->head = e;
    c->tail = e;
    c->count++;
    c->last = e->seq;
}

/* The next event in the order of arrival: into memory, or left in the store. false: memory is full. Takes e unless so. */
static bool admit(struct dispatch *d, struct event *e)
{
    struct chat *c = map_get(&d->chats, e->order);
    size_t most = (size_t)d->host->options->queue;
    bool tight = d->loaded >= most / 2 || d->bytes > QUEUE_BYTES / 2;
    if (c && (c->deep || (tight && c->count >= CHAT_DEPTH))) {
        c->deep = true;
        event_free(e);
        return true;
    }
    if (d->loaded >= most || d->bytes > QUEUE_BYTES) return false;
    if (!c) {
        c = mem_zalloc(sizeof *c);
        c->order = e->order;
        map_put(&d->chats, c->order, c);
    }
    chat_append(d, c, e);
    chat_settle(d, c);
    return true;
}

void dispatch_committed(struct dispatch *d, struct event *e)
{
    uint64_t seq = e->seq;
    if (!d->behind && admit(d, e)) {
        d->horizon = seq;
        return;
    }
    d->behind = true;
    event_free(e);
    scan(d);
}

/* ---- back from the store ---- */
static struct bot *bot_of(struct dispatch *d, uint32_t id)
{
    for (size_t i = 0; i < d->host->n_bots; i++)
        if (d->host->bots[i]->id == id) return d->host->bots[i];
    if (!d->foreign_told) LOG(WARN, "the store holds events of a bot that is not served now; they stay there");
    d->foreign_told = true;
    return NULL;
}

static struct event *event_of_row(struct dispatch *d, const struct store_row *row)
{
    struct bot *bot = bot_of(d, row->bot);
    if (!bot) return NULL;
    struct webhook_event facts;
    struct str type = {0, 0}, chat = {0, 0};
    if (webhook_event_read(row->body, &facts) == 0) type = facts.type, chat = facts.chat;
    struct event *e = event_new(bot, row->id, row->body, type, chat);
    e->seq = row->seq;
    e->order = row->order;
    e->attempts = row->attempts;
    e->received_ms = row->received_ms;
    e->rerun = row->received_ms < d->host->started_ms; /* another process may have begun it */
    if (e->rerun) news_event(e); /* the others were told when they came */
    return e;
}

void dispatch_restored(struct dispatch *d, const struct store_row *row)
{
    struct event *e = event_of_row(d, row);
    if (e) dispatch_committed(d, e);
}

static void scanned(struct store_load *l)
{
    struct page *page = l->user;
    struct dispatch *d = page->d;
    bool room = true;
    d->scanning = false;
    for (size_t i = 0; i < l->n && room; i++) {
        struct event *e = event_of_row(d, &l->rows[i]);
        if (e && !admit(d, e)) {
            event_free(e);
            room = false;
        } else {
            d->horizon = l->rows[i].seq;
        }
    }
    if (l->result == 0 && room && !l->more) d->behind = false;
    else if (room && l->result == 0) scan(d);
    free(page);
}

static struct page *page_new(struct dispatch *d, size_t rows, void (*done)(struct store_load *))
{
    struct page *page = mem_zalloc(sizeof *page);
    page->d = d;
    page->load = (struct store_load){.upto = UINT64_MAX, .limit = rows, .limit_bytes = PAGE_BYTES, .done = done, .user = page};
    return page;
}

/* Read on from the horizon once half of the memory is free again. */
static void scan(struct dispatch *d)
{
    size_t most = (size_t)d->host->options->queue;
    if (!d->behind || d->scanning || d->loaded > most / 2 || d->bytes > QUEUE_BYTES / 2 || d->host->stopping) return;
    d->scanning = true;
    struct page *page = page_new(d, PAGE_ROWS, scanned);
    page->load.after = d->horizon;
    store_load(d->host->store, &page->load);
}

/* Rows beyond the horizon are skipped while behind: the scan brings them. Every row below is this chat's alone, because
 * admit() leaves events of a deep chat in the store. */
static void refilled(struct store_load *l)
{
    struct page *page = l->user;
    struct dispatch *d = page->d;
    struct chat *c = map_get(&d->chats, page->order);
    c->loading = false;
    if (l->result == 0) {
        c->deep = l->more;
        for (size_t i = 0; i < l->n; i++) {
            if (d->behind && l->rows[i].seq > d->horizon) {
                c->deep = false;
                break;
            }
            c->last = l->rows[i].seq;
            struct event *e = event_of_row(d, &l->rows[i]);
            if (e) chat_append(d, c, e);
        }
    }
    if (l->result == 0) chat_settle(d, c);
    else d->refill_failed = true; /* the tick asks again */
    free(page);
}

static void refill(struct dispatch *d, struct chat *c)
{
    if (c->loading || d->host->stopping) return;
    c->loading = true;
    struct page *page = page_new(d, CHAT_DEPTH, refilled);
    page->order = c->order;
    page->load.one_order = true;
    page->load.order = c->order;
    page->load.after = c->last;
    store_load(d->host->store, &page->load);
}

/* ---- running ---- */
static bool hand_over(struct dispatch *d, struct slot *s, struct chat *c)
{
    struct event *e = c->head;
    struct wire_event frame = {e->seq, e->attempts + 1, e->rerun, e->id, e->body};
    if (wire_send_event(worker_process_wire(s->process), &frame)) return false; /* its backlog is full: it hangs */
    c->head = e->next;
    if (!c->head) c->tail = NULL;
    c->count--;
    c->running = e;
    e->slot = s;
    e->prev = NULL;
    e->next = s->running;
    if (s->running) s->running->prev = e;
    s->running = e;
    s->n_running++;
    d->running++;
    map_put(&d->by_seq, e->seq, e);
    return true;
}

void dispatch_pump(struct dispatch *d, struct bot *b, uint32_t index)
{
    struct lane *lane = &b->lanes[index];
    if (!lane->head || d->host->stopping) return;
    struct slot *s = bot_slot(b, index);
    bool suspects = index == (uint32_t)b->options->workers;
    if (s && s->state == SLOT_EMPTY && suspects && !s->retry_at_ns) generation_start_slot(s->generation, index);
    if (!s || s->state != SLOT_READY) return;
    uint32_t most = suspects ? 1 : (uint32_t)d->host->options->parallel;
    while (lane->head && s->n_running < most) {
        struct chat *c = lane->head;
        if (!hand_over(d, s, c)) return;
        lane->head = c->next;
        if (!lane->head) lane->tail = NULL;
        c->ready = false;
    }
}

/* The event runs no more; its slot has let go of it already. Its chat is still held by it. */
static struct chat *stop_running(struct dispatch *d, struct event *e)
{
    e->slot = NULL;
    d->running--;
    map_take(&d->by_seq, e->seq);
    struct chat *c = map_get(&d->chats, e->order);
    c->running = NULL;
    return c;
}

static void leave_slot(struct slot *s, struct event *e)
{
    if (e->prev) e->prev->next = e->next;
    else s->running = e->next;
    if (e->next) e->next->prev = e->prev;
    s->n_running--;
}

static void put_back(struct chat *c, struct event *e)
{
    e->next = c->head;
    c->head = e;
    if (!c->tail) c->tail = e;
    c->count++;
}

static void finish(struct dispatch *d, struct chat *c, struct event *e, enum store_outcome outcome, struct str why)
{
    /* Secrets are taken out here: what shows the store later may be a command that does not know them. */
    auto_free char *masked = why.n ? mem_strndup(why.p, why.n) : NULL;
    if (masked) why = (struct str){masked, log_mask(masked, why.n)};
    if (!e->dropped) store_finish(d->host->store, e->seq, outcome, why);
    let_go(d, e);
    chat_settle(d, c);
}

/* One more attempt is spent. Back to the front of its chat, or aside for good. */
static void blame(struct dispatch *d, struct chat *c, struct event *e, const struct generation *g, struct str why)
{
    e->attempts++;
    e->rerun = true;
    bool last = e->attempts >= (uint32_t)d->host->options->attempts;
    LOG(WARN, last ? "event quarantined" : "event will be tried again", F_STR("bot", e->bot->name), F_VIEW("event", e->id),
        F_VIEW("chat", e->chat), F_INT("generation", g->number), F_INT("attempt", e->attempts), F_VIEW("reason", why));
    news_blamed(e, g, last, why);
    store_attempts(d->host->store, e->seq, e->attempts);
    if (last || e->dropped) {
        d->host->metrics.quarantined++;
        finish(d, c, e, STORE_QUARANTINED, why);
        return;
    }
    d->host->metrics.retried++;
    put_back(c, e);
    chat_settle(d, c);
}

static void log_done(const struct event *e, uint32_t generation, const struct wire_done *done)
{
    static const char *const text[] = {"event done", "event unhandled", "event failed", "event broke a limit"};
    LOG(INFO, text[done->outcome], F_STR("bot", e->bot->name), F_VIEW("event", e->id), F_VIEW("type", e->type),
        F_VIEW("chat", e->chat), F_INT("generation", generation), F_NUM("ms", (double)done->micros / 1000));
}

void dispatch_done(struct dispatch *d, struct slot *s, const struct wire_done *done)
{
    struct event *e = map_get(&d->by_seq, done->seq);
    if (!e || e->slot != s) return; /* not this worker's: a worker cannot finish what it was not given */
    struct metrics *m = &d->host->metrics;
    struct bot *bot = e->bot;
    uint32_t index = s->index;
    metrics_handler_time(m, done->micros);
    log_done(e, s->generation->number, done);
    news_handled(e, s->generation, done);
    leave_slot(s, e);
    struct chat *c = stop_running(d, e);
    switch ((enum wire_outcome)done->outcome) {
    case WIRE_DONE_OK:
        m->done++;
        finish(d, c, e, STORE_DONE, (struct str){0, 0});
        break;
    case WIRE_DONE_UNHANDLED:
        m->unhandled++;
        finish(d, c, e, STORE_DONE, (struct str){0, 0});
        break;
    case WIRE_DONE_FAILED:
        m->failed++;
        store_attempts(d->host->store, e->seq, e->attempts + 1); /* kept with it: how often it was tried */
        finish(d, c, e, STORE_FAILED, done->why);
        break;
    case WIRE_DONE_BROKE:
        blame(d, c, e, s->generation, done->why);
        break;
    }
    dispatch_pump(d, bot, index);
    if (d->behind) scan(d);
}

void dispatch_lost(struct dispatch *d, struct slot *s, const struct worker_end *end)
{
    /* The list is newest first; put back oldest first, so that lanes keep the order in which the chats were served. */
    struct event *oldest = NULL, *next;
    for (struct event *e = s->running; e; oldest = e, e = next) {
        next = e->next;
        e->next = oldest;
    }
    s->running = NULL;
    s->n_running = 0;
    bool web = end->blame & PAGE_WEB && end->blame != PAGE_LOADING; /* then none of them is, however often it happens */
    for (struct event *e = oldest; e; e = next) {
        next = e->next;
        struct chat *c = stop_running(d, e);
        bool guilty = end->blame == e->seq, unlucky = !guilty && !web && ++e->reruns >= MOST_RERUNS;
        if (guilty || unlucky) {
            char why[256];
            int n = snprintf(why, sizeof why, "its worker was %s%s", end->why, unlucky ? ", again and again while this event ran" : "");
            blame(d, c, e, s->generation, (struct str){why, (size_t)n < sizeof why ? (size_t)n : sizeof why - 1});
            continue;
        }
        e->rerun = true;
        put_back(c, e);
        chat_settle(d, c);
    }
}

void dispatch_drop(struct dispatch *d, uint64_t seq, uint64_t order)
{
    struct chat *c = map_get(&d->chats, order);
    if (!c) return;
    if (c->running && c->running->seq == seq) {
        c->running->dropped = true; /* what runs cannot be stopped; it only leaves no trace any more */
        return;
    }
    struct event *before = NULL;
    for (struct event *e = c->head; e; before = e, e = e->next) {
        if (e->seq != seq) continue;
        if (c->ready && e == c->head) lane_remove(c);
        *(before ? &before->next : &c->head) = e->next;
        if (c->tail == e) c->tail = before;
        c->count--;
        let_go(d, e);
        chat_settle(d, c);
        return;
    }
}

/* ---- life ---- */
struct dispatch *dispatch_new(struct host *h)
{
    struct dispatch *d = mem_zalloc(sizeof *d);
    d->host = h;
    return d;
}

void dispatch_start(struct dispatch *d)
{
    d->behind = true;
    scan(d);
}

static void free_chat(void *user, void *value)
{
    (void)user;
    struct chat *c = value;
    if (c->running) event_free(c->running);
    for (struct event *e = c->head, *next; e; e = next) {
        next = e->next;
        event_free(e);
    }
    free(c);
}

void dispatch_free(struct dispatch *d)
{
    map_each(&d->chats, free_chat, NULL);
    map_free(&d->chats);
    map_free(&d->by_seq);
    free(d);
}

static void refill_again(void *user, void *value)
{
    struct chat *c = value;
    if (c->deep && !c->loading && !c->head && !c->running) refill(user, c);
}

void dispatch_tick(struct dispatch *d)
{
    if (d->refill_failed) {
        d->refill_failed = false;
        map_each(&d->chats, refill_again, d);
    }
    scan(d);
}

size_t dispatch_loaded(const struct dispatch *d) { return d->loaded; }
size_t dispatch_running(const struct dispatch *d) { return d->running; }
