/* SPDX-License-Identifier: MIT */
/* coir/wait.h - things of your own to wait for: what a library is written with that lets tasks wait for input, frames,
 * jobs of a thread pool, or whatever else happens outside of tasks.
 *
 *     struct job {
 *         coir_wait wait;
 *         ...
 *     };
 *
 *     static void on_job_done(struct job *job, int status)       // called by an event loop, in the executor's thread
 *     {
 *         coir_wait_end(&job->wait, status);
 *     }
 *
 *     int do_job(struct job *job, int64_t deadline)              // called by tasks
 *     {
 *         int error = coir_may_wait();                           // before anything is begun
 *         if (error != COIR_OK)
 *             return error;
 *         job->wait = (coir_wait){.what = "does a job"};
 *         begin_job(job, on_job_done);
 *         return coir_wait_for_until(&job->wait, deadline);      // status, or COIR_ETIMEDOUT, or COIR_ECANCELED
 *     }
 *
 * The rules of coir/exec.h hold for such calls as for the library's own: generators and other fibers inside of a task
 * may make them, they are cancelled, and their deadlines are the executor's timers. What outside means, and who calls
 * coir_wait_end, is the business of the executor's poller (coir_exec_options) or of coir_exec_post. coir/uv.h is
 * written with this header and no other access. */

#ifndef COIR_WAIT_H
#define COIR_WAIT_H

#include <stdint.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/exec.h>
#include <coir/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One wait at a time, of one task. The program's memory, in place from before coir_wait_for is called until it
 * returns: a variable in the call that waits will do. Start from all zeros. */
typedef struct coir_wait coir_wait;
struct coir_wait {
    /* What the task does meanwhile, for reports of deadlocks: "reads from a socket". NULL: "waits". */
    const char *what;

    /* Called when the deadline has come (`code` is COIR_ETIMEDOUT) or the task is cancelled (COIR_ECANCELED), once in
     * a wait, by whatever the thread runs then. NULL: the wait ends with that code. Else it goes on until
     * coir_wait_end is called, by this function or later: for what cannot be left while others work on it. It must not
     * wait. */
    void (*give_up)(coir_wait *w, int code);

    /* The library's: who waits, or NULL; what coir_wait_end said while nobody did; and how far things are. */
    coir_task *task;
    int code;
    unsigned state;
};

/* May the caller wait at all? To be asked before anything is begun that ends by coir_wait_end. Does not wait.
 * COIR_OK; COIR_ENOTTASK: not called in a task; COIR_ECANCELED: the task is cancelled, or its fiber is ending. */
COIR_API int coir_may_wait(void);

/* Suspends the current task until coir_wait_end(w, code) is called, and returns that code; at once, if it was called
 * before, since the last wait. A deadline that has passed already is one that comes at once, after other tasks had
 * their turn. COIR_ETIMEDOUT, COIR_ECANCELED: the wait was given up, as `give_up` has it. At once: COIR_ENOTTASK,
 * COIR_ECANCELED as coir_may_wait; COIR_EINVAL: `w` is NULL; COIR_EBUSY: a task waits with it. */
COIR_API int coir_wait_for(coir_wait *w);
COIR_API int coir_wait_for_until(coir_wait *w, int64_t deadline);

/* Ends the wait: the task is put at the end of the queue, and its call returns `code`, which may be any number. If
 * nobody waits, the next wait with `w` returns at once. Does not wait; may be called in and outside of tasks, on the
 * executor's thread (from others, post a function that calls it). COIR_OK; COIR_EBUSY: it was ended before while
 * nobody waited, and nobody has since: that code stands; COIR_EINVAL: `w` is NULL; COIR_ETHREAD. */
COIR_API int coir_wait_end(coir_wait *w, int code);

#ifdef __cplusplus
}
#endif

#endif
