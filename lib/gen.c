/* SPDX-License-Identifier: MIT */
/* gen.c - generators. A generator is a fiber that is resumed and suspended here, with a place for the item in between;
 * to everybody else it is busy. */

#include <config.h>

#include <string.h>

#include <coir/gen.h>

#include "allocator.h"
#include "entry.h"
#include "fiber.h"
#include "gen.h"
#include "likely.h"
#include "thread.h"

static void *run_generator(void *arg)
{
    coir_gen *g = arg;
    int code = g->fn(g, g->arg);

    g->code = code < 0 ? code : 0;
    return NULL;
}

static void end_generator(struct coir__thread *thread, coir_fiber *f, void *result)
{
    const coir_gen *g = f->arg;

    (void)result;
    coir__fiber_done(thread, f);
    coir__leave_for_good(thread, f, g->code);
}

static const struct coir__keeper generator_keeper = {COIR_EINVAL, end_generator, NULL};

/* What lies behind the structure: the place for unwanted items. */
static size_t size_of(size_t item_size)
{
    return sizeof(coir_gen) + item_size;
}

int coir_gen_create(coir_gen **out, size_t item_size, coir_gen_fn *fn, void *arg, const coir_options *opt)
{
    struct coir__thread *thread;
    coir_gen *g;
    int error;

    if (out == NULL || fn == NULL || item_size == 0)
        return COIR_EINVAL;
    error = coir__thread_enter(&thread);
    if (error != COIR_OK)
        return error;
    if (item_size > SIZE_MAX / 2)
        return COIR_ENOMEM;
    g = coir__allocate(size_of(item_size));
    if (g == NULL)
        return COIR_ENOMEM;
    memset(g, 0, sizeof *g);
    g->item_size = item_size;
    g->unwanted = g + 1;
    g->fn = fn;
    g->arg = arg;
    error = coir__fiber_make(thread, &generator_keeper, run_generator, g, opt, &g->fiber);
    if (error != COIR_OK) {
        coir__release(g, size_of(item_size));
        return error;
    }
    g->fiber->created_by = COIR__CALLER;
    *out = g;
    return COIR_OK;
}

/* A generator that is not suspended in coir_gen_yield in this thread: a new one, a movable one, one that has ended, or a
 * mistake. */
COIR__NOINLINE static int next_unusual(coir_gen *g, void *item, struct coir__thread *thread)
{
    coir_fiber *f;
    int error;

    if (g == NULL)
        return COIR_EINVAL;
    f = g->fiber;
    if (f->life == COIR__DONE)
        return g->code;
    if (f->owner != &coir__thread_any && (f->life != COIR__NEW || f->owner != thread))
        return coir__check_resumable(f, thread);
    error = coir__thread_take_over(f, &thread);
    if (error != COIR_OK)
        return error;
    g->item = item != NULL ? item : g->unwanted;
    return coir__enter(thread, f, NULL, NULL);
}

COIR__HOT int COIR__ENTRY(gen_next)(coir_gen *g, void *item)
{
    struct coir__thread *thread = coir__thread_here();
    coir_fiber *resumer, *f;

    if (coir__unlikely(g == NULL || g->fiber->resumable_by != coir__kept_by(thread)))
        return next_unusual(g, item, thread);
    f = g->fiber;
    resumer = thread->current;
    g->item = item != NULL ? item : g->unwanted;
    f->resumable_by = NULL;
    f->resumer = resumer;
    thread->current = f;
    return coir__route_in(coir__watched(thread), &resumer->context, &f->context, COIR_OK);
}

static int check_yield(const coir_gen *g, const void *item, coir_fiber *f)
{
    if ((f->special & COIR__ROOT) || (g != NULL && g->fiber != f))
        return COIR_ENOTFIBER;
    if (coir__must_unwind_again(f))
        coir__fiber_unwind_again(f);
    if (f->special & COIR__ENDING)
        return COIR_ECANCELED;
    if (f->special & COIR__HOST)
        return COIR_EBUSY;
    return g != NULL && item != NULL ? COIR_OK : COIR_EINVAL;
}

/* An item that is no number or pointer, or a mistake. */
COIR__NOINLINE static int yield_unusual(coir_gen *g, const void *item)
{
    struct coir__thread *thread = coir__thread_here();
    coir_fiber *f = thread->current;
    int error = check_yield(g, item, f);

    if (error != COIR_OK)
        return error;
    memcpy(g->item, item, g->item_size);
    return coir__leave(thread, f, 1);
}

/* Sizes that are known are copied without a call. */
COIR__HOT int COIR__ENTRY(gen_yield)(coir_gen *g, const void *item)
{
    struct coir__thread *thread = coir__thread_here();
    coir_fiber *f = thread->current;
    coir_fiber *resumer;

    if (coir__unlikely(g == NULL || item == NULL || g->fiber != f ||
                       (f->special & (COIR__ENDING | COIR__UNWOUND | COIR__MOVABLE | COIR__HOST))))
        return yield_unusual(g, item);
    if (g->item_size == 8)
        memcpy(g->item, item, 8);
    else if (g->item_size == 4)
        memcpy(g->item, item, 4);
    else
        return yield_unusual(g, item);
    resumer = f->resumer;
    f->resumable_by = coir__kept_by(thread);
    thread->current = resumer;
    return coir__route_out(coir__watched(thread), &f->context, &resumer->context, 1);
}

int coir_gen_destroy(coir_gen *g)
{
    int error;

    if (g == NULL)
        return COIR_OK;
    error = coir__fiber_destroy(g->fiber);
    if (error == COIR_OK)
        coir__release(g, size_of(g->item_size));
    return error;
}
