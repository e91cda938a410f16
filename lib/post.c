/* SPDX-License-Identifier: MIT */
/* post.c - functions that other threads have called in an executor's thread. */

#include <config.h>

#include "allocator.h"
#include "event.h"
#include "exec.h"
#include "tools.h"

struct coir__posted {
    struct coir__posted *next;
    void (*fn)(void *arg);
    void *arg;
};

/* Who finds the list empty wakes the executor; the others know that it was woken and has not looked yet. By then the
 * function may have run, and the program may have had the executor destroyed: that waits for who holds the event. */
int coir_exec_post(coir_exec *e, void (*fn)(void *arg), void *arg)
{
    struct coir__posted *entry, *before;
    struct coir__event *event;

    if (e == NULL || fn == NULL)
        return COIR_EINVAL;
    entry = coir__allocate(sizeof *entry);
    if (entry == NULL)
        return COIR_ENOMEM;
    entry->fn = fn;
    entry->arg = arg;
    coir__tools_publish(entry);
    event = e->event;
    coir__event_hold(event);
    before = atomic_load_explicit(&e->posted, memory_order_relaxed);
    do
        entry->next = before;
    while (!atomic_compare_exchange_weak_explicit(&e->posted, &before, entry, memory_order_release,
                                                  memory_order_relaxed));
    if (before == NULL && e->has_poller)
        e->poller.wake(e->poller.context);
    else if (before == NULL)
        coir__event_set(event);
    coir__event_drop(event);
    return COIR_OK;
}

/* Takes over what was posted, in the order in which it was. There is nothing left from the last time. */
static void take_over(coir_exec *e)
{
    struct coir__posted *entry = atomic_exchange_explicit(&e->posted, NULL, memory_order_acquire);

    while (entry != NULL) {
        struct coir__posted *before = entry->next;
        entry->next = e->taken;
        e->taken = entry;
        entry = before;
    }
}

static struct coir__posted take_first(coir_exec *e)
{
    struct coir__posted *entry = e->taken;
    struct coir__posted copy = *entry;

    coir__tools_observe(entry);
    e->taken = entry->next;
    coir__release(entry, sizeof *entry);
    return copy;
}

void coir__run_posted(coir_exec *e)
{
    if (!coir__is_posted(e))
        return;
    if (e->taken == NULL)
        take_over(e);
    while (e->taken != NULL && !e->stopping) {
        struct coir__posted entry = take_first(e);
        entry.fn(entry.arg);
    }
}

void coir__forget_posted(coir_exec *e)
{
    while (coir__is_posted(e)) {
        if (e->taken == NULL)
            take_over(e);
        while (e->taken != NULL)
            take_first(e);
    }
}
