/* SPDX-License-Identifier: MIT */
/* exec.h - what an executor is inside: the queue of ready tasks, and what is outside of it.
 *
 * Turns. coir_exec_run and its like look outside (posted functions, timers, the poller), then switch to the executor's
 * own fiber, the loop, which goes on to the first ready task; each task goes on to the next; and when the turn is over,
 * the last one goes back to the loop, and that to the caller. The loop is the resumer of all roots. It is always
 * suspended in the same place while tasks run, so walks of their stacks can go on there, and from there into the
 * caller. */

#ifndef COIR__EXEC_H
#define COIR__EXEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <coir/exec.h>

#include "fiber.h"
#include "timer.h"

struct coir__posted;
struct coir__event;

struct coir_exec {
    /* The ready queue: a ring. Its indices are masked; head == tail is empty. Both it and the heap of timers always
     * have room for every task. What a switch between tasks touches is in 64 bytes. */
    coir_task **ring;
    coir_task *running; /* the current task; `home` outside of tasks */
    uint64_t ends;     /* the ring's head below, its tail above: one word, for a task that yields moves both. Each turn
                          begins with a small head, so neither overflows */
    uint32_t mask;
    uint32_t limit;    /* where the next task is not simply taken from the head: the end of the turn; or the head, always,
                          where each step is looked at */
    uint32_t turn_end;
    bool looks;        /* each step is looked at: the order is shuffled, or there are many tasks */
    bool many;         /* there are so many that those who come up had better be prefetched */
    bool one_turn;     /* the turn must not be prolonged */
    bool turn_over;    /* coir__exec_end_turn was called */
    bool shuffled;
    bool active;       /* it runs: coir_exec_run or the like is on the stack */
    bool stopping;     /* coir_exec_stop was called */
    coir_fiber *loop;

    coir_task *home;   /* stands for the executor where a task is expected: its leaf is the loop */
    uint64_t thread;   /* the number of its thread */
    uint64_t random;   /* the state of the random numbers */
    struct coir__timers timers;
    uint32_t alive;    /* tasks that have not ended */
    uint32_t holds;
    uint32_t groups;   /* that have not been destroyed */
    struct coir_group *last_failing; /* while groups are being failed: the last of the list */
    coir_task *tasks;  /* all, also those that have ended, in the order in which they were spawned */
    coir_task *last_task;
    coir_task *unused; /* memory for tasks, linked by `next` */
    uint32_t unused_count;
    coir_task *corpse; /* a detached task that has ended: it stood on its fiber till the last switch was over, so it is up
                          to the next that comes by to free it */

    /* What was posted: by any thread, the last one first; and what this thread has taken over from there, in order. */
    _Atomic(struct coir__posted *) posted;
    struct coir__posted *taken;
    struct coir__event *event; /* where it sleeps, without a poller */

    bool has_virtual_clock;
    int64_t virtual_now;
    coir_clock *clock;
    void *clock_context;
    coir_report *report;
    void *report_context;
    bool has_poller;
    bool in_poller; /* its `wait` runs, and no task in it */
    coir_poller poller;
};

/* exec.c: COIR_OK if the calling thread may use it, else COIR_EINVAL or COIR_ETHREAD. */
int coir__exec_check(const coir_exec *e);

/* exec.c: its time. */
int64_t coir__exec_now(const coir_exec *e);

/* exec.c: ends the turn when the running task suspends. */
void coir__exec_end_turn(coir_exec *e);

/* exec.c: runs turns, outside of any task of it, until is_done(arg) is true or, after one at least, the deadline has
 * come: COIR_OK, COIR_ETIMEDOUT, COIR_EBUSY, COIR_EDEADLK, COIR_EAGAIN, or a code of the poller's. */
int coir__exec_run_until(coir_exec *e, bool (*is_done)(const void *arg), const void *arg, int64_t deadline);

/* exec.c: makes room for one more task in the ring and the heap: COIR_OK or COIR_ENOMEM. */
int coir__exec_reserve(coir_exec *e);

/* The next random number. (splitmix64: public domain, by Sebastiano Vigna, prng.di.unimi.it) */
static inline uint64_t coir__exec_random(coir_exec *e)
{
    uint64_t z = e->random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* post.c: is anything posted and not yet called? */
static inline bool coir__is_posted(const coir_exec *e)
{
    return e->taken != NULL || atomic_load_explicit(&e->posted, memory_order_relaxed) != NULL;
}

/* post.c: calls what was posted before this; forgets it. */
void coir__run_posted(coir_exec *e);
void coir__forget_posted(coir_exec *e);

/* report.c: tells of the deadlock. */
void coir__report_deadlock(const coir_exec *e);

/* The ends of the ready queue. */
#define COIR__ONE_HEAD ((uint64_t)1)
#define COIR__ONE_TAIL ((uint64_t)1 << 32)

static inline uint32_t coir__head(const coir_exec *e)
{
    return (uint32_t)e->ends;
}

static inline uint32_t coir__tail(const coir_exec *e)
{
    return (uint32_t)(e->ends >> 32);
}

/* How many tasks are ready. */
static inline uint32_t coir__ready_count(const coir_exec *e)
{
    return coir__tail(e) - coir__head(e);
}

static inline void coir__ready_add(coir_exec *e, coir_task *task)
{
    e->ring[coir__tail(e) & e->mask] = task;
    e->ends += COIR__ONE_TAIL;
}

static inline coir_task *coir__ready_take(coir_exec *e)
{
    coir_task *task = e->ring[coir__head(e) & e->mask];

    e->ends += COIR__ONE_HEAD;
    return task;
}

/* Both at once: adds one and takes another, or the same if it is alone. */
static inline coir_task *coir__ready_exchange(coir_exec *e, coir_task *task)
{
    uint64_t ends = e->ends;

    e->ring[(uint32_t)(ends >> 32) & e->mask] = task;
    e->ends = ends + COIR__ONE_HEAD + COIR__ONE_TAIL;
    return e->ring[(uint32_t)ends & e->mask];
}

#endif
