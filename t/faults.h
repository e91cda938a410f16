/* SPDX-License-Identifier: MIT */
/* faults.h - which of the library's calls are to fail. Filled in by faults_posix.c and faults_win32.c, to whose
 * functions the linker leads these calls (--wrap). */

#ifndef FAULTS_H
#define FAULTS_H

#include <stddef.h>

enum call {
    MALLOC,
    MAP,        /* mmap, or VirtualAlloc that reserves */
    RESIDENT,   /* mincore, or QueryWorkingSetEx */
    KEY_CREATE, /* pthread_key_create, or TlsAlloc */
    KEY_SET,    /* pthread_setspecific, or TlsSetValue */
    /* POSIX */
    MADVISE,
    MPROTECT,
    ATFORK,
    EVENT, /* pthread_mutex_init, pthread_condattr_setclock, pthread_cond_init */
    ALTERNATE_STACK, /* sigaltstack that sets one */
    HANDLER,         /* sigaction for a fault, with a handler */
    /* Windows */
    COMMIT,       /* VirtualAlloc that commits */
    CONVERT,      /* ConvertThreadToFiberEx */
    CREATE_FIBER, /* CreateFiberEx */
    CALLS
};

struct faults {
    long countdown;     /* the call that brings it to zero fails; negative: none does */
    unsigned always;    /* a bit for each kind of call that always fails */
    long counts[CALLS]; /* calls made */
    long memory;        /* blocks allocated and not freed */
    size_t mapped;      /* bytes mapped and not unmapped, or fibers of the system that were not deleted */
    size_t map_limit;   /* no mapping may be larger, if it is not zero */
    size_t largest_mapping;
};
extern struct faults faults;

/* Notes a call, and tells whether it is to fail. */
int fails(enum call call);

#endif
