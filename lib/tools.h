/* SPDX-License-Identifier: MIT */
/* tools.h - the seam to memory checkers: notices of what they could not see by themselves; nothing where there are
 * none. */

#ifndef COIR__TOOLS_H
#define COIR__TOOLS_H

#include <stddef.h>
#include <stdint.h>

/* This memory is a stack from now on: a number that names it to the next call. Else a checker would take a switch
 * between stacks that lie close together for a very large frame, and what lies between for dead. */
uint32_t coir__tools_stack_begin(void *low, size_t size);

/* And no longer, or for now. Frames that never returned may be left on it, and what a checker noted about their locals
 * is to be forgotten. */
void coir__tools_stack_end(void *low, size_t size, uint32_t number);

#endif
