/* SPDX-License-Identifier: MIT */
/* cond.c - condition variables. However a wait ends, the task first has to get its mutex back: whoever ends it sees to
 * that, by giving it the mutex or making it wait for it. */

#include <config.h>

#include "allocator.h"
#include "mutex.h"

struct coir_cond {
    struct coir__object object;
    struct coir_queue waiting; /* each with its mutex as item */
};

/* Time and cancellation have had their effect when this begins; but what nobody will ever give back is not waited for. */
static void give_up_retaking(coir_task *task, int code)
{
    const coir_mutex *m = task->target;

    if (m->abandoned)
        coir__give_up_queue(task, code);
}

static const struct coir__wait retakes = {"has waited for a condition, and waits for mutex", true, coir__mutex_holder,
                                         give_up_retaking};

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
    if (m->abandoned && task->unwilling) { /* nobody will ever give it back, nor cancel this once more */
        coir__ready(task, COIR_ECANCELED);
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
    coir_cond *c;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    c = coir__object_make(sizeof *c, &error);
    if (c != NULL)
        *out = c;
    return error;
}

static int check(const coir_cond *c)
{
    return coir__object_check((const struct coir__object *)c);
}

static int check_both(const coir_cond *c, const coir_mutex *m, const coir_task *task)
{
    int error = check(c);

    if (error != COIR_OK)
        return error;
    error = coir__object_check((const struct coir__object *)m);
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
    error = coir__object_check_destroy(&c->object, c->waiting.first != NULL);
    if (error == COIR_OK)
        coir__release(c, sizeof *c);
    return error;
}
