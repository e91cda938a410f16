/* SPDX-License-Identifier: MIT */
/* control.h - registers of x86-64 that are no business of a calling convention: floating-point control, and the shadow
 * stack's pointer. What the backends of all systems on this processor share. */

#ifndef COIR__X86_64_CONTROL_H
#define COIR__X86_64_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "backend.h"

/* Does the process have a shadow stack? rdsspq leaves rax alone where there is none, and is a nop to processors that do
 * not know it. By its bytes, for assemblers that do not. */
static inline bool coir__has_shadow_stack(void)
{
    uint64_t shadow_stack = 0;

    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(shadow_stack)); /* rdsspq %rax */
    return shadow_stack != 0;
}

/* MXCSR's exception flags, which no ABI preserves; the rest of it is control. */
#define COIR__MXCSR_FLAGS 0x3fu

static inline void coir__fpenv_read(struct coir__fpenv *out)
{
    uint16_t x87 = 0; /* that the instructions write both, MemorySanitizer does not see */
    uint32_t mxcsr = 0;

    __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(mxcsr));
    out->word[0] = x87;
    out->word[1] = mxcsr & ~COIR__MXCSR_FLAGS;
}

/* Comparing first, since loading either register is many times as slow as reading it. */
static inline void coir__fpenv_load(const struct coir__fpenv *fpenv)
{
    uint16_t x87 = 0; /* that the instructions write both, MemorySanitizer does not see */
    uint32_t mxcsr = 0;

    __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(mxcsr));
    if (x87 != fpenv->word[0]) {
        x87 = (uint16_t)fpenv->word[0];
        __asm__ volatile("fldcw %0" : : "m"(x87));
    }
    if ((mxcsr & ~COIR__MXCSR_FLAGS) != fpenv->word[1]) {
        mxcsr = (mxcsr & COIR__MXCSR_FLAGS) | fpenv->word[1];
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    }
}

#endif
