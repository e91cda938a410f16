/* SPDX-License-Identifier: MIT */
/* chan.c - channels.
 *
 * Whoever finds a partner waiting does the work for both: copies the item, and makes the other ready. So a call that
 * has to wait has nothing to do when it comes back. */

#include <config.h>

#include <stdint.h>
#include <string.h>

#include "allocator.h"
#include "chan.h"
#include "likely.h"
#include "thread.h"

/* ---- the buffer ---- */

static char *place(const coir_chan *c, size_t index)
{
    size_t at = c->first + index;

    return c->buffer + (at < c->capacity ? at : at - c->capacity) * c->item_size;
}

static void put(coir_chan *c, const void *item)
{
    coir__chan_copy(place(c, c->count), item, c->item_size);
    c->count++;
}

static void drop_first(coir_chan *c)
{
    c->count--;
    c->first = c->first + 1 < c->capacity ? c->first + 1 : 0;
}

static void get(coir_chan *c, void *item)
{
    coir__chan_copy(item, place(c, 0), c->item_size);
    drop_first(c);
}

/* ---- without waiting ---- */

int coir__chan_push(coir_chan *c, const void *item)
{
    if (c->closed)
        return COIR_ECLOSED;
    if (c->receivers.first != NULL)
        coir__chan_copy(coir__chan_serve(&c->receivers, COIR_OK), item, c->item_size);
    else if (c->count < c->capacity)
        put(c, item);
    else
        return COIR_EAGAIN;
    return COIR_OK;
}

/* What the channel holds longest; the place that this leaves is for the sender that waits longest. */
static void pull_from_buffer(coir_chan *c, void *item)
{
    get(c, item);
    if (c->senders.first != NULL)
        put(c, coir__chan_serve(&c->senders, COIR_OK));
}

int coir__chan_pull(coir_chan *c, void *item)
{
    if (c->count > 0)
        pull_from_buffer(c, item);
    else if (c->senders.first != NULL)
        coir__chan_copy(item, coir__chan_serve(&c->senders, COIR_OK), c->item_size);
    else
        return c->closed ? COIR_ECLOSED : COIR_EAGAIN;
    return COIR_OK;
}

static int check(const coir_chan *c, const void *item)
{
    int error = coir__object_check((const struct coir__object *)c);

    if (error != COIR_OK)
        return error;
    return item != NULL || c->item_size == 0 ? COIR_OK : COIR_EINVAL;
}

int coir_chan_try_send(coir_chan *c, const void *item)
{
    int error = check(c, item);

    return error == COIR_OK ? coir__chan_push(c, item) : error;
}

int coir_chan_try_recv(coir_chan *c, void *item)
{
    int error = check(c, item);

    return error == COIR_OK ? coir__chan_pull(c, item) : error;
}

/* ---- with waiting ---- */

static const struct coir__wait sends = {"sends to channel", true, NULL, coir__give_up_queue};
static const struct coir__wait receives = {"receives from channel", true, NULL, coir__give_up_queue};

int coir_chan_send_until(coir_chan *c, const void *item, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (coir__unlikely(!coir__may_wait(&caller)))
        return coir__why_not_wait();
    error = coir_chan_try_send(c, item);
    if (error != COIR_EAGAIN)
        return error;
    caller.task->waiter.item = (void *)(uintptr_t)item; /* it is read only */
    return coir__suspend_in(&c->senders, caller, &sends, c, deadline);
}

int coir_chan_recv_until(coir_chan *c, void *item, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (coir__unlikely(!coir__may_wait(&caller)))
        return coir__why_not_wait();
    error = coir_chan_try_recv(c, item);
    if (error != COIR_EAGAIN)
        return error;
    caller.task->waiter.item = item;
    return coir__suspend_in(&c->receivers, caller, &receives, c, deadline);
}

/* ---- the same once more, for what is usual: a number or a pointer, no deadline, a partner who waits without one. Without
 * calls, so that no registers are to be saved. Whatever is not usual goes the long way. */

static inline bool is_usual(const coir_chan *c, const void *item, struct coir__caller *caller)
{
    return coir__may_wait(caller) && c != NULL && item != NULL && c->object.thread == caller->thread->number &&
           (c->item_size == 8 || c->item_size == 4);
}

static inline void copy_usual(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, 4);
}

/* Ends the wait of one in a queue as coir__chan_serve does. */
static inline void serve_usual(struct coir_waiter *waiter)
{
    coir_task *task = waiter->task;

    coir__queue_remove(waiter);
    task->code = COIR_OK;
    task->wait = NULL;
    coir__ready_add(task->exec, task);
}

static inline int wait_usual(struct coir_queue *queue, struct coir__caller caller, const struct coir__wait *wait,
                             const coir_chan *c, void *item)
{
    caller.task->waiter.item = item;
    return coir__suspend_in(queue, caller, wait, c, COIR_FOREVER);
}

COIR__HOT int coir_chan_send(coir_chan *c, const void *item)
{
    struct coir__caller caller;
    struct coir_waiter *receiver;

    if (coir__unlikely(!is_usual(c, item, &caller) || c->closed))
        return coir_chan_send_until(c, item, COIR_FOREVER);
    receiver = c->receivers.first;
    if (receiver != NULL) {
        if (coir__unlikely(receiver->task->wait != &receives || receiver->task->timer != 0))
            return coir_chan_send_until(c, item, COIR_FOREVER);
        copy_usual(receiver->item, item, c->item_size);
        serve_usual(receiver);
        return COIR_OK;
    }
    if (c->count == c->capacity)
        return wait_usual(&c->senders, caller, &sends, c, (void *)(uintptr_t)item);
    copy_usual(place(c, c->count), item, c->item_size);
    c->count++;
    return COIR_OK;
}

COIR__HOT int coir_chan_recv(coir_chan *c, void *item)
{
    struct coir__caller caller;
    struct coir_waiter *sender;

    if (coir__unlikely(!is_usual(c, item, &caller)))
        return coir_chan_recv_until(c, item, COIR_FOREVER);
    sender = c->senders.first;
    if (sender != NULL) {
        if (coir__unlikely(c->count > 0 || sender->task->wait != &sends || sender->task->timer != 0))
            return coir_chan_recv_until(c, item, COIR_FOREVER);
        copy_usual(item, sender->item, c->item_size);
        serve_usual(sender);
        return COIR_OK;
    }
    if (c->count == 0) {
        if (coir__unlikely(c->closed))
            return COIR_ECLOSED;
        return wait_usual(&c->receivers, caller, &receives, c, item);
    }
    copy_usual(item, place(c, 0), c->item_size);
    drop_first(c);
    return COIR_OK;
}

/* ---- the channel itself ---- */

/* Items of no size need no memory, but a place all the same. */
static size_t buffer_size(const coir_chan *c)
{
    return c->item_size > 0 ? c->capacity * c->item_size : 1;
}

int coir_chan_create(coir_chan **out, size_t item_size, size_t capacity)
{
    coir_chan *c;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    if (item_size > 0 && capacity > SIZE_MAX / 2 / item_size)
        return COIR_ENOMEM;
    c = coir__object_make(sizeof *c, &error);
    if (c == NULL)
        return error;
    c->item_size = item_size;
    c->capacity = capacity;
    if (capacity > 0)
        c->buffer = coir__allocate(buffer_size(c));
    if (capacity > 0 && c->buffer == NULL) {
        coir__release(c, sizeof *c);
        return COIR_ENOMEM;
    }
    *out = c;
    return COIR_OK;
}

int coir_chan_close(coir_chan *c)
{
    int error = coir__object_check((const struct coir__object *)c);

    if (error != COIR_OK)
        return error;
    if (c->closed)
        return COIR_ECLOSED;
    c->closed = true;
    while (c->senders.first != NULL)
        coir__chan_serve(&c->senders, COIR_ECLOSED);
    while (c->receivers.first != NULL)
        coir__chan_serve(&c->receivers, COIR_ECLOSED);
    return COIR_OK;
}

int64_t coir_chan_count(const coir_chan *c)
{
    int error = coir__object_check((const struct coir__object *)c);

    return error == COIR_OK ? (int64_t)c->count : error;
}

int coir_chan_destroy(coir_chan *c)
{
    int error;

    if (c == NULL)
        return COIR_OK;
    error = coir__object_check_destroy(&c->object, c->senders.first != NULL || c->receivers.first != NULL);
    if (error != COIR_OK)
        return error;
    coir__release(c->buffer, buffer_size(c));
    coir__release(c, sizeof *c);
    return COIR_OK;
}
