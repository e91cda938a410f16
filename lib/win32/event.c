/* SPDX-License-Identifier: MIT */
/* event.c (Windows) - a condition variable. */

#include <config.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <windows.h>

#include <coir/error.h>

#include "allocator.h"
#include "event.h"
#include "os.h"

struct coir__event {
    SRWLOCK lock;
    CONDITION_VARIABLE cond;
    bool is_set;
    atomic_uint holders;
};

int coir__event_create(struct coir__event **out)
{
    static const struct coir__event initial = {SRWLOCK_INIT, CONDITION_VARIABLE_INIT, false, 0};
    struct coir__event *event = coir__allocate(sizeof *event);

    if (event == NULL)
        return COIR_ENOMEM;
    *event = initial;
    *out = event;
    return COIR_OK;
}

void coir__event_hold(struct coir__event *event)
{
    event->holders++;
}

void coir__event_drop(struct coir__event *event)
{
    event->holders--;
}

void coir__event_destroy(struct coir__event *event)
{
    while (event->holders > 0)
        SwitchToThread();
    coir__release(event, sizeof *event);
}

void coir__event_set(struct coir__event *event)
{
    AcquireSRWLockExclusive(&event->lock);
    event->is_set = true;
    WakeConditionVariable(&event->cond);
    ReleaseSRWLockExclusive(&event->lock);
}

/* The system counts milliseconds: rounded up, since to wake early is to wake again. */
static DWORD milliseconds_until(int64_t deadline)
{
    int64_t left;

    if (deadline == INT64_MAX)
        return INFINITE;
    left = deadline - coir__os_now();
    if (left <= 0)
        return 0;
    left = (left - 1) / 1000000 + 1;
    return left < INFINITE ? (DWORD)left : INFINITE - 1;
}

void coir__event_wait(struct coir__event *event, int64_t deadline)
{
    BOOL woken = TRUE;

    AcquireSRWLockExclusive(&event->lock);
    while (!event->is_set && woken)
        woken = SleepConditionVariableSRW(&event->cond, &event->lock, milliseconds_until(deadline), 0);
    event->is_set = false;
    ReleaseSRWLockExclusive(&event->lock);
}
