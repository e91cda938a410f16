/* SPDX-License-Identifier: MIT */
/* winfiber.h - what backend_winfiber.c and its switches know of a side that does not run. Assembly includes it too. */

#ifndef COIR__WINFIBER_H
#define COIR__WINFIBER_H

/* Offsets of the structure below on 64-bit Windows. */
#define SUSPENDED_FIBER 0
#define SUSPENDED_FUNCTION 8
#define SUSPENDED_RESULT 16
#define SUSPENDED_SIZE 24

#define CONTEXT_SAVED 0

#ifndef __ASSEMBLER__

#include "backend.h"

/* What `saved` of a context points to. It lies in the frame of the switch that left. */
struct coir__suspended {
    void *fiber;            /* the system's */
    void (*function)(void); /* where to continue instead, or NULL */
    int result;             /* what the switch that left is to return */
};

/* Set before the first switch: the process has a shadow stack, so that a switch must leave by `ret`. */
extern bool coir__winfiber_returns;

/* In C (switch_winfiber.c), or in assembly for a processor. */
coir__switch_fn coir__winfiber_switch_in, coir__winfiber_switch_out, coir__winfiber_switch_over,
    coir__winfiber_switch_across;

#endif

#endif
