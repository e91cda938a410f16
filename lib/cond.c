/* SPDX-License-Identifier: MIT */
/* cond.c - condition variables. However a wait ends, the task first has to get its mutex back: whoever ends it sees to
 * that, by giving it the mutex or making it wait for it. */

#include <config.h>

#include <string.h>

#include "allocator.h"
#include "mutex.h"
#include "thread.h"

struct coir_cond {
    struct coir_queue waiting; /* each with its mutex as item */
    uint64_t thread;           /* the number of its thread */
};

/* Time and cancellation have had their effect when this begins. */
static const struct coir__wait retakes = {"has waited for a condition, and waits for mutex", true, coir__mutex_holder, NULL};

/* Goes on with a task whose wait for the condition is over: its call returns `code` once it has its mutex. */
static void retake(coir_task *task, int code)
{
    coir_mutex *m = task->waiter.item;

    coir__queue_remove(&task->waiter);
    m->wanted--;
    if (!coir__mutex_is_taken(m)) {
        coir__mutex_take(m, task);
        coir__ready(task, code);
        return;
    }
    if (task->timer != 0)
        coir__timer_clear(&task->exec->timers, task);
    task->code = code;
    task->wait = &retakes;
    task->target = m;
    coir__queue_add(&m->waiting, &task->waiter);
}

static const struct coir__wait waits = {"waits for condition", true, NULL, retake};

int coir_cond_create(coir_cond **out)
{
    struct coir__thread *thread;
    coir_cond *c;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    error = coir__thread_enter(&thread);
    if (error != COIR_OK)
        return error;
    c = coir__allocate(sizeof *c);
    if (c == NULL)
        return COIR_ENOMEM;
    memset(c, 0, sizeof *c);
    c->thread = thread->number;
    *out = c;
    return COIR_OK;
}

static int check(const coir_cond *c)
{
    return c != NULL ? coir__thread_check(c->thread) : COIR_EINVAL;
}

static int check_both(const coir_cond *c, const coir_mutex *m, const coir_task *task)
{
    int error = check(c);

    if (error != COIR_OK)
        return error;
    if (m == NULL)
        return COIR_EINVAL;
    error = coir__thread_check(m->thread);
    if (error != COIR_OK)
        return error;
    return m->holder == task ? COIR_OK : COIR_ENOTHELD;
}

int coir_cond_wait_until(coir_cond *c, coir_mutex *m, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    error = check_both(c, m, caller.task);
    if (error != COIR_OK)
        return error;
    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    coir__mutex_pass_on(m);
    m->wanted++;
    caller.task->waiter.item = m;
    coir__queue_add(&c->waiting, &caller.task->waiter);
    return coir__suspend(caller, &waits, c, deadline);
}

int coir_cond_wait(coir_cond *c, coir_mutex *m)
{
    return coir_cond_wait_until(c, m, COIR_FOREVER);
}

int coir_cond_signal(coir_cond *c)
{
    int error = check(c);

    if (error == COIR_OK && c->waiting.first != NULL)
        retake(c->waiting.first->task, COIR_OK);
    return error;
}

int coir_cond_broadcast(coir_cond *c)
{
    int error = check(c);

    while (error == COIR_OK && c->waiting.first != NULL)
        retake(c->waiting.first->task, COIR_OK);
    return error;
}

int coir_cond_destroy(coir_cond *c)
{
    int error;

    if (c == NULL)
        return COIR_OK;
    error = coir__thread_check_destroy(c->thread);
    if (error != COIR_OK)
        return error;
    if (c->thread == coir__thread_now()->number && c->waiting.first != NULL)
        return COIR_EBUSY;
    coir__release(c, sizeof *c);
    return COIR_OK;
}
