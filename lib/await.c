/* SPDX-License-Identifier: MIT */
/* await.c - waiting for tasks to end. */

#include <config.h>

#include "task.h"
#include "thread.h"

/* A wait for some of several tasks. It lies on the stack of whoever waits. */
struct gathering {
    coir_task *const *tasks;
    size_t count;
    size_t missing; /* so many must still end */
};

static const coir_task *awaited(const coir_task *task)
{
    return task->target;
}

static const struct coir__wait awaits = {"awaits task", true, awaited, coir__ready};
static const struct coir__wait awaits_several = {"awaits several tasks", false, NULL, coir__ready};

/* Who awaits a task stays noted in it until the call has returned, so the wait may be over already. */
void coir__await_notify(coir_task *task)
{
    coir_task *awaiter = task->awaiter;

    if (awaiter == awaiter->exec->home) {
        coir__exec_end_turn(awaiter->exec);
    } else if (awaiter->wait == &awaits) {
        coir__ready(awaiter, COIR_OK);
    } else if (awaiter->wait == &awaits_several) {
        struct gathering *gathering = (struct gathering *)awaiter->target;
        if (--gathering->missing == 0)
            coir__ready(awaiter, COIR_OK);
    }
}

/* May this task be awaited by the calling thread? */
static int check(const coir_task *t)
{
    int error = coir__task_check(t);

    if (error != COIR_OK)
        return error;
    if (t->detached)
        return COIR_EINVAL;
    return t->awaiter != NULL ? COIR_EBUSY : COIR_OK;
}

static void collect(coir_task *t, void **result)
{
    if (result != NULL)
        *result = t->result;
    coir__task_free(t);
}

/* ---- outside of tasks: by running the executor ---- */

static bool has_ended(const void *task)
{
    return ((const coir_task *)task)->ended;
}

static bool is_gathered(const void *gathering)
{
    const struct gathering *g = gathering;
    size_t ended = 0;

    for (size_t i = 0; i < g->count; i++)
        ended += g->tasks[i]->ended;
    return ended >= g->missing;
}

static int run_until_one(coir_task *t, int64_t deadline)
{
    int error;

    t->awaiter = t->exec->home;
    error = coir__exec_run_until(t->exec, has_ended, t, deadline);
    t->awaiter = NULL;
    return error;
}

/* One executor can be run at a time. */
static int run_until_gathered(const struct gathering *g, int64_t deadline)
{
    for (size_t i = 1; i < g->count; i++)
        if (g->tasks[i]->exec != g->tasks[0]->exec)
            return COIR_EINVAL;
    return coir__exec_run_until(g->tasks[0]->exec, is_gathered, g, deadline);
}

/* ---- one ---- */

/* A fiber that is ending cannot wait, but may have what is there already, to clean up. */
static bool is_ending(void)
{
    return coir__thread_now()->current->special & COIR__ENDING;
}

static int wait_in_task(struct coir__caller caller, coir_task *t, int64_t deadline)
{
    int error = check(t);

    if (t == caller.task)
        return COIR_EDEADLK;
    if (error != COIR_OK || t->ended)
        return error;
    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    t->awaiter = caller.task;
    error = coir__suspend(caller, &awaits, t, deadline);
    t->awaiter = NULL;
    return error;
}

static int wait_for_one(coir_task *t, int64_t deadline)
{
    struct coir__caller caller;
    int error;

    if (coir__may_wait(&caller))
        return wait_in_task(caller, t, deadline);
    error = check(t);
    if (coir__why_not_wait() == COIR_ECANCELED)
        return is_ending() && error == COIR_OK && t->ended ? COIR_OK : COIR_ECANCELED;
    return error != COIR_OK || t->ended ? error : run_until_one(t, deadline);
}

int coir_await_until(coir_task *t, int64_t deadline, void **result)
{
    int error = wait_for_one(t, deadline);

    if (error == COIR_OK)
        collect(t, result);
    return error;
}

int coir_await(coir_task *t, void **result)
{
    return coir_await_until(t, COIR_FOREVER, result);
}

/* ---- several ---- */

static void unmark(coir_task *const *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        t[i]->awaiter = NULL;
}

/* Notes in each task who awaits it: the caller, or outside of tasks its executor. One that occurs twice is found by its
 * mark. */
static int mark(coir_task *const *t, size_t n, coir_task *caller)
{
    if (t == NULL && n > 0)
        return COIR_EINVAL;
    for (size_t i = 0; i < n; i++) {
        int error = caller != NULL && t[i] == caller ? COIR_EDEADLK : check(t[i]);
        if (error != COIR_OK) {
            unmark(t, i);
            return error;
        }
        t[i]->awaiter = caller != NULL ? caller : t[i]->exec->home;
    }
    return COIR_OK;
}

static int gather_in_task(struct coir__caller caller, struct gathering *g, int64_t deadline)
{
    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    for (size_t i = 0; i < g->count; i++)
        g->missing -= g->tasks[i]->ended;
    return coir__suspend(caller, &awaits_several, g, deadline);
}

static int wait_in_task_for(struct coir__caller caller, struct gathering *g, int64_t deadline)
{
    int error = mark(g->tasks, g->count, caller.task);

    if (error != COIR_OK)
        return error;
    if (!is_gathered(g))
        error = gather_in_task(caller, g, deadline);
    unmark(g->tasks, g->count);
    return error;
}

static int wait_outside_for(const struct gathering *g, int64_t deadline)
{
    int error = mark(g->tasks, g->count, NULL);

    if (error != COIR_OK)
        return error;
    if (!is_gathered(g))
        error = run_until_gathered(g, deadline);
    unmark(g->tasks, g->count);
    return error;
}

/* Of a task that must not wait. */
static int collect_ended(const struct gathering *g)
{
    int error = is_ending() ? mark(g->tasks, g->count, NULL) : COIR_ECANCELED;

    if (error != COIR_OK)
        return COIR_ECANCELED;
    error = is_gathered(g) ? COIR_OK : COIR_ECANCELED;
    unmark(g->tasks, g->count);
    return error;
}

/* Waits until so many of the tasks have ended. */
static int wait_for(coir_task *const *t, size_t n, size_t needed, int64_t deadline)
{
    struct gathering gathering = {t, n, needed};
    struct coir__caller caller;

    if (coir__may_wait(&caller))
        return wait_in_task_for(caller, &gathering, deadline);
    return coir__why_not_wait() == COIR_ECANCELED ? collect_ended(&gathering) : wait_outside_for(&gathering, deadline);
}

int coir_await_all_until(coir_task *const *t, size_t n, int64_t deadline, void **results)
{
    int error = wait_for(t, n, n, deadline);

    if (error != COIR_OK)
        return error;
    for (size_t i = 0; i < n; i++)
        collect(t[i], results != NULL ? &results[i] : NULL);
    return COIR_OK;
}

int coir_await_all(coir_task *const *t, size_t n, void **results)
{
    return coir_await_all_until(t, n, COIR_FOREVER, results);
}

int coir_await_any_until(coir_task *const *t, size_t n, int64_t deadline, size_t *which)
{
    /* Without what it needs: as with no array of tasks. */
    int error = n > 0 && which != NULL ? wait_for(t, n, 1, deadline) : wait_for(NULL, 1, 1, deadline);

    if (error != COIR_OK)
        return error;
    for (*which = 0; !t[*which]->ended; ++*which)
        ;
    return COIR_OK;
}

int coir_await_any(coir_task *const *t, size_t n, size_t *which)
{
    return coir_await_any_until(t, n, COIR_FOREVER, which);
}
