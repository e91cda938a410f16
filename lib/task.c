/* SPDX-License-Identifier: MIT */
/* task.c - a task's life: how it is spawned, yields, parks, is cancelled, ends. */

#include <config.h>

#include "allocator.h"
#include "likely.h"
#include "task.h"
#include "thread.h"

/* ---- waiting ---- */

COIR__NOINLINE int coir__why_not_wait(void)
{
    struct coir__thread *thread = coir__thread_here();
    const coir_exec *e = thread->exec;

    if (coir__must_unwind_again(thread->current))
        coir__fiber_unwind_again(thread->current);
    return e->running == e->home ? COIR_ENOTTASK : COIR_ECANCELED;
}

COIR__NOINLINE int coir__suspend_until(struct coir__thread *thread, coir_task *task, int64_t time)
{
    coir__timer_set(&task->exec->timers, task, time);
    return coir__go_on(thread, task->exec, task->leaf);
}

void coir__give_up_queue(coir_task *task, int code)
{
    coir__queue_remove(&task->waiter);
    coir__ready(task, code);
}

/* ---- spawning and ending ---- */

/* As many as a pool of stacks may hold. */
#define MOST_UNUSED 256

static coir_task *take_memory(coir_exec *e)
{
    coir_task *task = e->unused;

    if (task == NULL)
        return coir__allocate_aligned(sizeof *task);
    e->unused = task->next;
    e->unused_count--;
    return task;
}

static void give_memory(coir_exec *e, coir_task *task)
{
    if (e->unused_count >= MOST_UNUSED) {
        coir__release_aligned(task, sizeof *task);
        return;
    }
    task->next = e->unused;
    e->unused = task;
    e->unused_count++;
}

static void list_task(coir_exec *e, coir_task *task)
{
    task->previous = e->last_task;
    if (e->last_task != NULL)
        e->last_task->next = task;
    else
        e->tasks = task;
    e->last_task = task;
    e->alive++;
}

static void unlist_task(coir_exec *e, coir_task *task)
{
    if (task->previous != NULL)
        task->previous->next = task->next;
    else
        e->tasks = task->next;
    if (task->next != NULL)
        task->next->previous = task->previous;
    else
        e->last_task = task->previous;
}

void coir__task_free(coir_task *task)
{
    coir_exec *e = task->exec;

    if (e->corpse == task)
        e->corpse = NULL;
    unlist_task(e, task);
    if (task->root != NULL)
        coir__fiber_destroy(task->root);
    give_memory(e, task);
}

/* Field by field, but for what spawning sets: clearing the whole takes several times as long. */
static void initialise(coir_task *task, coir_exec *e)
{
    task->yielder = NULL;
    task->wait = NULL;
    task->code = COIR_OK;
    task->timer = 0;
    task->unwilling = false;
    task->cancelled = false;
    task->shielded = false;
    task->woken = false;
    task->ended = false;
    task->target = NULL;
    task->exec = e;
    task->waiter.queue = NULL;
    task->waiter.task = task;
    task->awaiter = NULL;
    task->result = NULL;
    task->selects = 0;
    task->next = NULL;
    task->held = NULL;
    task->group = NULL;
    task->group_next = NULL;
    task->group_previous = NULL;
}

int coir__spawn(coir_task **out, coir_exec *e, const struct coir__keeper *keeper, coir_fn *main, void (*fn)(void), void *arg,
                const coir_options *opt, const void *caller)
{
    struct coir__thread *thread = coir__thread_here();
    coir_task *task;
    int error;

    if (e == NULL)
        e = thread->exec;
    if (e == &coir__no_exec)
        return COIR_ENOTTASK;
    if (opt != NULL && (opt->flags & COIR_MOVABLE))
        return COIR_ENOTSUP;
    error = coir__thread_check(e->thread);
    if (error == COIR_OK)
        error = coir__exec_reserve(e);
    if (error != COIR_OK)
        return error;
    if (e->corpse != NULL)
        coir__task_free(e->corpse);
    task = take_memory(e);
    if (task == NULL)
        return COIR_ENOMEM;
    initialise(task, e);
    error = coir__fiber_make(thread, keeper, main, task, opt, &task->root);
    if (error != COIR_OK) {
        give_memory(e, task);
        return error;
    }
    task->root->created_by = caller;
    task->root->special |= COIR__TASK;
    task->root->resumer = e->loop;
    task->leaf = task->root;
    task->fn = fn;
    task->arg = arg;
    task->detached = out == NULL;
    list_task(e, task);
    coir__ready_add(e, task);
    if (out != NULL)
        *out = task;
    return COIR_OK;
}

void coir__task_begin(coir_task *task)
{
    coir_fiber *root = task->root;

    root->life = COIR__STARTED;
    if (coir__backend()->link != NULL)
        coir__backend()->link(&root->context, &root->resumer->context);
}

void coir__task_end(struct coir__thread *thread, coir_fiber *f, void *result)
{
    coir_task *task = f->arg;
    coir_exec *e = task->exec;

    if (e->corpse != NULL) /* while the thread's record holds no stack: that would be given back, and we stand on ours */
        coir__task_free(e->corpse);
    coir__fiber_done(thread, f);
    task->result = result;
    task->ended = true;
    e->alive--;
    if (e->thread != thread->number) { /* coir__task_abandon */
        coir__leave_for_good(thread, f, COIR_DONE);
        return;
    }
    if (task->held != NULL)
        coir__mutexes_abandon(task);
    if (task->awaiter != NULL)
        coir__await_notify(task);
    else if (task->detached)
        e->corpse = task;
    coir__go_on(thread, e, f);
}

int coir__task_abandon(coir_task *task)
{
    int error;

    if (task->root->life == COIR__NEW)
        task->root->life = COIR__CUT_SHORT; /* as a new fiber it would end without its keeper */
    error = coir__fiber_destroy(task->root);
    if (error == COIR_OK)
        task->root = NULL;
    return error;
}

bool coir__task_waits(const coir_fiber *root, const coir_fiber *f)
{
    const coir_task *task = root->arg;

    return task->leaf == f && task->exec->running != task;
}

static void *run_task(void *arg)
{
    coir_task *task = arg;

    coir__task_begin(task);
    return ((coir_fn *)task->fn)(task->arg);
}

static const struct coir__keeper task_keeper = {COIR_ENOTFIBER, coir__task_end, coir__task_waits};

int coir_spawn(coir_task **out, coir_exec *e, coir_fn *fn, void *arg, const coir_options *opt)
{
    if (fn == NULL)
        return COIR_EINVAL;
    return coir__spawn(out, e, &task_keeper, run_task, (void (*)(void))fn, arg, opt, COIR__CALLER);
}

/* ---- yielding and parking ---- */

/* A task that has yielded is in the queue already. */
static void give_up_yield(coir_task *task, int code)
{
    task->code = code;
}

static const struct coir__wait yields = {"has yielded", false, NULL, give_up_yield};

/* Tasks that come up are asked for early, a step at a time, since each address stands in what was asked for before. The
 * distance was measured. */
#define PREFETCH_DISTANCE 4

static inline const coir_task *ready_at(const coir_exec *e, uint32_t distance)
{
    return e->ring[(coir__head(e) + distance) & e->mask];
}

static COIR__FORCE_INLINE void prefetch_ready(const coir_exec *e)
{
    const char *saved = ready_at(e, PREFETCH_DISTANCE)->leaf->context.saved;

    coir__prefetch(saved);
    coir__prefetch(saved + 64);
    coir__prefetch(ready_at(e, 2 * PREFETCH_DISTANCE)->leaf);
    coir__prefetch(ready_at(e, 3 * PREFETCH_DISTANCE));
}

/* May this yield be made like the last one, but for the limit? */
static inline bool yields_again(const coir_exec *e, const coir_fiber *f)
{
    return e->running->yielder == f && !(f->special & (COIR__ENDING | COIR__UNWOUND));
}

/* A first yield, where the turn ends, where the order is shuffled, or where the caller may not wait. */
COIR__NOINLINE static int yield_unusual(void)
{
    struct coir__caller caller;
    coir_fiber *f;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    f = caller.thread->current;
    caller.task->yielder = f;
    caller.task->leaf = f;
    caller.task->wait = &yields;
    caller.task->code = COIR_OK;
    coir__ready_add(caller.exec, caller.task);
    return coir__go_on(caller.thread, caller.exec, f);
}

/* A yield among many tasks; or one of those below. */
COIR__HOT static int yield_among_many(struct coir__thread *thread, coir_exec *e, coir_fiber *f)
{
    coir_task *next;

    if (!e->many || coir__head(e) == e->turn_end || coir__ready_count(e) <= 3 * PREFETCH_DISTANCE || !yields_again(e, f))
        return yield_unusual();
    next = coir__ready_exchange(e, e->running);
    e->limit = coir__head(e);
    prefetch_ready(e);
    return coir__go_to(thread, e, f, next);
}

/* To look is quicker than to write, so what was noted for the last yield serves the next. */
COIR__HOT int coir_task_yield(void)
{
    struct coir__thread *thread = coir__thread_here();
    coir_exec *e = thread->exec;
    coir_fiber *f = thread->current;

    if (coir__unlikely(!yields_again(e, f) || coir__head(e) == e->limit))
        return yield_among_many(thread, e, f);
    return coir__go_to(thread, e, f, coir__ready_exchange(e, e->running));
}

static const struct coir__wait parks = {"is parked", false, NULL, coir__ready};

int coir_task_park_until(int64_t deadline)
{
    struct coir__caller caller;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    if (caller.task->woken) {
        caller.task->woken = false;
        return COIR_OK;
    }
    if (coir__is_past(caller.exec, deadline))
        return COIR_ETIMEDOUT;
    return coir__suspend(caller, &parks, NULL, deadline);
}

int coir_task_park(void)
{
    return coir_task_park_until(COIR_FOREVER);
}

/* For what is done to a task: COIR_OK, COIR_EINVAL, COIR_ETHREAD, COIR_EDEAD. */
static int check_alive(const coir_task *t)
{
    int error = coir__task_check(t);

    if (error != COIR_OK)
        return error;
    return t->ended ? COIR_EDEAD : COIR_OK;
}

/* The task that runs may have the marks of its last wait. */
static bool is_waiting(const coir_task *t)
{
    return t->wait != NULL && t->exec->running != t;
}

int coir_task_wake(coir_task *t)
{
    int error = check_alive(t);

    if (error != COIR_OK)
        return error;
    if (is_waiting(t) && t->wait == &parks)
        coir__ready(t, COIR_OK);
    else
        t->woken = true;
    return COIR_OK;
}

/* ---- cancellation ---- */

static void interrupt(coir_task *task)
{
    task->unwilling = true;
    task->yielder = NULL;
    if (is_waiting(task) && task->wait->give_up != NULL)
        task->wait->give_up(task, COIR_ECANCELED);
}

void coir__task_cancel(coir_task *task)
{
    if (task->cancelled)
        return;
    task->cancelled = true;
    if (!task->shielded)
        interrupt(task);
}

int coir_task_cancel(coir_task *t)
{
    int error = check_alive(t);

    if (error == COIR_OK)
        coir__task_cancel(t);
    return error;
}

int coir_task_shield(int on)
{
    coir_task *task = coir_task_self();
    int before;

    if (task == NULL)
        return COIR_ENOTTASK;
    before = task->shielded;
    task->shielded = on != 0;
    task->unwilling = task->cancelled && !task->shielded;
    task->yielder = NULL;
    return before;
}

/* ---- handles ---- */

int coir_task_detach(coir_task *t)
{
    int error = coir__task_check(t);

    if (error != COIR_OK)
        return error;
    if (t->detached)
        return COIR_EINVAL;
    if (t->awaiter != NULL)
        return COIR_EBUSY;
    t->detached = true;
    if (t->ended)
        coir__task_free(t);
    return COIR_OK;
}

coir_task *coir_task_self(void)
{
    const coir_exec *e = coir__thread_now()->exec;

    return e->running != e->home ? e->running : NULL;
}

coir_fiber *coir_task_fiber(coir_task *t)
{
    return t != NULL ? t->root : NULL;
}

int coir_task_state(const coir_task *t)
{
    if (t == NULL)
        return COIR_EINVAL;
    if (t->ended)
        return COIR_TASK_DONE;
    if (t->exec->running == t)
        return COIR_TASK_RUNNING;
    return t->wait == NULL || t->wait == &yields ? COIR_TASK_READY : COIR_TASK_WAITING;
}
