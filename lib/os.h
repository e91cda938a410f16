/* SPDX-License-Identifier: MIT */
/* os.h - the seam to the operating system, but for memory (pages.h), the machine (backend.h) and
 * waiting (event.h).
 *
 * The current thread's record is part of this seam, but it is read in the hot path and so lives in a header that each
 * platform has under the same name: thread_pointer.h. */

#ifndef COIR__OS_H
#define COIR__OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coir__thread;

/* Sets up what the other calls need, the first time: COIR_OK or COIR_ENOMEM. Any thread, any number of times. */
int coir__os_start(void);

/* The one lock of the library. It guards what threads share: the choice of backend, the slabs, the keys, the list of
 * threads. It is never held while code of the program runs nor over a switch. A fork takes it, so that the child finds
 * what it guards whole. */
void coir__lock(void);
void coir__unlock(void);

/* Makes `thread` the record of the calling thread, and has coir__thread_exit called with it when that thread ends:
 * COIR_OK or COIR_ENOMEM. NULL takes it away again, and cannot fail. */
int coir__os_set_thread(struct coir__thread *thread);

/* The system's monotonic clock, in nanoseconds. */
int64_t coir__os_now(void);

/* Gives memory back to the system that malloc holds and nobody uses, where the system has a call for it. */
void coir__os_trim_heap(void);

/* Writes to a file descriptor, on Windows to one of the C runtime's. What it does not take is lost. */
void coir__os_write(int fd, const char *text, size_t size);

/* The environment's value, or NULL; always NULL where the program runs with rights that its user does not have. */
const char *coir__os_getenv(const char *name);

#endif
