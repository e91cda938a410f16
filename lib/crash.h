/* SPDX-License-Identifier: MIT */
/* crash.h - what happens when a fiber touches memory that is not there: the report (crash.c), and the seam to how the
 * system tells of it (posix/crash.c, win32/crash.c). */

#ifndef COIR__CRASH_H
#define COIR__CRASH_H

#include <stdbool.h>
#include <stdint.h>

struct coir__thread;

struct coir__fault {
    struct coir__thread *thread;
    uintptr_t address;
    bool is_overflow;  /* the system says so; else it is one if the address is in the guard */
    const void *state; /* where it happened: what the system tells the handler, for walk.h */
    bool has_room;     /* there is enough of a stack to walk another, and to find names */
};

/* crash.c: reports the fault if a fiber runs in its thread. */
void coir__crash_report(const struct coir__fault *fault);

/* Installs the handlers, once: COIR_OK or COIR_ENOTSUP. Under the lock. */
int coir__crash_install(void);

/* Gives the calling thread, whose record this is, what its faults need in order to be handled: COIR_OK or COIR_ENOMEM;
 * and takes it away. */
int coir__crash_enter_thread(struct coir__thread *thread);
void coir__crash_leave_thread(struct coir__thread *thread);

/* crash.c: the same, but only if the handlers are installed. */
int coir__crash_new_thread(struct coir__thread *thread);

#endif
