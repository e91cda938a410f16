/* SPDX-License-Identifier: MIT */
/* task.h - what a task is inside, and how one waits.
 *
 * A task is its root fiber and a leaf, the innermost fiber that runs in it. Waiting saves the leaf and continues the
 * leaf of the next ready task; the fibers between root and leaf notice nothing.
 *
 * Whoever makes something happen that a task waits for does all that is to be done about it, before the task runs
 * again: takes it out of queues, copies items, unsets its timer, notes what its call is to return. So the calls that
 * wait can end in the switch, by a jump, for the same reason as those of switch.c. */

#ifndef COIR__TASK_H
#define COIR__TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <coir/chan.h>
#include <coir/exec.h>

#include "exec.h"
#include "fiber.h"
#include "queue.h"
#include "thread.h"
#include "timer.h"

/* A kind of wait: one constant of this type stands in the file of each thing that can be waited for. */
struct coir__wait {
    const char *report; /* what a task that waits so does, for reports: "receives from channel". NULL: its target is a
                           coir_wait, which says it */
    bool has_target;    /* the task's target is an object of the program's, whose address is worth telling */

    /* Which task it waits for in this way, for reports: may give NULL, and may be NULL. */
    const coir_task *(*whom)(const coir_task *task);

    /* Ends the wait without what it was for, by time or cancellation: makes the task ready, with `code` or with what
     * that means for this kind. NULL: it cannot be ended so, for now. */
    void (*give_up)(coir_task *task, int code);
};

struct coir_task {
    /* What a switch between tasks touches. */
    coir_fiber *yielder;           /* the fiber that has yielded, while its next yield would find all that follows as it is to
                                      be: the task has not waited otherwise since, and nobody has cancelled it */
    coir_fiber *leaf;              /* where it continues; stale while it runs */
    const struct coir__wait *wait; /* how it waits; NULL once that is over; stale while it runs */
    int code;                      /* what the call in which it waits is to return */
    uint32_t timer;                /* its place in the heap of timers, from 1; 0: none is set */
    uint8_t unwilling;             /* must not wait: it is cancelled, with no shield; or it is no task, but an executor */
    bool cancelled;
    bool shielded;
    bool woken; /* coir_task_wake was called while it was not parked */
    bool ended;
    bool detached;
    const void *target; /* what it waits for */
    struct coir_exec *exec;

    struct coir_waiter waiter; /* its place in the queue of what it waits for, when that is one thing */
    coir_task *awaiter;        /* who awaits it: a task, or its executor's home; or NULL */
    coir_fiber *root;
    void (*fn)(void);          /* what it runs: of the type that its root's first function knows */
    void *arg;
    void *result;
    unsigned selects; /* how often it has called coir_select */
    coir_task *next; /* in its executor's list of all; or of unused ones */
    coir_task *previous;
    struct coir_mutex *held;  /* the mutexes that it holds */
    struct coir_group *group; /* that it belongs to, or NULL */
    coir_task *group_next;
    coir_task *group_previous;
};

/* For what is done with a task: COIR_OK, COIR_EINVAL for NULL, COIR_ETHREAD. */
static inline int coir__task_check(const coir_task *t)
{
    return t != NULL ? coir__thread_check(t->exec->thread) : COIR_EINVAL;
}

/* task.c: makes a task that waits for its first turn. `main` gets the task, and calls fn(arg). `caller` is where in the
 * program that is asked for. */
int coir__spawn(coir_task **out, coir_exec *e, const struct coir__keeper *keeper, coir_fn *main, void (*fn)(void), void *arg,
                const coir_options *opt, const void *caller);

/* task.c: what each task's first function does first. */
void coir__task_begin(coir_task *task);

/* task.c: what each task's keeper does last, and how it tells that the task waits. */
void coir__task_end(struct coir__thread *thread, coir_fiber *f, void *result);
bool coir__task_waits(const coir_fiber *root, const coir_fiber *f);

/* task.c: cancels a task that has not ended. */
void coir__task_cancel(coir_task *task);

/* task.c: ends a task whose thread has ended, as coir_destroy would its root. */
int coir__task_abandon(coir_task *task);

/* task.c: frees a task that has ended. */
void coir__task_free(coir_task *task);

/* mutex.c: leaves the mutexes, that a task holds which has ended, to nobody. */
void coir__mutexes_abandon(coir_task *task);

/* await.c: tells the one that awaits `task`, which has ended. */
void coir__await_notify(coir_task *task);

/* exec.c: leaves `from`, whose task is noted wherever it needs to be, for what is next: the first of the queue, or the
 * executor if that is not the time for it. */
int coir__go_on_unusual(struct coir__thread *thread, coir_exec *e, coir_fiber *from);

static inline int coir__go_to(struct coir__thread *thread, coir_exec *e, coir_fiber *from, coir_task *next)
{
    coir_fiber *to = next->leaf;

    e->running = next;
    thread->current = to;
    return coir__route_across(coir__watched(thread), &from->context, &to->context, next->code);
}

static inline int coir__go_on(struct coir__thread *thread, coir_exec *e, coir_fiber *from)
{
    if (coir__unlikely(coir__head(e) == e->limit || coir__ready_count(e) == 0))
        return coir__go_on_unusual(thread, e, from);
    return coir__go_to(thread, e, from, coir__ready_take(e));
}

/* Puts a task at the end of the queue, whose wait is over and which is in no other queue. */
static inline void coir__ready(coir_task *task, int code)
{
    if (task->timer != 0)
        coir__timer_clear(&task->exec->timers, task);
    task->code = code;
    task->wait = NULL;
    coir__ready_add(task->exec, task);
}

/* Who calls something that may wait. */
struct coir__caller {
    struct coir__thread *thread;
    coir_exec *exec;
    coir_task *task;
};

/* task.c: why the caller may not wait: COIR_ENOTTASK or COIR_ECANCELED. */
int coir__why_not_wait(void);

/* Finds out who calls, if that one may wait: does it? */
static inline bool coir__may_wait(struct coir__caller *out)
{
    struct coir__thread *thread = coir__thread_here();
    coir_exec *e = thread->exec;

    if (coir__unlikely(e->running->unwilling || (thread->current->special & (COIR__ENDING | COIR__UNWOUND))))
        return false;
    out->thread = thread;
    out->exec = e;
    out->task = e->running;
    return true;
}

/* Has the deadline passed? Then nothing is waited for. */
static inline bool coir__is_past(const coir_exec *e, int64_t deadline)
{
    return coir__unlikely(deadline != COIR_FOREVER) && deadline <= coir__exec_now(e);
}

/* task.c: the end of coir__suspend with a time. */
int coir__suspend_until(struct coir__thread *thread, coir_task *task, int64_t time);

/* Suspends the current task until coir__ready is called for it, and returns the code that is called with. What it waits
 * for has been told. At `time`, unless that is COIR_FOREVER, the wait is given up. */
static inline int coir__suspend(struct coir__caller caller, const struct coir__wait *wait, const void *target, int64_t time)
{
    coir_fiber *f = caller.thread->current;

    caller.task->yielder = NULL;
    caller.task->leaf = f;
    caller.task->wait = wait;
    caller.task->target = target;
    if (coir__unlikely(time != COIR_FOREVER))
        return coir__suspend_until(caller.thread, caller.task, time);
    return coir__go_on(caller.thread, caller.exec, f);
}

/* The same, in a queue. COIR_ETIMEDOUT at once if the deadline has passed. */
static inline int coir__suspend_in(struct coir_queue *queue, struct coir__caller caller, const struct coir__wait *wait,
                                   const void *target, int64_t deadline)
{
    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    coir__queue_add(queue, &caller.task->waiter);
    return coir__suspend(caller, wait, target, deadline);
}

/* task.c: gives up a wait in a queue, by leaving it. */
void coir__give_up_queue(coir_task *task, int code);

#endif
