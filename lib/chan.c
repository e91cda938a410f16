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

static void get(coir_chan *c, void *item)
{
    coir__chan_copy(item, place(c, 0), c->item_size);
    c->count--;
    c->first = c->first + 1 < c->capacity ? c->first + 1 : 0;
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
    int error = c != NULL ? coir__thread_check(c->thread) : COIR_EINVAL;

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

int coir_chan_send(coir_chan *c, const void *item)
{
    return coir_chan_send_until(c, item, COIR_FOREVER);
}

int coir_chan_recv(coir_chan *c, void *item)
{
    return coir_chan_recv_until(c, item, COIR_FOREVER);
}

/* ---- the channel itself ---- */

int coir_chan_create(coir_chan **out, size_t item_size, size_t capacity)
{
    struct coir__thread *thread;
    coir_chan *c;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    error = coir__thread_enter(&thread);
    if (error != COIR_OK)
        return error;
    if (item_size > 0 && capacity > SIZE_MAX / 2 / item_size)
        return COIR_ENOMEM;
    c = coir__allocate(sizeof *c);
    if (c == NULL)
        return COIR_ENOMEM;
    memset(c, 0, sizeof *c);
    c->thread = thread->number;
    c->item_size = item_size;
    c->capacity = capacity;
    if (capacity > 0 && item_size > 0) {
        c->buffer = coir__allocate(capacity * item_size);
        if (c->buffer == NULL) {
            coir__release(c, sizeof *c);
            return COIR_ENOMEM;
        }
    }
    *out = c;
    return COIR_OK;
}

int coir_chan_close(coir_chan *c)
{
    int error = c != NULL ? coir__thread_check(c->thread) : COIR_EINVAL;

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
    int error = c != NULL ? coir__thread_check(c->thread) : COIR_EINVAL;

    return error == COIR_OK ? (int64_t)c->count : error;
}

int coir_chan_destroy(coir_chan *c)
{
    int error;

    if (c == NULL)
        return COIR_OK;
    error = coir__thread_check_destroy(c->thread);
    if (error != COIR_OK)
        return error;
    if (c->thread == coir__thread_now()->number && (c->senders.first != NULL || c->receivers.first != NULL))
        return COIR_EBUSY;
    coir__release(c->buffer, c->capacity * c->item_size);
    coir__release(c, sizeof *c);
    return COIR_OK;
}
