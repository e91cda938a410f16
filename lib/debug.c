/* SPDX-License-Identifier: MIT */
/* debug.c - backtraces for the program: of whom one can be had, and how it is handed over. */

#include <config.h>

#include <coir/debug.h>

#include "fiber.h"
#include "likely.h"
#include "task.h"
#include "thread.h"
#include "trace.h"

/* ---- of whom ---- */

static int find_current(const struct coir__thread *thread, const void *caller, struct coir__trace *out)
{
    *out = (struct coir__trace){.first = thread->current, .is_here = true, .caller = caller};
    return COIR_OK;
}

/* What coir_fiber_state says may be asked by any thread. Of what runs in another nobody can tell where it stands. */
static int find(const coir_fiber *f, const void *caller, struct coir__trace *out)
{
    const struct coir__thread *thread = coir__thread_now();
    int state;

    if (!coir__can_walk())
        return COIR_ENOTSUP;
    if (f == NULL || f == thread->current)
        return find_current(thread, caller, out);
    state = coir_fiber_state(f);
    if (state == COIR_STATE_DONE)
        return COIR_EDEAD;
    if ((state == COIR_STATE_RUNNING || state == COIR_STATE_RESUMING) && f->owner != thread)
        return COIR_ETHREAD;
    *out = (struct coir__trace){.first = f, .alone = state == COIR_STATE_NEW || state == COIR_STATE_SUSPENDED};
    return COIR_OK;
}

/* The innermost fiber that runs in a task which is running: where the way from the current fiber through the resumers
 * comes to the task's root, the last one on the far side of another task or its executor. */
static const coir_fiber *find_leaf(const struct coir__thread *thread, const coir_task *t)
{
    const coir_fiber *leaf = thread->current;

    for (const coir_fiber *f = leaf; f != t->root; f = f->resumer)
        if (f->special & COIR__TASK)
            leaf = f->resumer;
    return leaf;
}

static int find_task(const coir_task *t, const void *caller, struct coir__trace *out)
{
    const struct coir__thread *thread = coir__thread_now();

    if (t->ended)
        return COIR_EDEAD;
    if (t->exec->running != t)
        return find(t->leaf, caller, out);
    if (t->root->owner != thread)
        return COIR_ETHREAD;
    return find(find_leaf(thread, t), caller, out);
}

/* ---- as addresses ---- */

struct collection {
    void **frames;
    int max;
    int count;
};

static bool collect(const struct coir__frame *frame, void *arg)
{
    struct collection *c = arg;

    c->frames[c->count++] = (void *)frame->pc;
    return c->count < c->max;
}

static int store(const struct coir__trace *trace, void **frames, int max)
{
    struct collection c = {frames, max, 0};

    for (const coir_fiber *f = trace->first; f != NULL && c.count < max; f = coir__trace_next(trace, f))
        coir__trace_frames(trace, f, collect, &c);
    return c.count;
}

COIR__NOINLINE int coir_backtrace(const coir_fiber *f, void **frames, int max)
{
    struct coir__trace trace;
    int error;

    if (frames == NULL || max <= 0)
        return COIR_EINVAL;
    error = find(f, COIR__CALLER, &trace);
    return error == COIR_OK ? store(&trace, frames, max) : error;
}

COIR__NOINLINE int coir_task_backtrace(const coir_task *t, void **frames, int max)
{
    struct coir__trace trace;
    int error;

    if (t == NULL || frames == NULL || max <= 0)
        return COIR_EINVAL;
    error = find_task(t, COIR__CALLER, &trace);
    return error == COIR_OK ? store(&trace, frames, max) : error;
}

/* ---- as text ---- */

static void print(const struct coir__trace *trace, int fd)
{
    struct coir__print how = {.fd = fd, .indent = ""};

    coir__trace_print(trace, &how);
}

COIR__NOINLINE int coir_backtrace_print(const coir_fiber *f, int fd)
{
    struct coir__trace trace;
    int error = find(f, COIR__CALLER, &trace);

    if (error == COIR_OK)
        print(&trace, fd);
    return error;
}

COIR__NOINLINE int coir_task_backtrace_print(const coir_task *t, int fd)
{
    struct coir__trace trace;
    int error;

    if (t == NULL)
        return COIR_EINVAL;
    error = find_task(t, COIR__CALLER, &trace);
    if (error == COIR_OK)
        print(&trace, fd);
    return error;
}
