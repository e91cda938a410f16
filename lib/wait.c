/* SPDX-License-Identifier: MIT */
/* wait.c - things of the program's own to wait for. */

#include <config.h>

#include <coir/wait.h>

#include "task.h"

/* The bits of a wait's state. */
enum {
    ENDED = 1,  /* while nobody waited */
    GIVEN_UP = 2 /* its own function was told so */
};

static void give_up(coir_task *task, int code)
{
    coir_wait *w = (coir_wait *)task->target;

    if (w->give_up == NULL) {
        coir_wait_end(w, code);
    } else if (!(w->state & GIVEN_UP)) {
        w->state |= GIVEN_UP;
        w->give_up(w, code);
    }
}

static const struct coir__wait waits = {NULL, false, NULL, give_up};

int coir_may_wait(void)
{
    struct coir__caller caller;

    return coir__may_wait(&caller) ? COIR_OK : coir__why_not_wait();
}

int coir_wait_for_until(coir_wait *w, int64_t deadline)
{
    struct coir__caller caller;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    if (w == NULL)
        return COIR_EINVAL;
    if (w->task != NULL)
        return COIR_EBUSY;
    if (w->state & ENDED) {
        w->state = 0;
        return w->code;
    }
    w->state = 0;
    w->task = caller.task;
    return coir__suspend(caller, &waits, w, deadline);
}

int coir_wait_for(coir_wait *w)
{
    return coir_wait_for_until(w, COIR_FOREVER);
}

int coir_wait_end(coir_wait *w, int code)
{
    coir_task *task;
    int error;

    if (w == NULL)
        return COIR_EINVAL;
    task = w->task;
    if (task == NULL) {
        if (w->state & ENDED)
            return COIR_EBUSY;
        w->state |= ENDED;
        w->code = code;
        return COIR_OK;
    }
    error = coir__task_check(task);
    if (error != COIR_OK)
        return error;
    w->task = NULL;
    coir__ready(task, code);
    return COIR_OK;
}
