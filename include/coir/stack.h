/* SPDX-License-Identifier: MIT */
/* coir/stack.h - the stacks of fibers: sizes, how much was used, giving memory back, the program's own allocator.
 *
 * Stacks are address space first: a page becomes memory when it is touched, so a fiber that calls little costs one page
 * (4 KiB on x86-64; on ucontext, whose records are large, up to two) however large its stack is. They are carved out of
 * large mappings. On POSIX below each lies a guard, an inaccessible page: a stack that overflows ends the program with
 * SIGSEGV instead of writing into its neighbour. On Linux 6.13 and later guards are made by madvise(MADV_GUARD_INSTALL)
 * and cost no mapping; before that by mprotect, and each costs two of the mappings that vm.max_map_count (usually
 * 65530) allows. A frame larger than a page can step over a guard: compile with -fstack-clash-protection.
 *
 * The stack of a fiber that has ended goes to a pool of its thread, and from there to the next coir_create. A pool
 * keeps up to 256 stacks of a size as they are; what comes above is cleared of its memory, and mappings that hold no
 * stack in use are given back to the system.
 *
 * On Windows stacks grow as a thread's does: 8 KiB are committed at first, the page below is a guard page
 * (PAGE_GUARD), and touching it commits it and moves the guard down. 36 KiB of address space below each stack belong
 * to the handling of an overflow, which raises EXCEPTION_STACK_OVERFLOW. What is left to handlers then is what
 * SetThreadStackGuarantee asked for: each fiber has a guarantee of its own, which starts as its creator's or 16 KiB;
 * what is above that is taken from the fiber's stack. A fiber that has overflowed may end, and its stack is used
 * again; _resetstkoflw does nothing useful in it. On the Windows Fibers backend the system makes a stack with each
 * fiber and takes it back when the fiber is destroyed, so there is no pool: coir_create takes microseconds there. It
 * rounds sizes as it likes. */

#ifndef COIR_STACK_H
#define COIR_STACK_H

#include <stddef.h>

#include <coir/api.h>
#include <coir/error.h>
#include <coir/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The smallest stack, in bytes: what the kernel writes for a signal (AT_MINSIGSTKSZ of getauxval(3), MINSIGSTKSZ
 * where the kernel does not tell; it depends on the processor), or for an exception on Windows (a CONTEXT with all
 * that InitializeContext counts, and 8 KiB for its dispatcher); what the backend itself takes (under 400 bytes in
 * assembly, two ucontext_t and 300 bytes on ucontext, 1 KiB on Windows Fibers); and 4096 bytes to work with; rounded
 * up to pages. Picks the backend as coir_backend_name does. */
COIR_API size_t coir_stack_min(void);

/* The size of a stack for which the options give none: 256 KiB, or coir_stack_min() if that is more. */
COIR_API size_t coir_stack_default(void);

/* The lowest address and the size in bytes of f's stack, without the guard: all of what the fiber's frames, and the
 * library's records for it, can lie in. Either pointer may be NULL. `f` may be NULL for the current fiber. It may be
 * called by any thread on the terms of coir_fiber_state. On Windows the handling of an overflow goes on below: in up to
 * 32 KiB, which belong to the stack too (GetCurrentThreadStackLimits tells of them).
 * COIR_ENOTFIBER: `f` is NULL outside of any fiber. COIR_EDEAD: it has ended and has no stack. */
COIR_API int coir_stack_bounds(const coir_fiber *f, void **low, size_t *size);

/* The high-water mark: how many bytes of f's stack, from its top down to the lowest page ever touched, have been in
 * use. Counted in whole pages, through mincore(2) or QueryWorkingSetEx, so a page that was swapped out at the deep end
 * is missed. A stack from the pool may show the depth of an earlier fiber, and memory of the caller's own what was
 * touched there before. `f` may be NULL for the current fiber.
 *
 * COIR_EINVAL: `used` is NULL. COIR_ENOTFIBER, COIR_EDEAD: as above. COIR_ENOTSUP: the system does not tell. */
COIR_API int coir_stack_used(const coir_fiber *f, size_t *used);

/* Gives back what is not in use: of each size, stacks above `keep` leave the calling thread's pool, their memory is
 * returned to the system, and mappings that hold no stack in use are unmapped. What other threads pool stays with them
 * until they trim or end. With glibc, unless coir_set_allocator has set another allocator, it also calls malloc_trim(3) if
 * the thread has destroyed thousands of fibers since it last did: their records, destroyed in any order, would else stay
 * with the process. Always COIR_OK. */
COIR_API int coir_pool_trim(size_t keep);

/* The program's own functions for memory. A pair that is NULL stays the library's. `context` is given to all of them.
 * They may be called by any thread that uses fibers, several at once, and must not call functions of this library. */
typedef struct coir_allocator {
    /* Memory for a stack, `size` bytes (a multiple of the page size), aligned to 16, all of it readable and
     * writable; NULL for none left. The library neither guards nor pools it: COIR_NO_GUARD has no meaning then. On
     * the Windows Fibers backend, where the system makes the stacks, coir_create is COIR_ENOTSUP with such an
     * allocator. release comes after the fiber has ended: when its thread next destroys a fiber, ends another,
     * trims, or exits; never from the stack itself. */
    void *(*stack_allocate)(size_t size, void *context);
    void (*stack_release)(void *stack, size_t size, void *context);
    /* Memory for everything else (fibers, names, deferred calls, keys' values, a thread's record, generators, executors,
     * tasks, channels and so on; and what coir_exec_post notes, in the thread that calls it), aligned as malloc would;
     * NULL for none left. */
    void *(*allocate)(size_t size, void *context);
    void (*release)(void *memory, size_t size, void *context);
    void *context;
    void *reserved[3]; /* must be zero */
} coir_allocator;

/* Makes the library use `allocator` from now on; the structure is copied. To be called before the first fiber is
 * created, while no other thread uses the library. NULL for the library's own.
 *
 * COIR_EINVAL: half a pair is given, or a reserved member is not zero. COIR_EBUSY: fibers have been created, or
 * coir_allocate was called;
 * it may be so too after a coir_create that failed for want of memory. */
COIR_API int coir_set_allocator(const coir_allocator *allocator);

/* Memory from where the library has its own, which is not for stacks: for libraries that are built on this one. As malloc
 * would give it, and NULL for none left. It is released with the size that it was allocated with; NULL does nothing. Any
 * thread may call these. After the first, coir_set_allocator is COIR_EBUSY. */
COIR_API void *coir_allocate(size_t size);
COIR_API void coir_release(void *memory, size_t size);

#ifdef __cplusplus
}
#endif

#endif
