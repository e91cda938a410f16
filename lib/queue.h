/* SPDX-License-Identifier: MIT */
/* queue.h - queues of tasks that wait for something, the longest first. Their links lie in the tasks, or in the cases
 * of a coir_select. */

#ifndef COIR__QUEUE_H
#define COIR__QUEUE_H

#include <stddef.h>

#include <coir/chan.h>

struct coir_queue {
    struct coir_waiter *first, *last;
};

/* `waiter` is in no queue: its own is NULL. */
static inline void coir__queue_add(struct coir_queue *queue, struct coir_waiter *waiter)
{
    waiter->queue = queue;
    waiter->next = NULL;
    waiter->previous = queue->last;
    if (queue->last != NULL)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

static inline void coir__queue_remove(struct coir_waiter *waiter)
{
    struct coir_queue *queue = waiter->queue;

    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        queue->last = waiter->previous;
    waiter->queue = NULL;
}

#endif
