/* SPDX-License-Identifier: MIT */
/* loop.h - what ties an executor to a loop, and how tasks wait for what happens in it.
 *
 * Who runs whom. In coir_exec_run the executor leads: its poller's `wait` runs one iteration of the loop. In uv_run the
 * loop leads: the handles `before` and `after`, which it calls once in each iteration, run one turn of the executor.
 * Either way libuv's callbacks only end waits; tasks run later, from the executor's queue.
 *
 * Where things live. What must outlive a call that waits (a handle, a request in flight) is the loop's, in an object or
 * a block of its own. A waiter is on the stack of the call: whoever ends its wait first takes it out of all places where
 * it is noted, so the object may be gone when the task goes on. */

#ifndef COIR_UV__LOOP_H
#define COIR_UV__LOOP_H

#include <limits.h>
#include <stdbool.h>

#include <coir/stack.h>
#include <coir/uv.h>
#include <coir/wait.h>

#if defined(__GNUC__)
#define COIR_UV__NOINLINE __attribute__((noinline))
#define coir_uv__prefetch(address) __builtin_prefetch((address), 1)
#else
#define COIR_UV__NOINLINE
#define coir_uv__prefetch(address) ((void)(address))
#endif

struct coir_uv__object;
struct coir_uv__lookup;

struct coir_uv__loop {
    uv_loop_t *loop;
    coir_exec *exec;
    uv_async_t wake;     /* rung by who posts; keeps the loop alive while something outside may */
    uv_timer_t timer;    /* at the executor's next deadline */
    uv_prepare_t before; /* the executor's turn before the loop sleeps */
    uv_check_t after;    /* and after */
    uv_idle_t idle;      /* keeps the loop from sleeping */
    int64_t armed_for;   /* the deadline that the timer is set for; COIR_FOREVER: it is not */
    bool runs_loop;      /* the executor leads, and the loop runs now */
    bool runs_tasks;     /* tasks run now, on top of the loop: it leads, or they are a batch */
    bool in_batch;       /* they are */
    unsigned batch;      /* waits that callbacks have ended since the last batch */
    bool lent;           /* the loop has led: `timer`, `idle` and `wake` keep it alive as long as it has to be */
    unsigned references; /* from its handles, its objects and its executor: the last one frees it */
    struct coir_uv__object *objects; /* that were not destroyed */
    struct coir_uv__waiter *chances; /* whose deadline has passed, but which the loop's next look may still serve */
    struct coir_uv__waiter *late;    /* the same, but the look that goes on now has not been for them */
    struct coir_uv__lookup *spare;   /* memory for a look-up of names */
};

/* exec.c: the tie of the executor that runs here, for a call with a result at `result`, which must not be NULL: COIR_OK,
 * COIR_ENOTTASK, COIR_EINVAL. */
int coir_uv__here_for(const void *result, struct coir_uv__loop **out);

/* exec.c: the same, for a call that waits: first whether it may. */
int coir_uv__may_wait_for(const void *result, struct coir_uv__loop **out);

/* exec.c: may the caller wait with something of `loop`: COIR_OK, COIR_ENOTTASK, COIR_ECANCELED, COIR_ETHREAD,
 * COIR_EINVAL. */
int coir_uv__may_wait_in(const struct coir_uv__loop *loop);

/* exec.c: is this its thread: COIR_OK or COIR_ETHREAD. */
int coir_uv__check(const struct coir_uv__loop *loop);

/* exec.c: at the end of a callback that has ended a wait, and touches nothing after this: runs the tasks that are ready
 * if these are enough for a batch. A loop that finds thousands of events would else touch thousands of sockets and
 * stacks, and then all of them again. */
void coir_uv__end_of_callback(struct coir_uv__loop *loop);

/* exec.c: gives up one reference. */
void coir_uv__drop(struct coir_uv__loop *loop);

/* A request to libuv has at most that many bytes, for results are int here. */
static inline unsigned int coir_uv__bounded(size_t size)
{
    return size < INT_MAX ? (unsigned int)size : INT_MAX;
}

/* Has the deadline passed? */
static inline bool coir_uv__is_past(int64_t deadline)
{
    return deadline != COIR_FOREVER && deadline <= coir_now();
}

/* names.c: frees the memory for a look-up. */
void coir_uv__lookup_release(struct coir_uv__lookup *lookup);

/* error.c: what a call returns for libuv's error; COIR_OK for what is none. */
int coir_uv__error(int uv);

/* ---- waiting ---- */

/* A task that waits at an object. */
struct coir_uv__waiter {
    coir_wait wait;
    struct coir_uv__object *object;
    struct coir_uv__waiter **place;   /* where the object has it noted */
    struct coir_uv__waiter *next;     /* in the loop's list of chances */
    struct coir_uv__waiter **in_list; /* what points to it there; NULL: it is not in it */
};

/* wait.c: waits at `place` of the object, which is empty, until coir_uv__end. With a deadline that has passed, until the
 * loop has had a look. Returns the code of coir_uv__end, COIR_ETIMEDOUT or COIR_ECANCELED. */
int coir_uv__wait(struct coir_uv__object *object, struct coir_uv__waiter **place, struct coir_uv__waiter *waiter,
                  const char *what, int64_t deadline);

/* wait.c: ends the wait at `place`, if anybody waits there. */
void coir_uv__end(struct coir_uv__waiter **place, int code);

/* wait.c: the loop has had its look: ends the waits whose deadline had passed. */
void coir_uv__end_chances(struct coir_uv__loop *loop);

/* ---- objects: what holds a handle of libuv ---- */

struct coir_uv__object {
    struct coir_uv__loop *loop;
    uv_handle_t *handle;            /* its `data` is the object */
    struct coir_uv__object *next;   /* in the loop's list */
    struct coir_uv__object **in_list;
    size_t size;                    /* of its memory */
    unsigned waiters;               /* tasks that wait at it: while there are any, the handle keeps the loop alive */
    void (*release)(struct coir_uv__object *object); /* frees what it owns; or NULL */
    bool closed;                    /* the handle is closing, or closed */
    bool gone;                      /* its closing callback was called */
    bool destroyed;                 /* the program has done with it */
};

/* object.c: makes one of `size` bytes, of zeros, or NULL. Its handle, at `handle` bytes from its start, has still to be
 * initialised: if that fails, coir_uv__object_unmake. */
void *coir_uv__object_make(struct coir_uv__loop *loop, size_t size, size_t handle);
void coir_uv__object_unmake(struct coir_uv__object *object);

/* object.c: the handle is initialised. */
void coir_uv__object_made(struct coir_uv__object *object);

/* object.c: closes the handle, if that was not done; frees the object, as soon as it is closed. */
void coir_uv__object_close(struct coir_uv__object *object);
void coir_uv__object_destroy(struct coir_uv__object *object);

/* object.c: may the caller wait with this object, which may be NULL: as coir_uv__may_wait_in, COIR_EINVAL,
 * COIR_ECLOSED. */
int coir_uv__object_may_wait(const struct coir_uv__object *object);

/* object.c: COIR_OK, COIR_EINVAL for NULL, COIR_ETHREAD. */
int coir_uv__object_check(const struct coir_uv__object *object);

#endif
