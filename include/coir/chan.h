/* SPDX-License-Identifier: MIT */
/* coir/chan.h - channels: items of one size, from tasks to tasks.
 *
 *     static void *producer(void *chan)
 *     {
 *         for (int n = 1; n <= 3; n++)
 *             coir_chan_send(chan, &n);
 *         coir_chan_close(chan);
 *         return NULL;
 *     }
 *
 *     int n;
 *     while (coir_chan_recv(chan, &n) == COIR_OK)
 *         printf("%d\n", n);
 *
 * A channel belongs to the thread that created it; tasks of all executors of that thread may use it, and from another
 * every call is COIR_ETHREAD. The rules of coir/exec.h hold: what "may wait" means, who is served first, cancellation.
 * A send that fails has sent nothing, and a receive that fails has taken nothing. */

#ifndef COIR_CHAN_H
#define COIR_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A channel. Made by coir_chan_create, freed by coir_chan_destroy. */
typedef struct coir_chan coir_chan;

/* Makes a channel for items of `item_size` bytes, that holds up to `capacity` of them. With capacity 0 it holds none: a
 * send waits for a receive and the other way round. With item_size 0 an item is a signal without contents, and the item
 * pointers of all calls are ignored. Stores it in *out; the caller frees it with coir_chan_destroy.
 * COIR_EINVAL: `out` is NULL; COIR_ENOMEM; COIR_ENOTSUP: no backend can be had. */
COIR_API int coir_chan_create(coir_chan **out, size_t item_size, size_t capacity);

/* Sends a copy of *item: to the receiver that waits longest, else into the channel if it has room, else waits for
 * either. COIR_OK; COIR_ECLOSED: the channel is closed, or was while this waited; COIR_ETIMEDOUT; COIR_ECANCELED;
 * COIR_ENOTTASK; COIR_EINVAL: `c` or `item` is NULL; COIR_ETHREAD. The try_ form never waits, may be called outside of
 * tasks, and gives COIR_EAGAIN where the other would wait. */
COIR_API int coir_chan_send(coir_chan *c, const void *item);
COIR_API int coir_chan_send_until(coir_chan *c, const void *item, int64_t deadline);
COIR_API int coir_chan_try_send(coir_chan *c, const void *item);

/* Receives into *item: what the channel has held longest, else from the sender that waits longest, else waits. A closed
 * channel first gives what it holds, then COIR_ECLOSED. Other results as coir_chan_send. */
COIR_API int coir_chan_recv(coir_chan *c, void *item);
COIR_API int coir_chan_recv_until(coir_chan *c, void *item, int64_t deadline);
COIR_API int coir_chan_try_recv(coir_chan *c, void *item);

/* Closes the channel: no more can be sent. Whoever waits to send or, since it is empty then, to receive gets
 * COIR_ECLOSED. Does not wait; may be called outside of tasks. COIR_ECLOSED: it was closed before; COIR_EINVAL,
 * COIR_ETHREAD. */
COIR_API int coir_chan_close(coir_chan *c);

/* The number of items that the channel holds. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int64_t coir_chan_count(const coir_chan *c);

/* Frees the channel with what it holds. NULL does nothing and is COIR_OK. COIR_EBUSY: a task waits at it, unless their
 * thread has ended; COIR_ETHREAD: it belongs to another thread that has not ended. */
COIR_API int coir_chan_destroy(coir_chan *c);

/* What a case of coir_select does. */
enum coir_select_operation { COIR_RECV = 0, COIR_SEND = 1 };

/* A place in a queue of tasks. The library's own: each case of a coir_select holds one, so that waiting needs no
 * memory. */
struct coir_waiter {
    struct coir_waiter *next;
    struct coir_waiter *previous;
    struct coir_queue *queue;
    struct coir_task *task;
    void *item;
};

/* A case of coir_select. The array belongs to the caller and must stay as it is until the call returns. */
typedef struct coir_select_case {
    coir_chan *chan;           /* NULL: this case is never chosen */
    void *item;                /* where to receive to, or what to send: as with coir_chan_recv and coir_chan_send */
    int operation;             /* COIR_RECV or COIR_SEND */
    int reserved;
    struct coir_waiter waiter; /* need not be set */
} coir_select_case;

/* Does one of `n` cases, the first that can be done, and stores its index in *which. If several can be done at once,
 * each gets its chance: the search begins at another case each time. If none can be, waits until one can. A closed
 * channel can be done: the result is then COIR_ECLOSED, with *which saying whose.
 *
 * COIR_OK: the case *which is done. COIR_ECLOSED: the channel of *which is closed (and empty, for a receive).
 * COIR_ETIMEDOUT, COIR_ECANCELED, COIR_ENOTTASK. COIR_EINVAL: `cases` or `which` is NULL, an operation is unknown, or
 * an item is NULL. COIR_ETHREAD. COIR_EDEADLK: no case has a channel, and there is no deadline. But for the first two
 * nothing was sent or received, and *which is as it was. The try_ form never waits, may be called outside of tasks, and
 * gives COIR_EAGAIN where the other would wait. */
COIR_API int coir_select(coir_select_case *cases, size_t n, size_t *which);
COIR_API int coir_select_until(coir_select_case *cases, size_t n, int64_t deadline, size_t *which);
COIR_API int coir_try_select(coir_select_case *cases, size_t n, size_t *which);

#ifdef __cplusplus
}
#endif

#endif
