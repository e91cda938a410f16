/* SPDX-License-Identifier: MIT */
/* switch.c - resume, yield, switch: every change from one fiber to another begins here.
 *
 * What has to happen happens before the switch, on the side that leaves: values go through the pointers that the waiting
 * side left behind (`in`, `out`), and the thread's record and the caller links are set. So each of these functions ends
 * in the call of the machine's switch, which the compiler turns into a jump: a function that returned by `ret` after the
 * stack was changed would be mispredicted by the processor, for some 10 ns. */

#include <config.h>

#include "entry.h"
#include "fiber.h"
#include "likely.h"
#include "thread.h"

int coir__check_resumable(const coir_fiber *f, const struct coir__thread *thread)
{
    if (f->life == COIR__DONE || coir__cut_short(f))
        return COIR_EDEAD;
    if (coir__is_elsewhere(f, thread))
        return COIR_ETHREAD;
    if ((f->life == COIR__STARTED && f->resumable_by == NULL) || (f->special & COIR__KEPT))
        return COIR_EBUSY;
    return COIR_OK;
}

/* Continues `f` with the current fiber as its resumer. */
static inline int enter(struct coir__thread *thread, coir_fiber *f, void *value, void **result)
{
    coir_fiber *resumer = thread->current;

    f->resumable_by = NULL;
    f->resumer = resumer;
    f->out = result != NULL ? result : &resumer->unwanted;
    *f->in = value;
    thread->current = f;
    return coir__route_in(coir__watched(thread), &resumer->context, &f->context, f->resume_code);
}

/* Notes that `f`, the current fiber, is suspended: who may resume it, and where that one's value goes. */
static inline void suspend(struct coir__thread *thread, coir_fiber *f, void **result)
{
    f->resumable_by = thread;
    if (coir__unlikely(f->special & COIR__MOVABLE)) {
        f->resumable_by = &coir__thread_any;
        coir__thread_let_go(f);
    }
    f->in = result != NULL ? result : &f->unwanted;
}

/* Suspends the current fiber and makes its resumer's call return `code`. */
static inline int leave(struct coir__thread *thread, coir_fiber *f, void *value, void **result, int code)
{
    coir_fiber *resumer = f->resumer;

    suspend(thread, f, result);
    *f->out = value;
    thread->current = resumer;
    return coir__route_out(coir__watched(thread), &f->context, &resumer->context, code);
}

int coir__enter(struct coir__thread *thread, coir_fiber *f, void *value, void **result)
{
    f->life = COIR__STARTED;
    return enter(thread, f, value, result);
}

int coir__leave(struct coir__thread *thread, coir_fiber *f, int code)
{
    f->resumable_by = coir__kept_by(thread);
    if (coir__unlikely(f->special & COIR__MOVABLE)) {
        f->resumable_by = coir__kept_by(&coir__thread_any);
        coir__thread_let_go(f);
    }
    return coir__leave_for_good(thread, f, code);
}

/* Is `f` new, so that this thread may start it? */
static inline bool can_start(const coir_fiber *f, const void *value, const struct coir__thread *thread)
{
    return f->life == COIR__NEW && f->owner == thread && !(f->special & COIR__KEPT) && value == NULL;
}

/* Marks a fiber as started that is not suspended in this thread: COIR_OK if it is a new one, or a movable one that comes
 * from another; or what is wrong with it. */
static int start(coir_fiber *f, const void *value, struct coir__thread *thread)
{
    int error = coir__check_resumable(f, thread);

    if (error == COIR_OK && f->life == COIR__NEW && value != NULL)
        error = COIR_EINVAL;
    if (error == COIR_OK)
        error = coir__thread_take_over(f, &thread);
    if (error == COIR_OK)
        f->life = COIR__STARTED;
    return error;
}

/* A resume of a fiber that comes from another thread, or a mistake. */
COIR__NOINLINE static int resume_or_refuse(coir_fiber *f, void *value, void **result, struct coir__thread *thread)
{
    int error = start(f, value, thread);

    return error == COIR_OK ? enter(f->owner, f, value, result) : error; /* start may have made the thread's record */
}

/* A resume of a fiber that is not suspended in this thread: mostly a first one. Like the others of its kind it has
 * its caller's arguments first, so that they can stay in their registers, and four in all, since no more are passed in
 * registers on Windows: a call with another could not be a jump. */
COIR__HOT int coir__resume_unusual(coir_fiber *f, void *value, void **result, struct coir__thread *thread)
{
    if (coir__unlikely(!can_start(f, value, thread)))
        return resume_or_refuse(f, value, result, thread);
    f->life = COIR__STARTED;
    return enter(thread, f, NULL, result);
}

COIR__HOT int COIR__ENTRY(resume)(coir_fiber *f, void *value, void **result)
{
    struct coir__thread *thread = coir__thread_here();

    if (coir__unlikely(f == NULL))
        return COIR_EINVAL;
    if (coir__unlikely(f->resumable_by != thread))
        return coir__resume_unusual(f, value, result, thread);
    return enter(thread, f, value, result);
}

/* Why the current fiber may not suspend, or COIR_OK. A substitute may, but none that is marked otherwise. */
static int check_suspendable(coir_fiber *f)
{
    if (coir__must_unwind_again(f))
        coir__fiber_unwind_again(f);
    if ((f->special & COIR__ROOT) || ((f->special & COIR__KEPT) && f->keeper->yield_error == COIR_ENOTFIBER))
        return COIR_ENOTFIBER;
    if (f->special & COIR__ENDING)
        return COIR_ECANCELED;
    if (f->special & COIR__KEPT)
        return f->keeper->yield_error;
    return f->special & COIR__HOST ? COIR_EBUSY : COIR_OK;
}

/* What the resumer of `f` hears when that suspends, which may not be the fiber that it has resumed. */
static int take_code(coir_fiber *f)
{
    int code = f->special & COIR__SUBSTITUTE ? COIR_SWITCHED : COIR_YIELDED;

    f->special &= (uint16_t)~COIR__SUBSTITUTE;
    return code;
}

/* A yield outside of any fiber, of one that is ending, of one that stands in another's place, or that is movable. */
COIR__NOINLINE static int yield_unusual(void *value, void **result, struct coir__thread *thread, coir_fiber *f)
{
    int error = check_suspendable(f);

    if (error != COIR_OK)
        return error;
    return leave(thread, f, value, result, take_code(f));
}

COIR__HOT int COIR__ENTRY(yield)(void *value, void **result)
{
    struct coir__thread *thread = coir__thread_here();
    coir_fiber *f = thread->current;

    if (coir__unlikely(f->special != 0))
        return yield_unusual(value, result, thread, f);
    return leave(thread, f, value, result, COIR_YIELDED);
}

/* Gives `to` the place of `from`: whose resume it answers, and where that wants the value. */
static void take_place(coir_fiber *from, coir_fiber *to)
{
    uint64_t asked = from->special & COIR__SUBSTITUTE ? from->stands_for : from->serial;

    from->special &= (uint16_t)~COIR__SUBSTITUTE;
    if (to->serial != asked) {
        to->special |= COIR__SUBSTITUTE;
        to->stands_for = asked;
    }
    to->resumer = from->resumer;
    to->out = from->out;
}

/* Suspends `from` and continues `to` in its place. */
static inline int pass(struct coir__thread *thread, coir_fiber *from, coir_fiber *to, void *value, void **result)
{
    take_place(from, to);
    to->resumable_by = NULL;
    *to->in = value;
    suspend(thread, from, result);
    thread->current = to;
    return coir__route_over(coir__watched(thread), &from->context, &to->context, to->resume_code);
}

/* A switch to a fiber that is not suspended in this thread, or of one that cannot simply be left; or a mistake. */
COIR__NOINLINE static int switch_unusual(coir_fiber *to, void *value, void **result, struct coir__thread *thread)
{
    int error = check_suspendable(thread->current);

    if (error == COIR_OK && to == NULL)
        error = COIR_EINVAL;
    if (error == COIR_OK && to->resumable_by != thread)
        error = start(to, value, thread);
    return error == COIR_OK ? pass(thread, thread->current, to, value, result) : error;
}

COIR__HOT int coir_switch(coir_fiber *to, void *value, void **result)
{
    struct coir__thread *thread = coir__thread_here();
    coir_fiber *from = thread->current;

    if (coir__unlikely((from->special & ~COIR__SUBSTITUTE) != 0 || to == NULL || to->resumable_by != thread))
        return switch_unusual(to, value, result, thread);
    return pass(thread, from, to, value, result);
}

/* The frame that a switch left is at `saved`, on every backend, and that of the function which called it above. */
void coir_prefetch(const coir_fiber *f)
{
    const char *saved;

    if (f == NULL)
        return;
    saved = f->context.saved;
    coir__prefetch(saved);
    coir__prefetch(saved + 64);
}
