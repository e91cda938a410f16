/* SPDX-License-Identifier: MIT */
/* entries_x86_64_sysv.h - where the fields lie that entries_x86_64_sysv.S touches, and the values that it knows.
 * backend_x86_64_sysv.c compares them with the structures. Nothing but numbers, like x86_64_sysv.h. */

#ifndef COIR__ENTRIES_X86_64_SYSV_H
#define COIR__ENTRIES_X86_64_SYSV_H

#define THREAD_CURRENT 0
#define THREAD_WATCHED 8

#define EXCEPTIONS_CAUGHT 0
#define EXCEPTIONS_IN_FLIGHT 8

#define FIBER_RESUMABLE_BY 16
#define FIBER_RESUMER 24
#define FIBER_IN 32
#define FIBER_OUT 40
#define FIBER_UNWANTED 48
#define FIBER_RESUME_CODE 56
#define FIBER_SPECIAL 60

#define GEN_FIBER 0
#define GEN_ITEM 8
#define GEN_ITEM_SIZE 16

#define SPECIAL_OF_GENERATOR 0x4e    /* COIR__ENDING, COIR__UNWOUND, COIR__MOVABLE, COIR__HOST */
#define YIELDED 1
#define KEPT_BY 1                    /* what coir__kept_by adds to a thread's address */

#endif
