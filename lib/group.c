/* SPDX-License-Identifier: MIT */
/* group.c - tasks that end together. */

#include <config.h>

#include <coir/sync.h>

#include "allocator.h"
#include "object.h"
#include "queue.h"
#include "task.h"
#include "thread.h"

struct coir_group {
    struct coir__object object;
    coir_exec *exec;
    coir_task *tasks; /* those that have not ended, in the order in which they were spawned */
    coir_task *last_task;
    unsigned count;
    int code;         /* what it failed with, or COIR_OK */
    unsigned waiting_outside; /* calls that run the executor until the group is done */
    coir_group *next_failing; /* in the list of those whose tasks are to be cancelled */
    struct coir_queue waiting;
};

/* ---- tasks of a group ---- */

static void add_task(coir_group *g, coir_task *task)
{
    task->group = g;
    task->group_previous = g->last_task;
    if (g->last_task != NULL)
        g->last_task->group_next = task;
    else
        g->tasks = task;
    g->last_task = task;
    g->count++;
}

static void remove_task(coir_group *g, coir_task *task)
{
    if (task->group_previous != NULL)
        task->group_previous->group_next = task->group_next;
    else
        g->tasks = task->group_next;
    if (task->group_next != NULL)
        task->group_next->group_previous = task->group_previous;
    else
        g->last_task = task->group_previous;
    g->count--;
}

static void cancel_tasks(coir_group *g)
{
    for (coir_task *task = g->tasks; task != NULL; task = task->group_next)
        coir__task_cancel(task);
}

/* Cancelling a task that waits for a group fails that one, which comes back here. They are nested as deep as the program
 * likes, so the inner ones are left to the loop of the outermost. */
static void fail(coir_group *g, int code)
{
    coir_exec *e = g->exec;
    bool is_outermost = e->last_failing == NULL;

    if (g->code != COIR_OK)
        return;
    g->code = code;
    g->next_failing = NULL;
    if (!is_outermost)
        e->last_failing->next_failing = g;
    e->last_failing = g;
    if (!is_outermost)
        return;
    for (; g != NULL; g = g->next_failing)
        cancel_tasks(g);
    e->last_failing = NULL;
}

static void *run_task(void *arg)
{
    coir_task *task = arg;
    int code;

    coir__task_begin(task);
    code = ((coir_group_fn *)task->fn)(task->arg);
    if (code < 0)
        fail(task->group, code);
    return NULL;
}

/* Goes on with those who wait for the group, in the order in which they came. */
static void wake_all(coir_group *g)
{
    while (g->waiting.first != NULL) {
        coir_task *task = g->waiting.first->task;
        coir__queue_remove(&task->waiter);
        coir__ready(task, g->code);
    }
    if (g->waiting_outside > 0)
        coir__exec_end_turn(g->exec);
}

static void end_task(struct coir__thread *thread, coir_fiber *f, void *result)
{
    coir_task *task = f->arg;
    coir_group *g = task->group;

    remove_task(g, task);
    if (g->count == 0 && g->object.thread == thread->number)
        wake_all(g);
    coir__task_end(thread, f, result);
}

static const struct coir__keeper group_keeper = {COIR_ENOTFIBER, end_task, coir__task_waits};

static int check(const coir_group *g)
{
    return coir__object_check((const struct coir__object *)g);
}

int coir_group_spawn(coir_group *g, coir_group_fn *fn, void *arg, const coir_options *opt)
{
    int error = check(g);
    coir_task *task;

    if (error != COIR_OK)
        return error;
    if (fn == NULL)
        return COIR_EINVAL;
    if (g->code != COIR_OK)
        return COIR_ECANCELED;
    error = coir__spawn(&task, g->exec, &group_keeper, run_task, (void (*)(void))fn, arg, opt, COIR__CALLER);
    if (error != COIR_OK)
        return error;
    task->detached = true;
    add_task(g, task);
    return COIR_OK;
}

int coir_group_fail(coir_group *g, int code)
{
    int error = check(g);

    if (error != COIR_OK)
        return error;
    if (code >= 0)
        return COIR_EINVAL;
    fail(g, code);
    return COIR_OK;
}

/* ---- waiting for a group ---- */

/* The group is not to be left before its tasks: a cancel is theirs first, and no deadline counts from then on. */
static void give_up(coir_task *task, int code)
{
    coir_group *g = task->waiter.item;

    if (code != COIR_ECANCELED) {
        coir__give_up_queue(task, code);
        return;
    }
    if (task->timer != 0)
        coir__timer_clear(&task->exec->timers, task);
    fail(g, code);
}

static const struct coir__wait waits = {"waits for group", true, NULL, give_up};

static bool is_over(const void *group)
{
    return ((const coir_group *)group)->count == 0;
}

static int run_until_over(coir_group *g, int64_t deadline)
{
    int error;

    g->waiting_outside++;
    error = coir__exec_run_until(g->exec, is_over, g, deadline);
    g->waiting_outside--;
    return error == COIR_OK ? g->code : error;
}

static int wait_in_task(coir_group *g, struct coir__caller caller, int64_t deadline)
{
    if (caller.task->group == g)
        return COIR_EDEADLK;
    caller.task->waiter.item = g;
    return coir__suspend_in(&g->waiting, caller, &waits, g, deadline);
}

/* Of a task that is cancelled already: has the group cancelled, and then waits all the same. */
static int wait_cancelled(coir_group *g)
{
    struct coir__thread *thread = coir__thread_now();
    struct coir__caller caller = {thread, thread->exec, thread->exec->running};

    if (thread->current->special & COIR__ENDING)
        return COIR_ECANCELED;
    if (caller.task->group != g)
        fail(g, COIR_ECANCELED);
    return wait_in_task(g, caller, COIR_FOREVER);
}

int coir_group_wait_until(coir_group *g, int64_t deadline)
{
    struct coir__caller caller;
    int error = check(g);

    if (error != COIR_OK)
        return coir__thread_now()->current->special & COIR__ENDING ? COIR_ECANCELED : error;
    if (g->count == 0)
        return g->code;
    if (coir__may_wait(&caller))
        return wait_in_task(g, caller, deadline);
    return coir__why_not_wait() == COIR_ENOTTASK ? run_until_over(g, deadline) : wait_cancelled(g);
}

int coir_group_wait(coir_group *g)
{
    return coir_group_wait_until(g, COIR_FOREVER);
}

/* ---- the group itself ---- */

int coir_group_create(coir_group **out, coir_exec *e)
{
    coir_group *g;
    int error;

    if (out == NULL)
        return COIR_EINVAL;
    if (e == NULL)
        e = coir_exec_current();
    if (e == NULL)
        return COIR_ENOTTASK;
    error = coir__exec_check(e);
    if (error != COIR_OK)
        return error;
    g = coir__object_make(sizeof *g, &error);
    if (g == NULL)
        return error;
    g->exec = e;
    e->groups++;
    *out = g;
    return COIR_OK;
}

int coir_group_count(const coir_group *g)
{
    int error = check(g);

    return error == COIR_OK ? (int)g->count : error;
}

/* Its executor is still there, since it is not destroyed before its groups. */
int coir_group_destroy(coir_group *g)
{
    int error;

    if (g == NULL)
        return COIR_OK;
    error = coir__object_check_destroy(&g->object, g->waiting.first != NULL || g->waiting_outside > 0);
    if (error != COIR_OK)
        return error;
    if (g->count > 0)
        return COIR_EBUSY;
    g->exec->groups--;
    coir__release(g, sizeof *g);
    return COIR_OK;
}
