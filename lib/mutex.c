/* SPDX-License-Identifier: MIT */
/* mutex.c - mutual exclusion of tasks. A mutex that is given up goes straight to the task that waits longest: it is
 * never free while somebody waits. */

#include <config.h>

#include "allocator.h"
#include "mutex.h"

const coir_task *coir__mutex_holder(const coir_task *task)
{
    return ((const coir_mutex *)task->target)->holder;
}

static const struct coir__wait locks = {"waits for mutex", true, coir__mutex_holder, coir__give_up_queue};

int coir_mutex_create(coir_mutex **out)
{
    coir_mutex *m;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    m = coir__object_make(sizeof *m, &error);
    if (m != NULL)
        *out = m;
    return error;
}

static int check(const coir_mutex *m)
{
    return coir__object_check((const struct coir__object *)m);
}

/* ---- who holds what ---- */

void coir__mutex_take(coir_mutex *m, coir_task *task)
{
    m->holder = task;
    m->next = task->held;
    task->held = m;
}

/* It is mostly the one that was taken last. */
void coir__mutex_drop(coir_mutex *m)
{
    coir_mutex **link = &m->holder->held;

    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    m->holder = NULL;
}

void coir__mutex_pass_on(coir_mutex *m)
{
    struct coir_waiter *next = m->waiting.first;

    coir__mutex_drop(m);
    if (next == NULL)
        return;
    coir__mutex_take(m, next->task);
    coir__queue_remove(next);
    coir__ready(next->task, next->task->code);
}

/* Those who wait for it in vain and are cancelled already, but had to get it back first, go without. */
static void release_cancelled(const coir_mutex *m)
{
    struct coir_waiter *next;

    for (struct coir_waiter *waiter = m->waiting.first; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->task->unwilling)
            coir__give_up_queue(waiter->task, COIR_ECANCELED);
    }
}

void coir__mutexes_abandon(coir_task *task)
{
    while (task->held != NULL) {
        coir_mutex *m = task->held;
        m->abandoned = true;
        coir__mutex_drop(m);
        release_cancelled(m);
    }
}

/* ---- locking ---- */

/* Takes the mutex if it is free. */
static int try_lock(coir_mutex *m, coir_task *task)
{
    int error = check(m);

    if (error != COIR_OK)
        return error;
    if (m->holder == task)
        return COIR_EDEADLK;
    if (coir__mutex_is_taken(m))
        return COIR_EAGAIN;
    coir__mutex_take(m, task);
    return COIR_OK;
}

int coir_mutex_lock_until(coir_mutex *m, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    error = try_lock(m, caller.task);
    if (error != COIR_EAGAIN)
        return error;
    caller.task->code = COIR_OK;
    return coir__suspend_in(&m->waiting, caller, &locks, m, deadline);
}

int coir_mutex_lock(coir_mutex *m)
{
    return coir_mutex_lock_until(m, COIR_FOREVER);
}

int coir_mutex_try_lock(coir_mutex *m)
{
    coir_task *task = coir_task_self();

    return task != NULL ? try_lock(m, task) : COIR_ENOTTASK;
}

int coir_mutex_unlock(coir_mutex *m)
{
    const coir_task *task = coir_task_self();
    int error;

    if (task == NULL)
        return COIR_ENOTTASK;
    error = check(m);
    if (error != COIR_OK)
        return error;
    if (m->holder != task)
        return COIR_ENOTHELD;
    coir__mutex_pass_on(m);
    return COIR_OK;
}

int coir_mutex_destroy(coir_mutex *m)
{
    int error;

    if (m == NULL)
        return COIR_OK;
    error = coir__object_check_destroy(&m->object, m->waiting.first != NULL || m->holder != NULL || m->wanted > 0);
    if (error == COIR_OK)
        coir__release(m, sizeof *m);
    return error;
}
