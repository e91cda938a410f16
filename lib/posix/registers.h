/* SPDX-License-Identifier: MIT */
/* registers.h (POSIX) - the registers of a side that does not run, as a signal's handler would get them. libunwind
 * walks from there; configure has seen that its own type is the same. */

#ifndef COIR__REGISTERS_H
#define COIR__REGISTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

struct coir__registers {
    ucontext_t ucontext;
};

/* The rest is as it was. Each processor's structure has its own names. */
static inline void coir__registers_set_pc(struct coir__registers *registers, uintptr_t pc)
{
#if defined(__x86_64__)
    registers->ucontext.uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
#elif defined(__i386__)
    registers->ucontext.uc_mcontext.gregs[REG_EIP] = (greg_t)pc;
#elif defined(__aarch64__)
    registers->ucontext.uc_mcontext.pc = pc;
#elif defined(__riscv)
    registers->ucontext.uc_mcontext.__gregs[REG_PC] = pc;
#else
#error "configure takes the walker only where this is known"
#endif
}

/* Undoes a call whose function has not run an instruction: can it be told how? */
static inline bool coir__registers_return(struct coir__registers *registers)
{
#if defined(__x86_64__)
    greg_t *words = registers->ucontext.uc_mcontext.gregs;

    memcpy(&words[REG_RIP], (const void *)(uintptr_t)words[REG_RSP], sizeof words[REG_RIP]);
    words[REG_RSP] += 8;
    return true;
#else
    (void)registers;
    return false;
#endif
}

#endif
