/* SPDX-License-Identifier: MIT */
/* coir/exec.h - executors and tasks: many fibers that take turns in one thread, and wait for each other.
 *
 * A task is a fiber that an executor runs. When it waits (for another task, for time, at a channel, a lock) the
 * executor goes on with the next task that is ready, so each reads as if it blocked:
 *
 *     static void *child(void *arg)
 *     {
 *         coir_sleep(10 * COIR_MILLISECOND);
 *         return arg;
 *     }
 *
 *     static void *parent(void *arg)
 *     {
 *         coir_task *a, *b;
 *         void *result;
 *         coir_spawn(&a, NULL, child, "a", NULL);
 *         coir_spawn(&b, NULL, child, "b", NULL);
 *         coir_await(a, &result);                        // both sleep at the same time
 *         coir_await(b, &result);
 *         return arg;
 *     }
 *
 *     coir_exec *e;
 *     coir_exec_create(&e, NULL);
 *     coir_spawn(NULL, e, parent, NULL, NULL);
 *     coir_exec_run(e);
 *     coir_exec_destroy(e);
 *
 * Rules for all that follows, and for coir/chan.h, coir/sync.h and coir/time.h:
 *
 * Threads. An executor and its tasks belong to the thread that created the executor. From another thread every call but
 * coir_exec_post, and the questions that coir_task_fiber and coir_task_state answer, gives COIR_ETHREAD and changes
 * nothing. When a thread ends, its tasks are left behind like fibers; any thread that has joined it may then destroy
 * the executor, and its tasks with it. In the child of a fork the executors of the thread that forked go on.
 *
 * Waiting. A call that "may wait" suspends the task, with everything that runs in it: a generator, or any fiber that
 * the task has resumed, may make such a call, and then the whole chain waits as one. Meanwhile the fiber that made the
 * call is COIR_STATE_WAITING and those between it and the task are COIR_STATE_RESUMING; resume, switch, cancel and
 * destroy of any of them, and coir_gen_next of a generator among them, are COIR_EBUSY for whoever tries. Control comes
 * back in the same fiber, on the same thread. Outside of a task such a call is COIR_ENOTTASK at once (coir_await is
 * not), and in a deferred function or the destructor of a key COIR_ECANCELED, since the fiber is ending. Those come
 * before any error in the arguments.
 *
 * Order. Tasks that are ready stand in a queue, first in, first out: a task is added at the end when it is spawned,
 * when it yields, and when what it waited for happens. Who waits longest at a channel, lock or semaphore is served
 * first. A task that suspends goes straight on with the next one; the executor itself looks after time, posted
 * functions and its poller at least once in every 128 such steps, or once in a round of the queue if that is longer.
 * Timers that are due together fire in the order of their deadlines, equal ones in the order in which they were set.
 *
 * Cancellation. coir_task_cancel makes the call in which the task waits return COIR_ECANCELED, or the next one that may
 * wait, and from then on every call that may wait gives COIR_ECANCELED at once, so that the task comes to its end; what
 * a call had done already is not taken back: a call that could be finished returns COIR_OK, and the next one
 * COIR_ECANCELED. A task that needs to wait while it cleans up asks for a shield (coir_task_shield).
 *
 * Memory. Everything that waiting needs is allocated when a task is spawned: no call that waits fails for want of
 * it. */

#ifndef COIR_EXEC_H
#define COIR_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/fiber.h>
#include <coir/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An executor. Made by coir_exec_create, freed by coir_exec_destroy. */
typedef struct coir_exec coir_exec;

/* A task. Made by coir_spawn; freed when it is awaited, or by itself when it is detached, or with its executor. */
typedef struct coir_task coir_task;

/* ---- executors ---- */

/* A clock: the time in nanoseconds, not negative. It must not go back. An executor waits for a timer by sleeping as
 * long as the clock is behind, then asks again; so a clock may run faster or slower than time does, or stand still.
 * While it stands still no timer fires, and coir_exec_run waits for one for ever; coir_task_yield goes on as always. */
typedef int64_t coir_clock(void *context);

/* Takes a line of a report, without a line feed; valid during the call. It must not call the executor. */
typedef void coir_report(const char *line, void *context);

/* Where an executor waits for what is neither a task nor a timer: how a library for input and output plugs in. All but
 * `wake` are called on the executor's thread, outside of any task, on the stack that called coir_exec_run. */
typedef struct coir_poller {
    /* Waits for events until coir_now() is `deadline`, or until `wake`; handles those that have happened, which may
     * wake tasks, spawn and post. Does not wait at all if `deadline` has passed, which it has while tasks are ready.
     * COIR_OK, or a negative code, which coir_exec_run then returns. */
    int (*wait)(void *context, int64_t deadline);
    /* Makes a `wait` that goes on, or else the next one, return. Called by any thread. */
    void (*wake)(void *context);
    /* Is there anything that can still happen? While there is, tasks that wait are not in a deadlock, and while there
     * is not, `wait` is called with no deadline only if the executor is held. */
    int (*active)(void *context);
    void *context;
} coir_poller;

#define COIR_VIRTUAL_CLOCK 1u /* time begins at 0 and stands still while any task is ready; when none is, it jumps to the
                                 next timer. Programs that sleep for hours are tested in no time, always in one way */

/* How to make an executor. Start from all zeros: zero means the default. */
typedef struct coir_exec_options {
    uint64_t seed;         /* not 0: which of the ready tasks runs next is drawn at random from this seed. The same program
                              with the same seed runs in the same order, on every machine: a test can search for an order
                              that breaks it, and run that order again */
    coir_clock *clock;     /* the executor's clock. NULL: the system's monotonic one */
    void *clock_context;   /* what `clock` is called with */
    coir_report *report;   /* takes reports (of deadlocks). NULL: they go to standard error */
    void *report_context;  /* what `report` is called with */
    const coir_poller *poller; /* copied; all its functions must be given. NULL: none */
    unsigned flags;        /* COIR_VIRTUAL_CLOCK */
    unsigned reserved_flags;
    void *reserved[4];     /* must be zero */
} coir_exec_options;

/* Makes an executor that belongs to the calling thread, and stores it in *out. `opt` may be NULL; it is not needed
 * after the call. An executor has a fiber of its own, named "coir_exec", which switch hooks get to see.
 * COIR_EINVAL: `out` is NULL, a flag is unknown, a reserved member is not zero, a poller's function is missing, or
 * there is a clock with COIR_VIRTUAL_CLOCK. COIR_ENOMEM, COIR_EMAPS, COIR_ENOTSUP: as with coir_create. On error *out
 * is as it was. */
COIR_API int coir_exec_create(coir_exec **out, const coir_exec_options *opt);

/* What running an executor returns, besides the errors: COIR_OK, or */
#define COIR_TASKS_LEFT 1 /* there are tasks that have not ended */

/* Runs tasks, and waits for time and events, until no task is left, nothing is posted and the executor is not held. The
 * caller may be a fiber, even in a task of another executor, which then waits like any caller.
 *
 * COIR_OK: no task is left. COIR_TASKS_LEFT: coir_exec_stop was called before. COIR_EDEADLK: tasks are left, and none
 * can ever go on: nothing is ready, no timer is set, nothing was posted, the poller is not active and the executor is
 * not held. A report then names each task and what it waits for. The tasks are as they were: the program may wake or
 * cancel some and run on. COIR_EBUSY: it runs already. COIR_EINVAL, COIR_ETHREAD. A negative code of the poller's. */
COIR_API int coir_exec_run(coir_exec *e);

/* Runs one turn: each task that is ready now runs at most once, until it suspends. Posted functions, timers and the
 * poller come first, and what they make ready is part of the turn; what a task of the turn makes ready waits for the
 * next. If nothing is ready then, and there are tasks or holds, waits for a timer, a post or an event, but not beyond
 * `deadline` (in the executor's time; 0 does not wait), and runs what that makes ready. So an executor can live in the
 * loop of somebody else: run a turn, wait until coir_exec_next_deadline, and so on.
 *
 * COIR_OK: no task is left. COIR_TASKS_LEFT: some are. COIR_EDEADLK: as coir_exec_run, and only with a deadline of
 * COIR_FOREVER. Otherwise as coir_exec_run. */
COIR_API int coir_exec_run_once_until(coir_exec *e, int64_t deadline);

/* For the `wait` of a poller, in the midst of many events: runs each task that is ready now once, until it suspends, and
 * comes back. So what an event has brought into the processor's caches is used while it is there; a poller that handles
 * hundreds of events before it returns calls this after every few. COIR_OK; COIR_EBUSY: it is not called from the `wait`
 * of e's poller; COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_exec_run_ready(coir_exec *e);

/* Makes the coir_exec_run, coir_exec_run_once_until or coir_await, that runs this executor, return as soon as the
 * running task suspends or the posted function returns; without one, the next that is called returns at once. From
 * another thread, post a function that calls this. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_exec_stop(coir_exec *e);

/* When the executor has next something to do: 0 if it has now (a task is ready, something is posted), the time of the
 * earliest timer, or COIR_FOREVER. Does not ask the poller. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int64_t coir_exec_next_deadline(const coir_exec *e);

/* The time of the executor's clock. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int64_t coir_exec_now(const coir_exec *e);

/* The number of tasks that have not ended. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_exec_tasks(const coir_exec *e);

/* Cancels all tasks, in the order in which they were spawned, as coir_task_cancel does each: what a program does before
 * it runs the executor for the last time. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_exec_cancel(coir_exec *e);

/* How many holds there are (coir_exec_hold). COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_exec_holds(const coir_exec *e);

/* The executor's copy of its poller, which lasts as long as the executor: how a poller's library knows its own again, by
 * its functions. NULL: it has none, or `e` is NULL. May be called by any thread. */
COIR_API const coir_poller *coir_exec_poller(const coir_exec *e);

/* The executor that runs in this thread, the innermost if one runs in a task of another: in its tasks and in what it
 * calls. NULL elsewhere. */
COIR_API coir_exec *coir_exec_current(void);

/* Has fn(arg) called once in the executor's thread, outside of any task, by whatever runs the executor, which is woken
 * if it waits. The one call that any thread may make, at any time from the executor's creation until its destruction
 * begins. Functions are called in the order in which they were posted, on the stack that runs the executor. There
 * everything may be called that does not wait; if that is a fiber's stack, coir_yield, coir_switch, coir_gen_yield and
 * coir_exit are COIR_EBUSY. They must not leave by longjmp or by an exception. The same holds for the functions of a
 * poller, and for clocks and reports. What one posts is called in the next turn. COIR_EINVAL; COIR_ENOMEM. Not for
 * signal handlers: it allocates. */
COIR_API int coir_exec_post(coir_exec *e, void (*fn)(void *arg), void *arg);

/* Tells that something outside will post, so that waiting for it is no deadlock, and the executor goes on running with
 * no task left. Counted: each hold needs a release. COIR_EINVAL (also: a release without a hold), COIR_ETHREAD. */
COIR_API int coir_exec_hold(coir_exec *e);
COIR_API int coir_exec_release(coir_exec *e);

/* Frees the executor, and tasks that ended but were never awaited: their handles are void then. NULL does nothing and
 * is COIR_OK. COIR_EBUSY: it runs, is held, has tasks that have not ended, or that somebody awaits who has still to
 * come for them, or a group that was not destroyed, or posted functions were not called yet. COIR_ETHREAD: it belongs
 * to another thread. If that thread has ended, the tasks are destroyed as coir_destroy destroys fibers, and posted
 * functions are forgotten; COIR_ENOMEM then as there, with some tasks destroyed and the rest for the next try;
 * COIR_EBUSY then only for groups, which can be destroyed by now. */
COIR_API int coir_exec_destroy(coir_exec *e);

/* ---- tasks ---- */

/* Makes a task that will run fn(arg) in the executor `e`, NULL for the one that runs (coir_exec_current), and puts it
 * at the end of the queue of ready tasks: it starts when its turn comes, not in this call. Its handle goes to *out; the
 * caller then owes it a coir_await or coir_task_detach. `out` NULL: it is detached from the start, and frees itself.
 * `opt` as with coir_create, NULL for all defaults; `data` can be had with coir_fiber_data(coir_task_fiber(t)).
 *
 * COIR_EINVAL: `fn` is NULL, or as with coir_create; COIR_ENOTTASK: `e` is NULL and no executor runs; COIR_ETHREAD;
 * COIR_ENOMEM, COIR_EMAPS, COIR_ENOTSUP: as with coir_create; COIR_ENOTSUP also for COIR_MOVABLE. On error *out is as
 * it was. */
COIR_API int coir_spawn(coir_task **out, coir_exec *e, coir_fn *fn, void *arg, const coir_options *opt);

/* Waits until `t` has ended, stores what it returned in *result, and frees it. In a task it waits as tasks do; outside
 * of any task it runs t's executor until then, and a deadline is in that executor's time (coir_exec_now); it runs one
 * turn at least. `result` may be NULL. On any error `t` is not freed, and *result is as it was. The result of a task
 * that was cancelled is whatever it returned.
 *
 * COIR_ECANCELED: the caller was cancelled. COIR_ETIMEDOUT: the deadline came first. COIR_EDEADLK: `t` is the caller;
 * or, outside of a task, as coir_exec_run. COIR_EBUSY: somebody else awaits it; or, outside of a task, its executor
 * runs already (in a posted function, for example). COIR_EAGAIN: outside of a task, coir_exec_stop ended the wait. A
 * negative code of the poller's. COIR_EINVAL: `t` is NULL, or detached. COIR_ETHREAD. In a task's fiber that is ending:
 * COIR_ECANCELED, unless `t` has ended. */
COIR_API int coir_await(coir_task *t, void **result);
COIR_API int coir_await_until(coir_task *t, int64_t deadline, void **result);

/* Waits until all `n` tasks have ended, stores what t[i] returned in results[i], and frees them all; `results` may be
 * NULL. On any error, which are those of coir_await, none is freed and `results` is as it was. The same task twice is
 * COIR_EBUSY; outside of tasks, to wait for tasks of several executors is COIR_EINVAL, for only one executor can be run;
 * once they have ended there is nothing to wait for. `n` 0 is COIR_OK at once. */
COIR_API int coir_await_all(coir_task *const *t, size_t n, void **results);
COIR_API int coir_await_all_until(coir_task *const *t, size_t n, int64_t deadline, void **results);

/* Waits until one of `n` tasks has ended and stores the index of the first in the array that has in *which. Frees none:
 * coir_await gets the result and returns at once. Errors are those of coir_await_all, and COIR_EINVAL for `n` 0 or
 * `which` NULL. */
COIR_API int coir_await_any(coir_task *const *t, size_t n, size_t *which);
COIR_API int coir_await_any_until(coir_task *const *t, size_t n, int64_t deadline, size_t *which);

/* Goes to the back of the queue: control comes back when all tasks that are ready now had their turn. May wait.
 * COIR_OK, COIR_ECANCELED, COIR_ENOTTASK. */
COIR_API int coir_task_yield(void);

/* Suspends the current task until coir_task_wake is called for it. A wake that came since the last park makes this
 * return at once, so none is lost between a look at some condition and the park; more than one count as one. May wait.
 * COIR_OK; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK. */
COIR_API int coir_task_park(void);
COIR_API int coir_task_park_until(int64_t deadline);

/* Ends the park of `t`, or its next one. It does not end any other wait. Does not wait; may be called outside of tasks.
 * As in all calls with a task, `t` must not have been awaited yet, nor have ended detached. COIR_EDEAD: `t` has ended;
 * COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_task_wake(coir_task *t);

/* Cancels `t`, which may be the caller: see "Cancellation" above. A task that has not started yet starts all the same,
 * so that what it was given is looked after. Does not wait for the end of `t`. Cancelling twice is the same as once.
 * COIR_EDEAD: `t` has ended; COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_task_cancel(coir_task *t);

/* Turns the shield of the current task on (not 0) or off (0). Under a shield calls wait as if the task had not been
 * cancelled, and a cancel is kept for when the shield is off. Returns what it was before, 0 or 1, to be restored;
 * COIR_ENOTTASK. */
COIR_API int coir_task_shield(int on);

/* Gives up the handle: `t` frees itself when it ends, at once if it has. The caller may be `t` itself.
 * COIR_EBUSY: somebody awaits it; COIR_EINVAL: it is NULL, or detached already; COIR_ETHREAD. */
COIR_API int coir_task_detach(coir_task *t);

/* The current task; NULL outside of tasks. */
COIR_API coir_task *coir_task_self(void);

/* The fiber that is the task's root: to be asked about (its state, name, data, stack). resume, switch and cancel of it
 * are COIR_EBUSY (COIR_EDEAD once it has ended), destroy always is; coir_yield and coir_switch called in it are
 * COIR_ENOTFIBER. It lasts as long as the task. NULL for NULL. */
COIR_API coir_fiber *coir_task_fiber(coir_task *t);

/* What coir_task_state tells. */
enum coir_task_state {
    COIR_TASK_READY = 0,   /* in the queue: new, has yielded, or what it waited for has happened */
    COIR_TASK_RUNNING = 1, /* the current task of its executor */
    COIR_TASK_WAITING = 2, /* for a task, a time, a channel, a lock, or a wake */
    COIR_TASK_DONE = 3     /* has ended, and can be awaited without waiting */
};

/* The state of `t`. COIR_EINVAL: `t` is NULL. */
COIR_API int coir_task_state(const coir_task *t);

#ifdef __cplusplus
}
#endif

#endif
