/* SPDX-License-Identifier: MIT */
/* thread.h - a thread's record: which fiber runs, which fibers are its own, its pool of stacks. */

#ifndef COIR__THREAD_H
#define COIR__THREAD_H

#include "fiber.h"
#include "handle.h"
#include "likely.h"
#include "pool.h"
#include "thread_pointer.h"

struct coir__thread {
    coir_fiber *current;         /* the fiber that runs, or &root */
    _Atomic(const struct coir__exceptions *) watched; /* sends each change of fiber to careful.c while it is not empty: the
                                                        next one, or a record that never is */
    struct coir_exec *exec;      /* the executor that runs in it, the innermost; or coir__no_exec */
    _Alignas(64)                 /* or some of its words would lie across cache lines, for twice the time of a coir_create */
    struct coir__stack leaving;  /* the stack of the fiber that ended last. It stood on it till its last switch was over,
                                    so it is up to the next call that comes by to use it or give it back */
    struct coir__handles handles;
    struct coir__exceptions *exceptions; /* the C++ runtime's record of this thread, or coir__no_exceptions */
    uint64_t number;             /* no other thread of the process has it, before or after; from 1 */
    bool ended;                  /* there is no such thread any more */
    coir_fiber root;             /* stands for the thread itself, as resumer of its outermost fibers */
    coir_fiber *fibers;          /* its fibers that have not ended */
    uint64_t next_serial;        /* for its next fiber */
    unsigned selects;            /* how often it has called coir_select outside of tasks */
    coir_fiber *left;            /* the side that was left last, for tools that follow switches */
    size_t released;             /* handles that went to the allocator since coir_pool_trim last asked it for memory */
    struct coir__pool pool;
    void *alternate_stack;       /* for the handlers of signals, if the library has made one */
    struct coir__thread *next; /* in the list of all threads */
    struct coir__thread *previous;
};

/* The record of a thread that has none of its own: it is never a fiber's `resumable_by`. And the one that stands for all
 * threads that have ended: the owner of the fibers they left, and `resumable_by` of those that were suspended. */
extern struct coir__thread coir__no_thread;
extern struct coir__thread coir__thread_ended;

/* The owner of movable fibers that do not run: any thread may have them. */
extern struct coir__thread coir__thread_any;

/* exec.c: what a thread's record has that runs no executor: one without tasks. */
extern struct coir_exec coir__no_exec;

/* Written by other threads too: thread.c, coir__threads_watch. */
static inline const struct coir__exceptions *coir__watched(struct coir__thread *thread)
{
    return atomic_load_explicit(&thread->watched, memory_order_relaxed);
}

/* thread.c: does it go through careful.c at each change of fiber? */
bool coir__watches_always(struct coir__thread *thread);

/* thread.c: under the lock: all threads, those to come too, go through careful.c at each change of fiber; or only when
 * their records of exceptions are not empty. */
void coir__threads_watch(bool always);

/* The calling thread's record, coir__no_thread if it has none. Never inlined: the compiler must not keep its result, or
 * the address of the thread-local variable behind it, over a switch, after which the code may run in another thread. In
 * functions that read it once, before any switch, coir__thread_here() of thread_pointer.h does the same inline. */
struct coir__thread *coir__thread_now(void);

/* Makes a record for the calling thread, which has none: COIR_OK, COIR_ENOMEM, COIR_ENOTSUP. */
int coir__thread_make(struct coir__thread **out);

/* The calling thread's record, made if there is none. For functions that call it before any switch. */
static inline int coir__thread_enter(struct coir__thread **out)
{
    struct coir__thread *thread = coir__thread_here();

    if (coir__unlikely(thread == &coir__no_thread)) {
        int error = coir__thread_make(&thread);
        if (error != COIR_OK)
            return error;
    }
    *out = thread;
    return COIR_OK;
}

/* thread.c: makes a movable fiber that does not run the calling thread's, whose record, made if there is none, `*thread` is
 * from then on; leaves all others alone. COIR_OK, COIR_ENOMEM, COIR_ENOTSUP. */
int coir__thread_take_over(coir_fiber *f, struct coir__thread **thread);

/* Is there still a thread of that number? */
bool coir__thread_lives(uint64_t number);

/* For what belongs to the thread of that number: COIR_OK if it is the calling one, else COIR_ETHREAD. */
static inline int coir__thread_check(uint64_t number)
{
    return coir__thread_here()->number == number ? COIR_OK : COIR_ETHREAD;
}

/* What the system's thread-exit hook calls, on the thread's own stack. */
void coir__thread_exit(struct coir__thread *thread);

/* In the child of a fork: all threads but the calling one are no more. */
void coir__thread_forked(void);

/* Gives back the stack of the fiber that ended last, if nobody has yet. Giving one back may call the program
 * (callbacks of Windows' fiber-local storage), in which another fiber may end. */
static inline void coir__thread_reclaim(struct coir__thread *thread)
{
    while (thread->leaving.source != COIR__STACK_NONE)
        coir__stack_give(thread, &thread->leaving);
}

/* Did a thread end in the middle of this fiber, or while it waited? Then it cannot go on. */
static inline bool coir__cut_short(const coir_fiber *f)
{
    if (f->life == COIR__STARTED)
        return f->owner->ended && f->resumable_by == NULL;
    return f->life == COIR__CUT_SHORT;
}

/* And is nothing left of where it stood, so that it cannot even be unwound? Of threads that a fork has ended nobody knows
 * what they did. */
static inline bool coir__frames_lost(const coir_fiber *f)
{
    if (f->life == COIR__STARTED && f->owner == &coir__thread_ended)
        return false;
    return coir__cut_short(f);
}

/* Adds a fiber to the owner's list of live ones; takes it out. */
static inline void coir__thread_adopt(struct coir__thread *thread, coir_fiber *f)
{
    f->owner = thread;
    f->previous = NULL;
    f->next = thread->fibers;
    if (f->next != NULL)
        f->next->previous = f;
    thread->fibers = f;
}

static inline void coir__thread_drop(coir_fiber *f)
{
    if (f->previous != NULL)
        f->previous->next = f->next;
    else
        f->owner->fibers = f->next;
    if (f->next != NULL)
        f->next->previous = f->previous;
}

/* Is `f`, which has not ended, another thread's? */
static inline bool coir__is_elsewhere(const coir_fiber *f, const struct coir__thread *thread)
{
    return f->owner != thread && f->owner != &coir__thread_any;
}

/* A movable fiber suspends: it is no thread's until one takes it over. */
static inline void coir__thread_let_go(coir_fiber *f)
{
    coir__thread_drop(f);
    f->owner = &coir__thread_any;
}

/* The last switch of a fiber that is done, to its resumer, whose call returns `code`. */
static inline int coir__leave_for_good(struct coir__thread *thread, coir_fiber *f, int code)
{
    coir_fiber *resumer = f->resumer;

    thread->current = resumer;
    return coir__route_out(coir__watched(thread), &f->context, &resumer->context, code);
}

#endif
