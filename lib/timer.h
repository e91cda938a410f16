/* SPDX-License-Identifier: MIT */
/* timer.h - an executor's timers: each task may have one, with which its wait ends. */

#ifndef COIR__TIMER_H
#define COIR__TIMER_H

#include <stdint.h>

#include <coir/exec.h>

/* One that is set. */
struct coir__timer {
    int64_t deadline;
    uint64_t serial; /* equal deadlines come in the order in which they were set */
    coir_task *task;
};

/* A heap: no timer comes before its parent, and the first is at 0. Four children each, which makes it flat. */
struct coir__timers {
    struct coir__timer *heap;
    uint32_t count;
    uint32_t capacity;
    uint64_t next_serial;
};

/* Makes room for so many: COIR_OK or COIR_ENOMEM. */
int coir__timers_reserve(struct coir__timers *timers, uint32_t capacity);
void coir__timers_release(struct coir__timers *timers);

/* Sets the task's timer, which is not set; there is room. Clears it, which is. */
void coir__timer_set(struct coir__timers *timers, coir_task *task, int64_t deadline);
void coir__timer_clear(struct coir__timers *timers, coir_task *task);

/* The time of the first; COIR_FOREVER if there is none. */
static inline int64_t coir__timers_next(const struct coir__timers *timers)
{
    return timers->count > 0 ? timers->heap[0].deadline : COIR_FOREVER;
}

#endif
