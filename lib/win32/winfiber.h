/* SPDX-License-Identifier: MIT */
/* winfiber.h - what backend_winfiber.c and its switches know of a side that does not run. Assembly includes it too. */

#ifndef COIR__WINFIBER_H
#define COIR__WINFIBER_H

/* Offsets of the structure below on 64-bit Windows. */
#define SUSPENDED_FIBER 0
#define SUSPENDED_FUNCTION 8
#define SUSPENDED_RESULT 16
#define SUSPENDED_CONTEXT 24
#define SUSPENDED_RBX 32
#define SUSPENDED_RBP 40
#define SUSPENDED_RSI 48
#define SUSPENDED_RDI 56
#define SUSPENDED_R12 64
#define SUSPENDED_R13 72
#define SUSPENDED_R14 80
#define SUSPENDED_R15 88
#define SUSPENDED_SIZE 104 /* so that the stack stays aligned to 16 bytes in the switch */

#define CONTEXT_SAVED 0

#ifndef __ASSEMBLER__

#include <stdint.h>

#include "backend.h"

struct _CONTEXT; /* the system's */

/* What `saved` of a context points to. It lies in the frame of the switch that left. */
struct coir__suspended {
    void *fiber;            /* the system's */
    void (*function)(void); /* where to continue instead, or NULL */
    int result;             /* what the switch that left is to return */

    /* For walks of the stack, since nobody knows where SwitchToFiber keeps these: all registers, of the switch itself; or,
     * with NULL, those that a function preserves (rbx, rbp, rsi, rdi, r12 to r15), which the return address follows. */
    const struct _CONTEXT *context;
    uint64_t preserved[8];
    uint64_t unused;
};

/* Set before the first switch: the process has a shadow stack, so that a switch must leave by `ret`. */
extern bool coir__winfiber_returns;

/* In C (switch_winfiber.c), or in assembly for a processor. */
coir__switch_fn coir__winfiber_switch_in, coir__winfiber_switch_out, coir__winfiber_switch_over,
    coir__winfiber_switch_across;

#endif

#endif
