/* SPDX-License-Identifier: MIT */
/* fiber.h - what a fiber is inside, and the calls between the files of the fiber layer. */

#ifndef COIR__FIBER_H
#define COIR__FIBER_H

#include <stdint.h>

#include <coir/fiber.h>

#include "backend.h"
#include "exceptions.h"
#include "stack.h"

struct coir__thread;
struct coir__deferred;
struct coir__local;
struct coir__unwinding;

/* How far a fiber has got. Whether a started one is suspended, runs or waits follows from `resumable_by` and the
 * thread. */
enum coir__life {
    COIR__NEW,
    COIR__STARTED,
    COIR__CUT_SHORT, /* its thread has ended in its midst, or is about to; or it never ran, and its task is abandoned: its
                        frames are no more. coir__cut_short tells the rest */
    COIR__DONE
};

/* Why a fiber's yield or switch must take the slow path. In the low byte, why a generator's must. */
enum coir__special {
    COIR__ROOT = 1,       /* no fiber: it stands for the thread */
    COIR__ENDING = 2,     /* is being unwound, or runs deferred functions or destructors of keys */
    COIR__UNWOUND = 4,    /* its frames are being unwound; without COIR__ENDING: they were, but the program's code swallowed
                             that, and the next suspension does it again */
    COIR__MOVABLE = 8,    /* COIR_MOVABLE: it leaves its thread when it suspends */
    COIR__HOST = 64,      /* runs an executor, which calls the program: must not suspend under it */
    COIR__SUBSTITUTE = 0x100, /* took the place of `stands_for` by coir_switch */
    COIR__DESTRUCTING = 0x200, /* runs destructors of keys: too late to defer anything */
    COIR__KEPT = 0x400, /* part of a construct (generator, task): only its keeper may continue or end it */
    COIR__TASK = 0x800  /* root of a task, or an executor's own: the last of the chain that waits as one */
};

/* What a construct that is built on a fiber has to say about it. */
struct coir__keeper {
    int yield_error; /* what coir_yield and coir_switch give when they are called in the fiber */

    /* The end of the fiber, when all that it deferred has run: calls coir__fiber_done, hands over, and leaves for good. */
    void (*end)(struct coir__thread *thread, coir_fiber *f, void *result);

    /* Of the root of a task: is `f`, which neither runs nor is suspended, what the task will continue in? */
    bool (*waits)(const coir_fiber *root, const coir_fiber *f);
};

struct coir_fiber {
    /* The fields that resume, yield and switch touch: 64 bytes. */
    struct coir__context context;
    struct coir__thread *resumable_by; /* the thread whose resume may continue it right now; else NULL. So one compare
                                          finds that it is suspended, alive and at home */
    struct coir_fiber *resumer;        /* who waits in coir_resume for it, while it runs or has resumed another */
    void **in;                         /* where its yield wants the next resume's value */
    void **out;                        /* where its resumer wants the next yield's value */
    void *unwanted;                    /* where those pointers lead when nobody wants the value */
    int resume_code;                   /* what its yields return: COIR_OK, or COIR_ECANCELED from a cancel on */
    uint16_t special;                  /* enum coir__special, or-ed */
    uint8_t life;                      /* enum coir__life */
    uint8_t flags;                     /* the options' */

    uint64_t serial;               /* no other fiber of the process has it, before or after */
    uint64_t stands_for;           /* with COIR__SUBSTITUTE: the serial of the fiber whose resume waits. Not its address,
                                      which a new fiber may have once it is destroyed */
    struct coir__thread *owner;    /* whose thread it is; coir__thread_any while it is movable and does not run */
    struct coir_fiber *next;       /* in its owner's list of live fibers */
    struct coir_fiber *previous;
    union {
        coir_fn *fn;                        /* until it starts */
        struct coir__unwinding *unwinding;  /* from then on: in its first frame */
    };
    void *arg;
    const struct coir__keeper *keeper; /* with COIR__KEPT; `arg` is then the construct's */
    char *name; /* its copy, or NULL */
    void *data;
    struct coir__stack stack; /* none of its words across cache lines, as `leaving` of thread.h */
    struct coir__deferred *deferred; /* what was deferred last */
    struct coir__local *locals;      /* values under keys, `local_count` of them */
    struct coir__exceptions exceptions; /* while it does not run */
    const void *created_by;        /* where in the program: what the call of coir_create or the like returns to; or NULL */
    unsigned local_count;
    struct coir__fpenv fpenv;       /* with COIR_KEEP_FPENV, while it does not run: its own */
    struct coir__fpenv outer_fpenv; /* and while it runs: its resumer's */
};

/* What `resumable_by` of a suspended fiber is that only its keeper may continue: not NULL, and no thread. */
static inline struct coir__thread *coir__kept_by(const struct coir__thread *thread)
{
    return (struct coir__thread *)((uintptr_t)thread | 1);
}

/* fiber.c: makes a fiber, not yet known to the program, for a keeper or for NULL; the rest as coir_create. */
int coir__fiber_make(struct coir__thread *thread, const struct coir__keeper *keeper, coir_fn *fn, void *arg,
                     const coir_options *opt, coir_fiber **out);

/* fiber.c: the first function on every fiber's stack. */
void coir__fiber_main(void);

/* fiber.c: destroys a fiber for its keeper; the rest as coir_destroy. */
int coir__fiber_destroy(coir_fiber *f);

/* fiber.c: the fiber has ended, but for the last switch off its stack. */
void coir__fiber_done(struct coir__thread *thread, coir_fiber *f);

/* fiber.c: unwinds the frames of the current fiber and ends it; the place to which all early ends lead. Does not return. */
void coir__fiber_unwind(coir_fiber *f, void *result);

/* fiber.c: for one that may not suspend, as COIR__UNWOUND says, since its end was swallowed: does the same once more. */
static inline bool coir__must_unwind_again(const coir_fiber *f)
{
    return (f->special & (COIR__UNWOUND | COIR__ENDING)) == COIR__UNWOUND;
}
void coir__fiber_unwind_again(coir_fiber *f);

/* fiber.c: ends the current fiber, from wherever it is called. Does not return. It is not declared so, like the others on
 * this way: compilers take calls that do not return for rare, and would set the way that each fiber ends apart. */
void coir__fiber_end(coir_fiber *f, void *result);

/* switch.c: why `f` cannot be resumed by this thread, or COIR_OK if it can. */
int coir__check_resumable(const coir_fiber *f, const struct coir__thread *thread);

/* switch.c: continues `f`, new or suspended, whatever it is marked as; the rest as coir_resume. */
int coir__enter(struct coir__thread *thread, coir_fiber *f, void *value, void **result);

/* switch.c: suspends the current fiber `f`, a kept one, and makes its resumer's call return `code`. */
int coir__leave(struct coir__thread *thread, coir_fiber *f, int code);

/* defer.c, local.c: run, and forget, what the current fiber has deferred and the destructors of its keys. */
void coir__deferred_run(coir_fiber *f);
void coir__locals_destroy(coir_fiber *f);

/* careful.c: from now on all changes of fiber look for records of exceptions that were left. */
void coir__careful_exceptions(void);

/* careful.c: to be called by what runs first in a fiber, or in place of what a switch would return to, if
 * coir__tools_follow. */
void coir__careful_arrive(void);

/* careful.c: reads the floating-point control that a fiber of its own will start with. From now on every change of
 * fiber looks after it. */
void coir__careful_fpenv(struct coir__fpenv *out);

#endif
