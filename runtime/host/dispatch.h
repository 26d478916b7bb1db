/* Who runs next. Per chat one event at a time, in order of arrival; chats side by side up to --parallel a worker.
 *
 * Memory holds at most --queue events. Two things may wait in the store only: what came after the horizon while memory
 * was full ("behind"), and what a single chat has beyond CHAT_DEPTH ("deep"). Both come back by store_load, in order. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "host/wire.h"

struct bot;
struct chat;
struct dispatch;
struct host;
struct slot;
struct worker_end;

struct event {
    struct bot *bot;
    uint64_t seq, order;
    int64_t received_ms;      /* wall clock */
    uint32_t attempts;        /* how often it took its worker down or broke a limit */
    uint32_t reruns;          /* how often its worker was lost through no fault of its own */
    bool rerun;               /* it may have been handled in part before */
    bool dropped;             /* `moonline event drop` while it ran */
    struct slot *slot;        /* where it runs; NULL while it waits */
    struct event *next, *prev;
    struct str id, type, chat, body; /* point into bytes; type and chat may be empty */
    char bytes[];
};

/* Copies; type and chat may be views into body. */
struct event *event_new(struct bot *bot, struct str id, struct str body, struct str type, struct str chat);
void event_free(struct event *e);

struct dispatch *dispatch_new(struct host *h);
void dispatch_free(struct dispatch *d);
void dispatch_start(struct dispatch *d);                    /* take up what the store holds from before */
void dispatch_committed(struct dispatch *d, struct event *e); /* takes e; e->seq and e->order are set */
struct store_row;
void dispatch_restored(struct dispatch *d, const struct store_row *row); /* `moonline event retry` put it back */
void dispatch_pump(struct dispatch *d, struct bot *b, uint32_t lane); /* a slot became ready or has room */
void dispatch_done(struct dispatch *d, struct slot *s, const struct wire_done *done);
void dispatch_lost(struct dispatch *d, struct slot *s, const struct worker_end *end); /* its events go back */
void dispatch_drop(struct dispatch *d, uint64_t seq, uint64_t order); /* removed from the store by hand */
void dispatch_tick(struct dispatch *d);                     /* now and then: what a failing store left undone */
bool dispatch_wants(const struct bot *b, uint32_t lane);    /* something waits in this lane */
size_t dispatch_loaded(const struct dispatch *d);           /* events in memory */
size_t dispatch_running(const struct dispatch *d);
