/* SPDX-License-Identifier: MIT */
/* fiber.c - a fiber's life: how it is made, starts, ends, and is destroyed. */

#include <config.h>

#include <string.h>

#include "allocator.h"
#include "fiber.h"
#include "likely.h"
#include "thread.h"
#include "tools.h"
#include "unwinding.h"

static const coir_options no_options;

static int check_options(const coir_options *opt)
{
    const unsigned known = COIR_KEEP_FPENV | COIR_MOVABLE | COIR_NO_GUARD | COIR_NO_UNWIND;

    if ((opt->flags & ~known) != 0 || opt->reserved_flags != 0)
        return COIR_EINVAL;
    for (size_t i = 0; i < sizeof opt->reserved / sizeof opt->reserved[0]; i++)
        if (opt->reserved[i] != NULL)
            return COIR_EINVAL;
    return COIR_OK;
}

/* ---- ends before time ---- */

/* What unwinding takes of the stack: 2.5 KiB with libgcc, for contexts and what describes a frame; and as much again when
 * functions of it are bound at their first call. */
#define UNWINDING_SIZE 8192

/* How often a fiber's code may swallow its unwinding. */
#define MOST_SWALLOWED 16

/* Ends the current fiber whose frames are gone, or never will be. What they noted of exceptions is not the next fiber's. */
static void end_without_frames(coir_fiber *f, void *result)
{
    struct coir__exceptions *record = coir__exceptions_of(coir__thread_now());

    if (!coir__exceptions_empty(record))
        *record = (struct coir__exceptions){NULL, 0};
    coir__fiber_end(f, result);
}

/* The current fiber is being left by the forced unwinding of pthread_exit: its resumer is the current one from now on, with
 * the exceptions that it has in hand. */
static void leave_unwound(void)
{
    struct coir__thread *thread = coir__thread_now();
    struct coir__exceptions *record = coir__exceptions_of(thread);
    coir_fiber *f = thread->current;

    f->life = COIR__CUT_SHORT;
    if (record != &coir__no_exceptions)
        *record = f->resumer->exceptions;
    thread->current = f->resumer;
    if (f->special & COIR__TASK) /* with its executor */
        thread->exec = &coir__no_exec;
}

void coir__unwinding_stopped(struct coir__unwinding *unwinding)
{
    end_without_frames(unwinding->fiber, unwinding->result);
}

/* Called when the first frame of a fiber is unwound: by us, or by the system's pthread_exit, which goes on. */
void coir__unwinding_arrived(struct coir__unwinding *unwinding)
{
    if (unwinding->begun && (unwinding->fiber->special & COIR__ENDING)) { /* not swallowed */
        unwinding->begun = false;
        coir__unwinding_stopped(unwinding);
    } else {
        leave_unwound();
    }
}

void coir__unwinding_swallowed(struct coir__unwinding *unwinding)
{
    struct coir__exceptions *record = coir__exceptions_of(coir__thread_now());

    unwinding->fiber->special &= (uint16_t)~COIR__ENDING;
    unwinding->swallowed++;
    if (record != &coir__no_exceptions)
        record->in_flight--; /* but one that the handler has thrown instead still is */
}

static bool can_unwind(const coir_fiber *f)
{
    volatile char here;

    if (f->flags & COIR_NO_UNWIND)
        return false;
    if (f->unwinding->begun && f->unwinding->swallowed >= MOST_SWALLOWED)
        return false;
    return (uintptr_t)&here - (uintptr_t)f->stack.low >= UNWINDING_SIZE;
}

/* Destructors that ask are to see that the scope is not left as usual: one exception more is in flight. Said at each frame,
 * since libstdc++ counts one more whenever it is thrown again, and never less. */
void coir__unwinding_steps(struct coir__unwinding *unwinding)
{
    struct coir__exceptions *record = coir__exceptions_of(coir__thread_now());

    if (record != &coir__no_exceptions)
        record->in_flight = unwinding->in_flight + 1;
}

static void begin_unwinding(coir_fiber *f, void *result)
{
    struct coir__exceptions *record = coir__exceptions_of(coir__thread_now());
    struct coir__unwinding *unwinding = f->unwinding;

    if (!unwinding->begun)
        unwinding->swallowed = 0;
    unwinding->begun = true;
    unwinding->fiber = f;
    unwinding->result = result;
    unwinding->in_flight = record->in_flight;
    f->special |= COIR__ENDING | COIR__UNWOUND;
}

COIR__NOINLINE void coir__fiber_unwind(coir_fiber *f, void *result)
{
    if (f->stack.source == COIR__STACK_POOL)
        f->stack.source = COIR__STACK_DROPPED; /* memory checkers are to forget what was on it */
    if (can_unwind(f)) {
        begin_unwinding(f, result);
        coir__tools_unwind();
        coir__unwind(f->unwinding);
    }
    end_without_frames(f, result);
}

COIR__NOINLINE void coir__fiber_unwind_again(coir_fiber *f)
{
    coir__fiber_unwind(f, f->unwinding->result);
}

/* Where a fiber continues when it is destroyed before its time. */
static void end_interrupted(void)
{
    if (coir__tools_follow)
        coir__careful_arrive();
    coir__fiber_unwind(coir__thread_now()->current, NULL);
}

/* And where one starts whose frames are gone with its thread. */
static void end_cut_short(void)
{
    if (coir__tools_follow)
        coir__careful_arrive();
    end_without_frames(coir__thread_now()->current, NULL);
}

/* ---- starting ---- */

/* The first function on every fiber's stack. */
COIR__HOT void coir__fiber_main(void)
{
    struct coir__unwinding unwinding COIR__UNWINDING_ARRIVES;
    coir_fiber *f = coir__thread_here()->current;
    coir_fn *fn = f->fn;

    coir__unwinding_prepare(&unwinding, fn);
    f->unwinding = &unwinding;
    coir__fiber_end(f, fn(f->arg));
}

/* But this one, where somebody follows all switches. */
static void fiber_main_followed(void)
{
    coir__careful_arrive();
    coir__fiber_main();
}

/* ---- making and releasing ---- */

COIR__NOINLINE static void release_fiber_unusual(struct coir__thread *thread, coir_fiber *f)
{
    if (thread->leaving.source > COIR__STACK_POOL)
        coir__thread_reclaim(thread);
    if (f->name != NULL)
        coir__release(f->name, strlen(f->name) + 1);
    f->name = NULL;
    if (coir__handle_give(&thread->handles, f))
        return;
    coir__handle_release(f);
    if (thread != &coir__no_thread) /* which all threads share that have none */
        thread->released++;
}

/* Gives back what is left of a fiber that has no stack any more. `thread` is the calling one. Of the stack that it may
 * have left, the library's own can wait for the next fiber; the program may want its memory back. Here as in
 * coir__fiber_end all that needs a call is set apart, so that the usual case needs no registers saved. */
static inline void release_fiber(struct coir__thread *thread, coir_fiber *f)
{
    if (coir__unlikely(thread->leaving.source > COIR__STACK_POOL || f->name != NULL) ||
        coir__unlikely(!coir__handle_give(&thread->handles, f)))
        release_fiber_unusual(thread, f);
}

static int name_fiber(coir_fiber *f, const char *name)
{
    if (name == NULL)
        return COIR_OK;
    f->name = coir__copy_string(name);
    return f->name != NULL ? COIR_OK : COIR_ENOMEM;
}

/* Sets what a new fiber starts with, but for what prepare and adopt will, and what a handle comes without. One by one,
 * since clearing the whole structure takes several times as long. */
static void initialise(coir_fiber *f, coir_fn *fn, void *arg, const coir_options *opt)
{
    f->resumable_by = NULL;
    f->in = &f->unwanted;
    f->resume_code = COIR_OK;
    f->special = 0;
    f->life = COIR__NEW;
    f->flags = (uint8_t)opt->flags;
    f->fn = fn;
    f->arg = arg;
    f->data = opt->data;
    f->exceptions = (struct coir__exceptions){NULL, 0};
}

/* Allocates a fiber with its name and stack, not yet known to any thread. */
static COIR__FORCE_INLINE int allocate_fiber(struct coir__thread *thread, coir_fn *fn, void *arg, const coir_options *opt,
                                 coir_fiber **out)
{
    coir_fiber *f = coir__handle_take(&thread->handles);
    int error;

    if (f == NULL)
        return COIR_ENOMEM;
    initialise(f, fn, arg, opt);
    error = name_fiber(f, opt->name);
    if (error == COIR_OK && coir__unlikely(!coir__stack_reuse(&thread->leaving, opt, &f->stack)))
        error = coir__stack_take(thread, opt, &f->stack);
    if (coir__unlikely(error != COIR_OK))
        release_fiber(thread, f);
    else
        *out = f;
    return error;
}

static void prepare(coir_fiber *f, void (*entry)(void))
{
    coir__backend()->prepare(&f->context, &f->stack, entry);
}

/* With flags that say whose it is, and how it computes. */
COIR__NOINLINE static void adopt_unusual(struct coir__thread *thread, coir_fiber *f)
{
    if (f->flags & COIR_KEEP_FPENV)
        coir__careful_fpenv(&f->fpenv);
    if (!(f->flags & COIR_MOVABLE)) {
        coir__thread_adopt(thread, f);
        return;
    }
    f->special |= COIR__MOVABLE;
    f->owner = &coir__thread_any;
}

/* Makes a fiber with options that are valid. */
static COIR__FORCE_INLINE int make(struct coir__thread *thread, coir_fn *fn, void *arg, const coir_options *opt,
                                  coir_fiber **out)
{
    int error = allocate_fiber(thread, fn, arg, opt, out);
    coir_fiber *f;

    if (coir__unlikely(error != COIR_OK))
        return error;
    f = *out;
    f->serial = thread->next_serial++;
    prepare(f, coir__unlikely(coir__tools_follow) ? fiber_main_followed : coir__fiber_main);
    if (coir__unlikely(f->flags & (COIR_KEEP_FPENV | COIR_MOVABLE)))
        adopt_unusual(thread, f);
    else
        coir__thread_adopt(thread, f);
    return COIR_OK;
}

int coir__fiber_make(struct coir__thread *thread, const struct coir__keeper *keeper, coir_fn *fn, void *arg,
                     const coir_options *opt, coir_fiber **out)
{
    int error = opt != NULL ? check_options(opt) : COIR_OK;

    if (error == COIR_OK)
        error = make(thread, fn, arg, opt != NULL ? opt : &no_options, out);
    if (error != COIR_OK)
        return error;
    (*out)->special |= COIR__KEPT;
    (*out)->keeper = keeper;
    (*out)->created_by = NULL;
    return COIR_OK;
}

COIR__HOT int coir_create(coir_fiber **out, coir_fn *fn, void *arg, const coir_options *opt)
{
    struct coir__thread *thread;
    coir_fiber *f = NULL;
    int error;

    if (out == NULL || fn == NULL)
        return COIR_EINVAL;
    error = opt != NULL ? check_options(opt) : COIR_OK;
    if (error != COIR_OK)
        return error;
    if (opt == NULL)
        opt = &no_options;
    error = coir__thread_enter(&thread);
    if (coir__unlikely(error != COIR_OK))
        return error;
    error = make(thread, fn, arg, opt, &f);
    if (coir__unlikely(error != COIR_OK))
        return error;
    f->created_by = COIR__CALLER;
    *out = f;
    return COIR_OK;
}

/* The place in the thread's record for its stack is free. */
static inline void done(struct coir__thread *thread, coir_fiber *f)
{
    thread->leaving = f->stack;
    f->stack.source = COIR__STACK_NONE;
    coir__thread_drop(f);
    f->life = COIR__DONE;
}

void coir__fiber_done(struct coir__thread *thread, coir_fiber *f)
{
    done(thread, f);
}

/* The last of a fiber: nothing of it may be touched once its resumer runs. */
static inline void finish(struct coir__thread *thread, coir_fiber *f, void *result)
{
    int code = f->special & COIR__SUBSTITUTE ? COIR_SWITCHED : COIR_DONE;

    done(thread, f);
    *f->out = result;
    coir__leave_for_good(thread, f, code);
}

/* From here on the fiber cannot suspend, so the thread stays the same. */
COIR__NOINLINE static void end_unusual(struct coir__thread *thread, coir_fiber *f, void *result)
{
    f->special |= COIR__ENDING;
    if (f->deferred != NULL)
        coir__deferred_run(f);
    if (f->locals != NULL)
        coir__locals_destroy(f);
    coir__thread_reclaim(thread);
    if (f->special & COIR__KEPT)
        f->keeper->end(thread, f, result);
    else
        finish(thread, f, result);
}

/* Not inlined, since it reads the thread's record after the fiber's function may have switched. */
COIR__HOT void coir__fiber_end(coir_fiber *f, void *result)
{
    struct coir__thread *thread = coir__thread_here();

    if (coir__unlikely(f->deferred != NULL || f->locals != NULL || f->special != 0 ||
                       thread->leaving.source != COIR__STACK_NONE))
        end_unusual(thread, f, result);
    else
        finish(thread, f, result);
}

COIR__NOINLINE int coir_exit(void *result)
{
    coir_fiber *f = coir__thread_here()->current;

    if (f->special & COIR__ROOT)
        return COIR_ENOTFIBER;
    if (f->special & COIR__ENDING)
        return COIR_ECANCELED;
    if (f->special & COIR__HOST)
        return COIR_EBUSY;
    coir__fiber_unwind(f, result);
    return COIR_ECANCELED; /* not reached */
}

/* Ends a fiber that has never run. */
static void end_new(struct coir__thread *thread, coir_fiber *f)
{
    coir__stack_give(thread, &f->stack);
    coir__thread_drop(f);
    f->life = COIR__DONE;
}

COIR__NOINLINE int coir_cancel(coir_fiber *f, void **result)
{
    struct coir__thread *thread = coir__thread_here();
    int error;

    if (f == NULL)
        return COIR_EINVAL;
    error = coir__check_resumable(f, thread);
    if (error == COIR_OK)
        error = coir__thread_take_over(f, &thread);
    if (error != COIR_OK)
        return error;
    if (f->life == COIR__NEW) {
        end_new(thread, f);
        if (result != NULL)
            *result = NULL;
        return COIR_DONE;
    }
    f->resume_code = COIR_ECANCELED;
    return coir__enter(thread, f, NULL, result);
}

/* Is there room below the frames of a suspended fiber for its end? */
static bool has_room(const coir_fiber *f)
{
    if (f->stack.source == COIR__STACK_BACKEND)
        return true; /* it cannot begin anew */
    return (uintptr_t)f->context.saved - (uintptr_t)f->stack.low >= UNWINDING_SIZE;
}

/* Lets a fiber end by itself, on its own stack, from wherever it stands; or from the top of the stack, over its frames, if
 * nothing can be done for them. */
static void end_early(struct coir__thread *thread, coir_fiber *f, bool cut_short)
{
    f->in = &f->unwanted; /* not into a frame, which may be gone */
    if (cut_short || !has_room(f)) {
        coir__tools_stack_forget(&f->stack);
        prepare(f, end_cut_short);
    } else {
        coir__backend()->interrupt(&f->context, end_interrupted);
    }
    coir__enter(thread, f, NULL, NULL);
}

/* Does the caller stand on this fiber's stack? A thread that ends in pthread_exit may, with musl to its very end.
 * Where the backend makes the stacks, one that was stood on is the system's by then, and its place may be somebody
 * else's. */
static bool stands_on(const coir_fiber *f)
{
    volatile char here;

    if (f->stack.source == COIR__STACK_BACKEND)
        return false;
    return (uintptr_t)&here - (uintptr_t)f->stack.low < f->stack.size;
}

/* Makes a fiber DONE whose thread has ended: this thread takes it over first. It is in no list any more that anyone goes
 * through. */
static int end_orphan(coir_fiber *f)
{
    bool cut_short = coir__frames_lost(f);
    struct coir__thread *thread;
    int error;

    if (stands_on(f))
        return COIR_EBUSY;
    error = coir__thread_enter(&thread);
    if (error == COIR_OK && cut_short)
        error = coir__stack_renew(&f->stack);
    if (error != COIR_OK)
        return error;
    coir__thread_adopt(thread, f);
    if (f->life == COIR__NEW)
        end_new(thread, f);
    else
        end_early(thread, f, cut_short);
    return COIR_OK;
}

/* Makes `f` DONE, if this thread may. */
static int end(coir_fiber *f)
{
    struct coir__thread *thread = coir__thread_now();
    int error;

    if (f->owner->ended)
        return end_orphan(f);
    error = coir__thread_take_over(f, &thread);
    if (error != COIR_OK)
        return error;
    if (f->owner != thread)
        return COIR_ETHREAD;
    if (f->life != COIR__NEW && f->resumable_by == NULL)
        return COIR_EBUSY;
    if (f->life == COIR__NEW)
        end_new(thread, f);
    else
        end_early(thread, f, false);
    return COIR_OK;
}

COIR__NOINLINE int coir__fiber_destroy(coir_fiber *f)
{
    int error = f->life != COIR__DONE ? end(f) : COIR_OK;

    if (error == COIR_OK)
        release_fiber(coir__thread_now(), f);
    return error;
}

/* Frees a fiber that may have to end before, or that is none of the program's. */
COIR__NOINLINE static int destroy_unusual(coir_fiber *f)
{
    if (!(f->special & COIR__KEPT))
        return coir__fiber_destroy(f);
    return f->life != COIR__DONE && coir__is_elsewhere(f, coir__thread_now()) && !f->owner->ended ? COIR_ETHREAD : COIR_EBUSY;
}

COIR__HOT int coir_destroy(coir_fiber *f)
{
    if (f == NULL)
        return COIR_OK;
    if (coir__unlikely(f->life != COIR__DONE || (f->special & COIR__KEPT)))
        return destroy_unusual(f);
    release_fiber(coir__thread_here(), f);
    return COIR_OK;
}
