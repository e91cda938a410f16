/* SPDX-License-Identifier: MIT */
/* chan.h - what a channel is inside, for chan.c and select.c. */

#ifndef COIR__CHAN_H
#define COIR__CHAN_H

#include <stdbool.h>
#include <string.h>

#include <coir/chan.h>

#include "object.h"
#include "queue.h"
#include "task.h"

/* At most one of the two queues has tasks in it, but for those of a coir_select. While receivers wait the buffer is
 * empty, and while senders wait it is full. */
struct coir_chan {
    struct coir__object object;
    struct coir_queue receivers;
    struct coir_queue senders;
    size_t item_size;
    size_t capacity; /* of the buffer, in items */
    size_t count;    /* items in it */
    size_t first;    /* the place of the one that is in it longest */
    bool closed;
    char *buffer;
};

/* chan.c: does what can be done without waiting: COIR_OK, COIR_ECLOSED, or COIR_EAGAIN if nothing can. */
int coir__chan_push(coir_chan *c, const void *item);
int coir__chan_pull(coir_chan *c, void *item);

/* select.c: the wait of a coir_select, all of whose cases are in queues. */
extern const struct coir__wait coir__selects;

/* select.c: takes the task out of the queues of its other cases; the one of `waiter` is what it gets. */
void coir__select_chosen(struct coir_waiter *waiter);

/* Ends the wait of the first in a queue with `code`: where its item is. */
static inline void *coir__chan_serve(struct coir_queue *queue, int code)
{
    struct coir_waiter *waiter = queue->first;
    void *item = waiter->item;

    if (waiter->task->wait == &coir__selects)
        coir__select_chosen(waiter);
    else
        coir__queue_remove(waiter);
    coir__ready(waiter->task, code);
    return item;
}

/* Most items are numbers or pointers. */
static inline void coir__chan_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(void *))
        memcpy(to, from, sizeof(void *));
    else if (size > 0)
        memcpy(to, from, size);
}

#endif
