/* SPDX-License-Identifier: MIT */
/* coir/sync.h - synchronisation of tasks: mutex, condition variable, semaphore, and groups of tasks.
 *
 * Tasks take turns only where they wait, so these are for what spans a wait. All belong to the thread that created
 * them; tasks of all executors of that thread may use them, and from another thread every call is COIR_ETHREAD. The
 * rules of coir/exec.h hold: what "may wait" means, who is served first (the one that waits longest, always),
 * cancellation. The creators store what they made in *out; COIR_EINVAL: `out` is NULL; COIR_ENOMEM; COIR_ENOTSUP: no
 * backend can be had. The destroyers free; NULL does nothing and is COIR_OK; COIR_EBUSY: a task waits for it or holds
 * it, unless the thread has ended; COIR_ETHREAD: it belongs to another thread that has not ended. */

#ifndef COIR_SYNC_H
#define COIR_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/exec.h>
#include <coir/fiber.h>
#include <coir/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- mutex: held by one task at a time ---- */

typedef struct coir_mutex coir_mutex;

COIR_API int coir_mutex_create(coir_mutex **out);
COIR_API int coir_mutex_destroy(coir_mutex *m);

/* Takes the mutex, waiting until it is free. A fiber nested in a task takes it for the task. COIR_OK; COIR_EDEADLK: the
 * task holds it already; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL; COIR_ETHREAD. The try_ form never
 * waits, and gives COIR_EAGAIN if another task holds it. A task that ends while it holds the mutex keeps it for ever:
 * those who wait for it then are in a deadlock, and the mutex can be destroyed once nobody waits. A task that waits for
 * a condition waits for its mutex too. */
COIR_API int coir_mutex_lock(coir_mutex *m);
COIR_API int coir_mutex_lock_until(coir_mutex *m, int64_t deadline);
COIR_API int coir_mutex_try_lock(coir_mutex *m);

/* Gives the mutex to the task that waits longest, else frees it. Does not wait. COIR_ENOTHELD: the calling task does
 * not hold it; COIR_ENOTTASK; COIR_EINVAL; COIR_ETHREAD. */
COIR_API int coir_mutex_unlock(coir_mutex *m);

/* ---- condition variable: wait until another task says that something has changed ---- */

typedef struct coir_cond coir_cond;

COIR_API int coir_cond_create(coir_cond **out);
COIR_API int coir_cond_destroy(coir_cond *c);

/* Gives the mutex `m` up and waits for a signal, in one step, then takes it again. There are no wakes without a signal,
 * but other tasks may hold the mutex between the signal and the return, so check the condition in a loop. COIR_OK;
 * COIR_ETIMEDOUT; COIR_ECANCELED: in these three cases the calling task holds the mutex again, for which it may have
 * waited beyond the deadline or the cancel. If another task has ended while it held the mutex, a cancelled wait gives
 * COIR_ECANCELED without it. A deadline that has passed gives COIR_ETIMEDOUT without giving the mutex up.
 * COIR_ENOTHELD: it does not hold `m`. COIR_ENOTTASK; COIR_EINVAL; COIR_ETHREAD. */
COIR_API int coir_cond_wait(coir_cond *c, coir_mutex *m);
COIR_API int coir_cond_wait_until(coir_cond *c, coir_mutex *m, int64_t deadline);

/* Wakes the task that waits longest, or all. Without any it does nothing. Does not wait; may be called outside of
 * tasks, with or without the mutex. COIR_EINVAL; COIR_ETHREAD. */
COIR_API int coir_cond_signal(coir_cond *c);
COIR_API int coir_cond_broadcast(coir_cond *c);

/* ---- semaphore: a count of permits ---- */

typedef struct coir_sem coir_sem;

/* The largest count. */
#define COIR_SEM_MAX 0x7fffffffu

/* Makes a semaphore with `count` permits. COIR_EINVAL also: more than COIR_SEM_MAX. */
COIR_API int coir_sem_create(coir_sem **out, unsigned count);
COIR_API int coir_sem_destroy(coir_sem *s);

/* Takes a permit, waiting until there is one. COIR_OK; COIR_ETIMEDOUT; COIR_ECANCELED; COIR_ENOTTASK; COIR_EINVAL;
 * COIR_ETHREAD. The try_ form never waits, may be called outside of tasks, and gives COIR_EAGAIN if there is none. */
COIR_API int coir_sem_wait(coir_sem *s);
COIR_API int coir_sem_wait_until(coir_sem *s, int64_t deadline);
COIR_API int coir_sem_try_wait(coir_sem *s);

/* Adds a permit: it goes to the task that waits longest, else to the count. Does not wait; may be called outside of
 * tasks. COIR_EAGAIN: there are COIR_SEM_MAX already; COIR_EINVAL; COIR_ETHREAD. */
COIR_API int coir_sem_post(coir_sem *s);

/* The number of permits that are free. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_sem_count(const coir_sem *s);

/* ---- group: tasks that belong together, and end together ---- */

/*     coir_group *g;
 *     int error;
 *     coir_group_create(&g, NULL);
 *     coir_group_spawn(g, download, "one", NULL);
 *     coir_group_spawn(g, download, "two", NULL);
 *     error = coir_group_wait(g);                 // the first error of any; the other was cancelled then
 *     coir_group_destroy(g);
 *
 * Structured concurrency: whoever opens a group waits for it, so no task outlives the function that started it, and no
 * error is lost. */
typedef struct coir_group coir_group;

/* What a group's task runs. It returns 0 (or above) for success, or a negative code, one of coir's or the program's
 * own, which fails the group. Ending by coir_exit is success. */
typedef int coir_group_fn(void *arg);

/* Makes a group whose tasks will run in the executor `e`; NULL for the one that runs. COIR_ENOTTASK: `e` is NULL and
 * none runs. A group must be destroyed before its executor, which is COIR_EBUSY until then. */
COIR_API int coir_group_create(coir_group **out, coir_exec *e);

/* COIR_EBUSY while tasks of the group have not ended: a group cannot be left before them. */
COIR_API int coir_group_destroy(coir_group *g);

/* Spawns a task, that runs fn(arg), into the group. Tasks of the group may do so too. A caller that cannot spawn all it
 * wanted fails the group, waits, and destroys it. `opt` as with coir_create. COIR_ECANCELED: the group has failed, and
 * starts no more; COIR_EINVAL, COIR_ETHREAD, COIR_ENOMEM, COIR_EMAPS, COIR_ENOTSUP: as with coir_spawn. */
COIR_API int coir_group_spawn(coir_group *g, coir_group_fn *fn, void *arg, const coir_options *opt);

/* Fails the group with a negative `code`: all its tasks are cancelled, in the order in which they were spawned. The
 * first failure counts; later ones are COIR_OK and change nothing. Does not wait; may be called outside of tasks, and
 * by a task of the group, which is cancelled with the others. COIR_EINVAL: `g` is NULL or `code` is not negative;
 * COIR_ETHREAD. */
COIR_API int coir_group_fail(coir_group *g, int code);

/* Waits until all tasks of the group have ended, then returns COIR_OK or the code that the group failed with, now and
 * on every later call. Outside of any task it runs the executor, as coir_await does, in whose time a deadline is.
 *
 * If the caller is cancelled while it waits, or before, the group fails with COIR_ECANCELED; the call goes on waiting,
 * since a group is not to be left before its tasks, and then returns that. COIR_ETIMEDOUT: the deadline came first; the
 * tasks go on, and the caller fails the group, or waits again. COIR_EDEADLK: the caller is a task of the group; or,
 * outside of a task, as coir_exec_run. COIR_EBUSY and COIR_EAGAIN: outside of a task, as coir_await. COIR_EINVAL,
 * COIR_ETHREAD. In a task's fiber that is ending: COIR_ECANCELED, unless all have ended. */
COIR_API int coir_group_wait(coir_group *g);
COIR_API int coir_group_wait_until(coir_group *g, int64_t deadline);

/* The number of tasks of the group that have not ended. COIR_EINVAL, COIR_ETHREAD. */
COIR_API int coir_group_count(const coir_group *g);

#ifdef __cplusplus
}
#endif

#endif
