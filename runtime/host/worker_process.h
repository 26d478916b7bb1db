/* One worker as a process: started, spoken to over a wire, watched through its page, and reported gone exactly once,
 * after everything it had still said was heard. Knows nothing of bots, generations or events. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "host/page.h"
#include "host/wire.h"

struct worker_process;

struct worker_end {
    bool clean;       /* exited with 0 after BYE */
    uint64_t blame;   /* the event whose Lua was running when it ended; PAGE_LOADING, PAGE_TIMER, PAGE_WEB | id; 0: none was */
    char timer[160];  /* blame is PAGE_TIMER: the script's line that made the timer; else "" */
    char why[160];    /* "killed by signal 11 (Segmentation fault)", "stuck for 812 ms", … */
};

struct worker_process_callbacks {
    void (*frame)(void *user, enum wire_type type, struct str payload);
    void (*gone)(void *user, const struct worker_end *end); /* last call; the worker_process frees itself afterwards */
    int rates_fd; /* the channel's buckets, for RATES_FD; 0: the worker keeps its own. Stays the caller's */
};

/* label is what the process list shows: "echo generation 3". 0 or ERR_IO with one line in error. */
int worker_process_start(uv_loop_t *loop, const char *label, const struct worker_process_callbacks *cb, void *user,
                         struct worker_process **ret, char *error, size_t n);
struct wire *worker_process_wire(struct worker_process *p);
struct worker_page *worker_process_page(struct worker_process *p);
int worker_process_pid(const struct worker_process *p);
/* Kill it; why is what gone() will say (first one wins). The event running at this moment is the one to blame. */
void worker_process_kill(struct worker_process *p, const char *why);
/* Look at it now and then: true and killed if Lua has been running without coming back for hang_ns and has used busy_ns
 * of processor time in it (so a busy machine is not mistaken for a stuck worker), or has slept for hang_ns inside it (a
 * C module that blocks); and in any case after ten times that, and at least 10 s. */
bool worker_process_watch(struct worker_process *p, int64_t hang_ns, int64_t busy_ns);
int64_t worker_process_resident(const struct worker_process *p); /* bytes, 0 when unknown */
