/* SPDX-License-Identifier: MIT */
/* thread_pointer.h (POSIX) - the current thread's record: a thread-local pointer that is never NULL. */

#ifndef COIR__THREAD_POINTER_H
#define COIR__THREAD_POINTER_H

struct coir__thread;

/* COIR_TLS_MODEL, from configure, is the initial-exec model where the system allows it in a library that dlopen brings:
 * one load instead of a call of __tls_get_addr in each resume. */
extern _Thread_local struct coir__thread *coir__thread_pointer COIR_TLS_MODEL;

/* For functions that read it once, before any switch; all others call coir__thread_now. */
static inline struct coir__thread *coir__thread_here(void)
{
    return coir__thread_pointer;
}

#endif
