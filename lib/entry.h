/* SPDX-License-Identifier: MIT */
/* entry.h - the public functions that change fibers, where a backend has them in assembly as well.
 *
 * There the assembly has the public names, does the usual case whole, and leaves every other one to these, which can do
 * all of them: they say what is to be done. Elsewhere these have the public names themselves. */

#ifndef COIR__ENTRY_H
#define COIR__ENTRY_H

#include <coir/fiber.h>
#include <coir/gen.h>

struct coir__thread;

/* switch.c: what a resume does of a fiber that is not suspended in this thread, whose record is `thread`. */
int coir__resume_unusual(coir_fiber *f, void *value, void **result, struct coir__thread *thread);

#ifdef COIR_ASSEMBLY_ENTRIES
#define COIR__ENTRY(name) coir__##name
int coir__resume(coir_fiber *f, void *value, void **result);
int coir__yield(void *value, void **result);
int coir__gen_next(coir_gen *g, void *item);
int coir__gen_yield(coir_gen *g, const void *item);
#else
#define COIR__ENTRY(name) coir_##name
#endif

#endif
