/* SPDX-License-Identifier: MIT */
/* exceptions.h - the record of C++ exceptions, of which each fiber has one of its own.
 *
 * The C++ runtime keeps one for each thread. Here the record of a side that does not run lies in its fiber, and switches
 * exchange the two; but as long as no switch was ever made with a record that is not empty, there is nothing to exchange,
 * and all that a switch does is to look at the thread's (coir__route_in of backend.h, and the entries in assembly). From the
 * first time that it is not empty all changes of fiber take the routines of careful.c, for good.
 *
 * This look is the one that all else uses that may be asked for, too: who wants all changes of fiber to be careful has
 * the threads look at a record that is never empty. */

#ifndef COIR__EXCEPTIONS_H
#define COIR__EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct coir__thread;

/* __cxa_eh_globals of the Itanium C++ ABI, exception handling, 2.2.2, as libstdc++ and libc++abi have it on all targets but
 * 32-bit ARM. Its second member is an unsigned int; with 64-bit pointers padding follows, which is zero. */
struct coir__exceptions {
    void *caught;        /* the exceptions that are being handled, a list */
    uintptr_t in_flight; /* how many are thrown and not yet caught */
};

/* The record of threads in processes without a C++ runtime: always empty. */
extern struct coir__exceptions coir__no_exceptions;

static inline bool coir__exceptions_empty(const struct coir__exceptions *record)
{
    return ((uintptr_t)record->caught | record->in_flight) == 0;
}

/* Of a thread that is about to have its first fiber: looks for a C++ runtime, and for the thread's record in it. */
void coir__exceptions_enter(struct coir__thread *thread);

/* Looks for a C++ runtime that has come since. */
void coir__exceptions_look(void);

/* The current thread's record; it may be that the runtime has come since the last look at it. */
struct coir__exceptions *coir__exceptions_of(struct coir__thread *thread);

/* ---- the seam: lib/posix/cxx_runtime.c, lib/win32/cxx_runtime.c ---- */

typedef void *coir__get_globals(void);

/* __cxa_get_globals of the process's C++ runtime, or NULL if none is loaded. */
coir__get_globals *coir__cxx_runtime_find(void);

/* Sees to it that the library which that function is in is not unloaded. */
void coir__cxx_runtime_keep(coir__get_globals *function);

#endif
