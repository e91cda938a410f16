/* SPDX-License-Identifier: MIT */
/* select.c - waiting for the first of several channels. */

#include <config.h>

#include "chan.h"
#include "likely.h"
#include "thread.h"

/* A select that waits. It lies on the stack of whoever waits. */
struct selection {
    coir_select_case *cases;
    size_t count;
    size_t chosen;
};

/* ---- without waiting ---- */

static int check_case(const coir_select_case *one)
{
    int error = one->chan != NULL ? coir__thread_check(one->chan->object.thread) : COIR_OK;

    if (error != COIR_OK)
        return error;
    if (one->operation != COIR_RECV && one->operation != COIR_SEND)
        return COIR_EINVAL;
    return one->chan != NULL && one->item == NULL && one->chan->item_size > 0 ? COIR_EINVAL : COIR_OK;
}

static int check(const coir_select_case *cases, size_t n, const size_t *which)
{
    if ((cases == NULL && n > 0) || which == NULL)
        return COIR_EINVAL;
    for (size_t i = 0; i < n; i++) {
        int error = check_case(&cases[i]);
        if (error != COIR_OK)
            return error;
    }
    return COIR_OK;
}

static int attempt(const coir_select_case *one)
{
    if (one->chan == NULL)
        return COIR_EAGAIN;
    return one->operation == COIR_SEND ? coir__chan_push(one->chan, one->item) : coir__chan_pull(one->chan, one->item);
}

/* Where the search begins: at another case each time for each task, so that none is for ever behind another. */
static size_t first_place(size_t n)
{
    struct coir__thread *thread = coir__thread_now();
    coir_exec *e = thread->exec;

    if (thread == &coir__no_thread) /* which has no channels */
        return 0;
    if (e->shuffled)
        return (size_t)(coir__exec_random(e) % n);
    return (e->running != e->home ? e->running->selects++ : thread->selects++) % n;
}

/* Does the first that can be done: COIR_EAGAIN if none can. */
static int attempt_each(const coir_select_case *cases, size_t n, size_t *which)
{
    size_t i = n > 0 ? first_place(n) : 0;

    for (size_t tried = 0; tried < n; tried++) {
        int result = attempt(&cases[i]);
        if (result != COIR_EAGAIN) {
            *which = i;
            return result;
        }
        i = i + 1 < n ? i + 1 : 0;
    }
    return COIR_EAGAIN;
}

int coir_try_select(coir_select_case *cases, size_t n, size_t *which)
{
    int error = check(cases, n, which);

    return error == COIR_OK ? attempt_each(cases, n, which) : error;
}

/* ---- with waiting ---- */

static void leave_queues(const struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++)
        if (selection->cases[i].chan != NULL)
            coir__queue_remove(&selection->cases[i].waiter);
}

static void give_up_select(coir_task *task, int code)
{
    leave_queues(task->target);
    coir__ready(task, code);
}

const struct coir__wait coir__selects = {"selects among channels", false, NULL, give_up_select};

void coir__select_chosen(struct coir_waiter *waiter)
{
    struct selection *selection = (struct selection *)waiter->task->target;
    size_t i = 0;

    while (&selection->cases[i].waiter != waiter)
        i++;
    selection->chosen = i;
    leave_queues(selection);
}

/* How many cases have a channel. */
static size_t enter_queues(struct selection *selection, coir_task *task)
{
    size_t entered = 0;

    for (size_t i = 0; i < selection->count; i++) {
        coir_select_case *one = &selection->cases[i];
        if (one->chan == NULL)
            continue;
        one->waiter.task = task;
        one->waiter.item = one->item;
        coir__queue_add(one->operation == COIR_SEND ? &one->chan->senders : &one->chan->receivers, &one->waiter);
        entered++;
    }
    return entered;
}

static int wait_for_one(struct coir__caller caller, coir_select_case *cases, size_t n, int64_t deadline, size_t *which)
{
    struct selection selection = {cases, n, n};
    int result;

    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    if (enter_queues(&selection, caller.task) == 0 && deadline == COIR_FOREVER)
        return COIR_EDEADLK;
    result = coir__suspend(caller, &coir__selects, &selection, deadline);
    if (selection.chosen < n)
        *which = selection.chosen;
    return result;
}

int coir_select_until(coir_select_case *cases, size_t n, int64_t deadline, size_t *which)
{
    struct coir__caller caller;
    int error;

    if (coir__unlikely(!coir__may_wait(&caller)))
        return coir__why_not_wait();
    error = coir_try_select(cases, n, which);
    return error == COIR_EAGAIN ? wait_for_one(caller, cases, n, deadline, which) : error;
}

int coir_select(coir_select_case *cases, size_t n, size_t *which)
{
    return coir_select_until(cases, n, COIR_FOREVER, which);
}
