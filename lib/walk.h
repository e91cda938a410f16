/* SPDX-License-Identifier: MIT */
/* walk.h - the seam to what walks a stack, frame by frame, and knows the names of what is at an address. Filled in for
 * libunwind (posix/walk.c) and Windows (win32/walk.c); walk_none.c stands where there is no walker. What it needs of a
 * side that does not run comes from the backend (`registers`), in the form of registers.h.
 *
 * Nothing here allocates, or takes the library's lock; all of it is called when a program has crashed. */

#ifndef COIR__WALK_H
#define COIR__WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coir__context;

struct coir__frame {
    uintptr_t pc;
    bool exact; /* it is the next instruction that runs; else the one that a call returns to, which may already belong
                   to another function */
};

/* Is told of each frame, the innermost first. False: that is enough. */
typedef bool coir__visit_fn(const struct coir__frame *frame, void *arg);

/* Where a walk ends, before this frame: in one of these functions, or at this very pc. NULL: there is none. */
struct coir__walk_end {
    uintptr_t functions[2];
    uintptr_t pc;
};

/* Is there a walker in this build? If not, the next three visit nothing. */
bool coir__can_walk(void);

/* Walks the caller's stack, from this function on; that of a side which is suspended; and one that a signal or an
 * exception has interrupted, of which `state` is what the system tells its handler. */
void coir__walk_here(const struct coir__walk_end *end, coir__visit_fn *visit, void *arg);
void coir__walk_suspended(const struct coir__context *context, const struct coir__walk_end *end, coir__visit_fn *visit,
                          void *arg);
void coir__walk_interrupted(const void *state, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg);

/* The stack pointer there; 0 if it is not known. */
uintptr_t coir__walk_stack_pointer(const void *state);

/* The function that the frame is in: its name, as much of it as fits, and how far into it the pc is. False: not
 * known. */
bool coir__name_function(const struct coir__frame *frame, char *name, size_t size, uintptr_t *offset);

/* module.c: the file that the code at `pc` was loaded from, and where it is in there as addr2line counts. False: not
 * known. A name that is not constant is written to `buffer`. */
bool coir__name_module(uintptr_t pc, char *buffer, size_t size, const char **name, uintptr_t *offset);

#endif
