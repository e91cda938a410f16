/* SPDX-License-Identifier: MIT */
/* pages.c (POSIX) - address space from mmap, guards, what is resident. */

#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_SYS_AUXV_H
#include <sys/auxv.h>
#endif

#include <coir/error.h>

#include "pages.h"

/* Linux 6.13 and 5.14 have them; headers may be older than the kernel. Values: include/uapi/asm-generic/mman-common.h of
 * Linux. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* The largest signal frame of this processor, from the kernel: include/uapi/linux/auxvec.h of Linux, x86 since 5.14. */
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Not everywhere; where they are missing the system does without. MAP_NORESERVE keeps the heuristic overcommit policy
 * from refusing a large slab (Linux, Documentation/mm/overcommit-accounting). MAP_STACK keeps huge pages away from it
 * since Linux 6.7. On FreeBSD it would mean memory that grows by itself, and must not be given. */
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#if !defined(MAP_STACK) || defined(COIR_MAP_STACK_GROWS)
#undef MAP_STACK
#define MAP_STACK 0
#endif

size_t coir__page_size(void)
{
    static _Atomic size_t size;

    if (atomic_load_explicit(&size, memory_order_relaxed) == 0)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return atomic_load_explicit(&size, memory_order_relaxed);
}

size_t coir__signal_frame_size(void)
{
#ifdef HAVE_GETAUXVAL
    size_t size = getauxval(AT_MINSIGSTKSZ);
    if (size != 0)
        return size;
#endif
    /* Not before: where glibc defines it as a call of sysconf, it is four times what a signal needs. */
    return (size_t)MINSIGSTKSZ;
}

void *coir__pages_reserve(size_t size)
{
    void *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (low == MAP_FAILED)
        return NULL;
#ifdef MADV_NOHUGEPAGE
    madvise(low, size, MADV_NOHUGEPAGE); /* before 6.7; a huge page would make every stack 2 MiB of memory */
#endif
    return low;
}

void coir__pages_release(void *low, size_t size)
{
    munmap(low, size);
}

/* A guard that takes no mapping. The advice fails with EINVAL before Linux 6.13, and on locked memory (mlockall) at any
 * time. QEMU's user emulation (seen with 7.2) accepts advice that it does not know and does nothing; so the first guard
 * is put to the test: to read a true one in fails. */
static bool install_guard(void *low, size_t size)
{
    enum { UNKNOWN, HOLDS, PRETENDED };
    static _Atomic int guards = UNKNOWN;

    if (guards == PRETENDED || madvise(low, size, MADV_GUARD_INSTALL) != 0)
        return false;
    if (guards == UNKNOWN)
        guards = madvise(low, size, MADV_POPULATE_READ) == 0 ? PRETENDED : HOLDS;
    return guards == HOLDS;
}

size_t coir__pages_guard_size(bool wanted)
{
    return wanted ? coir__page_size() : 0;
}

int coir__pages_guard(void *low, size_t size)
{
    if (install_guard(low, size))
        return COIR_OK;
    if (mprotect(low, size, PROT_NONE) == 0)
        return COIR_OK;
    /* It splits the mapping in two more: ENOMEM is the limit on their number, mprotect(2). */
    return errno == ENOMEM ? COIR_EMAPS : COIR_ENOMEM;
}

/* What is mapped can be touched. */
int coir__pages_open(void *low, size_t size)
{
    (void)low, (void)size;
    return COIR_OK;
}

/* Fails at the first page that is locked, and leaves what comes after it: madvise(2), EINVAL. */
bool coir__pages_discard(void *low, size_t size)
{
    return madvise(low, size, MADV_DONTNEED) == 0;
}

ptrdiff_t coir__pages_absent(char *low, size_t count)
{
    unsigned char resident[256];
    size_t page = coir__page_size();
    size_t absent = 0;

    while (absent < count) {
        size_t batch = count - absent < sizeof resident ? count - absent : sizeof resident;
        if (mincore(low + absent * page, batch * page, (void *)resident) != 0)
            return -1;
        for (size_t i = 0; i < batch; i++, absent++)
            if (resident[i] & 1)
                return (ptrdiff_t)absent;
    }
    return (ptrdiff_t)absent;
}
