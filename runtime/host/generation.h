/* A generation: one state of a bot's code, run by one process a slot. The first process reads the files and reports
 * them; the others, and every process that replaces a lost one, are handed those very bytes, so a generation never
 * changes under its number. Slots 0 … workers-1 serve; the last slot is for suspects: events that took a worker down
 * are tried again there, alone, away from everybody else. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"
#include "host/worker_process.h"

struct bot;
struct event;
struct generation;

enum slot_state { SLOT_EMPTY, SLOT_LOADING, SLOT_READY, SLOT_LEAVING };

struct slot {
    struct generation *generation;
    uint32_t index;
    enum slot_state state;
    struct worker_process *process; /* NULL only when EMPTY */
    struct event *running;          /* list, newest first */
    uint32_t n_running;
    struct kv_call *kv;             /* what it asked of the store and was not told yet: kv.c's */
    size_t kv_n, kv_bytes;
    struct web_call *web;           /* requests of routes that it has: web.c's */
    uint32_t web_n;
    uint32_t failures;              /* in a row, before it was ready: for the backoff */
    int64_t since_ns;               /* of this state */
    int64_t idle_since_ns;          /* suspects' slot: nothing to do since; 0 while busy */
    int64_t retry_at_ns;            /* EMPTY after a failure: when to start again; 0: not by itself */
};

enum generation_state { GENERATION_LOADING, GENERATION_SERVING, GENERATION_LEAVING };

struct generation {
    struct bot *bot;
    uint32_t number;
    enum generation_state state;
    struct snapshot *snapshot;        /* files and looked-for paths; owned */
    uint32_t handlers, web_routes;
    uint32_t n_slots;               /* workers + 1 */
    struct slot *slots;
    int64_t started_ns;
    struct generation *next;        /* list of the leaving ones */
};

struct generation *generation_start(struct bot *bot, uint32_t number);
/* Start the process of one slot. false (and logged): it could not be started; retry_at_ns is set. */
bool generation_start_slot(struct generation *g, uint32_t index);
/* Ask every process to finish and leave, with its timers that are due within so many milliseconds; the generation is freed
 * when the last one is gone. Of one that leaves already: within a shorter time than it was told. */
void generation_leave(struct generation *g, int64_t patience_ms);
void generation_kill(struct generation *g, const char *why);
/* Regular look: hangs, load times, restarts that are due, suspects' slot without work. */
void generation_tick(struct generation *g, int64_t now_ns);
/* One frame of two strings to every process there is. */
void generation_tell(struct generation *g, enum wire_type type, struct str a, struct str b);
bool generation_idle(const struct generation *g); /* no process left */
