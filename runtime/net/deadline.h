/* Deadlines of many things that share a few fixed waiting times: one list for each waiting time, in order of arrival
 * and therefore of expiry, and one timer for all lists. Setting a deadline costs a few pointers and no system call. */
#pragma once
#include <stdint.h>
#include <uv.h>

struct deadline {
    struct deadline *prev, *next; /* NULL while no deadline is set */
    uint64_t at;                  /* in milliseconds of uv_now() */
};

struct deadline_list {
    struct deadline head; /* a ring; head.next expires first */
    uint64_t wait_ms;
};

struct deadlines {
    uv_timer_t timer;
    struct deadline_list *lists;
    unsigned n_lists;
    uint64_t armed; /* when the timer fires, 0 when it is not running; never later than the first deadline */
    void (*expired)(void *user, unsigned list, struct deadline *d); /* d was taken off its list */
    void *user;
};

/* lists: n of them with wait_ms filled in; they and the struct belong to the caller and must outlive the timer's
 * closing (close it like any handle). */
void deadlines_init(struct deadlines *all, uv_loop_t *loop, struct deadline_list *lists, unsigned n,
                    void (*expired)(void *user, unsigned list, struct deadline *d), void *user);
/* Expire wait_ms of the list from now; a deadline set before is forgotten. */
void deadline_set(struct deadlines *all, unsigned list, struct deadline *d);
void deadline_clear(struct deadline *d);
