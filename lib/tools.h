/* SPDX-License-Identifier: MIT */
/* tools.h - the seam to memory checkers and sanitizers: notices of what they could not see by themselves; nothing where
 * there are none.
 *
 * The library is built without any of them. Whether the program was is found out when the first fiber is made, by the
 * functions that a sanitizer's runtime brings. */

#ifndef COIR__TOOLS_H
#define COIR__TOOLS_H

#include <stdbool.h>

#include "stack.h"

/* Is there a sanitizer that wants to be told of each switch? Then all go through careful.c. */
extern bool coir__tools_follow;

/* Finds out. */
void coir__tools_start(void);

/* This is a stack from now on, on which a fiber will start. Else a checker would take a switch between stacks that lie
 * close together for a very large frame, and what lies between for dead; and would not look for pointers in it. */
void coir__tools_stack_begin(struct coir__stack *stack);

/* And no longer, or for now. Frames that never returned may be left on it, and what a checker noted about their locals
 * is to be forgotten. */
void coir__tools_stack_end(struct coir__stack *stack);

/* Nobody will go on with the frames that are on a stack; what comes next starts at its top. */
void coir__tools_stack_forget(const struct coir__stack *stack);

/* The frames of the current fiber are about to be unwound. */
void coir__tools_unwind(void);

/* What this thread has written is to be seen by the one that calls observe with the same address afterwards: where the library
 * sees to that by an atomic variable, which no tool knows of that has not instrumented the library. */
void coir__tools_publish(void *address);
void coir__tools_observe(void *address);

/* ---- only if coir__tools_follow ---- */

/* The switch that comes next goes from one stack to another, of which `low` and `size` are known. A thread's own has them
 * here too: coir__tools_arrive has written them. For good: the fiber has ended. */
void coir__tools_leave(struct coir__stack *from, struct coir__stack *to);
void coir__tools_leave_for_good(struct coir__stack *from, struct coir__stack *to);

/* The switch is over. What is known of the bounds of the stack that it came from is written to `left` unless that is
 * NULL. */
void coir__tools_arrive(struct coir__stack *here, struct coir__stack *left);

/* A thread ends, whose own stack is this. */
void coir__tools_thread_end(struct coir__stack *stack);

#endif
