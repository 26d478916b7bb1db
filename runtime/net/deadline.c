/* Deadlines of many things that share a few fixed waiting times. The timer is lazy: it stays armed for a deadline that
 * has meanwhile been cleared, fires too early and is armed again. So a busy server arms it a few times a minute. */
#include "net/deadline.h"
#include <stddef.h>

static void arm(struct deadlines *all, uint64_t at);

static void on_timer(uv_timer_t *timer)
{
    struct deadlines *all = timer->data;
    uint64_t now = uv_now(timer->loop), first = 0;
    all->armed = 0;
    for (unsigned i = 0; i < all->n_lists; i++) {
        struct deadline *head = &all->lists[i].head, *d;
        while ((d = head->next) != head && d->at <= now) {
            deadline_clear(d);
            all->expired(all->user, i, d);
        }
        if (d != head && (!first || d->at < first))
            first = d->at;
    }
    if (first)
        arm(all, first);
}

static void arm(struct deadlines *all, uint64_t at)
{
    uint64_t now = uv_now(all->timer.loop);
    if ((all->armed && all->armed <= at) || uv_is_closing((uv_handle_t *)&all->timer))
        return;
    all->armed = at;
    uv_timer_start(&all->timer, on_timer, at > now ? at - now : 0, 0);
}

void deadlines_init(struct deadlines *all, uv_loop_t *loop, struct deadline_list *lists, unsigned n,
                    void (*expired)(void *user, unsigned list, struct deadline *d), void *user)
{
    *all = (struct deadlines){.lists = lists, .n_lists = n, .expired = expired, .user = user};
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
    uv_unref((uv_handle_t *)&all->timer); /* what waits keeps the loop alive, not its deadline */
    for (unsigned i = 0; i < n; i++)
        lists[i].head.prev = lists[i].head.next = &lists[i].head;
}

void deadline_set(struct deadlines *all, unsigned list, struct deadline *d)
{
    struct deadline *head = &all->lists[list].head;
    deadline_clear(d);
    d->at = uv_now(all->timer.loop) + all->lists[list].wait_ms;
    d->prev = head->prev;
    d->next = head;
    head->prev->next = d;
    head->prev = d;
    arm(all, d->at);
}

void deadline_clear(struct deadline *d)
{
    if (!d->next)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}
