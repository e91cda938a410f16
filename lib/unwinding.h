/* SPDX-License-Identifier: MIT */
/* unwinding.h - the seam to the compiler's runtime: unwinds the frames of a fiber that ends before its time.
 *
 * unwinding.c fills it in where there is that runtime (libgcc's or LLVM's unwinder), unwinding_none.c elsewhere. A fiber's
 * first function has a variable of type struct coir__unwinding with a cleanup attribute: so an unwinding, ours as well as
 * that of pthread_exit, ends in a function of ours, with all frames below gone. */

#ifndef COIR__UNWINDING_H
#define COIR__UNWINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coir/fiber.h>

#ifdef COIR_UNWINDS
#define COIR__UNWINDING_ARRIVES __attribute__((cleanup(coir__unwinding_arrived)))
#else
#define COIR__UNWINDING_ARRIVES
#endif

struct coir__unwinding {
    _Alignas(16) uintptr_t exception[8]; /* the runtime's struct _Unwind_Exception, which must not lie among the frames that
                                            are unwound */
    coir_fn *fn;        /* what the frame has called */
    coir_fiber *fiber;
    void *result;       /* what the fiber ends with */
    uintptr_t in_flight; /* how many exceptions were, before */
    unsigned swallowed; /* how often the program's code has caught it and gone on; read by nobody before the first */
    bool begun;
};

/* Must be called in the fiber's first function, which will call `fn`. */
static inline void coir__unwinding_prepare(struct coir__unwinding *unwinding, coir_fn *fn)
{
    unwinding->fn = fn;
    unwinding->begun = false;
}

/* Unwinds the caller's frames up to the one that `unwinding` is in, where COIR__UNWINDING_ARRIVES has
 * coir__unwinding_arrived called. Returns only if there is nothing that could unwind. */
void coir__unwind(struct coir__unwinding *unwinding);

/* ---- what it calls, in fiber.c ---- */

/* The frame that `unwinding` is in is being unwound: by coir__unwind, and then it does not return; or by somebody else. */
void coir__unwinding_arrived(struct coir__unwinding *unwinding);

/* The next frame is to be unwound. */
void coir__unwinding_steps(struct coir__unwinding *unwinding);

/* It has come to a frame that it cannot unwind. Does not return. */
void coir__unwinding_stopped(struct coir__unwinding *unwinding);

/* The program's code has caught it, and goes on. */
void coir__unwinding_swallowed(struct coir__unwinding *unwinding);

#endif
