/* SPDX-License-Identifier: MIT */
/* thread_pointer.h (Windows) - the current thread's record, in a TlsAlloc slot.
 *
 * Not in a thread-local variable: those of mingw are looked up by a function that may allocate. The first 64 slots are
 * words of the thread's environment block (TEB), which the gs register points to on x86-64; the others lie in an array
 * that the TEB points to, if the thread has one. <winternl.h> declares both. They are read in place, without a call, for
 * whose sake resume, yield and switch would have to save registers. */

#ifndef COIR__THREAD_POINTER_H
#define COIR__THREAD_POINTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "likely.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

struct coir__thread;

extern struct coir__thread coir__no_thread;

/* Where the slot is: an offset in the TEB or, with the bit added, in the array; 0 while there is none. */
extern _Atomic(uintptr_t) coir__thread_slot;
#define COIR__SLOT_IN_ARRAY ((uintptr_t)1 << 16)

#if (defined(_MSC_VER) && defined(_M_X64)) || (defined(__GNUC__) && defined(__x86_64__))

#define COIR__TEB_SLOT_ARRAY 0x1780 /* TlsExpansionSlots */

#if defined(_MSC_VER)
static inline void *coir__teb_word(uintptr_t offset)
{
    return (void *)__readgsqword((unsigned long)offset);
}
#else
static inline void *coir__teb_word(uintptr_t offset)
{
    void *word;

    __asm__ volatile("movq %%gs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
}
#endif

static inline struct coir__thread *coir__thread_find(uintptr_t slot)
{
    char *array;

    if (coir__unlikely(slot == 0))
        return NULL;
    if (!coir__unlikely(slot & COIR__SLOT_IN_ARRAY))
        return coir__teb_word(slot);
    array = coir__teb_word(COIR__TEB_SLOT_ARRAY);
    return array != NULL ? *(struct coir__thread **)(void *)(array + (slot & ~COIR__SLOT_IN_ARRAY)) : NULL;
}

#else

/* os.c: by the system's function, on processors whose TEB is elsewhere. Keeps GetLastError. */
struct coir__thread *coir__thread_find(uintptr_t slot);

#endif

/* For functions that read it once, before any switch; all others call coir__thread_now. */
static inline struct coir__thread *coir__thread_here(void)
{
    struct coir__thread *thread = coir__thread_find(atomic_load_explicit(&coir__thread_slot, memory_order_relaxed));

    return thread != NULL ? thread : &coir__no_thread;
}

#endif
